//! What a turn does next. Pure: the heart of the loop, and where its policy is tested.

use super::history::{Progress, TurnEnd, TurnState};
use super::limits::Limits;
use super::loop_guard;
use crate::data::{ApprovalToken, ToolCall};

/// The next step of a session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Step {
    /// Nothing was ever asked.
    Idle,
    /// A call began and its outcome is missing: close it as unknown.
    Repair(ToolCall),
    /// End the turn without an answer, for this reason.
    Stop(String),
    /// Run this call, or ask about it.
    Act(ToolCall),
    /// Ask the brain.
    Think,
    /// The turn is over: it waits for this approval.
    Ask(ApprovalToken),
    /// The turn is over: this is the answer.
    Answer(String),
    /// The turn is over: it was stopped for this reason.
    Stopped(String),
}

/// What to do next about the latest turn.
pub(crate) fn next_step(turn: Option<&TurnState>, limits: &Limits) -> Step {
    let Some(turn) = turn else { return Step::Idle };
    let first = |wanted: &Progress| turn.calls.iter().find(|state| state.progress == *wanted);
    match &turn.end {
        Some(TurnEnd::Answer(text)) => return Step::Answer(text.clone()),
        Some(TurnEnd::Parked(token)) => return Step::Ask(token.clone()),
        Some(TurnEnd::Stopped(why)) => return Step::Stopped(why.clone()),
        None => {}
    }
    // Before all else, and whatever the tool is called today: the journal says that it began.
    if let Some(state) = first(&Progress::Started) {
        return Step::Repair(state.call.clone());
    }
    if let Some(why) = &turn.damaged {
        return Step::Stop(format!(
            "a line of this turn can't be read ({why}), and it may have said that something was about to happen; \
             the turn ends here, and the next message begins a new one"
        ));
    }
    if let Some(state) = first(&Progress::Open) {
        return Step::Act(state.call.clone());
    }
    if let loop_guard::Verdict::Stop { period, repeats } = loop_guard::check(&turn.seen) {
        let what = if period == 1 { "the same call".to_owned() } else { format!("the same {period} calls") };
        return Step::Stop(format!("{what} gave the same result {repeats} times in a row"));
    }
    if turn.completions >= limits.completions_max {
        return Step::Stop(format!("the turn took {} completions, which is its limit", turn.completions));
    }
    Step::Think
}

#[cfg(test)]
mod tests;
