//! Several brains as one: the next answers where one fails.
//!
//! [`FailoverBrain`] is the one retry loop of the system. It looks at the breakers, asks, waits and asks the next; who is
//! asked and when is decided by a pure function (`decide`). It holds no key, opens no connection and never repeats a
//! request that was answered. Nothing below it may repeat a request by itself, and nothing above it may wrap it in
//! another loop.

mod decide;
mod limits;
mod preview;
mod request;
mod retry_budget;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use self::request::Asking;
use self::retry_budget::RetryBudget;
use super::breaker::Breakers;
use super::{Answerer, Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas, RetryPolicy};
use crate::sys::{Clock, Entropy, SystemClock, SystemEntropy};

/// Asks brains in order until one answers.
///
/// A failure that may pass is tried again on the same member, as the policy says and while the chain's retry budget
/// lasts (ten at once, then one for ten requests); any other failure that another member may not have moves on at once.
/// A member whose breaker is open is passed over. Every member is asked, or passed over for a reason, before
/// [`BrainError::AllFailed`] lists them all; a chain of one gives that one's own error. All attempts share the request's
/// deadline, and an attempt leaves time for the members after it. Text that an attempt has shown is voided by
/// [`Delta::Restarted`](super::Delta::Restarted) when the next one begins.
///
/// A completion says who gave it (`by`), who failed before (`tried`), and how many requests were made (`attempts`).
///
/// Where every breaker is open, a request of a person is made once all the same, to a member that is down by our own
/// judgement; what a provider asked for itself is kept to. Other requests wait for the first breaker to lapse, up to a
/// minute and within their deadline.
///
/// Dropping a request stops it; a probe that it was is given up by the breaker after its lease.
pub struct FailoverBrain {
    info: BrainInfo,
    members: Vec<Member>,
    policy: RetryPolicy,
    breakers: Breakers,
    budget: RetryBudget,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

#[derive(Debug)]
struct Member {
    brain: Arc<dyn Brain>,
    who: Answerer,
}

impl FailoverBrain {
    /// A chain that asks `first`, with breakers that end with the process. More members come with
    /// [`then`](Self::then).
    pub fn new(first: impl Brain, policy: RetryPolicy) -> Self {
        let first: Arc<dyn Brain> = Arc::new(first);
        Self {
            info: first.info().clone(),
            members: vec![Member { who: first.info().answerer(), brain: first }],
            policy,
            breakers: Breakers::in_memory(),
            budget: RetryBudget::full(),
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }

    /// The same chain with one more member, asked when those before it fail.
    ///
    /// The chain's name and model stay those of its first member. Its context is the smallest of the members that are
    /// not free, so that a prompt made for the chain fits whoever answers it; it is free when all are.
    #[must_use]
    pub fn then(mut self, next: impl Brain) -> Self {
        let brain: Arc<dyn Brain> = Arc::new(next);
        self.members.push(Member { who: brain.info().answerer(), brain });
        let infos = || self.members.iter().map(|member| member.brain.info());
        let paid = infos().filter(|info| !info.free).map(|info| info.context_tokens).min();
        let smallest = paid.or_else(|| infos().map(|info| info.context_tokens).min());
        let free = infos().all(|info| info.free);
        self.info = BrainInfo { context_tokens: smallest.unwrap_or(self.info.context_tokens), free, ..self.info };
        self
    }

    /// The same chain with breakers that it shares.
    #[must_use]
    pub fn with_breakers(mut self, breakers: Breakers) -> Self {
        self.breakers = breakers;
        self
    }

    /// The same chain with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same chain with another source of randomness.
    #[must_use]
    pub fn with_entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }
}

#[async_trait]
impl Brain for FailoverBrain {
    fn info(&self) -> &BrainInfo {
        &self.info
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        self.budget.request();
        Asking::new(self, request, deltas).run().await
    }
}

impl fmt::Debug for FailoverBrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FailoverBrain")
            .field("members", &self.members)
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
