//! Reading typed values out of variables, collecting every problem on the way.

use std::path::PathBuf;

use super::error::SettingsProblem;
use super::variable::{Kind, Variable};
use super::vars::{Given, Origin, Vars};
use crate::data::Secret;

/// The longest part of a bad value that a message shows, in characters.
const SHOWN_CHARS_MAX: usize = 60;

/// Reads values by the rules of their variables.
///
/// A value that breaks its rule is noted, and something harmless of its type is given back so that reading goes on:
/// all problems are found at once, and no [`Settings`](super::Settings) come of a reader that has noted any.
#[derive(Debug)]
pub(crate) struct Reader<'a> {
    vars: &'a Vars,
    problems: Vec<SettingsProblem>,
    #[cfg(test)]
    pub(crate) names_read: std::collections::BTreeSet<&'static str>,
}

impl<'a> Reader<'a> {
    pub(crate) fn new(vars: &'a Vars, problems: Vec<SettingsProblem>) -> Self {
        Self {
            vars,
            problems,
            #[cfg(test)]
            names_read: std::collections::BTreeSet::new(),
        }
    }

    pub(crate) fn into_problems(self) -> Vec<SettingsProblem> {
        self.problems
    }

    /// Notes that values don't go together.
    pub(crate) fn contradiction(&mut self, why: impl Into<String>, fix: impl Into<String>) {
        self.problems.push(SettingsProblem::Contradiction { why: why.into(), fix: fix.into() });
    }

    /// Notes that an entry of a list breaks a rule.
    pub(crate) fn entry(&mut self, variable: &Variable, entry: String, why: String, fix: String) {
        let name = self.given_as(variable).unwrap_or(variable.name).to_owned();
        self.problems.push(SettingsProblem::Entry { name, entry, why, fix });
    }

    /// The secret in a variable that another variable names.
    pub(crate) fn named_secret(&self, name: &str) -> Option<Secret> {
        self.vars.named(name).map(Secret::from)
    }

    /// The value through `parse`, which says in its error what the value must be.
    pub(crate) fn parse<T>(&mut self, variable: &Variable, parse: impl Fn(&str) -> Result<T, String>) -> Option<T> {
        #[cfg(test)]
        self.names_read.insert(variable.name);
        let (name, origin, text) = match self.given(variable) {
            Some((name, given)) => (name, given.origin.clone(), given.value.trim()),
            None => (variable.name, Origin::Environment, variable.default?),
        };
        match bounded(text, variable.kind.bytes_max()).and_then(|()| parse(text)) {
            Ok(value) => Some(value),
            Err(rule) => {
                let value = (!may_be_secret(variable.kind, text)).then(|| shortened(text));
                self.problems.push(SettingsProblem::Value { name: name.to_owned(), origin, value, rule });
                None
            }
        }
    }

    fn given(&self, variable: &Variable) -> Option<(&'static str, &'a Given)> {
        variable
            .names()
            .filter_map(|name| self.vars.get(name).map(|given| (name, given)))
            .find(|(_, given)| variable.kind.takes_blank() || !given.value.trim().is_empty())
    }

    /// The name under which a value is given, where one is.
    pub(crate) fn given_as(&self, variable: &Variable) -> Option<&'static str> {
        self.given(variable).map(|(name, _)| name)
    }

    pub(crate) fn text(&mut self, variable: &Variable) -> Option<String> {
        self.parse(variable, |text| Ok(text.to_owned()))
    }

    pub(crate) fn secret(&mut self, variable: &Variable) -> Option<Secret> {
        self.text(variable).map(Secret::new)
    }

    pub(crate) fn path(&mut self, variable: &Variable) -> Option<PathBuf> {
        self.text(variable).map(PathBuf::from)
    }

    /// The whole number, where one is given or usual.
    pub(crate) fn number(&mut self, variable: &Variable) -> Option<u64> {
        self.parse(variable, |text| {
            let number = text.parse::<u64>().ok();
            let fits =
                |number: &u64| matches!(variable.kind, Kind::Integer { min, max } if (min..=max).contains(number));
            number.filter(fits).ok_or_else(|| variable.kind.rule())
        })
    }

    /// The whole number of a variable that has a usual one.
    pub(crate) fn integer(&mut self, variable: &Variable) -> u64 {
        self.number(variable).unwrap_or_default()
    }

    pub(crate) fn boolean(&mut self, variable: &Variable) -> bool {
        let value = self.parse(variable, |text| match text.to_ascii_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Ok(true),
            "false" | "0" | "no" | "off" => Ok(false),
            _ => Err(variable.kind.rule()),
        });
        value.unwrap_or_default()
    }

    /// A base URL, without the slashes at its end.
    pub(crate) fn url(&mut self, variable: &Variable) -> Option<String> {
        self.parse(variable, |text| base_url(text).ok_or_else(|| variable.kind.rule()))
    }

    /// The items between commas, each through `parse`; blank ones are left out.
    pub(crate) fn list<T>(&mut self, variable: &Variable, parse: impl Fn(&str) -> Result<T, String>) -> Vec<T> {
        let items = self.parse(variable, |text| {
            let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
            let items: Result<_, String> = items.map(&parse).collect();
            items.map_err(|why| format!("{}; {why}", variable.kind.rule()))
        });
        items.unwrap_or_default()
    }

    pub(crate) fn words(&mut self, variable: &Variable) -> Vec<String> {
        let words = self.parse(variable, |text| Ok(text.split_whitespace().map(str::to_owned).collect()));
        words.unwrap_or_default()
    }
}

fn bounded(text: &str, bytes_max: usize) -> Result<(), String> {
    if text.len() > bytes_max {
        return Err(format!("text of at most {bytes_max} bytes"));
    }
    if text.chars().any(char::is_control) {
        return Err("one line without control characters".to_owned());
    }
    Ok(())
}

/// Whether a value must not be shown: a secret, and a URL that may hold one in front of an `@` or behind a `?`.
fn may_be_secret(kind: Kind, text: &str) -> bool {
    match kind {
        Kind::Secret | Kind::Accounts | Kind::VariableName | Kind::Base64 => true,
        Kind::Url => text.contains(['@', '?', '#']),
        _ => false,
    }
}

fn shortened(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn base_url(text: &str) -> Option<String> {
    let lower = text.to_ascii_lowercase();
    let scheme = ["https://", "http://"].into_iter().find(|scheme| lower.starts_with(scheme))?;
    let rest = text.get(scheme.len()..)?.trim_end_matches('/');
    let host = rest.split('/').next()?;
    let is_plain = rest.chars().all(|c| !c.is_whitespace() && !matches!(c, '@' | '?' | '#' | '\\'));
    let has_host = !host.is_empty() && !host.starts_with(':');
    (is_plain && has_host).then(|| format!("{scheme}{rest}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base_urls_are_plain_and_end_without_a_slash() {
        for (given, expected) in [
            ("https://api.openai.com/v1", Some("https://api.openai.com/v1")),
            ("HTTP://localhost:8080/v1//", Some("http://localhost:8080/v1")),
            ("http://[::1]:9", Some("http://[::1]:9")),
            ("localhost:8080", None),
            ("ftp://host", None),
            ("https://", None),
            ("https:///v1", None),
            ("https://:80/", None),
            ("https://user:key@host/v1", None),
            ("https://host/v1?key=1", None),
            ("https://ho st/", None),
        ] {
            assert_eq!(base_url(given).as_deref(), expected, "{given}");
        }
    }
}
