//! The contract of [`Store`]: locks here, journals and records in their own files.

use std::sync::Arc;
use std::time::Duration;

use super::{journals, records};
use crate::data::{SessionId, Timestamp};
use crate::store::{Entry, Event, JournalId, LockName, Page, Position, Span, Store, StoreError};

/// Long enough that only a lock which is never freed waits it out.
const LONG: Duration = Duration::from_secs(20);

/// Runs every clause of the contract of [`Store`]. `make` gives a store that holds nothing and shares nothing with
/// those that it gave before. Needs a tokio runtime with time.
///
/// ```
/// # use rusty_pinch_core::{MemoryStore, testing::conformance};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// conformance::store(async || MemoryStore::new()).await;
/// # }
/// ```
///
/// # Panics
/// When a clause does not hold.
pub async fn store<S: Store>(make: impl AsyncFn() -> S) {
    locks_exclude_by_name(&make().await).await;
    locks_wait_and_are_free_when_dropped(Arc::new(make().await)).await;
    waiting_for_a_lock_can_be_given_up(&make().await).await;
    journals::check(&make).await;
    records::check(&make).await;
}

async fn locks_exclude_by_name(store: &impl Store) {
    let names = [
        LockName::session(&session("a")),
        LockName::session(&session("A")),
        LockName::task("a"),
        LockName::task("../a"),
        LockName::task(&"long/".repeat(500)),
        LockName::task(&("long/".repeat(500) + "!")),
    ];
    let mut held = Vec::new();
    for name in &names {
        let guard = store.lock(name, Duration::ZERO).await;
        held.push(guard.unwrap_or_else(|error| panic!("a free lock is taken without waiting: {name}: {error}")));
    }
    for name in &names {
        match store.lock(name, Duration::from_millis(3)).await {
            Err(StoreError::Busy { name: busy, .. }) => assert_eq!(busy, *name, "Busy names the lock"),
            other => panic!("a held lock is Busy after the wait: {name}: {other:?}"),
        }
    }
    drop(held);
    for name in &names {
        store.lock(name, LONG).await.unwrap_or_else(|error| panic!("a dropped guard frees its lock: {error}"));
    }
}

async fn locks_wait_and_are_free_when_dropped<S: Store>(store: Arc<S>) {
    let name = LockName::task("shared");
    let inside = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let (store, name, inside) = (Arc::clone(&store), name.clone(), Arc::clone(&inside));
        tasks.spawn(async move {
            for _ in 0..3 {
                let guard = store.lock(&name, LONG).await.expect("who waits long enough gets the lock");
                assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0, "a lock has one holder");
                tokio::task::yield_now().await;
                inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                drop(guard);
            }
        });
    }
    while let Some(done) = tasks.join_next().await {
        done.unwrap();
    }
}

async fn waiting_for_a_lock_can_be_given_up(store: &impl Store) {
    let name = LockName::task("given-up");
    let held = store.lock(&name, LONG).await.unwrap();
    let given_up = tokio::time::timeout(Duration::from_millis(3), store.lock(&name, LONG)).await;
    assert!(given_up.is_err(), "a held lock keeps others waiting");
    drop(held);
    store.lock(&name, LONG).await.expect("a wait that was given up leaves nothing behind");
    for _ in 0..20 {
        let mut taking = Box::pin(store.lock(&name, LONG));
        let _ = poll_once(&mut taking).await;
        drop(taking);
    }
    store.lock(&name, LONG).await.expect("a lock that was given up while being taken is free");
}

/// Polls `future` once, and hands back what it gave.
pub(super) async fn poll_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Option<T> {
    let mut future = std::pin::Pin::new(future);
    std::future::poll_fn(|context| match future.as_mut().poll(context) {
        std::task::Poll::Ready(output) => std::task::Poll::Ready(Some(output)),
        std::task::Poll::Pending => std::task::Poll::Ready(None),
    })
    .await
}

pub(super) fn session(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

pub(super) fn journal(name: &str) -> JournalId {
    JournalId::from(&session(name))
}

pub(super) fn said(content: impl Into<String>) -> Entry {
    Event::User { content: content.into(), key: None }.at(Timestamp::from_millis(1_767_225_600_000))
}

pub(super) async fn all(store: &impl Store, journal: &JournalId) -> Page {
    store.read(journal, Span::From(Position::START, usize::MAX)).await.expect("a journal can be read")
}

pub(super) fn contents(page: &Page) -> Vec<String> {
    page.entries().map(|entry| entry.event.content().to_owned()).collect()
}
