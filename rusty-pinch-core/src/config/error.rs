//! What can be wrong with settings.

use std::fmt;
use std::path::PathBuf;

use super::UnknownName;
use super::vars::Origin;

/// Everything that is wrong with the settings, found in one pass.
#[derive(Debug)]
pub struct SettingsError {
    /// What is wrong; never empty.
    pub problems: Vec<SettingsProblem>,
    /// Names that look like ours and are not, which may be where a value was meant to be.
    pub unknown: Vec<UnknownName>,
}

impl fmt::Display for SettingsError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, problem) in self.problems.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{problem}")?;
        }
        Ok(())
    }
}

impl std::error::Error for SettingsError {}

/// One thing that is wrong with the settings. Its message names input and rule, [`fix`](Self::fix) what to do.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsProblem {
    /// A value breaks the rule of its variable.
    #[error("{name} is {} ({origin}), but it must be {rule}", shown(value))]
    Value {
        /// The variable, under the name that was used.
        name: String,
        /// Where the value came from.
        origin: Origin,
        /// The value, shortened; none when it is a secret.
        value: Option<String>,
        /// What it has to be.
        rule: String,
    },
    /// An entry of a list breaks a rule. Its text is not kept, for a secret may stand there by mistake.
    #[error("{name}, entry {entry}: {why}")]
    Entry {
        /// The variable, under the name that was used.
        name: String,
        /// Which entry: its number, from 1, and its id.
        entry: String,
        /// What is wrong.
        why: String,
        /// What to do.
        fix: String,
    },
    /// A value is not UTF-8.
    #[error("{name} ({origin}) is not valid UTF-8 text")]
    NotUnicode {
        /// The variable.
        name: String,
        /// Where the value came from.
        origin: Origin,
    },
    /// Values that exclude each other, or one that needs another.
    #[error("{why}")]
    Contradiction {
        /// Which, and why.
        why: String,
        /// What to do.
        fix: String,
    },
    /// The file of variables can't be read.
    #[error("the env file {} {why}", path.display())]
    EnvFile {
        /// The file.
        path: PathBuf,
        /// Why it can't be read.
        why: String,
        /// What to do.
        fix: String,
    },
    /// A line of the file of variables is not `NAME=value`.
    #[error("line {line} of the env file {} {why}", path.display())]
    EnvFileLine {
        /// The file.
        path: PathBuf,
        /// Its number, from 1. Its text is not kept, for it may hold a secret.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
}

fn shown(value: &Option<String>) -> String {
    match value {
        Some(value) => format!("{value:?}"),
        None => "not usable (its value is secret)".to_owned(),
    }
}

impl SettingsProblem {
    /// What to do about it.
    pub fn fix(&self) -> String {
        match self {
            Self::Value { name, rule, .. } => format!("set {name} to {rule}, or unset it for its default"),
            Self::NotUnicode { name, .. } => format!("set {name} to UTF-8 text, or unset it"),
            Self::Contradiction { fix, .. } | Self::EnvFile { fix, .. } | Self::Entry { fix, .. } => fix.clone(),
            Self::EnvFileLine { .. } => {
                "write it as NAME=value, with single quotes around a value that holds blanks, `$`, `#` or quotes; \
                 comments begin with #"
                    .to_owned()
            }
        }
    }
}
