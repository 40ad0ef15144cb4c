//! What is told of work, and what becomes of a task that failed. Pure.

use std::time::Duration;

use super::super::health::CODEX_HEALTHCHECK_ARGUMENTS;
use super::super::pool::PoolStatus;
use super::super::queue::{FinishedTask, OpenTask, QueueError, RETRY_FIRST, TASK_ATTEMPTS_MAX};
use crate::brain::BrainError;
use crate::data::Timestamp;
use crate::store::{Revision, StoreError};

/// When a task is looked at again that no account could take, where nobody knows better.
const NO_ACCOUNT_PAUSE: Duration = Duration::from_secs(30);

/// How the queue and its accounts are used.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CodexWorkConfig {
    /// How many tasks may wait.
    pub queue_capacity: usize,
    /// How often an account is looked at.
    pub check_every: Duration,
    /// What its program is asked then.
    pub check_arguments: Vec<String>,
}

impl Default for CodexWorkConfig {
    fn default() -> Self {
        Self {
            queue_capacity: 256,
            check_every: Duration::from_secs(300),
            check_arguments: CODEX_HEALTHCHECK_ARGUMENTS.map(str::to_owned).to_vec(),
        }
    }
}

/// How Codex stands.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct CodexStatus {
    /// The accounts.
    pub pool: PoolStatus,
    /// The tasks that are open, in the order in which they came.
    pub open: Vec<OpenTask>,
    /// How many may wait.
    pub queue_capacity: usize,
    /// Why a task that nobody waits for would be queued now; none when it would be asked at once.
    pub queues_because: Option<QueueReason>,
}

/// Why a task waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum QueueReason {
    /// What is left of the quota is kept for people.
    RateLimitThreshold,
    /// No account can be asked.
    NoAccountAvailable,
    /// Older tasks come first.
    QueueBackpressure,
    /// It failed, and is tried again later.
    Retry,
    /// A cap on spending does not allow it, or what was spent is not known.
    SpendingCap,
}

/// What came of working on a task.
#[derive(Debug)]
#[non_exhaustive]
pub enum Worked {
    /// It is over.
    Ended(FinishedTask),
    /// It waits again.
    PutBack {
        /// Its number.
        task_id: u64,
        /// Why it waits.
        reason: QueueReason,
        /// What happened.
        error: BrainError,
    },
    /// Another process has it by now; what was done here is thrown away.
    Lost {
        /// Its number.
        task_id: u64,
    },
    /// No task is due, or none may be asked for now.
    Nothing {
        /// Why the tasks that are due have to wait, where there are any.
        error: Option<BrainError>,
    },
}

/// What came of a new task.
#[derive(Debug)]
#[non_exhaustive]
pub enum Submitted {
    /// It was worked on at once.
    Worked(Worked),
    /// It waits.
    Queued {
        /// Its number.
        task_id: u64,
        /// How many wait, it included.
        depth: usize,
        /// Why.
        reason: QueueReason,
        /// More about it, where there is more.
        error: Option<BrainError>,
    },
}

/// Why there was no working on a task.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The queue refused the task, or can't be used.
    #[error("the task could not be queued")]
    Queue(#[from] QueueError),
    /// The records can't be used.
    #[error("the records of Codex can't be used")]
    Store(#[from] StoreError),
    /// The accounts can't be used.
    #[error("the accounts of Codex can't be used")]
    Brain(#[from] BrainError),
    /// There is no such account.
    #[error("Codex has no account `{id}`")]
    UnknownAccount {
        /// The name that was given.
        id: String,
    },
}

/// What there is to do, as the pulse sees it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Agenda {
    /// The task that is next and may be asked for.
    pub(crate) task: Option<(u64, Revision)>,
    /// When it is worth looking for one again, where there is none.
    pub(crate) look_at: Option<Timestamp>,
    /// When each account is due for a look.
    pub(crate) checks: Vec<(String, Timestamp)>,
}

/// What becomes of a task that failed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Becomes {
    Parked,
    Waiting {
        reason: QueueReason,
        not_before: Timestamp,
        /// Whether the attempt counts: not when nobody could be asked, which is not the task's fault.
        counts: bool,
    },
}

pub(super) fn becomes(error: &BrainError, attempts: u32, now: Timestamp) -> Becomes {
    let told = error.retry_at().filter(|at| now < *at);
    match error.failure() {
        BrainError::Reserved { .. } | BrainError::NoAccount { .. } | BrainError::Records { .. } => {
            let not_before = told.unwrap_or(now + NO_ACCOUNT_PAUSE);
            Becomes::Waiting { reason: reason(error), not_before, counts: false }
        }
        BrainError::OverBudget { .. } | BrainError::BudgetUnknown { .. } => {
            let not_before = told.unwrap_or(now + NO_ACCOUNT_PAUSE);
            Becomes::Waiting { reason: QueueReason::SpendingCap, not_before, counts: false }
        }
        // The same prompt would be refused again.
        BrainError::ContextTooLong { .. } | BrainError::Rejected { .. } => Becomes::Parked,
        _ if attempts >= TASK_ATTEMPTS_MAX => Becomes::Parked,
        _ => {
            let pause = RETRY_FIRST.saturating_mul(1 << attempts.saturating_sub(1).min(16));
            Becomes::Waiting { reason: QueueReason::Retry, not_before: told.unwrap_or(now + pause), counts: true }
        }
    }
}

pub(super) fn reason(error: &BrainError) -> QueueReason {
    match error {
        BrainError::Reserved { .. } => QueueReason::RateLimitThreshold,
        _ => QueueReason::NoAccountAvailable,
    }
}
