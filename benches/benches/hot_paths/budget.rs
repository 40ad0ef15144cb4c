//! What it costs to check a call before it is made and to count it after: the same call alone, counted, and under caps.

use std::sync::Arc;

use benches::{FixedBrain, MESSAGE, session};
use criterion::{BenchmarkId, Criterion};
use rusty_pinch_core::{
    Billing, Brain, Budget, BudgetConfig, CapLimit, Caps, Clock, CompletionRequest, Deltas, Lane, MemoryStore, Message,
    Money, Position, SystemClock, TurnId,
};
use tokio::runtime::{Builder, Runtime};

/// Caps that everything fits under.
fn roomy() -> Caps {
    let limit = CapLimit { tokens: Some(u64::MAX), money: Some(Money::from_micros(u64::MAX)) };
    Caps { turn: limit, session: limit, day: limit, background_day: limit }
}

fn request() -> CompletionRequest {
    let deadline = SystemClock.now() + std::time::Duration::from_secs(3600);
    let turn = TurnId { session: session(0).expect("a session id"), opened_at: Position::START };
    let messages = vec![Message::User { content: MESSAGE.to_owned() }];
    CompletionRequest { messages, tools: Arc::new([]), deadline, lane: Lane::Interactive, turn: Some(turn) }
}

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

pub(crate) fn calls(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("a call to a brain");
    let (runtime, request) = (runtime(), request());
    let under = |caps| -> Arc<dyn Brain> {
        Arc::new(
            Budget::new(MemoryStore::new(), BudgetConfig::new(caps)).around(FixedBrain::default(), Billing::ByToken),
        )
    };
    let brains: [(&str, Arc<dyn Brain>); 3] = [
        ("alone", Arc::new(FixedBrain::default())),
        ("counted", under(Caps::default())),
        ("under caps", under(roomy())),
    ];
    for (name, brain) in brains {
        group.bench_function(BenchmarkId::from_parameter(name), |bencher| {
            let call = || async { brain.complete(&request, &Deltas::none()).await.expect("an answer") };
            bencher.to_async(&runtime).iter(call);
        });
    }
    group.finish();
}
