//! The Codex CLI as a brain: it thinks, our hands act.
//!
//! It owns how one account of the CLI is called and how what it prints is read. It must never let Codex use tools of its
//! own: they are switched off, taken out of its catalogue of models, and a run that shows one is stopped and thrown
//! away. Our tools reach the model as text, and its calls come back as structured output. The prompt goes in on standard
//! input, events come out as lines; a run keeps nothing, in an empty directory, with an environment of its own.
//!
//! Everything that decides is pure: `prompt`, `cli` and `catalogue` on the way in, `events`, `reply` and `failure` on the
//! way out.

mod account;
mod app_server;
mod catalogue;
mod cli;
mod config;
mod detect;
mod events;
mod failure;
mod health;
mod pool;
mod prompt;
mod queue;
mod quota;
mod reply;
#[cfg(test)]
mod tests;
mod transport;
mod work;

use std::fmt;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas};
use crate::hands::ToolSpec;
use crate::sys::{Clock, Command, Ending, Exit, Lines, OutputLine, Spawn};
use account::{Account, NAME, lock, malformed, on_disk, program, room, room_failed};
use cli::{Files, OwnError};
use events::{EVENT_LINE_BYTES_MAX, Event, Transcript};
use failure::shortened;
use reply::{Reply, ReplyError};

pub use app_server::CodexAppServerBrain;
pub use config::{
    CODEX_CONTEXT_TOKENS, CODEX_IDLE_TIMEOUT, CODEX_MODEL_FLAG, CodexConfig, CodexEnvironment, CodexInvocation,
    OwnInvocation,
};
pub use detect::{CodexLogin, codex_login, codex_login_of, find_codex};
pub use health::{CODEX_HEALTHCHECK_ARGUMENTS, HealthReport};
pub use pool::*;
pub use queue::{
    CodexTask, FinishedTask, OpenTask, QueueError, TASK_ATTEMPTS_MAX, TASK_OUTPUT_BYTES_MAX, TASK_PROMPT_BYTES_MAX,
    TASK_PURPOSE_CHARS_MAX, TASK_RESULTS_KEPT, TaskEnding,
};
pub use quota::{QuotaGauge, QuotaReading, QuotaWindow};
pub use transport::codex_brain;
pub use work::{CodexStatus, CodexWork, CodexWorkConfig, QueueReason, Submitted, WorkError, Worked};

/// Thinks with one account of the Codex CLI.
///
/// One attempt is one run of the CLI; the CLI's own retries are off. The account's login, in its `CODEX_HOME`, is used
/// where it is and never copied.
pub struct CodexBrain {
    info: BrainInfo,
    account: Account,
}

impl CodexBrain {
    /// A brain that runs what `config` says through `spawn`.
    pub fn new(config: CodexConfig, spawn: Arc<dyn Spawn>, clock: Arc<dyn Clock>) -> Self {
        let account = Account::new(config, spawn, clock);
        Self { info: account.info(), account }
    }

    /// The command for `request`, with its files in `room`.
    async fn command(&self, request: &CompletionRequest, prompt: String, room: &Path) -> Result<Command, BrainError> {
        let (config, directory) = (&self.account.config, room.join("work"));
        match &config.invocation {
            CodexInvocation::BuiltIn { overrides } => {
                let catalogue = self.account.catalogue(request.deadline, room).await?;
                let files = Files::in_room(room, directory, !request.tools.is_empty());
                write(&files, catalogue, &request.tools).await.map_err(|error| room_failed(&error))?;
                Ok(cli::built_in(config, overrides, &files, prompt, request.deadline))
            }
            CodexInvocation::Own(own) => {
                cli::own(config, own, &directory, prompt, request.deadline).map_err(own_failed)
            }
        }
    }

    /// Runs the CLI until it ends, or until it shows a tool of its own.
    async fn run(&self, command: &Command, previews: Option<Deltas>) -> Result<(Transcript, Option<Exit>), BrainError> {
        let watch = Arc::new(Watch { transcript: Mutex::default(), stop: Notify::new(), previews });
        let lines = Lines::new({
            let watch = Arc::clone(&watch);
            move |line| watch.take(line)
        });
        let exit = tokio::select! {
            exit = self.account.spawn.run(command, &lines) => Some(exit.map_err(|error| program(error.to_string()))?),
            () = watch.stop.notified() => None,
        };
        let transcript = std::mem::take(&mut *lock(&watch.transcript));
        Ok((transcript, exit))
    }

    /// The model's last message, or why there is none.
    fn judge(&self, transcript: Transcript, exit: Option<Exit>) -> Result<(String, Transcript), BrainError> {
        let brain = NAME.to_owned();
        if let Some(detail) = transcript.foreign_tool {
            return Err(BrainError::ForeignTool { brain, detail });
        }
        // The run is cut short for a foreign tool only.
        let Some(exit) = exit else { return Err(program("it was stopped".to_owned())) };
        if exit.ending == Ending::Deadline {
            return Err(BrainError::DeadlineExceeded { brain });
        }
        if let Some(failure) = &transcript.failure {
            return Err(self.account.circumstances().classify(&self.account.scrubbed(failure)));
        }
        let is_text = !transcript.has_events && matches!(self.account.config.invocation, CodexInvocation::Own(_));
        if transcript.has_cut_line && !is_text || is_text && exit.stdout.truncated {
            return Err(BrainError::TooLarge { brain, bytes_max: EVENT_LINE_BYTES_MAX });
        }
        if !exit.ending.is_success() || !(transcript.completed || is_text) {
            // Scrubbed before it is cut: half a key is no key that could be recognised.
            let warning = transcript.warning.as_deref().map(|warning| shortened(&self.account.scrubbed(warning)));
            let why = warning.unwrap_or_else(|| self.account.complaint(&exit));
            return Err(program(format!("{}: {why}", exit.ending)));
        }
        let message = if is_text { Some(exit.stdout.text().into_owned()) } else { transcript.message.clone() };
        message.map(|message| (message, transcript)).ok_or_else(|| malformed(&ReplyError::Empty))
    }
}

impl fmt::Debug for CodexBrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodexBrain")
            .field("info", &self.info)
            .field("config", &self.account.config)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Brain for CodexBrain {
    fn info(&self) -> &BrainInfo {
        &self.info
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let prompt = prompt::render(request)?;
        let has_tools = !request.tools.is_empty();
        let home = self.account.config.home.clone();
        let room = on_disk(move || room(&home)).await.map_err(|error| room_failed(&error))?;
        let command = self.command(request, prompt, room.path()).await?;
        let previews = (!has_tools && deltas.is_listened_to()).then(|| deltas.clone());
        let (transcript, exit) = self.run(&command, previews).await?;
        drop(room);
        let judged = self.judge(transcript, exit);
        if matches!(judged, Err(BrainError::Program { .. })) {
            self.account.forget_catalogue();
        }
        let (message, transcript) = judged?;
        let read = if has_tools { reply::structured(&message) } else { reply::text(&message) };
        let Reply { answer, calls } = read.map_err(|error| malformed(&error))?;
        if has_tools || !transcript.has_events {
            deltas.text(&answer);
        }
        Ok(Completion { content: answer, calls, usage: transcript.usage, attempts: 1, ..Completion::default() })
    }
}

/// Reads the lines of a run while they come.
struct Watch {
    transcript: Mutex<Transcript>,
    stop: Notify,
    /// Where plain answers are previewed.
    previews: Option<Deltas>,
}

impl Watch {
    fn take(&self, line: OutputLine<'_>) {
        let mut transcript = lock(&self.transcript);
        let event = match line {
            OutputLine::Whole(line) => events::parse(line),
            OutputLine::Cut(_) => {
                transcript.has_cut_line = true;
                return;
            }
        };
        let Some(event) = event else { return };
        if let (Event::Message(text), Some(deltas)) = (&event, &self.previews) {
            if transcript.message.is_some() {
                deltas.restarted();
            }
            deltas.text(text.trim());
        }
        transcript.add(event);
        if transcript.foreign_tool.is_some() {
            self.stop.notify_one();
        }
    }
}

fn own_failed(error: OwnError) -> BrainError {
    let (brain, detail) = (NAME.to_owned(), error.to_string());
    match error {
        OwnError::PromptTooLong => BrainError::ContextTooLong { brain, detail },
        OwnError::ModelIsFlag => {
            let fix = "set a model whose name begins with a letter".to_owned();
            BrainError::NotConfigured { brain, detail, fix }
        }
    }
}

async fn write(files: &Files, catalogue: Arc<[u8]>, tools: &[ToolSpec]) -> io::Result<()> {
    let schema = files.schema.clone().map(|path| (path, prompt::reply_schema(tools).to_string()));
    let path = files.catalogue.clone();
    on_disk(move || {
        std::fs::write(path, catalogue)?;
        schema.map_or(Ok(()), |(path, schema)| std::fs::write(path, schema))
    })
    .await
}
