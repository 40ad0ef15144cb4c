//! What models cost: a dated list, which the operator can replace.

use std::collections::{BTreeSet, HashMap};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use serde::{Deserialize, Deserializer, de};

use super::bounds::{NAME_BYTES_MAX, PRICES_BYTES_MAX, PRICES_MAX};
use super::day;
use super::money::Money;
use crate::brain::Answerer;
use crate::data::Usage;

/// The list that is built in.
const BUILT_IN: &str = include_str!("../../../assets/prices.json");
/// The provider that bills by subscription unless it is used with a key, and whose models are then those of the other.
const CODEX: (&str, &str) = ("codex", "openai");

/// The list that is built in, read when somebody first asks for a price.
#[expect(clippy::expect_used, reason = "the list is part of the program, and a test reads it")]
static BUILT_IN_LIST: LazyLock<List> =
    LazyLock::new(|| List::parse(BUILT_IN).expect("the built-in price list is well-formed"));

/// The prices of models, as of one day. Clones share them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Prices {
    /// None for the built-in list.
    own: Option<Arc<List>>,
}

#[derive(Debug, PartialEq, Eq)]
struct List {
    date: String,
    source: String,
    by_model: HashMap<(String, String), Price>,
}

/// What a model costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Price {
    /// For a million tokens read. Cached ones are counted as any other, which is the safe side.
    pub input: Money,
    /// For a million tokens written.
    pub output: Money,
}

/// How a model is paid for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pricing {
    /// By the token.
    PerToken(Price),
    /// With a subscription: no call costs anything more.
    Subscription,
    /// Nobody said. Caps on money can't count it; caps on tokens do.
    Unknown,
}

impl Pricing {
    /// What `usage` costs; none where the price is not known.
    pub fn cost(self, usage: Usage) -> Option<Money> {
        match self {
            Self::PerToken(price) => {
                Some(price.input.for_tokens(usage.input_tokens) + price.output.for_tokens(usage.output_tokens))
            }
            Self::Subscription => Some(Money::ZERO),
            Self::Unknown => None,
        }
    }
}

/// How a provider bills what it is asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Billing {
    /// By the token: it is used with a key of an API.
    ByToken,
    /// Not at all: it is used with a login to a subscription.
    Subscription,
    /// As the account that answered does. Until that is known, a call is expected to be billed if any account is.
    ByAccount {
        /// The accounts that are used with a key; the others have a login.
        with_key: BTreeSet<String>,
    },
}

impl Billing {
    /// Whether `who` is billed by the token.
    pub(super) fn is_by_token(&self, who: &Answerer) -> bool {
        match (self, &who.account) {
            (Self::ByToken, _) => true,
            (Self::Subscription, _) => false,
            (Self::ByAccount { with_key }, Some(account)) => with_key.contains(account),
            (Self::ByAccount { with_key }, None) => !with_key.is_empty(),
        }
    }
}

/// Why a price file can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PricesError {
    /// It can't be read.
    #[error("the price file {} can't be read", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// It is larger than a price file may be.
    #[error("the price file {} is larger than {bytes_max} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The bound.
        bytes_max: u64,
    },
    /// It is not written as a price file has to be.
    #[error("the price file {} is not written as it has to be: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// The field or model, its line where that is known, and the rule.
        why: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(deserialize_with = "date")]
    date: String,
    source: String,
    models: Vec<Row>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    #[serde(deserialize_with = "name")]
    provider: String,
    #[serde(deserialize_with = "name")]
    model: String,
    #[serde(deserialize_with = "money")]
    input: Money,
    #[serde(deserialize_with = "money")]
    output: Money,
}

impl Prices {
    /// The list of this version.
    pub fn built_in() -> Self {
        Self { own: None }
    }

    /// The list in a file, which replaces the built-in one whole.
    ///
    /// # Errors
    /// [`PricesError`], naming line and field.
    pub fn load(path: &Path) -> Result<Self, PricesError> {
        let unreadable = |source| PricesError::Unreadable { path: path.to_owned(), source };
        let malformed = |why| PricesError::Malformed { path: path.to_owned(), why };
        let mut bytes = Vec::new();
        let file = std::fs::File::open(path).map_err(unreadable)?;
        file.take(PRICES_BYTES_MAX + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > PRICES_BYTES_MAX {
            return Err(PricesError::TooLarge { path: path.to_owned(), bytes_max: PRICES_BYTES_MAX });
        }
        let text = String::from_utf8(bytes).map_err(|_| malformed("it is not UTF-8 text".to_owned()))?;
        Self::parse(&text).map_err(malformed)
    }

    /// The list in `text`: a JSON object with `date`, `source` and `models`, each model with `provider`, `model`, and
    /// `input` and `output` as decimal text, in US dollars for a million tokens.
    ///
    /// # Errors
    /// What is wrong with it, and where.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { own: Some(Arc::new(List::parse(text)?)) })
    }

    fn list(&self) -> &List {
        self.own.as_deref().unwrap_or(&BUILT_IN_LIST)
    }

    /// The day as of which they hold, such as `2026-11-24`.
    pub fn date(&self) -> &str {
        &self.list().date
    }

    /// Where they come from, in words.
    pub fn source(&self) -> &str {
        &self.list().source
    }

    /// How many models have a price.
    pub fn len(&self) -> usize {
        self.list().by_model.len()
    }

    /// Whether no model has a price.
    pub fn is_empty(&self) -> bool {
        self.list().by_model.is_empty()
    }

    /// How `model` of `provider` is paid for; `has_key` says that it is used with a key of an API, and not with a
    /// login. Codex with a login is a subscription; with a key it costs what OpenAI's models do, unless the list names
    /// it itself.
    pub fn pricing(&self, provider: &str, model: &str, has_key: bool) -> Pricing {
        let find = |provider: &str| self.list().by_model.get(&(provider.to_owned(), model.to_owned())).copied();
        let (codex, openai) = CODEX;
        let price = match provider {
            provider if provider != codex => find(provider),
            _ if !has_key => return Pricing::Subscription,
            _ => find(codex).or_else(|| find(openai)),
        };
        price.map_or(Pricing::Unknown, Pricing::PerToken)
    }
}

impl List {
    fn parse(text: &str) -> Result<Self, String> {
        let File { date, source, models } = serde_json::from_str(text).map_err(|error| error.to_string())?;
        if models.len() > PRICES_MAX {
            return Err(format!("it has {} models; {PRICES_MAX} are the most", models.len()));
        }
        let mut by_model = HashMap::with_capacity(models.len());
        for Row { provider, model, input, output } in models {
            let named = format!("`{model}` of `{provider}`");
            if by_model.insert((provider, model), Price { input, output }).is_some() {
                return Err(format!("the model {named} has two prices; keep one"));
            }
        }
        Ok(Self { date, source, by_model })
    }
}

fn date<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    match day::parse(&text) {
        Some(_) => Ok(text),
        None => Err(de::Error::custom(format!("`date` is {text:?}, but it must be a day such as 2026-11-24"))),
    }
}

fn name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_name = !text.trim().is_empty() && text.len() <= NAME_BYTES_MAX && !text.chars().any(char::is_control);
    match is_name {
        true => Ok(text),
        false => Err(de::Error::custom(format!(
            "`provider` and `model` must be names of 1 to {NAME_BYTES_MAX} bytes without control characters"
        ))),
    }
}

fn money<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
    let text = String::deserialize(deserializer)?;
    let shown: String = text.chars().take(40).collect();
    text.parse()
        .map_err(|rule| de::Error::custom(format!("{shown:?} is no price: `input` and `output` must be {rule}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brain::{BrainSettings, Provider};

    const ROW: &str = r#"{"provider": "lab", "model": "m", "input": "1.00", "output": "2.00"}"#;

    fn list(date: &str, rows: &str) -> String {
        format!("{{\"date\": \"{date}\", \"source\": \"a test\",\n\"models\": [\n{rows}\n]}}")
    }

    #[test]
    fn the_built_in_list_prices_the_usual_models() {
        let prices = Prices::built_in();
        assert!(!prices.is_empty() && !prices.source().is_empty() && prices.date().starts_with("20"));
        let vars: crate::config::Vars = [("RUSTY_PINCH_PROVIDER", "local")].into_iter().collect();
        let settings: BrainSettings = crate::config::Settings::from_vars(&vars).unwrap().brain;
        for provider in [Provider::Openai, Provider::Openrouter, Provider::Groq] {
            let model = settings.model(provider).unwrap();
            assert!(matches!(prices.pricing(provider.name(), model, true), Pricing::PerToken(_)), "{provider} {model}");
        }
    }

    #[test]
    fn a_login_costs_nothing_and_a_key_costs_what_the_model_does() {
        let prices = Prices::built_in();
        let usage = Usage { input_tokens: 1_000_000, output_tokens: 100_000 };
        assert_eq!(prices.pricing("codex", "gpt-5", false).cost(usage), Some(Money::ZERO));
        assert_eq!(prices.pricing("codex", "default", false).cost(usage), Some(Money::ZERO));
        assert_eq!(prices.pricing("codex", "gpt-5", true).cost(usage), Some("2.25".parse().unwrap()));
        assert_eq!(prices.pricing("openai", "gpt-5", false), prices.pricing("openai", "gpt-5", true));
        for (provider, model) in [("codex", "default"), ("openai", "gpt-99"), ("compatible", "gpt-5")] {
            assert_eq!(prices.pricing(provider, model, true).cost(usage), None, "{provider} {model}");
        }
        let own = list("2026-01-02", &ROW.replace("lab", "codex"));
        assert!(matches!(Prices::parse(&own).unwrap().pricing("codex", "m", true), Pricing::PerToken(_)));
    }

    #[test]
    fn a_list_that_breaks_its_rules_is_refused_with_line_and_field() {
        assert_eq!(Prices::parse(&list("2026-01-02", ROW)).unwrap().len(), 1);
        let with = |from: &str, to: &str| list("2026-01-02", &ROW.replace(from, to));
        for (text, parts) in [
            (list("2026-02-30", ROW), &["line 1", "`date`", "2026-02-30"][..]),
            (with("\"1.00\"", "\"-1\""), &["line 3", "\"-1\"", "`input`", "such as `1.50`"]),
            (with("\"1.00\"", "1.00"), &["line 3", "expected a string"]),
            (with("output", "ouput"), &["line 3", "ouput", "`output`"]),
            (with(", \"output\": \"2.00\"", ""), &["line 3", "missing field `output`"]),
            (with("\"m\"", "\" \""), &["line 3", "`model`"]),
            (list("2026-01-02", &format!("{ROW},\n{ROW}")), &["`m` of `lab`", "two prices"]),
            ("[]".to_owned(), &["line 1"]),
            (String::new(), &["line 1"]),
        ] {
            let why = Prices::parse(&text).expect_err(&text);
            for part in parts {
                assert!(why.contains(part), "{part:?} is not in {why}");
            }
        }
    }

    #[test]
    fn a_file_that_is_missing_or_too_large_or_no_text_is_an_error_that_names_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("prices.json");
        let failed = |part: &str| {
            let error = Prices::load(&path).unwrap_err().to_string();
            assert!(error.contains("prices.json") && error.contains(part), "{error}");
        };
        failed("can't be read");
        std::fs::write(&path, " ".repeat(1024 * 1024 + 1)).unwrap();
        failed("larger than");
        std::fs::write(&path, [0xff]).unwrap();
        failed("UTF-8");
        std::fs::write(&path, list("2026-01-02", ROW)).unwrap();
        assert_eq!(Prices::load(&path).unwrap().date(), "2026-01-02");
    }
}
