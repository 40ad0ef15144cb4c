//! Pool and queue of Codex under a seeded simulation: several processes on one store, a clock that is turned by hand,
//! kills and failures at random effects, accounts that are capped, revoked and overloaded. Every seed runs twice and has
//! to leave the same trace.
#![cfg(feature = "codex")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed check of a test panics")]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rusty_pinch_core::testing::{
    Fault, FaultPlan, FaultyBrain, FaultyStore, ScriptedBrain, SeededEntropy, VirtualClock, run_until_crash,
};
use rusty_pinch_core::{
    AccountId, Brain, BrainError, Change, Clock, CodexAccount, CodexConfig, CodexPool, CodexTask, CodexWork,
    CodexWorkConfig, Completion, Entry, Guard, JournalId, Key, KeyRange, Lane, LockName, MemoryStore, Message, Page,
    PoolPolicy, Position, Record, Revision, Span, Spawn, Store, StoreError, Submitted, Timestamp, Worked,
};
use serde_json::Value;

const SEEDS: u64 = 16;
const ROUNDS: u64 = 40;
const PROCESSES: usize = 3;
const ACCOUNTS: [(&str, u32); 3] = [("a", 6), ("b", 4), ("c", 2)];
const WINDOW: Duration = Duration::from_secs(1000);
const RESERVE_PERCENT: u64 = 25;

/// What really happened, seen from outside the pool.
#[derive(Debug, Default)]
struct Truth {
    /// Requests by account and beginning of the window that they were counted in.
    calls: BTreeMap<(String, Timestamp), u32>,
    trace: String,
    /// What was left before the last claim of each process, and how much there is when nothing is used.
    left: [(u64, u64); PROCESSES],
}

struct World {
    disk: MemoryStore,
    clock: Arc<VirtualClock>,
    dice: Arc<SeededEntropy>,
    truth: Arc<Mutex<Truth>>,
}

/// The shared disk as one process sees it: other processes get on at every access, and claims are looked at.
#[derive(Debug)]
struct Watched {
    disk: MemoryStore,
    dice: Arc<SeededEntropy>,
    clock: Arc<VirtualClock>,
    truth: Arc<Mutex<Truth>>,
    process: usize,
}

impl Watched {
    async fn pause(&self) {
        for _ in 0..self.dice.next_u64() % 4 {
            tokio::task::yield_now().await;
        }
    }
}

fn instant(account: &Value, name: &str) -> Option<Timestamp> {
    account.get(name).and_then(Value::as_str).map(|text| text.parse().unwrap())
}

/// What is left of the pool by the plain rules: a full window, an account that is capped, one that is left alone.
fn left(pool: Option<&Value>, now: Timestamp) -> (u64, u64) {
    ACCOUNTS.iter().fold((0, 0), |(left, all), (id, max)| {
        let account = pool.and_then(|pool| pool.pointer(&format!("/accounts/{id}"))).cloned().unwrap_or_default();
        let runs = instant(&account, "window_began").is_some_and(|began| now < began + WINDOW);
        let used = if runs { account["used"].as_u64().unwrap() } else { 0 };
        let is_used_up = used >= u64::from(*max);
        let is_capped = instant(&account, "capped_until").is_some_and(|until| now < until);
        if !is_used_up && !is_capped && instant(&account, "retry_at").is_some_and(|until| now < until) {
            return (left, all);
        }
        (left + if is_capped { 0 } else { u64::from(*max) - used }, all + u64::from(*max))
    })
}

#[async_trait]
impl Store for Watched {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        self.disk.lock(name, wait).await
    }
    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        self.disk.append(journal, at, entries).await
    }
    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        self.disk.read(journal, span).await
    }
    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        self.pause().await;
        let pool = Key::new(["codex", "pool"]);
        let before = self.disk.get(&pool).await?;
        let revision = self.disk.commit(changes).await?;
        if changes.iter().any(|change| change.key == pool) {
            let mut truth = self.truth.lock().unwrap();
            truth.left[self.process] = left(before.as_ref().map(|record| &record.value), self.clock.now());
        }
        Ok(revision)
    }
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.pause().await;
        self.disk.get(key).await
    }
    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.pause().await;
        self.disk.scan(keys, limit).await
    }
}

#[derive(Debug)]
struct NoProgram;

#[async_trait]
impl Spawn for NoProgram {
    async fn run(
        &self,
        command: &rusty_pinch_core::Command,
        _: &rusty_pinch_core::Lines,
    ) -> Result<rusty_pinch_core::Exit, rusty_pinch_core::SpawnError> {
        panic!("nothing is run here: {command:?}")
    }
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            disk: MemoryStore::new(),
            clock: Arc::default(),
            dice: Arc::new(SeededEntropy::new(seed)),
            truth: Arc::default(),
        }
    }

    fn note(&self, line: &str) {
        let now = self.clock.now();
        writeln!(self.truth.lock().unwrap().trace, "{now} {line}").unwrap();
    }

    /// What one account does: it counts, checks the promises, and is well `sick` times of a hundred not.
    fn brain(&self, process: usize, id: String, sick: u64) -> ScriptedBrain {
        let (disk, clock, dice, truth) =
            (self.disk.clone(), Arc::clone(&self.clock), Arc::clone(&self.dice), Arc::clone(&self.truth));
        ScriptedBrain::new(move |request| {
            let (now, mut truth) = (clock.now(), truth.lock().unwrap());
            let record = futures_now(disk.get(&Key::new(["codex", "pool"]))).unwrap().unwrap();
            let began = instant(&record.value["accounts"][&id], "window_began").unwrap();
            let calls = truth.calls.entry((id.clone(), began)).or_default();
            *calls += 1;
            let (calls, max) = (*calls, ACCOUNTS.iter().find(|(of, _)| *of == id).unwrap().1);
            assert!(calls <= max, "the quota of {id} is exceeded: {calls} in the window from {began}");
            let earlier = truth.calls.keys().rfind(|(of, at)| *of == id && *at < began).map(|(_, at)| *at);
            assert!(earlier.is_none_or(|at| at + WINDOW <= began), "windows of {id} overlap: {earlier:?} and {began}");
            let (left, all) = truth.left[process];
            if request.lane == Lane::Background {
                assert!(left * 100 > all * RESERVE_PERCENT, "background took from the reserve: {left} of {all} left");
            }
            let Some(Message::User { content }) = request.messages.last() else { panic!("no prompt") };
            let answer = answer(dice.next_u64() % 100, sick, dice.next_u64(), now);
            let said = answer.as_ref().map_or_else(ToString::to_string, |done| done.content.clone());
            writeln!(truth.trace, "{now} {process} asks {id} {content:?}: {said}").unwrap();
            answer
        })
    }

    fn work(&self, process: usize, plan: &Arc<FaultPlan>, sick: u64) -> CodexWork {
        let watched = Watched {
            disk: self.disk.clone(),
            dice: Arc::clone(&self.dice),
            clock: Arc::clone(&self.clock),
            truth: Arc::clone(&self.truth),
            process,
        };
        let store: Arc<dyn Store> = Arc::new(FaultyStore::new(watched, plan));
        let accounts = ACCOUNTS
            .map(|(id, max)| CodexAccount::new(AccountId::new(id).unwrap(), CodexConfig::new("codex", "/h"), max));
        let mut policy = PoolPolicy::default();
        policy.window = WINDOW;
        let pool = CodexPool::new(accounts.to_vec(), policy, Arc::clone(&store), self.clock.clone(), |account, _| {
            let brain: Arc<dyn Brain> =
                Arc::new(FaultyBrain::new(self.brain(process, account.id.to_string(), sick), plan));
            brain
        });
        CodexWork::new(Arc::new(pool), CodexWorkConfig::default(), store, Arc::new(NoProgram))
    }
}

/// The value of a future that waits for nothing.
fn futures_now<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut std::task::Context::from_waker(std::task::Waker::noop())) {
        std::task::Poll::Ready(value) => value,
        std::task::Poll::Pending => panic!("memory does not wait"),
    }
}

fn answer(roll: u64, sick: u64, detail: u64, now: Timestamp) -> Result<Completion, BrainError> {
    if roll >= sick {
        return Ok(Completion { attempts: 1, ..Completion::text("done") });
    }
    let (brain, later) = ("codex".to_owned(), now + Duration::from_secs(detail % 3000));
    Err(match detail % 5 {
        0 => BrainError::QuotaExhausted { brain, detail: "used up".into(), resets_at: Some(later) },
        1 => BrainError::Unauthorized { brain, detail: "revoked".into(), fix: "log in".into() },
        2 => BrainError::RateLimited { brain, retry_at: detail.is_multiple_of(2).then_some(later) },
        3 => BrainError::Overloaded { brain, detail: "busy".into(), retry_at: None },
        _ => BrainError::Cut { brain, detail: "half".into() },
    })
}

/// One thing that a process does; the task that is in the queue for sure when it was told so.
async fn act(work: &CodexWork, action: u64, name: String) -> (String, Option<u64>) {
    let submit = async |lane| match work.submit(&CodexTask::new(&name, "simulation", lane).unwrap()).await {
        Ok(Submitted::Queued { task_id, reason, .. }) => (format!("queued {task_id} {reason:?}"), Some(task_id)),
        Ok(Submitted::Worked(worked)) => told(&worked),
        Ok(other) => panic!("{other:?}"),
        Err(error) => (format!("refused: {error}"), None),
    };
    match action {
        0..=4 => submit(Lane::Background).await,
        5 => submit(Lane::Interactive).await,
        _ => work.drain_one().await.map_or_else(|error| (format!("failed: {error}"), None), |worked| told(&worked)),
    }
}

fn told(worked: &Worked) -> (String, Option<u64>) {
    match worked {
        Worked::Ended(finished) => {
            (format!("ended {} {:?}", finished.task_id, finished.ending), Some(finished.task_id))
        }
        Worked::PutBack { task_id, reason, .. } => (format!("put back {task_id} {reason:?}"), Some(*task_id)),
        Worked::Lost { task_id } => (format!("lost {task_id}"), None),
        Worked::Nothing { error } => (format!("nothing {error:?}"), None),
        other => panic!("{other:?}"),
    }
}

/// What an action of a process came to; none when it was killed in the middle.
type Outcome = Option<(String, Option<u64>)>;

async fn simulate(seed: u64) -> String {
    let world = World::new(seed);
    let (mut accepted, mut over) = (BTreeSet::new(), BTreeSet::new());
    for round in 0..ROUNDS {
        let plans: Vec<_> = (0..PROCESSES)
            .map(|_| match world.dice.next_u64() % 3 {
                0 => FaultPlan::at(1 + world.dice.next_u64() % 6, Fault::ALL[(world.dice.next_u64() % 6) as usize]),
                _ => FaultPlan::none(),
            })
            .collect();
        let run = async |process: usize| -> Outcome {
            let work = world.work(process, &plans[process], 30);
            let action = world.dice.next_u64() % 10;
            run_until_crash(&plans[process], act(&work, action, format!("{round}.{process}"))).await
        };
        let outcomes = tokio::join!(run(0), run(1), run(2));
        for (process, outcome) in [outcomes.0, outcomes.1, outcomes.2].into_iter().enumerate() {
            match outcome {
                Some((line, task)) => {
                    world.note(&format!("{process} {line}"));
                    accepted.extend(task);
                }
                None => world.note(&format!("{process} was killed: {:?}", plans[process].trace().last())),
            }
        }
        audit(&world, &accepted, &mut over).await;
        world.clock.advance(Duration::from_secs(world.dice.next_u64() % 200));
    }
    settle(&world, &accepted, over).await;
    std::mem::take(&mut world.truth.lock().unwrap().trace)
}

/// No task is lost, none is over twice. Of those that are `over` the oldest results are gone by now.
async fn audit(world: &World, accepted: &BTreeSet<u64>, over: &mut BTreeSet<u64>) {
    let (open, kept) = tasks(world).await;
    over.extend(kept);
    for task in accepted {
        assert!(open.contains(task) != over.contains(task), "task {task} is lost, or both open and over");
    }
}

async fn tasks(world: &World) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let work = world.work(0, &FaultPlan::none(), 0);
    let open = work.status().await.unwrap().open.iter().map(|task| task.task_id).collect();
    let results = work.results().await.unwrap();
    let over: BTreeSet<_> = results.iter().map(|task| task.task_id).collect();
    assert_eq!(over.len(), results.len(), "a task is over twice");
    (open, over)
}

/// Everybody is well again, and a person comes all the time: what waits still gets its turn.
async fn settle(world: &World, accepted: &BTreeSet<u64>, mut over: BTreeSet<u64>) {
    let waiting = tasks(world).await.0;
    for round in 0..400 {
        let is_done = tasks(world).await.0.intersection(&waiting).count() == 0;
        if is_done || round % 20 == 0 {
            audit(world, accepted, &mut over).await;
        }
        if is_done {
            return;
        }
        let work = world.work(0, &FaultPlan::none(), 0);
        let (person, _) = act(&work, 5, format!("person {round}")).await;
        let (line, _) = act(&work, 9, String::new()).await;
        world.note(&format!("at last: {person}, {line}"));
        world.clock.advance(Duration::from_secs(100));
    }
    panic!("starved: {:?}", tasks(world).await.0.intersection(&waiting).collect::<Vec<_>>());
}

#[tokio::test]
async fn b5_pool_and_queue_keep_their_promises_through_kills_and_every_seed_repeats() {
    let (mut kills, mut reserved, mut results) = (0, 0, 0);
    for seed in 0..SEEDS {
        let trace = simulate(seed).await;
        let again = simulate(seed).await;
        assert!(trace == again, "seed {seed} does not repeat");
        kills += trace.matches("was killed").count();
        reserved += trace.matches("RateLimitThreshold").count();
        results += trace.matches("Executed").count();
    }
    // The simulation is worth nothing if it does not get into trouble.
    assert!(
        kills > 60 && reserved > 50 && results > 500,
        "{kills} kills, {reserved} at the reserve, {results} results"
    );
    eprintln!("{SEEDS} seeds: {kills} kills, {reserved} at the reserve, {results} results");
}
