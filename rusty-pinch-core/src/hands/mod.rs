//! The hands act: tools that a brain or a person may call.
//!
//! Hands say what they can do, judge one call without doing it, and do it. Whether a call may run is not theirs to say:
//! that is the agent's policy, a pure function of what is here.

mod bounds;
pub mod builtin;
mod combined;
mod command;
pub(crate) mod egress;
mod error;
mod schema;
pub(crate) mod skill_settings;
#[cfg(feature = "skills")]
pub(crate) mod skills;
mod text;
mod tool;
mod toolbox;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::data::{CallOutcome, SessionId, Sha256Digest, Timestamp, ToolCall, ToolName};

pub use bounds::{COMMAND_ARGS_CHARS_MAX, SUMMARY_BYTES_MAX, TOOL_OUTPUT_BYTES_MAX};
pub use combined::CombinedHands;
pub(crate) use command::value_of;
pub use command::{CommandError, ToolCommand};
pub use egress::{
    Egress, EgressError, EgressSettings, FETCH_BYTES_MAX, FETCH_TIME_MAX, Fetch, FetchMethod, Fetched, OpenedTarget,
    OpenedTargetError,
};
#[cfg(feature = "http")]
pub use egress::{EgressRules, HttpEgress, HttpEgressBuilder, Resolve, SystemResolve, Target};
pub use error::HandsError;
pub(crate) use schema::{misfit as argument_misfit, required as required_parameters, types as schema_types};
pub use skill_settings::SkillSettings;
#[cfg(feature = "skills")]
pub use skills::{
    ArgumentKind, CaseResult, DryRun, DryRunError, HostRecord, LibraryError, Manifest, ManifestError, ManifestFault,
    SANDBOX_MEMORY_BYTES_MAX, SCRIPT_BYTES_MAX, SKILL_CHILD_VERB, SKILL_TIME_MAX, SKILLS_MAX, STARTER_SKILLS,
    STATE_BYTES_MAX, Sandbox, SandboxCommand, SandboxError, SandboxReport, ScriptLint, ScriptShape, Skill,
    SkillArgument, SkillError, SkillFault, SkillFile, SkillHosts, SkillLibrary, SkillScan, Skills, StarterSkill,
    check_script, dry_run, examine_skill, skill_child_main, skill_template,
};
#[cfg(all(feature = "skills", any(test, feature = "testing")))]
pub(crate) use skills::{HostCall, HostReply, SkillHost, SkillJob, SkillSandbox, SkillWork, hear_child, run_briefly};
#[cfg(feature = "skills")]
pub(crate) use skills::{SkillContext, SkillHands, SkillPolicy};
pub(crate) use text::floor_char_boundary;
pub use tool::{Tool, ToolBuilder, ToolContext, ToolDraft, ToolError};
pub(crate) use toolbox::unknown_tool;
pub use toolbox::{Toolbox, ToolboxError};

/// Acts: lists tools, assesses a call, runs it.
///
/// # Contract
/// - **`tools`** is a snapshot: cheap, in a stable order, and touches no disk.
/// - **`assess`** has no effect. Its summary is built from the bytes that will run, it can only raise the risk of the
///   tool's spec, and `bound` names every content that an approval must hold fast.
/// - **`invoke`** runs the call once. It refuses with [`HandsError::NotStarted`] when a content in
///   `invocation.bound` no longer has its digest. A failure that the model can correct (an unknown tool, arguments that
///   don't fit) is an outcome, not an error.
/// - [`HandsError::NotStarted`] promises that nothing happened; [`HandsError::Lost`] promises nothing.
/// - A `ReadOnly` or `Idempotent` tool may be invoked again with the same key, also by another process.
/// - Dropping the future stops the work where it can be stopped, child processes included.
#[async_trait]
pub trait Hands: Debug + Send + Sync + 'static {
    /// The tools, in a stable order.
    fn tools(&self) -> Arc<[ToolSpec]>;
    /// Judges a call without running it.
    async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError>;
    /// Runs a call.
    async fn invoke(&self, invocation: &Invocation) -> Result<CallOutcome, HandsError>;
}

#[async_trait]
impl<T: Hands + ?Sized> Hands for Arc<T> {
    fn tools(&self) -> Arc<[ToolSpec]> {
        (**self).tools()
    }
    async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError> {
        (**self).assess(call).await
    }
    async fn invoke(&self, invocation: &Invocation) -> Result<CallOutcome, HandsError> {
        (**self).invoke(invocation).await
    }
}

/// Looks again at what tools there are.
///
/// # Contract
/// The agent calls it at the start of each turn, so it costs little when nothing changed; it can't fail a turn, and what
/// [`Hands::tools`] gives changes at no other time.
#[async_trait]
pub trait Refresh: Debug + Send + Sync + 'static {
    /// Looks again.
    async fn refresh(&self);
    /// Why there is no skill `name`, where more is known than that there is none.
    fn missing_skill(&self, name: &ToolName) -> Option<String>;
}

/// What a tool is to the person who names it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ToolKind {
    /// A tool: `/tool <name>`.
    #[default]
    Tool,
    /// A skill: `/skill <name>`, and `/tool <name>` too.
    Skill,
}

/// Whose words a tool's output is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Material {
    /// The program's own, or its owner's.
    #[default]
    Own,
    /// Perhaps somebody else's: a page of the web, a file, mail. Calls that a model makes after it has read such a text
    /// may not be what the owner wants.
    Foreign,
}

/// What happens when a call runs twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Repeat {
    /// Nothing: it only reads.
    ReadOnly,
    /// The same as when it runs once with the same key.
    Idempotent,
    /// Something else: it must not happen twice.
    Once,
}

/// How much harm a call can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Risk {
    /// None worth asking about.
    Low,
    /// Little, and easily undone.
    Medium,
    /// Hard to undo: mail, deployments, deletions.
    High,
    /// Money, safety, or the system itself.
    Critical,
}

impl Risk {
    /// Its name, in lower case.
    pub fn name(self) -> &'static str {
        match self {
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// What a tool is, as brains, people and the policy see it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolSpec {
    /// Its name.
    pub name: ToolName,
    /// What it does, in one sentence.
    pub description: String,
    /// A JSON Schema of its arguments, whose type is `object`.
    pub parameters: Value,
    /// The order in which `/tool <name> [args]` fills the parameters; the last takes the rest of the text.
    pub positional: Vec<String>,
    /// What happens when it runs twice.
    pub repeat: Repeat,
    /// How much harm it can do, before its arguments are looked at.
    pub risk: Risk,
    /// Sentences that ask for it, each with the arguments that they mean.
    pub examples: Vec<ToolExample>,
    /// What it is to the person who names it.
    #[serde(default)]
    pub kind: ToolKind,
    /// Whose words its output is.
    #[serde(default)]
    pub output: Material,
}

impl ToolSpec {
    /// How a person calls it: `/tool <name>` or `/skill <name>` with its parameters, those that may be left out in brackets.
    pub fn usage(&self) -> String {
        let required = self.parameters.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|n| n.as_str() == Some(name)));
        self.positional.iter().fold(format!("/{} {}", self.kind.name(), self.name), |usage, name| {
            if is_required(name) { format!("{usage} <{name}>") } else { format!("{usage} [{name}]") }
        })
    }
}

/// A sentence that asks for a tool, and the arguments that it means.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ToolExample {
    /// What a person says.
    pub message: String,
    /// The call's arguments, an object. A value that stands in the message tells where to find it in other messages.
    pub arguments: Value,
}

/// What a call would do, judged without doing it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Assessment {
    /// How much harm this call can do; never less than its tool's.
    pub risk: Risk,
    /// What an approver is shown, built from the bytes that will run.
    pub summary: String,
    /// Contents outside the call that decide what it does.
    pub bound: Vec<Bound>,
    /// The tool that it really runs, where that is another than the call names. The operator's lists hold for both, but only
    /// this one's own name allows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stands_for: Option<ToolName>,
}

/// A content that an approval holds fast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bound {
    /// What it is, such as a file's path.
    pub what: String,
    /// The digest that it had when the call was assessed.
    pub sha256: Sha256Digest,
}

/// A call that is to run now.
#[derive(Clone, Debug, PartialEq)]
pub struct Invocation {
    /// The session it belongs to.
    pub session: SessionId,
    /// The call. Session and call id together are the idempotency key.
    pub call: ToolCall,
    /// The contents that it was allowed with.
    pub bound: Vec<Bound>,
    /// When the caller stops waiting.
    pub deadline: Timestamp,
}
