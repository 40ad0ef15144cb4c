//! One account of a pool: its name, how it is called, and how much it may be asked.

use std::fmt;
use std::fmt::Write;

use serde::{Deserialize, Serialize};

use super::bounds::ACCOUNT_ID_BYTES_MAX;
use crate::brain::{CodexConfig, CodexLoginSeed};

/// The name of an account: 1 to 64 bytes without control characters, `|`, `;` or blanks at its ends.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct AccountId(String);

/// A text that names no account.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "an account's id is 1 to {ACCOUNT_ID_BYTES_MAX} bytes without control characters, `|`, `;` or blanks at its ends"
)]
pub struct AccountIdError;

impl AccountId {
    /// The account `id`.
    ///
    /// # Errors
    /// [`AccountIdError`] when it breaks the rule.
    pub fn new(id: impl Into<String>) -> Result<Self, AccountIdError> {
        let id = id.into();
        let fits = (1..=ACCOUNT_ID_BYTES_MAX).contains(&id.len());
        let is_plain = !id.contains(|c: char| c.is_control() || matches!(c, '|' | ';')) && id.trim() == id;
        if fits && is_plain { Ok(Self(id)) } else { Err(AccountIdError) }
    }

    /// The account of an operator who named none.
    pub fn usual() -> Self {
        Self("default".to_owned())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The id as the name of a folder. Different ids have different names, also where case does not count, and no name
    /// leaves its folder: everything but `a-z`, `0-9`, `-` and `_` is written as `%` and two hexadecimal digits a byte.
    pub fn folder(&self) -> String {
        let mut name = String::with_capacity(self.0.len());
        for byte in self.0.bytes() {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
                // Writing to a string can't fail.
                other => drop(write!(name, "%{other:02X}")),
            }
        }
        name
    }
}

impl TryFrom<String> for AccountId {
    type Error = AccountIdError;
    fn try_from(id: String) -> Result<Self, Self::Error> {
        Self::new(id)
    }
}

impl From<AccountId> for String {
    fn from(id: AccountId) -> Self {
        id.0
    }
}

impl fmt::Display for AccountId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// One account of a pool.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CodexAccount {
    /// Its name.
    pub id: AccountId,
    /// How it is called, with its login or key.
    pub config: CodexConfig,
    /// How many requests it may be asked in one window; at least 1.
    pub requests_max: u32,
    /// The variable that its key came from; for people only.
    pub api_key_env: Option<String>,
    /// Whether its home is made, with the folders around it, where it is missing. Not for a home of the operator's own,
    /// whose missing folder is a slip of the pen.
    pub makes_home: bool,
    /// The login that its home begins with while it holds no `auth.json`.
    pub login_seed: Option<CodexLoginSeed>,
}

impl CodexAccount {
    /// An account that may be asked `requests_max` times in a window.
    pub fn new(id: AccountId, config: CodexConfig, requests_max: u32) -> Self {
        Self { id, config, requests_max: requests_max.max(1), api_key_env: None, makes_home: false, login_seed: None }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn ids_keep_their_rule() {
        for good in ["a", "Work 2", "ü@example.org", &"x".repeat(64)] {
            assert_eq!(AccountId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", " a", "a ", "a|b", "a;b", "a\n", "\u{7f}", &"x".repeat(65)] {
            assert_eq!(AccountId::new(bad), Err(AccountIdError), "{bad:?}");
        }
    }

    #[test]
    fn different_ids_have_different_folders_that_stay_where_they_are() {
        let ids = ["a", "A", "a%41", ".", "..", "../a", "a/b", "a_b", "a b", "%", "ä", "con"];
        let folders: HashSet<_> = ids.iter().map(|id| AccountId::new(*id).unwrap().folder().to_lowercase()).collect();
        assert_eq!(folders.len(), ids.len());
        assert!(folders.iter().all(|folder| !folder.contains(['/', '\\', '.'])), "{folders:?}");
        assert_eq!(AccountId::new("work_2").unwrap().folder(), "work_2");
    }
}
