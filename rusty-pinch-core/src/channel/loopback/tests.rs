use super::*;
use crate::data::Timestamp;
use crate::testing::{FaultPlan, FaultyChannel, VirtualClock, conformance};

fn plain() -> (LoopbackChannel, LoopbackPeer) {
    let info = ChannelInfo { name: "plain".into(), dedupes: false, text_units_max: 10 };
    LoopbackChannel::pair_with(info, VirtualClock::default())
}

fn outbound(key: usize, text: &str) -> Outbound {
    Outbound { key: key.to_string(), chat: "a".into(), text: text.into() }
}

#[tokio::test(start_paused = true)]
async fn it_keeps_the_contract_with_and_without_deduping() {
    conformance::channel(async || LoopbackChannel::pair()).await;
    let not_deduping = async || {
        let info = ChannelInfo { name: "plain".into(), dedupes: false, text_units_max: 100 };
        LoopbackChannel::pair_with(info, VirtualClock::default())
    };
    conformance::channel(not_deduping).await;
    conformance::channel(async || {
        let (channel, peer) = LoopbackChannel::pair();
        (FaultyChannel::new(Arc::new(channel), &FaultPlan::none()), peer)
    })
    .await;
}

#[tokio::test]
async fn both_directions_have_a_bound_and_say_so() {
    let (channel, peer) = plain();
    for n in 0..HELD_MAX {
        peer.say("a", "hi").unwrap();
        channel.send(&outbound(n, "hi")).await.unwrap();
    }
    // Receiving alone makes no room: only what is acknowledged is in safe keeping.
    let first = channel.receive().await.unwrap().unwrap();
    assert_eq!(peer.say("a", "hi"), Err(SayError::Full { held: HELD_MAX }));
    channel.acknowledge(&first.id).await.unwrap();
    peer.say("a", "hi").unwrap();

    assert!(matches!(channel.send(&outbound(HELD_MAX, "hi")).await, Err(ChannelError::NotSent { .. })));
    assert_eq!(peer.heard().len(), HELD_MAX);
    channel.send(&outbound(HELD_MAX, "hi")).await.unwrap();
    let long = channel.send(&outbound(0, "12345678901")).await.unwrap_err();
    assert!(long.to_string().contains("11 UTF-16 units"), "{long}");
}

#[tokio::test]
async fn keys_are_remembered_up_to_their_bound() {
    let (channel, peer) = LoopbackChannel::pair();
    for key in 0..=KEYS_MAX {
        channel.send(&outbound(key, "hi")).await.unwrap();
        peer.heard();
    }
    channel.send(&outbound(KEYS_MAX, "hi")).await.unwrap();
    assert_eq!(peer.heard().len(), 0);
    channel.send(&outbound(0, "hi")).await.unwrap();
    assert_eq!(peer.heard().len(), 1);
    assert_eq!(peer.wire.state().keys.len(), KEYS_MAX);
}

#[tokio::test]
async fn each_side_learns_that_the_other_is_gone() {
    let (channel, peer) = LoopbackChannel::pair();
    channel.send(&outbound(1, "bye")).await.unwrap();
    let hears = tokio::spawn(async move {
        let last = peer.hear().await;
        (last, peer.hear().await)
    });
    tokio::task::yield_now().await;
    drop(channel);
    let (last, end) = hears.await.unwrap();
    assert_eq!((last.unwrap().text.as_str(), end), ("bye", None));

    let (channel, peer) = LoopbackChannel::pair();
    drop(peer);
    assert_eq!(channel.receive().await.unwrap(), None);
    assert!(matches!(channel.send(&outbound(1, "hi")).await, Err(ChannelError::NotSent { .. })));
}

#[tokio::test]
async fn messages_carry_the_time_and_nothing_is_said_after_the_end() {
    let (channel, peer) = plain();
    let id = peer.say("a", "hi").unwrap();
    let inbound = channel.receive().await.unwrap().unwrap();
    assert_eq!((inbound.id, inbound.at), (id, Timestamp::from_millis(1_767_225_600_000)));
    peer.close();
    assert_eq!(peer.say("a", "hi"), Err(SayError::Closed));
}
