//! The decision by itself, for the bench that measures it.

use std::time::Duration;

use super::choose::{Choice, PoolPolicy, Seat, choose};
use super::state::AccountState;
use crate::brain::{Lane, QuotaReading, QuotaWindow};
use crate::data::Timestamp;

/// A pool whose accounts are all in use, with readings of the provider, and nothing around the decision.
#[doc(hidden)]
#[derive(Debug)]
pub struct PoolDecision {
    states: Vec<AccountState>,
    policy: PoolPolicy,
    now: Timestamp,
}

impl PoolDecision {
    /// So many accounts, each used a little more than the one before.
    pub fn in_use(accounts: usize) -> Self {
        let now = Timestamp::EPOCH + Duration::from_secs(1_000_000);
        let state = |n: usize| AccountState {
            used: u32::try_from(n).unwrap_or(u32::MAX),
            window_began: Some(now - Duration::from_secs(60)),
            last_used_at: Some(now - Duration::from_secs(1)),
            reading: Some(QuotaReading {
                read_at: now - Duration::from_secs(1),
                windows: vec![
                    QuotaWindow { used_percent: 10, minutes: Some(300), resets_at: None },
                    QuotaWindow { used_percent: 20, minutes: Some(10_080), resets_at: None },
                ],
            }),
            ..AccountState::default()
        };
        Self { states: (0..accounts).map(state).collect(), policy: PoolPolicy::default(), now }
    }

    /// Which account is asked.
    pub fn decide(&self, lane: Lane) -> Option<usize> {
        let seat = |state| Seat { requests_max: 1_000, state, is_asked: false };
        let seats: Vec<Seat<'_>> = self.states.iter().map(seat).collect();
        match choose(&seats, lane, self.now, &self.policy) {
            Choice::Ask(index) => Some(index),
            Choice::Reserved | Choice::Nobody => None,
        }
    }
}
