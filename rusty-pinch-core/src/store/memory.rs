//! A store in memory, for embedding, tests and floors of benches.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;

use super::{
    Change, Entry, Guard, JournalId, Key, KeyRange, Line, Located, LockName, Page, Position, Record, Revision, Span,
    Store, StoreError,
};

/// Keeps everything in memory; gone when dropped. Clones share one memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryStore {
    shared: Arc<Shared>,
}

type Journal = Arc<Mutex<Vec<Arc<Entry>>>>;

/// One mutex per journal and per lock, so that sessions don't wait for each other.
#[derive(Debug, Default)]
struct Shared {
    locks: Mutex<HashMap<LockName, Arc<tokio::sync::Mutex<()>>>>,
    journals: Mutex<HashMap<JournalId, Journal>>,
    records: Mutex<Records>,
}

#[derive(Debug, Default)]
struct Records {
    last: u64,
    by_key: BTreeMap<Key, Record>,
}

/// A panic elsewhere leaves these maps whole: every change to them is one insertion or one extension.
fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn journal(&self, journal: &JournalId) -> Journal {
        Arc::clone(held(&self.shared.journals).entry(journal.clone()).or_default())
    }
}

fn end(entries: &[Arc<Entry>]) -> Position {
    Position::new(entries.len() as u64)
}

#[async_trait]
impl Store for MemoryStore {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        let mutex = Arc::clone(held(&self.shared.locks).entry(name.clone()).or_default());
        if let Ok(guard) = Arc::clone(&mutex).try_lock_owned() {
            return Ok(Guard::new(guard));
        }
        match tokio::time::timeout(wait, mutex.lock_owned()).await {
            Ok(guard) => Ok(Guard::new(guard)),
            Err(_) => Err(StoreError::Busy { name: name.clone(), waited: wait }),
        }
    }

    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        let shared = self.journal(journal);
        let mut lines = held(&shared);
        let found = end(&lines);
        if found != at {
            return Err(StoreError::Moved { journal: journal.clone(), expected: at, found });
        }
        lines.extend(entries.iter().cloned().map(Arc::new));
        Ok(end(&lines))
    }

    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        let shared = self.journal(journal);
        let entries = held(&shared);
        let range = span.indices(entries.len());
        let lines = range
            .clone()
            .zip(&entries[range])
            .map(|(index, entry)| Located { at: Position::new(index as u64), line: Line::Entry(Arc::clone(entry)) })
            .collect();
        Ok(Page { lines, end: end(&entries) })
    }

    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        let mut records = held(&self.shared.records);
        for change in changes {
            change.when.check(&change.key, records.by_key.get(&change.key).map(|record| record.revision))?;
        }
        records.last += 1;
        let revision = Revision::new(records.last);
        for change in changes {
            match &change.value {
                Some(value) => {
                    let record = Record { key: change.key.clone(), value: value.clone(), revision };
                    records.by_key.insert(change.key.clone(), record);
                }
                None => {
                    records.by_key.remove(&change.key);
                }
            }
        }
        Ok(revision)
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        Ok(held(&self.shared.records).by_key.get(key).cloned())
    }

    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        if keys.from >= keys.until {
            return Ok(Vec::new());
        }
        let records = held(&self.shared.records);
        Ok(records
            .by_key
            .range(keys.from.clone()..keys.until.clone())
            .take(limit)
            .map(|(_, record)| record.clone())
            .collect())
    }
}
