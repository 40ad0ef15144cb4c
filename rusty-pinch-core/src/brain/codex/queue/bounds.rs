//! The bounds of the queue.

use std::time::Duration;

/// The longest prompt of a task, in bytes.
pub const TASK_PROMPT_BYTES_MAX: usize = 256 * 1024;
/// The longest purpose of a task, in characters.
pub const TASK_PURPOSE_CHARS_MAX: usize = 200;
/// How often a task is begun before it is parked.
pub const TASK_ATTEMPTS_MAX: u32 = 5;
/// How many results are kept; the oldest go first.
pub const TASK_RESULTS_KEPT: u64 = 100;
/// The longest output of a task that is kept, in bytes.
pub const TASK_OUTPUT_BYTES_MAX: usize = 64 * 1024;
/// How much earlier a person's task counts than it came: it overtakes what nobody waits for, but nothing that has waited
/// longer than this.
pub(super) const HEAD_START: Duration = Duration::from_secs(600);
/// How long a task is held without a sign of life from whoever works on it.
pub(crate) const LEASE: Duration = Duration::from_secs(60);
/// How often whoever works on a task gives a sign of life.
pub(crate) const RENEW_EVERY: Duration = Duration::from_secs(20);
/// The pause after the first attempt that came to nothing; it doubles each time.
pub(crate) const RETRY_FIRST: Duration = Duration::from_secs(10);
/// How often a commit is tried again after another process was faster.
pub(super) const CONFLICTS_MAX: usize = 64;
/// More open tasks than there can be: those that wait, and those that are being worked on.
pub(super) const OPEN_MAX: usize = 20_000;
