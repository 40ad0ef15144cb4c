//! Names that come from outside, checked once when they are made.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest session id, in bytes. Every byte may need three in a file name, and file names end at 255.
pub const SESSION_ID_BYTES_MAX: usize = 80;
/// The longest tool name, in bytes.
pub const TOOL_NAME_BYTES_MAX: usize = 64;
const TOKEN_HEX_DIGITS: usize = 32;
const CALL_ID_BYTES_MAX: usize = 128;

/// An id that breaks its rule. The message names the input, the rule and the fix.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum IdError {
    /// The id is empty or blank.
    #[error("the {what} is empty; give at least one visible character")]
    Empty {
        /// Which kind of id.
        what: &'static str,
    },
    /// The id is longer than its bound.
    #[error("the {what} `{start}…` is {bytes} bytes long; at most {bytes_max} are allowed, so shorten it")]
    TooLong {
        /// Which kind of id.
        what: &'static str,
        /// The id's first characters.
        start: String,
        /// Its length in bytes.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// The id holds a character that its rule excludes.
    #[error("the {what} {id:?} holds {character:?}{}; {rule}", code(*.character))]
    Character {
        /// Which kind of id.
        what: &'static str,
        /// The id.
        id: String,
        /// The first character that does not fit.
        character: char,
        /// What is allowed.
        rule: &'static str,
    },
    /// The token does not have the form that approvals have.
    #[error("{text:?} is not an approval token; it is `ap-` and 32 hexadecimal digits, as `approvals list` shows it")]
    Token {
        /// The text.
        text: String,
    },
}

/// The code of a character that may look like another.
fn code(character: char) -> String {
    if character.is_ascii() { String::new() } else { format!(" (U+{:04X})", u32::from(character)) }
}

impl From<std::convert::Infallible> for IdError {
    /// For `TryInto<SessionId>` of a session id, which can't fail.
    fn from(never: std::convert::Infallible) -> Self {
        match never {}
    }
}

fn bounded(what: &'static str, id: &str, bytes_max: usize) -> Result<(), IdError> {
    if id.trim().is_empty() {
        return Err(IdError::Empty { what });
    }
    if id.len() > bytes_max {
        let start = id.chars().take(16).flat_map(char::escape_debug).collect();
        return Err(IdError::TooLong { what, start, bytes: id.len(), bytes_max });
    }
    Ok(())
}

fn only(what: &'static str, id: &str, rule: &'static str, fits: impl Fn(char) -> bool) -> Result<(), IdError> {
    match id.chars().find(|c| !fits(*c)) {
        Some(character) => Err(IdError::Character { what, id: id.to_owned(), character, rule }),
        None => Ok(()),
    }
}

macro_rules! text_id {
    ($name:ident) => {
        impl $name {
            /// The id as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
        impl TryFrom<&str> for $name {
            type Error = IdError;
            fn try_from(text: &str) -> Result<Self, IdError> {
                Self::new(text)
            }
        }
        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                Self::new(&text)
            }
        }
        impl TryFrom<&$name> for $name {
            type Error = IdError;
            fn try_from(id: &$name) -> Result<Self, IdError> {
                Ok(id.clone())
            }
        }
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }
        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                Self::new(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}

/// The name of a conversation, such as `demo` or `telegram:12345`.
///
/// 1 to 80 bytes, no control characters, otherwise any text: the store maps it to a file name injectively.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(Arc<str>);

impl SessionId {
    /// Checks `id` and keeps it.
    ///
    /// # Errors
    /// [`IdError`] when it is empty, over 80 bytes or holds a control character.
    pub fn new(id: &str) -> Result<Self, IdError> {
        bounded("session id", id, SESSION_ID_BYTES_MAX)?;
        only("session id", id, "leave control characters out", |c| !c.is_control())?;
        Ok(Self(id.into()))
    }
}
text_id!(SessionId);

/// The name of a tool: 1 to 64 of `a-z`, `0-9`, `_`, `-`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ToolName(Arc<str>);

impl ToolName {
    /// Checks `name` and keeps it.
    ///
    /// # Errors
    /// [`IdError`] when it is empty, over 64 bytes or holds another character.
    pub fn new(name: &str) -> Result<Self, IdError> {
        Self::of("tool name", name)
    }

    /// The same for the name of a skill, which is what errors call it.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_skill(name: &str) -> Result<Self, IdError> {
        Self::of("skill name", name)
    }

    fn of(what: &'static str, name: &str) -> Result<Self, IdError> {
        bounded(what, name, TOOL_NAME_BYTES_MAX)?;
        only(what, name, "use only a-z, 0-9, `_` and `-`", |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
        })?;
        Ok(Self(name.into()))
    }
}
text_id!(ToolName);

/// Names one tool call of one session. Minted by the agent, never by a model: providers repeat theirs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId(Arc<str>);

impl CallId {
    /// Checks `id` and keeps it.
    ///
    /// # Errors
    /// [`IdError`] when it is empty, over 128 bytes or holds a character outside `a-z`, `0-9`, `_`, `-`.
    pub fn new(id: &str) -> Result<Self, IdError> {
        bounded("call id", id, CALL_ID_BYTES_MAX)?;
        only("call id", id, "use only a-z, 0-9, `_` and `-`", |c| {
            c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-'
        })?;
        Ok(Self(id.into()))
    }

    /// The id for call number `index` of a completion, made from 64 random bits so that no two completions share one.
    pub fn mint(random: [u8; 8], index: usize) -> Self {
        Self(format!("c{}-{index}", hex(&random)).into())
    }
}
text_id!(CallId);

/// Names one turn in logs and errors: `rp-<time in ms, hex>-<random, hex>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct RequestId(Arc<str>);

impl RequestId {
    /// An id for a turn that began at `at`; `random` tells apart turns of the same millisecond.
    pub fn mint(at: super::Timestamp, random: [u8; 4]) -> Self {
        Self(format!("rp-{:x}-{}", at.as_millis(), hex(&random)).into())
    }

    /// The id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of an approval: `ap-` and 128 random bits in hex, which is what makes it unguessable.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ApprovalToken(Arc<str>);

impl ApprovalToken {
    /// Checks `text` and keeps it. Blanks around it and upper-case digits are forgiven, for people type it.
    ///
    /// # Errors
    /// [`IdError::Token`] when it is not `ap-` and 32 hexadecimal digits.
    pub fn new(text: &str) -> Result<Self, IdError> {
        let token = text.trim().to_ascii_lowercase();
        let digits = token.strip_prefix("ap-").unwrap_or_default();
        if digits.len() == TOKEN_HEX_DIGITS && digits.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Ok(Self(token.into()));
        }
        Err(IdError::Token { text: text.chars().take(60).collect() })
    }

    /// A new token from 128 random bits.
    pub fn mint(random: [u8; 16]) -> Self {
        Self(format!("ap-{}", hex(&random)).into())
    }
}
text_id!(ApprovalToken);

pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn session_ids_take_any_text_but_control_characters() {
        for good in ["demo", "telegram:1", "..", "日本", "a b", &"x".repeat(80)] {
            assert_eq!(SessionId::new(good).unwrap().as_str(), good);
        }
        for bad in ["", "  ", "a\nb", "\u{0}", "\u{7f}", &"x".repeat(81)] {
            let error = SessionId::new(bad).unwrap_err().to_string();
            assert!(error.contains("session id"), "{error}");
            assert!(!error.chars().any(char::is_control), "{error:?}");
        }
    }

    #[test]
    fn a_character_that_looks_like_another_is_told_with_its_code() {
        let told = |name: &str| ToolName::new(name).unwrap_err().to_string();
        assert!(told("сoffee").contains("holds 'с' (U+0441);"), "{}", told("сoffee"));
        assert!(told("Coffee").contains("holds 'C';"), "{}", told("Coffee"));
    }

    #[test]
    fn tokens_forgive_typing_and_nothing_else() {
        let token = ApprovalToken::mint([0xab; 16]);
        assert_eq!(ApprovalToken::new(&format!(" {} ", token.as_str().to_uppercase())).unwrap(), token);
        for bad in ["", "ap-", "ap-12", "yes", &format!("{token}0")] {
            assert!(ApprovalToken::new(bad).is_err(), "{bad}");
        }
    }
}
