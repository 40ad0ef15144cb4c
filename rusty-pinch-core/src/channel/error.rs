//! What a channel can fail with.

use crate::data::Timestamp;

/// A channel's failure.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChannelError {
    /// Nothing went out, for sure.
    #[error("the message was not sent: {why}")]
    NotSent {
        /// Why.
        why: String,
        /// When to try again, where the peer said so.
        retry_at: Option<Timestamp>,
    },
    /// Nobody knows whether the message went out.
    #[error("nobody knows whether the message was sent: {why}")]
    Lost {
        /// What is known.
        why: String,
    },
    /// Receiving failed; what was not acknowledged comes again.
    #[error("receiving failed: {why}")]
    Receive {
        /// Why.
        why: String,
    },
}
