use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

use super::choose::{choose, is_reserved, opens_at};
use super::*;
use crate::brain::{CodexConfig, ErrorClass, QuotaReading, QuotaWindow};
use crate::data::Message;
use crate::store::MemoryStore;
use crate::testing::{Fault, FaultPlan, FaultyStore, ScriptedBrain, VirtualClock, conformance, run_until_crash};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

const POLICY: PoolPolicy = PoolPolicy { window: Duration::from_secs(100), reserve_percent: 25 };

fn state(used: u32, began: i64) -> AccountState {
    AccountState { used, window_began: Some(at(began)), ..AccountState::default() }
}

fn seat(state: &AccountState, requests_max: u32) -> Seat<'_> {
    Seat { requests_max, state, is_asked: false }
}

#[test]
fn a_window_begins_with_its_first_request_and_ends_after_its_length() {
    let mut account = AccountState::default();
    account.claim(at(10), POLICY.window);
    account.claim(at(50), POLICY.window);
    for (now, used, ends) in [(10, 2, Some(110)), (109, 2, Some(110)), (110, 0, None), (9999, 0, None)] {
        assert_eq!(account.used(at(now), POLICY.window), used, "at {now}");
        assert_eq!(account.window_ends(at(now), POLICY.window), ends.map(at), "at {now}");
    }
    account.claim(at(120), POLICY.window);
    assert_eq!((account.used, account.window_began), (1, Some(at(120))));
}

#[test]
fn a_clock_that_is_set_back_a_little_gives_no_quota_away_and_a_wild_one_blocks_nobody() {
    let account = state(3, 1000);
    for (now, used) in [(950, 3), (900, 3), (899, 0), (-5000, 0)] {
        assert_eq!(account.used(at(now), POLICY.window), used, "at {now}");
    }
    let year = 400 * 24 * 3600;
    let capped = AccountState { capped_until: Some(at(year)), ..AccountState::default() };
    let failing = AccountState { retry_at: Some(at(year)), ..AccountState::default() };
    for state in [&capped, &failing] {
        assert_eq!(seat(state, 4).standing(at(0), &POLICY), Standing::Ready, "{state:?}");
        assert_ne!(seat(state, 4).standing(at(year - 1), &POLICY), Standing::Ready, "{state:?}");
    }
}

#[test]
fn the_fullest_then_longest_rested_account_is_asked() {
    let healthy = |used, last| AccountState {
        health: state::AccountHealth::Healthy,
        last_used_at: Some(at(last)),
        ..state(used, 0)
    };
    let (a, b, c) = (healthy(5, 3), healthy(4, 2), healthy(4, 1));
    let unknown = AccountState::default();
    let ask = |states: &[&AccountState]| {
        let seats: Vec<_> = states.iter().map(|state| seat(state, 10)).collect();
        choose(&seats, Lane::Interactive, at(1), &POLICY)
    };
    assert_eq!(ask(&[&a, &b, &c]), Choice::Ask(2));
    assert_eq!(ask(&[&a, &b, &c, &unknown]), Choice::Ask(3));
    assert_eq!(ask(&[&a, &b]), Choice::Ask(1));
    assert_eq!(ask(&[&unknown, &unknown]), Choice::Ask(0));
    assert_eq!(ask(&[]), Choice::Nobody);
    let full = state(10, 0);
    assert_eq!(ask(&[&full, &a]), Choice::Ask(1));
    assert_eq!(ask(&[&full, &full]), Choice::Nobody);
}

#[test]
fn b5_the_reserve_is_for_people() {
    let (half, low, full) = (state(2, 0), state(3, 0), state(4, 0));
    let lanes = |states: &[&AccountState]| {
        let seats: Vec<_> = states.iter().map(|state| seat(state, 4)).collect();
        [Lane::Interactive, Lane::Background].map(|lane| choose(&seats, lane, at(1), &POLICY))
    };
    assert_eq!(lanes(&[&half]), [Choice::Ask(0), Choice::Ask(0)]);
    assert_eq!(lanes(&[&low]), [Choice::Ask(0), Choice::Reserved]);
    assert_eq!(lanes(&[&full]), [Choice::Nobody, Choice::Nobody]);
    // It is the pool's quota that counts, not one account's.
    assert_eq!(lanes(&[&low, &half]), [Choice::Ask(1), Choice::Ask(1)]);
    assert_eq!(lanes(&[&full, &half]), [Choice::Ask(1), Choice::Reserved]);
}

#[test]
fn a_failing_account_is_left_alone_but_for_a_person_who_has_no_other() {
    let failing = |until| AccountState { retry_at: Some(at(until)), ..AccountState::default() };
    let (soon, late, fresh) = (failing(50), failing(60), AccountState::default());
    let ask = |states: &[&AccountState], lane, now| {
        let seats: Vec<_> = states.iter().map(|state| seat(state, 4)).collect();
        choose(&seats, lane, at(now), &POLICY)
    };
    assert_eq!(ask(&[&soon, &fresh], Lane::Interactive, 1), Choice::Ask(1));
    assert_eq!(ask(&[&late, &soon], Lane::Interactive, 1), Choice::Ask(1));
    assert_eq!(ask(&[&late, &soon], Lane::Background, 1), Choice::Nobody);
    assert_eq!(ask(&[&late, &soon], Lane::Background, 50), Choice::Ask(1));
}

#[test]
fn the_providers_word_counts_where_it_is_less_than_ours() {
    let told = |used_percent, resets_at| AccountState {
        reading: Some(QuotaReading {
            read_at: at(0),
            windows: vec![QuotaWindow { used_percent, minutes: None, resets_at: Some(at(resets_at)) }],
        }),
        ..state(2, 0)
    };
    for (used_percent, now, left) in [(10, 1, 6), (70, 1, 3), (99, 1, 1), (100, 1, 0), (100, 50, 6), (99, 50, 6)] {
        let state = told(used_percent, 50);
        assert_eq!(seat(&state, 8).remaining(at(now), &POLICY), left, "{used_percent} % at {now}");
    }
    let (state, full) = (told(80, 50), told(100, 70));
    assert!(is_reserved(&[seat(&state, 8)], at(1), &POLICY));
    assert_eq!(opens_at(&[seat(&state, 8)], Lane::Background, at(1), &POLICY), Some(at(50)));
    assert_eq!(opens_at(&[seat(&full, 8)], Lane::Interactive, at(1), &POLICY), Some(at(70)));
    assert_eq!(seat(&full, 8).standing(at(1), &POLICY), Standing::Capped { until: at(70) });
}

/// Two accounts whose brains do what `script` says for an account, over a disk.
struct Rig {
    clock: Arc<VirtualClock>,
    disk: MemoryStore,
    calls: Arc<Mutex<HashMap<String, u32>>>,
}

fn quota(resets_at: Option<Timestamp>) -> BrainError {
    BrainError::QuotaExhausted { brain: NAME.into(), detail: "no more".into(), resets_at }
}

fn unauthorized() -> BrainError {
    BrainError::Unauthorized { brain: NAME.into(), detail: "revoked".into(), fix: "log in".into() }
}

fn overloaded() -> BrainError {
    BrainError::Overloaded { brain: NAME.into(), detail: "busy".into(), retry_at: None }
}

impl Rig {
    fn new() -> Self {
        Self { clock: Arc::new(VirtualClock::new(at(1000))), disk: MemoryStore::new(), calls: Arc::default() }
    }

    fn pool(
        &self,
        max: u32,
        script: impl Fn(&str) -> Result<Completion, BrainError> + Send + Sync + 'static,
    ) -> CodexPool {
        self.pool_on(self.disk.clone(), max, script)
    }

    fn pool_on(
        &self,
        store: impl Store,
        max: u32,
        script: impl Fn(&str) -> Result<Completion, BrainError> + Send + Sync + 'static,
    ) -> CodexPool {
        let account = |id: &str| CodexAccount::new(AccountId::new(id).unwrap(), CodexConfig::new("codex", "/h"), max);
        let script = Arc::new(script);
        CodexPool::new(vec![account("a"), account("b")], POLICY, Arc::new(store), self.clock.clone(), |account, _| {
            let (id, script, calls) = (account.id.to_string(), Arc::clone(&script), Arc::clone(&self.calls));
            Arc::new(ScriptedBrain::new(move |_| {
                *calls.lock().unwrap().entry(id.clone()).or_default() += 1;
                script(&id)
            }))
        })
    }

    fn calls(&self, id: &str) -> u32 {
        self.calls.lock().unwrap().get(id).copied().unwrap_or(0)
    }
}

fn request(lane: Lane) -> CompletionRequest {
    CompletionRequest {
        messages: vec![Message::User { content: "hello".into() }],
        tools: Arc::from([]),
        deadline: Timestamp::from_nanos(i64::MAX),
        lane,
        turn: None,
    }
}

async fn ask(pool: &CodexPool, lane: Lane) -> Result<Completion, BrainError> {
    pool.complete(&request(lane), &Deltas::none()).await
}

fn ok(id: &str) -> Result<Completion, BrainError> {
    Ok(Completion { attempts: 1, ..Completion::text(id) })
}

#[tokio::test]
async fn requests_are_spread_and_the_answer_says_who_gave_it() {
    let rig = Rig::new();
    let pool = rig.pool(4, ok);
    let mut by = Vec::new();
    for _ in 0..4 {
        let completion = ask(&pool, Lane::Interactive).await.unwrap();
        assert_eq!(completion.by.as_ref().unwrap().account.as_deref(), Some(completion.content.as_str()));
        by.push(completion.content);
        rig.clock.advance(Duration::from_secs(1));
    }
    assert_eq!(by, ["a", "b", "a", "b"]);
}

#[tokio::test]
async fn b5_quota_and_reserve_hold_come_back_by_themselves_and_survive_a_restart() {
    let rig = Rig::new();
    let pool = rig.pool(4, ok);
    for _ in 0..6 {
        ask(&pool, Lane::Background).await.unwrap();
    }
    // Two of eight are left: a quarter. Another process sees the same.
    let pool = rig.pool(4, ok);
    let error = ask(&pool, Lane::Background).await.unwrap_err();
    assert!(
        matches!(error, BrainError::Reserved { remaining_percent: 25, until_at: Some(until), .. } if until == at(1100)),
        "{error:?}"
    );
    assert_eq!((error.attempts(), error.class()), (0, ErrorClass::FailOver));
    let status = pool.status().await.unwrap();
    assert!(status.reserved && status.background_at == Some(at(1100)) && status.accounts[0].used_requests == 3);
    ask(&pool, Lane::Interactive).await.unwrap();
    ask(&pool, Lane::Interactive).await.unwrap();
    let error = ask(&rig.pool(4, ok), Lane::Interactive).await.unwrap_err();
    assert!(matches!(&error, BrainError::NoAccount { asked: 0, .. }) && error.retry_at() == Some(at(1100)), "{error}");
    assert!(error.to_string().contains("a: used up until 1970-01-01T00:18:20Z; b: used up"), "{error}");
    assert_eq!((rig.calls("a"), rig.calls("b")), (4, 4));
    rig.clock.set(at(1100));
    ask(&rig.pool(4, ok), Lane::Background).await.unwrap();
}

#[tokio::test]
async fn b5_a_capped_account_is_skipped_until_its_reset_and_no_longer() {
    let rig = Rig::new();
    let pool = rig.pool(4, |id| if id == "a" { Err(quota(Some(at(1500)))) } else { ok(id) });
    let completion = ask(&pool, Lane::Interactive).await.unwrap();
    assert_eq!((completion.content.as_str(), completion.attempts, completion.tried.len()), ("b", 2, 1));
    assert_eq!(completion.tried[0].who.account.as_deref(), Some("a"));
    ask(&pool, Lane::Interactive).await.unwrap();
    assert_eq!(rig.calls("a"), 1, "it is asked again before its reset");
    assert_eq!(pool.status().await.unwrap().accounts[0].skipped_until, Some(at(1500)));
    rig.clock.set(at(1499));
    ask(&pool, Lane::Interactive).await.unwrap();
    assert_eq!(rig.calls("a"), 1);
    rig.clock.set(at(1500));
    let recovered = rig.pool(4, ok);
    for _ in 0..2 {
        ask(&recovered, Lane::Interactive).await.unwrap();
    }
    assert_eq!(rig.calls("a"), 2, "it came back");
}

#[tokio::test]
async fn trouble_of_an_account_moves_on_and_trouble_of_the_provider_does_not() {
    type Script = fn(&str) -> Result<Completion, BrainError>;
    let cases: [(&str, Script, u32, u32); 4] = [
        ("unauthorized", |_| Err(unauthorized()), 1, 1),
        ("quota", |_| Err(quota(None)), 1, 1),
        ("overloaded", |_| Err(overloaded()), 1, 0),
        ("cut", |_| Err(BrainError::Cut { brain: NAME.into(), detail: "x".into() }), 1, 0),
    ];
    for (name, script, a, b) in cases {
        let rig = Rig::new();
        let error = ask(&rig.pool(4, script), Lane::Interactive).await.unwrap_err();
        assert_eq!((rig.calls("a"), rig.calls("b")), (a, b), "{name}");
        assert_eq!(error.attempts(), a + b, "{name}: {error}");
        assert_eq!(error.class() == ErrorClass::RetryHere, b == 0, "{name}: {error}");
    }
    let rig = Rig::new();
    let error = ask(&rig.pool(4, |_| Err(unauthorized())), Lane::Interactive).await.unwrap_err();
    assert!(
        error.to_string().contains("a: codex refused the credentials") && error.to_string().contains("; b: "),
        "{error}"
    );
    // A person's next request tries again; nobody's does not.
    assert!(ask(&rig.pool(4, ok), Lane::Background).await.is_err());
    assert_eq!(ask(&rig.pool(4, ok), Lane::Interactive).await.unwrap().content, "a");
    assert!(rig.pool(4, ok).status().await.unwrap().accounts[0].healthy);
}

#[tokio::test]
async fn a_program_that_breaks_in_one_home_moves_on_and_one_that_breaks_everywhere_says_so() {
    let broken = || BrainError::Program { brain: NAME.into(), detail: "no such file".into(), fix: "install it".into() };
    let rig = Rig::new();
    let completion =
        ask(&rig.pool(4, move |id| if id == "a" { Err(broken()) } else { ok(id) }), Lane::Background).await;
    let completion = completion.unwrap();
    assert_eq!((completion.content.as_str(), completion.attempts, completion.tried.len()), ("b", 2, 1));
    let rig = Rig::new();
    let pool = rig.pool(4, move |_| Err(broken()));
    let error = ask(&pool, Lane::Background).await.unwrap_err();
    assert!(matches!(error.failure(), BrainError::Program { .. }) && error.attempts() == 2, "{error:?}");
    // It may be the request's doing, so no account is left alone for it.
    assert!(pool.status().await.unwrap().accounts.iter().all(|account| account.skipped_until.is_none()));
}

#[tokio::test]
async fn a_check_that_finds_nothing_wrong_mends_only_what_a_check_found() {
    let rig = Rig::new();
    let pool = rig.pool(4, |id| if id == "a" { Err(unauthorized()) } else { ok(id) });
    let check = async |healthy| {
        let report = HealthReport { account_id: AccountId::new("a").unwrap(), healthy, message: "x".into() };
        pool.checked(&report).await.unwrap();
        pool.status().await.unwrap().accounts.remove(0)
    };
    assert!(check(true).await.healthy && check(false).await.skipped_until.is_some());
    assert!(check(true).await.skipped_until.is_none());
    ask(&pool, Lane::Interactive).await.unwrap();
    let found = check(true).await;
    assert!(!found.healthy && found.skipped_until.is_some() && found.last_healthcheck_at.is_some(), "{found:?}");
    // Its pause grows although it is looked at again and again.
    for _ in 0..12 {
        check(true).await;
        ask(&pool, Lane::Background).await.unwrap();
        rig.clock.advance(Duration::from_secs(300));
    }
    assert!(rig.calls("a") <= 8, "{}", rig.calls("a"));
}

#[tokio::test]
async fn an_operator_who_knows_better_lets_go_of_every_account_and_gives_no_quota_away() {
    let rig = Rig::new();
    let pool = rig.pool(4, |id| Err(if id == "a" { unauthorized() } else { quota(Some(at(900_000))) }));
    ask(&pool, Lane::Interactive).await.unwrap_err();
    assert!(ask(&rig.pool(4, ok), Lane::Background).await.is_err());
    assert!(!pool.reset().await.unwrap().is_empty() && pool.reset().await.unwrap().is_empty());
    let status = pool.status().await.unwrap();
    assert!(status.accounts.iter().all(|account| account.skipped_until.is_none() && account.used_requests == 1));
    assert!(status.accounts.iter().all(|account| account.last_error.is_some()), "what happened stays told");
    ask(&rig.pool(4, ok), Lane::Background).await.unwrap();
}

#[tokio::test]
async fn a_request_that_never_left_is_given_back() {
    let rig = Rig::new();
    let absent =
        |_: &str| Err(BrainError::NotConfigured { brain: NAME.into(), detail: "no key".into(), fix: "set it".into() });
    ask(&rig.pool(4, absent), Lane::Interactive).await.unwrap_err();
    let status = rig.pool(4, ok).status().await.unwrap();
    assert_eq!(status.accounts.iter().map(|account| account.used_requests).sum::<u32>(), 0);
    assert!(status.accounts.iter().all(|account| !account.healthy));
}

#[tokio::test]
async fn a_reading_is_kept_whatever_the_call_came_to() {
    let rig = Rig::new();
    let account = CodexAccount::new(AccountId::usual(), CodexConfig::new("codex", "/h"), 100);
    let reading = QuotaReading {
        read_at: at(1000),
        windows: vec![QuotaWindow { used_percent: 80, minutes: None, resets_at: Some(at(5000)) }],
    };
    for error in [None, Some(())] {
        let told = reading.clone();
        let pool = CodexPool::new(
            vec![account.clone()],
            POLICY,
            Arc::new(MemoryStore::new()),
            rig.clock.clone(),
            |_, gauge| {
                let told = told.clone();
                Arc::new(ScriptedBrain::new(move |_| {
                    gauge.set(told.clone());
                    error.map_or_else(|| ok("x"), |()| Err(overloaded()))
                }))
            },
        );
        let _ = ask(&pool, Lane::Interactive).await;
        let status = pool.status().await.unwrap();
        assert_eq!((status.accounts[0].remaining_percent, status.accounts[0].quota.as_ref()), (20, Some(&reading)));
        assert!(matches!(ask(&pool, Lane::Background).await, Err(BrainError::Reserved { .. })));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn b5_many_processes_at_once_never_overdraw_a_window() {
    let rig = Rig::new();
    let pools: Vec<_> = (0..4).map(|_| Arc::new(rig.pool(10, ok))).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for n in 0..60 {
        let pool = Arc::clone(&pools[n % 4]);
        tasks.spawn(async move { ask(&pool, Lane::Interactive).await.is_ok() });
    }
    let answered = tasks.join_all().await.into_iter().filter(|answered| *answered).count();
    assert_eq!((answered, rig.calls("a"), rig.calls("b")), (20, 10, 10));
}

#[tokio::test]
async fn b5_a_kill_or_failure_at_any_write_never_gives_quota_away() {
    for fault in Fault::ALL {
        let mut effect = 0;
        loop {
            effect += 1;
            let (rig, plan) = (Rig::new(), FaultPlan::at(effect, fault));
            let mut processes = 0;
            while processes < 30 && !plan.is_spent() {
                let pool = rig.pool_on(FaultyStore::new(rig.disk.clone(), &plan).counting_reads(), 5, ok);
                let _ = run_until_crash(&plan, ask(&pool, Lane::Interactive)).await;
                processes += 1;
            }
            if !plan.is_spent() {
                break;
            }
            let before = rig.pool(5, ok).status().await.unwrap();
            let pool = rig.pool(5, ok);
            assert_eq!(pool.status().await.unwrap(), before, "a restart changes nothing");
            for _ in 0..20 {
                let _ = ask(&pool, Lane::Interactive).await;
            }
            let used: Vec<_> = pool.status().await.unwrap().accounts.iter().map(|a| a.used_requests).collect();
            assert_eq!(used, [5, 5], "{:?}", plan.trace());
            let lost = 10 - rig.calls("a") - rig.calls("b");
            assert!(rig.calls("a") <= 5 && rig.calls("b") <= 5 && lost <= 1, "{lost} lost: {:?}", plan.trace());
        }
    }
}

#[tokio::test]
async fn an_answer_is_not_lost_because_a_note_could_not_be_kept() {
    let rig = Rig::new();
    let plan = FaultPlan::at(2, Fault::FailBefore);
    let pool = rig.pool_on(FaultyStore::new(rig.disk.clone(), &plan), 5, ok);
    assert_eq!(ask(&pool, Lane::Interactive).await.unwrap().content, "a");
    assert!(plan.is_spent());
    let plan = FaultPlan::at(1, Fault::FailBefore);
    let pool = rig.pool_on(FaultyStore::new(rig.disk.clone(), &plan), 5, ok);
    let error = ask(&pool, Lane::Interactive).await.unwrap_err();
    assert!(matches!(error, BrainError::Records { .. }) && rig.calls("b") == 0, "what can't be counted is not asked");
}

#[tokio::test]
async fn it_keeps_the_contract_of_a_brain() {
    let account = CodexAccount::new(AccountId::usual(), CodexConfig::new("codex", "/h"), u32::MAX);
    let brain = CodexPool::new(
        vec![account],
        PoolPolicy::default(),
        Arc::new(MemoryStore::new()),
        Arc::new(crate::sys::SystemClock),
        |_, _| {
            Arc::new(ScriptedBrain::new(|request| match request.messages.last() {
                Some(Message::User { content }) => Ok(Completion::text(format!("you said {content}"))),
                _ => Ok(Completion::text("hello")),
            }))
        },
    );
    let prompts = ["apples", "pears"].map(|word| (word.to_owned(), word.to_owned())).to_vec();
    let time = Duration::from_secs(10);
    conformance::brain(&conformance::BrainCase { brain: Arc::new(brain), prompts, call: None, stuck: None, time })
        .await;
}

#[test]
fn a_pardon_ends_every_pause_and_keeps_the_count() {
    let mut account = AccountState {
        capped_until: Some(at(500)),
        retry_at: Some(at(50)),
        failures: 3,
        health: state::AccountHealth::Failing,
        last_error: Some("401".into()),
        ..state(3, 0)
    };
    assert!(account.pardon(at(1)));
    assert_eq!(account, AccountState { last_error: Some("401".into()), ..state(3, 0) });
    assert!(!account.pardon(at(1)), "there was nothing");
    let mut over = AccountState { capped_until: Some(at(500)), ..state(3, 0) };
    assert!(!over.pardon(at(501)), "what is over keeps nobody");
}
