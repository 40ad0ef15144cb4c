//! What a model says, before a protocol wraps it.

use serde_json::Value;

/// What the model answers: text, calls, or both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answer {
    /// The text.
    pub text: String,
    /// The calls, in order.
    pub calls: Vec<Call>,
    /// Tokens read and written.
    pub usage: Option<(u64, u64)>,
    /// Why it stopped, where it is not what text or calls imply.
    pub finish: Option<String>,
}

/// A call that the model asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The tool.
    pub name: String,
    /// The arguments as the model wrote them: usually JSON.
    pub arguments: String,
}

impl Answer {
    /// Says `text`.
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), usage: Some((11, 7)), ..Self::default() }
    }

    /// Calls `name`.
    pub fn call(name: impl Into<String>, arguments: &Value) -> Self {
        Self::text("").and_call(name, arguments.to_string())
    }

    /// Calls `name` too, with arguments as they are written here.
    #[must_use]
    pub fn and_call(mut self, name: impl Into<String>, arguments: impl Into<String>) -> Self {
        self.calls.push(Call { name: name.into(), arguments: arguments.into() });
        self
    }

    /// Reports these tokens.
    #[must_use]
    pub fn with_usage(mut self, input: u64, output: u64) -> Self {
        self.usage = Some((input, output));
        self
    }

    /// Stops for this reason.
    #[must_use]
    pub fn finishing(mut self, reason: impl Into<String>) -> Self {
        self.finish = Some(reason.into());
        self
    }
}

/// `text` in pieces of at most `bytes_max` bytes (at least one character each), cut between characters.
pub fn pieces(text: &str, bytes_max: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut start = 0;
    for (at, character) in text.char_indices() {
        if at > start && at + character.len_utf8() - start > bytes_max {
            pieces.push(&text[start..at]);
            start = at;
        }
    }
    if start < text.len() {
        pieces.push(&text[start..]);
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_join_to_the_text_and_keep_characters_whole() {
        for text in ["", "a", "hello world", "über 17 × 23 = 391 🦀🦀"] {
            for bytes_max in 1..9 {
                let pieces = pieces(text, bytes_max);
                assert_eq!(pieces.concat(), text);
                assert!(pieces.iter().all(|p| !p.is_empty() && (p.len() <= bytes_max || p.chars().count() == 1)));
            }
        }
    }
}
