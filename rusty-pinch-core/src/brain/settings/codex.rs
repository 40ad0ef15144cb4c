//! The Codex CLI's variables.

use std::path::PathBuf;
use std::time::Duration;

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

pub(crate) const SECTION: Section = Section {
    title: "Codex",
    doc: "The Codex CLI as a brain: it thinks, and only Rusty Pinch's tools act.",
    variables: &[ENABLED, CLI_BIN, CLI_ARGS, PROMPT_FLAG, MODEL_FLAG, MODEL, TIMEOUT, HOME, API_KEY, API_BASE],
};

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
    /// How long one run may take.
    pub timeout: Duration,
    /// The folder of login and configuration, when somebody chose.
    pub home: Option<PathBuf>,
    /// A key instead of the login.
    pub api_key: Option<Secret>,
    /// Where the Responses API is, when somebody said.
    pub api_base: Option<String>,
}

impl CodexSettings {
    /// Whether an invocation of one's own replaces the built-in one.
    pub fn has_own_invocation(&self) -> bool {
        self.arguments.is_some() || self.prompt_flag.is_some() || self.model_flag.is_some()
    }

    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let arguments = reader.words(&CLI_ARGS);
        Self {
            enabled: reader.boolean(&ENABLED),
            program: reader.path(&CLI_BIN).unwrap_or_default(),
            arguments: reader.given_as(&CLI_ARGS).map(|_| arguments),
            prompt_flag: reader.text(&PROMPT_FLAG),
            model_flag: reader.text(&MODEL_FLAG),
            model: reader.text(&MODEL),
            timeout: Duration::from_secs(reader.integer(&TIMEOUT)),
            home: reader.path(&HOME),
            api_key: reader.secret(&API_KEY),
            api_base: reader.url(&API_BASE),
        }
    }
}
