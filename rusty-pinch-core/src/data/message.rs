//! What a brain reads and what it used.

use serde::{Deserialize, Serialize};

use super::{CallId, ToolCall};

/// One message of a prompt.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "role", rename_all = "lowercase")]
pub enum Message {
    /// Rules and facts from the operator.
    System {
        /// The text.
        content: String,
    },
    /// What a person said.
    User {
        /// The text.
        content: String,
    },
    /// What a brain answered, with the calls it asked for.
    Assistant {
        /// The text; may be empty when there are calls.
        content: String,
        /// The calls, in the order they were asked for.
        calls: Vec<ToolCall>,
    },
    /// What came of a call.
    Tool {
        /// Which call.
        call: CallId,
        /// The tool's name.
        name: String,
        /// The output.
        content: String,
    },
}

impl Message {
    /// Its text.
    pub fn content(&self) -> &str {
        match self {
            Self::System { content }
            | Self::User { content }
            | Self::Assistant { content, .. }
            | Self::Tool { content, .. } => content,
        }
    }
}

/// Tokens that a completion used, as the provider counted them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written, hidden reasoning included.
    pub output_tokens: u64,
}

impl std::ops::AddAssign for Usage {
    fn add_assign(&mut self, other: Self) {
        self.input_tokens = self.input_tokens.saturating_add(other.input_tokens);
        self.output_tokens = self.output_tokens.saturating_add(other.output_tokens);
    }
}

/// About how many tokens a model will count for `text`, never too few for ordinary text.
///
/// Four ASCII bytes or one other character make a token: English is a little overestimated, which is the safe side.
pub fn estimate_tokens(text: &str) -> usize {
    // Most text, and told in a fraction of the time.
    if text.is_ascii() {
        return text.len().div_ceil(4);
    }
    let ascii = text.bytes().filter(u8::is_ascii).count();
    let other = text.chars().count() - ascii;
    ascii.div_ceil(4) + other
}
