//! Keeping known secrets out of texts that leave the program.

use std::borrow::Cow;

use crate::data::Secret;

/// Shorter secrets are not looked for: they would turn up by chance in ordinary text.
const SECRET_BYTES_MIN: usize = 8;
const REPLACEMENT: &str = "[secret]";

/// Replaces known secrets in text. Whoever writes to a log, a file or a terminal passes the text through one.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    // Longest first, so that a secret inside another leaves nothing of the longer one.
    secrets: Vec<Secret>,
}

impl Redactor {
    /// A redactor that knows `secrets`. Those under 8 bytes are left alone.
    pub fn new<'a>(secrets: impl IntoIterator<Item = &'a Secret>) -> Self {
        let mut secrets: Vec<_> =
            secrets.into_iter().filter(|secret| secret.expose().len() >= SECRET_BYTES_MIN).cloned().collect();
        secrets.sort_by_key(|secret| std::cmp::Reverse(secret.expose().len()));
        secrets.dedup();
        Self { secrets }
    }

    /// `text` without the secrets.
    pub fn clean<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut clean = Cow::Borrowed(text);
        for secret in &self.secrets {
            if clean.contains(secret.expose().as_str()) {
                clean = Cow::Owned(clean.replace(secret.expose().as_str(), REPLACEMENT));
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_secrets_are_replaced_and_short_ones_are_not_looked_for() {
        let secrets = ["sk-12345678", "sk-12345678-long", "abc"].map(|s| Secret::new(s.to_owned()));
        let redactor = Redactor::new(&secrets);
        assert_eq!(redactor.clean("a sk-12345678-long b sk-12345678 c abc"), "a [secret] b [secret] c abc");
        assert!(matches!(redactor.clean("nothing"), Cow::Borrowed(_)));
        assert!(!format!("{redactor:?}").contains("1234"));
    }
}
