//! The conversation with one server: who waits for which answer, and which turn a notification belongs to.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use tokio::sync::{Notify, oneshot, watch};

use super::bounds::{INTERRUPT_MAX, ODD_LINES_MAX};
use super::limits::KnownLimits;
use super::message::{self, Message, Refusal};
use super::progress::{self, Outcome, Progress};
use crate::brain::Deltas;
use crate::brain::codex::account::lock;
use crate::brain::codex::failure::shortened;
use crate::brain::codex::quota::QuotaGauge;
use crate::data::Timestamp;
use crate::sys::{Clock, Exit, InputWriter, OutputLine};

/// The first request of every conversation.
pub(super) const INITIALIZE: &str = "initialize";

/// Why a server is no more.
#[derive(Clone, Debug)]
pub(super) enum Ended {
    /// It ended by itself, or was killed.
    Exit(Exit),
    /// It did not start.
    NotStarted(String),
    /// It printed a line that is longer than what is read, and nobody knows which turn's.
    CutLine,
    /// It printed something else than its protocol.
    Odd(String),
    /// It had nothing to do for long.
    Idle,
    /// It did not stop a turn that was given up.
    Unresponsive,
}

/// Why a request has no result.
#[derive(Clone, Debug)]
pub(super) enum Failed {
    /// The server refused it.
    Refused(Refusal),
    /// The server is no more.
    Ended(Ended),
}

/// A turn that runs.
pub(super) struct Running {
    progress: watch::Sender<Progress>,
    /// Where its text is previewed.
    previews: Option<Deltas>,
}

impl Running {
    pub(super) fn new(previews: Option<Deltas>) -> Self {
        Self { progress: watch::Sender::default(), previews }
    }

    /// Waits until `holds`, and gives the turn as it is then.
    pub(super) async fn until(&self, holds: impl FnMut(&Progress) -> bool) -> Progress {
        // The sender lives as long as `self`, so waiting can't fail.
        self.progress.subscribe().wait_for(holds).await.map(|progress| progress.clone()).unwrap_or_default()
    }

    /// Its name, which the server also tells in answer to the request.
    pub(super) fn name(&self, turn: &str) {
        self.progress.send_modify(|progress| progress.turn = Some(turn.to_owned()));
    }

    /// Says that it never began.
    pub(super) fn call_off(&self) {
        self.progress.send_modify(|progress| progress.is_over = true);
    }

    fn add(&self, event: progress::Event) {
        let mut preview = progress::Preview::default();
        self.progress.send_modify(|progress| preview = progress.add(event));
        let Some(deltas) = &self.previews else { return };
        if preview.restarts {
            deltas.restarted();
        }
        deltas.text(&preview.text);
    }
}

/// The conversation with one server.
pub(super) struct Wire {
    input: InputWriter,
    clock: Arc<dyn Clock>,
    quota: Arc<QuotaGauge>,
    state: Mutex<State>,
    /// How many turns are being stopped.
    stopping: watch::Sender<usize>,
    /// Rung when the server has to go.
    pub(super) hang_up: Notify,
}

struct State {
    next_id: u64,
    waiting: HashMap<u64, oneshot::Sender<Result<Value, Refusal>>>,
    turns: HashMap<String, Arc<Running>>,
    limits: KnownLimits,
    odd_lines: usize,
    used_at: Timestamp,
    ended: Option<Ended>,
}

impl Wire {
    pub(super) fn new(input: InputWriter, clock: Arc<dyn Clock>, quota: Arc<QuotaGauge>) -> Self {
        let state = State {
            next_id: 0,
            waiting: HashMap::new(),
            turns: HashMap::new(),
            limits: KnownLimits::default(),
            odd_lines: 0,
            used_at: clock.now(),
            ended: None,
        };
        let (stopping, hang_up) = (watch::Sender::default(), Notify::new());
        Self { input, clock, quota, state: Mutex::new(state), stopping, hang_up }
    }

    /// Asks the server for something. It waits as long as the server lives: whoever asks has a deadline.
    pub(super) async fn request(&self, method: &str, params: &Value) -> Result<Value, Failed> {
        let (sender, answered) = oneshot::channel();
        let id = {
            let mut state = lock(&self.state);
            if let Some(ended) = &state.ended {
                return Err(Failed::Ended(ended.clone()));
            }
            state.next_id += 1;
            let id = state.next_id;
            state.waiting.insert(id, sender);
            id
        };
        let _waiting = Waiting { wire: self, id };
        // Where nobody reads, the server's end is on its way, and brings the reason.
        let _ = self.input.write(message::request(id, method, params)).await;
        match answered.await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(refusal)) => Err(Failed::Refused(refusal)),
            Err(_) => Err(Failed::Ended(self.ended().unwrap_or(Ended::Unresponsive))),
        }
    }

    /// Tells the server something.
    pub(super) async fn notify(&self, method: &str) {
        let _ = self.input.write(message::notification(method)).await;
    }

    /// Reads a line of the server.
    pub(super) fn take(&self, line: OutputLine<'_>) {
        let line = match line {
            OutputLine::Whole(line) => line,
            OutputLine::Cut(_) => return self.take_cut(),
        };
        match message::parse(line) {
            Some(Message::Response { id, outcome }) => {
                let waiting = lock(&self.state).waiting.remove(&id);
                if let Some(waiting) = waiting {
                    // It was given up meanwhile.
                    let _ = waiting.send(outcome);
                }
            }
            // No server asks that of us: it repeats what it is told.
            Some(Message::Request { method, .. }) if method == INITIALIZE => {
                self.end(Ended::Odd(shortened(&String::from_utf8_lossy(line))))
            }
            // Whatever it wants, it is for a tool or for leave to use one.
            Some(Message::Request { method, params }) => {
                self.take_event(&params, progress::Event::ForeignTool(progress::named(&method)));
            }
            Some(Message::Notification { method, params }) if method == "account/rateLimits/updated" => {
                let reading = lock(&self.state).limits.add(&params, self.clock.now());
                reading.into_iter().for_each(|reading| self.quota.set(reading));
            }
            Some(Message::Notification { method, params }) => {
                if let Some(event) = progress::event(&method, &params) {
                    self.take_event(&params, event);
                }
            }
            None => self.take_odd(line),
        }
    }

    fn take_event(&self, params: &Value, event: progress::Event) {
        let turn = progress::thread(params).and_then(|thread| lock(&self.state).turns.get(thread).cloned());
        if let Some(turn) = turn {
            turn.add(event);
        }
    }

    /// A line that is too long to be read belongs to the turn whose answer was found to be too long already. Where
    /// there is none, nobody knows what was lost.
    fn take_cut(&self) {
        let is_known = lock(&self.state).turns.values().any(|turn| turn.progress.borrow().is_too_large());
        if !is_known {
            self.end(Ended::CutLine);
        }
    }

    fn take_odd(&self, line: &[u8]) {
        let is_too_odd = {
            let mut state = lock(&self.state);
            state.odd_lines += 1;
            state.odd_lines > ODD_LINES_MAX
        };
        if is_too_odd {
            self.end(Ended::Odd(shortened(&String::from_utf8_lossy(line))));
        }
    }

    /// Says that the server is no more, to everybody who waits for it. The first reason counts.
    pub(super) fn end(&self, ended: Ended) {
        let (waiting, turns) = {
            let mut state = lock(&self.state);
            state.ended.get_or_insert(ended);
            (std::mem::take(&mut state.waiting), std::mem::take(&mut state.turns))
        };
        drop(waiting);
        for turn in turns.into_values() {
            turn.progress.send_modify(|progress| {
                progress.is_over = true;
                progress.end(Outcome::Interrupted);
            });
        }
        self.hang_up.notify_one();
    }

    /// Why the server is no more, once it is.
    pub(super) fn ended(&self) -> Option<Ended> {
        lock(&self.state).ended.clone()
    }

    /// Follows a turn of `thread`, unless the server is no more.
    pub(super) fn follow(&self, thread: &str, turn: &Arc<Running>) -> Result<(), Failed> {
        let mut state = lock(&self.state);
        if let Some(ended) = &state.ended {
            return Err(Failed::Ended(ended.clone()));
        }
        state.turns.insert(thread.to_owned(), Arc::clone(turn));
        Ok(())
    }

    /// Follows `thread` no further.
    pub(super) fn leave(&self, thread: &str) {
        lock(&self.state).turns.remove(thread);
        self.touch();
    }

    /// A turn is being stopped, until what is given is dropped.
    pub(super) fn stopping(self: &Arc<Self>) -> Stopping {
        self.stopping.send_modify(|turns| *turns += 1);
        Stopping(Arc::clone(self))
    }

    /// Waits until no turn is being stopped, for longer than that may take: a server that does not obey is killed by then.
    pub(super) async fn settled(&self) {
        let mut stopping = self.stopping.subscribe();
        let _ = tokio::time::timeout(2 * INTERRUPT_MAX, stopping.wait_for(|turns| *turns == 0)).await;
    }

    /// Puts off the end of a server that has nothing to do.
    pub(super) fn touch(&self) {
        lock(&self.state).used_at = self.clock.now();
    }

    /// Since when it has had nothing to do; it is now while it has something.
    pub(super) fn idle_since(&self) -> Timestamp {
        let state = lock(&self.state);
        if state.turns.is_empty() && state.waiting.is_empty() { state.used_at } else { self.clock.now() }
    }
}

/// A turn that is being stopped.
#[derive(Debug)]
pub(super) struct Stopping(Arc<Wire>);

impl Drop for Stopping {
    fn drop(&mut self) {
        self.0.stopping.send_modify(|turns| *turns -= 1);
    }
}

/// Waits for the answer to a request; given up, it leaves nothing behind.
struct Waiting<'a> {
    wire: &'a Wire,
    id: u64,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        lock(&self.wire.state).waiting.remove(&self.id);
    }
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("ended", &self.ended()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("progress", &*self.progress.borrow()).finish_non_exhaustive()
    }
}
