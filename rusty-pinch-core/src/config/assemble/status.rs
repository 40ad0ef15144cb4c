//! How the brains are, read from what is known of them: nobody is asked.

use std::sync::Arc;

use serde::Serialize;

use super::chain::{Member, members, why};
use super::{budget, open_store, provider_choice};
#[cfg(feature = "codex")]
use crate::brain::AccountStatus;
use crate::brain::{Answerer, Breaker, Breakers, BudgetReport, Permit, Provider};
use crate::config::Settings;
use crate::data::Timestamp;
use crate::store::StoreError;

/// How the chain of brains is.
#[derive(Clone, Debug, PartialEq, Serialize)]
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
#[derive(Clone, Debug, PartialEq, Serialize)]
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
    /// The accounts behind it, each with its own pauses: Codex's.
    #[cfg(feature = "codex")]
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub accounts: Vec<AccountStatus>,
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
        let mut member = member_status(provider, who, problem, &breaker, now);
        member.price = budget::price_of(settings, provider);
        #[cfg(feature = "codex")]
        if provider == Provider::Codex
            && let Ok(pool) = super::codex::pool(settings, Arc::clone(&store))
        {
            member.accounts = pool.status().await?.accounts;
        }
        chain.push(member);
    }
    let spend = BudgetReport::read(store, &settings.budget.caps, now).await.ok();
    Ok(BrainStatus { provider_reason: choice.why, chain, spend })
}

/// Closes the breakers of the chain's members, or of the one that is `only`, and ends the pauses of Codex's accounts.
/// Gives those that were kept from being asked, or had just failed.
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
        let had_failed = breakers.look(&who, now).await.failures > 0;
        if had_failed {
            breakers.reset(&who, now).await?;
        }
        #[cfg(feature = "codex")]
        let were_paused = match super::codex::pool(settings, Arc::clone(&store)) {
            Ok(pool) if provider == Provider::Codex => !pool.reset().await?.is_empty(),
            _ => false,
        };
        #[cfg(not(feature = "codex"))]
        let were_paused = false;
        if had_failed || were_paused {
            reset.push(provider);
        }
    }
    Ok(reset)
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
        #[cfg(feature = "codex")]
        accounts: Vec::new(),
    }
}
