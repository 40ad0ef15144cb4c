//! Bring your own store: here two maps behind one mutex. The conformance suite says whether it keeps the contract.
//!
//! `cargo run -p rusty-pinch-examples --bin own-store`

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use rusty_pinch_core::testing::conformance;
use rusty_pinch_core::{
    Agent, Change, Entry, Guard, JournalId, Key, KeyRange, Line, LocalBrain, Located, LockName, Page, Position, Record,
    Revision, Span, Store, StoreError,
};

#[derive(Debug, Default)]
struct TwoMaps {
    locks: Mutex<HashMap<LockName, Arc<tokio::sync::Mutex<()>>>>,
    data: Mutex<Data>,
}

#[derive(Debug, Default)]
struct Data {
    journals: HashMap<JournalId, Vec<Arc<Entry>>>,
    records: BTreeMap<Key, Record>,
    commits: u64,
}

impl TwoMaps {
    fn data(&self) -> MutexGuard<'_, Data> {
        self.data.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Store for TwoMaps {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        let lock = self.locks.lock().unwrap_or_else(PoisonError::into_inner).entry(name.clone()).or_default().clone();
        let held = tokio::time::timeout(wait, lock.lock_owned()).await;
        held.map(Guard::new).map_err(|_| StoreError::Busy { name: name.clone(), waited: wait })
    }

    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        let mut data = self.data();
        let lines = data.journals.entry(journal.clone()).or_default();
        let found = Position::new(lines.len() as u64);
        if found != at {
            return Err(StoreError::Moved { journal: journal.clone(), expected: at, found });
        }
        lines.extend(entries.iter().cloned().map(Arc::new));
        Ok(Position::new(lines.len() as u64))
    }

    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        let data = self.data();
        let entries = data.journals.get(journal).map_or(&[][..], Vec::as_slice);
        let located =
            |index| Located { at: Position::new(index as u64), line: Line::Entry(Arc::clone(&entries[index])) };
        Ok(Page { lines: span.indices(entries.len()).map(located).collect(), end: Position::new(entries.len() as u64) })
    }

    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        let mut data = self.data();
        for change in changes {
            change.when.check(&change.key, data.records.get(&change.key).map(|record| record.revision))?;
        }
        data.commits += 1;
        let revision = Revision::new(data.commits);
        for Change { key, value, .. } in changes.iter().cloned() {
            match value {
                Some(value) => drop(data.records.insert(key.clone(), Record { key, value, revision })),
                None => drop(data.records.remove(&key)),
            }
        }
        Ok(revision)
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        Ok(self.data().records.get(key).cloned())
    }

    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        let in_range = |record: &&Record| keys.contains(&record.key);
        Ok(self.data().records.values().filter(in_range).take(limit).cloned().collect())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    conformance::store(async || TwoMaps::default()).await;
    println!("the store keeps the contract");
    let agent = Agent::builder(LocalBrain::default()).store(TwoMaps::default()).build();
    agent.turn("demo", "remember that the bins go out on Tuesday").await?;
    println!("{}", agent.turn("demo", "list my notes").await?);
    Ok(())
}
