//! Turns in memory, with and without the agent.

use std::sync::Arc;

use benches::direct::Parts;
use benches::{FixedBrain, MESSAGE, fill, session};
use criterion::{BatchSize, BenchmarkId, Criterion};
use rusty_pinch_core::{Agent, MemoryStore, SessionId, Store};
use tokio::runtime::{Builder, Runtime};

const LENGTHS: [usize; 3] = [0, 50, 2_000];

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

/// A store with one session of this length.
fn filled(runtime: &Runtime, entries: usize) -> (MemoryStore, SessionId) {
    let (store, session) = (MemoryStore::new(), session(0).expect("a session id"));
    runtime.block_on(fill(&store as &dyn Store, &session, entries)).expect("memory does not fail");
    (store, session)
}

pub(crate) fn turns(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("turn in memory");
    let runtime = runtime();
    for entries in LENGTHS {
        group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
            let setup = || {
                let (store, session) = filled(&runtime, entries);
                (Agent::builder(FixedBrain::default()).store(store).build(), session)
            };
            let turn = |(agent, session): (Agent, SessionId)| {
                runtime.block_on(async { agent.turn(&session, MESSAGE).await.expect("a turn in memory") })
            };
            bencher.iter_batched(setup, turn, BatchSize::SmallInput);
        });
    }
    group.finish();
}

pub(crate) fn direct(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("turn in memory, by hand");
    let runtime = runtime();
    for entries in LENGTHS {
        group.bench_function(BenchmarkId::from_parameter(entries), |bencher| {
            let setup = || {
                let (store, session) = filled(&runtime, entries);
                (Parts::new(FixedBrain::default(), Arc::new(store)), session)
            };
            let turn = |(parts, session): (Parts, SessionId)| {
                runtime.block_on(parts.turn(&session, MESSAGE)).expect("calls in memory")
            };
            bencher.iter_batched(setup, turn, BatchSize::SmallInput);
        });
    }
    group.finish();
}
