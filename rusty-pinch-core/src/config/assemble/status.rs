//! How the brains are, read from what is known of them: nobody is asked.

use std::sync::Arc;

use serde::Serialize;

use super::chain::{Member, members, why};
use super::{budget, open_store, provider_choice};
use crate::brain::{Answerer, Breaker, Breakers, BudgetReport, Permit, Provider};
use crate::config::Settings;
use crate::data::Timestamp;
use crate::store::{Store, StoreError};

/// How the chain of brains is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BrainStatus {
    /// Why these, when nobody chose them.
    pub provider_reason: Option<String>,
    /// The members, in the order in which they are asked.
    pub chain: Vec<MemberStatus>,
    /// What was spent today, and the caps; none where that can't be read.
    pub spend: Option<BudgetReport>,
}

/// How a member of the chain is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct MemberStatus {
    /// The provider.
    pub provider: Provider,
    /// The model; none where it can't be used.
    pub model: Option<String>,
    /// What it costs, in words; none where the price file can't be used.
    pub price: Option<String>,
    /// Why it can't be used, where it can't.
    pub problem: Option<String>,
    /// Its breaker.
    pub breaker: BreakerState,
    /// When an open breaker lapses, and when a probe under way is given up.
    pub until: Option<Timestamp>,
    /// Failures since the last answer.
    pub failures: u32,
    /// What the last failure was.
    pub last_error: Option<String>,
    /// When it was.
    pub last_failure_at: Option<Timestamp>,
    /// When the last answer came; to the minute.
    pub last_success_at: Option<Timestamp>,
}

/// The state of a breaker in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum BreakerState {
    /// It is asked.
    Closed,
    /// It is not asked.
    Open,
    /// The next request finds out whether it is well again.
    HalfOpen,
    /// A request is finding out whether it is well again.
    Probing,
}

/// How each member of the chain is at `now`. Nobody is asked and nothing is written.
///
/// # Errors
/// [`StoreError`] when the data folder can't be used.
pub async fn brain_status(settings: &Settings, now: Timestamp) -> Result<BrainStatus, StoreError> {
    let store = open_store(settings)?;
    let breakers = Breakers::new(Arc::clone(&store));
    let choice = provider_choice(settings);
    let mut chain = Vec::new();
    for Member { provider, brain } in members(settings, &choice, &store) {
        let (who, problem) = match brain {
            Ok(brain) => (Some(brain.info().answerer()), None),
            Err(error) => (None, Some(why(&error))),
        };
        let breaker = match &who {
            Some(who) => breakers.look(who, now).await,
            None => Breaker::default(),
        };
        let price = budget::price_of(settings, provider);
        chain.push(MemberStatus { price, ..member_status(provider, who, problem, &breaker, now) });
    }
    let spend = BudgetReport::read(store, &settings.budget.caps, now).await.ok();
    Ok(BrainStatus { provider_reason: choice.why, chain, spend })
}

/// Closes the breakers of the chain's members, or of the one that is `only`, and lets go of Codex's accounts. Gives those
/// that were kept from being asked.
///
/// # Errors
/// [`StoreError`] when the store can't be used.
pub async fn reset_breakers(
    settings: &Settings,
    only: Option<Provider>,
    now: Timestamp,
) -> Result<Vec<Provider>, StoreError> {
    let store = open_store(settings)?;
    let breakers = Breakers::new(Arc::clone(&store));
    let mut reset = Vec::new();
    for Member { provider, brain } in members(settings, &provider_choice(settings), &store) {
        let Some(brain) = brain.ok().filter(|_| only.is_none_or(|only| only == provider)) else { continue };
        let who = brain.info().answerer();
        let mut was_shut = reset_accounts(settings, provider, &store).await?;
        if breakers.look(&who, now).await.failures > 0 {
            breakers.reset(&who, now).await?;
            was_shut = true;
        }
        reset.extend(was_shut.then_some(provider));
    }
    Ok(reset)
}

/// Codex's accounts have pauses and caps of their own.
#[cfg(feature = "codex")]
async fn reset_accounts(settings: &Settings, provider: Provider, store: &Arc<dyn Store>) -> Result<bool, StoreError> {
    match (provider, super::codex::pool(settings, Arc::clone(store))) {
        (Provider::Codex, Ok(pool)) => pool.reset().await,
        _ => Ok(false),
    }
}

#[cfg(not(feature = "codex"))]
async fn reset_accounts(_: &Settings, _: Provider, _: &Arc<dyn Store>) -> Result<bool, StoreError> {
    Ok(false)
}

fn member_status(
    provider: Provider,
    who: Option<Answerer>,
    problem: Option<String>,
    breaker: &Breaker,
    now: Timestamp,
) -> MemberStatus {
    let is_open = breaker.open_until.is_some_and(|until| now < until);
    let (state, until) = match breaker.permit(now) {
        Permit::Closed => (BreakerState::Closed, None),
        Permit::Probe => (BreakerState::HalfOpen, None),
        Permit::Open { until } if is_open => (BreakerState::Open, Some(until)),
        Permit::Open { until } => (BreakerState::Probing, Some(until)),
    };
    MemberStatus {
        provider,
        model: who.map(|who| who.model),
        price: None,
        problem,
        breaker: state,
        until,
        failures: breaker.failures,
        last_error: breaker.last_error.clone(),
        last_failure_at: breaker.last_failure_at,
        last_success_at: breaker.last_success_at,
    }
}
