//! An embeddable agent runtime: a brain that thinks, hands that act, a store that remembers, a channel that talks, and a
//! pulse that decides by itself. Each is a trait with a default; [`Agent`] joins them into turns.
//!
//! ```
//! use rusty_pinch_core::{Agent, LocalBrain};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let agent = Agent::new(LocalBrain::default());
//! let reply = agent.turn("demo", "what is 17 * 23?").await?;
//! assert!(reply.to_string().contains("391"));
//! # Ok(())
//! # }
//! ```
//!
//! What it owns: the loop of a turn, its journal, and the order in which things become durable. What it never does:
//! print, read arguments, or look at the environment or a home directory outside [`config`].
//!
//! # Features
//! - `http` (default): [`HttpBrain`], OpenAI-compatible, and [`HttpEgress`] with the tool `web_fetch`.
//! - `sqlite` (default): [`LocalStore`], the store on disk.
//! - `codex` (default): [`CodexBrain`].
//! - `skills` (default): Rhai scripts as tools, in a sandbox.
//! - `spawn`: the door to child processes, which the two before bring.
//! - `testing`: fakes, a virtual clock, fault plans and conformance suites.
#![cfg_attr(docsrs, feature(doc_cfg))]
#![warn(clippy::print_stdout, clippy::print_stderr)]

mod agent;
mod brain;
mod causes;
mod channel;
pub mod config;
mod data;
mod hands;
mod pulse;
mod store;
mod sys;
mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use agent::{
    Agent, AgentBuilder, Approval, ApprovalError, CallOrigin, Decision, Grants, Judgement, Limits, MessageError,
    PromptCacheStats, Reply, Turn, TurnError, TurnReport, check_message, judge,
};
pub use brain::{
    ACCOUNT_ID_BYTES_MAX, ANSWER_TOKENS, ATTEMPTS_MAX, Answerer, Billing, Brain, BrainError, BrainInfo, BrainSettings,
    Breaker, BreakerPolicy, Breakers, Budget, BudgetBrain, BudgetConfig, BudgetReport, BudgetSettings,
    CODEX_ACCOUNTS_MAX, CapLimit, CapScope, CapStatus, CapUnit, Caps, CodexAccountSettings, CodexLoginSeed,
    CodexSettings, CodexTransport, Completion, CompletionRequest, Delta, Deltas, Endpoint, ErrorClass, Exceeded,
    Exhausted, FailoverBrain, Lane, LaneSpend, LedgerError, LocalBrain, ModelSpend, Money, MoneyError, Permit, Price,
    Prices, PricesError, Pricing, ProposedCall, Provider, RetryPolicy, TimedBrain, Tried,
};
#[cfg(feature = "codex")]
pub use brain::{
    AccountId, AccountIdError, AccountStatus, CODEX_CONTEXT_TOKENS, CODEX_HEALTHCHECK_ARGUMENTS, CODEX_IDLE_TIMEOUT,
    CODEX_MODEL_FLAG, CodexAccount, CodexAppServerBrain, CodexBrain, CodexConfig, CodexEnvironment, CodexInvocation,
    CodexLogin, CodexPool, CodexStatus, CodexTask, CodexWork, CodexWorkConfig, FinishedTask, HealthReport, OpenTask,
    OwnInvocation, PoolDecision, PoolPolicy, PoolStatus, QueueError, QueueReason, QuotaGauge, QuotaReading,
    QuotaWindow, Submitted, TASK_ATTEMPTS_MAX, TASK_OUTPUT_BYTES_MAX, TASK_PROMPT_BYTES_MAX, TASK_PURPOSE_CHARS_MAX,
    TASK_RESULTS_KEPT, TaskEnding, WorkError, Worked, codex_brain, codex_login, codex_login_of, find_codex,
};
#[cfg(feature = "http")]
pub use brain::{
    CONNECT_TIMEOUT, CONTEXT_TOKENS_UNKNOWN, HttpBrain, HttpBrainConfig, HttpPreset, IDLE_TIMEOUT, RESPONSE_BYTES_MAX,
};
pub use channel::{
    Channel, ChannelError, ChannelInfo, ChannelWorker, Delivery, Inbound, InboundId, LoopbackChannel, LoopbackPeer,
    Outbound, Parked, ParkedItem, SayError, WorkerError,
};
pub use config::{Settings, SettingsError, SettingsProblem, Vars};
pub use data::{
    ApprovalToken, CallId, CallOutcome, IdError, Message, OutcomeStatus, RequestId, SESSION_ID_BYTES_MAX, Secret,
    SessionId, Sha256Digest, TOOL_NAME_BYTES_MAX, Timestamp, TimestampError, ToolCall, ToolName, Usage, canonical_json,
    estimate_tokens,
};
#[cfg(feature = "skills")]
pub use hands::{
    ArgumentKind, CaseResult, DryRun, DryRunError, HostRecord, LibraryError, Manifest, ManifestError, ManifestFault,
    SANDBOX_MEMORY_BYTES_MAX, SCRIPT_BYTES_MAX, SKILL_CHILD_VERB, SKILL_TIME_MAX, SKILLS_MAX, STARTER_SKILLS,
    STATE_BYTES_MAX, Sandbox, SandboxCommand, SandboxError, SandboxReport, ScriptLint, ScriptShape, Skill,
    SkillArgument, SkillError, SkillFault, SkillFile, SkillHosts, SkillLibrary, SkillScan, Skills, StarterSkill,
    check_script, dry_run, examine_skill, skill_child_main, skill_template,
};
pub use hands::{
    Assessment, Bound, COMMAND_ARGS_CHARS_MAX, CombinedHands, CommandError, Egress, EgressError, EgressSettings,
    FETCH_BYTES_MAX, FETCH_TIME_MAX, Fetch, FetchMethod, Fetched, Hands, HandsError, Invocation, Material,
    OpenedTarget, OpenedTargetError, Refresh, Repeat, Risk, SUMMARY_BYTES_MAX, SkillSettings, TOOL_OUTPUT_BYTES_MAX,
    Tool, ToolBuilder, ToolCommand, ToolContext, ToolDraft, ToolError, ToolExample, ToolKind, ToolSpec, Toolbox,
    ToolboxError, builtin,
};
#[cfg(feature = "http")]
pub use hands::{EgressRules, HttpEgress, HttpEgressBuilder, Resolve, SystemResolve, Target};
pub use pulse::{
    AccountCheck, Action, ActionDone, OodaPulse, Plan, Pulse, PulseError, PulseReport, PulseRunner, QueuedTask,
    Situation, WaitingApproval,
};
pub use store::{
    Change, Entry, Event, Guard, JournalId, Key, KeyRange, Line, Located, LockName, MemoryStore, Page, Position,
    Precondition, Record, Revision, Span, Store, StoreError, StoreSettings, TurnId, Verdict,
};
#[cfg(feature = "sqlite")]
pub use store::{JournalSurvey, LocalStore};
#[cfg(feature = "spawn")]
pub use sys::{
    Captured, Command, Ending, Exit, Input, InputClosed, InputWriter, Lines, OutputLimits, OutputLine, Spawn,
    SpawnError, SystemSpawn,
};
pub use sys::{Clock, Entropy, SystemClock, SystemEntropy};
pub use telemetry::{
    CountingObserver, PromptCache, Redactor, Snapshot, TelemetryError, TelemetryFile, TelemetrySettings, TurnObserver,
    TurnPath, TurnRecord, TurnStatus,
};

/// The code of the README, compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../../README.md")]
struct Readme;
