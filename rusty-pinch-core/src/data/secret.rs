//! Text that must not be seen.

use std::fmt;

const REDACTED: &str = "[secret]";

/// A key or token. Neither `Debug` nor `Display` shows it, and it has no `Serialize`.
#[derive(Clone)]
pub struct Secret(String);

impl Secret {
    /// Keeps `text` secret, without the white space around it, which comes from files and is never part of a key.
    pub fn new(text: &str) -> Self {
        Self(text.trim().to_owned())
    }

    /// The text itself, for the one place that needs it.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether there is no text.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// `text` with every occurrence of the secret replaced.
    pub fn redact(&self, text: &str) -> String {
        if self.0.is_empty() { text.to_owned() } else { text.replace(&self.0, REDACTED) }
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(REDACTED)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_nothing_and_removes_itself_from_text() {
        let secret = Secret::new(" sk-123\n");
        assert_eq!(secret.expose(), "sk-123");
        assert!(!format!("{secret} {secret:?} {:?}", Some(&secret)).contains("123"));
        assert_eq!(secret.redact("bad key sk-123, again sk-123"), "bad key [secret], again [secret]");
        assert_eq!(Secret::new(" ").redact("nothing"), "nothing");
        assert!(Secret::new("\t").is_empty());
    }
}
