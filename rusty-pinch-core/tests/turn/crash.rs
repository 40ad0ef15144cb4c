//! The crash matrix: a turn with every kind of call, an approval and a follow-up, failed or killed before, within and
//! after each effect, and at pairs of effects, then carried on by a new process on the same store.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusty_pinch_core::testing::{
    Fault, FaultPlan, FaultyBrain, FaultyHands, FaultyStore, ScriptedBrain, SeededEntropy, run_until_crash,
};
use rusty_pinch_core::{
    Agent, ApprovalError, Assessment, Brain, BrainError, BrainInfo, CallOutcome, Change, Completion, CompletionRequest,
    Deltas, Entry, Event, Guard, Hands, HandsError, Invocation, JournalId, Key, KeyRange, LocalStore, LockName,
    MemoryStore, Message, OutcomeStatus, Page, Position, Record, Reply, Revision, SessionId, Span, Store, StoreError,
    ToolCall, ToolSpec, TurnError,
};

use crate::world::{Counters, World, obedient};

const PROCESSES_MAX: usize = 12;
const PAID: &str = "run look pay set";

fn session() -> SessionId {
    SessionId::new("s").unwrap()
}

async fn entries<S: Store>(disk: &S) -> Vec<Arc<Entry>> {
    disk.read(&JournalId::from(&session()), Span::Last(10_000)).await.unwrap().entries().cloned().collect()
}

/// Looks at the disk at the moment of each effect: what the ordering rules say must be there, is there.
#[derive(Clone, Debug)]
struct Auditor<T, D> {
    inner: T,
    disk: D,
}

#[async_trait]
impl<T: Brain, D: Store + Clone> Brain for Auditor<T, D> {
    fn info(&self) -> &BrainInfo {
        self.inner.info()
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let journal = entries(&self.disk).await;
        let kept = |wanted: &str| journal.iter().any(|entry| entry.event.content() == wanted);
        for message in &request.messages {
            match message {
                Message::User { content } => assert!(kept(content), "rule 3: {content:?} is not durable"),
                Message::Tool { content, .. } if content.contains(" ran ") => {
                    assert!(kept(content), "rule 6: the outcome {content:?} is not durable");
                }
                _ => {}
            }
        }
        self.inner.complete(request, deltas).await
    }
}

#[async_trait]
impl<T: Hands, D: Store + Clone> Hands for Auditor<T, D> {
    fn tools(&self) -> Arc<[ToolSpec]> {
        self.inner.tools()
    }

    async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError> {
        self.inner.assess(call).await
    }

    async fn invoke(&self, invocation: &Invocation) -> Result<CallOutcome, HandsError> {
        let journal = entries(&self.disk).await;
        let call = &invocation.call;
        let asked_for = journal.iter().any(|entry| match &entry.event {
            Event::Assistant { calls, .. } => calls.contains(call),
            _ => false,
        });
        assert!(asked_for, "rule 4: {call:?} runs before its completion is durable");
        let started = journal.iter().find_map(|entry| match &entry.event {
            Event::Started { call: id, token } if *id == call.id => Some(token.clone()),
            _ => None,
        });
        let is_once = call.name == "add" || call.name == "pay";
        assert!(!is_once || started.is_some(), "rule 5: {call:?} runs before `started` is durable");
        if call.name == "pay" {
            assert!(started.flatten().is_some(), "rule 9: `pay` runs without its token");
        }
        self.inner.invoke(invocation).await
    }
}

#[async_trait]
impl<T: Store, D: Store + Clone> Store for Auditor<T, D> {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        self.inner.lock(name, wait).await
    }

    async fn append(&self, journal: &JournalId, at: Position, new: &[Entry]) -> Result<Position, StoreError> {
        for entry in new {
            if let Event::Asked { token, .. } = &entry.event {
                let found = self.disk.get(&Key::new(["approval", "pending", token.as_str()])).await.unwrap();
                assert!(found.is_some(), "rule 8: `asked` is written before its approval");
            }
            if let Event::User { .. } = &entry.event {
                assert_eq!(new.len(), 1, "rule 3: the user entry is not alone in its append");
            }
        }
        self.inner.append(journal, at, new).await
    }

    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        self.inner.read(journal, span).await
    }

    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        self.inner.commit(changes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner.get(key).await
    }

    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.inner.scan(keys, limit).await
    }
}

/// One process: an agent over the disk whose every effect is part of `plan`.
fn process<D: Store + Clone>(world: &World, disk: &D, plan: &Arc<FaultPlan>, seed: u64) -> Agent {
    let audited = |disk: &D| disk.clone();
    let brain = Auditor { inner: FaultyBrain::new(obedient(), plan), disk: audited(disk) };
    let hands: FaultyHands<Arc<Counters>> = FaultyHands::new(Arc::clone(&world.counters), plan);
    let store = FaultyStore::new(disk.clone(), plan);
    Agent::builder(brain)
        .without_builtin_tools()
        .hands(Auditor { inner: hands, disk: audited(disk) })
        .store(Auditor { inner: store, disk: audited(disk) })
        .clock(Arc::clone(&world.clock))
        .entropy(SeededEntropy::new(seed))
        .build()
}

/// What the person wants, in an order; each step is repeated, by the same or a new process, until it succeeds.
async fn workload(agent: &Agent) -> Result<(), TurnError> {
    agent.turn(session(), "run look set add").once("m1", Position::START).await?;
    let mut reply = agent.turn(session(), PAID).once("m2", Position::START).await?;
    if let Reply::NeedsApproval(approval) = reply {
        match agent.approve(&approval.token).await {
            Ok(_) | Err(ApprovalError::AlreadyDecided { .. }) => {}
            Err(error) => return Err(error.into()),
        }
        reply = agent.settle(&approval.token).await?;
    }
    assert!(matches!(reply, Reply::Said(_)), "{reply:?}");
    agent.turn(session(), "thank you").once("m3", Position::START).await?;
    Ok(())
}

async fn run<D: Store + Clone>(disk: &D, plan: &Arc<FaultPlan>) -> World {
    let world = World::new();
    for seed in 0..PROCESSES_MAX {
        let agent = process(&world, disk, plan, seed as u64);
        if let Some(Ok(())) = run_until_crash(plan, workload(&agent)).await {
            return world;
        }
    }
    panic!("{PROCESSES_MAX} processes did not finish it: {plan:?}");
}

/// What must hold at the end, whatever happened on the way.
async fn check<D: Store + Clone>(world: &World, disk: &D, faults: u32, context: &dyn std::fmt::Debug) {
    let journal = entries(disk).await;
    for key in ["m1", "m2", "m3"] {
        let has_key = |entry: &&Arc<Entry>| matches!(&entry.event, Event::User { key: Some(k), .. } if k == key);
        assert_eq!(journal.iter().filter(has_key).count(), 1, "{key}: {context:?}");
    }
    for tool in ["add", "pay"] {
        let ran = world.counters.count(tool);
        assert!(ran <= 1, "{tool} ran {ran} times: {context:?}");
        let statuses: Vec<OutcomeStatus> = journal
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::Tool { name, outcome, .. } if name == tool => Some(outcome.status),
                _ => None,
            })
            .collect();
        assert!(statuses.len() <= 1, "{tool} has the outcomes {statuses:?}: {context:?}");
        match statuses.first() {
            Some(OutcomeStatus::Ok) => assert_eq!(ran, 1, "{tool}: {context:?}"),
            Some(OutcomeStatus::Failed | OutcomeStatus::Skipped | OutcomeStatus::Refused) => {
                assert_eq!(ran, 0, "{tool}: {context:?}");
            }
            Some(_) => assert!(faults > 0, "{tool} is unknown without a fault: {context:?}"),
            None => panic!("{tool} has no outcome: {context:?}"),
        }
    }
    for tool in ["look", "set"] {
        let ran = world.counters.count(tool);
        assert!(ran <= 2 + faults, "{tool} ran {ran} times: {context:?}");
    }
    assert!(
        matches!(&journal.last().unwrap().event, Event::Assistant { content, .. } if content.contains("thank you"))
    );
    let pending = disk.scan(&KeyRange::under(["approval", "pending"]), 10).await.unwrap();
    assert!(pending.is_empty(), "one call was asked about twice: {context:?}");
    let wakes = disk.scan(&KeyRange::under(["approval", "wake"]), 10).await.unwrap();
    assert!(wakes.is_empty(), "a verdict is still to be carried out: {context:?}");
}

async fn effects_without_faults() -> u64 {
    let (disk, plan) = (MemoryStore::new(), FaultPlan::none());
    let world = run(&disk, &plan).await;
    check(&world, &disk, 0, &plan).await;
    for (tool, times) in [("look", 2), ("set", 1), ("add", 1), ("pay", 1)] {
        assert_eq!(world.counters.count(tool), times, "{tool}");
    }
    plan.count()
}

#[tokio::test]
async fn every_fault_at_every_effect() {
    let effects = effects_without_faults().await;
    assert!(effects > 20, "only {effects} effects");
    for effect in 1..=effects {
        for fault in Fault::ALL {
            let (disk, plan) = (MemoryStore::new(), FaultPlan::at(effect, fault));
            let world = run(&disk, &plan).await;
            check(&world, &disk, 1, &plan).await;
        }
    }
}

#[tokio::test]
async fn faults_at_every_pair_of_effects() {
    let effects = effects_without_faults().await;
    // A crash before an effect leaves what a crash after the one before it does.
    let kinds = [Fault::FailAfter, Fault::CrashWithin, Fault::CrashAfter];
    for first in 1..=effects {
        // What happens after the first fault takes a few effects more than a run without faults.
        for second in first + 1..=effects + 6 {
            for (one, two) in kinds.iter().flat_map(|one| kinds.iter().map(move |two| (*one, *two))) {
                let (disk, plan) = (MemoryStore::new(), FaultPlan::new([(first, one), (second, two)]));
                let world = run(&disk, &plan).await;
                check(&world, &disk, 2, &plan).await;
            }
        }
    }
}

/// Dropping a turn at any moment is a crash that the process survives.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cancelled_at_random_on_a_real_disk() {
    let seeds = SeededEntropy::new(0x5eed);
    for round in 0..60 {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(LocalStore::open(dir.path()).unwrap());
        let world = World::new();
        let agent = process(&world, &disk, &FaultPlan::none(), round);
        let mut cancelled = 0;
        loop {
            let time = Duration::from_micros(seeds.next_u64() % 6_000);
            // Later tries get more time, so that the rounds end.
            match tokio::time::timeout(time * (1 + cancelled / 4), workload(&agent)).await {
                Ok(result) => break result.unwrap(),
                Err(_) => cancelled += 1,
            }
        }
        check(&world, &disk, cancelled, &(round, cancelled)).await;
    }
}

#[tokio::test]
async fn an_entry_of_somebody_else_ends_the_turn_before_it_writes_anything() {
    let disk = MemoryStore::new();
    let intruder = disk.clone();
    let brain = ScriptedBrain::new(move |_| {
        let journal = JournalId::from(&session());
        let entry = Event::Stopped { content: "intruder".into() }.at(rusty_pinch_core::Timestamp::EPOCH);
        futures_now(intruder.append(&journal, Position::new(1), &[entry])).unwrap();
        Ok(Completion::text("an answer that comes too late"))
    });
    let agent = Agent::builder(brain).store(disk.clone()).build();
    let error = agent.turn(session(), "hello").await.unwrap_err();
    assert!(matches!(error, TurnError::Store(StoreError::Moved { .. })), "{error:?}");
    assert_eq!(entries(&disk).await.len(), 2);
}

/// The output of a future that is ready at once, as those of a store in memory are.
fn futures_now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(output) => output,
        std::task::Poll::Pending => panic!("the store in memory had to wait"),
    }
}

#[tokio::test]
async fn a_line_that_can_not_be_read_stops_its_turn_and_the_next_one_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let disk = Arc::new(LocalStore::open(dir.path()).unwrap());
    let agent = world.builder(obedient()).store(Arc::clone(&disk)).build();
    agent.turn(session(), "hello").await.unwrap();
    let file = dir.path().join("sessions/s.jsonl");
    let whole = std::fs::read_to_string(&file).unwrap();
    let open = "{\"role\":\"user\",\"content\":\"run add\",\"timestamp\":\"2026-01-01T00:00:00Z\"}\n";
    for damage in ["not a line at all\n", "{\"role\":\"started\",\"content\":\"\",\"timest"] {
        std::fs::write(&file, format!("{whole}{open}{damage}")).unwrap();
        let again = world.builder(obedient()).store(Arc::new(LocalStore::open(dir.path()).unwrap())).build();
        let reply = again.resume(session()).await.unwrap();
        assert!(matches!(&reply, Reply::Stopped(why) if why.contains("can't be read")), "{reply:?}");
        assert_eq!(world.counters.count("add"), 0);
        let reply = again.turn(session(), "and now?").await.unwrap();
        assert_eq!(reply, Reply::Said("you said: and now?".into()));
    }
}
