//! The pulse decides what the system does by itself, and when it looks again.
//!
//! A [`Pulse`] is a pure function: [`Situation`] and time in, [`Plan`] out. Whatever has an effect (reading the
//! situation, acting, waiting) is the business of [`PulseRunner`]. Nothing here reads a clock, a store or a model, so an
//! idle system costs nothing but the wait for its next instant.

mod ooda;
mod runner;

use std::fmt::Debug;
use std::sync::Arc;

use crate::data::{ApprovalToken, Timestamp};
use crate::store::Revision;

pub use ooda::OodaPulse;
pub use runner::{ActionDone, PulseError, PulseReport, PulseRunner};

/// Decides what to do in a situation.
///
/// # Contract
/// - **Pure.** The same situation at the same instant gives the same plan. No I/O, no clock, no randomness, no memory
///   of earlier situations.
/// - **Only what it sees.** Every action is about something in the situation, at most once, and carries the revision
///   that the situation gave: acting then fails on whatever changed in between, instead of undoing it.
/// - **Awake in time.** `wake_at` lies after `now`, unless the plan has actions. None means that only a change of the
///   situation is worth another look.
/// - **Repeatable.** What failed, or was interrupted, is still in the next situation and is decided again.
pub trait Pulse: Debug + Send + Sync + 'static {
    /// What to do now, and when to look again.
    fn decide(&self, situation: &Situation, now: Timestamp) -> Plan;
}

impl<T: Pulse + ?Sized> Pulse for Arc<T> {
    fn decide(&self, situation: &Situation, now: Timestamp) -> Plan {
        (**self).decide(situation, now)
    }
}

/// What there is to decide about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Situation {
    /// Approvals without a verdict, those whose time is over too.
    pub waiting: Vec<WaitingApproval>,
    /// Approvals with a verdict that is not carried out yet.
    pub verdicts: Vec<ApprovalToken>,
    /// The task that is next in Codex's queue, if it is due and an account may be asked for it.
    pub task: Option<QueuedTask>,
    /// When there may be such a task, where there is none and that is known.
    pub task_at: Option<Timestamp>,
    /// Codex's accounts, and when each is to be looked at.
    pub checks: Vec<AccountCheck>,
}

/// A task that may be worked on.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueuedTask {
    /// Its number.
    pub id: u64,
    /// The revision of its record.
    pub revision: Revision,
}

impl QueuedTask {
    /// The task with this number.
    pub fn new(id: u64, revision: Revision) -> Self {
        Self { id, revision }
    }
}

/// An account that is looked at from time to time.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountCheck {
    /// Its name.
    pub account: String,
    /// When it is to be looked at.
    pub due: Timestamp,
}

impl AccountCheck {
    /// A look at `account` that is due at `due`.
    pub fn new(account: impl Into<String>, due: Timestamp) -> Self {
        Self { account: account.into(), due }
    }
}

/// An approval without a verdict.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct WaitingApproval {
    /// Its name.
    pub token: ApprovalToken,
    /// The instant from which on it can't be given any more.
    pub expires: Timestamp,
    /// The revision of its record.
    pub revision: Revision,
}

impl WaitingApproval {
    /// An approval that waits until `expires`.
    pub fn new(token: ApprovalToken, expires: Timestamp, revision: Revision) -> Self {
        Self { token, expires, revision }
    }
}

/// What to do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Plan {
    /// What to do now, in this order.
    pub actions: Vec<Action>,
    /// When to look again, even if nothing changes by then.
    pub wake_at: Option<Timestamp>,
}

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Action {
    /// Carry out the verdict on this approval. A verdict never changes, so it needs no revision.
    Settle {
        /// The approval.
        token: ApprovalToken,
    },
    /// End this approval, whose time is over, if its record still has this revision.
    Expire {
        /// The approval.
        token: ApprovalToken,
        /// The revision that was seen.
        revision: Revision,
    },
    /// Look whether this account of Codex can be used. It asks no model, and twice does no harm, so it needs no revision.
    CheckHealth {
        /// The account.
        account: String,
    },
    /// Ask Codex for this task, if its record still has this revision.
    DrainTask {
        /// The task.
        task: u64,
        /// The revision that was seen.
        revision: Revision,
    },
}
