//! A channel within the process: what one side says, the other side hears.

use std::collections::{HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use tokio::sync::Notify;

use super::{Channel, ChannelError, ChannelInfo, Delivery, Inbound, InboundId, Outbound};
use crate::sys::{Clock, SystemClock};

/// Messages in either direction that are held at most.
const HELD_MAX: usize = 1024;
/// Keys of sent answers that are remembered.
const KEYS_MAX: usize = 4096;
/// The longest text, in UTF-16 units, unless another [`ChannelInfo`] is given.
const TEXT_UNITS_MAX: usize = 1 << 20;

/// A channel whose other end is a [`LoopbackPeer`] in the same process: for programs that have messages of their own,
/// and for tests, since the peer can bring messages again as a real one does after a broken connection.
///
/// ```
/// # use rusty_pinch_core::{Agent, ChannelWorker, LocalBrain, LoopbackChannel};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (channel, peer) = LoopbackChannel::pair();
/// let worker = ChannelWorker::new(Agent::new(LocalBrain::default()), channel);
/// peer.say("kitchen", "what can you do?")?;
/// peer.close();
/// worker.run().await?;
/// println!("{}", peer.hear().await.ok_or("no answer")?.text);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct LoopbackChannel {
    info: ChannelInfo,
    wire: Arc<Wire>,
}

/// The other end of a [`LoopbackChannel`]: says messages and hears the answers. Dropping it closes the channel.
#[derive(Debug)]
pub struct LoopbackPeer {
    wire: Arc<Wire>,
    clock: Arc<dyn Clock>,
}

/// Why a message could not be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SayError {
    /// Too many messages wait to be acknowledged.
    #[error("{held} messages wait on the other side, which is the most; say it again when some are answered")]
    Full {
        /// How many wait.
        held: usize,
    },
    /// The channel was closed.
    #[error("the channel is closed; make a new pair")]
    Closed,
}

#[derive(Debug, Default)]
struct Wire {
    state: Mutex<State>,
    said: Notify,
    sent: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// Said and not received.
    coming: VecDeque<Inbound>,
    /// Received and not acknowledged, in the order they were said.
    handed: VecDeque<Inbound>,
    /// Sent and not heard.
    going: VecDeque<Outbound>,
    keys: HashSet<String>,
    /// The same keys, oldest first.
    keys_by_age: VecDeque<String>,
    said: u64,
    /// The peer says nothing more.
    is_closed: bool,
    /// The peer is gone.
    is_deaf: bool,
    /// The channel is gone.
    is_silent: bool,
}

impl Wire {
    fn state(&self) -> MutexGuard<'_, State> {
        // Every change below is whole before anything can panic.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What `take` finds, once it finds something. Dropping the future takes nothing.
    async fn wait<T>(&self, bell: &Notify, take: impl Fn(&mut State) -> Option<T>) -> T {
        loop {
            let rung = bell.notified();
            tokio::pin!(rung);
            // Listening before looking, so that a change in between is not slept through.
            rung.as_mut().enable();
            if let Some(found) = take(&mut self.state()) {
                return found;
            }
            rung.await;
        }
    }
}

impl LoopbackChannel {
    /// A channel with the name `loopback` that delivers each key once, and its peer.
    pub fn pair() -> (Self, LoopbackPeer) {
        let info = ChannelInfo { name: "loopback".into(), dedupes: true, text_units_max: TEXT_UNITS_MAX };
        Self::pair_with(info, SystemClock)
    }

    /// A channel that is what `info` says, and its peer, whose messages get the time from `clock`.
    pub fn pair_with(info: ChannelInfo, clock: impl Clock) -> (Self, LoopbackPeer) {
        let wire = Arc::<Wire>::default();
        (Self { info, wire: Arc::clone(&wire) }, LoopbackPeer { wire, clock: Arc::new(clock) })
    }
}

#[async_trait]
impl Channel for LoopbackChannel {
    fn info(&self) -> &ChannelInfo {
        &self.info
    }

    async fn receive(&self) -> Result<Option<Inbound>, ChannelError> {
        let next = |state: &mut State| match state.coming.pop_front() {
            Some(inbound) => {
                state.handed.push_back(inbound.clone());
                Some(Some(inbound))
            }
            None => state.is_closed.then_some(None),
        };
        Ok(self.wire.wait(&self.wire.said, next).await)
    }

    async fn acknowledge(&self, id: &InboundId) -> Result<(), ChannelError> {
        let mut state = self.wire.state();
        state.handed.retain(|inbound| inbound.id != *id);
        // It may have been put back into the queue while this was on its way.
        state.coming.retain(|inbound| inbound.id != *id);
        Ok(())
    }

    async fn send(&self, outbound: &Outbound) -> Result<Delivery, ChannelError> {
        let not_sent = |why: String| Err(ChannelError::NotSent { why, retry_at: None });
        let units = outbound.text.encode_utf16().count();
        if units > self.info.text_units_max {
            let most = self.info.text_units_max;
            return not_sent(format!("its text is {units} UTF-16 units long and at most {most} fit"));
        }
        let mut state = self.wire.state();
        if state.is_deaf {
            return not_sent("nobody listens any more".to_owned());
        }
        if !(self.info.dedupes && state.keys.contains(&outbound.key)) {
            if state.going.len() >= HELD_MAX {
                return not_sent(format!("{HELD_MAX} answers wait to be heard, which is the most"));
            }
            state.going.push_back(outbound.clone());
            state.remember(&outbound.key);
            self.wire.sent.notify_waiters();
        }
        Ok(Delivery { id: None })
    }
}

impl Drop for LoopbackChannel {
    fn drop(&mut self) {
        self.wire.state().is_silent = true;
        self.wire.sent.notify_waiters();
    }
}

impl State {
    fn remember(&mut self, key: &str) {
        if self.keys.insert(key.to_owned()) {
            self.keys_by_age.push_back(key.to_owned());
        }
        if self.keys.len() > KEYS_MAX
            && let Some(oldest) = self.keys_by_age.pop_front()
        {
            self.keys.remove(&oldest);
        }
    }
}

impl LoopbackPeer {
    /// Says `text` in `chat`, and gives the message's id.
    ///
    /// # Errors
    /// [`SayError`] when too many messages wait, or the channel is closed.
    pub fn say(&self, chat: &str, text: &str) -> Result<InboundId, SayError> {
        let id = {
            let mut state = self.wire.state();
            state.said += 1;
            InboundId(format!("m{}", state.said))
        };
        let at = self.clock.now();
        self.bring(Inbound { id: id.clone(), chat: chat.into(), from: chat.into(), text: text.into(), at })?;
        Ok(id)
    }

    /// Brings a message with an id of the caller's choice, which may have come before.
    ///
    /// # Errors
    /// As [`say`](Self::say).
    pub fn bring(&self, inbound: Inbound) -> Result<(), SayError> {
        let mut state = self.wire.state();
        if state.is_closed {
            return Err(SayError::Closed);
        }
        let held = state.coming.len() + state.handed.len();
        if held >= HELD_MAX {
            return Err(SayError::Full { held });
        }
        state.coming.push_back(inbound);
        self.wire.said.notify_waiters();
        Ok(())
    }

    /// Brings everything again that was received and not acknowledged, before anything newer: what a real peer does
    /// after a broken connection or a crash of the other side.
    pub fn redeliver(&self) {
        let mut state = self.wire.state();
        while let Some(inbound) = state.handed.pop_back() {
            state.coming.push_front(inbound);
        }
        self.wire.said.notify_waiters();
    }

    /// How many messages are not acknowledged.
    pub fn unacknowledged(&self) -> usize {
        let state = self.wire.state();
        state.coming.len() + state.handed.len()
    }

    /// The next answer, once there is one. None when there is none and the channel's side is gone.
    pub async fn hear(&self) -> Option<Outbound> {
        let next = |state: &mut State| match state.going.pop_front() {
            Some(outbound) => Some(Some(outbound)),
            None => state.is_silent.then_some(None),
        };
        self.wire.wait(&self.wire.sent, next).await
    }

    /// The answers that are there, without waiting.
    pub fn heard(&self) -> Vec<Outbound> {
        self.wire.state().going.drain(..).collect()
    }

    /// Says nothing more: the channel ends when it has received what was said. Answers are still heard.
    pub fn close(&self) {
        self.wire.state().is_closed = true;
        self.wire.said.notify_waiters();
    }
}

impl Drop for LoopbackPeer {
    fn drop(&mut self) {
        self.wire.state().is_deaf = true;
        self.close();
    }
}

#[cfg(test)]
mod tests;
