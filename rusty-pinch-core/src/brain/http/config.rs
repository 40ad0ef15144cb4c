//! What an [`HttpBrain`](super::HttpBrain) is told, and the presets for providers that are known.

use std::time::Duration;

use reqwest::Url;

use crate::brain::BrainError;
use crate::data::Secret;

/// How long a connection may take, by default.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// How long a server may say nothing, by default. Models that think before they speak need most of a minute.
pub const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// The largest answer, in bytes on the wire, by default.
pub const RESPONSE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// The context of a model that nothing is known about, in tokens.
pub const CONTEXT_TOKENS_UNKNOWN: usize = 32_768;
const ENDPOINT: &str = "chat/completions";
const SHOWN_CHARS: usize = 120;

/// A provider whose address and habits are known, or any other that speaks the same protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum HttpPreset {
    /// OpenRouter.
    OpenRouter,
    /// OpenAI.
    OpenAi,
    /// Groq.
    Groq,
    /// Any other server with an OpenAI-compatible interface, such as vLLM, llama.cpp or Ollama.
    Compatible,
}

impl HttpPreset {
    /// The name that settings and logs use.
    pub fn name(self) -> &'static str {
        match self {
            Self::OpenRouter => "openrouter",
            Self::OpenAi => "openai",
            Self::Groq => "groq",
            Self::Compatible => "compatible",
        }
    }

    /// The base URL; none for `compatible`, which needs one.
    pub fn base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenRouter => Some("https://openrouter.ai/api/v1"),
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Groq => Some("https://api.groq.com/openai/v1"),
            Self::Compatible => None,
        }
    }

    /// The model that is asked when nothing else is said; none for `compatible`, which needs one.
    pub fn model(self) -> Option<&'static str> {
        match self {
            Self::OpenRouter => Some("qwen/qwen3-coder"),
            Self::OpenAi => Some("gpt-4o-mini"),
            Self::Groq => Some("llama-3.3-70b-versatile"),
            Self::Compatible => None,
        }
    }

    /// How many tokens the preset's model takes.
    pub fn context_tokens(self) -> usize {
        match self {
            Self::OpenRouter => 262_144,
            Self::OpenAi => 128_000,
            Self::Groq => 131_072,
            Self::Compatible => CONTEXT_TOKENS_UNKNOWN,
        }
    }

    /// The environment variables that may hold its key, the most specific first.
    pub fn key_variables(self) -> &'static [&'static str] {
        match self {
            Self::OpenRouter => &["RUSTY_PINCH_OPENROUTER_API_KEY", "OPENROUTER_API_KEY"],
            Self::OpenAi => &["RUSTY_PINCH_OPENAI_API_KEY", "OPENAI_API_KEY"],
            Self::Groq => &["RUSTY_PINCH_GROQ_API_KEY", "GROQ_API_KEY"],
            Self::Compatible => &["RUSTY_PINCH_API_KEY"],
        }
    }

    /// Headers that the provider wants beside the usual ones.
    pub(super) fn headers(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::OpenRouter => &[("http-referer", "https://rusty-pinch.local"), ("x-title", "Rusty Pinch")],
            _ => &[],
        }
    }
}

/// What an [`HttpBrain`](super::HttpBrain) is told. [`new`](Self::new) fills in what the preset knows.
#[derive(Clone, Debug)]
pub struct HttpBrainConfig {
    /// The provider.
    pub preset: HttpPreset,
    /// The name that logs and errors use.
    pub name: String,
    /// The base URL, such as `http://127.0.0.1:8080/v1`.
    pub base_url: Option<String>,
    /// The key. Without one no `authorization` is sent, which only a base URL of one's own allows.
    pub api_key: Option<Secret>,
    /// The model.
    pub model: Option<String>,
    /// How many tokens fit into prompt and answer together.
    pub context_tokens: usize,
    /// The randomness of the answer; the provider's own default when there is none.
    pub temperature: Option<f32>,
    /// How long a connection may take.
    pub connect_timeout: Duration,
    /// How long the server may say nothing, before its answer and in the middle of it.
    pub idle_timeout: Duration,
    /// The largest answer, in bytes on the wire.
    pub response_bytes_max: usize,
    /// What errors tell an operator to do about a missing or refused key.
    pub key_fix: String,
}

impl HttpBrainConfig {
    /// What the preset knows.
    pub fn new(preset: HttpPreset) -> Self {
        Self {
            preset,
            name: preset.name().to_owned(),
            base_url: preset.base_url().map(str::to_owned),
            api_key: None,
            model: preset.model().map(str::to_owned),
            context_tokens: preset.context_tokens(),
            temperature: None,
            connect_timeout: CONNECT_TIMEOUT,
            idle_timeout: IDLE_TIMEOUT,
            response_bytes_max: RESPONSE_BYTES_MAX,
            key_fix: format!("set {} to a valid key", preset.key_variables().join(" or ")),
        }
    }

    pub(super) fn not_configured(&self, detail: impl Into<String>, fix: impl Into<String>) -> BrainError {
        BrainError::NotConfigured { brain: self.name.clone(), detail: detail.into(), fix: fix.into() }
    }

    /// The model to ask for.
    pub(super) fn checked_model(&self) -> Result<String, BrainError> {
        match self.model.as_deref().map(str::trim) {
            Some(model) if !model.is_empty() => Ok(model.to_owned()),
            _ => Err(self.not_configured("it has no model", "set RUSTY_PINCH_MODEL to the name of a model it serves")),
        }
    }

    /// The key, where one is needed or given.
    pub(super) fn checked_key(&self) -> Result<Option<Secret>, BrainError> {
        let key = self.api_key.clone().filter(|key| !key.is_empty());
        match &key {
            None if self.preset.base_url().is_some() && self.base_url.as_deref() == self.preset.base_url() => {
                Err(self.not_configured("it has no key", &self.key_fix))
            }
            Some(key) if !key.expose().bytes().all(|byte| byte.is_ascii_graphic()) => {
                let detail = "its key holds a character that no key has (only visible ASCII is possible)";
                Err(self.not_configured(detail, &self.key_fix))
            }
            _ => Ok(key),
        }
    }

    /// Where completions are asked for. The operator is trusted with the host, but not with a base URL that can't work.
    pub(super) fn endpoint(&self) -> Result<Url, BrainError> {
        const FIX: &str = "give one such as https://api.openai.com/v1";
        let Some(base) = self.base_url.as_deref().map(str::trim).filter(|base| !base.is_empty()) else {
            return Err(self.not_configured("it has no base URL", format!("set RUSTY_PINCH_API_BASE; {FIX}")));
        };
        let refused = |rule: String| Err(self.not_configured(rule, FIX));
        let mut url = match Url::parse(base) {
            Ok(url) => url,
            // A text that is no URL may still hold a password in front of an `@`.
            Err(error) if base.contains('@') => return refused(format!("the base URL can't be read ({error})")),
            Err(error) => return refused(format!("the base URL `{}` can't be read ({error})", shown(base))),
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("the base URL holds a user name or password, which it must not".to_owned());
        }
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return refused(format!("the base URL `{}` is neither http nor https", shown(base)));
        }
        if url.fragment().is_some() {
            return refused(format!("the base URL at `{}` has a part behind `#`, which it must not", target(&url)));
        }
        let path = url.path().trim_end_matches('/').trim_end_matches(ENDPOINT).trim_end_matches('/');
        url.set_path(&format!("{path}/{ENDPOINT}"));
        Ok(url)
    }
}

/// Scheme, host and port: what of a URL may be shown.
pub(super) fn target(url: &Url) -> String {
    let port = url.port().map_or_else(String::new, |port| format!(":{port}"));
    format!("{}://{}{port}", url.scheme(), url.host_str().unwrap_or_default())
}

fn shown(text: &str) -> String {
    // A query may hold a key.
    let text = text.split('?').next().unwrap_or_default();
    text.chars().take(SHOWN_CHARS).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with_base(base: &str) -> HttpBrainConfig {
        HttpBrainConfig { base_url: Some(base.to_owned()), ..HttpBrainConfig::new(HttpPreset::Compatible) }
    }

    #[test]
    fn a_base_url_becomes_an_endpoint() {
        for (base, endpoint) in [
            ("https://api.openai.com/v1", "https://api.openai.com/v1/chat/completions"),
            (" http://127.0.0.1:8080/v1// ", "http://127.0.0.1:8080/v1/chat/completions"),
            ("http://[::1]:8080", "http://[::1]:8080/chat/completions"),
            ("http://h/v1/chat/completions", "http://h/v1/chat/completions"),
            ("https://h/openai?api-version=1", "https://h/openai/chat/completions?api-version=1"),
        ] {
            assert_eq!(with_base(base).endpoint().unwrap().as_str(), endpoint, "{base}");
        }
        for preset in [HttpPreset::OpenRouter, HttpPreset::OpenAi, HttpPreset::Groq] {
            assert!(HttpBrainConfig::new(preset).endpoint().is_ok());
        }
    }

    #[test]
    fn a_base_url_that_cannot_work_is_named_with_rule_and_fix_but_without_secrets() {
        for (base, rule) in [
            ("", "no base URL"),
            ("api.openai.com/v1", "`api.openai.com/v1` can't be read"),
            ("localhost:8080/v1", "`localhost:8080/v1` is neither http nor https"),
            ("ftp://h/v1?hush=1", "`ftp://h/v1` is neither"),
            ("https://me:hush@h/v1", "user name or password"),
            ("https://hush@h/v1", "user name or password"),
            ("//me:hush@h", "can't be read"),
            ("https://h/v1#hush", "`https://h` has a part behind `#`"),
            ("http://", "can't be read"),
            ("http://h:99999/", "can't be read"),
        ] {
            let text = with_base(base).endpoint().unwrap_err().to_string();
            assert!(text.contains(rule) && text.contains("https://api.openai.com/v1"), "{base}: {text}");
            assert!(!text.contains("hush"), "{base}: {text}");
        }
    }

    #[test]
    fn the_presets_own_address_needs_a_key_and_a_key_has_only_visible_characters() {
        let mut config = HttpBrainConfig::new(HttpPreset::Groq);
        let text = config.checked_key().unwrap_err().to_string();
        assert!(text.contains("RUSTY_PINCH_GROQ_API_KEY or GROQ_API_KEY"), "{text}");
        config.api_key = Some(Secret::from("gsk\n1 hush"));
        let text = config.checked_key().unwrap_err().to_string();
        assert!(text.contains("visible ASCII") && !text.contains("hush"), "{text}");
        config.api_key = Some(Secret::from("gsk1\n"));
        assert_eq!(config.checked_key().unwrap().unwrap().expose(), "gsk1");
        assert!(with_base("http://h/v1").checked_key().unwrap().is_none());
    }

    #[test]
    fn a_model_is_needed() {
        assert!(HttpBrainConfig::new(HttpPreset::Compatible).checked_model().is_err());
        assert_eq!(HttpBrainConfig::new(HttpPreset::OpenAi).checked_model().unwrap(), "gpt-4o-mini");
    }
}
