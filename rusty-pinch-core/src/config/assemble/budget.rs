//! The budget as the settings say, and what `doctor` and `stats` tell of it.

use std::sync::Arc;

use super::open_store;
use crate::brain::{
    Billing, Budget, BudgetConfig, BudgetReport, CapStatus, CapUnit, Prices, PricesError, Pricing, Provider,
};
use crate::config::Settings;
use crate::config::doctor::{Check, Fact, Report};
use crate::store::{Store, StoreError};
use crate::sys::{Clock, SystemClock};

/// The budget that `settings` describe, on `store`.
pub(super) fn open(settings: &Settings, store: &Arc<dyn Store>) -> Result<Budget, PricesError> {
    let mut config = BudgetConfig::new(settings.budget.caps);
    config.prices = prices(settings)?;
    config.answer_tokens = settings.budget.answer_tokens;
    Ok(Budget::new(Arc::clone(store), config))
}

fn prices(settings: &Settings) -> Result<Prices, PricesError> {
    settings.budget.prices_file.as_deref().map_or_else(|| Ok(Prices::built_in()), Prices::load)
}

/// How `provider` bills what it is asked.
pub(super) fn billing(settings: &Settings, provider: Provider) -> Billing {
    match provider {
        #[cfg(feature = "codex")]
        Provider::Codex => Billing::ByAccount { with_key: super::codex::with_key(settings) },
        #[cfg(not(feature = "codex"))]
        Provider::Codex if settings.codex.api_key.is_none() => Billing::Subscription,
        _ => Billing::ByToken,
    }
}

/// Whether any of what `provider` is asked may be billed by the token.
fn has_key(settings: &Settings, provider: Provider) -> bool {
    match billing(settings, provider) {
        Billing::ByToken => true,
        Billing::Subscription => false,
        Billing::ByAccount { with_key } => !with_key.is_empty(),
    }
}

/// Why it can't be told what was spent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
#[error("what was spent today can't be read")]
pub struct SpendError(#[from] StoreError);

/// What was spent today (UTC), and the caps that `settings` set. Changes nothing, and makes no data folder.
///
/// # Errors
/// [`SpendError`] when the records can't be read.
pub async fn spend_today(settings: &Settings) -> Result<BudgetReport, SpendError> {
    let store = open_store(settings)?;
    Ok(BudgetReport::read(store, &settings.budget.caps, SystemClock.now()).await?)
}

/// Adds the caps, the date of the prices, and the price of what each provider of `chain` is asked for.
pub(super) fn report(report: &mut Report, settings: &Settings, chain: &[Provider]) {
    let mut fact = |name, value| report.facts.push(Fact { name, value });
    fact("budget", caps(settings));
    for check in too_tight(settings) {
        report.check(check);
    }
    let mut fact = |name, value| report.facts.push(Fact { name, value });
    let prices = match prices(settings) {
        Ok(prices) => prices,
        Err(error) => {
            fact("prices", "<unusable>".to_owned());
            let why = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
            let fix = "correct the file, or unset RUSTY_PINCH_PRICES_FILE for the built-in prices";
            report.check(Check::error("prices", format!("{error}{why}"), fix));
            return;
        }
    };
    let file = settings.budget.prices_file.as_ref();
    let origin = file.map_or_else(|| "built in".to_owned(), |file| file.display().to_string());
    fact("prices", format!("as of {} ({origin})", prices.date()));
    let pricing = |provider: &Provider| pricing(&prices, settings, *provider);
    let shown = |provider: &Provider| match chain {
        [_] => price(pricing(provider)),
        _ => format!("{provider}: {}", price(pricing(provider))),
    };
    fact("model_price", chain.iter().map(shown).collect::<Vec<_>>().join("; "));
    for provider in chain.iter().filter(|provider| pricing(provider) == Some(Pricing::Unknown)) {
        report.check(unpriced(settings, *provider, &model(settings, *provider)));
    }
}

/// What `provider` is paid for what it is asked for, in words; none where the price file can't be used.
pub(super) fn price_of(settings: &Settings, provider: Provider) -> Option<String> {
    Some(price(pricing(&prices(settings).ok()?, settings, provider)))
}

/// How `provider` is paid; none for what is free.
fn pricing(prices: &Prices, settings: &Settings, provider: Provider) -> Option<Pricing> {
    match provider {
        Provider::Local => None,
        other => Some(prices.pricing(other.name(), &model(settings, other), has_key(settings, other))),
    }
}

/// Caps that allow no call at all, because one is expected to take more. A cap of 0 is meant so.
fn too_tight(settings: &Settings) -> Vec<Check> {
    let answer = settings.budget.answer_tokens;
    let is_tight = |cap: &CapStatus| {
        cap.unit == CapUnit::Tokens && cap.limit.parse().is_ok_and(|limit: u64| 0 < limit && limit <= answer)
    };
    let check = |cap: CapStatus| {
        let message = format!(
            "{} is {}, but a call is expected to take {answer} tokens for its answer alone, so that no brain that costs \
             anything is ever asked",
            cap.variable, cap.limit
        );
        Check::warning("budget", message, "raise it, or lower RUSTY_PINCH_BUDGET_ANSWER_TOKENS")
    };
    CapStatus::of(&settings.budget.caps).into_iter().filter(is_tight).map(check).collect()
}

fn caps(settings: &Settings) -> String {
    let shown = |cap: CapStatus| match cap.unit {
        CapUnit::Tokens => format!("{} {} tokens", cap.scope.name(), cap.limit),
        CapUnit::Usd => format!("{} ${}", cap.scope.name(), cap.limit),
    };
    let caps: Vec<_> = CapStatus::of(&settings.budget.caps).into_iter().map(shown).collect();
    if caps.is_empty() { "<no cap>".to_owned() } else { caps.join(", ") }
}

/// The model as its brain names it.
fn model(settings: &Settings, provider: Provider) -> String {
    let own = settings.codex.model.as_deref().filter(|_| provider == Provider::Codex);
    own.or(settings.brain.model(provider)).unwrap_or("default").to_owned()
}

fn price(pricing: Option<Pricing>) -> String {
    match pricing {
        None => "<free>".to_owned(),
        Some(Pricing::Subscription) => "<subscription>".to_owned(),
        Some(Pricing::Unknown) => "<unknown>".to_owned(),
        Some(Pricing::PerToken(price)) => {
            format!("${} in, ${} out per million tokens", price.input, price.output)
        }
    }
}

/// Worth knowing; and more than that where somebody relies on a cap that can't count it.
fn unpriced(settings: &Settings, provider: Provider, model: &str) -> Check {
    let message = format!("the model `{model}` of `{provider}` has no known price");
    if settings.budget.caps.count_money() {
        let message = format!("{message}: caps in US dollars don't count it, only those in tokens do");
        return Check::warning("prices", message, "add it to a file that RUSTY_PINCH_PRICES_FILE names, or cap tokens");
    }
    Check::note("prices", format!("{message}; `stats` shows its tokens only"))
}
