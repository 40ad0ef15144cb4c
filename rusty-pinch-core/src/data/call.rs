//! A tool call and what came of it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::CallId;

/// A call of a tool, as a brain or a person asked for it.
///
/// `name` and `arguments` are as they came: whether such a tool exists and the arguments fit is for the hands to say.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The agent's own id, unique in the session.
    pub id: CallId,
    /// The tool's name.
    pub name: String,
    /// The arguments: an object, or whatever else a model sent.
    pub arguments: Value,
}

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum OutcomeStatus {
    /// It did what it says.
    Ok,
    /// It failed in a way that the model can read and correct.
    Failed,
    /// It began and nobody knows how it ended.
    Unknown,
    /// Policy or a person refused it; it did not run.
    Refused,
    /// It did not run because the turn stopped or waits before it.
    Skipped,
}

/// What came of a call, as the journal keeps it and the model reads it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CallOutcome {
    /// How it ended.
    pub status: OutcomeStatus,
    /// The tool's output, or why there is none.
    pub content: String,
}

impl CallOutcome {
    /// It did what it says.
    pub fn ok(content: impl Into<String>) -> Self {
        Self { status: OutcomeStatus::Ok, content: content.into() }
    }

    /// It failed in a way that the model can correct.
    pub fn failed(content: impl Into<String>) -> Self {
        Self { status: OutcomeStatus::Failed, content: content.into() }
    }
}
