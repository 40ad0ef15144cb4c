//! One account and its program: what every way of calling the CLI needs.

use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tempfile::TempDir;

use super::config::CodexConfig;
use super::failure::{Circumstances, shortened};
use super::reply::ReplyError;
use super::{catalogue, cli};
use crate::brain::{BrainError, BrainInfo};
use crate::data::Timestamp;
use crate::sys::{Clock, Ending, Exit, Lines, Spawn};

/// The name of every brain that is the Codex CLI, whichever way it is called.
pub(super) const NAME: &str = "codex";
const FIX: &str = "install the Codex CLI (0.169 or newer) and run `codex login`, or choose another provider";

/// One account and its program.
#[derive(Debug)]
pub(super) struct Account {
    pub(super) config: CodexConfig,
    pub(super) spawn: Arc<dyn Spawn>,
    pub(super) clock: Arc<dyn Clock>,
    /// The catalogue without tools. Asked for once; forgotten when the program fails, which it may after an upgrade.
    catalogue: Mutex<Option<Arc<[u8]>>>,
}

impl Account {
    pub(super) fn new(config: CodexConfig, spawn: Arc<dyn Spawn>, clock: Arc<dyn Clock>) -> Self {
        Self { config, spawn, clock, catalogue: Mutex::default() }
    }

    pub(super) fn info(&self) -> BrainInfo {
        BrainInfo {
            name: NAME.to_owned(),
            model: self.config.model.clone().unwrap_or_else(|| "default".to_owned()),
            context_tokens: self.config.context_tokens,
            free: false,
        }
    }

    /// The CLI's catalogue of models without their tools.
    pub(super) async fn catalogue(&self, deadline: Timestamp, room: &Path) -> Result<Arc<[u8]>, BrainError> {
        if let Some(catalogue) = lock(&self.catalogue).clone() {
            return Ok(catalogue);
        }
        let command = cli::catalogue(&self.config, room, deadline);
        let exit = self.spawn.run(&command, &Lines::none()).await.map_err(|error| program(error.to_string()))?;
        if exit.ending == Ending::Deadline {
            return Err(BrainError::DeadlineExceeded { brain: NAME.to_owned() });
        }
        let model = self.config.model.as_deref();
        let stripped = Some(&exit.stdout.bytes)
            .filter(|_| exit.ending.is_success())
            .and_then(|catalogue| catalogue::without_tools(catalogue, model, self.config.context_tokens));
        let Some(stripped) = stripped else {
            let why = self.complaint(&exit);
            let path = self.config.program.display();
            return Err(program(format!(
                "asked for its models, `{path}` did not give them as the Codex CLI does: {why}"
            )));
        };
        Ok(Arc::clone(lock(&self.catalogue).insert(stripped.into())))
    }

    /// Forgets the catalogue, so that it is asked for again.
    pub(super) fn forget_catalogue(&self) {
        *lock(&self.catalogue) = None;
    }

    pub(super) fn circumstances(&self) -> Circumstances<'_> {
        Circumstances {
            brain: NAME,
            target: self.config.base_url.as_deref().map_or("OpenAI's servers", origin),
            has_key: self.config.api_key.is_some(),
            now: self.clock.now(),
        }
    }

    /// What the CLI complained about, shortened.
    pub(super) fn complaint(&self, exit: &Exit) -> String {
        let stderr = exit.stderr.text();
        let stdout = exit.stdout.text();
        let said = if stderr.trim().is_empty() { stdout } else { stderr };
        let lines: Vec<&str> = said.lines().filter(|line| !line.starts_with("WARNING: proceeding")).collect();
        match shortened(&self.scrubbed(&lines.join(" "))) {
            nothing if nothing.is_empty() => format!("it ended with {} and said nothing", exit.ending),
            complaint => complaint,
        }
    }

    /// `text` without the account's key, should it be in there.
    pub(super) fn scrubbed(&self, text: &str) -> String {
        match &self.config.api_key {
            Some(key) if !key.expose().is_empty() => text.replace(key.expose(), "[secret]"),
            _ => text.to_owned(),
        }
    }
}

pub(super) fn program(detail: String) -> BrainError {
    BrainError::Program { brain: NAME.to_owned(), detail, fix: FIX.to_owned() }
}

pub(super) fn malformed(error: &ReplyError) -> BrainError {
    BrainError::Malformed { brain: NAME.to_owned(), detail: error.to_string() }
}

pub(super) fn room_failed(error: &io::Error) -> BrainError {
    BrainError::Program {
        brain: NAME.to_owned(),
        detail: format!("its directories could not be made: {error}"),
        fix: "make room for temporary files and for `CODEX_HOME`, and make both writable".to_owned(),
    }
}

/// Host and port of `url`, which may hold a password before them.
pub(super) fn origin(url: &str) -> &str {
    let after = url.split_once("://").map_or(url, |(_, after)| after);
    let authority = after.split(['/', '?', '#']).next().unwrap_or_default();
    authority.rsplit('@').next().unwrap_or_default()
}

/// A directory of its own for one child, with an empty one in it to work in. It is removed when it is dropped. The
/// account's home is made too where it is missing: the CLI refuses to start without one, also when a key is enough.
pub(super) fn room(home: &Path) -> io::Result<TempDir> {
    let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", home.display()));
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(home) {
        Ok(()) => {}
        // Without the folder around it the path is likely a slip, and the CLI says what is wrong with it.
        Err(error) if matches!(error.kind(), io::ErrorKind::AlreadyExists | io::ErrorKind::NotFound) => {}
        Err(error) => return Err(named(error)),
    }
    let room = TempDir::with_prefix("rusty-pinch-codex-")?;
    std::fs::create_dir(room.path().join("work"))?;
    Ok(room)
}

/// Runs `work`, which waits for a disk, where waiting disturbs nobody.
pub(super) async fn on_disk<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    tokio::task::spawn_blocking(work).await.map_err(io::Error::other)?
}

/// A value that a panic left behind is still a value.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
