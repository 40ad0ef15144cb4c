//! Several members: who is asked, what is said about it, and what comes of dropping it.

use super::*;
use crate::brain::{Lane, ProposedCall};
use crate::store::{MemoryStore, Store};
use crate::testing::{Fault, FaultPlan, FaultyStore};

/// A member with a name, and how often it was asked.
fn member(name: &str, answer: impl Fn() -> Answer + Send + Sync + 'static) -> (ScriptedBrain, Arc<AtomicUsize>) {
    let (scripted, asked) = brain(move |_| answer());
    let info = BrainInfo { name: name.into(), model: "m".into(), context_tokens: 100, free: false };
    (scripted.with_info(info), asked)
}

fn count(asked: &AtomicUsize) -> usize {
    asked.load(Ordering::Relaxed)
}

fn chain(first: impl Brain, clock: &Arc<JumpingClock>) -> FailoverBrain {
    FailoverBrain::new(first, RetryPolicy::default())
        .with_clock(Arc::clone(clock) as Arc<dyn Clock>)
        .with_entropy(Arc::new(SeededEntropy::new(7)))
}

fn revoked() -> BrainError {
    BrainError::Unauthorized { brain: "a".into(), detail: "401".into(), fix: "set a key".into() }
}

fn too_long() -> BrainError {
    BrainError::ContextTooLong { brain: "a".into(), detail: "413".into() }
}

#[tokio::test]
async fn the_next_one_answers_and_the_completion_says_who_and_what_was_tried() {
    let clock = JumpingClock::new();
    let (a, _) = member("a", || Err(revoked()));
    let (b, _) = member("b", || Err(overloaded()));
    let (c, _) = member("c", answered);
    let chain = chain(a, &clock).then(b).then(c);
    let completion = chain.complete(&request(), &Deltas::none()).await.unwrap();
    assert_eq!(completion.by.as_ref().map(ToString::to_string).as_deref(), Some("c/m"));
    let tried: Vec<_> = completion.tried.iter().map(|tried| format!("{}: {}", tried.who, tried.why)).collect();
    assert_eq!(
        tried,
        [
            "a/m: a refused the credentials (401); set a key",
            "b/m: b is not able to answer at the moment (503) (asked 3 times)"
        ]
    );
    assert_eq!(completion.attempts, 5);
}

#[tokio::test]
async fn a_pause_that_is_asked_for_is_spent_with_the_next_one_and_not_undercut() {
    let clock = JumpingClock::new();
    let (a, asked) = member("a", || Err(limited(Some(Duration::from_secs(40)))));
    let (b, _) = member("b", answered);
    let chain = chain(a, &clock).then(b);
    for _ in 0..20 {
        let completion = chain.complete(&request(), &Deltas::none()).await.unwrap();
        assert_eq!(completion.by.unwrap().brain, "b");
        let why = &completion.tried[0].why;
        assert!(why.contains("is rate limited"), "why it was passed over is told each time: {why}");
        assert_eq!(clock.now(), start(), "nobody waited");
    }
    assert_eq!(count(&asked), 1, "asked once, and left alone until its time");
    clock.clock.advance(Duration::from_secs(40));
    chain.complete(&request(), &Deltas::none()).await.unwrap();
    assert_eq!(count(&asked), 2);
}

#[tokio::test]
async fn when_all_fail_each_is_named_with_its_reason_and_the_first_instant_to_ask_again() {
    let clock = JumpingClock::new();
    let later = Duration::from_secs(500);
    let (a, _) = member("a", move || Err(limited(Some(later))));
    let (b, _) = member("b", || Err(revoked()));
    let chain = chain(a, &clock).then(b);
    let error = chain.complete(&request(), &Deltas::none()).await.unwrap_err();
    let text = error.to_string();
    assert!(text.contains("[a/m] b is rate limited") && text.contains("[b/m] a refused the credentials"), "{text}");
    let retry_at = error.retry_at().unwrap().since(clock.now());
    assert!(retry_at <= Duration::from_secs(60) && !retry_at.is_zero(), "the revoked key's breaker lapses first");
    assert_eq!((error.class(), error.attempts()), (ErrorClass::RetryHere, 2));

    // Told off and open: nobody is asked, and both are listed all the same.
    let background =
        CompletionRequest { lane: Lane::Background, deadline: start() + Duration::from_secs(1), ..request() };
    let error = chain.complete(&background, &Deltas::none()).await.unwrap_err();
    let BrainError::AllFailed { tried, attempts: 0, .. } = &error else { panic!("{error:?}") };
    assert!(tried.iter().all(|tried| tried.why.starts_with("not asked: its breaker is open until")), "{error}");
    assert!(tried[1].why.contains("refused the credentials"), "{error}");
}

#[tokio::test]
async fn a_member_that_takes_too_long_leaves_time_for_the_next() {
    #[derive(Debug)]
    struct Silent(BrainInfo);
    #[async_trait]
    impl Brain for Silent {
        fn info(&self) -> &BrainInfo {
            &self.0
        }
        async fn complete(&self, _: &CompletionRequest, _: &Deltas) -> Answer {
            std::future::pending().await
        }
    }
    let clock = JumpingClock::new();
    let info = BrainInfo { name: "silent".into(), model: "m".into(), context_tokens: 100, free: false };
    let (b, _) = member("b", answered);
    let chain = chain(Silent(info), &clock).then(b);
    let completion = chain.complete(&request(), &Deltas::none()).await.unwrap();
    assert_eq!(
        completion.tried[0].why,
        "silent gave no answer within the 30 s that one attempt has; allow more, or ask for less"
    );
    assert_eq!(clock.now(), start() + Duration::from_secs(30));
}

#[tokio::test]
async fn the_end_of_the_requests_own_time_ends_the_chain() {
    let clock = JumpingClock::new();
    let (a, _) = member("a", || Err(BrainError::DeadlineExceeded { brain: "a".into() }));
    let (b, asked) = member("b", answered);
    let error = chain(a, &clock).then(b).complete(&request(), &Deltas::none()).await.unwrap_err();
    assert_eq!((error.class(), count(&asked)), (ErrorClass::Never, 0));
    assert!(error.to_string().contains("[b/m] not asked: the time was over"), "{error}");
}

#[tokio::test]
async fn a_bad_request_opens_no_breaker() {
    let clock = JumpingClock::new();
    let (a, asked) = member("a", || Err(rejected()));
    let (b, _) = member("b", || Err(too_long()));
    let (c, never) = member("c", answered);
    let chain = chain(a, &clock).then(b).then(c);
    for _ in 0..10 {
        let error = chain.complete(&request(), &Deltas::none()).await.unwrap_err();
        assert!(error.to_string().contains("[c/m] not asked: its context is no larger"), "{error}");
        assert_eq!(error.retry_at(), None);
    }
    assert_eq!((count(&asked), count(&never)), (10, 0));
}

#[tokio::test]
async fn what_was_shown_of_a_failed_answer_is_void_when_the_next_one_begins() {
    #[derive(Debug)]
    struct Half(ScriptedBrain);
    #[async_trait]
    impl Brain for Half {
        fn info(&self) -> &BrainInfo {
            self.0.info()
        }
        async fn complete(&self, _: &CompletionRequest, deltas: &Deltas) -> Answer {
            deltas.text("half");
            Err(rejected())
        }
    }
    let heard = Arc::new(Mutex::new(Vec::new()));
    let writing = Arc::clone(&heard);
    let deltas = Deltas::new(move |delta| writing.lock().unwrap().push(format!("{delta:?}")));
    let (b, _) = member("b", answered);
    chain(Half(ScriptedBrain::saying("")), &JumpingClock::new()).then(b).complete(&request(), &deltas).await.unwrap();
    assert_eq!(*heard.lock().unwrap(), ["Text(\"half\")", "Restarted", "Text(\"fine\")"]);
}

#[test]
fn a_chain_says_what_fits_all_that_cost_and_is_free_only_when_all_are() {
    let with = |context_tokens, free| {
        let info = BrainInfo { name: format!("{context_tokens}"), model: "m".into(), context_tokens, free };
        ScriptedBrain::saying("").with_info(info)
    };
    let chain = FailoverBrain::new(with(200, false), RetryPolicy::never()).then(with(90, false)).then(with(10, true));
    let expected = BrainInfo { name: "200".into(), model: "m".into(), context_tokens: 90, free: false };
    assert_eq!(*chain.info(), expected);
    let free = FailoverBrain::new(with(20, true), RetryPolicy::never()).then(with(10, true));
    assert_eq!((free.info().context_tokens, free.info().free), (10, true));
}

#[tokio::test]
async fn a_store_that_fails_stops_no_answer() {
    let plan = FaultPlan::new((1..1000).map(|effect| (effect, Fault::FailBefore)));
    let store = FaultyStore::new(MemoryStore::new(), &plan).counting_reads();
    let (a, _) = member("a", || Err(overloaded()));
    let (b, _) = member("b", answered);
    let chain = chain(a, &JumpingClock::new()).then(b).with_breakers(Breakers::new(Arc::new(store)));
    for _ in 0..20 {
        assert_eq!(chain.complete(&request(), &Deltas::none()).await.unwrap().by.unwrap().brain, "b");
    }
}

#[tokio::test]
async fn a_request_that_is_dropped_as_a_probe_leaves_the_member_to_others_after_the_lease() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let clock = JumpingClock::new();
    let (a, _) = member("a", || Err(revoked()));
    let breakers = Breakers::new(store);
    let _ = chain(a, &clock).with_breakers(breakers.clone()).complete(&request(), &Deltas::none()).await;
    clock.clock.advance(Duration::from_secs(60));

    let (a, asked) = member("a", answered);
    let who = a.info().answerer();
    assert_eq!(breakers.permit(&who, clock.now()).await, crate::Permit::Probe, "and then it is dropped");
    let (b, _) = member("b", answered);
    let chain = chain(a, &clock).then(b).with_breakers(breakers);
    for expected in ["b", "a"] {
        let request = CompletionRequest { deadline: clock.now() + DEADLINE, ..request() };
        assert_eq!(chain.complete(&request, &Deltas::none()).await.unwrap().by.unwrap().brain, expected);
        clock.clock.advance(Duration::from_secs(60));
    }
    assert_eq!(count(&asked), 1);
}

/// A brain that answers once it is let.
#[derive(Debug)]
struct Gated {
    info: BrainInfo,
    asked: AtomicUsize,
    gate: tokio::sync::Semaphore,
}

#[async_trait]
impl Brain for Gated {
    fn info(&self) -> &BrainInfo {
        &self.info
    }
    async fn complete(&self, _: &CompletionRequest, _: &Deltas) -> Answer {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let _let = self.gate.acquire().await.unwrap();
        answered()
    }
}

/// Lets every other task run until it waits.
async fn settle() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn what_waits_for_a_probe_goes_on_as_soon_as_that_succeeds() {
    let clock = Arc::new(VirtualClock::new(start()));
    let info = BrainInfo { name: "a".into(), model: "m".into(), context_tokens: 100, free: false };
    let gate = tokio::sync::Semaphore::new(0);
    let gated = Arc::new(Gated { info, asked: AtomicUsize::new(0), gate });
    let breakers = Breakers::in_memory();
    let limited = limited(Some(Duration::from_secs(20)));
    breakers.failed(&gated.info.answerer(), &limited, start(), 0).await;
    let chain = FailoverBrain::new(Arc::clone(&gated), RetryPolicy::default())
        .with_clock(Arc::clone(&clock) as Arc<dyn Clock>)
        .with_breakers(breakers);
    let chain = Arc::new(chain);
    let request = Arc::new(CompletionRequest { deadline: start() + Duration::from_secs(300), ..request() });
    let mut waiting = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (chain, request) = (Arc::clone(&chain), Arc::clone(&request));
        waiting.spawn(async move { chain.complete(&request, &Deltas::none()).await });
    }
    settle().await;
    assert_eq!(count(&gated.asked), 0, "nobody asks before the provider's time");
    clock.advance(Duration::from_secs(20));
    settle().await;
    assert_eq!(count(&gated.asked), 1, "one finds out whether it is well again");
    gated.gate.add_permits(10);
    settle().await;
    // The clock stands still, so a request that waits for the end of the lease waits for ever.
    assert_eq!(count(&gated.asked), 10, "the others go on when it answered");
    while let Some(done) = waiting.join_next().await {
        assert_eq!(done.unwrap().unwrap().content, "fine");
    }
}

#[tokio::test]
async fn a_member_that_asked_several_itself_is_told_in_full() {
    let account = |name: &str| crate::brain::Tried {
        who: Answerer { brain: "a".into(), model: "m".into(), account: Some(name.into()) },
        why: "capped".into(),
    };
    let inner = move || BrainError::AllFailed {
        tried: vec![account("home"), account("work")],
        attempts: 0,
        class: ErrorClass::FailOver,
        retry_at: None,
    };
    let (a, _) = member("a", move || Err(inner()));
    let by = Answerer { brain: "c".into(), model: "m".into(), account: Some("home".into()) };
    let (c, _) = member("c", {
        let by = by.clone();
        move || Ok(Completion { by: Some(by.clone()), ..Completion::text("fine") })
    });
    let chain = chain(a, &JumpingClock::new()).then(c);
    let completion = chain.complete(&request(), &Deltas::none()).await.unwrap();
    let tried: Vec<_> = completion.tried.iter().map(|tried| tried.who.to_string()).collect();
    assert_eq!(tried, ["a/m (home)", "a/m (work)"]);
    assert_eq!(completion.by, Some(by), "the member knows best who of it answered");
}

#[tokio::test]
async fn calls_pass_through_as_they_are() {
    let call = ProposedCall { name: "t".into(), arguments: serde_json::json!({"x": 1}) };
    let calls = vec![call.clone()];
    let (a, _) = member("a", || Err(rejected()));
    let (b, _) = member("b", move || Ok(Completion { calls: calls.clone(), ..Completion::default() }));
    let chain = chain(a, &JumpingClock::new()).then(b);
    assert_eq!(chain.complete(&request(), &Deltas::none()).await.unwrap().calls, [call]);
}
