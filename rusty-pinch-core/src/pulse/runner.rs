//! Runs a pulse: observe, decide, act.

use std::sync::Arc;

#[cfg(feature = "codex")]
use super::{AccountCheck, QueuedTask};
use super::{Action, Plan, Pulse, Situation, WaitingApproval};
use crate::agent::{Agent, Approval, Reply, TurnError};
#[cfg(feature = "codex")]
use crate::brain::{CodexWork, TaskEnding, WorkError, Worked};
use crate::data::{ApprovalToken, Timestamp};
use crate::store::{Revision, StoreError};

/// Gives an agent a pulse.
///
/// It holds no state between two [`tick`](Self::tick)s: another process goes on where this one died, and several
/// runners on one store do each thing once. It does not wait by itself; whoever owns the process does, until
/// [`PulseReport::wake_at`] or until something changes.
#[derive(Clone, Debug)]
pub struct PulseRunner {
    agent: Agent,
    pulse: Arc<dyn Pulse>,
    #[cfg(feature = "codex")]
    codex: Option<Arc<CodexWork>>,
}

/// What one tick came to.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct PulseReport {
    /// What was done, in order.
    pub done: Vec<ActionDone>,
    /// What could not be done. It is still in the situation, so a later tick decides about it again.
    pub failed: Vec<(Action, PulseError)>,
    /// When the next tick is due, even if nothing changes by then.
    pub wake_at: Option<Timestamp>,
}

/// An action that was carried out, by this runner or, a moment earlier, by another one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct ActionDone {
    /// The action.
    pub action: Action,
    /// The reply of the turn that it took, if it took one.
    pub reply: Option<Reply>,
    /// What came of it, in words, where it took no turn.
    pub note: Option<String>,
}

/// Why an action could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PulseError {
    /// The turn failed; what it did by then is kept.
    #[error("the verdict could not be carried out")]
    Turn(#[from] TurnError),
    /// The store failed.
    #[error("the approvals could not be read or ended")]
    Store(#[from] StoreError),
    /// Codex's queue or accounts can't be used; the task, if it was one, stays in the queue.
    #[cfg(feature = "codex")]
    #[error("Codex could not be put to work")]
    Codex(#[from] WorkError),
    /// The pulse acted on something that was not in the situation, or before its time. Nothing was done.
    #[error("the pulse planned an action that its situation does not allow: {why}")]
    Unfounded {
        /// What is wrong with it.
        why: String,
    },
}

impl PulseRunner {
    /// Gives `agent` the pulse `pulse`.
    pub fn new(agent: Agent, pulse: impl Pulse) -> Self {
        Self {
            agent,
            pulse: Arc::new(pulse),
            #[cfg(feature = "codex")]
            codex: None,
        }
    }

    /// The same with `work`: its queue is drained and its accounts are looked at.
    #[cfg(feature = "codex")]
    #[must_use]
    pub fn with_codex(mut self, work: Arc<CodexWork>) -> Self {
        self.codex = Some(work);
        self
    }

    /// Looks once, decides, and does what was decided, one action after the other. An action that fails does not stop
    /// the others. Dropping the future at any moment is safe.
    ///
    /// # Errors
    /// [`PulseError`] when the situation can't be read. Nothing was done.
    pub async fn tick(&self) -> Result<PulseReport, PulseError> {
        let waiting = self.agent.approvals_waiting().await?;
        let situation = Situation {
            waiting: waiting
                .iter()
                .map(|(approval, revision)| WaitingApproval::new(approval.token.clone(), approval.expires, *revision))
                .collect(),
            verdicts: self.agent.approvals_to_settle().await?,
            ..Situation::default()
        };
        #[cfg(feature = "codex")]
        let situation = self.with_agenda(situation).await?;
        let Plan { actions, wake_at } = self.pulse.decide(&situation, self.agent.clock().now());
        let mut report = PulseReport { done: Vec::new(), failed: Vec::new(), wake_at };
        for action in actions {
            match self.act(&action, &situation, &waiting).await {
                Ok((reply, note)) => report.done.push(ActionDone { action, reply, note }),
                Err(error) => {
                    tracing::warn!(?action, %error, "an action of the pulse failed");
                    report.failed.push((action, error));
                }
            }
        }
        Ok(report)
    }

    async fn act(
        &self,
        action: &Action,
        situation: &Situation,
        waiting: &[(Approval, Revision)],
    ) -> Result<(Option<Reply>, Option<String>), PulseError> {
        match action {
            Action::Settle { token } => Ok((Some(self.settle(token).await?), None)),
            Action::Expire { token, revision } => {
                self.expire(waiting, token, *revision).await.map(|()| (None, Some("its time is over".to_owned())))
            }
            Action::CheckHealth { account } => {
                let seen = situation.checks.iter().find(|check| check.account == *account);
                if seen.is_none_or(|check| self.agent.clock().now() < check.due) {
                    return Err(PulseError::Unfounded {
                        why: format!("the account `{account}` is not due for a look"),
                    });
                }
                self.check_health(account).await.map(|note| (None, Some(note)))
            }
            Action::DrainTask { task, revision } => {
                let is_seen =
                    situation.task.as_ref().is_some_and(|seen| seen.id == *task && seen.revision == *revision);
                if !is_seen {
                    return Err(PulseError::Unfounded { why: format!("the task {task} is not next") });
                }
                self.drain(*task, *revision).await.map(|note| (None, Some(note)))
            }
        }
    }

    #[cfg(feature = "codex")]
    async fn with_agenda(&self, mut situation: Situation) -> Result<Situation, PulseError> {
        let Some(work) = &self.codex else { return Ok(situation) };
        let agenda = work.agenda().await?;
        situation.task = agenda.task.map(|(id, revision)| QueuedTask::new(id, revision));
        situation.task_at = agenda.look_at;
        situation.checks = agenda.checks.into_iter().map(|(account, due)| AccountCheck { account, due }).collect();
        Ok(situation)
    }

    #[cfg(feature = "codex")]
    async fn check_health(&self, account: &str) -> Result<String, PulseError> {
        let Some(work) = &self.codex else { return Err(without_codex()) };
        let report = work.check(account).await?;
        Ok(if report.healthy { report.message } else { format!("can't be used: {}", report.message) })
    }

    #[cfg(feature = "codex")]
    async fn drain(&self, task: u64, revision: Revision) -> Result<String, PulseError> {
        let Some(work) = &self.codex else { return Err(without_codex()) };
        Ok(match work.drain(task, revision).await? {
            Worked::Ended(finished) => match finished.ending {
                TaskEnding::Executed { account_id, .. } => format!("task {task} was answered by `{account_id}`"),
                TaskEnding::Parked { reason } => format!("task {task} was given up: {reason}"),
            },
            Worked::PutBack { error, .. } => format!("task {task} waits again: {error}"),
            Worked::Lost { .. } | Worked::Nothing { .. } => format!("another process has task {task} by now"),
        })
    }

    #[cfg(not(feature = "codex"))]
    async fn check_health(&self, _: &str) -> Result<String, PulseError> {
        Err(without_codex())
    }

    #[cfg(not(feature = "codex"))]
    async fn drain(&self, _: u64, _: Revision) -> Result<String, PulseError> {
        Err(without_codex())
    }

    async fn settle(&self, token: &ApprovalToken) -> Result<Reply, PulseError> {
        Ok(self.agent.settle(token).await?)
    }

    async fn expire(
        &self,
        waiting: &[(Approval, Revision)],
        token: &ApprovalToken,
        revision: Revision,
    ) -> Result<(), PulseError> {
        let Some((approval, _)) = waiting.iter().find(|(approval, _)| approval.token == *token) else {
            return Err(PulseError::Unfounded { why: format!("no approval {token} waits") });
        };
        if self.agent.clock().now() < approval.expires {
            let why = format!("the approval {token} can be given until {}", approval.expires);
            return Err(PulseError::Unfounded { why });
        }
        Ok(self.agent.expire(approval, revision).await?)
    }
}

fn without_codex() -> PulseError {
    PulseError::Unfounded { why: "this pulse has no Codex".to_owned() }
}

#[cfg(test)]
mod tests;
