//! The store fails, and processes die, at every effect.

use super::*;
use crate::store::{Change, Key, Precondition};
use crate::testing::{Fault, FaultPlan, FaultyBrain, FaultyStore, run_until_crash};

const USED: Usage = Usage { input_tokens: 40, output_tokens: 10 };

/// Two calls, by processes that die and are followed by others, on one disk. Says how often it was tried.
async fn run(world: &World, disk: &MemoryStore, plan: &Arc<FaultPlan>) -> u64 {
    let mut tries = 0;
    for opened_at in 0..2 {
        loop {
            tries += 1;
            let brain = FaultyBrain::new(world.paid(Some(USED)), plan);
            let brain = world.budget(FaultyStore::new(disk.clone(), plan)).around(brain, Billing::ByToken);
            let request = world.request(Lane::Interactive, Some(("s", opened_at)));
            if run_until_crash(plan, ask(&brain, &request)).await.is_some() {
                break;
            }
        }
    }
    tries
}

#[tokio::test]
async fn b6_whatever_fails_or_dies_no_call_goes_uncounted_and_none_is_counted_twice() {
    let caps = Caps { session: tokens(10 * CALL), day: tokens(10 * CALL), ..Caps::default() };
    let count = {
        let (world, plan) = (World::new(caps), FaultPlan::none());
        run(&world, &MemoryStore::new(), &plan).await;
        plan.count()
    };
    assert_eq!(count, 6, "two calls: reserve, complete, settle");
    for first in 1..=count {
        for fault in Fault::ALL {
            for second in [None, Some((first + 1, Fault::FailBefore)), Some((first + 1, Fault::CrashAfter))] {
                let (world, disk) = (World::new(caps), MemoryStore::new());
                let plan = FaultPlan::new([(first, fault)].into_iter().chain(second));
                let tries = run(&world, &disk, &plan).await;
                check(&world, &disk, &plan, tries).await;
            }
        }
    }
}

async fn check(world: &World, disk: &MemoryStore, plan: &FaultPlan, tries: u64) {
    let trace = plan.trace();
    let before = world.report(disk.clone()).await.interactive;
    let (made, used) = (world.asked(), before.tokens + before.reserved_tokens);
    let used_at_least = made * (USED.input_tokens + USED.output_tokens);
    assert!(used >= used_at_least, "{made} calls and {used} tokens: {trace:#?}");
    assert!(before.calls + before.open_calls <= tries, "each try is counted once at the most: {trace:#?}");
    // When their time is over, calls that nobody ended are spent, and the sum is the same.
    world.clock.advance(std::time::Duration::from_secs(61));
    let brain = world.brain(disk.clone(), Some(Usage::default()));
    ask(&brain, &world.request(Lane::Interactive, Some(("s", 9)))).await.unwrap();
    let after = world.report(disk.clone()).await.interactive;
    assert_eq!((after.tokens, after.open_calls), (used, 0), "{trace:#?}");
    assert_eq!(after.calls, before.calls + before.open_calls + 1, "{trace:#?}");
}

#[tokio::test]
async fn a_store_that_fails_once_costs_neither_the_call_nor_a_figure() {
    for effect in [1, 3] {
        for fault in [Fault::FailBefore, Fault::FailAfter] {
            let (world, disk, plan) = (World::new(day(tokens(CALL))), MemoryStore::new(), FaultPlan::at(effect, fault));
            let brain = FaultyBrain::new(world.paid(Some(USED)), &plan);
            let brain = world.budget(FaultyStore::new(disk.clone(), &plan)).around(brain, Billing::ByToken);
            ask(&brain, &world.request(Lane::Interactive, None)).await.unwrap();
            let found = world.report(disk).await.interactive;
            assert_eq!((found.calls, found.tokens, found.open_calls), (1, 50, 0), "{:?}", plan.trace());
        }
    }
}

/// A store of which every read and write fails.
fn broken() -> FaultyStore<MemoryStore> {
    let plan = FaultPlan::new((1..100).map(|effect| (effect, Fault::FailBefore)));
    FaultyStore::new(MemoryStore::new(), &plan).counting_reads()
}

#[tokio::test]
async fn a_record_that_can_not_be_used_stops_calls_that_a_cap_is_above_and_no_others() {
    let caps = Caps { day: tokens(u64::MAX), background_day: CapLimit::default(), ..Caps::default() };
    let world = World::new(caps);
    let brain = world.brain(broken(), None);
    let error = ask(&brain, &world.request(Lane::Interactive, None)).await.unwrap_err();
    assert!(matches!(error, BrainError::BudgetUnknown { .. }) && error.attempts() == 0, "{error:?}");
    assert_eq!((world.asked(), error.class()), (0, crate::brain::ErrorClass::FailOver));
    let brain = world.brain(broken(), None);
    ask(&brain, &world.request(Lane::Background, None)).await.unwrap();
    assert_eq!(world.asked(), 1);
}

#[tokio::test]
async fn a_damaged_record_is_said_to_be_damaged_and_is_not_overwritten() {
    for key in [["budget", "open"].as_slice(), &["budget", "day", "2026-01-01"], &["budget", "session", "s"]] {
        let (world, disk, key) = (World::new(day(tokens(u64::MAX))), MemoryStore::new(), Key::new(key.iter().copied()));
        let damage = serde_json::json!({"calls": "no list", "rows": 7, "spent": []});
        disk.commit(&[Change::put(key.clone(), Precondition::Absent, damage.clone())]).await.unwrap();
        let brain = world.brain(disk.clone(), None);
        let error = ask(&brain, &world.request(Lane::Interactive, Some(("s", 0)))).await.unwrap_err();
        let cause = std::error::Error::source(&error).and_then(std::error::Error::source).unwrap().to_string();
        assert!(cause.contains(key.as_str()) && cause.contains("damaged"), "{cause}");
        assert_eq!((disk.get(&key).await.unwrap().unwrap().value, world.asked()), (damage, 0));
    }
}

#[tokio::test]
async fn a_call_that_is_dropped_stays_reserved_and_is_spent_when_its_time_is_over() {
    let (world, disk) = (World::new(day(tokens(2 * CALL))), MemoryStore::new());
    let plan = FaultPlan::at(2, Fault::CrashBefore);
    let brain = FaultyBrain::new(world.paid(None), &plan);
    let brain = world.budget(FaultyStore::new(disk.clone(), &plan)).around(brain, Billing::ByToken);
    let request = world.request(Lane::Interactive, None);
    assert!(run_until_crash(&plan, ask(&brain, &request)).await.is_none());
    let report = world.report(disk.clone()).await;
    assert_eq!((report.interactive.open_calls, report.caps[0].used.as_deref()), (1, Some("100")));
    let next = world.brain(disk.clone(), None);
    ask(&next, &request).await.unwrap();
    assert!(ask(&next, &request).await.is_err(), "two calls are all that the day has");
    world.clock.advance(std::time::Duration::from_secs(61));
    assert!(ask(&next, &world.request(Lane::Interactive, None)).await.is_err(), "time gives nothing back");
}
