//! Whom the brain talks to, and how its failures are put into words.
//!
//! Every text that a server sends passes [`Upstream::said`] before it reaches an error: shortened, without control
//! characters and without the key.

use crate::brain::BrainError;
use crate::data::Secret;

/// The most characters of a server's words that an error quotes.
pub(crate) const DETAIL_CHARS_MAX: usize = 300;

/// The provider, as errors name it.
#[derive(Clone, Debug)]
pub(crate) struct Upstream {
    /// The brain's name.
    pub(crate) name: String,
    /// Scheme, host and port.
    pub(crate) target: String,
    /// The model that is asked for.
    pub(crate) model: String,
    /// The key, so that it can be kept out of every text.
    pub(crate) key: Option<Secret>,
    /// How to set the key.
    pub(crate) key_fix: String,
}

impl Upstream {
    /// A server's words, fit for an error.
    pub(crate) fn said(&self, text: &str) -> String {
        let text = self.key.as_ref().map_or_else(|| text.to_owned(), |key| key.redact(text));
        let words = text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
        let line = words.collect::<Vec<_>>().join(" ");
        match line.char_indices().nth(DETAIL_CHARS_MAX) {
            Some((end, _)) => format!("{}…", line.get(..end).unwrap_or_default()),
            None => line,
        }
    }

    pub(crate) fn malformed(&self, detail: &str) -> BrainError {
        BrainError::Malformed { brain: self.name.clone(), detail: self.said(detail) }
    }

    pub(crate) fn cut(&self, detail: &str) -> BrainError {
        BrainError::Cut { brain: self.name.clone(), detail: self.said(detail) }
    }

    pub(crate) fn rejected(&self, detail: &str) -> BrainError {
        BrainError::Rejected { brain: self.name.clone(), detail: self.said(detail) }
    }

    pub(crate) fn context_too_long(&self, detail: &str) -> BrainError {
        BrainError::ContextTooLong { brain: self.name.clone(), detail: self.said(detail) }
    }

    pub(crate) fn unauthorized(&self, detail: &str) -> BrainError {
        BrainError::Unauthorized { brain: self.name.clone(), detail: self.said(detail), fix: self.key_fix.clone() }
    }

    pub(crate) fn unreachable(&self, source: Box<dyn std::error::Error + Send + Sync>) -> BrainError {
        BrainError::Unreachable { brain: self.name.clone(), target: self.target.clone(), source }
    }
}
