//! The open journal of one session: what was read of it, and what is to be appended.
//!
//! Entries are pushed at once and written at the next barrier, so that neighbours without an effect between them share
//! one append. Only the holder of the session's lock has a tape.

use std::sync::Arc;

use super::Parts;
use super::history::{TurnState, latest_turn, opens};
use super::limits::{MESSAGE_OVERHEAD_TOKENS, WINDOW_LINES, WINDOW_LINES_MAX};
use crate::data::{ApprovalToken, SessionId, Timestamp, ToolCall, estimate_tokens};
use crate::store::{Entry, Event, Guard, JournalId, Line, Located, LockName, Page, Position, Span, Store, StoreError};

pub(super) struct Tape {
    parts: Arc<Parts>,
    pub(super) session: SessionId,
    journal: JournalId,
    /// The journal's last lines, pending ones included.
    pub(super) lines: Vec<Located>,
    /// Where the journal ends in the store.
    end: Position,
    pending: Vec<Entry>,
    _held: Guard,
}

impl Tape {
    /// Takes the session's lock and reads back to the start of its latest turn.
    pub(super) async fn open(parts: &Arc<Parts>, session: &SessionId, deadline: Timestamp) -> Result<Self, StoreError> {
        let wait = parts.limits.lock_wait.min(deadline.since(parts.clock.now()));
        let held = parts.store.lock(&LockName::session(session), wait).await?;
        let journal = JournalId::from(session);
        let mut tape = Self {
            parts: Arc::clone(parts),
            session: session.clone(),
            journal,
            lines: Vec::new(),
            end: Position::START,
            pending: Vec::new(),
            _held: held,
        };
        tape.reread().await?;
        Ok(tape)
    }

    /// The latest turn.
    pub(super) fn turn(&self) -> Option<TurnState> {
        latest_turn(&self.lines)
    }

    /// Where the journal ends in the store.
    pub(super) fn end(&self) -> Position {
        self.end
    }

    /// Notes that something happened; it is written at the next [`flush`](Self::flush).
    pub(super) fn push(&mut self, event: Event) {
        let entry = event.at(self.parts.clock.now());
        self.lines.push(Located { at: self.end, line: Line::Entry(Arc::new(entry.clone())) });
        self.pending.push(entry);
    }

    /// Makes everything that was pushed durable.
    pub(super) async fn flush(&mut self) -> Result<(), StoreError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        self.end = self.parts.store.append(&self.journal, self.end, &self.pending).await?;
        self.pending.clear();
        Ok(())
    }

    /// Opens a turn: `event` durable, alone in its append, so that its position names the turn.
    pub(super) async fn open_turn(&mut self, event: &Event) -> Result<Position, StoreError> {
        self.flush().await?;
        let entry = event.clone().at(self.parts.clock.now());
        let end = self.parts.store.append(&self.journal, self.end, std::slice::from_ref(&entry)).await?;
        let at = std::mem::replace(&mut self.end, end);
        self.lines.push(Located { at, line: Line::Entry(Arc::new(entry)) });
        Ok(at)
    }

    /// Forgets what is not written, and looks at the journal again.
    pub(super) async fn reread(&mut self) -> Result<(), StoreError> {
        let Page { lines, end } = self.parts.store.read(&self.journal, Span::Last(WINDOW_LINES)).await?;
        (self.lines, self.end) = (lines, end);
        self.pending.clear();
        self.read_back_until(|lines| lines.iter().any(|line| opens(&line.line))).await
    }

    /// Reads further back until `enough`, the journal's start or the window's bound.
    pub(super) async fn read_back_until(&mut self, enough: impl Fn(&[Located]) -> bool) -> Result<(), StoreError> {
        loop {
            let first = self.lines.first().map_or(self.end, |line| line.at);
            // The cheap questions first: most journals are here as a whole.
            if first == Position::START || self.lines.len() >= WINDOW_LINES_MAX || enough(&self.lines) {
                return Ok(());
            }
            let page = self.parts.store.read(&self.journal, Span::Before(first, WINDOW_LINES)).await?;
            if page.lines.is_empty() {
                return Ok(());
            }
            self.lines.splice(0..0, page.lines);
        }
    }

    /// Reads back far enough for a prompt: to the last summary and what it does not cover, or until about `tokens`
    /// tokens of history are there.
    pub(super) async fn read_back_for_prompt(&mut self, tokens: usize) -> Result<(), StoreError> {
        self.read_back_until(|lines| {
            let first = lines.first().map(|line| line.at);
            let covered = lines.iter().rev().find_map(|line| match &line.line {
                Line::Entry(entry) => match &entry.event {
                    Event::Summary { through, .. } => Some(*through),
                    _ => None,
                },
                Line::Unreadable { .. } => None,
            });
            covered.is_some_and(|through| first.is_some_and(|first| first <= through)) || tokens_of(lines) >= tokens
        })
        .await
    }

    /// Whether a call may have begun under `token`: from `since` on a line says so, or can't be read.
    pub(super) async fn may_have_begun(&self, token: &ApprovalToken, since: Position) -> Result<bool, StoreError> {
        let mut from = since;
        loop {
            let page = self.parts.store.read(&self.journal, Span::From(from, WINDOW_LINES)).await?;
            let says_so = |line: &Located| match &line.line {
                Line::Entry(entry) => {
                    matches!(&entry.event, Event::Started { token: Some(found), .. } if found == token)
                }
                Line::Unreadable { .. } => true,
            };
            if page.lines.iter().any(says_so) {
                return Ok(true);
            }
            match page.lines.last() {
                // The next page begins with the line that ends this one.
                Some(last) if page.lines.len() == WINDOW_LINES => from = last.at,
                _ => return Ok(false),
            }
        }
    }

    /// The turn whose opening entry `wanted` accepts, looked for from `since` on, with how it stands.
    pub(super) async fn find_turn(
        &self,
        since: Position,
        wanted: impl Fn(&Event) -> bool,
    ) -> Result<Option<TurnState>, StoreError> {
        let mut found: Vec<Located> = Vec::new();
        let mut from = since;
        loop {
            let page = self.parts.store.read(&self.journal, Span::From(from, WINDOW_LINES)).await?;
            let full = page.lines.len() == WINDOW_LINES;
            let last = page.lines.last().map(|line| line.at);
            // A page begins with the line that ended the one before it.
            for line in page.lines.into_iter().filter(|line| from == since || line.at != from) {
                let event = match &line.line {
                    Line::Entry(entry) => Some(&entry.event),
                    Line::Unreadable { .. } => None,
                };
                match (found.is_empty(), opens(&line.line)) {
                    (true, _) if event.is_some_and(&wanted) => found.push(line),
                    (false, true) => return Ok(latest_turn(&found)),
                    (false, false) => found.push(line),
                    (true, _) => {}
                }
            }
            match last {
                Some(last) if full => from = last,
                _ => return Ok(latest_turn(&found)),
            }
        }
    }
}

/// About how many tokens the lines are in a prompt.
pub(super) fn tokens_of(lines: &[Located]) -> usize {
    lines
        .iter()
        .map(|line| match &line.line {
            Line::Entry(entry) => event_tokens(&entry.event),
            Line::Unreadable { .. } => 0,
        })
        .sum()
}

fn event_tokens(event: &Event) -> usize {
    let calls: usize = match event {
        Event::Assistant { calls, .. } => calls.iter().map(call_tokens).sum(),
        Event::Decided { call, .. } => call_tokens(call),
        _ => 0,
    };
    MESSAGE_OVERHEAD_TOKENS + estimate_tokens(event.content()) + calls
}

/// About how many tokens a call is in a prompt.
pub(super) fn call_tokens(call: &ToolCall) -> usize {
    estimate_tokens(&call.name) + estimate_tokens(&call.arguments.to_string())
}

#[cfg(test)]
mod tests;
