mod chains;
mod outage;

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use super::*;
use crate::brain::retry::tests::{DEADLINE, limited, overloaded, rejected, start};
use crate::brain::{ErrorClass, Lane};
use crate::data::{Message, Timestamp};
use crate::testing::{ScriptedBrain, SeededEntropy, VirtualClock};

fn request() -> CompletionRequest {
    CompletionRequest {
        messages: vec![Message::User { content: "hi".into() }],
        tools: Arc::new([]),
        deadline: start() + DEADLINE,
        lane: Lane::Interactive,
        turn: None,
    }
}

/// A clock that jumps to whatever is waited for, and remembers it.
#[derive(Debug)]
struct JumpingClock {
    clock: VirtualClock,
    waits: Mutex<Vec<Timestamp>>,
}

impl JumpingClock {
    fn new() -> Arc<Self> {
        Arc::new(Self { clock: VirtualClock::new(start()), waits: Mutex::default() })
    }
}

#[async_trait]
impl Clock for JumpingClock {
    fn now(&self) -> Timestamp {
        self.clock.now()
    }
    async fn sleep_until(&self, at: Timestamp) {
        self.waits.lock().unwrap().push(at);
        self.clock.set(at.max(self.clock.now()));
    }
}

type Answer = Result<Completion, BrainError>;

/// A brain that fails or answers by the number of the attempt (from 1), and how often it was asked.
fn brain(answer: impl Fn(usize) -> Answer + Send + Sync + 'static) -> (ScriptedBrain, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    (ScriptedBrain::new(move |_| answer(counter.fetch_add(1, Ordering::Relaxed) + 1)), asked)
}

fn answered() -> Answer {
    Ok(Completion { attempts: 1, ..Completion::text("fine") })
}

/// What came of it, how often the brain was asked, and what was waited for.
async fn run(
    policy: RetryPolicy,
    answer: impl Fn(usize) -> Answer + Send + Sync + 'static,
) -> (Answer, usize, Vec<Timestamp>) {
    let (inner, asked) = brain(answer);
    let clock = JumpingClock::new();
    let retry = FailoverBrain::new(inner, policy)
        .with_clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .with_entropy(Arc::new(SeededEntropy::new(7)));
    let result = retry.complete(&request(), &Deltas::none()).await;
    let waits = clock.waits.lock().unwrap().clone();
    (result, asked.load(Ordering::Relaxed), waits)
}

#[tokio::test]
async fn tries_as_often_as_the_policy_says_and_reports_it() {
    for attempts_max in 1..5 {
        let policy = RetryPolicy { attempts_max, ..RetryPolicy::default() };
        let (result, asked, waits) = run(policy, |_| Err(overloaded())).await;
        let error = result.unwrap_err();
        assert_eq!(asked, attempts_max as usize);
        assert_eq!(waits.len() + 1, asked);
        assert_eq!(error.attempts(), attempts_max);
        assert!(matches!(error.failure(), BrainError::Overloaded { .. }));
        assert_eq!(error.class(), ErrorClass::RetryHere);
        assert_eq!(error.to_string().contains("attempts"), attempts_max > 1, "{error}");
    }
}

#[tokio::test]
async fn an_answer_counts_the_attempts_before_it() {
    let (result, ..) = run(RetryPolicy::default(), |n| if n < 3 { Err(overloaded()) } else { answered() }).await;
    assert_eq!(result.unwrap().attempts, 3);
    let (result, ..) = run(RetryPolicy::default(), |_| answered()).await;
    assert_eq!(result.unwrap().attempts, 1);
    let (result, ..) = run(RetryPolicy::default(), |_| Ok(Completion::text("local"))).await;
    assert_eq!(result.unwrap().attempts, 0, "nothing left the process");
}

#[tokio::test]
async fn does_not_repeat_what_cannot_succeed() {
    let not_configured =
        || BrainError::NotConfigured { brain: "b".into(), detail: "no key".into(), fix: "set it".into() };
    for (error, attempts) in [(rejected as fn() -> BrainError, 1), (not_configured, 0)] {
        let (result, asked, _) = run(RetryPolicy::default(), move |_| Err(error())).await;
        let error = result.unwrap_err();
        assert_eq!((asked, error.attempts()), (1, attempts));
        assert!(!error.to_string().contains("attempt"), "{error}");
    }
    let (result, asked, _) =
        run(RetryPolicy::default(), |n| if n == 1 { Err(overloaded()) } else { Err(rejected()) }).await;
    assert_eq!(
        (asked, result.unwrap_err().to_string().as_str()),
        (2, "b refused the request (400) (after 2 attempts)")
    );
}

#[tokio::test]
async fn waits_as_long_as_the_server_asks_and_gives_up_at_once_when_that_is_too_long() {
    let pause = Duration::from_secs(30);
    let (result, _, waits) =
        run(RetryPolicy::default(), move |n| if n == 1 { Err(limited(Some(pause))) } else { answered() }).await;
    assert!(result.is_ok() && waits[0] >= start() + pause);

    let (result, asked, waits) = run(RetryPolicy::default(), |_| Err(limited(Some(DEADLINE)))).await;
    let error = result.unwrap_err();
    assert_eq!((asked, waits.len()), (1, 0));
    assert!(error.to_string().contains(&(start() + DEADLINE).to_string()), "{error}");
}

#[tokio::test]
async fn a_second_attempt_voids_the_text_of_the_first() {
    #[derive(Debug)]
    struct Stuttering(ScriptedBrain, AtomicUsize);
    #[async_trait]
    impl Brain for Stuttering {
        fn info(&self) -> &BrainInfo {
            self.0.info()
        }
        async fn complete(&self, _: &CompletionRequest, deltas: &Deltas) -> Answer {
            match self.1.fetch_add(1, Ordering::Relaxed) {
                0 => Err(overloaded()),
                1 => {
                    deltas.text("half an ans");
                    Err(overloaded())
                }
                _ => {
                    deltas.text("fine");
                    answered()
                }
            }
        }
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let writing = Arc::clone(&heard);
    let deltas = Deltas::new(move |delta| writing.lock().unwrap().push(format!("{delta:?}")));
    let inner = Stuttering(ScriptedBrain::saying(""), AtomicUsize::new(0));
    let retry = FailoverBrain::new(inner, RetryPolicy::default()).with_clock(JumpingClock::new());
    retry.complete(&request(), &deltas).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), ["Text(\"half an ans\")", "Restarted", "Text(\"fine\")"]);
}

#[tokio::test]
async fn dropping_it_while_it_waits_ends_the_waiting() {
    let (inner, asked) = brain(|_| Err(overloaded()));
    let clock = Arc::new(VirtualClock::new(start()));
    let retry = FailoverBrain::new(inner, RetryPolicy::default()).with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    {
        let (request, deltas) = (request(), Deltas::none());
        let mut waiting = std::pin::pin!(retry.complete(&request, &deltas));
        assert!(poll_once(waiting.as_mut()).await.is_none());
    }
    clock.advance(DEADLINE);
    tokio::task::yield_now().await;
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

/// Polls `future` once.
async fn poll_once<F: Future>(mut future: std::pin::Pin<&mut F>) -> Option<F::Output> {
    std::future::poll_fn(|context| {
        std::task::Poll::Ready(match future.as_mut().poll(context) {
            std::task::Poll::Ready(output) => Some(output),
            std::task::Poll::Pending => None,
        })
    })
    .await
}
