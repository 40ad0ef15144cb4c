//! The store remembers: journals of what happened, and records of what is.
//!
//! A *journal* is an append-only list of [`Entry`]s, one per session, and the truth of that session. *Records* are
//! ordered keys with a value and a revision, and the truth of the rest (approvals, notes, inbox, outbox). The two have
//! no common transaction; the ordering rules in `docs/ARCHITECTURE.md` make every hop between them idempotent.
//!
//! Nothing outside this room knows how either is kept: no SQL, no file name and no offset leaves it.

mod entry;
mod error;
mod journal;
#[cfg(feature = "codex")]
pub(crate) mod lease;
#[cfg(feature = "sqlite")]
mod local;
mod memory;
mod record;
pub(crate) mod settings;

use std::any::Any;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

pub use entry::{Entry, Event, Verdict};
pub use error::StoreError;
pub use journal::{JournalId, Line, Located, LockName, Page, Position, Span, TurnId};
#[cfg(feature = "sqlite")]
pub use local::{JournalSurvey, LocalStore};
pub use memory::MemoryStore;
pub use record::{Change, Key, KeyRange, Precondition, Record, Revision};
pub use settings::StoreSettings;

/// Keeps journals and records.
///
/// # Contract
/// - **`lock`** is exclusive across processes that share the store. It is free again when the guard drops or its
///   process dies. It waits up to `wait`, then fails with [`StoreError::Busy`]. An append whose future was dropped has
///   ended before the lock of its session ([`LockName::journal`]) is taken by somebody else.
/// - **`append`** writes nothing unless the journal ends at `at` ([`StoreError::Moved`]). The entries are durable
///   before it returns `Ok` with the new end. After an error, or when the future is dropped, none, a prefix or all of
///   them may be there: read again before deciding anything. An empty `entries` only checks the position.
/// - **`read`** costs what it returns, not what the journal holds, and takes no lock. A line that can't be read comes
///   back in its place as [`Line::Unreadable`]. A journal that does not exist is empty.
/// - **`commit`** makes all changes or none. Every precondition is checked against the state before the commit; the
///   first that fails is reported as [`StoreError::Conflict`]. All its changes get one revision, larger than every
///   revision given before, deleted keys included. Durable before `Ok`; after an error or a drop: all or none.
/// - **`get`** and **`scan`** see one instant. `scan` returns at most `limit` records in key order.
#[async_trait]
pub trait Store: fmt::Debug + Send + Sync + 'static {
    /// Takes the lock `name`, waiting up to `wait`.
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError>;
    /// Appends `entries` to a journal that ends at `at`.
    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError>;
    /// Reads part of a journal, oldest line first.
    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError>;
    /// Makes `changes` together.
    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError>;
    /// The record under `key`.
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError>;
    /// The first `limit` records of `keys`, in key order.
    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError>;
}

#[async_trait]
impl<T: Store + ?Sized> Store for Arc<T> {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        (**self).lock(name, wait).await
    }
    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        (**self).append(journal, at, entries).await
    }
    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        (**self).read(journal, span).await
    }
    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        (**self).commit(changes).await
    }
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        (**self).get(key).await
    }
    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        (**self).scan(keys, limit).await
    }
}

/// A held lock; dropping it frees the lock.
pub struct Guard {
    _held: Box<dyn Any + Send + Sync>,
}

impl Guard {
    /// A guard that frees the lock by dropping `held`.
    pub fn new(held: impl Any + Send + Sync) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Guard")
    }
}
