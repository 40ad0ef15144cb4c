//! The bounds of breakers, in one place.

use std::time::Duration;

/// The longest that a provider's word keeps a breaker open. Quotas of accounts reset monthly at the latest.
pub(super) const OPEN_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);
/// How far ahead of the clock a noted failure may be before it is taken for the note of a wrong clock.
pub(super) const CLOCK_SKEW_MAX: Duration = Duration::from_secs(10);
/// The longest reason that is kept, in characters.
pub(super) const ERROR_CHARS_MAX: usize = 400;
/// How old what is known of a breaker may be before it is read again: another process may have changed it.
pub(super) const REREAD_AFTER: Duration = Duration::from_secs(5);
/// How often an answer is noted where nothing else changed.
pub(super) const SUCCESS_NOTED_EVERY: Duration = Duration::from_secs(60);
/// How often a change is made anew when others changed the same breaker meanwhile.
pub(super) const TRIES_MAX: usize = 16;
