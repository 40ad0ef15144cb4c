//! The bounds of this room.

use std::time::Duration;

use crate::brain::codex::events::EVENT_LINE_BYTES_MAX;

/// The longest line that is read: the longest answer with every character escaped, and its frame.
pub(in crate::brain::codex) const MESSAGE_LINE_BYTES_MAX: usize = 2 * EVENT_LINE_BYTES_MAX + 64 * 1024;
/// The longest answer.
pub(super) const ANSWER_BYTES_MAX: usize = EVENT_LINE_BYTES_MAX;
/// How long the server may take from its start to its first thread. It takes 0.3 s, and 0.6 s with a new home.
pub(super) const START_MAX: Duration = Duration::from_secs(20);
/// How long a server without work lives on.
pub(super) const IDLE_MAX: Duration = Duration::from_secs(300);
/// When a server gets no new work any more: a fresh one takes over, and sees new credentials and a new version.
pub(super) const AGE_MAX: Duration = Duration::from_secs(6 * 3600);
/// When the system kills a server at the latest, which leaves its last turns more time than a turn may take.
pub(super) const LIFE_MAX: Duration = Duration::from_secs(12 * 3600);
/// How long a server may take to stop a turn that nobody waits for any more, before it is killed. It takes 2 ms; promised
/// are 100 ms.
pub(super) const INTERRUPT_MAX: Duration = Duration::from_millis(80);
/// How many lines that are no messages are put up with.
pub(super) const ODD_LINES_MAX: usize = 8;
/// How many answers one turn may take. Codex asks its model anew when that asked for a tool that is not there, and would
/// do so for ever.
pub(super) const RESPONSES_MAX: u32 = 4;
