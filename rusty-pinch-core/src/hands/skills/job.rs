//! One run of a skill: what goes into the sandbox, what it may ask for, and what comes out.

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::data::{Timestamp, ToolName};

/// A script that goes into the sandbox once.
#[derive(Clone, Debug)]
pub(crate) struct SkillJob {
    /// The skill.
    pub(crate) skill: ToolName,
    /// Its script, the bytes that were checked.
    pub(crate) source: Arc<str>,
    /// What is done with it.
    pub(crate) work: SkillWork,
    /// When it is stopped.
    pub(crate) deadline: Timestamp,
}

/// What is done with a script.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum SkillWork {
    /// It is read and not run. The output is its [`ScriptShape`](super::ScriptShape) as JSON.
    Check,
    /// It is run.
    Run {
        /// The arguments as one text, which `main(args)` gets; without any, `main()` is called.
        text: String,
        /// The arguments by name, which `args()` gives.
        named: Map<String, Value>,
    },
}

/// What a script asks its host for. Nothing else leaves the sandbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "call", rename_all = "snake_case")]
pub(crate) enum HostCall {
    /// Notes a line in the log.
    Log {
        /// The line.
        text: String,
    },
    /// The present instant, RFC 3339.
    TimeNow,
    /// A request through the egress. The reply is the body as text.
    Http {
        /// `GET` or `POST`.
        method: String,
        /// What.
        url: String,
        /// The body of a `POST`.
        body: String,
    },
    /// What the skill kept under a key; null when there is nothing.
    StateGet {
        /// The key.
        key: String,
    },
    /// Keeps a value under a key; null takes it away.
    StateSet {
        /// The key.
        key: String,
        /// The value.
        value: Value,
    },
    /// Calls another tool. The reply is its output.
    Tool {
        /// The tool.
        name: String,
        /// Its arguments.
        arguments: Value,
    },
}

/// What the host replies: a value, or why there is none, which the script can catch.
pub(crate) type HostReply = Result<Value, String>;

/// Does for a script what it is granted, and refuses the rest. Every call is checked, bounded and recorded here.
#[async_trait]
pub(crate) trait SkillHost: Debug + Send + Sync {
    /// Answers one call.
    async fn call(&self, call: HostCall) -> HostReply;
}

/// What a script came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SkillOutput {
    /// What `main` returned: nothing as an empty text, text as it is, everything else as JSON.
    pub(crate) text: String,
    /// What it printed.
    pub(crate) printed: Vec<String>,
}

/// Why a skill gave no output. `at` is where in its script, as line and column, where that is known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkillError {
    /// The script is no script.
    #[error("the skill `{skill}` can't be read{}: {why}", place(at))]
    Syntax {
        /// The skill.
        skill: ToolName,
        /// Line and column, from 1.
        at: Option<(usize, usize)>,
        /// What is wrong.
        why: String,
    },
    /// The script failed while it ran.
    #[error("the skill `{skill}` failed{}: {why}", place(at))]
    Failed {
        /// The skill.
        skill: ToolName,
        /// Line and column, from 1.
        at: Option<(usize, usize)>,
        /// Why.
        why: String,
    },
    /// The script went over a bound and was stopped.
    #[error("the skill `{skill}` was stopped{}: it went over {bound}", place(at))]
    OverBound {
        /// The skill.
        skill: ToolName,
        /// Line and column, from 1.
        at: Option<(usize, usize)>,
        /// Which bound, with its figure.
        bound: String,
    },
    /// The sandbox could not be set up, or broke.
    #[error("the sandbox of the skill `{skill}` failed: {why}; {fix}")]
    Sandbox {
        /// The skill.
        skill: ToolName,
        /// Why.
        why: String,
        /// What to do about it.
        fix: String,
    },
}

fn place(at: &Option<(usize, usize)>) -> String {
    at.map_or_else(String::new, |(line, column)| format!(" at line {line}, column {column}"))
}
