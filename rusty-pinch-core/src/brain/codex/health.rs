//! Whether an account can be used: its program answers, and it is logged in. No model is asked.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;

use super::failure::shortened;
use super::{AccountId, CodexAccount, CodexInvocation, NAME, cli, on_disk, room};
use crate::sys::{Clock, Ending, Exit, Lines, Spawn, SpawnError};

/// How long one run of the program may take.
const CHECK_TIME_MAX: Duration = Duration::from_secs(10);
/// How much is shown of what is no version.
const VERSION_CHARS_SHOWN: usize = 60;
/// What the program is asked, where nobody says otherwise.
pub const CODEX_HEALTHCHECK_ARGUMENTS: [&str; 1] = ["--version"];

/// What a check found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HealthReport {
    /// The account.
    pub account_id: AccountId,
    /// Whether it can be used.
    pub healthy: bool,
    /// The program's version and login, or what is wrong and what to do.
    pub message: String,
}

/// Looks at accounts by running their program.
#[derive(Debug)]
pub(super) struct HealthChecks {
    pub(super) arguments: Vec<String>,
    pub(super) spawn: Arc<dyn Spawn>,
    pub(super) clock: Arc<dyn Clock>,
}

impl HealthChecks {
    /// Looks at `account`. Every way in which its program can fail is a report, not an error.
    pub(super) async fn check(&self, account: &CodexAccount) -> HealthReport {
        let found = self.look(account).await;
        let account_id = account.id.clone();
        match found {
            Ok(message) => HealthReport { account_id, healthy: true, message },
            Err(message) => HealthReport { account_id, healthy: false, message },
        }
    }

    async fn look(&self, account: &CodexAccount) -> Result<String, String> {
        let home = account.config.home.clone();
        let room =
            on_disk(move || room(&home)).await.map_err(|error: io::Error| format!("no place to run it: {error}"))?;
        let is_own = matches!(account.config.invocation, CodexInvocation::Own(_));
        let is_usual = !is_own && self.arguments == CODEX_HEALTHCHECK_ARGUMENTS;
        let exit = self.run(account, &self.arguments, room.path()).await;
        let said = if is_usual { version(exit) } else { worked(exit) }?;
        if account.config.api_key.is_some() {
            return Ok(format!("{said}, with a key"));
        }
        if is_own {
            return Ok(said);
        }
        let asked = ["login", "status"].map(str::to_owned);
        match self.run(account, &asked, room.path()).await {
            Ok(exit) if exit.ending.is_success() => Ok(format!("{said}, logged in")),
            Ok(Exit { ending: Ending::Code(_), .. }) => Err(format!(
                "{said} is not logged in; run `codex login` with CODEX_HOME={}",
                account.config.home.display()
            )),
            other => worked(other),
        }
    }

    async fn run(&self, account: &CodexAccount, arguments: &[String], room: &Path) -> Result<Exit, SpawnError> {
        let deadline = self.clock.now() + CHECK_TIME_MAX;
        let command = cli::check(&account.config, arguments, room, deadline);
        let mut exit = self.spawn.run(&command, &Lines::none()).await?;
        if let Some(key) = &account.config.api_key {
            for captured in [&mut exit.stdout, &mut exit.stderr] {
                captured.bytes = key.redact(&captured.text()).into_bytes();
            }
        }
        Ok(exit)
    }
}

/// The version that the Codex CLI printed, or why that is none.
fn version(exit: Result<Exit, SpawnError>) -> Result<String, String> {
    let line = worked(exit)?;
    let mut words = line.split_whitespace();
    let is_codex = words.next().is_some_and(|word| word.to_ascii_lowercase().starts_with(NAME));
    if is_codex && words.any(|word| word.trim_start_matches('v').starts_with(|c: char| c.is_ascii_digit())) {
        return Ok(line);
    }
    let line: String = line.chars().take(VERSION_CHARS_SHOWN).collect();
    Err(format!(
        "it is not the Codex CLI: asked for its version it printed {line:?}; correct RUSTY_PINCH_CODEX_CLI_BIN"
    ))
}

/// The first line that a program printed which ended well, or why it did not.
fn worked(exit: Result<Exit, SpawnError>) -> Result<String, String> {
    let exit = exit.map_err(|error| error.to_string())?;
    let first = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes);
        text.lines().map(str::trim).find(|line| !line.is_empty()).map(shortened).unwrap_or_default()
    };
    match exit.ending {
        Ending::Code(0) => Ok(first(&exit.stdout.bytes)),
        Ending::Deadline => {
            Err(format!("the program did not end within {} s; is it the Codex CLI?", CHECK_TIME_MAX.as_secs()))
        }
        ending => {
            let said = Some(first(&exit.stderr.bytes)).filter(|said| !said.is_empty());
            let said = said.unwrap_or_else(|| first(&exit.stdout.bytes));
            if said.is_empty() {
                return Err(format!("the program failed ({ending}) and said nothing; is it the Codex CLI?"));
            }
            Err(format!("the program failed ({ending}): {said:?}"))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use async_trait::async_trait;

    use super::*;
    use crate::brain::{CodexConfig, OwnInvocation};
    use crate::sys::{Captured, Command};
    use crate::testing::VirtualClock;

    /// A program that answers its first argument.
    #[derive(Debug)]
    struct Program {
        answers: Vec<(&'static str, Ending, &'static str)>,
        commands: Mutex<Vec<Command>>,
    }

    #[async_trait]
    impl Spawn for Program {
        async fn run(&self, command: &Command, _: &Lines) -> Result<Exit, SpawnError> {
            self.commands.lock().unwrap().push(command.clone());
            let first = command.arguments.first().map(|argument| argument.to_string_lossy().into_owned());
            let answer = self.answers.iter().find(|(argument, ..)| Some(*argument) == first.as_deref());
            let Some((_, ending, text)) = answer else {
                return Err(SpawnError::NotFound { program: command.program.clone() });
            };
            let stdout = Captured { bytes: text.as_bytes().to_vec(), truncated: false };
            Ok(Exit { ending: *ending, stdout, stderr: Captured::default() })
        }
    }

    async fn check(
        answers: &[(&'static str, Ending, &'static str)],
        key: Option<&str>,
        invocation: CodexInvocation,
    ) -> (HealthReport, Vec<Command>) {
        let program = Arc::new(Program { answers: answers.to_vec(), commands: Mutex::default() });
        let checks = HealthChecks {
            arguments: CODEX_HEALTHCHECK_ARGUMENTS.map(str::to_owned).to_vec(),
            spawn: program.clone(),
            clock: Arc::new(VirtualClock::default()),
        };
        let dir = tempfile::tempdir().unwrap();
        let mut config = CodexConfig::new("codex", dir.path());
        config.api_key = key.map(Into::into);
        config.invocation = invocation;
        let report = checks.check(&CodexAccount::new(AccountId::usual(), config, 1)).await;
        let commands = program.commands.lock().unwrap().clone();
        (report, commands)
    }

    #[tokio::test]
    async fn every_way_in_which_a_program_is_wrong_has_its_words() {
        let (ok, gone) = (Ending::Code(0), Ending::Code(1));
        let good = ("--version", ok, "codex-cli 0.169.0\n");
        for (answers, healthy, said) in [
            (vec![good, ("login", ok, "")], true, "codex-cli 0.169.0, logged in"),
            (vec![good, ("login", gone, "Not logged in")], false, "is not logged in; run `codex login`"),
            (vec![good, ("login", Ending::Deadline, "")], false, "did not end within 10 s"),
            (vec![good], false, "there is no program `codex`"),
            (vec![], false, "there is no program `codex`"),
            (vec![("--version", Ending::Deadline, "")], false, "did not end within 10 s"),
            (vec![("--version", ok, "cat (GNU coreutils) 9.1")], false, "not the Codex CLI"),
            (vec![("--version", ok, "")], false, "not the Codex CLI"),
            (vec![("--version", ok, "\u{1b}[31mx\u{7}\n")], false, "not the Codex CLI"),
            (vec![("--version", ok, "codex")], false, "not the Codex CLI"),
            (vec![("--version", Ending::Code(3), "no such flag")], false, "exit code 3): \"no such flag\""),
            (vec![("--version", Ending::Signal(9), "")], false, "killed by signal 9"),
        ] {
            let (report, _) = check(&answers, None, CodexInvocation::default()).await;
            assert_eq!(report.healthy, healthy, "{answers:?}: {report:?}");
            assert!(report.message.contains(said), "{answers:?}: {report:?}");
            assert!(!report.message.chars().any(char::is_control), "{report:?}");
        }
    }

    #[tokio::test]
    async fn a_key_needs_no_login_and_is_never_shown() {
        let (report, commands) = check(
            &[("--version", Ending::Code(0), "codex-cli 1.0 sk-hush")],
            Some("sk-hush"),
            CodexInvocation::default(),
        )
        .await;
        assert!(report.healthy && commands.len() == 1 && !report.message.contains("hush"), "{report:?}");
    }

    #[tokio::test]
    async fn a_program_of_ones_own_only_has_to_work() {
        let own = OwnInvocation { arguments: Vec::new(), model_flag: String::new(), prompt_flag: String::new() };
        let (report, _) = check(&[("--version", Ending::Code(0), "mine")], None, CodexInvocation::Own(own)).await;
        assert_eq!((report.healthy, report.message.as_str()), (true, "mine"));
    }
}
