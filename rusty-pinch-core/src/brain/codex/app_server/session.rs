//! One server: its start, its life in a task of its own, its turns, and its end.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::task::AbortHandle;

use super::bounds::{AGE_MAX, IDLE_MAX, INTERRUPT_MAX, LIFE_MAX};
use super::wire::{Ended, Failed, INITIALIZE, Running, Stopping, Wire};
use crate::brain::codex::account::Account;
use crate::brain::codex::catalogue::INSTRUCTIONS;
use crate::brain::codex::cli::{self, Files};
use crate::brain::codex::quota::QuotaGauge;
use crate::data::Timestamp;
use crate::sys::{Clock, Command, Input, Lines, Spawn};

/// A server that runs. Dropping it kills the server and its group.
#[derive(Debug)]
pub(super) struct Session {
    wire: Arc<Wire>,
    task: AbortHandle,
    started_at: Timestamp,
    /// What every thread begins with.
    thread: Value,
}

impl Drop for Session {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Session {
    /// Starts a server that works in `room`, and makes sure that it speaks the protocol.
    pub(super) async fn start(
        account: &Account,
        overrides: &[String],
        room: TempDir,
        quota: Arc<QuotaGauge>,
    ) -> Result<Self, Failed> {
        let started_at = account.clock.now();
        let (writer, input) = Input::open();
        let files = Files::in_room(room.path(), room.path().join("work"), false);
        let command = cli::app_server(&account.config, overrides, &files, input, started_at + LIFE_MAX);
        let wire = Arc::new(Wire::new(writer, Arc::clone(&account.clock), quota));
        let task = tokio::spawn(live(
            Arc::clone(&wire),
            Arc::clone(&account.spawn),
            Arc::clone(&account.clock),
            command,
            room,
        ));
        let mut session = Self { wire, task: task.abort_handle(), started_at, thread: Value::Null };
        session.thread = session.shake_hands(&files.directory, account.config.model.as_deref()).await?;
        Ok(session)
    }

    /// Introduces us, and finds out what every thread has to begin with.
    async fn shake_hands(&self, directory: &Path, model: Option<&str>) -> Result<Value, Failed> {
        let client = json!({ "name": "rusty-pinch", "version": env!("CARGO_PKG_VERSION") });
        self.wire.request(INITIALIZE, &json!({ "clientInfo": client })).await?;
        self.wire.notify("initialized").await;
        let config = self.wire.request("config/read", &json!({ "includeLayers": false, "cwd": directory })).await?;
        // The account's configuration may name a model, which is not ours to follow.
        let model = match model {
            Some(model) => Some(model.to_owned()),
            None => usual_model(&self.wire.request("model/list", &json!({})).await?),
        };
        Ok(thread(directory, model.as_deref(), &config))
    }

    /// Whether it takes more work.
    pub(super) fn is_fit(&self, now: Timestamp) -> bool {
        self.wire.ended().is_none() && now < self.started_at + AGE_MAX
    }

    /// Waits until it is known whether it obeyed those who stopped a turn.
    pub(super) async fn settled(&self) {
        self.wire.settled().await;
    }

    /// Puts off its end.
    pub(super) fn touch(&self) {
        self.wire.touch();
    }

    /// Why it is no more, once it is.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.wire.ended()
    }

    /// Kills the server, whoever still waits for it.
    pub(super) fn kill(&self) {
        self.wire.end(Ended::Idle);
        self.task.abort();
    }

    /// Starts a turn of its own thread, with `prompt` as all that is said.
    pub(super) async fn begin(
        self: &Arc<Self>,
        prompt: &str,
        schema: Option<Value>,
        running: Running,
    ) -> Result<Turn, Failed> {
        let started = self.wire.request("thread/start", &self.thread).await?;
        let Some(thread) = started.pointer("/thread/id").and_then(Value::as_str).map(str::to_owned) else {
            return Err(Failed::Ended(Ended::Odd("a thread without a name".to_owned())));
        };
        let running = Arc::new(running);
        self.wire.follow(&thread, &running)?;
        // From here on the turn is stopped when nobody waits for it, whether or not the server has answered.
        let turn = Turn { session: Arc::clone(self), thread, running };
        let mut params = json!({ "threadId": turn.thread, "input": [{ "type": "text", "text": prompt }] });
        if let (Some(schema), Some(params)) = (schema, params.as_object_mut()) {
            params.insert("outputSchema".to_owned(), schema);
        }
        match self.wire.request("turn/start", &params).await {
            Ok(begun) => {
                let name = begun.pointer("/turn/id").and_then(Value::as_str).unwrap_or_default();
                turn.running.name(name);
                Ok(turn)
            }
            Err(failed) => {
                turn.running.call_off();
                Err(failed)
            }
        }
    }
}

/// A turn of a server. Dropping it before its end stops it.
#[derive(Debug)]
pub(super) struct Turn {
    session: Arc<Session>,
    thread: String,
    pub(super) running: Arc<Running>,
}

impl Turn {
    /// Why the server is no more, once it is.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.session.ended()
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let (session, thread, running) = (Arc::clone(&self.session), self.thread.clone(), Arc::clone(&self.running));
        match tokio::runtime::Handle::try_current() {
            Ok(runtime) => {
                let stopping = session.wire.stopping();
                runtime.spawn(async move { finish(&session, &thread, &running, stopping).await });
            }
            Err(_) => session.wire.end(Ended::Unresponsive),
        }
    }
}

/// Stops a turn that is not over, kills the server when it does not obey, and leaves the thread.
async fn finish(session: &Session, thread: &str, running: &Running, stopping: Stopping) {
    let wire = &session.wire;
    let stopped = tokio::time::timeout(INTERRUPT_MAX, async {
        let progress = running.until(|progress| progress.is_over || progress.turn.is_some()).await;
        if !progress.is_over {
            let _ = wire.request("turn/interrupt", &json!({ "threadId": thread, "turnId": progress.turn })).await;
            running.until(|progress| progress.is_over).await;
        }
    });
    if stopped.await.is_err() {
        wire.end(Ended::Unresponsive);
    }
    drop(stopping);
    wire.leave(thread);
    // Without a listener it forgets the thread. Should it not answer, that is nobody's loss.
    let params = json!({ "threadId": thread });
    let _ = tokio::time::timeout(INTERRUPT_MAX, wire.request("thread/unsubscribe", &params)).await;
}

/// The server's life.
async fn live(wire: Arc<Wire>, spawn: Arc<dyn Spawn>, clock: Arc<dyn Clock>, command: Command, room: TempDir) {
    let lines = Lines::new({
        let wire = Arc::clone(&wire);
        move |line| wire.take(line)
    });
    let ended = tokio::select! {
        exit = spawn.run(&command, &lines) => match exit {
            Ok(exit) => Ended::Exit(exit),
            Err(error) => Ended::NotStarted(error.to_string()),
        },
        () = wire.hang_up.notified() => Ended::Unresponsive,
        () = idleness(&wire, clock.as_ref()) => Ended::Idle,
    };
    wire.end(ended);
    drop(room);
}

/// Waits until the server has had nothing to do for long.
async fn idleness(wire: &Wire, clock: &dyn Clock) {
    loop {
        let end = wire.idle_since() + IDLE_MAX;
        if end <= clock.now() {
            return;
        }
        clock.sleep_until(end).await;
    }
}

/// What a thread begins with: nothing kept, nothing allowed, no instructions but ours, and none of the servers that the
/// account's configuration names.
fn thread(directory: &Path, model: Option<&str>, config: &Value) -> Value {
    let servers = config.pointer("/config/mcp_servers").and_then(Value::as_object);
    let off: Map<String, Value> =
        servers.into_iter().flatten().map(|(name, _)| (name.clone(), json!({ "enabled": false }))).collect();
    let mut thread = json!({
        "ephemeral": true,
        "cwd": directory,
        "approvalPolicy": "never",
        "sandbox": "read-only",
        "baseInstructions": INSTRUCTIONS,
        "developerInstructions": "",
        "config": { "mcp_servers": off },
    });
    if let (Some(model), Some(thread)) = (model, thread.as_object_mut()) {
        thread.insert("model".to_owned(), json!(model));
    }
    thread
}

/// The model that Codex takes where nobody chooses.
fn usual_model(list: &Value) -> Option<String> {
    let models = list.get("data").and_then(Value::as_array);
    let usual = models.into_iter().flatten().find(|model| model.get("isDefault") == Some(&Value::Bool(true)));
    usual.and_then(|model| model.get("model")).and_then(Value::as_str).map(str::to_owned)
}
