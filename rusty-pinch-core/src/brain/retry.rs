//! Trying again: the one place where it happens.
//!
//! The decision is [`RetryPolicy::next`], a pure function; [`RetryBrain`] waits and asks again. Nothing below it may
//! repeat a request by itself, and nothing above it may wrap it in another loop.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::{Brain, BrainError, BrainInfo, Completion, CompletionRequest, Delta, Deltas, ErrorClass};
use crate::data::Timestamp;
use crate::sys::{Clock, Entropy, SystemClock, SystemEntropy, random};

/// The most attempts that a policy allows, whatever it is told.
pub const ATTEMPTS_MAX: u32 = 100;

/// When a failed request is tried again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How many attempts there are at most, the first included; between 1 and [`ATTEMPTS_MAX`].
    pub attempts_max: u32,
    /// The longest pause after the first failure. It doubles with each further one.
    pub backoff: Duration,
    /// What the pause never grows beyond, unless the server asks for more.
    pub backoff_max: Duration,
}

impl Default for RetryPolicy {
    /// Three attempts, with pauses of up to 0.6 and 1.2 seconds.
    fn default() -> Self {
        Self { attempts_max: 3, backoff: Duration::from_millis(600), backoff_max: Duration::from_secs(4) }
    }
}

impl RetryPolicy {
    /// No second attempt.
    pub fn never() -> Self {
        Self { attempts_max: 1, ..Self::default() }
    }

    /// When to try again after the `attempt`-th attempt (counted from 1) failed with `error`; none to give up.
    ///
    /// The pause is random between nothing and the backoff ("full jitter"), so that clients which failed together don't
    /// come back together. It begins where the server said it may be asked again, and not a moment earlier; when that is
    /// not before the deadline, waiting would be in vain. At most half of the time that is left goes into the pause.
    /// `randomness` is 64 random bits.
    pub fn next(
        &self,
        attempt: u32,
        error: &BrainError,
        now: Timestamp,
        deadline: Timestamp,
        randomness: u64,
    ) -> Option<Timestamp> {
        let earliest = error.retry_at().map_or(now, |at| at.max(now));
        let may_help = error.class() == ErrorClass::RetryHere && attempt < self.attempts_max.min(ATTEMPTS_MAX);
        if !may_help || earliest >= deadline {
            return None;
        }
        let doublings = attempt.saturating_sub(1).min(31);
        let backoff = self.backoff.saturating_mul(1 << doublings).min(self.backoff_max.max(self.backoff));
        let pause_max = backoff.min(deadline.since(earliest) / 2);
        // The upper 53 bits make an even fraction between 0 and 1.
        let fraction = (randomness >> 11) as f64 / (1_u64 << 53) as f64;
        Some(earliest + pause_max.mul_f64(fraction))
    }
}

/// A brain that asks another one again when that may help.
///
/// All attempts share the request's deadline. A completion's `attempts` counts the failed ones too, and so does
/// [`BrainError::attempts`] when none succeeded.
pub struct RetryBrain<B> {
    inner: B,
    policy: RetryPolicy,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

impl<B: Brain> RetryBrain<B> {
    /// Asks `inner`, and again as `policy` says.
    pub fn new(inner: B, policy: RetryPolicy) -> Self {
        Self { inner, policy, clock: Arc::new(SystemClock), entropy: Arc::new(SystemEntropy) }
    }

    /// The same brain with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// The same brain with another source of randomness.
    #[must_use]
    pub fn with_entropy(mut self, entropy: Arc<dyn Entropy>) -> Self {
        self.entropy = entropy;
        self
    }
}

#[async_trait]
impl<B: Brain> Brain for RetryBrain<B> {
    fn info(&self) -> &BrainInfo {
        self.inner.info()
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let (preview, shown) = watched(deltas);
        let (mut tries, mut attempts) = (0, 0);
        loop {
            tries += 1;
            let error = match self.inner.complete(request, &preview).await {
                Ok(completion) => {
                    return Ok(Completion { attempts: attempts + completion.attempts, ..completion });
                }
                Err(error) => error,
            };
            attempts += error.attempts();
            let randomness = u64::from_le_bytes(random(&self.entropy));
            let Some(at) = self.policy.next(tries, &error, self.clock.now(), request.deadline, randomness) else {
                return Err(error.after_attempts(attempts));
            };
            tracing::debug!(attempt = tries, error = %error, retry_at = %at, "a completion failed and is tried again");
            self.clock.sleep_until(at).await;
            if shown.swap(false, Ordering::Relaxed) {
                deltas.restarted();
            }
        }
    }
}

/// The same deltas, and whether text has gone through since the last restart.
fn watched(deltas: &Deltas) -> (Deltas, Arc<AtomicBool>) {
    let shown = Arc::new(AtomicBool::new(false));
    if !deltas.is_listened_to() {
        return (Deltas::none(), shown);
    }
    let (deltas, noting) = (deltas.clone(), Arc::clone(&shown));
    let watched = Deltas::new(move |delta| match delta {
        Delta::Text(text) => {
            noting.store(true, Ordering::Relaxed);
            deltas.text(text);
        }
        Delta::Restarted => {
            noting.store(false, Ordering::Relaxed);
            deltas.restarted();
        }
    });
    (watched, shown)
}

impl<B: Brain> fmt::Debug for RetryBrain<B> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryBrain").field("inner", &self.inner).field("policy", &self.policy).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
