//! From the outbox to the peer.

use serde::{Deserialize, Serialize};

use super::WorkerError;
use super::desk::Desk;
use super::limits::{RETRY_WAIT, RETRY_WAIT_MAX, TRIES_MAX};
use super::parked::ParkedItem;
use super::queue::{Row, Ticket};
use crate::channel::{ChannelError, Outbound};
use crate::data::Timestamp;

/// An answer that is to be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Answer {
    outbound: Outbound,
    state: State,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum State {
    /// It did not go out.
    Waiting,
    /// It may have gone out.
    Sending,
}

/// The row of an answer to the message with this number.
pub(super) fn row(number: u64, key: String, chat: &str, text: String) -> Row<Answer> {
    let outbound = Outbound { key, chat: chat.to_owned(), text };
    let body = Answer { outbound, state: State::Waiting };
    Row { number, chat: chat.to_owned(), tries: 1, retry_at: None, body }
}

impl Desk<'_> {
    /// Sends an answer: `sending` first, then the effect, then what came of it.
    pub(super) async fn send(&self, ticket: Ticket<Answer>) -> Result<(), WorkerError> {
        let before = ticket.row.body.state;
        let mut sending = ticket;
        if before == State::Sending {
            // Whoever wrote this died or lost the connection, and nobody knows whether it arrived.
            if !self.channel().info().dedupes {
                return self.park(&sending, "nobody knows whether it was sent".to_owned()).await;
            }
        } else {
            sending.row.body.state = State::Sending;
            let Some(revision) = self.commit(&[sending.put(&sending.row)?]).await? else { return Ok(()) };
            sending.revision = revision;
        }
        match self.channel().send(&sending.row.body.outbound).await {
            Ok(_) => {
                self.commit(&[sending.delete()]).await?;
                Ok(())
            }
            Err(error) => self.not_sent(sending, before, error).await,
        }
    }

    async fn not_sent(
        &self,
        mut sending: Ticket<Answer>,
        before: State,
        error: ChannelError,
    ) -> Result<(), WorkerError> {
        let why = error.to_string();
        let retry_at = match error {
            ChannelError::NotSent { retry_at, .. } => {
                sending.row.body.state = before;
                retry_at
            }
            ChannelError::Lost { .. } | ChannelError::Receive { .. } => None,
        };
        let row = &sending.row;
        let is_hopeless = row.body.state == State::Sending && !self.channel().info().dedupes;
        if is_hopeless || row.tries >= TRIES_MAX {
            return self.park(&sending, why).await;
        }
        tracing::warn!(channel = self.name(), number = row.number, why, "an answer is sent again in a moment");
        let row = Row { tries: row.tries + 1, retry_at: Some(self.retry_at(row.tries, retry_at)), ..row.clone() };
        self.commit(&[sending.put(&row)?]).await?;
        Ok(())
    }

    /// Never before the instant that the peer named, unless that lies absurdly far ahead.
    fn retry_at(&self, tries: u32, named: Option<Timestamp>) -> Timestamp {
        let now = self.now();
        match named {
            Some(at) => at.clamp(now, now + RETRY_WAIT_MAX),
            None => now + RETRY_WAIT * 2u32.saturating_pow(tries.saturating_sub(1)),
        }
    }

    async fn park(&self, ticket: &Ticket<Answer>, why: String) -> Result<(), WorkerError> {
        let Answer { outbound, state } = ticket.row.body.clone();
        let what = match state {
            State::Waiting => ParkedItem::Unsent(outbound),
            State::Sending => ParkedItem::Unknown(outbound),
        };
        let mut changes = self.parking(ticket.row.number, what, why).await?;
        changes.push(ticket.delete());
        self.commit(&changes).await?;
        Ok(())
    }
}
