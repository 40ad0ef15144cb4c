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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(lines: &str) -> Transcript {
        let mut transcript = Transcript::default();
        lines.lines().filter_map(|line| parse(line.as_bytes())).for_each(|event| transcript.add(event));
        transcript
    }

    #[test]
    fn warnings_of_a_run_that_went_well_are_no_failure() {
        let transcript = read(
            r#"{"type":"thread.started","thread_id":"01a1"}
{"type":"item.completed","item":{"id":"item_0","type":"error","message":"Model metadata not found"}}
{"type":"turn.started"}
{"type":"error","message":"Reconnecting... 1/5"}
{"type":"item.started","item":{"id":"item_1","type":"todo_list","items":[]}}
{"type":"item.completed","item":{"id":"item_2","type":"reasoning","text":"hm"}}
{"type":"item.completed","item":{"id":"item_3","type":"agent_message","text":"first thoughts"}}
{"type":"item.completed","item":{"id":"item_4","type":"agent_message","text":"pong","new_field":{"a":[]}}}
{"type":"turn.completed","usage":{"input_tokens":11,"cached_input_tokens":3,"output_tokens":7}}"#,
        );
        let expected = Transcript {
            has_events: true,
            message: Some("pong".into()),
            completed: true,
            usage: Some(Usage { input_tokens: 11, output_tokens: 7 }),
            warning: Some("Reconnecting... 1/5".into()),
            ..Transcript::default()
        };
        assert_eq!(transcript, expected);
    }

    #[test]
    fn every_item_that_is_not_thinking_is_a_foreign_tool_unknown_ones_too() {
        for item in ["command_execution", "file_change", "mcp_tool_call", "web_search", "collab_tool_call", "new", ""] {
            for kind in ["item.started", "item.updated", "item.completed"] {
                let line = format!(r#"{{"type":"{kind}","item":{{"type":"{item}"}}}}"#);
                assert_eq!(parse(line.as_bytes()), Some(Event::ForeignTool(item.into())), "{line}");
            }
        }
    }

    #[test]
    fn a_failed_turn_says_why() {
        let transcript = read(r#"{"type":"turn.failed","error":{"message":"Quota exceeded."}}"#);
        assert_eq!((transcript.failure.as_deref(), transcript.completed), (Some("Quota exceeded."), false));
    }

    #[test]
    fn other_lines_are_no_events() {
        for line in ["", "hello", "{}", "[]", "7", r#"{"type":7}"#, r#"{"type":"greeting"}"#, r#"{"type":"item"#] {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
        assert_eq!(parse(br#"{"type":"turn.something_new"}"#), Some(Event::Other));
    }

    proptest! {
        #[test]
        fn no_line_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }

        #[test]
        fn no_event_of_odd_shape_panics(
            kind in "(turn|item|thread|error)(\\.(completed|failed|started))?",
            field in "(item|error|usage|message)",
            value in "(null|7|\"x\"|\\[\\]|\\{\\}|\\{\"type\":7\\}|\\{\"type\":\"agent_message\",\"text\":[1]\\}|-1e999)",
        ) {
            let mut transcript = Transcript::default();
            if let Some(event) = parse(format!(r#"{{"type":"{kind}","{field}":{value}}}"#).as_bytes()) {
                transcript.add(event);
            }
        }
    }
}
