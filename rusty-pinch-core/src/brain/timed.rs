//! A bound on the time of one attempt.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::{Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas};
use crate::sys::Clock;

/// Gives another brain at most so much time for one attempt, however late the request's own deadline is. An attempt that
/// takes longer fails with [`BrainError::TimedOut`]; when it is the request whose time is over, that is
/// [`BrainError::DeadlineExceeded`] as ever.
#[derive(Debug)]
pub struct TimedBrain<B> {
    inner: B,
    time_max: Duration,
    clock: Arc<dyn Clock>,
}

impl<B: Brain> TimedBrain<B> {
    /// Asks `inner`, which has `time_max` from then on.
    pub fn new(inner: B, time_max: Duration, clock: Arc<dyn Clock>) -> Self {
        Self { inner, time_max, clock }
    }
}

#[async_trait]
impl<B: Brain> Brain for TimedBrain<B> {
    fn info(&self) -> &BrainInfo {
        self.inner.info()
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let latest = self.clock.now() + self.time_max;
        if request.deadline <= latest {
            return self.inner.complete(request, deltas).await;
        }
        let answer = self.inner.complete(&CompletionRequest { deadline: latest, ..request.clone() }, deltas).await;
        answer.map_err(|error| match error {
            // The attempt's time was over, and not the request's: another brain may still answer.
            BrainError::DeadlineExceeded { brain } => BrainError::TimedOut { brain, time: self.time_max },
            other => other,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::brain::{ErrorClass, Lane};
    use crate::data::Timestamp;
    use crate::testing::{ScriptedBrain, VirtualClock};

    #[tokio::test]
    async fn the_earlier_of_both_deadlines_counts() {
        let clock = Arc::new(VirtualClock::new(Timestamp::EPOCH));
        let inner = ScriptedBrain::new(|request| Ok(Completion::text(request.deadline.to_string())));
        let brain = TimedBrain::new(inner, Duration::from_secs(10), clock);
        for (asked, given) in [(5, 5), (10, 10), (60, 10)] {
            let deadline = Timestamp::from_millis(asked * 1000);
            let request =
                CompletionRequest { messages: vec![], tools: [].into(), deadline, lane: Lane::Interactive, turn: None };
            let answer = brain.complete(&request, &Deltas::none()).await.unwrap();
            assert_eq!(answer.content, Timestamp::from_millis(given * 1000).to_string());
        }
    }

    #[tokio::test]
    async fn the_end_of_an_attempt_is_not_the_end_of_the_request() {
        let clock = Arc::new(VirtualClock::new(Timestamp::EPOCH));
        let inner = ScriptedBrain::new(|_| Err(BrainError::DeadlineExceeded { brain: "b".into() }));
        let brain = TimedBrain::new(inner, Duration::from_secs(10), clock);
        for (asked, class) in [(5, ErrorClass::Never), (10, ErrorClass::Never), (60, ErrorClass::FailOver)] {
            let deadline = Timestamp::from_millis(asked * 1000);
            let request =
                CompletionRequest { messages: vec![], tools: [].into(), deadline, lane: Lane::Interactive, turn: None };
            assert_eq!(brain.complete(&request, &Deltas::none()).await.unwrap_err().class(), class, "{asked}");
        }
    }
}
