//! B2 over real sockets, and turns of an agent while its first provider is dead. Calls are counted at the servers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fake_model::{FakeModel, chat};
use rusty_pinch_core::testing::SeededEntropy;
use rusty_pinch_core::{
    Agent, Brain, BreakerPolicy, Breakers, Clock, Deltas, FailoverBrain, HttpBrain, MemoryStore, Reply, RetryPolicy,
    Store, SystemClock,
};
use tokio::task::JoinSet;

use crate::setup::{config, prompt};

const REQUESTS: usize = 1_200;
const AT_ONCE: usize = 8;
const TURNS: usize = 1_000;
const RETRIES: RetryPolicy =
    RetryPolicy { attempts_max: 3, backoff: Duration::from_millis(1), backoff_max: Duration::from_millis(2) };
/// The longest that a breaker is open here.
const BREAKER_TIME: Duration = Duration::from_secs(1);

fn provider(url: &str, model: &str) -> HttpBrain {
    let mut config = config(url);
    config.model = Some(model.to_owned());
    HttpBrain::new(config).unwrap()
}

fn breakers() -> Breakers {
    let policy = BreakerPolicy {
        first_pause: Duration::from_millis(100),
        longest_pause: BREAKER_TIME,
        ..BreakerPolicy::default()
    };
    Breakers::with_policy(Arc::new(MemoryStore::new()), policy)
}

#[tokio::test]
async fn b2_an_outage_of_all_costs_at_most_1_2_calls_a_request_and_ends_within_breaker_time_and_a_second() {
    let is_over = Arc::new(AtomicBool::new(false));
    let servers: Vec<_> = (0..3)
        .map(|_| {
            let is_over = Arc::clone(&is_over);
            let mut says = chat::says("back again");
            FakeModel::start(move |number, request| match is_over.load(Ordering::SeqCst) {
                true => says(number, request),
                false => chat::error(503, "down", "down"),
            })
        })
        .collect();
    let member = |index: usize| provider(&servers[index].base_url(), ["a", "b", "c"][index]);
    let chain = FailoverBrain::new(member(0), RETRIES).then(member(1)).then(member(2)).with_breakers(breakers());
    let chain = Arc::new(chain.with_entropy(Arc::new(SeededEntropy::new(9))));

    let mut asking = JoinSet::new();
    for _ in 0..AT_ONCE {
        let chain = Arc::clone(&chain);
        asking.spawn(async move {
            for _ in 0..REQUESTS / AT_ONCE {
                chain.complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
            }
        });
    }
    asking.join_all().await;
    let calls: usize = servers.iter().map(FakeModel::request_count).sum();
    let ratio = calls as f64 / REQUESTS as f64;
    assert!(ratio <= 1.2, "{calls} calls for {REQUESTS} requests: {ratio}");
    assert!(servers.iter().all(|server| server.request_count() > 0));

    is_over.store(true, Ordering::SeqCst);
    let recovered = SystemClock.now();
    while chain.complete(&prompt("hi"), &Deltas::none()).await.is_err() {
        let took = SystemClock.now().since(recovered);
        assert!(took <= BREAKER_TIME + Duration::from_secs(1), "{took:?}");
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn a_thousand_turns_with_a_dead_primary_and_one_living_provider_give_no_error() {
    let living = FakeModel::start(chat::says("alive"));
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    // Nobody listens on port 9.
    let chain = FailoverBrain::new(provider("http://127.0.0.1:9/v1", "dead"), RETRIES)
        .then(provider(&living.base_url(), "living"))
        .with_breakers(Breakers::new(Arc::clone(&store)));
    let agent = Agent::builder(chain).store(store).build();
    let mut turns = JoinSet::new();
    for worker in 0..AT_ONCE {
        let agent = agent.clone();
        turns.spawn(async move {
            for turn in 0..TURNS / AT_ONCE {
                // A session of a few turns: this is about providers, not about long histories.
                let session = format!("s{worker}-{}", turn / 5);
                match agent.turn(session.as_str(), "hello").await {
                    Ok(Reply::Said(text)) => assert_eq!(text, "alive"),
                    other => panic!("worker {worker}, turn {turn}: {other:?}"),
                }
            }
        });
    }
    turns.join_all().await;
    assert_eq!(living.request_count(), TURNS);
}
