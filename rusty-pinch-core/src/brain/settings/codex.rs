//! The Codex CLI's variables.

use std::path::PathBuf;
use std::time::Duration;

use super::accounts::{self, CodexAccountSettings, REQUESTS_MAX, USUAL_ID, Usual};
use super::base64;
use crate::config::{Kind, Reader, Section, Variable};
use crate::data::Secret;

const ENABLED: Variable =
    Variable::new("RUSTY_PINCH_CODEX_ENABLED", Kind::Boolean, "Whether the Codex CLI may be used at all.")
        .default("true");

const CLI_BIN: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_CLI_BIN",
    Kind::Path,
    "The Codex program: a path, or a name that is looked for in PATH.",
)
.default("codex");

const CLI_ARGS: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_CLI_ARGS",
    Kind::Words,
    "Arguments for the Codex program. Where these or one of the two flags below are set, an invocation of your own \
     replaces the built-in one, and what you write is what runs: Codex's own tools are not switched off unless you do it.",
)
.otherwise(
    "the built-in invocation (Codex's own tools off, read-only, in an empty folder), or `exec --skip-git-repo-check` where \
     one of the flags is set",
);

const PROMPT_FLAG: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_PROMPT_FLAG",
    Kind::Flag,
    "The flag before the prompt, in an invocation of your own. Without one the prompt is the last argument; `-` sends it \
     to standard input.",
)
.otherwise("no flag");

const MODEL_FLAG: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_MODEL_FLAG",
    Kind::Flag,
    "The flag before the model, in an invocation of your own.",
)
.otherwise("`--model`");

const MODEL: Variable = Variable::new("RUSTY_PINCH_CODEX_MODEL", Kind::Text, "The model that Codex is asked for.")
    .otherwise("RUSTY_PINCH_MODEL, or else Codex's own choice");

const TRANSPORT: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_TRANSPORT",
    Kind::Choice(&["exec", "app-server"]),
    "How Codex is called: `exec` starts it for each request; `app-server` keeps one running, which is faster, shows the \
     answer while it is written, and knows how much of the account's quota is used, but is experimental in Codex.",
)
.default("exec");

const TIMEOUT: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_TIMEOUT_SECS",
    Kind::Integer { min: 1, max: 3600 },
    "How long one run of Codex may take, in seconds.",
)
.default("120");

const HOME: Variable =
    Variable::new("RUSTY_PINCH_CODEX_HOME", Kind::Path, "The folder of Codex's login and configuration.")
        .aliases(&["CODEX_HOME"])
        .otherwise("`~/.codex`");

const API_KEY: Variable =
    Variable::new("RUSTY_PINCH_CODEX_API_KEY", Kind::Secret, "A key that Codex uses instead of its login.")
        .aliases(&["CODEX_API_KEY"]);

const API_BASE: Variable =
    Variable::new("RUSTY_PINCH_CODEX_API_BASE", Kind::Url, "Where Codex finds the Responses API.")
        .otherwise("where its login belongs");

pub(crate) const ACCOUNTS: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_ACCOUNTS",
    Kind::Accounts,
    "The accounts, each `id|api_key_env|max_requests|model`, entries apart by `;`; all but the id may be left out. The \
     first one uses the login in RUSTY_PINCH_CODEX_HOME, the others have homes of their own in the data folder. Using \
     several accounts is subject to the provider's terms.",
)
.otherwise("one account, `default`");

const ACCOUNT_MAX_REQUESTS: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_ACCOUNT_MAX_REQUESTS",
    Kind::Integer { min: 1, max: REQUESTS_MAX },
    "How many requests an account may be asked in one window, where its entry does not say.",
)
.default("200");

pub(crate) const ACCOUNT_API_KEY_ENV: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_ACCOUNT_API_KEY_ENV",
    Kind::VariableName,
    "The variable that an account's key is in, where its entry does not say.",
)
.otherwise("the account's login");

const ACCOUNT_MODEL: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_ACCOUNT_MODEL",
    Kind::Text,
    "The model that an account is asked for, where its entry does not say.",
)
.otherwise("RUSTY_PINCH_CODEX_MODEL");

const RATE_WINDOW: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_RATE_WINDOW_SECS",
    Kind::Integer { min: 1, max: 31 * 24 * 3600 },
    "How long a window of an account lasts, in seconds. It begins with the first request in it.",
)
.default("3600");

const THRESHOLD: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_RATE_LIMIT_THRESHOLD_PERCENT",
    Kind::Integer { min: 0, max: 99 },
    "How much of all accounts' quota is kept for people, in percent: while no more than this is left, background work \
     waits in the queue.",
)
.default("25");

const QUEUE_CAPACITY: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_QUEUE_CAPACITY",
    Kind::Integer { min: 1, max: 10_000 },
    "How many tasks may wait in the queue. When it is full, a new one is refused; none that waits is dropped.",
)
.default("256");

const HEALTHCHECK_INTERVAL: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_HEALTHCHECK_INTERVAL_SECS",
    Kind::Integer { min: 1, max: 24 * 3600 },
    "How often the pulse looks whether an account can be used, in seconds. It makes no request to a model.",
)
.default("300");

const HEALTHCHECK_ARGS: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_HEALTHCHECK_ARGS",
    Kind::Words,
    "Arguments for the Codex program that check whether it works.",
)
.default("--version");

const AUTH_FILE: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_CHATGPT_AUTH_FILE",
    Kind::Path,
    "A file `auth.json` that the first account's home begins with, while it has none. It is never written over a login.",
);

const AUTH_JSON: Variable =
    Variable::new("RUSTY_PINCH_CODEX_CHATGPT_AUTH_JSON_B64", Kind::Base64, "The same as text in base64.");

pub(crate) const SECTION: Section = Section {
    title: "Codex",
    doc: "The Codex CLI as a brain: it thinks, and only Rusty Pinch's tools act.",
    variables: &[
        ENABLED,
        CLI_BIN,
        CLI_ARGS,
        PROMPT_FLAG,
        MODEL_FLAG,
        MODEL,
        TRANSPORT,
        TIMEOUT,
        HOME,
        API_KEY,
        API_BASE,
        ACCOUNTS,
        ACCOUNT_MAX_REQUESTS,
        ACCOUNT_API_KEY_ENV,
        ACCOUNT_MODEL,
        RATE_WINDOW,
        THRESHOLD,
        QUEUE_CAPACITY,
        HEALTHCHECK_INTERVAL,
        HEALTHCHECK_ARGS,
        AUTH_FILE,
        AUTH_JSON,
    ],
};

/// How the Codex CLI is called.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodexTransport {
    /// A run of its own for each request, `codex exec`.
    #[default]
    Exec,
    /// One child for many requests, `codex app-server`.
    AppServer,
}

impl CodexTransport {
    fn parse(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "exec" => Ok(Self::Exec),
            "app-server" => Ok(Self::AppServer),
            _ => Err(TRANSPORT.kind.rule()),
        }
    }
}

/// The Codex CLI's settings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CodexSettings {
    /// Whether it may be used at all.
    pub enabled: bool,
    /// The program: a path, or a name to look for.
    pub program: PathBuf,
    /// Arguments instead of the built-in invocation.
    pub arguments: Option<Vec<String>>,
    /// The flag before the prompt, when somebody chose; empty for none.
    pub prompt_flag: Option<String>,
    /// The flag before the model, when somebody chose; empty for none.
    pub model_flag: Option<String>,
    /// The model, when somebody chose.
    pub model: Option<String>,
    /// How it is called.
    pub transport: CodexTransport,
    /// How long one run may take.
    pub timeout: Duration,
    /// The folder of login and configuration, when somebody chose.
    pub home: Option<PathBuf>,
    /// A key instead of the login.
    pub api_key: Option<Secret>,
    /// Where the Responses API is, when somebody said.
    pub api_base: Option<String>,
    /// The accounts; at least one. Where nobody named any it is `default`.
    pub accounts: Vec<CodexAccountSettings>,
    /// How long a window of an account lasts.
    pub rate_window: Duration,
    /// How much of the quota is kept for people, in percent.
    pub reserve_percent: u8,
    /// How many tasks may wait.
    pub queue_capacity: usize,
    /// How often an account is looked at.
    pub healthcheck_interval: Duration,
    /// Arguments that check whether the program works.
    pub healthcheck_arguments: Vec<String>,
    /// The login that the first account's home begins with.
    pub login_seed: Option<CodexLoginSeed>,
}

/// A login that a home begins with while it has none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CodexLoginSeed {
    /// The file `auth.json` to begin with.
    File(PathBuf),
    /// Its text.
    Text(Secret),
}

impl CodexSettings {
    /// Whether an invocation of one's own replaces the built-in one.
    pub fn has_own_invocation(&self) -> bool {
        self.arguments.is_some() || self.prompt_flag.is_some() || self.model_flag.is_some()
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let arguments = reader.words(&CLI_ARGS);
        let accounts = read_accounts(reader);
        let login_seed = read_login_seed(reader);
        let settings = Self {
            enabled: reader.boolean(&ENABLED),
            program: reader.path(&CLI_BIN).unwrap_or_default(),
            arguments: reader.given_as(&CLI_ARGS).map(|_| arguments),
            prompt_flag: reader.text(&PROMPT_FLAG),
            model_flag: reader.text(&MODEL_FLAG),
            model: reader.text(&MODEL),
            transport: reader.parse(&TRANSPORT, CodexTransport::parse).unwrap_or_default(),
            timeout: Duration::from_secs(reader.integer(&TIMEOUT)),
            home: reader.path(&HOME),
            api_key: reader.secret(&API_KEY),
            api_base: reader.url(&API_BASE),
            accounts,
            rate_window: Duration::from_secs(reader.integer(&RATE_WINDOW)),
            reserve_percent: u8::try_from(reader.integer(&THRESHOLD)).unwrap_or_default(),
            queue_capacity: usize::try_from(reader.integer(&QUEUE_CAPACITY)).unwrap_or_default(),
            healthcheck_interval: Duration::from_secs(reader.integer(&HEALTHCHECK_INTERVAL)),
            healthcheck_arguments: reader.words(&HEALTHCHECK_ARGS),
            login_seed,
        };
        if settings.transport == CodexTransport::AppServer && settings.has_own_invocation() {
            let own = [&CLI_ARGS, &PROMPT_FLAG, &MODEL_FLAG].into_iter().filter_map(|own| reader.given_as(own));
            let own = own.collect::<Vec<_>>().join(", ");
            let why = format!("{} is `app-server`, which takes no invocation of your own ({own})", TRANSPORT.name);
            reader.contradiction(why, "set it to `exec`, or remove the others");
        }
        settings
    }

    pub(crate) fn secrets(&self) -> impl Iterator<Item = &Secret> {
        let seed = self.login_seed.iter().filter_map(|seed| match seed {
            CodexLoginSeed::Text(text) => Some(text),
            CodexLoginSeed::File(_) => None,
        });
        self.api_key.iter().chain(self.accounts.iter().filter_map(|account| account.api_key.as_ref())).chain(seed)
    }
}

fn read_accounts(reader: &mut Reader<'_>) -> Vec<CodexAccountSettings> {
    let name_rule =
        |text: &str| accounts::is_variable_name(text).then(|| text.to_owned()).ok_or_else(|| Kind::VariableName.rule());
    let usual = Usual {
        api_key_env: reader.parse(&ACCOUNT_API_KEY_ENV, name_rule),
        // A bad value is noted already.
        requests_max: u32::try_from(reader.integer(&ACCOUNT_MAX_REQUESTS)).unwrap_or_default().max(1),
        model: reader.text(&ACCOUNT_MODEL),
    };
    let given = reader.text(&ACCOUNTS).unwrap_or_default();
    let text = if given.split(';').all(|entry| entry.trim().is_empty()) { USUAL_ID } else { &given };
    match accounts::parse(text, &usual, |name| reader.named_secret(name)) {
        Ok(accounts) => accounts,
        Err(problems) => {
            for problem in problems {
                reader.entry(&ACCOUNTS, problem.entry, problem.why, problem.fix);
            }
            Vec::new()
        }
    }
}

fn read_login_seed(reader: &mut Reader<'_>) -> Option<CodexLoginSeed> {
    let file = reader.path(&AUTH_FILE);
    let text = reader.parse(&AUTH_JSON, |text| {
        let decoded = base64::decode(text).and_then(|bytes| String::from_utf8(bytes).ok());
        let is_object =
            |text: &String| serde_json::from_str(text).is_ok_and(|value: serde_json::Value| value.is_object());
        decoded.filter(is_object).map(Secret::new).ok_or_else(|| Kind::Base64.rule())
    });
    if file.is_some() && text.is_some() {
        let (file, text) = (AUTH_FILE.name, AUTH_JSON.name);
        reader.contradiction(format!("{file} and {text} are both set"), "set the one that has the login");
    }
    text.map(CodexLoginSeed::Text).or(file.map(CodexLoginSeed::File))
}
