//! Trying the same brain again: when that may help, and when.
//!
//! [`RetryPolicy::next`] only decides. What waits and asks again is [`FailoverBrain`](super::FailoverBrain), the one
//! loop; nothing below it may repeat a request by itself, and nothing above it may wrap it in another loop.

use std::time::Duration;

use super::{BrainError, ErrorClass};
use crate::data::Timestamp;

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

#[cfg(test)]
pub(in crate::brain) mod tests;
