//! What the notifications about a turn add up to. Pure.

use serde_json::Value;

use super::bounds::{ANSWER_BYTES_MAX, RESPONSES_MAX};
use crate::data::Usage;

/// The items that thinking alone brings forth. Every other item shows that a tool of Codex's own ran, those of future
/// versions included.
const HARMLESS_ITEMS: [&str; 4] = ["userMessage", "agentMessage", "reasoning", "plan"];

/// Something that happened in a turn.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Event {
    /// It began, under this name.
    Started(String),
    /// A piece of the message `item`.
    Delta {
        /// Which message.
        item: String,
        /// The piece.
        text: String,
    },
    /// A whole message of the model. The last one is its answer.
    Message {
        /// Which message.
        item: String,
        /// Its text.
        text: String,
    },
    /// A tool of Codex's own ran, or is about to.
    ForeignTool(String),
    /// The model gave an answer, which may have been a call; all that the turn used so far.
    Used(Usage),
    /// Something went wrong; what the turn's end says counts.
    Error(Value),
    /// It is over.
    Over {
        /// How.
        status: String,
        /// Why it failed.
        error: Value,
    },
}

/// The thread that a message is about.
pub(super) fn thread(params: &Value) -> Option<&str> {
    params.get("threadId").and_then(Value::as_str)
}

/// The event in a notification, or `None` when it says nothing about a turn.
pub(super) fn event(method: &str, params: &Value) -> Option<Event> {
    let text = |pointer: &str| params.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    Some(match method {
        "turn/started" => Event::Started(text("/turn/id")),
        "item/agentMessage/delta" => Event::Delta { item: text("/itemId"), text: text("/delta") },
        "item/started" | "item/completed" => match text("/item/type").as_str() {
            "agentMessage" if method == "item/completed" => {
                Event::Message { item: text("/item/id"), text: text("/item/text") }
            }
            harmless if HARMLESS_ITEMS.contains(&harmless) => return None,
            foreign => Event::ForeignTool(named(foreign)),
        },
        "hook/started" => Event::ForeignTool("hook".to_owned()),
        "thread/tokenUsage/updated" => {
            let tokens = |name: &str| params.pointer(&format!("/tokenUsage/total/{name}")).and_then(Value::as_u64);
            Event::Used(Usage {
                input_tokens: tokens("inputTokens").unwrap_or_default(),
                output_tokens: tokens("outputTokens").unwrap_or_default(),
            })
        }
        "error" => Event::Error(params.get("error").cloned().unwrap_or_default()),
        "turn/completed" => {
            let error = params.pointer("/turn/error").cloned().unwrap_or_default();
            Event::Over { status: text("/turn/status"), error }
        }
        _ => return None,
    })
}

/// The name of something foreign, shortened.
pub(super) fn named(foreign: &str) -> String {
    foreign.chars().take(64).collect()
}

/// How a turn ended, as far as we are concerned: Codex may not have noticed yet.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Outcome {
    /// Well.
    Completed,
    /// With this error of the server.
    Failed(Value),
    /// Somebody stopped it.
    Interrupted,
    /// A tool of Codex's own showed.
    ForeignTool(String),
    /// The answer is longer than what is read.
    TooLarge,
}

/// A turn so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Progress {
    /// Its name, once it is known.
    pub(super) turn: Option<String>,
    /// The last message.
    pub(super) message: Option<String>,
    /// What it used so far.
    pub(super) usage: Option<Usage>,
    /// How it ended; the first that is found out stays.
    pub(super) outcome: Option<Outcome>,
    /// Whether Codex is done with it.
    pub(super) is_over: bool,
    /// The last error, for a turn that says none at its end.
    error: Option<Value>,
    responses: u32,
    delta_bytes: usize,
    /// The message that is previewed.
    previewed: Option<String>,
}

/// What a listener is shown of an event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Preview {
    /// Whether what was shown before is void.
    pub(super) restarts: bool,
    /// More text.
    pub(super) text: String,
}

impl Progress {
    /// Adds an event.
    pub(super) fn add(&mut self, event: Event) -> Preview {
        let mut preview = Preview::default();
        match event {
            Event::Started(turn) => self.turn = Some(turn),
            Event::Delta { item, text } => {
                self.delta_bytes = self.delta_bytes.saturating_add(text.len());
                if self.delta_bytes > ANSWER_BYTES_MAX {
                    self.end(Outcome::TooLarge);
                } else {
                    preview = self.preview(item, text);
                }
            }
            Event::Message { text, .. } if text.len() > ANSWER_BYTES_MAX => self.end(Outcome::TooLarge),
            Event::Message { item, text } => {
                if self.previewed.as_ref() != Some(&item) {
                    preview = self.preview(item, text.clone());
                }
                self.message = Some(text);
            }
            Event::ForeignTool(tool) => self.end(Outcome::ForeignTool(tool)),
            Event::Used(usage) => {
                self.usage = Some(usage);
                self.responses = self.responses.saturating_add(1);
                if self.responses > RESPONSES_MAX {
                    self.end(Outcome::ForeignTool(format!(
                        "asked for tools that are not there, {RESPONSES_MAX} times"
                    )));
                }
            }
            Event::Error(error) => self.error = Some(error),
            Event::Over { status, error } => {
                self.is_over = true;
                let error = Some(error).filter(|error| !error.is_null()).or(self.error.take()).unwrap_or_default();
                self.end(match status.as_str() {
                    "completed" => Outcome::Completed,
                    "interrupted" => Outcome::Interrupted,
                    _ => Outcome::Failed(error),
                });
            }
        }
        preview
    }

    /// Ends it, unless it has ended.
    pub(super) fn end(&mut self, outcome: Outcome) {
        self.outcome.get_or_insert(outcome);
    }

    /// Whether its answer was too long, so that a line that could not be read whole is its doing.
    pub(super) fn is_too_large(&self) -> bool {
        self.outcome == Some(Outcome::TooLarge)
    }

    fn preview(&mut self, item: String, text: String) -> Preview {
        let restarts = self.previewed.as_ref().is_some_and(|previewed| *previewed != item);
        self.previewed = Some(item);
        Preview { restarts, text }
    }
}

#[cfg(test)]
mod tests;
