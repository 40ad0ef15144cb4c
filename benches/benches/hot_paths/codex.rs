//! Codex's pool: a request that is counted, chosen for and answered, with 64 accounts.
//!
//! The decision itself is a part of it; the rest is reading and writing the pool's record in memory.

use std::sync::Arc;

use benches::FixedBrain;
use criterion::{BenchmarkId, Criterion};
use rusty_pinch_core::{
    AccountId, Brain, CODEX_ACCOUNTS_MAX, CodexAccount, CodexConfig, CodexPool, CompletionRequest, Deltas, Lane,
    MemoryStore, Message, PoolDecision, PoolPolicy, SystemClock, Timestamp,
};
use tokio::runtime::Builder;

fn request(lane: Lane) -> CompletionRequest {
    CompletionRequest {
        messages: vec![Message::User { content: "hello".to_owned() }],
        tools: Arc::from([]),
        deadline: Timestamp::from_nanos(i64::MAX),
        lane,
        turn: None,
    }
}

fn accounts(count: usize) -> Vec<CodexAccount> {
    let account = |n| {
        let id = AccountId::new(format!("account-{n}")).expect("an id");
        CodexAccount::new(id, CodexConfig::new("codex", "/home"), u32::MAX)
    };
    (0..count).map(account).collect()
}

/// The choice alone: which of so many accounts, all of them in use, is asked.
pub(crate) fn decisions(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codex decision");
    for count in [1, CODEX_ACCOUNTS_MAX] {
        let decision = PoolDecision::in_use(count);
        for (name, lane) in [("interactive", Lane::Interactive), ("background", Lane::Background)] {
            group.bench_function(BenchmarkId::new(name, count), |bencher| bencher.iter(|| decision.decide(lane)));
        }
    }
    group.finish();
}

/// A whole request through the pool, with a brain that costs nothing.
pub(crate) fn requests(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("codex request in memory");
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    for count in [1, CODEX_ACCOUNTS_MAX] {
        let store = Arc::new(MemoryStore::new());
        let pool = CodexPool::new(accounts(count), PoolPolicy::default(), store, Arc::new(SystemClock), |_, _| {
            Arc::new(FixedBrain::default())
        });
        let request = request(Lane::Interactive);
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher
                .to_async(&runtime)
                .iter(|| async { pool.complete(&request, &Deltas::none()).await.expect("an answer") });
        });
    }
    group.finish();
}
