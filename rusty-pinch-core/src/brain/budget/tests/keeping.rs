//! What one brain does under a budget, one call after the other.

use super::*;
use crate::testing::{FaultPlan, FaultyStore};

/// The cap that `answer` names as exceeded, with its whole message.
fn exceeded(answer: Result<Completion, BrainError>) -> (CapScope, CapUnit, String) {
    match answer {
        Err(error @ BrainError::OverBudget { .. }) => {
            let text = error.to_string();
            let BrainError::OverBudget { cap, .. } = error else { unreachable!() };
            (cap.scope, cap.unit, text)
        }
        other => panic!("expected a refusal, not {other:?}"),
    }
}

fn used(tokens: u64) -> Option<Usage> {
    Some(Usage { input_tokens: tokens, output_tokens: 0 })
}

#[tokio::test]
async fn a_call_is_made_as_long_as_it_fits_under_the_cap_to_the_token() {
    for (cap, calls) in [(0, 0), (CALL - 1, 0), (CALL, 1), (2 * CALL - 1, 1), (2 * CALL, 2), (5 * CALL + 50, 5)] {
        let (world, disk) = (World::new(day(tokens(cap))), MemoryStore::new());
        let brain = world.brain(disk.clone(), None);
        for _ in 0..10 {
            let _ = ask(&brain, &world.request(Lane::Interactive, None)).await;
        }
        assert_eq!(world.asked(), calls, "a cap of {cap}");
        let report = world.report(disk).await;
        assert_eq!((report.interactive.tokens, report.interactive.calls), (calls * CALL, calls));
        assert_eq!(
            report.models.iter().map(|model| model.estimated_calls).sum::<u64>(),
            calls,
            "nobody said what it took"
        );
    }
}

#[tokio::test]
async fn what_the_provider_says_counts_instead_of_the_estimate() {
    let (world, disk) = (World::new(day(tokens(2 * CALL))), MemoryStore::new());
    let brain = world.brain(disk.clone(), used(10));
    while ask(&brain, &world.request(Lane::Interactive, None)).await.is_ok() {}
    // The eleventh finds 110 spent, and 100 more would be too much.
    assert_eq!(world.asked(), 11);
    let report = world.report(disk).await;
    assert_eq!((report.interactive.tokens, report.interactive.open_calls), (110, 0));
    assert_eq!(report.models[0].estimated_calls, 0);
    assert_eq!(report.caps[0].used.as_deref(), Some("110"));
}

#[tokio::test]
async fn each_cap_refuses_with_its_limit_what_is_spent_when_it_resets_and_what_raises_it() {
    let all = |limit: CapLimit| {
        [
            (
                Caps { turn: limit, ..Caps::default() },
                Lane::Interactive,
                CapScope::Turn,
                "never resets, and the next message",
            ),
            (
                Caps { session: limit, ..Caps::default() },
                Lane::Interactive,
                CapScope::Session,
                "never resets, and another session",
            ),
            (
                Caps { day: limit, ..Caps::default() },
                Lane::Interactive,
                CapScope::Day,
                "it resets at 2026-01-02T00:00:00Z",
            ),
            (
                Caps { background_day: limit, ..Caps::default() },
                Lane::Background,
                CapScope::BackgroundDay,
                "it resets at 2026-01-02T00:00:00Z",
            ),
        ]
    };
    let by_tokens = all(tokens(150)).map(|case| {
        (case, CapUnit::Tokens, ["150 tokens", "100 tokens are spent", "may take 100 tokens", "_TOKENS raises it"])
    });
    let by_money = all(micros(300))
        .map(|case| (case, CapUnit::Usd, ["$0.0003", "$0.000195 are spent", "may take $0.000195", "_USD raises it"]));
    for ((caps, lane, scope, reset), unit, parts) in by_tokens.into_iter().chain(by_money) {
        let world = World::new(caps);
        let brain = world.brain(MemoryStore::new(), None);
        let request = world.request(lane, Some(("s", 0)));
        ask(&brain, &request).await.unwrap();
        let answer = ask(&brain, &request).await;
        let error = answer.as_ref().unwrap_err();
        assert_eq!((error.attempts(), error.class()), (0, crate::brain::ErrorClass::FailOver));
        let resets = matches!(scope, CapScope::Day | CapScope::BackgroundDay).then(|| at("2026-01-02T00:00:00Z"));
        assert_eq!(error.retry_at(), resets);
        let (found_scope, found_unit, text) = exceeded(answer);
        assert_eq!((found_scope, found_unit, world.asked()), (scope, unit, 1), "{text}");
        for part in parts.iter().chain([&reset, &scope.variable(unit)]) {
            assert!(text.contains(part), "{part:?} is not in {text}");
        }
    }
}

#[tokio::test]
async fn people_and_background_work_are_counted_apart() {
    let caps = Caps { day: tokens(2 * CALL), background_day: tokens(CALL), ..Caps::default() };
    let (world, disk) = (World::new(caps), MemoryStore::new());
    let brain = world.brain(disk.clone(), None);
    let background = world.request(Lane::Background, None);
    ask(&brain, &background).await.unwrap();
    assert_eq!(exceeded(ask(&brain, &background).await).0, CapScope::BackgroundDay);
    // Background work took nothing from people, and people take nothing from it.
    let person = world.request(Lane::Interactive, None);
    for _ in 0..2 {
        ask(&brain, &person).await.unwrap();
    }
    assert_eq!(exceeded(ask(&brain, &person).await).0, CapScope::Day);
    let report = world.report(disk).await;
    assert_eq!((report.interactive.tokens, report.background.tokens), (2 * CALL, CALL));
}

#[tokio::test]
async fn turns_and_sessions_have_their_own_caps_and_a_call_without_a_turn_has_neither() {
    let caps = Caps { turn: tokens(2 * CALL), session: tokens(3 * CALL), ..Caps::default() };
    let world = World::new(caps);
    let brain = world.brain(MemoryStore::new(), None);
    let turn = |session, opened_at| world.request(Lane::Interactive, Some((session, opened_at)));
    for _ in 0..2 {
        ask(&brain, &turn("a", 0)).await.unwrap();
    }
    assert_eq!(exceeded(ask(&brain, &turn("a", 0)).await).0, CapScope::Turn);
    ask(&brain, &turn("a", 7)).await.unwrap();
    assert_eq!(exceeded(ask(&brain, &turn("a", 7)).await).0, CapScope::Session);
    ask(&brain, &turn("b", 0)).await.unwrap();
    for _ in 0..9 {
        ask(&brain, &world.request(Lane::Interactive, None)).await.unwrap();
    }
}

#[tokio::test]
async fn a_turn_is_remembered_while_others_of_its_session_go_on() {
    let world = World::new(Caps { turn: tokens(CALL), ..Caps::default() });
    let brain = world.brain(MemoryStore::new(), None);
    let turn = |opened_at| world.request(Lane::Interactive, Some(("a", opened_at)));
    for opened_at in 0..7 {
        ask(&brain, &turn(opened_at)).await.unwrap();
    }
    assert_eq!(exceeded(ask(&brain, &turn(0)).await).0, CapScope::Turn);
}

#[tokio::test]
async fn a_day_begins_at_midnight_utc_and_a_clock_that_jumps_back_finds_the_old_one() {
    let (world, disk) = (World::new(day(tokens(CALL))), MemoryStore::new());
    let brain = world.brain(disk.clone(), None);
    for (now, fits) in [
        ("2026-11-24T23:59:59.999999999Z", true),
        ("2026-11-24T23:59:59.999999999Z", false),
        ("2026-11-25T00:00:00Z", true),
        ("2026-11-25T12:00:00Z", false),
        ("2026-11-24T12:00:00Z", false),
        ("2027-12-29T12:00:00Z", true),
        ("2026-11-25T12:00:00Z", false),
    ] {
        world.clock.set(at(now));
        let answer = ask(&brain, &world.request(Lane::Interactive, None)).await;
        assert_eq!(answer.is_ok(), fits, "at {now}: {answer:?}");
    }
    let report = world.report(disk).await;
    assert_eq!((report.day.as_str(), report.interactive.tokens), ("2026-11-25", CALL));
}

#[tokio::test]
async fn a_call_over_midnight_counts_on_the_day_on_which_it_was_allowed() {
    let (world, disk) = (World::new(day(tokens(2 * CALL))), MemoryStore::new());
    world.clock.set(at("2026-11-24T23:59:59Z"));
    let clock = Arc::clone(&world.clock);
    let slow = ScriptedBrain::new(move |_| {
        clock.advance(std::time::Duration::from_secs(2));
        Ok(Completion { usage: used(10), ..Completion::text("fine") })
    });
    let brain = world.budget(disk.clone()).around(slow.with_info(info("priced")), Billing::ByToken);
    ask(&brain, &world.request(Lane::Interactive, None)).await.unwrap();
    let today = world.report(disk.clone()).await;
    assert_eq!((today.day.as_str(), today.interactive.tokens), ("2026-11-25", 0));
    world.clock.set(at("2026-11-24T12:00:00Z"));
    assert_eq!(world.report(disk).await.interactive.tokens, 10);
}

#[tokio::test]
async fn a_free_brain_is_never_charged_refused_or_slowed_by_a_record() {
    let world = World::new(Caps { turn: tokens(0), session: tokens(0), day: tokens(0), background_day: tokens(0) });
    let plan = FaultPlan::none();
    let store = FaultyStore::new(MemoryStore::new(), &plan).counting_reads();
    let free = world.paid(None).with_info(BrainInfo { free: true, ..info("priced") });
    let brain = world.budget(store).around(free, Billing::ByToken);
    ask(&brain, &world.request(Lane::Background, Some(("s", 0)))).await.unwrap();
    assert_eq!((world.asked(), plan.count()), (1, 0));
}

#[tokio::test]
async fn without_a_cap_a_call_costs_one_commit_and_is_counted_all_the_same() {
    let (world, disk, plan) = (World::new(Caps::default()), MemoryStore::new(), FaultPlan::none());
    let brain = world.brain(FaultyStore::new(disk.clone(), &plan), used(10));
    ask(&brain, &world.request(Lane::Interactive, Some(("s", 0)))).await.unwrap();
    assert_eq!(plan.count(), 1, "{plan:?}");
    let report = world.report(disk).await;
    assert_eq!((report.interactive.tokens, report.interactive.usd.micros(), report.caps.len()), (10, 10, 0));
    let capped = World::new(day(tokens(CALL)));
    let plan = FaultPlan::none();
    let brain = capped.brain(FaultyStore::new(MemoryStore::new(), &plan), used(10));
    ask(&brain, &capped.request(Lane::Interactive, Some(("s", 0)))).await.unwrap();
    assert_eq!(plan.count(), 2, "one to reserve and one to settle: {plan:?}");
}

#[tokio::test]
async fn a_model_without_a_price_is_not_counted_by_money_and_its_caps_on_tokens_hold() {
    let caps = day(CapLimit { tokens: Some(3 * CALL), money: Some(Money::ZERO) });
    let (world, disk) = (World::new(caps), MemoryStore::new());
    let brain = world.budget(disk.clone()).around(world.paid(None).with_info(info("nameless")), Billing::ByToken);
    for _ in 0..3 {
        ask(&brain, &world.request(Lane::Interactive, None)).await.unwrap();
    }
    assert_eq!(exceeded(ask(&brain, &world.request(Lane::Interactive, None)).await).1, CapUnit::Tokens);
    let report = world.report(disk).await;
    assert_eq!((report.interactive.usd, report.interactive.unpriced_tokens), (Money::ZERO, 3 * CALL));
}

#[tokio::test]
async fn whoever_answered_is_paid() {
    let (world, disk) = (World::new(day(micros(100_000))), MemoryStore::new());
    let dear = Answerer { brain: "lab".into(), model: "dear".into(), account: Some("b".into()) };
    let brain = ScriptedBrain::new(move |_| {
        Ok(Completion { by: Some(dear.clone()), usage: used(7), ..Completion::text("fine") })
    });
    let brain = world.budget(disk.clone()).around(brain.with_info(info("priced")), Billing::ByToken);
    ask(&brain, &world.request(Lane::Interactive, None)).await.unwrap();
    let report = world.report(disk).await;
    assert_eq!((report.models[0].model.as_str(), report.models[0].usd.micros()), ("dear", 70));
}

#[tokio::test]
async fn of_several_accounts_only_those_with_a_key_cost_money() {
    let billing = Billing::ByAccount { with_key: ["keyed".to_owned()].into() };
    for (account, cost) in [("keyed", 7), ("login", 0)] {
        let (world, disk) = (World::new(day(micros(1000))), MemoryStore::new());
        let by = Answerer { brain: "codex".into(), model: "priced".into(), account: Some(account.into()) };
        let brain = ScriptedBrain::new(move |_| {
            Ok(Completion { by: Some(by.clone()), usage: used(7), ..Completion::text("fine") })
        });
        let brain = brain.with_info(BrainInfo { name: "codex".into(), ..info("priced") });
        let prices = Prices::parse(&PRICES.replace("\"lab\"", "\"codex\"")).unwrap();
        let budget = Budget::new(disk.clone(), BudgetConfig { prices, ..world.config() });
        ask(&budget.around(brain, billing.clone()), &world.request(Lane::Interactive, None)).await.unwrap();
        let found = world.report(disk).await.interactive;
        assert_eq!((found.tokens, found.usd.micros(), found.unpriced_tokens), (7, cost, 0), "{account}");
    }
}

#[tokio::test]
async fn an_error_takes_nothing_where_the_provider_refused_and_the_estimate_where_nobody_knows() {
    type Failure = fn() -> BrainError;
    let refused: [Failure; 7] = [
        || BrainError::RateLimited { brain: "lab".into(), retry_at: None },
        || BrainError::Overloaded { brain: "lab".into(), detail: "503".into(), retry_at: None },
        || BrainError::Unreachable { brain: "lab".into(), target: "x".into(), source: "refused".into() },
        || BrainError::Rejected { brain: "lab".into(), detail: "400".into() },
        || BrainError::ContextTooLong { brain: "lab".into(), detail: "x".into() },
        || BrainError::NotConfigured { brain: "lab".into(), detail: "x".into(), fix: "x".into() },
        || BrainError::NoAccount { brain: "lab".into(), detail: "revoked".into(), asked: 2, retry_at: None },
    ];
    let unknown: [Failure; 4] = [
        || BrainError::Cut { brain: "lab".into(), detail: "x".into() },
        || BrainError::DeadlineExceeded { brain: "lab".into() },
        || BrainError::TooLarge { brain: "lab".into(), bytes_max: 1 },
        || BrainError::Malformed { brain: "lab".into(), detail: "x".into() },
    ];
    for caps in [Caps::default(), day(tokens(CALL))] {
        let cases = refused.iter().map(|case| (case, 0)).chain(unknown.iter().map(|case| (case, CALL)));
        for (failure, taken) in cases {
            let (world, disk, failure) = (World::new(caps), MemoryStore::new(), *failure);
            let brain = ScriptedBrain::new(move |_| Err(failure())).with_info(info("priced"));
            let brain = world.budget(disk.clone()).around(brain, Billing::ByToken);
            let error = ask(&brain, &world.request(Lane::Interactive, None)).await.unwrap_err();
            let report = world.report(disk).await;
            assert_eq!((report.interactive.tokens, report.interactive.open_calls), (taken, 0), "{error}");
        }
    }
}

#[tokio::test]
async fn old_days_are_dropped_and_the_newest_are_kept() {
    let (world, disk) = (World::new(day(tokens(CALL))), MemoryStore::new());
    let brain = world.brain(disk.clone(), None);
    let days = async || disk.scan(&crate::store::KeyRange::under(["budget", "day"]), 1000).await;
    for _ in 0..bounds::DAYS_KEPT + 20 {
        ask(&brain, &world.request(Lane::Interactive, None)).await.unwrap();
        world.clock.advance(std::time::Duration::from_secs(24 * 3600));
    }
    let kept = days().await.unwrap();
    assert_eq!(kept.len(), bounds::DAYS_KEPT);
    assert_eq!(kept[0].key.as_str(), "budget/day/2026-01-21");
    // A clock that jumped back writes into its own day, which is the oldest then and stays.
    world.clock.set(at("2020-01-01T00:00:00Z"));
    ask(&brain, &world.request(Lane::Interactive, None)).await.unwrap();
    assert!(ask(&brain, &world.request(Lane::Interactive, None)).await.is_err());
    assert_eq!(days().await.unwrap()[0].key.as_str(), "budget/day/2020-01-01");
}
