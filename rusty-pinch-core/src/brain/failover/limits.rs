//! The bounds of a chain, in one place.

use std::time::Duration;

/// Retries that a chain may make at once, in tenths of a retry.
pub(super) const RETRIES_BURST_TENTHS: u32 = 100;
/// What each request adds to the retries that a chain may make, in tenths of a retry.
///
/// A tenth, and no more than the burst: in an outage without end there are at most 1.1 requests to a provider for each
/// request to the chain.
pub(super) const RETRIES_PER_REQUEST_TENTHS: u32 = 1;
/// How much time an attempt leaves to each member that was not asked yet, where there is as much.
pub(super) const RESERVE: Duration = Duration::from_secs(30);
/// The longest that a request waits for a breaker where nobody may be asked now.
pub(super) const WAIT_MAX: Duration = Duration::from_secs(60);
/// A request that waits longer than this says so in the log: somebody may sit before a silent terminal.
pub(super) const WAIT_UNTOLD_MAX: Duration = Duration::from_secs(5);
/// How often a request waits so.
pub(super) const WAITS_MAX: u32 = 8;
