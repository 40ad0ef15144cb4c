//! The providers that the settings name, as one brain.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::{AssembleError, absent, budget};
use crate::brain::{Brain, BrainError, Breakers, FailoverBrain, LocalBrain, Provider, RetryPolicy};
use crate::config::{ProviderChoice, Settings};
use crate::store::Store;

/// A provider of the chain that can't be used, while another one can.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The provider.
    pub provider: Provider,
    /// Why, and what to do about it.
    pub why: String,
}

/// A brain of the providers that can be used, and those that can't.
pub(super) struct Chain {
    pub(super) brain: Arc<dyn Brain>,
    pub(super) left_out: Vec<LeftOut>,
}

/// A provider of the chain, and its brain where there can be one.
pub(super) struct Member {
    pub(super) provider: Provider,
    pub(super) brain: Result<Arc<dyn Brain>, AssembleError>,
}

/// Every provider of the choice, made without asking it anything.
pub(super) fn members(settings: &Settings, choice: &ProviderChoice, store: &Arc<dyn Store>) -> Vec<Member> {
    choice
        .chain
        .iter()
        .map(|provider| Member { provider: *provider, brain: brain(settings, *provider, store) })
        .collect()
}

impl Chain {
    /// The chain. One that can't be used is left out where another remains.
    ///
    /// # Errors
    /// The first provider's, where none can be used.
    pub(super) fn new(
        settings: &Settings,
        choice: &ProviderChoice,
        store: &Arc<dyn Store>,
    ) -> Result<Self, AssembleError> {
        let budget = budget::open(settings, store)?;
        let (mut usable, mut left_out, mut first_error) = (Vec::new(), Vec::new(), None);
        for Member { provider, brain } in members(settings, choice, store) {
            match brain {
                Ok(brain) => {
                    let brain: Arc<dyn Brain> = Arc::new(budget.around(brain, budget::billing(settings, provider)));
                    usable.push((provider, brain));
                }
                Err(error) => {
                    left_out.push(LeftOut { provider, why: why(&error) });
                    first_error.get_or_insert(error);
                }
            }
        }
        let nobody = |error: Option<AssembleError>| {
            let (brain, detail) = ("none".to_owned(), "no provider is named".to_owned());
            let fix = "set RUSTY_PINCH_PROVIDER".to_owned();
            error.unwrap_or(AssembleError::Brain(BrainError::NotConfigured { brain, detail, fix }))
        };
        let mut usable = usable.into_iter();
        let Some((provider, first)) = usable.next() else { return Err(nobody(first_error)) };
        // The offline brain alone can't fail over and has nothing to try again.
        if provider == Provider::Local && usable.len() == 0 {
            return Ok(Self { brain: first, left_out });
        }
        let chain = FailoverBrain::new(first, retry(settings)).with_breakers(Breakers::new(Arc::clone(store)));
        let chain = usable.fold(chain, |chain, (_, next)| chain.then(next));
        Ok(Self { brain: Arc::new(chain), left_out })
    }
}

/// Why a provider can't be used, and what to do about it.
pub(super) fn why(error: &AssembleError) -> String {
    let (why, fix) = absent::why(error);
    format!("{why}; {fix}")
}

fn brain(settings: &Settings, provider: Provider, store: &Arc<dyn Store>) -> Result<Arc<dyn Brain>, AssembleError> {
    match provider {
        Provider::Local => Ok(Arc::new(LocalBrain::default())),
        Provider::Codex => codex_brain(settings, store),
        _ => http_brain(settings, provider),
    }
}

#[cfg(feature = "codex")]
fn codex_brain(settings: &Settings, store: &Arc<dyn Store>) -> Result<Arc<dyn Brain>, AssembleError> {
    Ok(Arc::new(super::codex::pool(settings, Arc::clone(store))?))
}

#[cfg(not(feature = "codex"))]
fn codex_brain(_: &Settings, _: &Arc<dyn Store>) -> Result<Arc<dyn Brain>, AssembleError> {
    Err(AssembleError::NotInThisBuild { provider: Provider::Codex, feature: "codex" })
}

#[cfg(feature = "http")]
fn http_brain(settings: &Settings, provider: Provider) -> Result<Arc<dyn Brain>, AssembleError> {
    Ok(Arc::new(super::http::brain(settings, provider)?))
}

#[cfg(not(feature = "http"))]
fn http_brain(_: &Settings, provider: Provider) -> Result<Arc<dyn Brain>, AssembleError> {
    Err(AssembleError::NotInThisBuild { provider, feature: "http" })
}

/// When a request is made again.
fn retry(settings: &Settings) -> RetryPolicy {
    let brain = &settings.brain;
    let attempts_max = brain.retries.saturating_add(1);
    RetryPolicy { attempts_max, backoff: brain.retry_backoff, backoff_max: brain.retry_backoff_max }
}

/// How long a request may take where every provider is as slow as it may be and is tried as often.
pub(super) fn time_needed(settings: &Settings, choice: &ProviderChoice) -> Duration {
    let brain = &settings.brain;
    let of = |provider: &Provider| match provider {
        Provider::Local => Duration::ZERO,
        Provider::Codex => settings.codex.timeout + brain.retry_backoff_max,
        _ => brain.request_timeout + brain.retry_backoff_max,
    };
    choice.chain.iter().map(of).sum::<Duration>().saturating_mul(brain.retries + 1)
}
