//! A store and a brain that note when they were called.
//!
//! A turn asks the store for the pinned notes, makes the prompt, and asks the brain: what lies between the store's
//! answer and the question to the brain is the prompt.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use rusty_pinch_core::{
    Brain, BrainError, BrainInfo, Change, Completion, CompletionRequest, Deltas, Entry, Guard, JournalId, Key,
    KeyRange, LockName, MemoryStore, Page, Position, Record, Revision, Span, Store, StoreError,
};

use crate::FixedBrain;
use crate::stopwatch::{now, time};

/// Measures the way from the store's answer to the brain.
#[derive(Clone, Debug, Default)]
pub struct Probe {
    noted: Arc<Mutex<Noted>>,
}

#[derive(Debug, Default)]
struct Noted {
    answered: Option<Instant>,
    prompt: Duration,
    copied: Duration,
}

impl Probe {
    /// A brain that notes when it is asked, and how long copying the prompt's messages takes.
    pub fn brain(&self) -> impl Brain + use<> {
        ProbedBrain { inner: FixedBrain::default(), probe: self.clone() }
    }

    /// `store`, with the answers to its scans noted.
    pub fn store(&self, store: MemoryStore) -> impl Store + use<> {
        ProbedStore { inner: store, probe: self.clone() }
    }

    /// How long the last prompt took to make, and how long its copy took.
    pub fn take(&self) -> (Duration, Duration) {
        let noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        (noted.prompt, noted.copied)
    }

    fn asked(&self, request: &CompletionRequest) {
        let asked = now();
        let copied = time(|| request.messages.clone());
        let mut noted = self.noted.lock().unwrap_or_else(PoisonError::into_inner);
        noted.prompt = noted.answered.map_or(Duration::ZERO, |answered| asked - answered);
        noted.copied = copied;
    }

    fn answered<T>(&self, answer: T) -> T {
        self.noted.lock().unwrap_or_else(PoisonError::into_inner).answered = Some(now());
        answer
    }
}

#[derive(Debug)]
struct ProbedBrain {
    inner: FixedBrain,
    probe: Probe,
}

#[async_trait]
impl Brain for ProbedBrain {
    fn info(&self) -> &BrainInfo {
        self.inner.info()
    }
    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        self.probe.asked(request);
        self.inner.complete(request, deltas).await
    }
}

#[derive(Debug)]
struct ProbedStore {
    inner: MemoryStore,
    probe: Probe,
}

#[async_trait]
impl Store for ProbedStore {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        self.inner.lock(name, wait).await
    }
    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        self.inner.append(journal, at, entries).await
    }
    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        self.inner.read(journal, span).await
    }
    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        self.inner.commit(changes).await
    }
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.inner.get(key).await
    }
    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        let records = self.inner.scan(keys, limit).await;
        self.probe.answered(records)
    }
}
