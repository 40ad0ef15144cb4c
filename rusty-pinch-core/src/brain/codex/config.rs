//! What one Codex account needs to think: its program, its login, its environment.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use crate::data::Secret;

/// How many tokens fit into prompt and answer, where nobody says: less than the smallest model of the CLI's catalogue.
pub const CODEX_CONTEXT_TOKENS: usize = 200_000;
/// How long the model may be silent in the middle of an answer, where nobody says.
pub const CODEX_IDLE_TIMEOUT: Duration = Duration::from_secs(120);
/// The flag before the model in an invocation of one's own, where nobody says.
pub const CODEX_MODEL_FLAG: &str = "--model";

/// One Codex account.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CodexConfig {
    /// The CLI. Best the native binary, as `find_codex` gives it.
    pub program: PathBuf,
    /// `CODEX_HOME`: the account's login is here. An `AGENTS.md` in it reaches the model with every prompt.
    pub home: PathBuf,
    /// The model; without one the CLI chooses.
    pub model: Option<String>,
    /// A key that is used instead of the login.
    pub api_key: Option<Secret<String>>,
    /// Where the Responses API is, such as `http://127.0.0.1:8080/v1`; without one it is where the login belongs.
    pub base_url: Option<String>,
    /// How the CLI is called.
    pub invocation: CodexInvocation,
    /// What the CLI gets from this process's environment.
    pub environment: CodexEnvironment,
    /// How many tokens fit into prompt and answer together.
    pub context_tokens: usize,
    /// How long the model may be silent in the middle of an answer.
    pub idle_timeout: Duration,
}

impl CodexConfig {
    /// The account whose login is in `home`, called in the built-in way.
    pub fn new(program: impl Into<PathBuf>, home: impl Into<PathBuf>) -> Self {
        Self {
            program: program.into(),
            home: home.into(),
            model: None,
            api_key: None,
            base_url: None,
            invocation: CodexInvocation::default(),
            environment: CodexEnvironment::default(),
            context_tokens: CODEX_CONTEXT_TOKENS,
            idle_timeout: CODEX_IDLE_TIMEOUT,
        }
    }
}

/// How the CLI is called.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CodexInvocation {
    /// As a brain without hands: its own tools off, read-only, in an empty directory, nothing read but its login.
    BuiltIn {
        /// More `key=value` for the CLI's `-c`, which win over ours. They can turn its own tools on again; an attempt
        /// that uses one fails all the same.
        overrides: Vec<String>,
    },
    /// As the operator wrote it. Nothing is switched off.
    Own(OwnInvocation),
}

/// An invocation of one's own: `program arguments… [model_flag model] [prompt_flag] prompt`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnInvocation {
    /// The arguments. A lone `-` among them sends the prompt to standard input, as it does for the CLI.
    pub arguments: Vec<String>,
    /// The flag before the model; empty for none, and then the model is an argument of its own.
    pub model_flag: String,
    /// The flag before the prompt; empty for none. `-` sends the prompt to standard input.
    pub prompt_flag: String,
}

impl Default for CodexInvocation {
    fn default() -> Self {
        Self::BuiltIn { overrides: Vec::new() }
    }
}

/// The variables that the CLI may get from this process: where programs, certificates and proxies are, no secrets of
/// ours.
const PASSED_ON: [&str; 19] = [
    "PATH",
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TMPDIR",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "CODEX_CA_CERTIFICATE",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    // Without these two no program starts on Windows.
    "SystemRoot",
    "USERPROFILE",
];

/// What the CLI gets from this process's environment. Its `Debug` shows names only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct CodexEnvironment(BTreeMap<OsString, OsString>);

impl CodexEnvironment {
    /// Picks from `variables` what the CLI needs and drops the rest: it must not see keys and tokens that are not its own.
    pub fn pick(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        Self(variables.into_iter().filter(|(name, _)| PASSED_ON.iter().any(|passed| name == passed)).collect())
    }

    /// The same with one more variable.
    #[must_use]
    pub fn with(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.0.insert(name.into(), value.into());
        self
    }

    pub(super) fn variables(&self) -> &BTreeMap<OsString, OsString> {
        &self.0
    }
}

impl fmt::Debug for CodexEnvironment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}
