//! Both stores keep the contract of `Store`.

#![allow(clippy::unwrap_used, reason = "a test that fails panics")]

use rusty_pinch_core::MemoryStore;
use rusty_pinch_core::testing::conformance;

#[tokio::test]
async fn the_store_in_memory_keeps_the_contract() {
    conformance::store(async || MemoryStore::new()).await;
}

#[cfg(feature = "sqlite")]
mod local {
    use rusty_pinch_core::LocalStore;

    use super::conformance;

    #[tokio::test]
    async fn the_store_on_disk_keeps_the_contract() {
        let folder = tempfile::tempdir().unwrap();
        let made = std::cell::Cell::new(0);
        conformance::store(async || {
            made.set(made.get() + 1);
            LocalStore::open(folder.path().join(made.get().to_string())).unwrap()
        })
        .await;
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn two_stores_on_one_folder_keep_the_contract_together() {
        let folder = tempfile::tempdir().unwrap();
        let made = std::sync::atomic::AtomicU32::new(0);
        conformance::store(async || {
            let n = made.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            Alternating::new(&folder.path().join(n.to_string()))
        })
        .await;
    }

    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    use rusty_pinch_core::{
        Change, Entry, Guard, JournalId, Key, KeyRange, LockName, Page, Position, Record, Revision, Span, Store,
        StoreError,
    };

    /// Two stores on one folder, used in turn: what holds for it holds between processes, as far as the files go.
    #[derive(Debug)]
    struct Alternating {
        stores: [LocalStore; 2],
        used: AtomicUsize,
    }

    impl Alternating {
        fn new(folder: &std::path::Path) -> Self {
            let stores = [(); 2].map(|()| LocalStore::open(folder).unwrap());
            Self { stores, used: AtomicUsize::new(0) }
        }

        fn next(&self) -> &LocalStore {
            &self.stores[self.used.fetch_add(1, Ordering::Relaxed) % 2]
        }
    }

    #[async_trait::async_trait]
    impl Store for Alternating {
        async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
            self.next().lock(name, wait).await
        }
        async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
            self.next().append(journal, at, entries).await
        }
        async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
            self.next().read(journal, span).await
        }
        async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
            self.next().commit(changes).await
        }
        async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
            self.next().get(key).await
        }
        async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
            self.next().scan(keys, limit).await
        }
    }
}
