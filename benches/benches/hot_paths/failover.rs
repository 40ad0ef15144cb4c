//! What a chain of healthy brains costs over its first member alone.

use std::sync::Arc;
use std::time::Duration;

use benches::{FixedBrain, MESSAGE};
use criterion::Criterion;
use rusty_pinch_core::{
    Brain, Breakers, Clock, CompletionRequest, Deltas, FailoverBrain, Lane, MemoryStore, Message, RetryPolicy,
    SystemClock,
};
use tokio::runtime::Builder;

pub(crate) fn chains(criterion: &mut Criterion) {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let chain = FailoverBrain::new(FixedBrain::default(), RetryPolicy::default())
        .then(FixedBrain::default())
        .then(FixedBrain::default())
        .with_breakers(Breakers::new(Arc::new(MemoryStore::new())));
    let request = CompletionRequest {
        messages: vec![Message::User { content: MESSAGE.to_owned() }],
        tools: Arc::new([]),
        deadline: SystemClock.now() + Duration::from_secs(24 * 3600),
        lane: Lane::Interactive,
        turn: None,
    };
    let mut group = criterion.benchmark_group("failover");
    for (name, brain) in [("member alone", &FixedBrain::default() as &dyn Brain), ("chain of three", &chain)] {
        group.bench_function(name, |bencher| {
            let ask = || async { brain.complete(&request, &Deltas::none()).await.expect("an answer") };
            bencher.to_async(&runtime).iter(ask);
        });
    }
    group.finish();
}
