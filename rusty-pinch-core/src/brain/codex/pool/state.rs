//! What is remembered of the accounts, and how it changes. Pure: from a state, an event and the time to the next state.
//!
//! A window begins with the first request in it and lasts as long as the operator said, as the provider's own windows
//! do. Between two windows nothing carries over.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::account::AccountId;
use super::bounds::{BACK_OFF_FIRST, BACK_OFF_MAX, CAPPED_MAX, ERROR_CHARS_MAX, FORGOTTEN_AFTER};
use crate::brain::{BrainError, QuotaReading};
use crate::data::Timestamp;

/// Every account's state; one record, so that a claim sees and changes all of them at once.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PoolState {
    pub(crate) accounts: BTreeMap<AccountId, AccountState>,
}

/// What is remembered of one account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct AccountState {
    /// Requests claimed in the window.
    pub(crate) used: u32,
    /// When the window began.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) window_began: Option<Timestamp>,
    /// The provider gives nothing before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) capped_until: Option<Timestamp>,
    /// Better not asked before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) retry_at: Option<Timestamp>,
    /// Failures of the account itself, since its last answer.
    pub(crate) failures: u32,
    /// The last of them was found by a health check, and not by a request.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub(crate) was_check: bool,
    pub(crate) health: AccountHealth,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_used_at: Option<Timestamp>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) last_healthcheck_at: Option<Timestamp>,
    /// What the provider last said about its quota.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reading: Option<QuotaReading>,
}

/// Whether an account worked when it was last used or looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum AccountHealth {
    Failing,
    #[default]
    Unknown,
    Healthy,
}

/// What a claimed request came to.
#[derive(Clone, Copy, Debug)]
pub(super) enum Outcome<'a> {
    Answered,
    Failed(&'a BrainError),
}

/// Whether another account may answer where one failed with `error`: trouble of the account, and of the program, which
/// runs in each account's own home. What is about the provider or the request would fail with any account.
pub(super) fn may_another_answer(error: &BrainError) -> bool {
    is_of_account(error) || matches!(error.failure(), BrainError::Program { .. })
}

/// Whether `error` is about the account that was asked, so that it is left alone for a while.
pub(super) fn is_of_account(error: &BrainError) -> bool {
    matches!(
        error.failure(),
        BrainError::QuotaExhausted { .. }
            | BrainError::RateLimited { .. }
            | BrainError::Unauthorized { .. }
            | BrainError::NotConfigured { .. }
    )
}

impl AccountState {
    /// The window that runs at `now`, where one does: when it began and how much of it is used.
    ///
    /// A beginning in the future comes of a clock that was set back. Up to one window of that the count holds on, so
    /// that a small correction gives nothing away; beyond it the count was made by a wrong clock, and is nothing.
    fn window(&self, now: Timestamp, length: Duration) -> Option<(Timestamp, u32)> {
        let began = self.window_began?;
        let runs = now < began + length && began <= now + length;
        runs.then_some((began, self.used))
    }

    /// Requests claimed in the window that runs at `now`.
    pub(super) fn used(&self, now: Timestamp, length: Duration) -> u32 {
        self.window(now, length).map_or(0, |(_, used)| used)
    }

    /// When the window ends that runs at `now`.
    pub(super) fn window_ends(&self, now: Timestamp, length: Duration) -> Option<Timestamp> {
        self.window(now, length).map(|(began, _)| began + length)
    }

    /// Counts a request that is about to be made.
    pub(super) fn claim(&mut self, now: Timestamp, length: Duration) {
        let (began, used) = self.window(now, length).unwrap_or((now, 0));
        self.window_began = Some(began);
        self.used = used.saturating_add(1);
        self.last_used_at = Some(now);
    }

    /// Notes what a request came to that was claimed in the window that began at `window_began`.
    pub(super) fn settle(
        &mut self,
        outcome: Outcome<'_>,
        window_began: Option<Timestamp>,
        reading: Option<QuotaReading>,
        now: Timestamp,
    ) {
        if let Some(reading) = reading {
            self.reading = Some(reading);
        }
        let error = match outcome {
            Outcome::Answered => return self.is_well(),
            Outcome::Failed(error) => error,
        };
        // Nothing left the process, so nothing was used.
        if error.attempts() == 0 && self.window_began == window_began {
            self.used = self.used.saturating_sub(1);
        }
        self.last_error = Some(shortened(&error.to_string()));
        if !is_of_account(error) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.was_check = false;
        let is_refused = matches!(error.failure(), BrainError::Unauthorized { .. } | BrainError::NotConfigured { .. });
        if is_refused {
            self.health = AccountHealth::Failing;
        }
        match error.retry_at().filter(|at| now < *at) {
            Some(at) => self.capped_until = Some(at.min(now + CAPPED_MAX)),
            None => self.retry_at = Some(now + back_off(self.failures)),
        }
    }

    /// Notes what a health check found. One that finds nothing wrong mends what a check found and nothing else: it asks no
    /// model, so it can't tell that a revoked login works again.
    pub(super) fn checked(&mut self, error: Option<&str>, now: Timestamp) {
        self.last_healthcheck_at = Some(now);
        let Some(error) = error else {
            if self.failures == 0 || self.was_check {
                self.is_well();
            }
            return;
        };
        self.failures = self.failures.saturating_add(1);
        self.was_check = true;
        self.health = AccountHealth::Failing;
        self.last_error = Some(shortened(error));
        self.retry_at = Some(now + back_off(self.failures));
    }

    /// Forgets what keeps it from being asked at `now`, as somebody knows better. What was counted stays counted,
    /// and what it last failed with stays told.
    ///
    /// Says whether there was anything.
    pub(super) fn pardon(&mut self, now: Timestamp) -> bool {
        let is_paused = [self.capped_until, self.retry_at].into_iter().flatten().any(|until| now < until);
        let is_told_off = self.reading.as_ref().is_some_and(|reading| reading.full_until(now).is_some());
        if !is_paused && !is_told_off && self.health != AccountHealth::Failing && self.failures == 0 {
            return false;
        }
        *self = Self {
            used: self.used,
            window_began: self.window_began,
            last_used_at: self.last_used_at,
            last_healthcheck_at: self.last_healthcheck_at,
            last_error: self.last_error.take(),
            ..Self::default()
        };
        true
    }

    fn is_well(&mut self) {
        self.failures = 0;
        self.was_check = false;
        self.retry_at = None;
        self.last_error = None;
        self.health = AccountHealth::Healthy;
    }

    fn last_seen(&self) -> Option<Timestamp> {
        [self.last_used_at, self.last_healthcheck_at, self.capped_until].into_iter().flatten().max()
    }
}

impl PoolState {
    /// The state of `id`; a new one where nothing is remembered.
    pub(super) fn account(&mut self, id: &AccountId) -> &mut AccountState {
        self.accounts.entry(id.clone()).or_default()
    }

    /// Forgets accounts that are configured no more and were not seen for long.
    pub(super) fn forget_strangers(&mut self, known: impl Fn(&AccountId) -> bool, now: Timestamp) {
        self.accounts
            .retain(|id, state| known(id) || state.last_seen().is_some_and(|seen| now.since(seen) < FORGOTTEN_AFTER));
    }
}

/// The pause after that many failures.
fn back_off(failures: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    BACK_OFF_FIRST.saturating_mul(1 << doublings).min(BACK_OFF_MAX)
}

fn shortened(error: &str) -> String {
    error.chars().take(ERROR_CHARS_MAX).collect()
}
