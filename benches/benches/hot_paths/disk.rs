//! Durable writing, and reading the end of long sessions.

use std::sync::Arc;

use benches::{FixedBrain, MESSAGE, direct, exchange, fill, folder, session};
use criterion::{BenchmarkId, Criterion};
use rusty_pinch_core::{Agent, Change, JournalId, LocalStore, Position, Precondition, SessionId, Span, Store};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::Mutex;

const LENGTHS: [usize; 2] = [100, 1_000_000];
const LAST: usize = 50;

/// A store on disk, and what it runs on.
struct World {
    runtime: Runtime,
    store: LocalStore,
    session: SessionId,
    _folder: TempDir,
}

impl World {
    fn new() -> Self {
        let folder = folder().expect("a folder");
        let store = LocalStore::open(folder.path()).expect("a store");
        let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
        Self { runtime, store, session: session(0).expect("a session id"), _folder: folder }
    }

    fn journal(&self) -> JournalId {
        JournalId::from(&self.session)
    }

    fn fill(&self, entries: usize) -> Position {
        self.runtime.block_on(fill(&self.store, &self.session, entries)).expect("a disk with room")
    }
}

pub(crate) fn appends(criterion: &mut Criterion) {
    let world = World::new();
    let (journal, end) = (world.journal(), Arc::new(Mutex::new(Position::START)));
    criterion.bench_function("append", |bencher| {
        bencher.to_async(&world.runtime).iter(|| async {
            let mut end = end.lock().await;
            *end = world.store.append(&journal, *end, &exchange(0)[..1]).await.expect("an append");
        });
    });
}

pub(crate) fn commits(criterion: &mut Criterion) {
    let world = World::new();
    let change = Change::put(direct::key(0), Precondition::None, json!({"text": "a note as people write them"}));
    criterion.bench_function("commit", |bencher| {
        let commit = || async { world.store.commit(std::slice::from_ref(&change)).await.expect("a commit") };
        bencher.to_async(&world.runtime).iter(commit);
    });
}

pub(crate) fn tails(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("last 50 entries");
    for entries in LENGTHS {
        let world = World::new();
        world.fill(entries);
        let journal = world.journal();
        group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
            let read = || async { world.store.read(&journal, Span::Last(LAST)).await.expect("a page") };
            bencher.to_async(&world.runtime).iter(read);
        });
    }
    group.finish();
}

pub(crate) fn turns(criterion: &mut Criterion) {
    let world = World::new();
    let agent = Agent::builder(FixedBrain::default()).store(world.store.clone()).build();
    criterion.bench_function("turn on disk", |bencher| {
        let turn = || async { agent.turn(&world.session, MESSAGE).await.expect("a turn") };
        bencher.to_async(&world.runtime).iter(turn);
    });
}
