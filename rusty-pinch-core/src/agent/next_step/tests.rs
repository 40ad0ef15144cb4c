use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::agent::history::latest_turn;
use crate::data::{CallId, CallOutcome, OutcomeStatus, Timestamp};
use crate::store::{Event, Line, Located, Position, Verdict};

fn call(id: &str) -> ToolCall {
    ToolCall { id: CallId::new(id).unwrap(), name: "add".into(), arguments: json!({"a": 1}) }
}

fn user() -> Event {
    Event::User { content: "hi".into(), key: None }
}

fn asks(calls: &[&str]) -> Event {
    let calls = calls.iter().map(|id| call(id)).collect();
    Event::Assistant { content: String::new(), calls, brain: None, tried: vec![], usage: None }
}

fn says(text: &str) -> Event {
    Event::Assistant { content: text.into(), calls: vec![], brain: None, tried: vec![], usage: None }
}

fn started(id: &str) -> Event {
    Event::Started { call: call(id).id, token: None }
}

fn done(id: &str, result: &str) -> Event {
    Event::Tool { call: call(id).id, name: "add".into(), outcome: CallOutcome::ok(result) }
}

fn token() -> ApprovalToken {
    ApprovalToken::mint([1; 16])
}

fn asked(id: &str) -> Event {
    Event::Asked { call: call(id).id, token: token(), content: "may I?".into() }
}

fn decided(verdict: Verdict) -> Event {
    Event::Decided { token: token(), verdict, call: call("c"), content: String::new() }
}

fn lines(events: Vec<Event>) -> Vec<Located> {
    let line = |(at, event): (usize, Event)| Located {
        at: Position::new(at as u64),
        line: Line::Entry(event.at(Timestamp::EPOCH).into()),
    };
    events.into_iter().enumerate().map(line).collect()
}

fn check(events: Vec<Event>, expected: Step) {
    let lines = lines(events);
    assert_eq!(next_step(latest_turn(&lines).as_ref(), &Limits::default()), expected, "{lines:#?}");
}

#[test]
fn a_plain_turn_thinks_then_answers() {
    check(vec![], Step::Idle);
    check(vec![user()], Step::Think);
    check(vec![user(), says("hello")], Step::Answer("hello".into()));
    check(vec![user(), says("hello"), user()], Step::Think);
}

#[test]
fn calls_run_in_their_order_before_the_next_thought() {
    let turn = || vec![user(), asks(&["a", "b"])];
    check(turn(), Step::Act(call("a")));
    let mut one = turn();
    one.push(done("a", "1"));
    check(one.clone(), Step::Act(call("b")));
    one.push(done("b", "2"));
    check(one, Step::Think);
}

#[test]
fn a_call_that_began_is_closed_before_anything_else() {
    check(vec![user(), asks(&["a", "b"]), started("b")], Step::Repair(call("b")));
    check(vec![user(), asks(&["a"]), started("a"), done("a", "1")], Step::Think);
}

#[test]
fn a_waiting_call_parks_the_turn_once_all_others_are_closed() {
    check(vec![user(), asks(&["a", "b"]), asked("a")], Step::Act(call("b")));
    check(vec![user(), asks(&["a", "b"]), asked("a"), done("b", "")], Step::Ask(token()));
    // A later message does not take the approval back: it opens a turn of its own.
    check(vec![user(), asks(&["a"]), asked("a"), user()], Step::Think);
}

#[test]
fn a_verdict_opens_a_turn() {
    check(vec![decided(Verdict::Approved)], Step::Act(call("c")));
    check(vec![decided(Verdict::Approved), started("c")], Step::Repair(call("c")));
    check(vec![decided(Verdict::Approved), started("c"), done("c", "")], Step::Think);
    check(vec![decided(Verdict::Rejected)], Step::Think);
}

#[test]
fn an_unreadable_line_stops_the_open_turn_and_no_other() {
    let torn = |at: u64| Located { at: Position::new(at), line: Line::Unreadable { why: "torn".into() } };
    let mut open = lines(vec![user(), asks(&["a"])]);
    open.push(torn(2));
    let step = next_step(latest_turn(&open).as_ref(), &Limits::default());
    assert!(matches!(&step, Step::Stop(why) if why.contains("torn")), "{step:?}");

    open.extend(lines(vec![Event::Stopped { content: "torn".into() }, user()]));
    assert_eq!(next_step(latest_turn(&open).as_ref(), &Limits::default()), Step::Think);
}

#[test]
fn going_in_circles_stops_the_turn_and_polling_does_not() {
    let polls = |results: &[&str]| {
        let mut events = vec![user()];
        for (index, result) in results.iter().enumerate() {
            let id = format!("c{index}");
            events.extend([asks(&[&id]), done(&id, result)]);
        }
        next_step(latest_turn(&lines(events)).as_ref(), &Limits::default())
    };
    assert_eq!(polls(&["same"; 4]), Step::Think);
    assert!(matches!(polls(&["same"; 5]), Step::Stop(why) if why.contains("5 times")));
    assert_eq!(polls(&["10 %", "20 %", "30 %", "40 %", "50 %", "60 %"]), Step::Think);
}

#[test]
fn circles_through_approvals_are_seen_too() {
    let mut events = vec![user()];
    for _ in 0..5 {
        events.extend([asks(&["c"]), asked("c"), decided(Verdict::Approved), started("c"), done("c", "same")]);
    }
    let step = next_step(latest_turn(&lines(events)).as_ref(), &Limits::default());
    assert!(matches!(&step, Step::Stop(why) if why.contains("same call")), "{step:?}");
}

#[test]
fn completions_are_bounded() {
    let limits = Limits { completions_max: 2, ..Limits::default() };
    let events = vec![user(), asks(&["a"]), done("a", "1"), asks(&["b"]), done("b", "2")];
    assert!(matches!(next_step(latest_turn(&lines(events)).as_ref(), &limits), Step::Stop(_)));
}

fn any_line() -> impl Strategy<Value = Line> {
    let id = prop::sample::select(vec!["a", "b", "c"]);
    let event = (0..9_u8, id.clone(), id).prop_map(|(kind, one, two)| match kind {
        0 => user(),
        1 => asks(&[one]),
        2 => asks(&[one, two]),
        3 => says("text"),
        4 => started(one),
        5 => done(one, two),
        6 => asked(one),
        7 => decided(if one == "a" { Verdict::Approved } else { Verdict::Rejected }),
        _ => Event::Stopped { content: "why".into() },
    });
    prop_oneof![
        9 => event.prop_map(|event| Line::Entry(event.at(Timestamp::EPOCH).into())),
        1 => Just(Line::Unreadable { why: "flipped".into() }),
    ]
}

/// What carrying a step out appends, as the loop does it.
fn carried_out(step: &Step, turn: Option<&crate::agent::history::TurnState>) -> Vec<Event> {
    let outcome = |call: &ToolCall, status| Event::Tool {
        call: call.id.clone(),
        name: call.name.clone(),
        outcome: CallOutcome { status, content: String::new() },
    };
    match step {
        Step::Repair(call) => vec![outcome(call, OutcomeStatus::Unknown)],
        Step::Act(call) => vec![outcome(call, OutcomeStatus::Ok)],
        Step::Think => vec![says("answer")],
        Step::Stop(why) => {
            let open = turn.into_iter().flat_map(|turn| &turn.calls);
            let open = open.filter(|state| state.progress == crate::agent::history::Progress::Open);
            let mut events: Vec<_> = open.map(|state| outcome(&state.call, OutcomeStatus::Skipped)).collect();
            events.push(Event::Stopped { content: why.clone() });
            events
        }
        Step::Idle | Step::Ask(_) | Step::Answer(_) | Step::Stopped(_) => vec![],
    }
}

proptest! {
    /// Whatever a journal holds, the loop ends: every step leads on, within a bounded number of steps, to an end.
    #[test]
    fn every_journal_leads_to_an_end(mut journal in prop::collection::vec(any_line(), 0..40)) {
        let limits = Limits::default();
        for _ in 0..20 {
            let located: Vec<_> = journal.iter().cloned().enumerate()
                .map(|(at, line)| Located { at: Position::new(at as u64), line }).collect();
            let turn = latest_turn(&located);
            let step = next_step(turn.as_ref(), &limits);
            let events = carried_out(&step, turn.as_ref());
            if events.is_empty() {
                return Ok(());
            }
            journal.extend(events.into_iter().map(|event| Line::Entry(event.at(Timestamp::EPOCH).into())));
        }
        prop_assert!(false, "the turn did not end: {journal:#?}");
    }

    /// A call that began never runs: the only step for it is to close it.
    #[test]
    fn a_call_that_began_never_runs_again(journal in prop::collection::vec(any_line(), 0..40)) {
        let located: Vec<_> = journal.into_iter().enumerate()
            .map(|(at, line)| Located { at: Position::new(at as u64), line }).collect();
        if let Some(turn) = latest_turn(&located)
            && let Step::Act(call) = next_step(Some(&turn), &Limits::default()) {
            let state = turn.calls.iter().find(|state| state.call == call).unwrap();
            prop_assert_eq!(&state.progress, &crate::agent::history::Progress::Open);
        }
    }
}
