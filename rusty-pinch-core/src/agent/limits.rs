//! The bounds of a turn, in one place.

use std::time::Duration;

/// Bounds of every turn of an agent. All can be set through [`AgentBuilder::limits`](super::AgentBuilder::limits).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Limits {
    /// The longest message, in bytes.
    pub message_bytes_max: usize,
    /// How many completions one turn may take.
    pub completions_max: usize,
    /// How long a turn may take from its first entry on.
    pub turn_time_max: Duration,
    /// How long a turn waits for another one of the same session.
    pub lock_wait: Duration,
    /// How long an approval may be given after it was asked for.
    pub approval_time_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_bytes_max: 256 * 1024,
            completions_max: 32,
            turn_time_max: Duration::from_secs(300),
            lock_wait: Duration::from_secs(30),
            approval_time_max: Duration::from_secs(600),
        }
    }
}

/// Calls of one completion that are kept; what a model asks for beyond them is dropped.
pub(super) const CALLS_PER_COMPLETION_MAX: usize = 16;
/// The most names of tools that an error tells when none of them was meant.
pub(super) const NAMES_TOLD_MAX: usize = 32;
/// The longest output of a call that is kept, in bytes.
pub(super) const OUTCOME_BYTES_MAX: usize = 64 * 1024;
/// Lines read at first, and at a time when more are needed.
pub(super) const WINDOW_LINES: usize = 64;
/// Lines of history that a prompt may draw on.
pub(super) const WINDOW_LINES_MAX: usize = 4096;
/// Lines of history that are carried from turn to turn before the older ones are folded into a summary.
pub(super) const HISTORY_LINES_MAX: usize = 512;
/// How often an append that lost a race before any effect is tried again.
pub(super) const RACES_MAX: usize = 3;
/// Tokens that a message takes beside its text.
pub(super) const MESSAGE_OVERHEAD_TOKENS: usize = 4;
/// The most tokens kept free for the answer.
pub(super) const ANSWER_TOKENS_MAX: usize = 4096;
/// The most tokens of a summary.
pub(super) const SUMMARY_TOKENS_MAX: usize = 1024;
/// How long the summary of a long history may take to make.
pub(super) const SUMMARY_TIME_MAX: Duration = Duration::from_secs(60);
/// Pending approvals and wake-ups listed at once.
pub(super) const APPROVALS_LISTED_MAX: usize = 1000;
/// Repetitions of a call, or of a cycle of calls, that are warned about.
pub(super) const REPEATS_WARNED: usize = 3;
/// Repetitions of a call, or of a cycle of calls, that stop the turn.
pub(super) const REPEATS_STOPPED: usize = 5;
/// The longest cycle of calls that is looked for.
pub(super) const CYCLE_PERIOD_MAX: usize = 4;
