//! Who thinks, and why.

use serde::Serialize;

use super::Settings;
use crate::brain::Provider;

/// The provider that is used, and why it is this one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ProviderChoice {
    /// The provider.
    pub provider: Provider,
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
        settings.brain.provider.is_none() && settings.codex.enabled
    }

    /// The provider that was set, or else `codex` when it is ready, or else `local`. `codex` is looked at only where
    /// [`depends_on_codex`](Self::depends_on_codex).
    pub fn new(settings: &Settings, codex: Option<&CodexReadiness>) -> Self {
        if let Some(provider) = settings.brain.provider {
            return Self { provider, why: None };
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
        Self { provider, why: Some(why) }
    }
}
