//! Budgets: what may be spent, what was, and a brain that keeps to it.
//!
//! Every call to a brain that is not free is counted in the store, by day, session and turn. Where a cap is set, the call
//! is checked before it is made: what is spent, what is reserved for calls under way in any process, and what the call
//! is expected to take must fit under the cap together. The reservation is durable before the call, and is replaced by
//! what the call took after it. A process that dies in between leaves its reservation behind; it counts as spent, for
//! nobody knows whether the provider bills it.
//!
//! The decision is pure ([`Caps`], `book`); the `ledger` makes it durable. Nothing here tries anything again: the loop
//! around it does, and each of its attempts is checked and counted by itself.

mod book;
mod bounds;
mod caps;
mod day;
mod estimate;
mod ledger;
mod money;
mod prices;
mod report;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;

use self::book::{Charge, OpenCall};
use self::bounds::OPEN_TIME_MAX;
use self::day::Day;
use self::ledger::{Ledger, Verdict};
use super::{Answerer, Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas};
use crate::data::Usage;
use crate::store::Store;
use crate::sys::{Clock, Entropy, SystemClock, SystemEntropy, random};

pub use bounds::ANSWER_TOKENS;
pub(super) use caps::reset;
pub use caps::{CapLimit, CapScope, CapUnit, Caps, Exceeded};
pub use ledger::LedgerError;
pub use money::{Money, MoneyError};
pub use prices::{Billing, Price, Prices, PricesError, Pricing};
pub use report::{BudgetReport, CapStatus, LaneSpend, ModelSpend};

/// What a [`Budget`] goes by.
#[derive(Clone, Debug)]
pub struct BudgetConfig {
    /// What may be spent; nothing is capped unless it says so.
    pub caps: Caps,
    /// What models cost.
    pub prices: Prices,
    /// Tokens that an answer is expected to take.
    pub answer_tokens: u64,
    /// Says which day it is.
    pub clock: Arc<dyn Clock>,
    /// Names the calls under way.
    pub entropy: Arc<dyn Entropy>,
}

impl BudgetConfig {
    /// `caps`, with the built-in prices, [`ANSWER_TOKENS`], and the computer's clock and random bytes.
    pub fn new(caps: Caps) -> Self {
        Self {
            caps,
            prices: Prices::built_in(),
            answer_tokens: ANSWER_TOKENS,
            clock: Arc::new(SystemClock),
            entropy: Arc::new(SystemEntropy),
        }
    }
}

/// The budget of a store: its caps, its prices, and the record of what was spent. Clones share it.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    ledger: Ledger,
    config: BudgetConfig,
}

impl Budget {
    /// A budget whose record is in `store`, beside everybody else's who uses that store.
    pub fn new(store: impl Store, config: BudgetConfig) -> Self {
        Self { shared: Arc::new(Shared { ledger: Ledger::new(Arc::new(store)), config }) }
    }

    /// `brain`, which is billed so, under this budget.
    pub fn around<B: Brain>(&self, brain: B, billing: Billing) -> BudgetBrain<B> {
        BudgetBrain { inner: brain, budget: self.clone(), billing }
    }
}

/// A brain that is asked only as long as a [`Budget`] allows it, and whose calls are counted there.
///
/// It belongs around one provider's brain and inside of whatever asks again, so that every request is checked and
/// counted. A brain that is free goes through untouched.
///
/// # Errors
/// Those of the brain, and two of its own, which make no request: [`BrainError::OverBudget`] when a cap does not allow the
/// call, and [`BrainError::BudgetUnknown`] when a cap is set and the record can't be used. Without a cap above the call a
/// record that can't be used only leaves a warning in the log.
#[derive(Debug)]
pub struct BudgetBrain<B> {
    inner: B,
    budget: Budget,
    billing: Billing,
}

#[async_trait]
impl<B: Brain> Brain for BudgetBrain<B> {
    fn info(&self) -> &BrainInfo {
        self.inner.info()
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        if self.inner.info().free {
            return self.inner.complete(request, deltas).await;
        }
        let call = self.expected(request);
        let is_capped = self.budget.shared.config.caps.apply_to(request.lane, request.turn.is_some());
        if is_capped {
            self.reserve(&call).await?;
        }
        // Dropped here, the call stays reserved until its time is over: nobody knows whether it is billed.
        let answer = self.inner.complete(request, deltas).await;
        let took = self.took(&call, &answer);
        if let Err(error) = self.count(&call, took, is_capped).await {
            // The answer is there and paid for; throwing it away would mend nothing. A reservation stays, as an estimate.
            tracing::warn!(error = &error as &dyn std::error::Error, "what a call took could not be recorded");
        }
        answer
    }
}

impl<B: Brain> BudgetBrain<B> {
    /// The call, and what it is expected to take.
    fn expected(&self, request: &CompletionRequest) -> OpenCall {
        let (config, info) = (&self.budget.shared.config, self.inner.info());
        let now = config.clock.now();
        let who = Answerer { brain: info.name.clone(), model: info.model.clone(), account: None };
        let usage = estimate::estimate(request, config.answer_tokens);
        OpenCall {
            id: u64::from_le_bytes(random(&config.entropy)),
            day: Day::of(now),
            lane: request.lane,
            turn: request.turn.clone(),
            reserved: self.charge(&who, usage, true),
            who,
            until: request.deadline.min(now + OPEN_TIME_MAX),
        }
    }

    async fn reserve(&self, call: &OpenCall) -> Result<(), BrainError> {
        let Shared { ledger, config } = &*self.budget.shared;
        let brain = call.who.brain.clone();
        match ledger.reserve(call, &config.caps, config.clock.now()).await {
            Ok(Verdict::Allowed) => Ok(()),
            Ok(Verdict::Exceeded(over)) => {
                let resets = matches!(over.scope, CapScope::Day | CapScope::BackgroundDay);
                Err(BrainError::OverBudget { brain, cap: over, resets_at: resets.then(|| call.day.end()) })
            }
            Err(error) => Err(BrainError::BudgetUnknown { brain, source: Box::new(error) }),
        }
    }

    /// What the call took and who is paid for it; none when it took nothing.
    fn took(&self, call: &OpenCall, answer: &Result<Completion, BrainError>) -> Option<(Answerer, Charge)> {
        let estimated = Charge { estimated: true, ..call.reserved };
        match answer {
            Ok(completion) => {
                let who = completion.by.clone().unwrap_or_else(|| call.who.clone());
                let (usage, estimated) = match completion.usage {
                    Some(usage) => (usage, false),
                    None => (call.reserved.usage, true),
                };
                let charge = self.charge(&who, usage, estimated);
                Some((who, charge))
            }
            Err(error) => may_have_cost(error).then(|| (call.who.clone(), estimated)),
        }
    }

    fn charge(&self, who: &Answerer, usage: Usage, estimated: bool) -> Charge {
        let has_key = self.billing.is_by_token(who);
        let pricing = self.budget.shared.config.prices.pricing(&who.brain, &who.model, has_key);
        Charge { usage, micros: pricing.cost(usage), estimated }
    }

    async fn count(
        &self,
        call: &OpenCall,
        took: Option<(Answerer, Charge)>,
        is_reserved: bool,
    ) -> Result<(), LedgerError> {
        let Shared { ledger, config } = &*self.budget.shared;
        let now = config.clock.now();
        match took {
            took if is_reserved => ledger.settle(call, took, now).await,
            Some((who, charge)) => ledger.count(call, &who, charge, now).await,
            None => Ok(()),
        }
    }
}

/// Whether a provider may bill a call that failed so. One that refuses a request, or is not reached, does not; one whose
/// answer began, or of which nothing is known, may.
fn may_have_cost(error: &BrainError) -> bool {
    let was_asked = error.attempts() > 0;
    let was_refused = matches!(
        error.failure(),
        BrainError::Unreachable { .. }
            | BrainError::RateLimited { .. }
            | BrainError::Overloaded { .. }
            | BrainError::QuotaExhausted { .. }
            | BrainError::Unauthorized { .. }
            | BrainError::ContextTooLong { .. }
            | BrainError::Rejected { .. }
            // Of all that were asked, each refused.
            | BrainError::NoAccount { .. }
    );
    was_asked && !was_refused
}
