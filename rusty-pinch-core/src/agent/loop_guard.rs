//! Notices a model that goes round in circles. Pure.

use super::limits::{CYCLE_PERIOD_MAX, REPEATS_STOPPED, REPEATS_WARNED};
use crate::data::{CallOutcome, Sha256Digest, ToolCall, canonical_json};

/// A call with its result, reduced to what tells two of them apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Seen(Sha256Digest);

impl Seen {
    pub(crate) fn new(call: &ToolCall, outcome: &CallOutcome) -> Self {
        let parts = [&call.name, &canonical_json(&call.arguments), &outcome.content];
        // Lengths keep `("ab", "c")` and `("a", "bc")` apart.
        let text = parts.iter().map(|part| format!("{}:{part}", part.len())).collect::<String>();
        Self(Sha256Digest::of(text.as_bytes()))
    }

    #[cfg(test)]
    pub(crate) fn of(byte: u8) -> Self {
        Self(Sha256Digest::of(&[byte]))
    }
}

/// What to do about the calls of a turn so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Nothing.
    Fine,
    /// Tell the model: the last `period` calls gave the same results this many times in a row.
    Warn { period: usize, repeats: usize },
    /// End the turn.
    Stop { period: usize, repeats: usize },
}

/// Judges the calls of a turn, oldest first.
///
/// Only the end counts: the last 1 to 4 calls with the same arguments *and* the same results, again and again without
/// anything else between. A poll whose answer changes starts anew.
pub(crate) fn check(seen: &[Seen]) -> Verdict {
    let mut worst = Verdict::Fine;
    for period in 1..=CYCLE_PERIOD_MAX.min(seen.len()) {
        let (_, cycle) = seen.split_at(seen.len() - period);
        let repeats = seen.rchunks_exact(period).take_while(|chunk| *chunk == cycle).count();
        if repeats >= REPEATS_STOPPED {
            return Verdict::Stop { period, repeats };
        }
        if repeats >= REPEATS_WARNED && worst == Verdict::Fine {
            worst = Verdict::Warn { period, repeats };
        }
    }
    worst
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_bytes(calls: &[u8], expected: Verdict) {
        let seen: Vec<_> = calls.iter().copied().map(Seen::of).collect();
        assert_eq!(check(&seen), expected, "{calls:?}");
    }

    #[test]
    fn the_same_call_with_the_same_result_is_warned_about_then_stopped() {
        check_bytes(&[], Verdict::Fine);
        check_bytes(&[1, 1], Verdict::Fine);
        check_bytes(&[1, 1, 1], Verdict::Warn { period: 1, repeats: 3 });
        check_bytes(&[2, 1, 1, 1, 1], Verdict::Warn { period: 1, repeats: 4 });
        check_bytes(&[1, 1, 1, 1, 1], Verdict::Stop { period: 1, repeats: 5 });
    }

    #[test]
    fn cycles_of_two_to_four_are_found() {
        for period in 2..=4_u8 {
            let cycle: Vec<u8> = (0..period).collect();
            check_bytes(&cycle.repeat(2), Verdict::Fine);
            check_bytes(&cycle.repeat(3), Verdict::Warn { period: period.into(), repeats: 3 });
            check_bytes(&cycle.repeat(5), Verdict::Stop { period: period.into(), repeats: 5 });
        }
    }

    #[test]
    fn polling_whose_answer_changes_is_left_alone() {
        let polls: Vec<u8> = (0..100).collect();
        check_bytes(&polls, Verdict::Fine);
        check_bytes(&[1, 1, 2, 1, 1, 2, 3, 1, 1], Verdict::Fine);
    }
}
