//! The list of Codex accounts, as an operator writes it: `id|api_key_env|max_requests|model`, entries apart by `;`.
//!
//! Pure, and strict: a slip in a list of accounts would move work, money or a key to where nobody meant it. No message
//! shows a field that may be a key by mistake.

use std::collections::BTreeSet;

use crate::data::Secret;

/// How many accounts there may be.
pub const CODEX_ACCOUNTS_MAX: usize = 64;
/// The longest id of an account, in bytes.
pub const ACCOUNT_ID_BYTES_MAX: usize = 64;
/// The most requests that an account may be given for a window.
pub(super) const REQUESTS_MAX: u64 = 1_000_000;
/// The longest name of a variable, in bytes.
const NAME_BYTES_MAX: usize = 128;
/// The account of an operator who names none.
pub(super) const USUAL_ID: &str = "default";

/// One account, as the settings say.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct CodexAccountSettings {
    /// Its name.
    pub id: String,
    /// The variable that its key is in.
    pub api_key_env: Option<String>,
    /// The key that was in it.
    pub api_key: Option<Secret>,
    /// How many requests it may be asked in a window.
    pub requests_max: u32,
    /// The model it is asked for, when somebody chose.
    pub model: Option<String>,
}

/// What holds for an account whose entry leaves a field out.
#[derive(Clone, Debug)]
pub(super) struct Usual {
    pub(super) api_key_env: Option<String>,
    pub(super) requests_max: u32,
    pub(super) model: Option<String>,
}

/// What is wrong with an entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct EntryProblem {
    /// Which entry: its number, from 1, and its id where that can be shown.
    pub(super) entry: String,
    pub(super) why: String,
    pub(super) fix: String,
}

/// The accounts in `text`; none where there is no entry. `key` gives the value of a variable.
pub(super) fn parse(
    text: &str,
    usual: &Usual,
    key: impl Fn(&str) -> Option<Secret>,
) -> Result<Vec<CodexAccountSettings>, Vec<EntryProblem>> {
    let (mut accounts, mut problems): (Vec<CodexAccountSettings>, Vec<EntryProblem>) = (Vec::new(), Vec::new());
    for (index, entry) in text.split(';').enumerate().filter(|(_, entry)| !entry.trim().is_empty()) {
        let fields: Vec<&str> = entry.split('|').map(str::trim).collect();
        let id = fields.first().copied().unwrap_or_default();
        let mut bad = |(why, fix): (String, String)| {
            let named = is_id(id) && fields.len() > 1;
            let entry = if named { format!("{} (`{id}`)", index + 1) } else { (index + 1).to_string() };
            problems.push(EntryProblem { entry, why, fix });
        };
        if accounts.len() == CODEX_ACCOUNTS_MAX {
            let why = format!("there are more than {CODEX_ACCOUNTS_MAX} accounts");
            bad((why, "name fewer".to_owned()));
            break;
        }
        if accounts.iter().any(|account| account.id == id) {
            bad(("another entry has the same id".to_owned(), "give every account an id of its own".to_owned()));
            continue;
        }
        match account(&fields, usual, &key) {
            Ok(account) => accounts.push(account),
            Err(problem) => bad(problem),
        }
    }
    if problems.is_empty() { Ok(accounts) } else { Err(problems) }
}

/// The account that `fields` describe, or what is wrong with them and what to do.
fn account(
    fields: &[&str],
    usual: &Usual,
    key: &impl Fn(&str) -> Option<Secret>,
) -> Result<CodexAccountSettings, (String, String)> {
    let field = |index: usize| fields.get(index).copied().filter(|field| !field.is_empty());
    if fields.len() > 4 {
        let why = format!("it has {} fields, but an account has at most 4", fields.len());
        return Err((why, "write it as `id|api_key_env|max_requests|model`, entries apart by `;`".to_owned()));
    }
    let id = field(0).filter(|id| is_id(id)).ok_or_else(|| {
        let (why, fix) = match field(0) {
            None => ("its id is empty", ""),
            Some(id) if id.contains(',') => ("its id holds a comma", "put `;` between accounts, and "),
            Some(_) => ("its id is too long or not plain text", ""),
        };
        (why.to_owned(), format!("{fix}begin it with an id of 1 to {ACCOUNT_ID_BYTES_MAX} bytes, such as `work`"))
    })?;
    let api_key_env = field(1).map(str::to_owned).or_else(|| usual.api_key_env.clone());
    let api_key = api_key_env.as_deref().map(|name| key_in(name, key)).transpose()?;
    let requests_max = match field(2) {
        None => usual.requests_max,
        Some(text) => text
            .parse::<u64>()
            .ok()
            .filter(|number| (1..=REQUESTS_MAX).contains(number))
            .and_then(|number| u32::try_from(number).ok())
            .ok_or_else(|| {
                let why = "its max_requests (the third field) is not a number that is allowed".to_owned();
                (why, format!("write a whole number from 1 to {REQUESTS_MAX}, or leave it empty"))
            })?,
    };
    let model = field(3).map(str::to_owned).or_else(|| usual.model.clone());
    if model.as_deref().is_some_and(|model| model.starts_with('-')) {
        let why = "its model (the fourth field) begins with a dash, which makes it a flag".to_owned();
        return Err((why, "write a model's name, or leave it empty".to_owned()));
    }
    Ok(CodexAccountSettings { id: id.to_owned(), api_key_env, api_key, requests_max, model })
}

/// The key in the variable `name`.
fn key_in(name: &str, key: &impl Fn(&str) -> Option<Secret>) -> Result<Secret, (String, String)> {
    if !is_variable_name(name) {
        // It is not shown: it may be the key itself.
        let why = "its api_key_env (the second field) is not the name of an environment variable".to_owned();
        return Err((why, format!("write the {VARIABLE_NAME}, and put the key into that variable")));
    }
    key(name).filter(|key| !key.is_empty()).ok_or_else(|| {
        let why = format!("its key should be in the variable {name}, which is not set");
        (why, format!("set {name} to the account's key, or leave the second field empty to use a login"))
    })
}

/// What a variable's name is, for messages.
pub(super) const VARIABLE_NAME: &str = "name of a variable in capital letters, digits and `_`";

/// Whether `name` can be the name of a variable. Small letters are refused: most keys have some, few variables do.
pub(super) fn is_variable_name(name: &str) -> bool {
    let begins = name.starts_with(|c: char| c.is_ascii_uppercase() || c == '_');
    let is_plain = name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_');
    begins && is_plain && name.len() <= NAME_BYTES_MAX
}

/// A comma is refused: it separates everywhere else, and would make one account of two.
fn is_id(id: &str) -> bool {
    (1..=ACCOUNT_ID_BYTES_MAX).contains(&id.len()) && !id.chars().any(|c| c.is_control() || c == ',')
}

/// The variables that `accounts` and the usual one name, so that the reader of the environment knows which to keep.
pub(crate) fn key_variables(accounts: Option<&str>, usual: Option<&str>) -> BTreeSet<String> {
    let named = accounts.unwrap_or_default().split(';').filter_map(|entry| entry.split('|').nth(1));
    named.chain(usual).map(str::trim).filter(|name| is_variable_name(name)).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const USUAL: Usual = Usual { api_key_env: None, requests_max: 200, model: None };

    fn key(name: &str) -> Option<Secret> {
        name.starts_with("KEY").then(|| Secret::from("sk-1"))
    }

    fn ids(text: &str) -> Vec<String> {
        parse(text, &USUAL, key).unwrap().into_iter().map(|account| account.id).collect()
    }

    #[test]
    fn entries_are_read_and_what_they_leave_out_is_as_usual() {
        assert_eq!(ids(""), Vec::<String>::new());
        assert_eq!(ids(" ; a ;; b| ; "), ["a", "b"]);
        let usual = Usual { api_key_env: Some("KEY_U".into()), requests_max: 7, model: Some("small".into()) };
        let accounts = parse("a|KEY_A|5|large; b", &usual, key).unwrap();
        assert_eq!((accounts[0].api_key_env.as_deref(), accounts[0].requests_max), (Some("KEY_A"), 5));
        assert_eq!((accounts[0].model.as_deref(), accounts[0].api_key.is_some()), (Some("large"), true));
        assert_eq!((accounts[1].api_key_env.as_deref(), accounts[1].requests_max), (Some("KEY_U"), 7));
        assert_eq!((accounts[1].model.as_deref(), accounts[1].api_key.is_some()), (Some("small"), true));
        assert_eq!(key_variables(Some("a|KEY_A; b||; c|sk-123|"), Some("KEY_U")).len(), 2);
    }

    #[test]
    fn every_slip_is_named_with_its_entry_and_its_fix() {
        for (text, entry, why) in [
            ("a;|KEY_A", "2", "its id is empty"),
            ("a|;b|;a|", "3 (`a`)", "the same id"),
            (&*"x".repeat(65), "1", "too long"),
            ("a,b", "1", "its id holds a comma"),
            ("a|KEY_A|-5", "1 (`a`)", "max_requests"),
            ("a||0", "1 (`a`)", "max_requests"),
            ("a||1.5", "1 (`a`)", "max_requests"),
            ("a||99999999999999999999", "1 (`a`)", "max_requests"),
            ("a||many", "1 (`a`)", "max_requests"),
            ("a|NOT_THERE", "1 (`a`)", "NOT_THERE, which is not set"),
            ("a|sk-very-secret", "1 (`a`)", "is not the name of an environment variable"),
            ("a|||--yolo", "1 (`a`)", "begins with a dash"),
            ("a|KEY_A|5|m|more", "1 (`a`)", "it has 5 fields"),
        ] {
            let problems = parse(text, &USUAL, key).unwrap_err();
            assert_eq!(problems.len(), 1, "{text}: {problems:?}");
            assert!(problems[0].entry == entry && problems[0].why.contains(why), "{text}: {problems:?}");
            assert!(!problems[0].fix.is_empty() && !format!("{problems:?}").contains("secret"), "{problems:?}");
        }
        let many: Vec<_> = (0..=CODEX_ACCOUNTS_MAX).map(|n| format!("a{n}")).collect();
        assert!(parse(&many.join(";"), &USUAL, key).unwrap_err()[0].why.contains("more than 64"));
        assert_eq!(parse("|;|;b|x", &USUAL, key).unwrap_err().len(), 3, "all slips are said at once");
    }

    proptest! {
        #[test]
        fn any_text_gives_accounts_that_keep_the_rules_or_says_what_is_wrong(text in "[ab|;,0-9A-Z_\\- é\u{7}]{0,60}") {
            match parse(&text, &USUAL, key) {
                Ok(accounts) => {
                    let ids: BTreeSet<_> = accounts.iter().map(|account| &account.id).collect();
                    prop_assert_eq!(ids.len(), accounts.len());
                    for account in &accounts {
                        prop_assert!(is_id(&account.id) && account.id.trim() == account.id);
                        prop_assert!(account.requests_max > 0 && account.api_key_env.is_some() == account.api_key.is_some());
                    }
                }
                Err(problems) => prop_assert!(!problems.is_empty() && problems.iter().all(|p| !p.fix.is_empty())),
            }
        }

        #[test]
        fn what_was_written_is_what_is_read(
            given in proptest::collection::btree_map("[a-z]{1,8}", (1u32..1_000_000, proptest::option::of("[a-z0-9.]{1,9}")), 0..9)
        ) {
            let entries: Vec<_> = given
                .iter()
                .map(|(id, (max, model))| format!("{id}|KEY_{}|{max}|{}", id.to_uppercase(), model.clone().unwrap_or_default()))
                .collect();
            let accounts = parse(&entries.join(" ; "), &USUAL, key).unwrap();
            let read: Vec<_> = accounts.iter().map(|a| (&a.id, (a.requests_max, a.model.clone()))).collect();
            let written: Vec<_> = given.iter().map(|(id, rest)| (id, rest.clone())).collect();
            prop_assert_eq!(read, written);
        }
    }
}
