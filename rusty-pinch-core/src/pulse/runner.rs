//! Runs a pulse: observe, decide, act.

use std::sync::Arc;

use super::{Action, Plan, Pulse, Situation, WaitingApproval};
use crate::agent::{Agent, Approval, Reply, TurnError};
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
}

/// What one tick came to.
#[derive(Debug)]
#[must_use]
#[non_exhaustive]
pub struct PulseReport {
    /// What was done, in order.
    pub done: Vec<Done>,
    /// What could not be done. It is still in the situation, so a later tick decides about it again.
    pub failed: Vec<(Action, PulseError)>,
    /// When the next tick is due, even if nothing changes by then.
    pub wake_at: Option<Timestamp>,
}

/// An action that was carried out, by this runner or, a moment earlier, by another one.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Done {
    /// The action.
    pub action: Action,
    /// The reply of the turn that it took, if it took one.
    pub reply: Option<Reply>,
}

/// Why an action could not be carried out.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PulseError {
    /// The turn failed; what it did by then is kept.
    #[error("the verdict could not be carried out")]
    Turn(#[from] TurnError),
    /// The store failed.
    #[error("the approval could not be ended")]
    Store(#[from] StoreError),
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
        Self { agent, pulse: Arc::new(pulse) }
    }

    /// Looks once, decides, and does what was decided, one action after the other. An action that fails does not stop
    /// the others. Dropping the future at any moment is safe.
    ///
    /// # Errors
    /// [`StoreError`] when the situation can't be read. Nothing was done.
    pub async fn tick(&self) -> Result<PulseReport, StoreError> {
        let waiting = self.agent.approvals_waiting().await?;
        let situation = Situation {
            waiting: waiting
                .iter()
                .map(|(approval, revision)| WaitingApproval::new(approval.token.clone(), approval.expires, *revision))
                .collect(),
            verdicts: self.agent.approvals_to_settle().await?,
        };
        let Plan { actions, wake_at } = self.pulse.decide(&situation, self.agent.clock().now());
        let mut report = PulseReport { done: Vec::new(), failed: Vec::new(), wake_at };
        for action in actions {
            let acted = match &action {
                Action::Settle { token } => self.settle(token).await.map(Some),
                Action::Expire { token, revision } => self.expire(&waiting, token, *revision).await.map(|()| None),
            };
            match acted {
                Ok(reply) => report.done.push(Done { action, reply }),
                Err(error) => {
                    tracing::warn!(?action, %error, "an action of the pulse failed");
                    report.failed.push((action, error));
                }
            }
        }
        Ok(report)
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

#[cfg(test)]
mod tests;
