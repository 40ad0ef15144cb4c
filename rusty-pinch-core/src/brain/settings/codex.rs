//! The Codex CLI's variables.

use std::path::PathBuf;
use std::time::Duration;

use crate::config::{Kind, Reader, Section, Variable};

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
    "Arguments for the Codex program instead of the built-in invocation. Then what you write is what runs: its own \
     tools are not switched off unless you do it.",
)
.otherwise("the built-in invocation: Codex's own tools off, read-only sandbox, empty working directory");

const PROMPT_FLAG: Variable = Variable::new(
    "RUSTY_PINCH_CODEX_PROMPT_FLAG",
    Kind::Flag,
    "The flag before the prompt, in an invocation of your own. Without one the prompt goes to standard input.",
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

pub(crate) const SECTION: Section = Section {
    title: "Codex",
    doc: "The Codex CLI as a brain: it thinks, and only Rusty Pinch's tools act.",
    variables: &[ENABLED, CLI_BIN, CLI_ARGS, PROMPT_FLAG, MODEL_FLAG, MODEL, TIMEOUT, HOME],
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
}

impl CodexSettings {
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
        }
    }
}
