//! B2: what an outage costs, and how soon it is over. Upstream calls are counted.

use super::*;
use crate::brain::Lane;
use crate::testing::VirtualClock;

const REQUESTS: usize = 1000;
/// The longest that a breaker is open (the default policy's).
const BREAKER_TIME: Duration = Duration::from_secs(60);

/// Providers that are all down until they are all up, a clock, and how many calls there were.
struct Outage {
    clock: Arc<JumpingClock>,
    calls: Arc<AtomicUsize>,
    is_over: Arc<std::sync::atomic::AtomicBool>,
    chain: FailoverBrain,
}

fn down(members: usize, error: fn() -> BrainError) -> Outage {
    let clock = JumpingClock::new();
    let (calls, is_over) = (Arc::new(AtomicUsize::new(0)), Arc::default());
    let provider = |index: usize| {
        let (calls, is_over) = (Arc::clone(&calls), Arc::clone(&is_over));
        let info = BrainInfo { name: format!("p{index}"), model: "m".into(), context_tokens: 100, free: false };
        let script = move |_: &CompletionRequest| {
            calls.fetch_add(1, Ordering::Relaxed);
            if std::sync::atomic::AtomicBool::load(&is_over, Ordering::Relaxed) { answered() } else { Err(error()) }
        };
        ScriptedBrain::new(script).with_info(info)
    };
    let chain = FailoverBrain::new(provider(0), RetryPolicy::default());
    let chain = (1..members).fold(chain, |chain, index| chain.then(provider(index)));
    let chain = chain.with_clock(Arc::clone(&clock) as Arc<dyn Clock>).with_entropy(Arc::new(SeededEntropy::new(5)));
    Outage { clock, calls, is_over, chain }
}

impl Outage {
    async fn ask(&self, lane: Lane) -> Answer {
        let deadline = self.clock.now() + Duration::from_secs(5);
        self.chain.complete(&CompletionRequest { deadline, lane, ..request() }, &Deltas::none()).await
    }
}

fn refused() -> BrainError {
    BrainError::Unreachable { brain: "p".into(), target: "t".into(), source: "refused".into() }
}

fn revoked() -> BrainError {
    BrainError::Unauthorized { brain: "p".into(), detail: "401".into(), fix: "log in".into() }
}

fn slowly() -> BrainError {
    BrainError::RateLimited { brain: "p".into(), retry_at: None }
}

#[tokio::test]
async fn b2_a_total_outage_costs_at_most_1_2_calls_a_request_and_is_over_within_breaker_time_and_a_second() {
    for error in [refused, revoked, slowly, overloaded] {
        for (members, lane) in [(1, Lane::Interactive), (3, Lane::Interactive), (3, Lane::Background)] {
            for spacing_ms in [0_u64, 20, 500] {
                let outage = down(members, error);
                for _ in 0..REQUESTS {
                    outage.ask(lane).await.unwrap_err();
                    outage.clock.clock.advance(Duration::from_millis(spacing_ms));
                }
                let calls = outage.calls.load(Ordering::Relaxed);
                let ratio = calls as f64 / REQUESTS as f64;
                assert!(ratio <= 1.2, "{} with {members} members, {lane:?}, every {spacing_ms} ms: {ratio}", error());

                outage.is_over.store(true, Ordering::Relaxed);
                let recovered = outage.clock.now();
                while outage.ask(lane).await.is_err() {
                    outage.clock.clock.advance(Duration::from_millis(100));
                    let took = outage.clock.now().since(recovered);
                    assert!(took <= BREAKER_TIME + Duration::from_secs(1), "{} took {took:?}", error());
                }
            }
        }
    }
}

#[tokio::test]
async fn b2_the_first_ten_messages_to_a_dead_provider_cost_twelve_calls() {
    for error in [refused, revoked, slowly, overloaded] {
        let outage = down(1, error);
        for _ in 0..10 {
            outage.ask(Lane::Interactive).await.unwrap_err();
            outage.clock.clock.advance(Duration::from_millis(20));
        }
        let calls = outage.calls.load(Ordering::Relaxed);
        assert!(calls <= 12, "{}: {calls}", error());
    }
}

#[tokio::test]
async fn b2_requests_that_are_dropped_while_they_wait_cost_no_more() {
    let clock = Arc::new(VirtualClock::new(start()));
    let (inner, asked) = brain(|_| Err(overloaded()));
    let chain = FailoverBrain::new(inner, RetryPolicy::default()).with_clock(clock as Arc<dyn Clock>);
    for _ in 0..50 {
        let (request, deltas) = (request(), Deltas::none());
        let mut waiting = std::pin::pin!(chain.complete(&request, &deltas));
        let _ = poll_once(waiting.as_mut()).await;
    }
    assert!(asked.load(Ordering::Relaxed) <= 60);
}

#[tokio::test]
async fn b2_a_provider_that_answers_now_and_then_is_not_asked_more_often_than_the_retry_budget_allows() {
    // Two failures and an answer in turns: no breaker opens.
    let (flapping, asked) = brain(|number| if number.is_multiple_of(3) { answered() } else { Err(overloaded()) });
    let clock = JumpingClock::new();
    let chain = FailoverBrain::new(flapping, RetryPolicy::default())
        .with_clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .with_entropy(Arc::new(SeededEntropy::new(5)));
    for _ in 0..REQUESTS {
        let request = CompletionRequest { deadline: clock.now() + DEADLINE, ..request() };
        let _ = chain.complete(&request, &Deltas::none()).await;
    }
    let ratio = asked.load(Ordering::Relaxed) as f64 / REQUESTS as f64;
    assert!(ratio > 1.05 && ratio <= 1.2, "{ratio}");
}
