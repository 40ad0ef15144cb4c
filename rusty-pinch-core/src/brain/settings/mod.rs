//! The brain's variables: which provider, which model, how it is reached and how often it is asked again.

mod accounts;
mod base64;
pub(crate) mod budget;
pub(crate) mod codex;

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::config::{Kind, Reader, Section, Variable};
use crate::data::Secret;

pub(crate) use accounts::key_variables;
pub use accounts::{ACCOUNT_ID_BYTES_MAX, CODEX_ACCOUNTS_MAX, CodexAccountSettings};
pub use budget::BudgetSettings;
pub(crate) use codex::{ACCOUNT_API_KEY_ENV, ACCOUNTS};
pub use codex::{CodexLoginSeed, CodexSettings, CodexTransport};

const PROVIDER: Variable = Variable::new(
    "RUSTY_PINCH_PROVIDER",
    Kind::Choices(&["local", "codex", "openrouter", "openai", "groq", "compatible"]),
    "Who thinks. `local` works offline, `codex` is the Codex CLI, the others are reached over HTTP (`compatible` is any \
     server that speaks OpenAI's chat completions). `offline` means `local`, `vllm` means `compatible`. Several, such \
     as `codex,openrouter,local`, are a chain: the next one is asked where one fails.",
)
.otherwise("`codex` when its program is found and logged in, else `local`");

const MODEL: Variable = Variable::new("RUSTY_PINCH_MODEL", Kind::Text, "The model. `compatible` needs one. In a chain it belongs to the one provider that `RUSTY_PINCH_API_BASE` belongs to, \
     else to `codex`.").otherwise(
    "`gpt-4o-mini` for `openai`, `qwen/qwen3-coder` for `openrouter`, `llama-3.3-70b-versatile` for `groq`, Codex's \
         own choice for `codex`",
);

const CONTEXT_TOKENS: Variable = Variable::new(
    "RUSTY_PINCH_CONTEXT_TOKENS",
    Kind::Integer { min: 1024, max: 10_000_000 },
    "How many tokens fit into the model's prompt and answer together. Prompts are kept within it. In a chain it holds for each member but `local`.",
)
.otherwise("what is known of the provider's usual model, 32768 for any other, 200000 for `codex`");

const REQUEST_TIMEOUT: Variable = Variable::new(
    "RUSTY_PINCH_REQUEST_TIMEOUT_SECS",
    Kind::Integer { min: 1, max: 3600 },
    "How long a server may be silent, before its answer and in the middle of it, in seconds.",
)
.default("60");

const REQUEST_RETRIES: Variable = Variable::new(
    "RUSTY_PINCH_REQUEST_RETRIES",
    Kind::Integer { min: 0, max: 20 },
    "How often a request that failed for a passing reason is made again.",
)
.default("2");

const RETRY_BACKOFF: Variable = Variable::new(
    "RUSTY_PINCH_RETRY_BACKOFF_MS",
    Kind::Integer { min: 1, max: 60_000 },
    "How long to wait at most before the first retry, in milliseconds; it doubles with each.",
)
.default("600");

const RETRY_BACKOFF_MAX: Variable = Variable::new(
    "RUSTY_PINCH_RETRY_MAX_BACKOFF_MS",
    Kind::Integer { min: 1, max: 600_000 },
    "The longest wait before a retry, in milliseconds. A provider that asks for more is given more.",
)
.default("4000");

const API_KEY: Variable = Variable::new(
    "RUSTY_PINCH_API_KEY",
    Kind::Secret,
    "The key for whichever provider is chosen. It wins over the provider's own. In a chain it \
     belongs to `compatible`, else to the only one that is reached over HTTP, and else it is an error.",
);

const API_BASE: Variable = Variable::new(
    "RUSTY_PINCH_API_BASE",
    Kind::Url,
    "The base URL for whichever provider is chosen. It wins over the provider's own; `compatible` \
     needs it. In a chain it belongs to whom `RUSTY_PINCH_API_KEY` belongs to.",
);

const OPENAI_API_KEY: Variable = Variable::new("RUSTY_PINCH_OPENAI_API_KEY", Kind::Secret, "The key for `openai`.")
    .aliases(&["OPENAI_API_KEY", "PICOCLAW_PROVIDERS_OPENAI_API_KEY"]);

const OPENAI_API_BASE: Variable = Variable::new("RUSTY_PINCH_OPENAI_API_BASE", Kind::Url, "The base URL for `openai`.")
    .aliases(&["OPENAI_API_BASE", "PICOCLAW_PROVIDERS_OPENAI_API_BASE"])
    .default("https://api.openai.com/v1");

const OPENROUTER_API_KEY: Variable =
    Variable::new("RUSTY_PINCH_OPENROUTER_API_KEY", Kind::Secret, "The key for `openrouter`.")
        .aliases(&["OPENROUTER_API_KEY", "PICOCLAW_PROVIDERS_OPENROUTER_API_KEY"]);

const OPENROUTER_API_BASE: Variable =
    Variable::new("RUSTY_PINCH_OPENROUTER_API_BASE", Kind::Url, "The base URL for `openrouter`.")
        .aliases(&["OPENROUTER_API_BASE", "PICOCLAW_PROVIDERS_OPENROUTER_API_BASE"])
        .default("https://openrouter.ai/api/v1");

const GROQ_API_KEY: Variable = Variable::new("RUSTY_PINCH_GROQ_API_KEY", Kind::Secret, "The key for `groq`.")
    .aliases(&["GROQ_API_KEY", "PICOCLAW_PROVIDERS_GROQ_API_KEY"]);

const GROQ_API_BASE: Variable = Variable::new("RUSTY_PINCH_GROQ_API_BASE", Kind::Url, "The base URL for `groq`.")
    .aliases(&["GROQ_API_BASE", "PICOCLAW_PROVIDERS_GROQ_API_BASE"])
    .default("https://api.groq.com/openai/v1");

const OPENAI_MODEL: Variable = Variable::new(
    "RUSTY_PINCH_OPENAI_MODEL",
    Kind::Text,
    "The model for `openai`. It wins over `RUSTY_PINCH_MODEL`, as do the two below.",
);

const OPENROUTER_MODEL: Variable =
    Variable::new("RUSTY_PINCH_OPENROUTER_MODEL", Kind::Text, "The model for `openrouter`.");

const GROQ_MODEL: Variable = Variable::new("RUSTY_PINCH_GROQ_MODEL", Kind::Text, "The model for `groq`.");

pub(crate) const SECTION: Section = Section {
    title: "Brain",
    doc: "Who thinks, and how it is reached.",
    variables: &[
        PROVIDER,
        MODEL,
        CONTEXT_TOKENS,
        REQUEST_TIMEOUT,
        REQUEST_RETRIES,
        RETRY_BACKOFF,
        RETRY_BACKOFF_MAX,
        API_KEY,
        API_BASE,
        OPENAI_API_KEY,
        OPENAI_API_BASE,
        OPENROUTER_API_KEY,
        OPENROUTER_API_BASE,
        GROQ_API_KEY,
        GROQ_API_BASE,
        OPENAI_MODEL,
        OPENROUTER_MODEL,
        GROQ_MODEL,
    ],
};

/// Who thinks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Provider {
    /// The deterministic brain that needs no network.
    Local,
    /// The Codex CLI.
    Codex,
    /// openrouter.ai.
    Openrouter,
    /// OpenAI.
    Openai,
    /// Groq.
    Groq,
    /// Any server that speaks OpenAI's chat completions.
    Compatible,
}

impl Provider {
    /// Its name in settings, logs and `doctor`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Local => "local",
            Self::Codex => "codex",
            Self::Openrouter => "openrouter",
            Self::Openai => "openai",
            Self::Groq => "groq",
            Self::Compatible => "compatible",
        }
    }

    /// Whether it is reached over HTTP.
    pub fn is_http(self) -> bool {
        !matches!(self, Self::Local | Self::Codex)
    }

    /// The providers of a chain, in order.
    fn parse_chain(text: &str) -> Result<Vec<Self>, String> {
        let mut chain = Vec::new();
        for name in text.split(',').map(str::trim) {
            if name.is_empty() {
                return Err(format!("{}; a name is missing beside a comma", PROVIDER.kind.rule()));
            }
            let provider = Self::parse(name)?;
            if chain.contains(&provider) {
                return Err(format!("{}; `{provider}` is named twice", PROVIDER.kind.rule()));
            }
            chain.push(provider);
        }
        Ok(chain)
    }

    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "local" | "offline" => Ok(Self::Local),
            "codex" => Ok(Self::Codex),
            "openrouter" => Ok(Self::Openrouter),
            "openai" => Ok(Self::Openai),
            "groq" => Ok(Self::Groq),
            "compatible" | "vllm" => Ok(Self::Compatible),
            "anthropic" => {
                let others = PROVIDER.kind.rule();
                Err(format!(
                    "{others}; `anthropic` is not available in this version (its models are, through `openrouter`)"
                ))
            }
            _ => Err(PROVIDER.kind.rule()),
        }
    }
}

impl fmt::Display for Provider {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The brain's settings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BrainSettings {
    /// Who thinks, in the order in which they are asked; empty when nobody chose.
    pub providers: Vec<Provider>,
    /// The model, when somebody chose.
    pub model: Option<String>,
    /// How many tokens fit into prompt and answer together, when somebody said.
    pub context_tokens: Option<usize>,
    /// How long a server may be silent.
    pub request_timeout: Duration,
    /// How often it is made again.
    pub retries: u32,
    /// The wait before the first retry.
    pub retry_backoff: Duration,
    /// The longest wait before a retry.
    pub retry_backoff_max: Duration,
    /// The key for whichever provider is chosen.
    pub api_key: Option<Secret>,
    /// The base URL for whichever provider is chosen.
    pub api_base: Option<String>,
    /// `openai`'s own.
    pub openai: Endpoint,
    /// `openrouter`'s own.
    pub openrouter: Endpoint,
    /// `groq`'s own.
    pub groq: Endpoint,
}

/// Where a provider is, and the key to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The base URL, without a slash at its end.
    pub base: Option<String>,
    /// The key.
    pub key: Option<Secret>,
    /// The model, when somebody chose.
    pub model: Option<String>,
}

impl BrainSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let milliseconds = Duration::from_millis;
        let mut endpoint =
            |base, key, model| Endpoint { base: reader.url(base), key: reader.secret(key), model: reader.text(model) };
        let openai = endpoint(&OPENAI_API_BASE, &OPENAI_API_KEY, &OPENAI_MODEL);
        let openrouter = endpoint(&OPENROUTER_API_BASE, &OPENROUTER_API_KEY, &OPENROUTER_MODEL);
        let groq = endpoint(&GROQ_API_BASE, &GROQ_API_KEY, &GROQ_MODEL);
        let settings = Self {
            providers: reader.parse(&PROVIDER, Provider::parse_chain).unwrap_or_default(),
            model: reader.text(&MODEL),
            context_tokens: reader.number(&CONTEXT_TOKENS).map(|tokens| usize::try_from(tokens).unwrap_or(usize::MAX)),
            request_timeout: Duration::from_secs(reader.integer(&REQUEST_TIMEOUT)),
            retries: u32::try_from(reader.integer(&REQUEST_RETRIES)).unwrap_or(u32::MAX),
            retry_backoff: milliseconds(reader.integer(&RETRY_BACKOFF)),
            retry_backoff_max: milliseconds(reader.integer(&RETRY_BACKOFF_MAX)),
            api_key: reader.secret(&API_KEY),
            api_base: reader.url(&API_BASE),
            openai,
            openrouter,
            groq,
        };
        settings.check(reader);
        settings
    }

    fn check(&self, reader: &mut Reader<'_>) {
        let (first, longest) = (self.retry_backoff.as_millis(), self.retry_backoff_max.as_millis());
        // A bad value reads as 0 and is noted already.
        if longest > 0 && longest < first {
            let (least, most) = (RETRY_BACKOFF.name, RETRY_BACKOFF_MAX.name);
            reader.contradiction(
                format!("{most} is {longest}, which is less than {least} ({first})"),
                format!("set {most} to {first} or more, or {least} to {longest} or less"),
            );
        }
        self.check_owner(reader);
        if !self.providers.contains(&Provider::Compatible) {
            return;
        }
        let provider = Provider::Compatible;
        // A value that breaks its rule is noted already.
        if reader.given_as(&MODEL).is_none() {
            reader.contradiction(
                format!("the provider `{provider}` has no usual model, and {} is not set", MODEL.name),
                format!("set {} to a model that the server offers", MODEL.name),
            );
        }
        if reader.given_as(&API_BASE).is_none() {
            reader.contradiction(
                format!("the provider `{provider}` has no usual address, and {} is not set", API_BASE.name),
                format!("set {} to the server's base URL, such as `http://127.0.0.1:8080/v1`", API_BASE.name),
            );
        }
    }

    /// A key must not go to a server that it was not meant for.
    fn check_owner(&self, reader: &mut Reader<'_>) {
        let is_ambiguous = self.providers.iter().filter(|provider| provider.is_http()).count() > 1;
        if !is_ambiguous || self.providers.contains(&Provider::Compatible) {
            return;
        }
        for (variable, own) in [(&API_KEY, "API_KEY"), (&API_BASE, "API_BASE"), (&MODEL, "MODEL")] {
            if let Some(name) = reader.given_as(variable) {
                let http = self.providers.iter().filter(|provider| provider.is_http());
                let own = http.map(|provider| format!("RUSTY_PINCH_{}_{own}", provider.name().to_uppercase()));
                reader.contradiction(
                    format!("{} names several providers, and {name} does not say whose it is", PROVIDER.name),
                    format!("set {} instead", own.collect::<Vec<_>>().join(" or ")),
                );
            }
        }
    }

    /// Whether the general key, address and model are those of `provider`: always where it is alone, and in a chain
    /// those of `compatible`, else of the only one that is reached over HTTP.
    fn is_owner(&self, provider: Provider) -> bool {
        if self.providers.len() < 2 {
            return true;
        }
        let mut http = self.providers.iter().filter(|provider| provider.is_http());
        let owner = match (self.providers.contains(&Provider::Compatible), http.next(), http.next()) {
            (true, ..) => Provider::Compatible,
            (false, Some(only), None) => *only,
            (false, None, _) => Provider::Codex,
            (false, Some(_), Some(_)) => return false,
        };
        owner == provider
    }

    /// Where `provider` is reached and with which key; nothing for those that are not reached over HTTP.
    ///
    /// `compatible` uses nobody else's key: it would go to a server that it was not made for.
    pub fn endpoint(&self, provider: Provider) -> Option<Endpoint> {
        let own = match provider {
            Provider::Local | Provider::Codex => return None,
            Provider::Openai => self.openai.clone(),
            Provider::Openrouter => self.openrouter.clone(),
            Provider::Groq => self.groq.clone(),
            Provider::Compatible => Endpoint::default(),
        };
        if !self.is_owner(provider) {
            return Some(own);
        }
        let (base, key) = (self.api_base.clone().or(own.base), self.api_key.clone().or(own.key));
        Some(Endpoint { base, key, model: own.model })
    }

    /// The model that `provider` is asked for; nothing where the provider decides.
    pub fn model(&self, provider: Provider) -> Option<&str> {
        let usual = match provider {
            Provider::Openai => Some("gpt-4o-mini"),
            Provider::Openrouter => Some("qwen/qwen3-coder"),
            Provider::Groq => Some("llama-3.3-70b-versatile"),
            Provider::Local | Provider::Codex | Provider::Compatible => None,
        };
        self.chosen_model(provider).or(usual)
    }

    /// The model that somebody chose for `provider`.
    pub(crate) fn chosen_model(&self, provider: Provider) -> Option<&str> {
        let own = match provider {
            Provider::Openai => &self.openai.model,
            Provider::Openrouter => &self.openrouter.model,
            Provider::Groq => &self.groq.model,
            Provider::Local | Provider::Codex | Provider::Compatible => &None,
        };
        own.as_deref().or(self.model.as_deref().filter(|_| self.is_owner(provider)))
    }

    /// The variables that can hold `provider`'s key, the most usual first.
    pub fn key_variables(provider: Provider) -> &'static [&'static str] {
        match provider {
            Provider::Openai => &[OPENAI_API_KEY.name, API_KEY.name],
            Provider::Openrouter => &[OPENROUTER_API_KEY.name, API_KEY.name],
            Provider::Groq => &[GROQ_API_KEY.name, API_KEY.name],
            Provider::Compatible => &[API_KEY.name],
            Provider::Local | Provider::Codex => &[],
        }
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        [&self.api_key, &self.openai.key, &self.openrouter.key, &self.groq.key].into_iter().flatten()
    }
}
