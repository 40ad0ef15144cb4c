//! What went wrong, as people and scripts are told.

use std::error::Error;
use std::io::ErrorKind;

use rusty_pinch_core::config::AssembleError;
use rusty_pinch_core::{
    ApprovalError, BrainError, ErrorClass, Provider, PulseError, QueueError, Redactor, RequestId, SettingsError,
    StoreError, TelemetryError, ToolKind, TurnError, WorkError,
};
use serde_json::{Value, json};

/// How the program ends. `docs/CLI.md` and `--help` say the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    Done = 0,
    Failed = 1,
    Usage = 2,
    Configuration = 3,
    Refused = 4,
    NeedsApproval = 5,
    Interrupted = 130,
}

impl From<Code> for std::process::ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

/// Why a verb did not do what it was asked for.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Something to say.
    Said { code: Code, problems: Vec<Problem>, request_id: Option<RequestId> },
    /// Whoever read standard output went away; there is nobody to tell.
    NobodyReads,
}

/// One problem, and what to do about it.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) error: String,
    pub(crate) fix: Option<String>,
}

impl Failure {
    pub(crate) fn new(code: Code, error: impl Into<String>, fix: Option<&str>) -> Self {
        let problem = Problem { error: error.into(), fix: fix.map(str::to_owned) };
        Self::Said { code, problems: vec![problem], request_id: None }
    }

    pub(crate) fn usage(error: impl Into<String>, fix: &str) -> Self {
        Self::new(Code::Usage, error, Some(fix))
    }

    /// A failure of the system under a command.
    pub(crate) fn failed(doing: &str, error: &(dyn Error + 'static), fix: Option<&str>) -> Self {
        Self::new(Code::Failed, format!("{doing}: {}", with_causes(error)), fix)
    }

    /// A turn failed; `is_stored` when what it is about is in the session by then.
    pub(crate) fn of_turn(request_id: RequestId, session: &str, error: &TurnError, is_stored: bool) -> Self {
        let place = if session.is_empty() { String::new() } else { format!(" in session `{session}`") };
        let error_text = format!("turn {request_id}{place} failed: {}", with_causes(error));
        let problem = Problem { error: error_text, fix: turn_fix(error, session, is_stored) };
        Self::Said { code: turn_code(error), problems: vec![problem], request_id: Some(request_id) }
    }

    pub(crate) fn code(&self) -> Code {
        match self {
            Self::Said { code, .. } => *code,
            Self::NobodyReads => Code::Done,
        }
    }

    /// The failure as the one JSON document of `--json`.
    pub(crate) fn to_json(&self, redactor: &Redactor) -> Value {
        let Self::Said { code, problems, request_id } = self else { return Value::Null };
        let problem = |problem: &Problem| json!({"error": redactor.clean(&problem.error), "fix": problem.fix});
        let problems: Vec<_> = problems.iter().map(problem).collect();
        json!({"status": "error", "exit_code": *code as u8, "errors": problems, "request_id": request_id})
    }
}

impl From<SettingsError> for Failure {
    fn from(error: SettingsError) -> Self {
        let problems = error.problems.iter();
        let problems = problems.map(|problem| Problem { error: problem.to_string(), fix: Some(problem.fix()) });
        Self::Said { code: Code::Configuration, problems: problems.collect(), request_id: None }
    }
}

impl From<AssembleError> for Failure {
    fn from(error: AssembleError) -> Self {
        let (code, fix) = match &error {
            AssembleError::Prices(_) => {
                (Code::Configuration, "correct the file, or unset RUSTY_PINCH_PRICES_FILE for the built-in prices")
            }
            AssembleError::Store(_) => {
                (Code::Configuration, "set RUSTY_PINCH_DATA_DIR to a folder that this user can write")
            }
            _ => (
                Code::Configuration,
                "`rusty-pinch doctor` shows what is set; RUSTY_PINCH_PROVIDER=local works offline",
            ),
        };
        Self::new(code, with_causes(&error), Some(fix))
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::failed("the store failed", &error, store_fix(&error))
    }
}

impl From<WorkError> for Failure {
    fn from(error: WorkError) -> Self {
        let fix = match &error {
            WorkError::Queue(QueueError::Full { .. }) => {
                let fix = "`rusty-pinch codex drain-one` asks for one; RUSTY_PINCH_CODEX_QUEUE_CAPACITY makes room";
                return Self::new(Code::Refused, with_causes(&error), Some(fix));
            }
            WorkError::Queue(QueueError::Prompt { .. } | QueueError::Purpose) => {
                return Self::new(Code::Usage, with_causes(&error), Some("shorten it, and give some text"));
            }
            WorkError::Store(store) | WorkError::Queue(QueueError::Store(store)) => store_fix(store),
            _ => Some("`rusty-pinch codex status` shows the accounts"),
        };
        Self::new(Code::Failed, with_causes(&error), fix)
    }
}

impl From<PulseError> for Failure {
    fn from(error: PulseError) -> Self {
        Self::failed("the pulse failed", &error, Some(STORE_FIX))
    }
}

impl From<ApprovalError> for Failure {
    fn from(error: ApprovalError) -> Self {
        Self::new(Code::Failed, with_causes(&error), None)
    }
}

impl From<TelemetryError> for Failure {
    fn from(error: TelemetryError) -> Self {
        let (code, fix) = match &error {
            TelemetryError::Damaged { .. } => (Code::Failed, "nothing has to be done; the counters begin anew"),
            TelemetryError::Busy { .. } => (Code::Failed, "try again when the other process is done"),
            _ => (Code::Configuration, "correct RUSTY_PINCH_TELEMETRY_FILE or RUSTY_PINCH_DATA_DIR"),
        };
        Self::new(code, format!("the counters can't be read: {}", with_causes(&error)), Some(fix))
    }
}

impl From<std::io::Error> for Failure {
    /// Standard output can't be written.
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::BrokenPipe => Self::NobodyReads,
            _ => Self::failed("standard output can't be written", &error, None),
        }
    }
}

const STORE_FIX: &str = "run `rusty-pinch doctor`; nothing that was stored before is lost";

/// `error` and its causes, joined by colons.
pub(crate) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn turn_code(error: &TurnError) -> Code {
    match error {
        TurnError::Session(_) | TurnError::Message(_) | TurnError::Command(_) | TurnError::UnknownTool { .. } => {
            Code::Usage
        }
        TurnError::Brain(error) => match error.failure() {
            BrainError::Unauthorized { .. } | BrainError::NotConfigured { .. } => Code::Configuration,
            BrainError::OverBudget { .. } => Code::Refused,
            _ => Code::Failed,
        },
        _ => Code::Failed,
    }
}

fn turn_fix(error: &TurnError, session: &str, is_stored: bool) -> Option<String> {
    let resume = resume(session);
    let fix = match error {
        TurnError::Store(StoreError::Busy { .. }) => "wait until the other turn of this session is done",
        TurnError::Store(_) if is_stored => return Some(format!("the message is kept; {resume} goes on")),
        TurnError::Store(error) => store_fix(error)?,
        TurnError::DeadlineExceeded { .. } => return Some(format!("{resume} goes on")),
        // It says itself what raises the cap.
        TurnError::Brain(error) if matches!(error.failure(), BrainError::OverBudget { .. }) => {
            return Some(format!("the message is kept; {resume} goes on when the cap allows it"));
        }
        TurnError::Brain(error) if is_slow_codex(error) => {
            return Some(format!(
                "the message is kept; RUSTY_PINCH_CODEX_TIMEOUT_SECS gives it more time, and `rusty-pinch codex \
                 healthcheck` tells whether the program works; {resume} asks again"
            ));
        }
        TurnError::Brain(error) if matches!(error.failure(), BrainError::NoAccount { .. }) => {
            return Some(format!(
                "the message is kept; `rusty-pinch codex status` shows the accounts, and {resume} asks again"
            ));
        }
        TurnError::Brain(BrainError::AllFailed { .. }) => {
            return Some(format!(
                "the message is kept; {resume} asks again, and `rusty-pinch brain status` shows each"
            ));
        }
        TurnError::Brain(error) => match error.class() {
            ErrorClass::RetryHere => {
                return Some(format!(
                    "the message is kept; {resume} asks again, and `rusty-pinch doctor` shows what is set"
                ));
            }
            ErrorClass::FailOver => {
                return Some(format!(
                    "the message is kept; {resume} asks again when that is mended, and `rusty-pinch doctor` shows what is \
                     set"
                ));
            }
            ErrorClass::Never => return Some(format!("the message is kept; {resume} asks again")),
        },
        TurnError::UnknownTool { kind: ToolKind::Skill, .. } => {
            "`rusty-pinch skills list` shows the skills and what is wrong with those that can't be used"
        }
        TurnError::UnusableSkill { .. } => {
            "`rusty-pinch skills check` names all that can't be used, and `docs/SKILLS.md` has the rules"
        }
        TurnError::UnknownTool { .. } => "`rusty-pinch tools list` shows the tools and how to call them",
        TurnError::Message(_) => "a message is text of up to 256 KiB without control characters",
        _ => return None,
    };
    Some(fix.to_owned())
}

/// Whether Codex was too slow, or a program that is none never ended.
fn is_slow_codex(error: &BrainError) -> bool {
    matches!(error.failure(), BrainError::TimedOut { brain, .. } if brain == Provider::Codex.name())
}

/// What to do about `error`, where it does not say so itself.
fn store_fix(error: &StoreError) -> Option<&'static str> {
    match error {
        StoreError::Busy { .. }
        | StoreError::TooLarge { .. }
        | StoreError::Full { .. }
        | StoreError::Denied { .. }
        | StoreError::Damaged { .. }
        | StoreError::TooNew { .. } => None,
        _ => Some(STORE_FIX),
    }
}

/// The command that goes on with `session`, as a shell takes it.
pub(crate) fn resume(session: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/' | ':' | '@');
    if !session.is_empty() && session.chars().all(is_plain) {
        return format!("`rusty-pinch resume --session {session}`");
    }
    format!("`rusty-pinch resume --session '{}'`", session.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_that_goes_on_names_its_session_as_a_shell_takes_it() {
        assert_eq!(resume("u"), "`rusty-pinch resume --session u`");
        assert_eq!(resume("tg:1"), "`rusty-pinch resume --session tg:1`");
        assert_eq!(resume("it's $me"), r"`rusty-pinch resume --session 'it'\''s $me'`");
    }

    #[test]
    fn a_fix_is_added_where_the_error_has_none_and_a_stored_message_can_go_on() {
        let full = || StoreError::Full { what: "x".into(), source: "disk".into() };
        let failed = StoreError::Failed { what: "x".into(), source: "disk".into() };
        assert_eq!((store_fix(&full()), store_fix(&failed)), (None, Some(STORE_FIX)));
        assert_eq!(turn_fix(&full().into(), "u", false), None);
        let kept = turn_fix(&full().into(), "u", true).unwrap_or_default();
        assert_eq!(kept, "the message is kept; `rusty-pinch resume --session u` goes on");
    }
}
