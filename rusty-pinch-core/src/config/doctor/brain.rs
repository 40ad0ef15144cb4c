//! Who thinks, and whether it can.

use super::{Check, Report};
use crate::brain::{BrainSettings, Endpoint, Provider};
use crate::config::Settings;
use crate::config::provider::{CodexReadiness, ProviderChoice};

const UNSET: &str = "<unset>";

pub(super) fn report(
    report: &mut Report,
    settings: &Settings,
    choice: &ProviderChoice,
    codex: Option<&CodexReadiness>,
) {
    let brain = &settings.brain;
    let provider = choice.provider;
    let endpoint = brain.endpoint(provider);
    let (base, key) = match &endpoint {
        Some(endpoint) => (endpoint.base.as_deref(), endpoint.key.as_ref()),
        None if provider == Provider::Codex => (settings.codex.api_base.as_deref(), settings.codex.api_key.as_ref()),
        None => (None, None),
    };
    report.fact("provider", provider);
    let chain: Vec<_> = choice.chain.iter().map(|provider| provider.name()).collect();
    report.fact("provider_chain", chain.join(","));
    report.fact("provider_reason", choice.why.as_deref().unwrap_or("RUSTY_PINCH_PROVIDER"));
    report.fact("model", model(settings, provider));
    report.fact("api_base", base.unwrap_or(UNSET));
    report.fact("request_timeout_secs", brain.request_timeout.as_secs());
    report.fact("request_retries", brain.retries);
    report.fact("retry_backoff_ms", brain.retry_backoff.as_millis());
    report.fact("retry_max_backoff_ms", brain.retry_backoff_max.as_millis());
    let accounts = if provider == Provider::Codex { settings.codex.accounts.as_slice() } else { &[] };
    report.fact("api_key_loaded", key.is_some() || accounts.iter().any(|account| account.api_key.is_some()));
    report.fact("codex_enabled", settings.codex.enabled);
    for provider in &choice.chain {
        match brain.endpoint(*provider) {
            Some(endpoint) => http(report, *provider, &endpoint),
            None if *provider == Provider::Codex => report.check(codex_check(codex)),
            None => local(report, brain),
        }
    }
}

fn model(settings: &Settings, provider: Provider) -> String {
    let usual = match provider {
        Provider::Local => "<none needed>",
        Provider::Codex => "<Codex's choice>",
        _ => UNSET,
    };
    let own = settings.codex.model.as_deref().filter(|_| provider == Provider::Codex);
    let model = if provider == Provider::Local { None } else { own.or(settings.brain.model(provider)) };
    model.unwrap_or(usual).to_owned()
}

fn http(report: &mut Report, provider: Provider, endpoint: &Endpoint) {
    let variables = BrainSettings::key_variables(provider).join(" or ");
    let base = endpoint.base.as_deref().unwrap_or_default();
    report.check(match (&endpoint.key, provider) {
        (Some(_), _) => Check::ok("api_key", "loaded"),
        (None, Provider::Compatible) => {
            Check::note("api_key", format!("no key is set for `{provider}`; if the server wants one, set {variables}"))
        }
        (None, _) => {
            Check::error("api_key", format!("`{provider}` needs a key, and none is set"), format!("set {variables}"))
        }
    });
    if endpoint.key.is_some() && base.starts_with("http://") && !is_loopback(base) {
        let message = format!("the key goes to {base} without encryption");
        report.check(Check::warning("api_base", message, "use https, or a server on this machine"));
    }
}

fn is_loopback(base: &str) -> bool {
    let host = base.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    name == "localhost" || name == "[::1]" || name.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

fn codex_check(codex: Option<&CodexReadiness>) -> Check {
    match codex {
        Some(CodexReadiness::Ready { how }) => Check::ok("codex", how.clone()),
        Some(CodexReadiness::NotReady { why, fix }) => Check::error("codex", why.clone(), fix.clone()),
        None => Check::warning("codex", "the Codex CLI was not looked for", "run `codex login status`"),
    }
}

/// A key that nobody uses was probably meant to be used.
fn local(report: &mut Report, brain: &BrainSettings) {
    report.check(Check::ok("brain", "works offline; it picks tools by their examples and is no language model"));
    let idle =
        [(Provider::Openai, &brain.openai), (Provider::Openrouter, &brain.openrouter), (Provider::Groq, &brain.groq)];
    if brain.providers.is_empty() {
        for (provider, _) in idle.iter().filter(|(_, endpoint)| endpoint.key.is_some()) {
            let message =
                format!("a key for `{provider}` is set and not used; RUSTY_PINCH_PROVIDER={provider} uses it");
            report.check(Check::note("brain", message));
        }
    }
}
