//! The bounds of the pool.

use std::time::Duration;

pub(super) use crate::brain::settings::{ACCOUNT_ID_BYTES_MAX, CODEX_ACCOUNTS_MAX};

/// How often a change of the records is tried again after another process was faster. Each time, that one got on.
pub(super) const CONFLICTS_MAX: usize = 64;
/// The first pause of an account that failed without a word about when it may be asked again; it doubles each time.
pub(super) const BACK_OFF_FIRST: Duration = Duration::from_secs(30);
/// The longest such pause.
pub(super) const BACK_OFF_MAX: Duration = Duration::from_secs(15 * 60);
/// The longest that an account is skipped because of a reset time that the provider named: a month, as the longest of
/// its windows, and a day.
pub(super) const CAPPED_MAX: Duration = Duration::from_secs(32 * 24 * 3600);
/// How long the counters of an account are kept that is configured no more.
pub(super) const FORGOTTEN_AFTER: Duration = Duration::from_secs(60 * 24 * 3600);
/// The longest error that is kept, in characters.
pub(super) const ERROR_CHARS_MAX: usize = 500;
