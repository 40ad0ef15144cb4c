//! A brain behind HTTP as the settings say.

use crate::brain::{
    BrainError, BrainSettings, CONTEXT_TOKENS_UNKNOWN, HttpBrain, HttpBrainConfig, HttpPreset, Provider,
};
use crate::config::Settings;

pub(super) fn brain(settings: &Settings, provider: Provider) -> Result<HttpBrain, BrainError> {
    HttpBrain::new(config(&settings.brain, provider))
}

fn config(settings: &BrainSettings, provider: Provider) -> HttpBrainConfig {
    let preset = match provider {
        Provider::Openrouter => HttpPreset::OpenRouter,
        Provider::Openai => HttpPreset::OpenAi,
        Provider::Groq => HttpPreset::Groq,
        Provider::Compatible | Provider::Local | Provider::Codex => HttpPreset::Compatible,
    };
    let endpoint = settings.endpoint(provider).unwrap_or_default();
    let mut config = HttpBrainConfig::new(preset);
    // Nothing is known of a model that the operator chose.
    let known = if settings.chosen_model(provider).is_some() { CONTEXT_TOKENS_UNKNOWN } else { config.context_tokens };
    config.context_tokens = settings.context_tokens.unwrap_or(known);
    config.base_url = endpoint.base;
    config.api_key = endpoint.key;
    config.model = settings.model(provider).map(str::to_owned);
    config.idle_timeout = settings.request_timeout;
    config.connect_timeout = config.connect_timeout.min(settings.request_timeout);
    config.key_fix = format!("set {} to a valid key", BrainSettings::key_variables(provider).join(" or "));
    config
}
