//! A channel talks: messages from people come in, answers go out.

mod error;
mod loopback;
mod worker;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::data::Timestamp;

pub use error::ChannelError;
pub use loopback::{LoopbackChannel, LoopbackPeer, SayError};
pub use worker::{ChannelWorker, Parked, ParkedItem, WorkerError};

/// Talks: receives messages and sends answers.
///
/// # Contract
/// - **`receive`** waits for the next message and returns `None` when the channel is closed for good. Dropping the
///   future loses nothing. A message comes at least once, and in order within its chat, until it is acknowledged.
/// - **`acknowledge`** tells the peer that the message is in safe keeping; it must not come again. Doing it twice is
///   no error.
/// - **`send`** uses `outbound.key` as the idempotency key: when [`ChannelInfo::dedupes`] is true, sending the same key
///   twice delivers once. [`ChannelError::NotSent`] promises that nothing went out; [`ChannelError::Lost`] promises
///   nothing.
#[async_trait]
pub trait Channel: Debug + Send + Sync + 'static {
    /// What this channel is.
    fn info(&self) -> &ChannelInfo;
    /// Waits for the next message.
    async fn receive(&self) -> Result<Option<Inbound>, ChannelError>;
    /// Says that a message is in safe keeping.
    async fn acknowledge(&self, id: &InboundId) -> Result<(), ChannelError>;
    /// Sends an answer.
    async fn send(&self, outbound: &Outbound) -> Result<Delivery, ChannelError>;
}

#[async_trait]
impl<T: Channel + ?Sized> Channel for Arc<T> {
    fn info(&self) -> &ChannelInfo {
        (**self).info()
    }
    async fn receive(&self) -> Result<Option<Inbound>, ChannelError> {
        (**self).receive().await
    }
    async fn acknowledge(&self, id: &InboundId) -> Result<(), ChannelError> {
        (**self).acknowledge(id).await
    }
    async fn send(&self, outbound: &Outbound) -> Result<Delivery, ChannelError> {
        (**self).send(outbound).await
    }
}

/// What a channel is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its name, such as `telegram`.
    pub name: String,
    /// Whether sending the same key twice delivers once.
    pub dedupes: bool,
    /// The longest text of one message, in UTF-16 units.
    pub text_units_max: usize,
}

/// Names an incoming message within its channel.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct InboundId(pub String);

/// A message that came in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inbound {
    /// Its name: the same when it comes again.
    pub id: InboundId,
    /// The chat that it belongs to and that the answer goes to.
    pub chat: String,
    /// Who sent it.
    pub from: String,
    /// What it says.
    pub text: String,
    /// When it was sent.
    pub at: Timestamp,
}

/// A message that goes out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outbound {
    /// The idempotency key.
    pub key: String,
    /// Where it goes.
    pub chat: String,
    /// What it says.
    pub text: String,
}

/// Proof that a message went out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Delivery {
    /// The peer's name for the message, where it gives one.
    pub id: Option<String>,
}
