//! Tasks that wait for Codex: durable, in order, one worker at a time for each.
//!
//! It owns what a task is, which is next, and what is kept of those that are over. It asks no account; `CodexWork` does.
//! A task is open until it is answered or parked, and which of the two is committed together with its result: none is
//! lost, and none ends twice. A task whose worker is killed begins again when its lease runs out.

mod bounds;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::brain::Lane;
use crate::data::Timestamp;
use crate::store::lease::{Lease, LeaseTable, Row, Ticket, value};
use crate::store::{Change, Key, KeyRange, Precondition, Record, Store, StoreError};
use bounds::{CONFLICTS_MAX, HEAD_START, OPEN_MAX};

pub(crate) use bounds::{LEASE, RENEW_EVERY, RETRY_FIRST};
pub use bounds::{
    TASK_ATTEMPTS_MAX, TASK_OUTPUT_BYTES_MAX, TASK_PROMPT_BYTES_MAX, TASK_PURPOSE_CHARS_MAX, TASK_RESULTS_KEPT,
};

const OPEN: &[&str] = &["codex", "queue", "open"];
const DONE: [&str; 3] = ["codex", "queue", "done"];

/// Something to ask Codex.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct CodexTask {
    /// The prompt.
    pub prompt: String,
    /// What it is for; for people only.
    pub purpose: String,
    /// Who waits for it.
    pub lane: Lane,
}

impl CodexTask {
    /// A task; `lane` says whether a person waits for it.
    ///
    /// # Errors
    /// [`QueueError::Prompt`] and [`QueueError::Purpose`] when it breaks a bound.
    pub fn new(prompt: impl Into<String>, purpose: impl Into<String>, lane: Lane) -> Result<Self, QueueError> {
        let (prompt, purpose) = (prompt.into(), purpose.into());
        if prompt.trim().is_empty() || prompt.len() > TASK_PROMPT_BYTES_MAX {
            return Err(QueueError::Prompt { bytes: prompt.len() });
        }
        if purpose.chars().count() > TASK_PURPOSE_CHARS_MAX || purpose.chars().any(char::is_control) {
            return Err(QueueError::Purpose);
        }
        Ok(Self { prompt, purpose, lane })
    }
}

/// Why a task can't be queued.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum QueueError {
    /// The queue is full. No task that waits was dropped for the new one.
    #[error("the queue holds {capacity} tasks and takes no more")]
    Full {
        /// How many may wait.
        capacity: usize,
    },
    /// The prompt is empty or too long.
    #[error("the prompt is {bytes} bytes; it must be text of 1 to {TASK_PROMPT_BYTES_MAX} bytes")]
    Prompt {
        /// Its length.
        bytes: usize,
    },
    /// The purpose is too long or no plain text.
    #[error("the purpose must be one line of at most {TASK_PURPOSE_CHARS_MAX} characters")]
    Purpose,
    /// The store failed.
    #[error("the queue can't be read or written")]
    Store(#[from] StoreError),
}

/// A task that is open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct OpenTask {
    /// Its number.
    pub task_id: u64,
    /// What it is for.
    pub purpose: String,
    /// Who waits for it.
    pub lane: Lane,
    /// When it came.
    pub enqueued_at: Timestamp,
    /// How often it was begun.
    pub attempts: u32,
    /// Whether somebody works on it.
    pub running: bool,
    /// It is not begun before this instant.
    pub not_before: Option<Timestamp>,
    /// What its last attempt failed with.
    pub last_error: Option<String>,
}

/// A task that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FinishedTask {
    /// Its number.
    pub task_id: u64,
    /// What it was for.
    pub purpose: String,
    /// Who waited for it.
    pub lane: Lane,
    /// What came of it.
    #[serde(flatten)]
    pub ending: TaskEnding,
    /// When it came.
    pub enqueued_at: Timestamp,
    /// When it was over.
    pub finished_at: Timestamp,
    /// How often it was begun.
    pub attempts: u32,
}

/// What came of a task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
#[non_exhaustive]
pub enum TaskEnding {
    /// It was answered.
    Executed {
        /// The account that answered.
        account_id: String,
        /// The answer; of a longer one its first [`TASK_OUTPUT_BYTES_MAX`] bytes.
        output: String,
        /// How long it took, in milliseconds.
        latency_ms: u64,
    },
    /// It was given up.
    Parked {
        /// Why.
        reason: String,
    },
}

/// Numbers of tasks.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Counters {
    /// Of the newest task.
    last_id: u64,
    /// How many are over.
    finished: u64,
}

/// The queue.
#[derive(Clone, Debug)]
pub(crate) struct CodexQueue {
    table: LeaseTable,
    capacity: usize,
}

pub(crate) type TaskTicket = Ticket<CodexTask>;
pub(crate) type TaskLease = Lease<CodexTask>;

/// The task that is next, of those whose lane `may_run`: the one that came first, where a person's counts as if it had
/// come [`HEAD_START`] earlier. So nobody waits for ever: a task is only overtaken by what comes within that time.
pub(crate) fn next(tickets: &[TaskTicket], now: Timestamp, may_run: impl Fn(Lane) -> bool) -> Option<&TaskTicket> {
    let rank = |ticket: &TaskTicket| match ticket.row.body.lane {
        Lane::Interactive => ticket.row.enqueued_at - HEAD_START,
        Lane::Background => ticket.row.enqueued_at,
    };
    let due = tickets.iter().filter(|ticket| ticket.row.is_claimable(now) && may_run(ticket.row.body.lane));
    due.min_by_key(|ticket| (rank(ticket), ticket.row.id))
}

impl CodexQueue {
    pub(crate) fn new(store: Arc<dyn Store>, capacity: usize) -> Self {
        Self { table: LeaseTable::new(store, OPEN), capacity: capacity.clamp(1, OPEN_MAX / 2) }
    }

    pub(crate) fn capacity(&self) -> usize {
        self.capacity
    }

    /// Every open task.
    pub(crate) async fn open(&self) -> Result<Vec<TaskTicket>, StoreError> {
        self.table.open(OPEN_MAX).await
    }

    /// Adds a task that waits. Durable when it returns.
    pub(crate) async fn add(&self, task: &CodexTask, now: Timestamp) -> Result<u64, QueueError> {
        Ok(self.insert(task, now, None).await?.row.id)
    }

    /// Adds a task that its caller works on at once, held until `until`. It takes no room of those that wait.
    pub(crate) async fn add_held(
        &self,
        task: &CodexTask,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<TaskLease, QueueError> {
        self.insert(task, now, Some(until)).await
    }

    async fn insert(
        &self,
        task: &CodexTask,
        now: Timestamp,
        held_until: Option<Timestamp>,
    ) -> Result<TaskLease, QueueError> {
        for _ in 0..CONFLICTS_MAX {
            // Read before the tasks are counted: whoever adds one in between changes the counters.
            let record = self.counters().await?;
            let mut counters = parse(record.as_ref())?;
            if held_until.is_none() {
                let waiting = self.open().await?.iter().filter(|ticket| !ticket.row.is_held(now)).count();
                if waiting >= self.capacity {
                    return Err(QueueError::Full { capacity: self.capacity });
                }
            }
            counters.last_id += 1;
            let mut row = Row::new(counters.last_id, now, task.clone());
            row.held_until = held_until;
            row.attempts = u32::from(held_until.is_some());
            let changes = [counted(record.as_ref(), counters)?, self.table.added(&row)?];
            match self.table.store().commit(&changes).await {
                Ok(fence) => return Ok(LeaseTable::leased(row, fence)),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(QueueError::Store(contended()))
    }

    /// Holds a task; none when somebody else was faster.
    pub(crate) async fn claim(&self, ticket: TaskTicket, until: Timestamp) -> Result<Option<TaskLease>, StoreError> {
        self.table.claim(ticket, until).await
    }

    /// Holds on to a task; false when it is somebody else's by now.
    pub(crate) async fn renew(&self, lease: &mut TaskLease, until: Timestamp) -> Result<bool, StoreError> {
        self.table.renew(lease, until).await
    }

    /// Puts a task back; false when it is somebody else's by now.
    pub(crate) async fn put_back(&self, lease: TaskLease, not_before: Option<Timestamp>) -> Result<bool, StoreError> {
        self.table.release(lease, not_before).await
    }

    /// Ends a task; none when it is somebody else's by now.
    pub(crate) async fn finish(
        &self,
        lease: &TaskLease,
        ending: TaskEnding,
        now: Timestamp,
    ) -> Result<Option<FinishedTask>, StoreError> {
        let Row { id, enqueued_at, attempts, body, .. } = &lease.row;
        let finished = FinishedTask {
            task_id: *id,
            purpose: body.purpose.clone(),
            lane: body.lane,
            ending,
            enqueued_at: *enqueued_at,
            finished_at: now,
            attempts: *attempts,
        };
        for _ in 0..CONFLICTS_MAX {
            let record = self.counters().await?;
            let mut counters = parse(record.as_ref())?;
            counters.finished += 1;
            let number = counters.finished;
            let mut more = vec![
                counted(record.as_ref(), counters)?,
                Change::put(done(number), Precondition::None, value(&finished)?),
            ];
            if let Some(oldest) = number.checked_sub(TASK_RESULTS_KEPT) {
                more.push(Change::delete(done(oldest), Precondition::None));
            }
            match self.table.finish(lease, more).await {
                Ok(ours) => return Ok(ours.then_some(finished)),
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => return Err(error),
            }
        }
        Err(contended())
    }

    /// The results of the tasks that ended last, the newest first.
    pub(crate) async fn finished(&self, limit: u64) -> Result<Vec<FinishedTask>, StoreError> {
        let counters = parse(self.counters().await?.as_ref())?;
        let mut range = KeyRange::under(DONE);
        range.from = done((counters.finished + 1).saturating_sub(limit));
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).saturating_add(1);
        let records = self.table.store().scan(&range, limit).await?;
        records.iter().rev().map(Record::parse).collect()
    }

    async fn counters(&self) -> Result<Option<Record>, StoreError> {
        self.table.store().get(&counters_key()).await
    }
}

fn counters_key() -> Key {
    Key::new(["codex", "queue", "counters"])
}

fn parse(record: Option<&Record>) -> Result<Counters, StoreError> {
    record.map_or_else(|| Ok(Counters::default()), Record::parse)
}

/// The change that writes `counters` if nobody else did since `record` was read.
fn counted(record: Option<&Record>, counters: Counters) -> Result<Change, StoreError> {
    let when = record.map_or(Precondition::Absent, |record| Precondition::Revision(record.revision));
    Ok(Change::put(counters_key(), when, value(&counters)?))
}

fn done(number: u64) -> Key {
    let number = format!("{number:020}");
    Key::new(DONE.into_iter().chain([number.as_str()]))
}

fn contended() -> StoreError {
    let source = format!("other processes were faster {CONFLICTS_MAX} times").into();
    StoreError::Failed { what: "the Codex queue".to_owned(), source }
}

/// What is shown of an open task.
pub(crate) fn shown(ticket: &TaskTicket, now: Timestamp) -> OpenTask {
    let row = &ticket.row;
    OpenTask {
        task_id: row.id,
        purpose: row.body.purpose.clone(),
        lane: row.body.lane,
        enqueued_at: row.enqueued_at,
        attempts: row.attempts,
        running: row.is_held(now),
        not_before: row.not_before.filter(|at| now < *at),
        last_error: row.last_error.clone(),
    }
}
