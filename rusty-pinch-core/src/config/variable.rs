//! What a variable is: one row of the table that parsing, documentation and `doctor` share.

use crate::brain::MoneyError;

/// A variable that the program reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Variable {
    /// Its name.
    pub(crate) name: &'static str,
    /// Other names for it, tried in this order when it is not set.
    pub(crate) aliases: &'static [&'static str],
    /// What a value looks like.
    pub(crate) kind: Kind,
    /// The value that holds when none is given; it is parsed like any other.
    pub(crate) default: Option<&'static str>,
    /// What happens when none is given, where that is not one fixed value.
    pub(crate) otherwise: Option<&'static str>,
    /// What it is for, in one or two sentences.
    pub(crate) doc: &'static str,
}

/// What a variable's value looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub(crate) enum Kind {
    /// One line of text.
    Text,
    /// One line of text that is never shown.
    Secret,
    /// A whole number in a range, both ends included.
    Integer {
        /// The least.
        min: u64,
        /// The greatest.
        max: u64,
    },
    /// An amount in US dollars, such as `1.50`.
    Usd,
    /// `true` or `false`; `1`, `yes`, `on`, `0`, `no`, `off` mean the same.
    Boolean,
    /// A file or folder; relative paths start at the working directory.
    Path,
    /// A base URL, `http://…` or `https://…`.
    Url,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// One of these words, or several in order, separated by commas.
    Choices(&'static [&'static str]),
    /// Names, separated by commas.
    List,
    /// Hosts, addresses and ranges with their ports, separated by commas.
    Targets,
    /// A program's arguments, separated by blanks. Set but empty means none.
    Words,
    /// Codex accounts. Never shown: a key may stand there by mistake.
    Accounts,
    /// The name of another variable. Never shown: it may be a key by mistake.
    VariableName,
    /// A JSON object as base64, which is never shown.
    Base64,
    /// A program's flag. Set but empty means that what follows the flag is passed without one.
    Flag,
}

impl Kind {
    /// Whether a value that is set but blank means something else than one that is not set.
    pub(crate) fn takes_blank(self) -> bool {
        matches!(self, Self::Words | Self::Flag)
    }

    /// The longest value, in bytes.
    pub(crate) fn bytes_max(self) -> usize {
        if self == Self::Base64 { BASE64_BYTES_MAX } else { TEXT_BYTES_MAX }
    }

    /// The rule that a value has to keep, read after "it must be".
    pub(crate) fn rule(self) -> String {
        match self {
            Self::Text | Self::Secret => format!("one line of at most {TEXT_BYTES_MAX} bytes"),
            Self::Integer { min, max } => format!("a whole number from {min} to {max}"),
            Self::Usd => MoneyError.to_string(),
            Self::Boolean => "`true` or `false` (also 1, yes, on, 0, no, off)".to_owned(),
            Self::Path => format!("a path of at most {TEXT_BYTES_MAX} bytes"),
            Self::Url => "a URL such as `https://host/v1`, without user, query, fragment, blanks or control characters"
                .to_owned(),
            Self::Choice(words) => format!("one of {}", quoted(words)),
            Self::Choices(words) => {
                format!("one of {}, or several of them in order, separated by commas", quoted(words))
            }
            Self::List => "names separated by commas".to_owned(),
            Self::Targets => {
                "targets such as `host:port`, `address:port` or `range/bits:port`, separated by commas".to_owned()
            }
            Self::Words => "arguments separated by blanks; empty for none".to_owned(),
            Self::Accounts => "accounts `id|api_key_env|max_requests|model`, entries apart by `;`".to_owned(),
            Self::VariableName => "the name of a variable: capital letters, digits and `_`".to_owned(),
            Self::Base64 => format!("a JSON object as base64, of at most {BASE64_BYTES_MAX} bytes"),
            Self::Flag => "a flag such as `--model`; empty for none".to_owned(),
        }
    }

    /// The kind in a word, for the reference page.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Secret => "secret",
            Self::Integer { .. } => "integer",
            Self::Usd => "US dollars",
            Self::Boolean => "boolean",
            Self::Path => "path",
            Self::Url => "URL",
            Self::Choice(_) => "choice",
            Self::Choices(_) => "choices",
            Self::List | Self::Targets => "list",
            Self::Words => "arguments",
            Self::Accounts => "accounts",
            Self::VariableName => "variable name",
            Self::Base64 => "secret in base64",
            Self::Flag => "flag",
        }
    }
}

fn quoted(words: &[&str]) -> String {
    words.iter().map(|word| format!("`{word}`")).collect::<Vec<_>>().join(", ")
}

/// The longest value in base64, in bytes: logins are a few kilobytes.
pub(crate) const BASE64_BYTES_MAX: usize = 64 * 1024;

/// The longest other value, in bytes.
pub(crate) const TEXT_BYTES_MAX: usize = 4096;

impl Variable {
    /// A variable of `kind` without a default.
    pub(crate) const fn new(name: &'static str, kind: Kind, doc: &'static str) -> Self {
        Self { name, aliases: &[], kind, default: None, otherwise: None, doc }
    }

    /// With other names.
    pub(crate) const fn aliases(mut self, aliases: &'static [&'static str]) -> Self {
        self.aliases = aliases;
        self
    }

    /// With the value that holds when none is given.
    pub(crate) const fn default(mut self, value: &'static str) -> Self {
        self.default = Some(value);
        self
    }

    /// With words for what happens when none is given.
    pub(crate) const fn otherwise(mut self, words: &'static str) -> Self {
        self.otherwise = Some(words);
        self
    }

    /// Its names, the first of which is its own.
    pub(crate) fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

/// The variables of one room.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Section {
    /// Its heading.
    pub(crate) title: &'static str,
    /// What its variables have in common.
    pub(crate) doc: &'static str,
    /// The variables, in the order in which they are shown.
    pub(crate) variables: &'static [Variable],
}
