//! The worker: messages of a channel become turns of an agent, and the replies go back.
//!
//! It owns the records under `channel/<name>`: the inbox, the outbox, the ids that were seen, and what was given up.
//! Every hop is durable before the next one begins, so the process may die anywhere and another worker goes on:
//!
//! 1. *Receive*: one commit keeps the message with its id and the end of its session's journal; then it is acknowledged.
//! 2. *Answer*: a turn that happens once per message; then one commit takes the message out of the inbox and puts the
//!    reply, or a short apology, into the outbox.
//! 3. *Send*: one commit says `sending`, the message goes out, one commit says that it did.
//!
//! Not here yet: chats side by side (messages are answered one after the other), allowlist and pairing, splitting of
//! long answers, the peers' rules for pauses and conflicts, and the reply to an approval that is given later.

mod desk;
mod inbox;
mod limits;
mod outbox;
mod parked;
mod queue;

use std::sync::Arc;

use super::Channel;
use crate::agent::Agent;
use crate::data::{SessionId, Sha256Digest};
use crate::store::StoreError;

use desk::Desk;
pub use parked::{Parked, ParkedItem};

/// Answers the messages of a channel with an agent, until the channel is closed.
///
/// # What is promised
/// Whatever happens, and wherever the process dies or the future of [`run`](Self::run) is dropped:
/// - A message that the channel delivered is answered, if need be by an apology with the request's id. It is one turn
///   of one session, `<channel>:<chat>`; a chat whose name makes no session id gets the digest of its name instead.
/// - On a channel that dedupes, its answer is delivered once. On another one, at most once: an answer of which nobody
///   knows whether it arrived is not sent again, but kept and shown by [`parked`](Self::parked).
/// - Messages of a chat are answered in their order, and a message that fails or waits holds back its own chat only.
/// - A message or an answer is tried 3 times at most, then [parked](Self::parked): the latest 1,000 are kept.
/// - A message that comes again is dropped. The ids of the latest 10,000 messages of a channel are kept for that.
///
/// A call that needs an approval is answered by the question and the approval's token.
#[derive(Clone, Debug)]
pub struct ChannelWorker {
    agent: Agent,
    channel: Arc<dyn Channel>,
}

/// Why a worker stopped. What is durable by then stays, and the next worker goes on.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WorkerError {
    /// The channel's name can't be part of a session id.
    #[error(
        "the channel name {name:?} can't be used; give it 1 to {} of a-z, 0-9, `_` and `-`",
        limits::CHANNEL_NAME_BYTES_MAX
    )]
    Name {
        /// The name, shortened.
        name: String,
    },
    /// Another worker of this channel runs on this store.
    #[error("another worker answers the channel `{channel}` on this store; stop it first")]
    AlreadyRunning {
        /// The channel.
        channel: String,
    },
    /// The store failed.
    #[error("the messages of the channel could not be read or written")]
    Store(#[from] StoreError),
}

impl ChannelWorker {
    /// A worker that answers `channel` with `agent`, and keeps its messages in the agent's store.
    pub fn new(agent: Agent, channel: impl Channel) -> Self {
        Self { agent, channel: Arc::new(channel) }
    }

    /// Finishes what was left, then receives and answers until the channel is closed and nothing is due. What still
    /// waits for a later attempt then stays for the next worker.
    ///
    /// # Errors
    /// [`WorkerError`]; a worker that is started again goes on.
    pub async fn run(&self) -> Result<(), WorkerError> {
        Desk::open(self).await?.run().await
    }

    /// Finishes what is due, without receiving.
    ///
    /// # Errors
    /// [`WorkerError`]; a worker that is started again goes on.
    pub async fn drain(&self) -> Result<(), WorkerError> {
        Desk::open(self).await?.work().await.map(drop)
    }

    /// What was given up: messages without an answer, answers that did not go out or may not have arrived.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be read.
    pub async fn parked(&self) -> Result<Vec<Parked>, StoreError> {
        parked::list(&**self.agent.store(), &self.channel.info().name).await
    }
}

/// The session of a chat: `<channel>:<chat>`, or, where that is no session id, the first 128 bits of the SHA-256 of the
/// chat's name. Chats whose names look like such a digest are digested too, so that no two chats share a session.
fn session_of(channel: &str, chat: &str) -> Result<SessionId, WorkerError> {
    let fits = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == '-';
    let bad_name = || WorkerError::Name { name: channel.chars().take(2 * limits::CHANNEL_NAME_BYTES_MAX).collect() };
    if channel.is_empty() || channel.len() > limits::CHANNEL_NAME_BYTES_MAX || !channel.chars().all(fits) {
        return Err(bad_name());
    }
    let plain = Some(chat).filter(|chat| !chat.is_empty() && !chat.starts_with("sha256-"));
    if let Some(Ok(session)) = plain.map(|chat| SessionId::new(&format!("{channel}:{chat}"))) {
        return Ok(session);
    }
    let digest = Sha256Digest::of(chat.as_bytes()).to_string();
    let short = digest.get(..32).unwrap_or(&digest);
    SessionId::new(&format!("{channel}:sha256-{short}")).map_err(|_| bad_name())
}

#[cfg(test)]
mod tests;
