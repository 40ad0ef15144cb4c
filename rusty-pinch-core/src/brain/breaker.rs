//! Whether a provider is worth asking, judged by how it answered lately.
//!
//! [`Breaker`] is a value with pure transitions: closed, open until an instant, then one probe at a time. [`Breakers`]
//! keeps one for each [`Answerer`](super::Answerer) in the store, so that a restart does not begin by asking a provider
//! that is known to be down. Neither asks anybody anything.

mod breakers;
mod limits;

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::BrainError;
use crate::data::Timestamp;

pub use breakers::Breakers;
use limits::{CLOCK_SKEW_MAX, ERROR_CHARS_MAX, OPEN_MAX};

/// When a breaker opens, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BreakerPolicy {
    /// How many failures in a row open it. A failure that can't pass by itself (credentials, quota) opens it at once.
    pub threshold: u32,
    /// The longest that it is open at first. It doubles each time that the probe afterwards fails.
    pub first_pause: Duration,
    /// What its time never grows beyond, unless the provider named a later instant.
    pub longest_pause: Duration,
    /// How long a probe keeps others from probing; then whoever began it is taken for gone.
    pub probe_lease: Duration,
}

impl Default for BreakerPolicy {
    /// Three failures; between 2 and 60 seconds; a probe has 60 seconds.
    fn default() -> Self {
        Self {
            threshold: 3,
            first_pause: Duration::from_secs(2),
            longest_pause: Duration::from_secs(60),
            probe_lease: Duration::from_secs(60),
        }
    }
}

/// Whether a request may be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permit {
    /// Yes: the provider is well.
    Closed,
    /// Yes, to find out whether it is well again; nobody else does so at the same time.
    Probe,
    /// No.
    Open {
        /// Not before this instant.
        until: Timestamp,
    },
}

/// How a provider, with one model and one account, answered lately. The default is one that was never asked.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Breaker {
    /// Failures since the last answer.
    pub failures: u32,
    /// How often in a row it opened.
    pub openings: u32,
    /// Open until then. It stays after that instant, until an answer comes.
    pub open_until: Option<Timestamp>,
    /// Until then the provider itself does not want to be asked.
    pub told_until: Option<Timestamp>,
    /// A probe is under way, at most until then.
    pub probe_until: Option<Timestamp>,
    /// What the last failure was, shortened.
    pub last_error: Option<String>,
    /// When it was.
    pub last_failure_at: Option<Timestamp>,
    /// When the last answer came; to the minute where nothing else changed.
    pub last_success_at: Option<Timestamp>,
}

impl Breaker {
    /// Whether a request may be made at `now`.
    ///
    /// What was noted by a clock that ran ahead does not keep a provider away for as long as it ran ahead.
    pub fn permit(&self, now: Timestamp) -> Permit {
        let Some(open_until) = self.open_until else { return Permit::Closed };
        if now < open_until && !self.is_from_the_future(now) {
            return Permit::Open { until: open_until };
        }
        match self.probe_until {
            Some(until) if now < until && !self.is_from_the_future(now) => Permit::Open { until },
            _ => Permit::Probe,
        }
    }

    /// Whether the provider itself asked for quiet at `now`.
    pub fn is_told_off(&self, now: Timestamp) -> bool {
        self.told_until.is_some_and(|until| now < until) && !self.is_from_the_future(now)
    }

    /// Whether a request is finding out at `now` whether the provider is well again.
    pub fn is_probed(&self, now: Timestamp) -> bool {
        self.probe_until.is_some_and(|until| now < until) && !self.is_from_the_future(now)
    }

    fn is_from_the_future(&self, now: Timestamp) -> bool {
        self.last_failure_at.is_some_and(|at| at > now + CLOCK_SKEW_MAX)
    }

    /// The breaker with a probe under way since `now`.
    #[must_use]
    pub fn probing(&self, now: Timestamp, policy: &BreakerPolicy) -> Self {
        // A probe's time is measured from an instant that is not ahead of the clock.
        let last_failure_at = self.last_failure_at.map(|at| at.min(now));
        Self { probe_until: Some(now + policy.probe_lease), last_failure_at, ..self.clone() }
    }

    /// The breaker after a request failed with `error` at `now`.
    ///
    /// A failure that says nothing about the provider ([`BrainError::is_the_providers`]) only ends the probe. Failures
    /// that come while it is open already, from requests that began before, don't lengthen its time. `randomness` is 64
    /// random bits; the time open is between half of the pause and all of it.
    #[must_use]
    pub fn failed(&self, error: &BrainError, now: Timestamp, policy: &BreakerPolicy, randomness: u64) -> Self {
        let mut after = Self { probe_until: None, ..self.clone() };
        if !error.is_the_providers() {
            return after;
        }
        let was_open = self.open_until.is_some_and(|until| now < until) && !self.is_from_the_future(now);
        after.failures = self.failures.saturating_add(1);
        after.last_error = Some(shortened(&error.to_string()));
        after.last_failure_at = Some(now);
        let is_lasting = error.is_lasting();
        if !was_open && (is_lasting || after.failures >= policy.threshold || self.open_until.is_some()) {
            after.openings = self.openings.saturating_add(1);
            after.open_until = Some(now + pause(after.openings, is_lasting, policy, randomness));
        }
        if let Some(told) = error.retry_at().map(|at| at.min(now + OPEN_MAX)).filter(|at| *at > now) {
            after.told_until = after.told_until.max(Some(told));
            after.open_until = after.open_until.max(Some(told));
        }
        after
    }

    /// The breaker after an answer at `now`: closed.
    #[must_use]
    pub fn succeeded(&self, now: Timestamp) -> Self {
        Self {
            last_success_at: Some(now),
            last_error: self.last_error.clone(),
            last_failure_at: self.last_failure_at,
            ..Self::default()
        }
    }
}

fn pause(openings: u32, is_lasting: bool, policy: &BreakerPolicy, randomness: u64) -> Duration {
    let longest = policy.longest_pause.max(policy.first_pause);
    let doublings = openings.saturating_sub(1).min(31);
    let full = if is_lasting { longest } else { policy.first_pause.saturating_mul(1 << doublings).min(longest) };
    // The upper 53 bits make an even fraction between 0 and 1.
    let fraction = (randomness >> 11) as f64 / (1_u64 << 53) as f64;
    full.mul_f64(0.5 + fraction / 2.0)
}

/// A reason as it is kept: its beginning.
pub(super) fn shortened(text: &str) -> String {
    match text.char_indices().nth(ERROR_CHARS_MAX) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
