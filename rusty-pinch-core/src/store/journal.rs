//! Where entries are: journals, positions, pages.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Entry;
use crate::data::SessionId;

/// Names a journal. Every session has one, under its own name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JournalId(SessionId);

impl JournalId {
    /// The journal's name, which obeys the rules of [`SessionId`].
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl From<&SessionId> for JournalId {
    fn from(session: &SessionId) -> Self {
        Self(session.clone())
    }
}

impl fmt::Display for JournalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a lock.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LockName(Arc<str>);

impl LockName {
    /// The lock that the writer of a session's journal holds.
    pub fn session(session: &SessionId) -> Self {
        Self(format!("session:{session}").into())
    }

    /// The lock of the session whose journal this is.
    pub fn journal(journal: &JournalId) -> Self {
        Self::session(&journal.0)
    }

    /// The lock for a task of which only one may run on a store, such as `worker:telegram`.
    pub fn task(name: &str) -> Self {
        Self(format!("task:{name}").into())
    }

    /// The lock's name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LockName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A place in a journal. Opaque and increasing; it means something only to the store that gave it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Position(u64);

impl Position {
    /// The start of every journal.
    pub const START: Self = Self(0);

    /// For stores: the position with this number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// For stores: the position's number.
    pub const fn number(self) -> u64 {
        self.0
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Names a turn for ever: its session, and where its first entry begins.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TurnId {
    /// The session.
    pub session: SessionId,
    /// Where the entry that opened it begins.
    pub opened_at: Position,
}

/// Which lines of a journal to read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Span {
    /// The last `n` lines.
    Last(usize),
    /// Up to `n` lines from this position on.
    From(Position, usize),
    /// The last `n` lines that begin before this position.
    Before(Position, usize),
}

impl Span {
    /// Which indices of a journal that is held as a list, with positions `0, 1, 2, …`, the span covers.
    pub fn indices(self, len: usize) -> std::ops::Range<usize> {
        let index = |at: Position| usize::try_from(at.number()).unwrap_or(usize::MAX).min(len);
        match self {
            Self::Last(n) => len.saturating_sub(n)..len,
            Self::From(at, n) => index(at)..index(at).saturating_add(n).min(len),
            Self::Before(at, n) => index(at).saturating_sub(n)..index(at),
        }
    }
}

/// Lines of a journal, oldest first.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// The lines.
    pub lines: Vec<Located>,
    /// Where the journal ends: the position that the next append must name.
    pub end: Position,
}

impl Page {
    /// Whether the page begins at the journal's start, so that nothing lies before it.
    pub fn reaches_start(&self) -> bool {
        self.lines.first().map_or(self.end, |line| line.at) == Position::START
    }

    /// The entries that could be read, oldest first.
    pub fn entries(&self) -> impl Iterator<Item = &Arc<Entry>> {
        self.lines.iter().filter_map(|line| match &line.line {
            Line::Entry(entry) => Some(entry),
            _ => None,
        })
    }
}

/// A line and where it is.
#[derive(Clone, Debug, PartialEq)]
pub struct Located {
    /// Where the line begins.
    pub at: Position,
    /// The line.
    pub line: Line,
}

/// A line of a journal.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Line {
    /// An entry.
    Entry(Arc<Entry>),
    /// A line that can't be read: damaged, of an unknown kind, or torn at the journal's end. It may have been an
    /// intent, so an open turn that holds one is stopped.
    Unreadable {
        /// Why it can't be read.
        why: String,
    },
}
