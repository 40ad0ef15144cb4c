//! Answers that don't go out, or of which nobody knows.

use super::*;
use crate::channel::worker::limits::TRIES_MAX;
use crate::channel::{ChannelError, Delivery};
use async_trait::async_trait;

/// What a [`Moody`] channel does with a send, given its number, which begins with 1.
type Mood = dyn Fn(usize, &Outbound) -> Result<(), ChannelError> + Send + Sync;

/// A channel that sends as its mood allows. Whatever the mood says, a send that it lost did arrive.
struct Moody {
    inner: Arc<LoopbackChannel>,
    sends: AtomicUsize,
    mood: Box<Mood>,
}

impl std::fmt::Debug for Moody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Moody")
    }
}

#[async_trait]
impl Channel for Moody {
    fn info(&self) -> &ChannelInfo {
        self.inner.info()
    }
    async fn receive(&self) -> Result<Option<Inbound>, ChannelError> {
        self.inner.receive().await
    }
    async fn acknowledge(&self, id: &InboundId) -> Result<(), ChannelError> {
        self.inner.acknowledge(id).await
    }
    async fn send(&self, outbound: &Outbound) -> Result<Delivery, ChannelError> {
        let mood = (self.mood)(self.sends.fetch_add(1, Ordering::SeqCst) + 1, outbound);
        if !matches!(mood, Err(ChannelError::NotSent { .. })) {
            self.inner.send(outbound).await?;
        }
        mood.map(|()| Delivery { id: None })
    }
}

fn moody(
    world: &World,
    mood: impl Fn(usize, &Outbound) -> Result<(), ChannelError> + Send + Sync + 'static,
) -> (ChannelWorker, Arc<Moody>) {
    let inner = Arc::clone(&world.channel);
    let channel = Arc::new(Moody { inner, sends: AtomicUsize::new(0), mood: Box::new(mood) });
    (ChannelWorker::new(world.agent(&FaultPlan::none()), Arc::clone(&channel)), channel)
}

fn not_sent(retry_at: Option<Timestamp>) -> Result<(), ChannelError> {
    Err(ChannelError::NotSent { why: "not now".into(), retry_at })
}

fn lost() -> Result<(), ChannelError> {
    Err(ChannelError::Lost { why: "the line broke".into() })
}

#[tokio::test(start_paused = true)]
async fn a_pause_that_the_peer_asks_for_is_kept_and_holds_back_its_chat_only() {
    let world = World::new(true);
    let until = world.clock.now() + Duration::from_secs(60);
    let clock = Arc::clone(&world.clock);
    let (worker, channel) =
        moody(
            &world,
            move |_, outbound| {
                if outbound.chat == "a" && clock.now() < until { not_sent(Some(until)) } else { Ok(()) }
            },
        );
    for (chat, text) in [("a", "one"), ("a", "two"), ("b", "three")] {
        world.peer.say(chat, text).unwrap();
    }
    world.run(&worker, Duration::from_secs(59)).await.unwrap();
    assert_eq!(world.answers(), ["said: three"]);
    assert_eq!(channel.sends.load(Ordering::SeqCst), 2, "nothing is tried before its time");
    // The pause is durable.
    world.run(&worker, Duration::from_secs(2)).await.unwrap();
    assert_eq!(world.answers(), ["said: one", "said: two"]);
    assert!(world.parked().await.is_empty());
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_never_goes_out_is_parked_after_three_tries_and_the_next_one_goes() {
    let world = World::new(true);
    let (worker, channel) =
        moody(&world, |_, outbound| if outbound.text.contains("bad") { not_sent(None) } else { Ok(()) });
    world.peer.say("a", "bad").unwrap();
    world.peer.say("a", "good").unwrap();
    world.run(&worker, Duration::from_secs(10)).await.unwrap();
    assert_eq!(world.answers(), ["said: good"]);
    assert_eq!(channel.sends.load(Ordering::SeqCst), TRIES_MAX as usize + 1);
    let parked = world.parked().await;
    assert!(
        matches!(&parked[..], [Parked { what: ParkedItem::Unsent(outbound), why, .. }]
        if outbound.text == "said: bad" && why.contains("not now")),
        "{parked:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_lost_is_sent_again_only_where_that_delivers_once() {
    for dedupes in [true, false] {
        let world = World::new(dedupes);
        let (worker, channel) = moody(&world, |n, _| if n == 1 { lost() } else { Ok(()) });
        world.peer.say("a", "one").unwrap();
        world.peer.say("a", "two").unwrap();
        world.run(&worker, Duration::from_secs(10)).await.unwrap();
        assert_eq!(world.answers(), ["said: one", "said: two"], "nothing arrives twice");
        assert_eq!(channel.sends.load(Ordering::SeqCst), if dedupes { 3 } else { 2 });
        let parked = world.parked().await;
        assert_eq!(parked.len(), usize::from(!dedupes));
        assert!(parked.iter().all(|parked| matches!(&parked.what, ParkedItem::Unknown(o) if o.text == "said: one")));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_may_have_arrived_is_never_called_unsent() {
    let world = World::new(true);
    let (worker, channel) = moody(&world, |n, _| if n == 1 { lost() } else { not_sent(None) });
    world.peer.say("a", "one").unwrap();
    world.run(&worker, Duration::from_secs(10)).await.unwrap();
    assert_eq!(channel.sends.load(Ordering::SeqCst), TRIES_MAX as usize);
    let parked = world.parked().await;
    assert!(matches!(&parked[..], [Parked { what: ParkedItem::Unknown(_), .. }]), "{parked:?}");
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_was_being_sent_when_the_process_died_is_unknown() {
    for dedupes in [true, false] {
        let world = World::new(dedupes);
        let (worker, _) = moody(&world, |_, _| Ok(()));
        world.peer.say("a", "one").unwrap();
        let plan = FaultPlan::none();
        world.run(&world.worker(&plan), Duration::from_secs(1)).await.unwrap();
        let send = plan.trace().iter().position(|effect| effect.starts_with("send ")).unwrap() as u64 + 1;
        world.answers();

        let world = World::new(dedupes);
        world.peer.say("a", "one").unwrap();
        let plan = FaultPlan::at(send, crate::testing::Fault::CrashBefore);
        let died = crate::testing::run_until_crash(&plan, world.worker(&plan).run()).await;
        assert!(died.is_none() && world.answers().is_empty());
        drop(worker);
        world.settle().await;
        let parked = world.parked().await;
        if dedupes {
            assert_eq!((world.answers(), parked.len()), (vec!["said: one".to_owned()], 0));
        } else {
            assert!(world.answers().is_empty());
            assert!(matches!(&parked[..], [Parked { what: ParkedItem::Unknown(o), .. }] if o.text == "said: one"));
        }
    }
}
