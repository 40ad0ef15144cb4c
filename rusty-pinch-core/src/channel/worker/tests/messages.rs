//! Ordinary messages, strange ones, and the same ones again.

use super::*;
use crate::agent::Reply;
use crate::channel::worker::limits::{NAME_BYTES_MAX, SEEN_MAX, TEXT_BYTES_MAX};
use crate::store::{Change, Key, Precondition};

#[tokio::test(start_paused = true)]
async fn messages_are_answered_in_the_session_of_their_chat_and_in_order() {
    let world = World::new(true);
    for (chat, text) in [("a", "one"), ("b", "two"), ("a", "three")] {
        world.peer.say(chat, text).unwrap();
    }
    world.peer.close();
    world.worker(&FaultPlan::none()).run().await.unwrap();
    let heard: Vec<_> = world.peer.heard().into_iter().map(|outbound| (outbound.chat, outbound.text)).collect();
    let expected = [("a", "said: one"), ("b", "said: two"), ("a", "said: three")];
    assert_eq!(heard, expected.map(|(chat, text)| (chat.to_owned(), text.to_owned())));
    assert_eq!(world.messages("loop:a").await, ["one", "three"]);
    assert_eq!(world.messages("loop:b").await, ["two"]);
    assert_eq!(world.peer.unacknowledged(), 0);
    assert_eq!((world.rows("inbox").await, world.rows("outbox").await, world.rows("parked").await), (0, 0, 0));
}

#[tokio::test(start_paused = true)]
async fn a_message_that_comes_again_is_dropped_also_after_a_restart() {
    let world = World::new(true);
    for _ in 0..3 {
        world.peer.bring(world.inbound("7", "a", "mark it")).unwrap();
        world.settle().await;
    }
    assert_eq!(world.answers(), ["did: mark it"]);
    assert_eq!(world.messages("loop:a").await, ["mark it"]);
    assert_eq!(*world.marks.lock().unwrap(), ["mark it"]);
    assert_eq!(world.peer.unacknowledged(), 0, "a duplicate is acknowledged again");
}

#[tokio::test(start_paused = true)]
async fn ids_are_remembered_up_to_their_bound_and_long_ones_too() {
    let world = World::new(true);
    let long = "x".repeat(5_000);
    let ids = ["1", &long, &format!("sha256-{}", Sha256Digest::of(long.as_bytes())), "a/b", "a%2Fb"];
    for id in ids {
        for _ in 0..2 {
            world.peer.bring(world.inbound(id, "a", "hi")).unwrap();
            world.settle().await;
        }
    }
    assert_eq!(world.answers().len(), ids.len(), "each id is answered once");
    assert_eq!(world.rows("seen").await, ids.len());

    let count = Change::put(Key::new(["channel", "loop", "count"]), Precondition::None, SEEN_MAX.into());
    world.disk.commit(&[count]).await.unwrap();
    world.peer.bring(world.inbound("new", "a", "hi")).unwrap();
    world.settle().await;
    assert_eq!(world.rows("seen").await, ids.len(), "the oldest id made room");
    assert_eq!(world.rows("order").await, ids.len());
    world.answers();
    world.peer.bring(world.inbound(&long, "a", "hi")).unwrap();
    world.settle().await;
    assert!(world.answers().is_empty(), "the others are remembered");
}

#[tokio::test(start_paused = true)]
async fn chats_with_strange_names_have_sessions_of_their_own() {
    let world = World::new(true);
    let names = ["", " ", "a\nb", "a:b", "日本", &"x".repeat(76), &"y".repeat(500), "sha256-00", "..", "a/b"];
    for name in names {
        world.peer.say(name, "hello").unwrap();
    }
    world.settle().await;
    let mut chats: Vec<_> = world.peer.heard().into_iter().map(|outbound| outbound.chat).collect();
    chats.sort();
    let mut expected = names.map(str::to_owned);
    expected.sort();
    assert_eq!(chats, expected, "the answer goes to the chat's own name");
    let sessions: std::collections::BTreeSet<_> =
        names.iter().map(|name| session_of("loop", name).unwrap().to_string()).collect();
    assert_eq!(sessions.len(), names.len());
    for session in sessions {
        assert_eq!(world.messages(&session).await, ["hello"], "{session}");
    }
    // A chat can't choose a name that leads into the session of another chat.
    let digested = session_of("loop", "a\nb").unwrap().to_string();
    assert_ne!(session_of("loop", digested.strip_prefix("loop:").unwrap()).unwrap().to_string(), digested);
}

#[tokio::test(start_paused = true)]
async fn a_chat_whose_name_is_absurdly_long_is_kept_and_shown() {
    let world = World::new(true);
    world.peer.say(&"ü".repeat(NAME_BYTES_MAX), "hello").unwrap();
    world.peer.say("a", "hello").unwrap();
    world.settle().await;
    assert_eq!(world.answers(), ["said: hello"]);
    let parked = world.parked().await;
    assert!(matches!(&parked[..], [Parked { what: ParkedItem::Unanswered(message), .. }]
        if message.text == "hello" && message.chat.len() <= NAME_BYTES_MAX));
    assert_eq!(world.peer.unacknowledged(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_cant_be_taken_is_answered_with_the_rule_and_the_request() {
    let world = World::new(true);
    let cases = [
        ("", "empty"),
        ("bell \u{7}", "control character"),
        (&"x".repeat(TEXT_BYTES_MAX + 1), "at most"),
        (&"x".repeat(10 << 20), "at most"),
    ];
    for (text, _) in cases {
        world.peer.say("a", text).unwrap();
    }
    world.peer.say("a", "fine").unwrap();
    world.settle().await;
    let answers = world.answers();
    assert_eq!(answers.len(), cases.len() + 1, "{answers:?}");
    for ((_, expected), answer) in cases.iter().zip(&answers) {
        assert!(answer.contains(expected) && answer.len() < 300, "{answer:?} should name {expected:?}");
        assert!(answer.starts_with("This message can't be taken: "), "{answer:?}");
    }
    assert!(answers[..2].iter().all(|answer| answer.contains("(request rp-")), "{answers:?}");
    assert_eq!(answers[cases.len()], "said: fine");
    assert_eq!(world.messages("loop:a").await, ["fine"], "what was refused is not in the session");
}

#[tokio::test(start_paused = true)]
async fn a_call_that_needs_approval_is_answered_by_the_question() {
    let world = World::new(true);
    world.peer.say("a", "pay the rent").unwrap();
    world.settle().await;
    let agent = world.agent(&FaultPlan::none());
    let [approval] = &agent.approvals().await.unwrap()[..] else { panic!("one approval waits") };
    let question = Reply::NeedsApproval(Box::new(approval.clone())).to_string();
    assert_eq!(world.answers(), [question]);

    // Meanwhile the chat goes on, and the verdict is carried out once.
    world.peer.say("a", "hello").unwrap();
    world.settle().await;
    assert_eq!(world.answers(), ["said: hello"]);
    agent.approve(&approval.token).await.unwrap();
    assert_eq!(agent.settle(&approval.token).await.unwrap(), Reply::Said("did: pay the rent".into()));
    assert_eq!(*world.marks.lock().unwrap(), ["pay the rent"]);
}

#[tokio::test(start_paused = true)]
async fn one_worker_answers_a_channel_and_another_channel_has_its_own() {
    let world = World::new(true);
    let (first, second) = (world.worker(&FaultPlan::none()), world.worker(&FaultPlan::none()));
    let info = ChannelInfo { name: "other".into(), ..world.channel.info().clone() };
    let (channel, peer) = LoopbackChannel::pair_with(info, Arc::clone(&world.clock));
    let other = ChannelWorker::new(world.agent(&FaultPlan::none()), channel);
    peer.close();
    tokio::select! {
        biased;
        _ = first.run() => panic!("the channel is open"),
        both = tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(second.run(), other.run()) }) => {
            let (refused, ran) = both.expect("the second worker gives up");
            assert!(matches!(refused, Err(WorkerError::AlreadyRunning { channel }) if channel == "loop"));
            ran.unwrap();
        }
    }
    second.drain().await.unwrap();
}

#[tokio::test]
async fn a_channel_needs_a_name_that_fits_into_session_ids() {
    for name in ["", "a:b", "Big", "a b", &"x".repeat(33)] {
        let info = ChannelInfo { name: name.into(), dedupes: true, text_units_max: 1 };
        let (channel, _peer) = LoopbackChannel::pair_with(info, VirtualClock::default());
        let error = ChannelWorker::new(Agent::new(ScriptedBrain::saying("hi")), channel).run().await.unwrap_err();
        assert!(matches!(&error, WorkerError::Name { .. }) && error.to_string().contains("1 to 32"), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn draining_finishes_what_was_left_and_receives_nothing() {
    let world = World::new(true);
    let taken = world.inbound("1", "a", "left");
    Desk::open(&world.worker(&FaultPlan::none())).await.unwrap().take_in(taken).await.unwrap();
    world.peer.say("a", "later").unwrap();
    world.worker(&FaultPlan::none()).drain().await.unwrap();
    assert_eq!(world.answers(), ["said: left"]);
    assert_eq!(world.peer.unacknowledged(), 1);
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn on_disk_a_restarted_worker_knows_what_it_answered() {
    let folder = tempfile::tempdir().unwrap();
    let world = World::new(false);
    for _ in 0..2 {
        let store = crate::store::LocalStore::open(folder.path()).unwrap();
        world.peer.bring(world.inbound("1", "a", "mark it")).unwrap();
        let agent = world.agent_on(store, &FaultPlan::none());
        let worker = ChannelWorker::new(agent, Arc::clone(&world.channel));
        let waits = async |queue| {
            let rows = worker.agent.store().scan(&KeyRange::under(["channel", "loop", queue]), 1).await;
            !rows.unwrap().is_empty()
        };
        let answered = async {
            while world.peer.unacknowledged() > 0 || waits("inbox").await || waits("outbox").await {
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            result = worker.run() => panic!("{result:?}"),
            () = answered => {}
        }
    }
    assert_eq!(world.answers(), ["did: mark it"]);
    assert_eq!(*world.marks.lock().unwrap(), ["mark it"]);
}
