//! What a chain of healthy brains costs over its first member alone.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use benches::stopwatch::now;
use benches::{FixedBrain, MESSAGE};
use rusty_pinch_core::{
    Brain, Breakers, Clock, CompletionRequest, Deltas, FailoverBrain, Lane, MemoryStore, Message, RetryPolicy,
    SystemClock,
};
use tokio::runtime::Builder;

use crate::table::{Pair, Promise, Table};

/// Rounds of both sides, and requests in each: one alone is too short to be timed.
const ROUNDS: usize = 200;
const REQUESTS: u32 = 100;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let chain = FailoverBrain::new(FixedBrain::default(), RetryPolicy::default())
        .then(FixedBrain::default())
        .then(FixedBrain::default())
        .with_breakers(Breakers::new(Arc::new(MemoryStore::new())));
    let alone = FixedBrain::default();
    let request = CompletionRequest {
        messages: vec![Message::User { content: MESSAGE.to_owned() }],
        tools: Arc::new([]),
        deadline: SystemClock.now() + Duration::from_secs(3600),
        lane: Lane::Interactive,
        turn: None,
    };
    let mut times = Pair::default();
    runtime.block_on(async {
        for _ in 0..ROUNDS {
            for (brain, series) in [(&chain as &dyn Brain, &mut times.ours), (&alone, &mut times.floor)] {
                let start = now();
                for _ in 0..REQUESTS {
                    brain.complete(&request, &Deltas::none()).await?;
                }
                series.push((now() - start) / REQUESTS);
            }
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    table.pair("request to a healthy chain of three / to its first member", Promise::None, times);
    Ok(())
}
