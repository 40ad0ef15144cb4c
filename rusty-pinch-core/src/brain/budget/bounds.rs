//! The bounds of budgets, in one place.

use std::time::Duration;

/// Tokens that an answer is assumed to take before it is known, unless the operator says otherwise.
pub const ANSWER_TOKENS: u64 = 4096;
/// Tokens that a message, a call or a tool takes beside its text.
pub(super) const OVERHEAD_TOKENS: usize = 4;
/// How long a call may stay under way at the most; after that it counts as spent. Longer than any turn.
pub(super) const OPEN_TIME_MAX: Duration = Duration::from_secs(6 * 3600);
/// Calls under way at once, in all processes of a store.
pub(super) const OPEN_CALLS_MAX: usize = 1024;
/// Overdue calls that one change of the ledger counts as spent.
pub(super) const OVERDUE_CLOSED_MAX: usize = 16;
/// How often a change that lost a race is tried again. Every lost race is somebody else's success.
pub(super) const RACES_MAX: usize = 256;
/// Days whose spending is kept.
pub(super) const DAYS_KEPT: usize = 92;
/// Older days that are dropped when a day begins.
pub(super) const DAYS_DROPPED_MAX: usize = 32;
/// Models that a day tells apart, by lane; what comes beyond them is counted together.
pub(super) const ROWS_MAX: usize = 64;
/// The latest turns of a session whose spending is told apart.
pub(super) const TURNS_KEPT: usize = 8;
/// The largest price file, in bytes.
pub(super) const PRICES_BYTES_MAX: u64 = 1024 * 1024;
/// The most models of a price file.
pub(super) const PRICES_MAX: usize = 10_000;
/// The longest name in a price file, in bytes.
pub(super) const NAME_BYTES_MAX: usize = 200;
