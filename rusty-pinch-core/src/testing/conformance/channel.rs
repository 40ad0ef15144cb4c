//! The contract of [`Channel`].

use std::time::Duration;

use async_trait::async_trait;

use crate::channel::{Channel, Inbound, InboundId, LoopbackPeer, Outbound};

/// Long enough that only a message which never comes waits it out.
const LONG: Duration = Duration::from_secs(20);
/// How long a message that must not come is waited for.
const SHORT: Duration = Duration::from_millis(50);

/// The other end of a channel under test.
#[async_trait]
pub trait ChannelPeer: Send + Sync {
    /// Says `text` in `chat`.
    async fn say(&self, chat: &str, text: &str);
    /// Breaks the connection, so that whatever is not acknowledged comes again.
    async fn reconnect(&self);
    /// The texts that arrived since the last call, each with its chat, in order. Where sending takes time, this waits
    /// until what was sent is there.
    async fn heard(&self) -> Vec<(String, String)>;
    /// Closes the channel for good.
    async fn close(&self);
}

#[async_trait]
impl ChannelPeer for LoopbackPeer {
    async fn say(&self, chat: &str, text: &str) {
        LoopbackPeer::say(self, chat, text).unwrap();
    }
    async fn reconnect(&self) {
        self.redeliver();
    }
    async fn heard(&self) -> Vec<(String, String)> {
        LoopbackPeer::heard(self).into_iter().map(|outbound| (outbound.chat, outbound.text)).collect()
    }
    async fn close(&self) {
        LoopbackPeer::close(self);
    }
}

/// Runs every clause of the contract of [`Channel`]. `make` gives a fresh channel and its other end. Needs a tokio
/// runtime with time.
///
/// ```
/// # use rusty_pinch_core::{LoopbackChannel, testing::conformance};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// conformance::channel(async || LoopbackChannel::pair()).await;
/// # }
/// ```
///
/// # Panics
/// When a clause does not hold.
pub async fn channel<C: Channel, P: ChannelPeer>(make: impl AsyncFn() -> (C, P)) {
    let (channel, peer) = make().await;
    messages_come_in_order_until_they_are_acknowledged(&channel, &peer).await;
    let (channel, peer) = make().await;
    a_dropped_receive_loses_nothing(&channel, &peer).await;
    let (channel, peer) = make().await;
    acknowledging_again_is_no_error(&channel, &peer).await;
    let (channel, peer) = make().await;
    answers_arrive_as_often_as_the_channel_says(&channel, &peer).await;
    let (channel, peer) = make().await;
    a_closed_channel_ends(&channel, &peer).await;
}

async fn next(channel: &impl Channel) -> Inbound {
    let received = tokio::time::timeout(LONG, channel.receive()).await.expect("what was said is received");
    received.expect("an open channel receives").expect("an open channel does not end")
}

async fn is_quiet(channel: &impl Channel) -> bool {
    tokio::time::timeout(SHORT, channel.receive()).await.is_err()
}

async fn messages_come_in_order_until_they_are_acknowledged(channel: &impl Channel, peer: &impl ChannelPeer) {
    for text in ["one", "two", "three"] {
        peer.say("chat", text).await;
    }
    let (one, two) = (next(channel).await, next(channel).await);
    assert_eq!((one.chat.as_str(), one.text.as_str()), ("chat", "one"), "messages come in order and as they were said");
    assert_eq!(two.text, "two", "messages of a chat come in order");
    assert_ne!(one.id, two.id, "every message has an id of its own");

    peer.reconnect().await;
    assert_eq!(next(channel).await, one, "a message without acknowledgement comes again, the same, and first");
    assert_eq!(next(channel).await, two, "what comes again comes in order");
    channel.acknowledge(&one.id).await.expect("a received message can be acknowledged");
    peer.reconnect().await;
    assert_eq!(next(channel).await, two, "an acknowledged message does not come again, the others do");
    channel.acknowledge(&two.id).await.expect("a received message can be acknowledged");
    let three = next(channel).await;
    assert_eq!(three.text, "three", "messages behind one that came again still come");
    channel.acknowledge(&three.id).await.expect("a received message can be acknowledged");
    peer.reconnect().await;
    assert!(is_quiet(channel).await, "nothing that was acknowledged comes again");
}

async fn a_dropped_receive_loses_nothing(channel: &impl Channel, peer: &impl ChannelPeer) {
    for round in 0..20 {
        assert!(tokio::time::timeout(Duration::from_millis(1), channel.receive()).await.is_err(), "nothing was said");
        let text = round.to_string();
        peer.say("chat", &text).await;
        // Dropped where it stands after one look, with or without the message.
        let first = std::future::poll_fn(|context| {
            let mut receive = channel.receive();
            std::task::Poll::Ready(match receive.as_mut().poll(context) {
                std::task::Poll::Ready(received) => Some(received),
                std::task::Poll::Pending => None,
            })
        });
        let message = match first.await {
            Some(received) => received.expect("an open channel receives").expect("an open channel does not end"),
            None => next(channel).await,
        };
        assert_eq!(message.text, text, "a receive that was dropped loses no message");
        channel.acknowledge(&message.id).await.expect("a received message can be acknowledged");
    }
}

async fn acknowledging_again_is_no_error(channel: &impl Channel, peer: &impl ChannelPeer) {
    peer.say("chat", "one").await;
    let InboundId(id) = next(channel).await.id;
    for _ in 0..2 {
        channel.acknowledge(&InboundId(id.clone())).await.expect("acknowledging twice is no error");
    }
    peer.say("chat", "two").await;
    assert_eq!(next(channel).await.text, "two", "an acknowledgement concerns its own message only");
}

async fn answers_arrive_as_often_as_the_channel_says(channel: &impl Channel, peer: &impl ChannelPeer) {
    let outbound =
        |key: &str, text: &str| Outbound { key: key.to_owned(), chat: "chat".to_owned(), text: text.to_owned() };
    let texts = ["Grüße, 日本 👩‍👩‍👧", "line\nbreak", "same text", "same text"];
    for (index, text) in texts.iter().enumerate() {
        channel.send(&outbound(&index.to_string(), text)).await.expect("an open channel sends");
    }
    let expected: Vec<_> = texts.iter().map(|text| ("chat".to_owned(), (*text).to_owned())).collect();
    assert_eq!(peer.heard().await, expected, "answers arrive once for each key, unchanged and in order");

    channel.send(&outbound("1", "line\nbreak")).await.expect("sending a key again is no error");
    let again = peer.heard().await.len();
    let expected = usize::from(!channel.info().dedupes);
    assert_eq!(again, expected, "a key that is sent again arrives again, unless the channel says that it dedupes");
}

async fn a_closed_channel_ends(channel: &impl Channel, peer: &impl ChannelPeer) {
    peer.say("chat", "last").await;
    peer.close().await;
    let last = next(channel).await;
    assert_eq!(last.text, "last", "what was said before the end is received");
    channel.acknowledge(&last.id).await.expect("a received message can be acknowledged");
    for _ in 0..2 {
        let end = tokio::time::timeout(LONG, channel.receive()).await.expect("a closed channel says so at once");
        assert_eq!(end.expect("the end is no error"), None, "a closed channel ends, and stays so");
    }
}
