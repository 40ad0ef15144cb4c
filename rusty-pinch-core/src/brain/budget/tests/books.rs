//! The pure books: no order of calls, days and jumps passes a cap or loses a token.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::book::{Books, Refusal};
use super::super::caps::{Amount, Used};
use super::*;

const SESSIONS: [&str; 2] = ["a", "b"];
const HOUR: i64 = 3_600_000;

/// One thing that happens to the books.
#[derive(Clone, Debug)]
enum Step {
    /// A call of this lane, session, turn and size asks to be made.
    Reserve { background: bool, session: usize, turn: u64, tokens: u64 },
    /// One of the calls under way ends, having taken this part (in percent) of what was expected.
    Settle { which: usize, percent: u64 },
    /// One of the calls under way turns out to have taken nothing.
    Release { which: usize },
    /// The clock moves, backwards too.
    Jump { hours: i64 },
    /// Calls whose time is over are counted.
    Close,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (any::<bool>(), 0..2_usize, 0..3_u64, 0..400_u64)
            .prop_map(|(background, session, turn, tokens)| Step::Reserve { background, session, turn, tokens }),
        3 => (0..8_usize, 0..=100_u64).prop_map(|(which, percent)| Step::Settle { which, percent }),
        1 => (0..8_usize).prop_map(|which| Step::Release { which }),
        1 => (-30..30_i64).prop_map(|hours| Step::Jump { hours }),
        1 => Just(Step::Close),
    ]
}

fn cap() -> impl Strategy<Value = CapLimit> {
    let tokens = prop::option::of(0..2000_u64);
    let money = prop::option::of((0..4000_u64).prop_map(Money::from_micros));
    (tokens, money).prop_map(|(tokens, money)| CapLimit { tokens, money })
}

fn caps() -> impl Strategy<Value = Caps> {
    (cap(), cap(), cap(), cap()).prop_map(|(turn, session, day, background_day)| Caps {
        turn,
        session,
        day,
        background_day,
    })
}

fn call(id: u64, now: Timestamp, lane: Lane, turn: TurnId, tokens: u64) -> OpenCall {
    let who = Answerer { brain: "lab".into(), model: "priced".into(), account: None };
    let usage = Usage { input_tokens: tokens, output_tokens: 0 };
    let reserved = Charge { usage, micros: Some(Money::from_micros(2 * tokens)), estimated: true };
    let until = now + std::time::Duration::from_secs(600);
    OpenCall { id, day: Day::of(now), lane, turn: Some(turn), who, reserved, until }
}

/// What was taken where, kept apart from the books.
type Truth = BTreeMap<String, u64>;

fn places(call: &OpenCall) -> [(String, CapScope); 3] {
    let turn = call.turn.as_ref().unwrap();
    let day = caps::day_scope(call.lane);
    [
        (format!("turn {} {}", turn.session, turn.opened_at), CapScope::Turn),
        (format!("session {}", turn.session), CapScope::Session),
        (format!("{} {}", day.name(), call.day), day),
    ]
}

fn count(truth: &mut Truth, call: &OpenCall, tokens: u64) {
    for (place, _) in places(call) {
        *truth.entry(place).or_default() += tokens;
    }
}

proptest! {
    #[test]
    fn b6_no_order_of_calls_passes_a_cap(caps in caps(), steps in prop::collection::vec(step(), 0..60)) {
        let mut books = Books::default();
        let mut now = Timestamp::from_millis(0);
        let (mut open, mut taken): (Vec<OpenCall>, Truth) = Default::default();
        for (id, step) in (0..).zip(steps) {
            match step {
                Step::Reserve { background, session, turn, tokens } => {
                    let lane = if background { Lane::Background } else { Lane::Interactive };
                    let turn = TurnId { session: SessionId::new(SESSIONS[session]).unwrap(), opened_at: Position::new(turn) };
                    let call = call(id, now, lane, turn, tokens);
                    if books.reserve(&call, &caps).is_ok() {
                        open.push(call);
                    }
                }
                Step::Settle { which, percent } if !open.is_empty() => {
                    let call = open.remove(which % open.len());
                    // One that was counted when its time was over is counted once.
                    let tokens = call.reserved.usage.input_tokens * percent / 100;
                    if books.open.holds(call.id) {
                        count(&mut taken, &call, tokens);
                    }
                    let usage = Usage { input_tokens: tokens, output_tokens: 0 };
                    let charge = Charge { usage, micros: Some(Money::from_micros(2 * tokens)), estimated: false };
                    books.settle(&call, Some((call.who.clone(), charge)));
                }
                Step::Release { which } if !open.is_empty() => {
                    let call = open.remove(which % open.len());
                    books.settle(&call, None);
                }
                Step::Jump { hours } => now = Timestamp::from_millis(now.as_millis() + hours * HOUR),
                Step::Close => {
                    let before: Vec<_> = open.iter().map(|call| books.used(call)).collect();
                    books.close_overdue(now);
                    let after: Vec<_> = open.iter().map(|call| books.used(call)).collect();
                    prop_assert_eq!(before, after, "counting what is overdue changes nothing that a cap sees");
                    for call in open.iter().filter(|call| !books.open.holds(call.id)) {
                        if call.until <= now && !taken.contains_key(&format!("closed {}", call.id)) {
                            taken.insert(format!("closed {}", call.id), 1);
                            count(&mut taken, call, call.reserved.usage.input_tokens);
                        }
                    }
                }
                _ => {}
            }
            let mut truth = taken.clone();
            open.iter().filter(|call| books.open.holds(call.id)).for_each(|call| count(&mut truth, call, call.reserved.usage.input_tokens));
            for call in &open {
                let Used { turn, session, day } = books.used(call);
                for ((place, scope), used) in places(call).into_iter().zip([turn, session, Some(day)]) {
                    let (used, limit) = (used.unwrap(), caps.of(scope));
                    prop_assert_eq!(used.tokens, *truth.get(&place).unwrap_or(&0), "{}", place);
                    prop_assert!(limit.tokens.is_none_or(|most| used.tokens <= most), "{} passed", place);
                    prop_assert!(limit.money.is_none_or(|most| used.money <= most), "{} passed", place);
                }
            }
        }
    }

    #[test]
    fn a_call_is_refused_exactly_when_it_would_pass_a_cap(
        limit in cap(), used in (0..2000_u64, 0..4000_u64), needed in (0..2000_u64, 0..4000_u64),
    ) {
        let amount = |(tokens, micros)| Amount { tokens, money: Money::from_micros(micros) };
        let (used, needed) = (amount(used), amount(needed));
        let total = used + needed;
        let fits = limit.tokens.is_none_or(|most| total.tokens <= most)
            && limit.money.is_none_or(|most| total.money <= most || needed.money == Money::ZERO);
        let day = Used { turn: None, session: None, day: used };
        prop_assert_eq!(Caps { day: limit, ..Caps::default() }.exceeded_by(Lane::Interactive, &day, needed).is_none(), fits);
        prop_assert_eq!(Caps { day: limit, ..Caps::default() }.exceeded_by(Lane::Background, &day, needed), None);
    }
}

#[test]
fn more_calls_than_the_books_take_are_refused_and_more_models_are_counted_together() {
    let mut books = Books::default();
    let turn = TurnId { session: SessionId::new("a").unwrap(), opened_at: Position::START };
    let reserve = |books: &mut Books, id| {
        books.reserve(&call(id, Timestamp::EPOCH, Lane::Interactive, turn.clone(), 1), &Caps::default())
    };
    for id in 0..bounds::OPEN_CALLS_MAX as u64 {
        assert_eq!(reserve(&mut books, id), Ok(()));
    }
    assert_eq!(reserve(&mut books, u64::MAX), Err(Refusal::Crowded));
    assert_eq!(reserve(&mut books, 7), Ok(()), "one that is in has its place");
    for id in 0..100 {
        let call = call(id, Timestamp::EPOCH, Lane::Interactive, turn.clone(), 1);
        let who = Answerer { model: format!("m{id}"), ..call.who.clone() };
        books.settle(&call, Some((who, call.reserved)));
    }
    let day = &books.days[&Day::of(Timestamp::EPOCH)];
    assert_eq!((day.rows.len(), day.spent(Lane::Interactive).tokens), (bounds::ROWS_MAX + 1, 100));
}
