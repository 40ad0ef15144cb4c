use std::collections::HashMap;
use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::brain::Answerer;
use crate::store::{Change, Key, MemoryStore, Precondition, Store};
use crate::testing::{Fault, FaultPlan, FaultyStore, SeededEntropy, run_until_crash};

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_767_225_600_000) + Duration::from_secs(seconds)
}

fn who() -> Answerer {
    Answerer { brain: "b".into(), model: "m/1".into(), account: None }
}

fn overloaded() -> BrainError {
    BrainError::Overloaded { brain: "b".into(), detail: "503".into(), retry_at: None }
}

fn limited(until: Timestamp) -> BrainError {
    BrainError::RateLimited { brain: "b".into(), retry_at: Some(until) }
}

fn rejected() -> BrainError {
    BrainError::Rejected { brain: "b".into(), detail: "400".into() }
}

fn revoked() -> BrainError {
    BrainError::Unauthorized { brain: "b".into(), detail: "401".into(), fix: "log in".into() }
}

fn fail(breaker: &Breaker, error: &BrainError, now: Timestamp) -> Breaker {
    breaker.failed(error, now, &BreakerPolicy::default(), u64::MAX)
}

fn open_for(breaker: &Breaker, now: Timestamp) -> Option<u128> {
    match breaker.permit(now) {
        Permit::Open { until } => Some(until.since(now).as_millis()),
        _ => None,
    }
}

#[test]
fn the_third_failure_in_a_row_opens_it_and_each_failed_probe_for_twice_as_long() {
    let mut breaker = Breaker::default();
    for _ in 0..2 {
        breaker = fail(&breaker, &overloaded(), at(0));
        assert_eq!(breaker.permit(at(0)), Permit::Closed);
    }
    let mut now = at(0);
    for seconds in [2, 4, 8, 16, 32, 60, 60] {
        breaker = fail(&breaker, &overloaded(), now);
        let open = open_for(&breaker, now).unwrap();
        assert!((seconds * 1000 - 1..=seconds * 1000).contains(&open), "{open} ms, not {seconds} s");
        now = now + Duration::from_secs(60);
        assert_eq!(breaker.permit(now), Permit::Probe);
    }
    assert_eq!(fail(&breaker.succeeded(now), &overloaded(), now).permit(now), Permit::Closed, "an answer forgives");
}

#[test]
fn what_fails_while_it_is_open_does_not_lengthen_it() {
    let open = (0..3).fold(Breaker::default(), |breaker, _| fail(&breaker, &overloaded(), at(0)));
    let more = (0..50).fold(open.clone(), |breaker, _| fail(&breaker, &overloaded(), at(1)));
    assert_eq!((more.open_until, more.openings), (open.open_until, 1));
}

#[test]
fn a_revoked_key_opens_it_at_once_and_a_bad_request_never() {
    assert!(open_for(&fail(&Breaker::default(), &revoked(), at(0)), at(0)).unwrap() >= 30_000);
    let after = (0..20).fold(Breaker::default(), |breaker, _| fail(&breaker, &rejected(), at(0)));
    assert_eq!(after, Breaker::default());
}

#[test]
fn the_providers_word_is_kept_to_and_bounded() {
    let breaker = fail(&Breaker::default(), &limited(at(90)), at(0));
    assert_eq!(open_for(&breaker, at(0)), Some(90_000));
    assert!(breaker.is_told_off(at(89)) && !breaker.is_told_off(at(90)));
    assert_eq!(breaker.permit(at(90)), Permit::Probe);
    let breaker = fail(&Breaker::default(), &limited(Timestamp::from_nanos(i64::MAX)), at(0));
    assert_eq!(open_for(&breaker, at(0)), Some(OPEN_MAX.as_millis()));
}

#[test]
fn a_clock_that_ran_ahead_keeps_nobody_away() {
    let breaker = fail(&Breaker::default(), &limited(at(2_000_000)), at(1_000_000));
    assert_eq!(breaker.permit(at(0)), Permit::Probe);
    let breaker = breaker.probing(at(0), &BreakerPolicy::default());
    assert!(open_for(&breaker, at(1)).is_some(), "one probe at a time all the same");
}

#[tokio::test]
async fn one_of_many_probes_and_a_probe_that_never_ends_is_given_up() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let processes: Vec<_> = (0..20).map(|_| Breakers::new(Arc::clone(&store))).collect();
    for process in &processes {
        assert_eq!(process.permit(&who(), at(0)).await, Permit::Closed);
    }
    processes[0].failed(&who(), &revoked(), at(0), 0).await;
    for (now, probes) in [(at(29), 0), (at(31), 1), (at(90), 0), (at(92), 1)] {
        let mut permits = Vec::new();
        for process in &processes {
            permits.push(process.permit(&who(), now).await);
        }
        assert_eq!(permits.iter().filter(|permit| **permit == Permit::Probe).count(), probes, "{now}: {permits:?}");
    }
    processes[3].succeeded(&who(), at(93)).await;
    assert_eq!(processes[4].permit(&who(), at(99)).await, Permit::Closed);
}

#[tokio::test]
async fn an_answer_that_changes_nothing_is_written_once_a_minute() {
    let plan = FaultPlan::none();
    let breakers = Breakers::new(Arc::new(FaultyStore::new(MemoryStore::new(), &plan)));
    for second in 0..120 {
        breakers.succeeded(&who(), at(second)).await;
    }
    assert_eq!(plan.count(), 2);
    assert_eq!(breakers.look(&who(), at(119)).await.last_success_at.map(|at| at.as_millis() % 1000), Some(0));
}

#[tokio::test]
async fn a_failure_that_says_nothing_of_the_provider_costs_no_write() {
    let plan = FaultPlan::none();
    let breakers = Breakers::new(Arc::new(FaultyStore::new(MemoryStore::new(), &plan)));
    for second in 0..9 {
        breakers.failed(&who(), &rejected(), at(second), 0).await;
    }
    assert_eq!(plan.count(), 0);
    breakers.failed(&who(), &overloaded(), at(9), 0).await;
    assert_eq!(plan.count(), 1);
}

#[tokio::test]
async fn a_store_that_fails_stops_nothing_and_forgets_nothing() {
    let plan = FaultPlan::new((1..1000).map(|effect| (effect, Fault::FailBefore)));
    let breakers = Breakers::new(Arc::new(FaultyStore::new(MemoryStore::new(), &plan)));
    breakers.failed(&who(), &revoked(), at(0), u64::MAX).await;
    for second in [1, 10, 50] {
        assert!(matches!(breakers.permit(&who(), at(second)).await, Permit::Open { .. }), "{second}");
    }
    assert_eq!(breakers.permit(&who(), at(61)).await, Permit::Probe);
    breakers.succeeded(&who(), at(62)).await;
    assert_eq!(breakers.permit(&who(), at(63)).await, Permit::Closed);

    let blind = FaultPlan::new((1..1000).map(|effect| (effect, Fault::FailBefore)));
    let breakers = Breakers::new(Arc::new(FaultyStore::new(MemoryStore::new(), &blind).counting_reads()));
    breakers.failed(&who(), &revoked(), at(0), u64::MAX).await;
    assert!(matches!(breakers.permit(&who(), at(50)).await, Permit::Open { .. }));
    assert!(breakers.reset(&who(), at(51)).await.is_err());
}

#[tokio::test]
async fn a_damaged_record_begins_anew_and_is_written_over() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let key = Key::new(["breaker", "b", "", "m/1"]);
    store.commit(&[Change::put(key.clone(), Precondition::None, "nonsense".into())]).await.unwrap();
    let breakers = Breakers::new(Arc::clone(&store));
    assert_eq!(breakers.permit(&who(), at(0)).await, Permit::Closed);
    breakers.failed(&who(), &revoked(), at(0), 0).await;
    let kept: Breaker = store.get(&key).await.unwrap().unwrap().parse().unwrap();
    assert_eq!(kept.last_error, Some(revoked().to_string()));
}

#[tokio::test]
async fn resetting_closes_it_in_the_store() {
    let store: Arc<dyn Store> = Arc::new(MemoryStore::new());
    let (breakers, other) = (Breakers::new(Arc::clone(&store)), Breakers::new(store));
    breakers.failed(&who(), &revoked(), at(0), 0).await;
    other.reset(&who(), at(1)).await.unwrap();
    let seen = breakers.look(&who(), at(6)).await;
    assert_eq!((seen.permit(at(6)), seen.last_success_at), (Permit::Closed, None));
    assert_eq!(seen.last_error, Some(revoked().to_string()), "what it failed with is still shown");
}

/// A life of one breaker under a seed: failures, answers, refusals, jumps in time, probes that never end, and writes that
/// fail or are killed before, within and after.
async fn simulate(seed: u64) -> Vec<String> {
    let dice = SeededEntropy::new(seed);
    let disk = MemoryStore::new();
    let (mut now, mut trace, mut is_killed, mut acknowledged) = (at(0), Vec::new(), false, Breaker::default());
    while trace.len() < 60 {
        let fault = Fault::ALL[(dice.next_u64() % 6) as usize];
        let plan = FaultPlan::at(dice.next_u64() % 8 + 1, fault);
        let breakers = Breakers::new(Arc::new(FaultyStore::new(disk.clone(), &plan)));
        let begin = lasting(breakers.look(&who(), now).await);
        assert!(is_killed || begin == acknowledged, "seed {seed}: {begin:?} is not {acknowledged:?}");
        is_killed = false;
        for _ in 0..10 {
            now = now + Duration::from_millis(dice.next_u64() % 40_000);
            let (action, randomness) = (dice.next_u64() % 5, dice.next_u64());
            let (writes, was_spent) = (plan.count(), plan.is_spent());
            let step = async {
                match action {
                    0 => breakers.succeeded(&who(), now).await,
                    1 => breakers.failed(&who(), &limited(now + Duration::from_secs(20)), now, randomness).await,
                    2 | 3 => breakers.failed(&who(), &overloaded(), now, randomness).await,
                    _ => {
                        breakers.permit(&who(), now).await;
                    }
                }
            };
            is_killed = run_until_crash(&plan, step).await.is_none();
            trace.push(format!("{now} {action} {is_killed}"));
            if is_killed {
                break;
            }
            let known = breakers.look(&who(), now).await;
            check_invariants(&known, now, seed);
            let record = disk.get(&Key::new(["breaker", "b", "", "m/1"])).await.unwrap();
            let written = lasting(record.map(|record| record.parse().unwrap()).unwrap_or_default());
            if plan.count() > writes && was_spent == plan.is_spent() {
                assert_eq!(written, lasting(known.clone()), "seed {seed}: what was noted without a fault is written");
            }
            // After a fault the disk is the judge of what the next process finds.
            acknowledged = if plan.is_spent() { written } else { lasting(known) };
        }
    }
    trace
}

/// All but the time of the last answer, which is written once a minute.
fn lasting(breaker: Breaker) -> Breaker {
    Breaker { last_success_at: None, ..breaker }
}

fn check_invariants(breaker: &Breaker, now: Timestamp, seed: u64) {
    if breaker.is_told_off(now) {
        assert!(matches!(breaker.permit(now), Permit::Open { .. }), "seed {seed}: the provider's word is kept to");
    }
    if let Permit::Open { until } = breaker.permit(now) {
        assert!(until.since(now) <= Duration::from_secs(60), "seed {seed}: open without end");
    }
}

#[tokio::test]
async fn what_is_known_survives_kills_and_a_seed_gives_the_same_life_twice() {
    let mut lives = HashMap::new();
    for seed in 0..60 {
        let (once, twice) = (simulate(seed).await, simulate(seed).await);
        assert_eq!(once, twice, "seed {seed}");
        lives.insert(once, seed);
    }
    assert_eq!(lives.len(), 60, "seeds differ");
}

proptest! {
    #[test]
    fn a_breaker_is_never_open_for_longer_than_it_may_be(
        steps in prop::collection::vec((0_u8..5, 0_u64..200, any::<u64>()), 1..60),
    ) {
        let (mut breaker, mut now, policy) = (Breaker::default(), at(0), BreakerPolicy::default());
        let mut told = at(0);
        for (action, passed, randomness) in steps {
            now = now + Duration::from_secs(passed);
            breaker = match action {
                0 => breaker.succeeded(now),
                1 => breaker.failed(&overloaded(), now, &policy, randomness),
                2 => {
                    told = now + Duration::from_secs(300);
                    breaker.failed(&limited(told), now, &policy, randomness)
                }
                3 => breaker.failed(&rejected(), now, &policy, randomness),
                _ if breaker.permit(now) == Permit::Probe => breaker.probing(now, &policy),
                _ => breaker,
            };
            match breaker.permit(now) {
                Permit::Open { until } => prop_assert!(until <= told.max(now + policy.longest_pause)),
                permit => prop_assert!(action != 2, "{permit:?} right after the provider asked for quiet"),
            }
            prop_assert!(action != 0 || breaker.permit(now) == Permit::Closed);
            let json = serde_json::to_string(&breaker).unwrap();
            prop_assert_eq!(serde_json::from_str::<Breaker>(&json).unwrap(), breaker.clone());
        }
    }
}
