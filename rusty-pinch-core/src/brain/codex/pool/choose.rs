//! Which account is asked next. Pure: from what is remembered, the lane and the time to a choice.

use std::cmp::Reverse;
use std::time::Duration;

use super::bounds::{BACK_OFF_MAX, CAPPED_MAX};
use super::state::AccountState;
use crate::brain::Lane;
use crate::data::Timestamp;

/// The rules of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PoolPolicy {
    /// How long a window of an account lasts.
    pub window: Duration,
    /// How much of the pool is kept for people, in percent: background work is refused while no more than this is left.
    pub reserve_percent: u8,
}

impl Default for PoolPolicy {
    /// An hour, of which a quarter is kept for people.
    fn default() -> Self {
        Self { window: Duration::from_secs(3600), reserve_percent: 25 }
    }
}

/// An account with what is remembered of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seat<'a> {
    pub(crate) requests_max: u32,
    pub(crate) state: &'a AccountState,
    /// It was asked in this attempt already.
    pub(crate) is_asked: bool,
}

/// How an account stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It may be asked.
    Ready,
    /// It failed, and is better left alone until then; a person's request may ask it when no other is ready.
    Failing { until: Timestamp },
    /// Its quota is used up until then.
    Capped { until: Timestamp },
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Choice {
    /// The account with this index.
    Ask(usize),
    /// What is left is kept for people.
    Reserved,
    /// None can be asked.
    Nobody,
}

impl Seat<'_> {
    /// How it stands at `now`, and how many requests are left in the window: by our count, and no more than the provider
    /// says. A capped account has none left.
    pub(crate) fn look(&self, now: Timestamp, policy: &PoolPolicy) -> (Standing, u32) {
        let (state, reading) = (self.state, self.state.reading.as_ref());
        let told = reading.and_then(|reading| reading.full_until(now));
        let counted = self.requests_max.saturating_sub(state.used(now, policy.window));
        let used_up = if counted == 0 { state.window_ends(now, policy.window) } else { None };
        let capped = state.capped_until.filter(|until| is_ahead(*until, now, CAPPED_MAX));
        if let Some(until) = [told, used_up, capped].into_iter().flatten().max() {
            return (Standing::Capped { until }, 0);
        }
        let standing = match state.retry_at.filter(|until| is_ahead(*until, now, BACK_OFF_MAX)) {
            Some(until) => Standing::Failing { until },
            None => Standing::Ready,
        };
        let told = reading.and_then(|reading| reading.remaining_percent(now));
        let told = told.map(|percent| (u64::from(self.requests_max) * u64::from(percent)).div_ceil(100));
        let remaining = told.and_then(|told| u32::try_from(told).ok()).map_or(counted, |told| told.min(counted));
        (standing, remaining)
    }

    /// How it stands at `now`.
    pub(crate) fn standing(&self, now: Timestamp, policy: &PoolPolicy) -> Standing {
        self.look(now, policy).0
    }

    /// How many requests are left in the window.
    pub(crate) fn remaining(&self, now: Timestamp, policy: &PoolPolicy) -> u32 {
        self.look(now, policy).1
    }

    /// When it stands differently, at the earliest after `now`.
    fn changes(&self, now: Timestamp, policy: &PoolPolicy) -> impl Iterator<Item = Timestamp> + use<> {
        let state = self.state;
        let told = state.reading.as_ref().and_then(|reading| reading.next_reset(now));
        let window = state.window_ends(now, policy.window);
        [told, window, state.capped_until, state.retry_at].into_iter().flatten().filter(move |at| now < *at)
    }
}

/// Whether `until` lies ahead, and not so far that only a wrong clock can have set it.
fn is_ahead(until: Timestamp, now: Timestamp, at_most: Duration) -> bool {
    now < until && until <= now + at_most
}

/// Chooses the account that is asked next: of those that are neither failing nor capped the one with most left, of these
/// the one that rested longest. One whose pause is over counts as well again, or it would never come back.
pub(crate) fn choose(seats: &[Seat<'_>], lane: Lane, now: Timestamp, policy: &PoolPolicy) -> Choice {
    let (mut left, mut best, mut failing) = (Left::default(), None, None);
    for (index, seat) in seats.iter().enumerate() {
        let (standing, remaining) = seat.look(now, policy);
        left.add(seat, standing, remaining);
        match standing {
            Standing::Ready if !seat.is_asked => {
                let share = u64::from(remaining) * 10_000 / u64::from(seat.requests_max.max(1));
                best = best.max(Some((share, Reverse((seat.state.last_used_at, index)))));
            }
            Standing::Failing { until } if !seat.is_asked => {
                failing = Some(failing.map_or((until, index), |first: (Timestamp, usize)| first.min((until, index))));
            }
            _ => {}
        }
    }
    match (best, lane) {
        (Some(_), Lane::Background) if left.is_reserved(policy) => Choice::Reserved,
        (Some((_, Reverse((_, index)))), _) => Choice::Ask(index),
        (None, Lane::Background) => Choice::Nobody,
        // A person would rather have an account tried too early than no answer.
        (None, Lane::Interactive) => failing.map_or(Choice::Nobody, |(_, index)| Choice::Ask(index)),
    }
}

/// Requests left in the pool, and how many there are when nothing is used. An account that fails counts as absent, for
/// nobody knows when it is back; one that is capped counts as empty.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    left: u64,
    all: u64,
}

impl Left {
    fn of(seats: &[Seat<'_>], now: Timestamp, policy: &PoolPolicy) -> Self {
        seats.iter().fold(Self::default(), |mut left, seat| {
            let (standing, remaining) = seat.look(now, policy);
            left.add(seat, standing, remaining);
            left
        })
    }

    fn add(&mut self, seat: &Seat<'_>, standing: Standing, remaining: u32) {
        if !matches!(standing, Standing::Failing { .. }) {
            self.left += u64::from(remaining);
            self.all += u64::from(seat.requests_max);
        }
    }

    fn is_reserved(self, policy: &PoolPolicy) -> bool {
        self.left * 100 <= self.all * u64::from(policy.reserve_percent)
    }
}

/// Whether no more is left than what is kept for people.
pub(crate) fn is_reserved(seats: &[Seat<'_>], now: Timestamp, policy: &PoolPolicy) -> bool {
    Left::of(seats, now, policy).is_reserved(policy)
}

/// How much of the pool is left, in percent, rounded down; none when every account fails.
pub(crate) fn remaining_percent(seats: &[Seat<'_>], now: Timestamp, policy: &PoolPolicy) -> Option<u8> {
    let Left { left, all } = Left::of(seats, now, policy);
    (left * 100).checked_div(all).and_then(|percent| u8::try_from(percent).ok())
}

/// When a request of `lane` that is refused at `now` is worth another try. None when only a change from outside helps.
pub(crate) fn opens_at(seats: &[Seat<'_>], lane: Lane, now: Timestamp, policy: &PoolPolicy) -> Option<Timestamp> {
    let mut changes: Vec<_> = seats.iter().flat_map(|seat| seat.changes(now, policy)).collect();
    changes.sort_unstable();
    changes.dedup();
    changes.into_iter().find(|at| {
        let later: Vec<_> = seats.iter().map(|seat| Seat { is_asked: false, ..*seat }).collect();
        matches!(choose(&later, lane, *at, policy), Choice::Ask(_))
    })
}
