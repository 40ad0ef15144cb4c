//! The agent: one turn from a message to a reply, over the journal of a session.
//!
//! It reads the journal, decides with pure functions ([`next_step`], [`policy`], [`loop_guard`], [`prompt`]), makes one
//! effect at a time through the traits, and appends what happened. It holds no state of a session between turns: a
//! process may die at any moment, and another goes on from the journal. `docs/ARCHITECTURE.md` has the ordering rules.

mod act;
mod approval;
mod builder;
mod compact;
mod history;
mod limits;
mod loop_guard;
mod next_step;
mod origin;
mod policy;
mod prompt;
mod record;
mod render;
mod reply;
pub(crate) mod settings;
mod tape;
mod think;
mod turn;

use std::sync::Arc;

use crate::brain::{Brain, BrainInfo};
use crate::data::{ApprovalToken, IdError, SessionId};
use crate::hands::{Hands, Refresh, ToolSpec};
use crate::store::{Revision, Store, StoreError, Verdict};
use crate::sys::{Clock, Entropy};
use crate::telemetry::TurnObserver;

pub use approval::{Approval, ApprovalError, Decision};
pub use builder::AgentBuilder;
pub use limits::Limits;
pub use policy::{CallOrigin, Grants, Judgement, judge};
pub use prompt::PromptCacheStats;
pub use reply::{MessageError, Reply, TurnError, TurnReport, check_message};
pub use turn::Turn;

use turn::Work;

/// Answers messages: a brain, hands and a store, with the loop that joins them.
///
/// Clones are one agent. Turns of one session run one after the other, also across processes on one store; turns of
/// different sessions run side by side.
#[derive(Clone, Debug)]
pub struct Agent {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    brain: Arc<dyn Brain>,
    hands: Arc<dyn Hands>,
    refreshed: Vec<Arc<dyn Refresh>>,
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    observer: Option<Arc<dyn TurnObserver>>,
    prompt: prompt::PromptBuilder,
    provider_reason: Option<String>,
    grants: Grants,
    limits: Limits,
}

impl Parts {
    async fn refresh(&self) {
        for hands in &self.refreshed {
            hands.refresh().await;
        }
    }
}

impl Agent {
    /// An agent that keeps everything in memory and has the built-in tools.
    pub fn new(brain: impl Brain) -> Self {
        Self::builder(brain).build()
    }

    /// Begins an agent whose other parts are to be chosen.
    pub fn builder(brain: impl Brain) -> AgentBuilder {
        AgentBuilder::new(Arc::new(brain))
    }

    /// Answers `message` in `session`.
    pub fn turn<S>(&self, session: S, message: impl Into<String>) -> Turn
    where
        S: TryInto<SessionId, Error: Into<IdError>>,
    {
        let session = session.try_into().map_err(Into::into);
        Turn::new(self.clone(), Work::Message { session, text: message.into(), origin: None })
    }

    /// Finishes whatever `session`'s journal says is unfinished; [`Reply::Idle`] where nothing is.
    pub fn resume<S>(&self, session: S) -> Turn
    where
        S: TryInto<SessionId, Error: Into<IdError>>,
    {
        Turn::new(self.clone(), Work::Resume { session: session.try_into().map_err(Into::into) })
    }

    /// Allows a waiting call to run once; [`settle`](Self::settle) then runs it. Of any number of callers, one succeeds.
    ///
    /// # Errors
    /// [`ApprovalError`] when there is no such approval, its time is over, or it was decided before.
    pub async fn approve(&self, token: &ApprovalToken) -> Result<Approval, ApprovalError> {
        self.decide(token, Verdict::Approved, String::new()).await
    }

    /// Refuses a waiting call; [`settle`](Self::settle) then tells the brain.
    ///
    /// # Errors
    /// As [`approve`](Self::approve).
    pub async fn reject(&self, token: &ApprovalToken, reason: impl Into<String>) -> Result<Approval, ApprovalError> {
        self.decide(token, Verdict::Rejected, reason.into()).await
    }

    /// Carries out the verdict on an approval and goes on with its session. Safe to repeat: it happens once, and the
    /// reply is given again.
    pub fn settle(&self, token: &ApprovalToken) -> Turn {
        Turn::new(self.clone(), Work::Settle { token: token.clone() })
    }

    /// The approvals that wait for a person, oldest first.
    ///
    /// # Errors
    /// [`StoreError`] when they can't be read.
    pub async fn approvals(&self) -> Result<Vec<Approval>, StoreError> {
        approval::pending(&*self.parts.store, self.parts.clock.now()).await
    }

    /// Looks again at what tools there are, as each turn does at its start.
    pub async fn refresh(&self) {
        self.parts.refresh().await;
    }

    /// The tools that the brain may call, as they were when they were last looked at.
    pub fn tools(&self) -> Arc<[ToolSpec]> {
        self.parts.hands.tools()
    }

    /// What thinks.
    pub fn brain(&self) -> &BrainInfo {
        self.parts.brain.info()
    }

    /// Where everything is kept.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }

    /// How often the static part of a prompt was at hand.
    pub fn prompt_cache(&self) -> PromptCacheStats {
        self.parts.prompt.stats()
    }

    async fn decide(&self, token: &ApprovalToken, verdict: Verdict, reason: String) -> Result<Approval, ApprovalError> {
        let decision = Decision { verdict, at: self.parts.clock.now(), reason };
        approval::decide(&*self.parts.store, token, decision).await
    }

    pub(crate) fn clock(&self) -> &Arc<dyn Clock> {
        &self.parts.clock
    }

    pub(crate) async fn approvals_waiting(&self) -> Result<Vec<(Approval, Revision)>, StoreError> {
        approval::waiting(&*self.parts.store).await
    }

    pub(crate) async fn approvals_to_settle(&self) -> Result<Vec<ApprovalToken>, StoreError> {
        approval::to_settle(&*self.parts.store).await
    }

    pub(crate) async fn expire(&self, approval: &Approval, seen: Revision) -> Result<(), StoreError> {
        approval::expire(&*self.parts.store, approval, seen).await
    }
}
