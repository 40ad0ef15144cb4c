//! The books in a store, changed by commits that name the revisions they saw.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::book::{Books, DayBook, Needs, OpenBook, OpenCall, Refusal};
use super::bounds::{DAYS_DROPPED_MAX, DAYS_KEPT, OPEN_CALLS_MAX, RACES_MAX};
use super::caps::{Caps, Exceeded};
use super::day::Day;
use crate::brain::Answerer;
use crate::data::{SessionId, Timestamp};
use crate::store::{Change, Key, KeyRange, Precondition, Revision, Store, StoreError};

use super::book::Charge;

/// Why the ledger can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LedgerError {
    /// The store failed.
    #[error("the record of what was spent can't be read or written")]
    Store(#[from] StoreError),
    /// Others changed it each time before this change could be made.
    #[error("the record of what was spent was changed by others {races} times in a row; try again")]
    Contended {
        /// How often it was tried.
        races: usize,
    },
    /// Too many calls are under way.
    #[error(
        "{calls_max} calls to brains are under way on this store, which are the most; try again when some are done"
    )]
    Crowded {
        /// The bound.
        calls_max: usize,
    },
}

/// Whether a call was allowed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Allowed,
    Exceeded(Exceeded),
}

/// The books of one store.
///
/// Every change reads the calls under way first and writes them last, with the revision that it read: two changes can't
/// both be made on the same state, whichever processes they come from.
#[derive(Debug)]
pub(super) struct Ledger {
    store: Arc<dyn Store>,
    /// Lets the changes of this process queue in order instead of racing each other.
    gate: tokio::sync::Mutex<()>,
}

/// The books as they were read.
struct Seen {
    books: Books,
    revisions: BTreeMap<Key, Revision>,
}

impl Ledger {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, gate: tokio::sync::Mutex::default() }
    }

    /// Reserves what `call` may take, durably, unless `caps` don't allow it.
    pub(super) async fn reserve(&self, call: &OpenCall, caps: &Caps, now: Timestamp) -> Result<Verdict, LedgerError> {
        let verdict = self.change_once(call, now, |books| books.reserve(call, caps)).await?;
        match verdict {
            Ok(()) => Ok(Verdict::Allowed),
            Err(Refusal::Exceeded(over)) => Ok(Verdict::Exceeded(over)),
            Err(Refusal::Crowded) => Err(LedgerError::Crowded { calls_max: OPEN_CALLS_MAX }),
        }
    }

    /// Ends a reservation; `took` is what the call took, none for nothing.
    pub(super) async fn settle(
        &self,
        call: &OpenCall,
        took: Option<(Answerer, Charge)>,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let settled = self.change_once(call, now, |books| {
            books.settle(call, took.clone());
            Ok::<_, Refusal>(())
        });
        settled.await.map(|_| ())
    }

    /// Counts a call that was not reserved.
    pub(super) async fn count(
        &self,
        call: &OpenCall,
        who: &Answerer,
        charge: Charge,
        now: Timestamp,
    ) -> Result<(), LedgerError> {
        let counted = self.change(call, now, |books| {
            books.count(call, who, charge);
            Ok::<_, Refusal>(())
        });
        counted.await.map(|_| ())
    }

    /// The calls under way, and what a day took.
    pub(super) async fn look(&self, day: Day) -> Result<(OpenBook, DayBook), StoreError> {
        let open = self.read(&open_key()).await?.0;
        Ok((open, self.read(&day_key(day)).await?.0))
    }

    /// Makes a change that the id of `call` makes at most once. Whether a change that failed was made is not known; making
    /// it again tells, and mends what passes by itself.
    async fn change_once<E>(
        &self,
        call: &OpenCall,
        now: Timestamp,
        decide: impl Fn(&mut Books) -> Result<(), E>,
    ) -> Result<Result<(), E>, LedgerError> {
        match self.change(call, now, &decide).await {
            Err(LedgerError::Store(error)) => {
                tracing::debug!(%error, "a change of the ledger failed and is made once more");
                self.change(call, now, &decide).await
            }
            other => other,
        }
    }

    /// Makes one change of the books that `call` touches. What `decide` refuses changes nothing.
    async fn change<E>(
        &self,
        call: &OpenCall,
        now: Timestamp,
        decide: impl Fn(&mut Books) -> Result<(), E>,
    ) -> Result<Result<(), E>, LedgerError> {
        let _queue = self.gate.lock().await;
        for _ in 0..RACES_MAX {
            let seen = self.see(call, now).await?;
            let mut books = seen.books.clone();
            books.close_overdue(now);
            if let Err(refusal) = decide(&mut books) {
                return Ok(Err(refusal));
            }
            let mut changes = seen.changes_to(&books)?;
            changes.extend(self.days_to_drop(&seen, &books).await?);
            match self.store.commit(&changes).await {
                Ok(_) => return Ok(Ok(())),
                Err(StoreError::Conflict { .. }) => tokio::task::yield_now().await,
                Err(error) => return Err(error.into()),
            }
        }
        Err(LedgerError::Contended { races: RACES_MAX })
    }

    /// Reads the books that closing overdue calls and counting `call` take. The calls under way come first: whatever
    /// changes after that changes them too.
    async fn see(&self, call: &OpenCall, now: Timestamp) -> Result<Seen, StoreError> {
        let mut revisions = BTreeMap::new();
        let mut note = |key: Key, revision: Option<Revision>| {
            if let Some(revision) = revision {
                revisions.insert(key, revision);
            }
        };
        let (open, revision): (OpenBook, _) = self.read(&open_key()).await?;
        note(open_key(), revision);
        let Needs { days, sessions } = open.needs(call, now);
        let mut books = Books { open, ..Books::default() };
        for day in days {
            let key = day_key(day);
            let (book, revision) = self.read(&key).await?;
            books.days.insert(day, book);
            note(key, revision);
        }
        for session in sessions {
            let key = session_key(&session);
            let (book, revision) = self.read(&key).await?;
            books.sessions.insert(session, book);
            note(key, revision);
        }
        Ok(Seen { books, revisions })
    }

    async fn read<T: DeserializeOwned + Default>(&self, key: &Key) -> Result<(T, Option<Revision>), StoreError> {
        match self.store.get(key).await? {
            Some(record) => Ok((record.parse()?, Some(record.revision))),
            None => Ok((T::default(), None)),
        }
    }

    /// Days beyond those that are kept, when a new one begins. They are counted and not dated, so that a clock that jumps
    /// does not empty the books.
    async fn days_to_drop(&self, seen: &Seen, books: &Books) -> Result<Vec<Change>, StoreError> {
        let begins =
            |(day, book): (&Day, &DayBook)| !book.rows.is_empty() && !seen.revisions.contains_key(&day_key(*day));
        if !books.days.iter().any(begins) {
            return Ok(Vec::new());
        }
        let kept = self.store.scan(&KeyRange::under(DAYS), DAYS_KEPT + DAYS_DROPPED_MAX).await?;
        let surplus = (kept.len() + 1).saturating_sub(DAYS_KEPT);
        let oldest = kept.into_iter().take(surplus).map(|record| record.key);
        let is_needed = |key: &Key| books.days.keys().any(|day| day_key(*day) == *key);
        Ok(oldest.filter(|key| !is_needed(key)).map(|key| Change::delete(key, Precondition::None)).collect())
    }
}

impl Seen {
    /// The changes that make `books` of what was seen. Calls under way are always among them.
    fn changes_to(&self, books: &Books) -> Result<Vec<Change>, StoreError> {
        let mut changes = vec![self.change(open_key(), &books.open)?];
        for (day, book) in &books.days {
            if self.books.days.get(day) != Some(book) {
                changes.push(self.change(day_key(*day), book)?);
            }
        }
        for (session, book) in &books.sessions {
            if self.books.sessions.get(session) != Some(book) {
                changes.push(self.change(session_key(session), book)?);
            }
        }
        Ok(changes)
    }

    fn change(&self, key: Key, book: &impl Serialize) -> Result<Change, StoreError> {
        let value = serde_json::to_value(book).map_err(|error| StoreError::Failed {
            what: format!("putting the record `{key}` into words"),
            source: error.into(),
        })?;
        let when = self.revisions.get(&key).map_or(Precondition::Absent, |revision| Precondition::Revision(*revision));
        Ok(Change::put(key, when, value))
    }
}

const DAYS: [&str; 2] = ["budget", "day"];

fn open_key() -> Key {
    Key::new(["budget", "open"])
}

fn day_key(day: Day) -> Key {
    Key::new(["budget", "day", &day.to_string()])
}

fn session_key(session: &SessionId) -> Key {
    Key::new(["budget", "session", session.as_str()])
}
