//! What a journal's lines say.

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Position;
use crate::data::{ApprovalToken, CallId, CallOutcome, OutcomeStatus, Timestamp, ToolCall, Tried, Usage};

/// One line of a journal: what happened, and when.
///
/// As JSON it is one object, `{"timestamp","role","content",…}`. A line with nothing but these three and the role
/// `user` or `assistant` is whole; fields that this version does not know are ignored.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// When it happened.
    pub timestamp: Timestamp,
    /// What happened.
    pub event: Event,
}

/// What happened in a session.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Event {
    /// A person said something; it opens a turn.
    User {
        /// The message.
        content: String,
        /// Where it came from, when whoever sent it may send it again: the same key never opens two turns.
        key: Option<String>,
    },
    /// A brain answered, or asked for calls.
    Assistant {
        /// The text; may be empty when there are calls.
        content: String,
        /// The calls it asked for, with the agent's ids.
        calls: Vec<ToolCall>,
        /// Which brain.
        brain: Option<String>,
        /// Which were tried before, in vain.
        tried: Vec<Tried>,
        /// What it used.
        usage: Option<Usage>,
    },
    /// A call waits for a person's approval.
    Asked {
        /// The call.
        call: CallId,
        /// The approval's token.
        token: ApprovalToken,
        /// What the approver is shown.
        content: String,
    },
    /// An effect is about to begin: without an outcome after it, nobody knows how it ended.
    Started {
        /// The call.
        call: CallId,
        /// The approval that it runs under.
        token: Option<ApprovalToken>,
    },
    /// What came of a call.
    Tool {
        /// The call.
        call: CallId,
        /// The tool's name.
        name: String,
        /// What came of it.
        outcome: CallOutcome,
    },
    /// A verdict on a waiting call took effect; it opens a turn.
    Decided {
        /// The approval's token.
        token: ApprovalToken,
        /// The verdict.
        verdict: Verdict,
        /// The call, whole, for the line that asked for it may be far back.
        call: ToolCall,
        /// The approver's reason, or why the approval could not take effect.
        content: String,
    },
    /// The turn ended without an answer.
    Stopped {
        /// Why.
        content: String,
    },
    /// The conversation before `through` in short. The lines themselves stay.
    Summary {
        /// The summary.
        content: String,
        /// Lines that begin before this position are covered.
        through: Position,
    },
}

/// What an approver decided.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The call may run once.
    Approved,
    /// The call must not run.
    Rejected,
}

impl Event {
    /// The entry that says this happened at `timestamp`.
    pub fn at(self, timestamp: Timestamp) -> Entry {
        Entry { timestamp, event: self }
    }

    /// The role under which the journal keeps it.
    pub fn role(&self) -> &'static str {
        match self {
            Self::User { .. } => "user",
            Self::Assistant { .. } => "assistant",
            Self::Asked { .. } => "asked",
            Self::Started { .. } => "started",
            Self::Tool { .. } => "tool",
            Self::Decided { .. } => "decided",
            Self::Stopped { .. } => "stopped",
            Self::Summary { .. } => "summary",
        }
    }

    /// The text it carries.
    pub fn content(&self) -> &str {
        match self {
            Self::User { content, .. }
            | Self::Assistant { content, .. }
            | Self::Asked { content, .. }
            | Self::Decided { content, .. }
            | Self::Stopped { content }
            | Self::Summary { content, .. } => content,
            Self::Tool { outcome, .. } => &outcome.content,
            Self::Started { .. } => "",
        }
    }
}

/// The JSON object of a line, flat, so that reading it needs no second pass. `C` is text, `K` is calls.
#[derive(Serialize, Deserialize)]
struct Row<Text, Calls, Call, Id, Token, Others> {
    timestamp: Timestamp,
    role: Text,
    content: Text,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    key: Option<Text>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    calls: Option<Calls>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    brain: Option<Text>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    tried: Option<Others>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    usage: Option<Usage>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    call_id: Option<Id>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    token: Option<Token>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    name: Option<Text>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    status: Option<OutcomeStatus>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    verdict: Option<Verdict>,
    #[serde(default = "none", skip_serializing_if = "Option::is_none")]
    call: Option<Call>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    through: Option<Position>,
}

fn none<T>() -> Option<T> {
    None
}

type BorrowedRow<'a> = Row<&'a str, &'a [ToolCall], &'a ToolCall, &'a CallId, &'a ApprovalToken, &'a [Tried]>;
type OwnedRow = Row<String, Vec<ToolCall>, ToolCall, CallId, ApprovalToken, Vec<Tried>>;

impl Serialize for Entry {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut row = BorrowedRow {
            timestamp: self.timestamp,
            role: self.event.role(),
            content: self.event.content(),
            key: None,
            calls: None,
            brain: None,
            tried: None,
            usage: None,
            call_id: None,
            token: None,
            name: None,
            status: None,
            verdict: None,
            call: None,
            through: None,
        };
        match &self.event {
            Event::User { key, .. } => row.key = key.as_deref(),
            Event::Stopped { .. } => {}
            Event::Assistant { calls, brain, tried, usage, .. } => {
                row.calls = (!calls.is_empty()).then_some(calls);
                row.brain = brain.as_deref();
                row.tried = (!tried.is_empty()).then_some(tried);
                row.usage = *usage;
            }
            Event::Asked { call, token, .. } => (row.call_id, row.token) = (Some(call), Some(token)),
            Event::Started { call, token } => (row.call_id, row.token) = (Some(call), token.as_ref()),
            Event::Tool { call, name, outcome } => {
                (row.call_id, row.name, row.status) = (Some(call), Some(name.as_str()), Some(outcome.status));
            }
            Event::Decided { token, verdict, call, .. } => {
                (row.token, row.verdict, row.call) = (Some(token), Some(*verdict), Some(call));
            }
            Event::Summary { through, .. } => row.through = Some(*through),
        }
        row.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Entry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        use serde::de::Error;
        let row = OwnedRow::deserialize(deserializer)?;
        let content = row.content;
        let need = |field| D::Error::missing_field(field);
        let event = match row.role.as_str() {
            "user" => Event::User { content, key: row.key },
            "assistant" => Event::Assistant {
                content,
                calls: row.calls.unwrap_or_default(),
                brain: row.brain,
                tried: row.tried.unwrap_or_default(),
                usage: row.usage,
            },
            "asked" => Event::Asked {
                call: row.call_id.ok_or_else(|| need("call_id"))?,
                token: row.token.ok_or_else(|| need("token"))?,
                content,
            },
            "started" => Event::Started { call: row.call_id.ok_or_else(|| need("call_id"))?, token: row.token },
            "tool" => Event::Tool {
                call: row.call_id.ok_or_else(|| need("call_id"))?,
                name: row.name.ok_or_else(|| need("name"))?,
                outcome: CallOutcome { status: row.status.ok_or_else(|| need("status"))?, content },
            },
            "decided" => Event::Decided {
                token: row.token.ok_or_else(|| need("token"))?,
                verdict: row.verdict.ok_or_else(|| need("verdict"))?,
                call: row.call.ok_or_else(|| need("call"))?,
                content,
            },
            "stopped" => Event::Stopped { content },
            "summary" => Event::Summary { content, through: row.through.ok_or_else(|| need("through"))? },
            other => {
                let known = &["user", "assistant", "asked", "started", "tool", "decided", "stopped", "summary"];
                return Err(D::Error::unknown_variant(other, known));
            }
        };
        Ok(Self { timestamp: row.timestamp, event })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Answerer;
    use serde_json::json;

    #[test]
    fn every_event_round_trips() {
        let call = ToolCall { id: CallId::new("c1").unwrap(), name: "add".into(), arguments: json!({"a": 1}) };
        let token = ApprovalToken::mint([7; 16]);
        let id = call.id.clone();
        let outcome = CallOutcome { status: OutcomeStatus::Unknown, content: "?".into() };
        for event in [
            Event::User { content: "hi \"there\"\n".into(), key: Some("k".into()) },
            Event::Assistant {
                content: String::new(),
                calls: vec![call.clone()],
                brain: Some("b".into()),
                tried: vec![Tried {
                    who: Answerer { brain: "a".into(), model: "m".into(), account: None },
                    why: "down".into(),
                }],
                usage: Some(Usage::default()),
            },
            Event::Asked { call: id.clone(), token: token.clone(), content: "may I?".into() },
            Event::Started { call: id.clone(), token: None },
            Event::Tool { call: id, name: "add".into(), outcome },
            Event::Decided { token, verdict: Verdict::Rejected, call, content: "no".into() },
            Event::Stopped { content: "why".into() },
            Event::Summary { content: "short".into(), through: Position::new(9) },
        ] {
            let entry = event.at(Timestamp::from_millis(5));
            let line = serde_json::to_string(&entry).unwrap();
            assert_eq!(serde_json::from_str::<Entry>(&line).unwrap(), entry, "{line}");
        }
    }

    #[test]
    fn a_line_of_three_fields_is_whole_and_unknown_roles_are_not() {
        let line = r#"{"role":"user","content":"hi","timestamp":"2026-01-01T00:00:00.123456789+00:00"}"#;
        assert_eq!(serde_json::from_str::<Entry>(line).unwrap().event, Event::User { content: "hi".into(), key: None });
        let old = r#"{"role":"assistant","content":"hi","timestamp":"2026-01-01T00:00:00Z","brain":"b"}"#;
        let Event::Assistant { brain, tried, .. } = serde_json::from_str::<Entry>(old).unwrap().event else { panic!() };
        assert_eq!((brain.as_deref(), tried.len()), (Some("b"), 0));
        assert!(serde_json::from_str::<Entry>(&line.replace("user", "wizard")).is_err());
        assert!(serde_json::from_str::<Entry>(&line.replace("user", "started")).is_err());
    }
}
