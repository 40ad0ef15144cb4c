//! The brain thinks: one prompt in, one completion out.
//!
//! A brain holds no conversation and causes no effect but its request. Trying again, and asking another, is
//! `FailoverBrain`'s business, remembering is the store's, and acting is the hands'.

mod breaker;
mod budget;
#[cfg(feature = "codex")]
mod codex;
mod deltas;
mod error;
mod failover;
#[cfg(feature = "http")]
mod http;
mod local;
mod retry;
pub(crate) mod settings;
mod timed;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use crate::data::{Answerer, Tried};
use crate::data::{Message, Timestamp, Usage};
use crate::hands::ToolSpec;
use crate::store::TurnId;

pub use breaker::{Breaker, BreakerPolicy, Breakers, Permit};
pub use budget::*;
#[cfg(feature = "codex")]
pub use codex::*;
pub use deltas::{Delta, Deltas};
pub use error::{BrainError, ErrorClass, Exhausted};
pub use failover::FailoverBrain;
#[cfg(feature = "http")]
pub use http::*;
pub use local::LocalBrain;
pub use retry::{ATTEMPTS_MAX, RetryPolicy};
pub use settings::{
    ACCOUNT_ID_BYTES_MAX, BrainSettings, BudgetSettings, CODEX_ACCOUNTS_MAX, CodexAccountSettings, CodexLoginSeed,
    CodexSettings, CodexTransport, Endpoint, Provider,
};
pub use timed::TimedBrain;

/// Thinks: answers a prompt, or asks for tools to be called.
///
/// # Contract
/// - **One attempt.** No memory between requests and no hidden retry.
/// - **The completion is the truth**, deltas are a preview. Losing every delta loses nothing.
/// - **Calls come back whole or not at all.** A stream that was cut, or whose end is in doubt, is an error.
/// - **The deadline** of the request is absolute; the brain gives up with [`BrainError::DeadlineExceeded`] by then. One
///   that asked several gives up with an [`BrainError::AllFailed`] of [`ErrorClass::Never`], which names them.
/// - **Dropping** the future stops the work within 100 ms, child processes included.
/// - Every answer has a bound, in bytes and in time; no reply of a server can make it panic or hang.
#[async_trait]
pub trait Brain: Debug + Send + Sync + 'static {
    /// What this brain is.
    fn info(&self) -> &BrainInfo;
    /// Answers `request`, previewing text through `deltas`.
    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError>;
}

#[async_trait]
impl<T: Brain + ?Sized> Brain for Arc<T> {
    fn info(&self) -> &BrainInfo {
        (**self).info()
    }
    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        (**self).complete(request, deltas).await
    }
}

/// What a brain is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct BrainInfo {
    /// The provider, such as `local`, `codex` or `openrouter`.
    pub name: String,
    /// The model.
    pub model: String,
    /// How many tokens fit into prompt and answer together.
    pub context_tokens: usize,
    /// Asking again costs nothing and gives the same answer.
    pub free: bool,
}

/// Who waits for the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Lane {
    /// A person.
    #[default]
    Interactive,
    /// Nobody: it may queue.
    Background,
}

/// One prompt.
#[derive(Clone, Debug, Serialize)]
pub struct CompletionRequest {
    /// The conversation, system text first.
    pub messages: Vec<Message>,
    /// The tools that may be called.
    pub tools: Arc<[ToolSpec]>,
    /// When the caller stops waiting.
    pub deadline: Timestamp,
    /// Who waits.
    pub lane: Lane,
    /// The turn that it is for, where it is for one; caps on spending are counted by it.
    pub turn: Option<TurnId>,
}

/// An answer, or calls, or both.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The text; may be empty when there are calls.
    pub content: String,
    /// The calls, in the order they were asked for.
    pub calls: Vec<ProposedCall>,
    /// What it used, when the provider says.
    pub usage: Option<Usage>,
    /// How many requests were made for it: 0 when nothing left the process, 1 for an attempt that succeeded at once.
    pub attempts: u32,
    /// Who gave it, where several could have; none means the brain that was asked.
    pub by: Option<Answerer>,
    /// Who was tried before, in order, and why each gave none.
    pub tried: Vec<Tried>,
}

impl BrainInfo {
    /// The brain by its name and model, without an account.
    pub fn answerer(&self) -> Answerer {
        Answerer { brain: self.name.clone(), model: self.model.clone(), account: None }
    }
}

impl Completion {
    /// A plain answer that took no request.
    pub fn text(content: impl Into<String>) -> Self {
        Self { content: content.into(), ..Self::default() }
    }

    /// One call that took no request.
    pub fn call(name: impl Into<String>, arguments: Value) -> Self {
        Self { calls: vec![ProposedCall { name: name.into(), arguments }], ..Self::default() }
    }
}

/// A call that a brain asks for. It has no id: the agent mints those.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProposedCall {
    /// The tool's name, as the model wrote it.
    pub name: String,
    /// The arguments; text that is not JSON comes as a JSON string, which no tool takes, so that the model can mend it.
    pub arguments: Value,
}
