//! The pool's record: read, changed by a pure function, written back if nobody else was faster.

use std::sync::Arc;

use crate::store::{Change, Key, Precondition, Store, StoreError};

use super::bounds::CONFLICTS_MAX;
use super::state::PoolState;

/// Where the state of the accounts is kept.
#[derive(Debug)]
pub(super) struct Records {
    store: Arc<dyn Store>,
    key: Key,
    /// Tasks of this process wait for each other instead of beating each other at commits.
    turn: tokio::sync::Mutex<()>,
}

impl Records {
    pub(super) fn new(store: Arc<dyn Store>) -> Self {
        Self { store, key: Key::new(["codex", "pool"]), turn: tokio::sync::Mutex::default() }
    }

    pub(super) async fn read(&self) -> Result<PoolState, StoreError> {
        let record = self.store.get(&self.key).await?;
        record.map_or_else(|| Ok(PoolState::default()), |record| record.parse())
    }

    /// Changes the state; durable when it returns. A change that changes nothing writes nothing.
    pub(super) async fn change<T>(&self, change: impl Fn(&mut PoolState) -> T) -> Result<T, StoreError> {
        let _turn = self.turn.lock().await;
        let mut tries = 0;
        loop {
            let record = self.store.get(&self.key).await?;
            let before: PoolState = record.as_ref().map_or_else(|| Ok(PoolState::default()), |found| found.parse())?;
            let mut after = before.clone();
            let told = change(&mut after);
            if after == before {
                return Ok(told);
            }
            let when = record.map_or(Precondition::Absent, |found| Precondition::Revision(found.revision));
            let value = serde_json::to_value(&after).map_err(|source| StoreError::Failed {
                what: "writing the Codex accounts".into(),
                source: source.into(),
            })?;
            match self.store.commit(&[Change::put(self.key.clone(), when, value)]).await {
                Ok(_) => return Ok(told),
                Err(StoreError::Conflict { .. }) if tries < CONFLICTS_MAX => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }
}
