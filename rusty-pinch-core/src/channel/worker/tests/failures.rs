//! Messages that fail, and stores, journals and channels that do.

use super::*;
use crate::channel::worker::limits::{PARKED_MAX, RECEIVE_WAIT, TRIES_MAX};
use crate::store::{Change, Entry, Guard, Key, LockName, Page, Position, Precondition, Record, Revision, StoreError};
use crate::testing::Fault;
use async_trait::async_trait;

#[tokio::test(start_paused = true)]
async fn a_brain_that_fails_is_answered_for_in_short_and_the_others_go_on() {
    let world = World::new(true);
    for (chat, text) in [("a", "break"), ("b", "hello"), ("a", "again")] {
        world.peer.say(chat, text).unwrap();
    }
    world.settle().await;
    let answers = world.answers();
    assert!(answers[0].contains("(request rp-") && !answers[0].contains('/'), "{answers:?}");
    assert_eq!(answers[1..], ["said: hello", "said: again"]);
    assert_eq!(world.messages("loop:a").await, ["break", "again"], "the message is kept");
}

/// A store on which one session's journal can't be written or read, as a file with wrong permissions can't.
#[derive(Debug)]
struct Broken(MemoryStore, &'static str);

impl Broken {
    fn check(&self, journal: &JournalId) -> Result<(), StoreError> {
        let what = "/home/someone/sessions/bad.jsonl".to_owned();
        if journal.as_str() == self.1 { Err(StoreError::Denied { what, source: "no".into() }) } else { Ok(()) }
    }
}

#[async_trait]
impl Store for Broken {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        self.0.lock(name, wait).await
    }
    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        self.check(journal)?;
        self.0.append(journal, at, entries).await
    }
    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        self.check(journal)?;
        self.0.read(journal, span).await
    }
    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        self.0.commit(changes).await
    }
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.0.get(key).await
    }
    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.0.scan(keys, limit).await
    }
}

#[tokio::test(start_paused = true)]
async fn a_session_that_cant_be_written_is_tried_three_times_and_blocks_nobody() {
    let world = World::new(true);
    let plan = FaultPlan::none();
    let agent = world.agent_on(Broken(world.disk.clone(), "loop:bad"), &plan);
    let worker = ChannelWorker::new(agent, Arc::clone(&world.channel));
    world.peer.say("bad", "one").unwrap();
    world.peer.say("good", "two").unwrap();
    world.run(&worker, Duration::from_secs(1)).await.unwrap();
    assert_eq!(world.answers(), ["said: two"]);
    assert_eq!(world.rows("inbox").await, 1);
    world.run(&worker, Duration::from_secs(10)).await.unwrap();
    let answers = world.answers();
    assert!(answers.len() == 1 && answers[0].contains("(request rp-") && !answers[0].contains('/'), "{answers:?}");
    let parked = world.parked().await;
    assert!(matches!(&parked[..], [Parked { what: ParkedItem::Unanswered(m), .. }] if m.text == "one"), "{parked:?}");
    assert_eq!(world.rows("inbox").await, 0);
}

#[tokio::test(start_paused = true)]
async fn a_message_that_brings_the_process_down_does_so_three_times_only() {
    let world = World::new(true);
    world.peer.say("a", "hello").unwrap();
    world.settle().await;
    for text in ["deadly", "innocent"] {
        world.peer.say("a", text).unwrap();
        Desk::open(&world.worker(&FaultPlan::none()))
            .await
            .unwrap()
            .take_in(world.channel.receive().await.unwrap().unwrap())
            .await
            .unwrap();
    }
    let mut deaths = 0;
    loop {
        let brain = ScriptedBrain::new(|request| match request.messages.last() {
            Some(Message::User { content }) if content == "deadly" => panic!("the process dies here"),
            _ => script(request),
        });
        let agent = Agent::builder(brain).store(world.disk.clone()).clock(Arc::clone(&world.clock)).build();
        let worker = ChannelWorker::new(agent, Arc::clone(&world.channel));
        match tokio::spawn(async move { worker.drain().await }).await {
            Ok(result) => break result.unwrap(),
            Err(death) => assert!(death.is_panic()),
        }
        deaths += 1;
    }
    // The attempt that was under way when the message was first kept counts too.
    assert_eq!(deaths, TRIES_MAX - 1);
    let answers = world.answers();
    assert!(answers[1].starts_with("This message could not be answered"), "{answers:?}");
    assert_eq!((answers[0].as_str(), answers[2].as_str(), answers.len()), ("said: hello", "said: innocent", 3));
    assert!(
        matches!(&world.parked().await[..], [Parked { what: ParkedItem::Unanswered(m), .. }] if m.text == "deadly")
    );
}

#[tokio::test(start_paused = true)]
async fn records_that_cant_be_read_are_set_aside_and_shown() {
    let world = World::new(true);
    for queue in ["inbox", "outbox"] {
        let key = Key::new(["channel", "loop", queue, "00000000000000000000"]);
        world.disk.commit(&[Change::put(key, Precondition::None, json!({"from": "another version"}))]).await.unwrap();
    }
    world.peer.say("a", "hello").unwrap();
    world.settle().await;
    assert_eq!(world.answers(), ["said: hello"]);
    let parked = world.parked().await;
    assert_eq!(parked.len(), 2, "{parked:?}");
    let is_kept = |parked: &Parked| matches!(&parked.what, ParkedItem::Unreadable { value, .. } if value["from"] == "another version");
    assert!(parked.iter().all(is_kept), "{parked:?}");
}

#[tokio::test(start_paused = true)]
async fn what_is_parked_has_a_bound_and_the_oldest_make_room() {
    let world = World::new(true);
    let worker = world.worker(&FaultPlan::none());
    let desk = Desk::open(&worker).await.unwrap();
    let item = |number: u64| ParkedItem::Unanswered(world.inbound(&number.to_string(), "a", "hi"));
    let one = desk.parking(0, item(0), "a test".into()).await.unwrap().remove(0).value.unwrap();
    let key = |number| Key::new(["channel", "loop", "parked", &format!("{number:020}-unanswered")]);
    let full = (0..PARKED_MAX as u64).map(|number| Change::put(key(number), Precondition::None, one.clone()));
    world.disk.commit(&full.collect::<Vec<_>>()).await.unwrap();
    for number in PARKED_MAX as u64..PARKED_MAX as u64 + 5 {
        let changes = desk.parking(number, item(number), "a test".into()).await.unwrap();
        world.disk.commit(&changes).await.unwrap();
    }
    let parked = world.parked().await;
    assert_eq!(parked.len(), PARKED_MAX);
    assert!(world.disk.get(&key(4)).await.unwrap().is_none() && world.disk.get(&key(5)).await.unwrap().is_some());
    assert_eq!(parked[PARKED_MAX - 1].what, item(PARKED_MAX as u64 + 4));
}

#[tokio::test(start_paused = true)]
async fn a_receive_that_fails_is_tried_again_after_a_moment() {
    let world = World::new(true);
    let plan = FaultPlan::new([(1, Fault::FailBefore), (2, Fault::FailBefore)]);
    world.peer.say("a", "hello").unwrap();
    let worker = world.worker(&plan);
    world.run(&worker, RECEIVE_WAIT).await.unwrap();
    assert_eq!(plan.trace().len(), 1, "no busy loop: {:?}", plan.trace());
    world.run(&worker, Duration::from_secs(5)).await.unwrap();
    assert_eq!(world.answers(), ["said: hello"], "{:?}", plan.trace());
}

#[tokio::test(start_paused = true)]
async fn a_store_that_fails_stops_the_worker_and_loses_nothing() {
    let world = World::new(true);
    let plan = FaultPlan::none();
    world.peer.say("a", "hello").unwrap();
    world.run(&world.worker(&plan), Duration::from_secs(1)).await.unwrap();
    let commit = plan.trace().iter().position(|effect| effect.starts_with("commit ")).unwrap() as u64 + 1;

    let world = World::new(true);
    world.peer.say("a", "hello").unwrap();
    let result = world.run(&world.worker(&FaultPlan::at(commit, Fault::FailBefore)), Duration::from_secs(1)).await;
    assert!(matches!(result, Err(WorkerError::Store(StoreError::Failed { .. }))), "{result:?}");
    assert_eq!(world.peer.unacknowledged(), 1, "what is not kept is not acknowledged");
    world.peer.redeliver();
    world.settle().await;
    assert_eq!(world.answers(), ["said: hello"]);
}
