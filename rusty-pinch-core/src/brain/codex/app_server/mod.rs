//! The Codex CLI as a brain through its `app-server`: a child that lives on between turns.
//!
//! It owns the conversation with one child: JSON-RPC lines in both directions, a thread of its own for each request, and
//! the child's life from its first request to its end. Like `exec` it must never let Codex use tools of its own, keep
//! anything, or follow the account's configuration. Requests go in as `thread/start` and `turn/start`; notifications
//! come out and add up to an answer, a typed failure, or a foreign tool; quota readings go to the account's gauge.
//!
//! `message`, `progress`, `failure` and `limits` are pure; `wire` joins requests and answers, and `session` is the child.
//! Our tools reach the model as `exec` offers them, as text and structured output: `docs/design/app-server.md` says why.

mod bounds;
mod failure;
mod limits;
mod message;
mod progress;
mod session;
#[cfg(test)]
mod tests;
mod wire;

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use serde_json::Value;

use super::account::{Account, NAME, malformed, on_disk, program, room, room_failed};
use super::cli::Files;
use super::config::{CodexConfig, CodexInvocation};
use super::events::EVENT_LINE_BYTES_MAX;
use super::prompt;
use super::quota::QuotaGauge;
use super::reply::{self, Reply};
use crate::brain::{Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas};
use crate::sys::{Clock, Ending, Spawn};
use bounds::START_MAX;
use progress::{Outcome, Progress};
use session::Session;
use wire::{Ended, Failed, Running};

pub(super) use bounds::MESSAGE_LINE_BYTES_MAX;

/// JSON-RPC's code of a server that has too much to do.
const TOO_BUSY: i64 = -32001;

/// Thinks with one account of the Codex CLI, through an app-server that lives on between requests.
///
/// The server starts with the first request, is killed when the brain is dropped, and ends when it had nothing to do for
/// five minutes; the next request starts another. One attempt is one turn of a thread of its own, which is kept nowhere.
/// Requests may overlap. It needs a tokio runtime, and a new one starts a new server.
pub struct CodexAppServerBrain {
    info: BrainInfo,
    account: Account,
    /// More settings for the CLI, which win over ours.
    overrides: Vec<String>,
    quota: Arc<QuotaGauge>,
    session: tokio::sync::Mutex<Option<Arc<Session>>>,
}

impl CodexAppServerBrain {
    /// A brain that runs what `config` says through `spawn`, and leaves what it hears about the account's quota in
    /// `quota`.
    ///
    /// # Errors
    /// [`BrainError::NotConfigured`] when `config` has an invocation of one's own, which can't be a server.
    pub fn new(
        config: CodexConfig,
        spawn: Arc<dyn Spawn>,
        clock: Arc<dyn Clock>,
        quota: Arc<QuotaGauge>,
    ) -> Result<Self, BrainError> {
        let CodexInvocation::BuiltIn { overrides } = &config.invocation else {
            return Err(BrainError::NotConfigured {
                brain: NAME.to_owned(),
                detail: "an invocation of your own is for the transport `exec`".to_owned(),
                fix: "leave the invocation out, or choose the transport `exec`".to_owned(),
            });
        };
        let overrides = overrides.clone();
        Ok(Self::with_overrides(config, overrides, spawn, clock, quota))
    }

    /// The same, whatever invocation `config` has.
    pub(super) fn with_overrides(
        config: CodexConfig,
        overrides: Vec<String>,
        spawn: Arc<dyn Spawn>,
        clock: Arc<dyn Clock>,
        quota: Arc<QuotaGauge>,
    ) -> Self {
        let account = Account::new(config, spawn, clock);
        Self { info: account.info(), account, overrides, quota, session: tokio::sync::Mutex::default() }
    }

    /// Asks once, without a deadline: whoever waits has one.
    async fn ask(
        &self,
        prompt: String,
        request: &CompletionRequest,
        deltas: &Deltas,
    ) -> Result<Completion, BrainError> {
        let has_tools = !request.tools.is_empty();
        let session = self.session(request).await?;
        let schema = has_tools.then(|| prompt::reply_schema(&request.tools));
        let previews = (!has_tools && deltas.is_listened_to()).then(|| deltas.clone());
        let turn =
            session.begin(&prompt, schema, Running::new(previews)).await.map_err(|failed| self.failed(failed))?;
        let progress = turn.running.until(|progress| progress.outcome.is_some()).await;
        let ended = turn.ended();
        drop(turn);
        let (message, progress) = self.judge(progress, ended)?;
        let read = if has_tools { reply::structured(&message) } else { reply::text(&message) };
        let Reply { answer, calls } = read.map_err(|error| malformed(&error))?;
        if has_tools {
            deltas.text(&answer);
        }
        Ok(Completion { content: answer, calls, usage: progress.usage, attempts: 1, ..Completion::default() })
    }

    /// The server, which is started where there is none that takes more work. Requests that come meanwhile wait.
    async fn session(&self, request: &CompletionRequest) -> Result<Arc<Session>, BrainError> {
        let mut session = self.session.lock().await;
        // A server that is about to be killed for not stopping another turn would take this one with it.
        if let Some(running) = session.as_ref() {
            running.settled().await;
        }
        if let Some(fit) = session.as_ref().filter(|session| session.is_fit(self.account.clock.now())) {
            fit.touch();
            return Ok(Arc::clone(fit));
        }
        *session = None;
        let latest = self.account.clock.now() + START_MAX;
        tokio::select! {
            started = self.start(request) => Ok(Arc::clone(session.insert(Arc::new(started?)))),
            () = self.account.clock.sleep_until(latest) => {
                Err(program(format!("its app-server did not get ready within {} s", START_MAX.as_secs())))
            }
        }
    }

    async fn start(&self, request: &CompletionRequest) -> Result<Session, BrainError> {
        let home = self.account.config.home.clone();
        let room = on_disk(move || room(&home)).await.map_err(|error| room_failed(&error))?;
        let catalogue = self.account.catalogue(request.deadline, room.path()).await?;
        let path = Files::in_room(room.path(), room.path().join("work"), false).catalogue;
        on_disk(move || std::fs::write(path, catalogue)).await.map_err(|error| room_failed(&error))?;
        let started = Session::start(&self.account, &self.overrides, room, Arc::clone(&self.quota)).await;
        started.map_err(|failed| self.failed(failed))
    }

    /// The model's last message, or why there is none.
    fn judge(&self, progress: Progress, ended: Option<Ended>) -> Result<(String, Progress), BrainError> {
        let brain = NAME.to_owned();
        match &progress.outcome {
            Some(Outcome::Completed) => {
                let message = progress.message.clone().ok_or_else(|| malformed(&reply::ReplyError::Empty))?;
                Ok((message, progress))
            }
            Some(Outcome::Failed(error)) => {
                let message = error.get("message").and_then(Value::as_str).unwrap_or("it failed and did not say why");
                let message = self.account.scrubbed(message);
                Err(failure::classify(error, &message, &self.account.circumstances()))
            }
            Some(Outcome::ForeignTool(tool)) => Err(BrainError::ForeignTool { brain, detail: tool.clone() }),
            Some(Outcome::TooLarge) => Err(BrainError::TooLarge { brain, bytes_max: EVENT_LINE_BYTES_MAX }),
            Some(Outcome::Interrupted) | None => Err(match ended {
                Some(ended) => self.ended(ended),
                None => BrainError::Cut { brain, detail: "somebody interrupted it".to_owned() },
            }),
        }
    }

    fn failed(&self, failed: Failed) -> BrainError {
        match failed {
            Failed::Ended(ended) => self.ended(ended),
            Failed::Refused(refusal) => {
                let message = self.account.scrubbed(&refusal.message);
                match refusal.code {
                    TOO_BUSY => self.account.circumstances().overloaded(&message),
                    _ => program(format!("it refused a request: {}", super::failure::shortened(&message))),
                }
            }
        }
    }

    fn ended(&self, ended: Ended) -> BrainError {
        let brain = NAME.to_owned();
        match ended {
            Ended::Exit(exit) if exit.ending == Ending::Deadline => {
                program("it lived too long and was killed".to_owned())
            }
            Ended::Exit(exit) => program(format!("{}: {}", exit.ending, self.account.complaint(&exit))),
            Ended::NotStarted(why) => program(why),
            Ended::CutLine => BrainError::TooLarge { brain, bytes_max: EVENT_LINE_BYTES_MAX },
            Ended::Odd(line) => program(format!("it does not speak the app-server's protocol: {line}")),
            // Neither is this request's doing, and the next one gets a new server.
            Ended::Idle => BrainError::Cut { brain, detail: "its server had just ended".to_owned() },
            Ended::Unresponsive => {
                BrainError::Cut { brain, detail: "its server was killed, for it did not stop another turn".to_owned() }
            }
        }
    }
}

#[async_trait]
impl Brain for CodexAppServerBrain {
    fn info(&self) -> &BrainInfo {
        &self.info
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let prompt = prompt::render(request)?;
        let outcome = tokio::select! {
            biased;
            () = self.account.clock.sleep_until(request.deadline) => {
                Err(BrainError::DeadlineExceeded { brain: NAME.to_owned() })
            }
            outcome = self.ask(prompt, request, deltas) => outcome,
        };
        if matches!(outcome, Err(BrainError::Program { .. })) {
            self.account.forget_catalogue();
        }
        outcome
    }
}

impl Drop for CodexAppServerBrain {
    fn drop(&mut self) {
        if let Some(session) = self.session.get_mut() {
            session.kill();
        }
    }
}

impl fmt::Debug for CodexAppServerBrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (info, config) = (&self.info, &self.account.config);
        f.debug_struct("CodexAppServerBrain").field("info", info).field("config", config).finish_non_exhaustive()
    }
}
