//! Who answered, and who was tried before.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Which of several brains, and which account of it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Answerer {
    /// The provider, such as `codex` or `openrouter`.
    pub brain: String,
    /// The model.
    pub model: String,
    /// The account, where the provider has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
}

impl fmt::Display for Answerer {
    /// Provider and model, and the account where there is one: `codex/gpt-5 (work)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.brain, self.model)?;
        self.account.as_ref().map_or(Ok(()), |account| write!(f, " ({account})"))
    }
}

/// Who was asked, or passed over, and why no answer came of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tried {
    /// Who.
    #[serde(flatten)]
    pub who: Answerer,
    /// Why it gave no answer.
    pub why: String,
}
