//! Who thinks, and why.

use serde::Serialize;

use super::Settings;
use crate::brain::Provider;

/// The providers that are used, and why it is these.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderChoice {
    /// The provider that is asked first.
    pub provider: Provider,
    /// All, in the order in which they are asked.
    pub chain: Vec<Provider>,
    /// Why, when nobody chose it.
    pub why: Option<String>,
}

/// Whether the Codex CLI can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodexReadiness {
    /// It can.
    Ready {
        /// How it was found: program and login.
        how: String,
    },
    /// It can't.
    NotReady {
        /// Why, read after "because".
        why: String,
        /// What to do about it.
        fix: String,
    },
}

impl ProviderChoice {
    /// Whether the choice depends on the Codex CLI, so that somebody has to look for it.
    pub fn depends_on_codex(settings: &Settings) -> bool {
        settings.brain.providers.is_empty() && settings.codex.enabled
    }

    /// The providers that were set, or else `codex` when it is ready, or else `local`. `codex` is looked at only where
    /// [`depends_on_codex`](Self::depends_on_codex).
    pub fn new(settings: &Settings, codex: Option<&CodexReadiness>) -> Self {
        let chain = &settings.brain.providers;
        if let Some(provider) = chain.first() {
            return Self { provider: *provider, chain: chain.clone(), why: None };
        }
        let unset = "RUSTY_PINCH_PROVIDER is not set";
        let (provider, why) = match codex {
            _ if !settings.codex.enabled => {
                (Provider::Local, format!("{unset} and RUSTY_PINCH_CODEX_ENABLED is false"))
            }
            Some(CodexReadiness::Ready { how }) => (Provider::Codex, format!("{unset} and {how}")),
            Some(CodexReadiness::NotReady { why, .. }) => (Provider::Local, format!("{unset} and {why}")),
            None => (Provider::Local, format!("{unset} and the Codex CLI was not looked for")),
        };
        Self { provider, chain: vec![provider], why: Some(why) }
    }
}
