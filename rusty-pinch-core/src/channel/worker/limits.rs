//! The bounds of a channel's worker, in one place.

use std::time::Duration;

/// The longest name of a channel, in bytes: it is part of every session id.
pub(super) const CHANNEL_NAME_BYTES_MAX: usize = 32;
/// The longest text of a message that is kept; what is longer is answered without being read.
pub(super) const TEXT_BYTES_MAX: usize = 256 * 1024;
/// The longest name of a chat or sender, in bytes. A message from a longer one can't be answered.
pub(super) const NAME_BYTES_MAX: usize = 1024;
/// The longest id of a message that is part of a key as it is; of a longer one it is the digest.
pub(super) const ID_BYTES_MAX: usize = 128;
/// Messages and answers that may wait together. With more, nothing is received until some are done.
pub(super) const WAITING_MAX: usize = 256;
/// The latest messages of a channel whose ids are remembered. A peer brings again what was not acknowledged, and every
/// message is acknowledged before the next one is received, so this is far more than is needed.
pub(super) const SEEN_MAX: u64 = 10_000;
/// Parked messages and answers that are kept per channel.
pub(super) const PARKED_MAX: usize = 1_000;
/// Attempts to answer a message, and to send an answer.
pub(super) const TRIES_MAX: u32 = 3;
/// How often a commit that lost a race is made again.
pub(super) const RACES_MAX: u32 = 3;
/// The wait before the second attempt, where the peer names none; it doubles with each further one.
pub(super) const RETRY_WAIT: Duration = Duration::from_secs(1);
/// The longest wait that a peer can impose.
pub(super) const RETRY_WAIT_MAX: Duration = Duration::from_secs(24 * 60 * 60);
/// The wait after a failed receive.
pub(super) const RECEIVE_WAIT: Duration = Duration::from_secs(1);
/// How long a worker waits for another one of its channel to end.
pub(super) const LOCK_WAIT: Duration = Duration::from_secs(2);
