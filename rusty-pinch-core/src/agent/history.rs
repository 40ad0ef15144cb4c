//! What the journal says about the turn under way. Pure: lines in, state out.

use super::loop_guard::Seen;
use crate::data::{ApprovalToken, CallId, CallOutcome, OutcomeStatus, ToolCall};
use crate::store::{Event, Line, Located, Position, Verdict};

/// The latest turn of a session.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct TurnState {
    /// Where its first entry is: the turn's name for ever.
    pub(crate) opened_at: Position,
    pub(crate) opener: Opener,
    /// Completions so far.
    pub(crate) completions: usize,
    /// The calls of the last completion that had any, or the call that a verdict was about.
    pub(crate) calls: Vec<CallState>,
    pub(crate) end: Option<TurnEnd>,
    /// Why a line of the turn can't be read, if one can't.
    pub(crate) damaged: Option<String>,
    /// Calls with their results since the person last spoke, for the loop guard.
    pub(crate) seen: Vec<Seen>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Opener {
    Message { text: String },
    Verdict { token: ApprovalToken, verdict: Verdict },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct CallState {
    pub(crate) call: ToolCall,
    pub(crate) progress: Progress,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Progress {
    /// Nothing happened yet, or nothing that counts when it happens again.
    Open,
    /// Its effect may have begun.
    Started,
    /// It waits for an approval; for this turn it is closed.
    Asked(ApprovalToken),
    /// It has an outcome.
    Closed { status: OutcomeStatus, content: String },
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum TurnEnd {
    Answer(String),
    Parked(ApprovalToken),
    Stopped(String),
}

/// Whether the line opens a turn.
pub(crate) fn opens(line: &Line) -> bool {
    matches!(line, Line::Entry(entry) if matches!(entry.event, Event::User { .. } | Event::Decided { .. }))
}

/// The latest turn in `lines`, or none when no turn was ever opened in them.
pub(crate) fn latest_turn(lines: &[Located]) -> Option<TurnState> {
    let first = lines.iter().rposition(|line| opens(&line.line))?;
    let (before, turn) = lines.split_at(first);
    let mut state = TurnState::opened(turn.first()?)?;
    if matches!(state.opener, Opener::Verdict { .. }) {
        state.seen.splice(0..0, seen_before(before));
    }
    for line in turn.iter().skip(1) {
        state.apply(&line.line);
    }
    Some(state)
}

/// The calls and results of the turns that led to a verdict: an endless loop must not hide behind approvals.
fn seen_before(lines: &[Located]) -> Vec<Seen> {
    let is_message =
        |line: &Located| matches!(&line.line, Line::Entry(entry) if matches!(entry.event, Event::User { .. }));
    let Some(first) = lines.iter().rposition(is_message) else { return Vec::new() };
    let mut states = lines.iter().skip(first).fold(Vec::<TurnState>::new(), |mut states, line| {
        match (opens(&line.line), states.last_mut()) {
            (true, _) => states.extend(TurnState::opened(line)),
            (false, Some(state)) => state.apply(&line.line),
            (false, None) => {}
        }
        states
    });
    states.iter_mut().flat_map(|state| std::mem::take(&mut state.seen)).collect()
}

impl TurnState {
    fn opened(line: &Located) -> Option<Self> {
        let Line::Entry(entry) = &line.line else { return None };
        let (opener, calls) = match &entry.event {
            Event::User { content, .. } => (Opener::Message { text: content.clone() }, Vec::new()),
            Event::Decided { token, verdict, call, .. } => {
                let calls = match verdict {
                    Verdict::Approved => vec![CallState { call: call.clone(), progress: Progress::Open }],
                    Verdict::Rejected => Vec::new(),
                };
                (Opener::Verdict { token: token.clone(), verdict: *verdict }, calls)
            }
            _ => return None,
        };
        let seen = match &entry.event {
            // Asking for the same again after a refusal is going in circles too.
            Event::Decided { verdict: Verdict::Rejected, call, content, .. } => {
                let outcome = CallOutcome { status: OutcomeStatus::Refused, content: content.clone() };
                vec![Seen::new(call, &outcome)]
            }
            _ => Vec::new(),
        };
        Some(Self { opened_at: line.at, opener, completions: 0, calls, end: None, damaged: None, seen })
    }

    fn apply(&mut self, line: &Line) {
        let event = match line {
            Line::Entry(entry) => &entry.event,
            Line::Unreadable { why } => {
                self.damaged = Some(why.clone());
                return;
            }
        };
        match event {
            Event::Assistant { content, calls, .. } => {
                self.completions += 1;
                if calls.is_empty() {
                    self.end = Some(TurnEnd::Answer(content.clone()));
                } else {
                    // Where the line that opened this turn can't be read, the turn before it looked ended.
                    self.end = None;
                    let open = |call: &ToolCall| CallState { call: call.clone(), progress: Progress::Open };
                    self.calls = calls.iter().map(open).collect();
                }
            }
            Event::Started { call, .. } => self.advance(call, Progress::Started),
            Event::Asked { call, token, .. } => self.advance(call, Progress::Asked(token.clone())),
            Event::Tool { call, outcome, .. } => {
                if let Some(state) = self.calls.iter().find(|state| state.call.id == *call) {
                    self.seen.push(Seen::new(&state.call, outcome));
                }
                let (status, content) = (outcome.status, outcome.content.clone());
                self.advance(call, Progress::Closed { status, content });
            }
            Event::Stopped { content } => self.end = Some(TurnEnd::Stopped(content.clone())),
            Event::Summary { .. } | Event::User { .. } | Event::Decided { .. } => {}
        }
    }

    fn advance(&mut self, id: &CallId, progress: Progress) {
        // Our ids are unique; a hand-written line that repeats one must not leave a call open for ever.
        for state in self.calls.iter_mut().filter(|state| state.call.id == *id) {
            state.progress.clone_from(&progress);
        }
        let waiting = self.calls.iter().find_map(|state| match &state.progress {
            Progress::Asked(token) => Some(token.clone()),
            _ => None,
        });
        let settled = |state: &CallState| matches!(state.progress, Progress::Asked(_) | Progress::Closed { .. });
        if let (Some(token), true) = (waiting, self.calls.iter().all(settled)) {
            self.end = Some(TurnEnd::Parked(token));
        }
    }

    /// The approval that `call` may run under, when the turn was opened by one.
    pub(crate) fn approval_of(&self, call: &ToolCall) -> Option<&ApprovalToken> {
        match &self.opener {
            Opener::Verdict { token, verdict: Verdict::Approved } if self.completions == 0 => {
                self.calls.iter().any(|state| state.call.id == call.id).then_some(token)
            }
            _ => None,
        }
    }
}
