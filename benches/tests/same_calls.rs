//! The floor of a turn makes the same calls as a turn: no fewer, or the ratio would flatter, and no more.

#![expect(clippy::unwrap_used, reason = "a failed check of a test panics")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use benches::direct::Parts;
use benches::{FixedBrain, MESSAGE, fill, session};
use rusty_pinch_core::{
    Agent, Brain, BrainError, BrainInfo, Change, Clock, Completion, CompletionRequest, Deltas, Entropy, Entry, Guard,
    JournalId, Key, KeyRange, LockName, MemoryStore, Page, Position, Record, Revision, Span, Store, StoreError,
    SystemClock, SystemEntropy, Timestamp,
};

/// Notes every call in one list.
#[derive(Clone, Debug)]
struct Noted<T> {
    inner: T,
    calls: Calls,
}

type Calls = Arc<Mutex<Vec<String>>>;

impl<T> Noted<T> {
    fn new(inner: T, calls: &Calls) -> Self {
        Self { inner, calls: Arc::clone(calls) }
    }

    fn note(&self, call: String) {
        self.calls.lock().unwrap().push(call);
    }
}

#[async_trait]
impl Brain for Noted<FixedBrain> {
    fn info(&self) -> &BrainInfo {
        self.inner.info()
    }
    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        self.note(format!("complete with {} tools", request.tools.len()));
        self.inner.complete(request, deltas).await
    }
}

#[async_trait]
impl Clock for Noted<SystemClock> {
    fn now(&self) -> Timestamp {
        self.note("now".to_owned());
        self.inner.now()
    }
    async fn sleep_until(&self, at: Timestamp) {
        self.note("sleep_until".to_owned());
        self.inner.sleep_until(at).await;
    }
}

impl Entropy for Noted<SystemEntropy> {
    fn fill(&self, bytes: &mut [u8]) {
        self.note("fill".to_owned());
        self.inner.fill(bytes);
    }
}

#[async_trait]
impl Store for Noted<MemoryStore> {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        self.note(format!("lock {name}"));
        self.inner.lock(name, wait).await
    }
    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        self.note(format!("append {}", entries.len()));
        self.inner.append(journal, at, entries).await
    }
    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        self.note(format!("read {span:?}"));
        self.inner.read(journal, span).await
    }
    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        self.note(format!("commit {}", changes.len()));
        self.inner.commit(changes).await
    }
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.note(format!("get {key}"));
        self.inner.get(key).await
    }
    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.note(format!("scan {} {limit}", keys.from));
        self.inner.scan(keys, limit).await
    }
}

#[tokio::test]
async fn the_floor_of_a_turn_makes_its_calls() {
    let (session, calls) = (session(0).unwrap(), Calls::default());
    let store = MemoryStore::new();
    fill(&store, &session, 10).await.unwrap();
    let agent = Agent::builder(Noted::new(FixedBrain::default(), &calls))
        .store(Noted::new(store, &calls))
        .clock(Noted::new(SystemClock, &calls))
        .entropy(Noted::new(SystemEntropy, &calls))
        .build();
    agent.turn(&session, MESSAGE).await.unwrap();
    let of_a_turn = std::mem::take(&mut *calls.lock().unwrap());

    let store = MemoryStore::new();
    fill(&store, &session, 10).await.unwrap();
    let parts = Parts {
        brain: Arc::new(Noted::new(FixedBrain::default(), &calls)),
        store: Arc::new(Noted::new(store.clone(), &calls)),
        clock: Arc::new(Noted::new(SystemClock, &calls)),
        entropy: Arc::new(Noted::new(SystemEntropy, &calls)),
        ..Parts::new(FixedBrain::default(), Arc::new(store))
    };
    parts.turn(&session, MESSAGE).await.unwrap();
    assert_eq!(*calls.lock().unwrap(), of_a_turn);
}
