//! The events that `codex exec --json` prints, one JSON object a line, and what they add up to. Pure.

use serde_json::Value;

use crate::data::Usage;

/// The longest line that is read, and with it the longest answer.
pub(super) const EVENT_LINE_BYTES_MAX: usize = 4 * 1024 * 1024;

/// The items that thinking alone brings forth. Every other item shows that a tool of Codex's own ran, those of future
/// versions included.
const HARMLESS_ITEMS: [&str; 4] = ["agent_message", "reasoning", "error", "todo_list"];

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Event {
    /// A message of the model. The last one is its answer.
    Message(String),
    /// A tool of Codex's own ran, or is about to.
    ForeignTool(String),
    /// The turn is over and went well.
    Completed(Option<Usage>),
    /// The turn is over and failed.
    Failed(String),
    /// Something went wrong; the turn may still go well.
    Warning(String),
    /// Something else happened.
    Other,
}

/// The event in `line`, or `None` when the line is no event.
pub(super) fn parse(line: &[u8]) -> Option<Event> {
    let line: Value = serde_json::from_slice(line).ok()?;
    let text = |pointer: &str| line.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
    let event = match line.get("type")?.as_str()? {
        "turn.completed" => Event::Completed(line.get("usage").map(usage)),
        "turn.failed" => Event::Failed(text("/error/message")),
        "error" => Event::Warning(text("/message")),
        kind if kind.starts_with("item.") => match text("/item/type").as_str() {
            "agent_message" if kind == "item.completed" => Event::Message(text("/item/text")),
            "error" => Event::Warning(text("/item/message")),
            harmless if HARMLESS_ITEMS.contains(&harmless) => Event::Other,
            foreign => Event::ForeignTool(foreign.chars().take(64).collect()),
        },
        kind if kind.starts_with("thread.") || kind.starts_with("turn.") => Event::Other,
        _ => return None,
    };
    Some(event)
}

fn usage(usage: &Value) -> Usage {
    let tokens = |name: &str| usage.get(name).and_then(Value::as_u64).unwrap_or_default();
    Usage { input_tokens: tokens("input_tokens"), output_tokens: tokens("output_tokens") }
}

/// What the events of a run add up to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Transcript {
    /// Whether any line was an event.
    pub(super) has_events: bool,
    /// Whether a line was longer than what is read.
    pub(super) has_cut_line: bool,
    /// The last message.
    pub(super) message: Option<String>,
    /// Which tool of Codex's own ran first.
    pub(super) foreign_tool: Option<String>,
    /// Whether the turn is over and went well.
    pub(super) completed: bool,
    /// What it used.
    pub(super) usage: Option<Usage>,
    /// Why the turn failed.
    pub(super) failure: Option<String>,
    /// The last warning, which is all there is when the CLI ends without a word about the turn.
    pub(super) warning: Option<String>,
}

impl Transcript {
    /// Adds an event.
    pub(super) fn add(&mut self, event: Event) {
        self.has_events = true;
        match event {
            Event::Message(text) => self.message = Some(text),
            Event::ForeignTool(item) => drop(self.foreign_tool.get_or_insert(item)),
            Event::Completed(usage) => (self.completed, self.usage) = (true, usage),
            Event::Failed(why) => self.failure = Some(why),
            Event::Warning(why) => self.warning = Some(why),
            Event::Other => {}
        }
    }
}
