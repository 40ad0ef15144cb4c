//! What the provider says about an account's quota.
//!
//! A transport that is told puts its newest reading into the account's [`QuotaGauge`], and the pool takes it from there
//! after each call. `codex exec` is never told: its events carry no quota, and the rollout file that would is not
//! written in ephemeral runs. Then the pool counts.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::data::Timestamp;

/// How much of an account's quota was used when the provider last said so.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaReading {
    /// When it was said.
    pub read_at: Timestamp,
    /// The windows that the provider counts in, such as five hours and a week; the fullest one decides.
    pub windows: Vec<QuotaWindow>,
}

/// One window of a quota.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QuotaWindow {
    /// How much of it is used, in percent; over 100 counts as 100.
    pub used_percent: u8,
    /// How long the window is, where the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minutes: Option<u32>,
    /// When it begins anew, where the provider says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resets_at: Option<Timestamp>,
}

/// How long a window counts whose length and end nobody told: a reading must not block an account for ever.
const UNKNOWN_WINDOW: Duration = Duration::from_secs(300);

impl QuotaReading {
    /// How much is left at `now`, in percent: that of the fullest window that still runs. None when every window has
    /// begun anew since, for then nothing is known.
    pub fn remaining_percent(&self, now: Timestamp) -> Option<u8> {
        let running = self.windows.iter().filter(|window| now < self.end_of(window));
        running.map(|window| 100 - window.used_percent.min(100)).min()
    }

    /// When the last of the full windows ends, where one is full at `now`.
    pub fn full_until(&self, now: Timestamp) -> Option<Timestamp> {
        let full = self.windows.iter().filter(|window| window.used_percent >= 100);
        full.map(|window| self.end_of(window)).filter(|end| now < *end).max()
    }

    /// When the next window begins anew after `now`.
    pub fn next_reset(&self, now: Timestamp) -> Option<Timestamp> {
        self.windows.iter().map(|window| self.end_of(window)).filter(|end| now < *end).min()
    }

    fn end_of(&self, window: &QuotaWindow) -> Timestamp {
        let length = window.minutes.map_or(UNKNOWN_WINDOW, |minutes| Duration::from_secs(u64::from(minutes) * 60));
        window.resets_at.unwrap_or(self.read_at + length)
    }
}

/// Where a transport leaves its account's newest reading, and the pool takes it.
#[derive(Debug, Default)]
pub struct QuotaGauge {
    newest: Mutex<Option<QuotaReading>>,
}

impl QuotaGauge {
    /// Leaves `reading`, in place of one that nobody took.
    pub fn set(&self, reading: QuotaReading) {
        *self.newest() = Some(reading);
    }

    /// Takes the reading that was left since the last time.
    pub fn take(&self) -> Option<QuotaReading> {
        self.newest().take()
    }

    fn newest(&self) -> MutexGuard<'_, Option<QuotaReading>> {
        self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    fn window(used_percent: u8, minutes: Option<u32>, resets_at: Option<i64>) -> QuotaWindow {
        QuotaWindow { used_percent, minutes, resets_at: resets_at.map(at) }
    }

    #[test]
    fn the_fullest_window_that_runs_decides() {
        let reading = QuotaReading {
            read_at: at(0),
            windows: vec![window(90, None, Some(100)), window(40, Some(10), None), window(120, Some(1), Some(50))],
        };
        for (now, remaining, full_until) in [
            (0, Some(0), Some(50)),
            (49, Some(0), Some(50)),
            (50, Some(10), None),
            (100, Some(60), None),
            (599, Some(60), None),
            (600, None, None),
        ] {
            assert_eq!(reading.remaining_percent(at(now)), remaining, "at {now}");
            assert_eq!(reading.full_until(at(now)), full_until.map(at), "at {now}");
        }
        assert_eq!(reading.next_reset(at(50)), Some(at(100)));
    }

    #[test]
    fn a_window_that_says_nothing_about_its_end_does_not_count_for_ever() {
        let reading = QuotaReading { read_at: at(0), windows: vec![window(100, None, None)] };
        assert_eq!(reading.full_until(at(299)), Some(at(300)));
        assert_eq!((reading.full_until(at(300)), reading.remaining_percent(at(300))), (None, None));
    }

    #[test]
    fn a_reading_is_taken_once_and_the_newest_wins() {
        let gauge = QuotaGauge::default();
        let reading = |seconds| QuotaReading { read_at: at(seconds), windows: Vec::new() };
        gauge.set(reading(1));
        gauge.set(reading(2));
        assert_eq!((gauge.take(), gauge.take()), (Some(reading(2)), None));
    }
}
