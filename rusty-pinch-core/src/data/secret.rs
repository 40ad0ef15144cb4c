//! Values that must never be seen.

use std::fmt;

const SHOWN_INSTEAD: &str = "[secret]";

/// A value that is never printed, logged or written: its `Debug` hides it, and it has neither `Display` nor `Serialize`.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret<T = String>(T);

impl<T> Secret<T> {
    /// Hides `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for the one place that must send it. Never for a message, a log line or a process argument.
    pub const fn expose(&self) -> &T {
        &self.0
    }
}

impl Secret {
    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` with every occurrence of the secret replaced.
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, SHOWN_INSTEAD) }
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl From<&str> for Secret {
    /// Without the white space around it, which comes from files and is never part of a key.
    fn from(text: &str) -> Self {
        Self(text.trim().to_owned())
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SHOWN_INSTEAD)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_shows_nothing_and_removes_itself_from_text() {
        assert_eq!(format!("{:?}", Some(Secret::new(b"sk-1234"))), "Some([secret])");
        let secret = Secret::from(" sk-123\n");
        assert_eq!(secret.expose(), "sk-123");
        assert_eq!(secret.redact("bad key sk-123, again sk-123"), "bad key [secret], again [secret]");
        assert_eq!(Secret::from(" ").redact("nothing"), "nothing");
        assert!(Secret::from("\t").is_empty());
    }
}
