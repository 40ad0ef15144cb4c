//! Breakers, kept in the store.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use super::limits::{REREAD_AFTER, SUCCESS_NOTED_EVERY, TRIES_MAX};
use super::{Breaker, BreakerPolicy, Permit};
use crate::brain::{Answerer, BrainError};
use crate::data::Timestamp;
use crate::store::{Change, Key, MemoryStore, Precondition, Record, Revision, Store, StoreError};

/// The breakers of providers, models and accounts, under the keys `breaker/<brain>/<account>/<model>`.
///
/// Each change is committed by revision, so processes that share a store share its breakers, and of any number that
/// want to probe one does. What another process changed is seen after 5 s at the latest. A store that fails stops no
/// answer: then the breakers of this process go on in memory, and the failure is logged. Clones are one.
#[derive(Clone)]
pub struct Breakers {
    shared: Arc<Shared>,
}

struct Shared {
    store: Arc<dyn Store>,
    policy: BreakerPolicy,
    known: Mutex<HashMap<Answerer, Known>>,
    changed: Notify,
}

/// What this process knows of a breaker.
#[derive(Clone, Debug)]
struct Known {
    breaker: Breaker,
    /// The revision under which the store has it; none when the store has none.
    revision: Option<Revision>,
    read_at: Timestamp,
    /// The store does not know it yet: it could not be written.
    is_unsaved: bool,
    /// The instant of the last answer that the store knows.
    noted_success_at: Option<Timestamp>,
}

impl Known {
    fn unread(now: Timestamp) -> Self {
        let breaker = Breaker::default();
        Self { breaker, revision: None, read_at: now, is_unsaved: false, noted_success_at: None }
    }
}

impl Breakers {
    /// Breakers kept in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_policy(store, BreakerPolicy::default())
    }

    /// The same with another policy.
    pub fn with_policy(store: Arc<dyn Store>, policy: BreakerPolicy) -> Self {
        Self { shared: Arc::new(Shared { store, policy, known: Mutex::default(), changed: Notify::new() }) }
    }

    /// Breakers that end with the process.
    pub fn in_memory() -> Self {
        Self::new(Arc::new(MemoryStore::new()))
    }

    /// When they open, and for how long.
    pub fn policy(&self) -> &BreakerPolicy {
        &self.shared.policy
    }

    /// How `who` answered lately.
    pub async fn look(&self, who: &Answerer, now: Timestamp) -> Breaker {
        self.known(who, now).await.breaker
    }

    /// Whether `who` may be asked. [`Permit::Probe`] is given to one caller at a time, which then says how it went;
    /// where it never does, the probe ends by itself after the policy's lease.
    pub async fn permit(&self, who: &Answerer, now: Timestamp) -> Permit {
        let permit = self.look(who, now).await.permit(now);
        if permit != Permit::Probe {
            return permit;
        }
        let mut permit = permit;
        self.change(who, now, |breaker| {
            // Somebody else may have begun to probe, or have found it well, since it was read.
            permit = breaker.permit(now);
            (permit == Permit::Probe).then(|| breaker.probing(now, &self.shared.policy))
        })
        .await;
        permit
    }

    /// Notes that `who` is asked although its breaker is open: like a probe, it keeps others from doing the same.
    pub(crate) async fn probe(&self, who: &Answerer, now: Timestamp) {
        self.change(who, now, |breaker| Some(breaker.probing(now, &self.shared.policy))).await;
    }

    /// Notes that `who` failed with `error`. `randomness` is 64 random bits.
    pub async fn failed(&self, who: &Answerer, error: &BrainError, now: Timestamp, randomness: u64) {
        self.change(who, now, |breaker| {
            let after = breaker.failed(error, now, &self.shared.policy, randomness);
            // A refused request or an exhausted budget says nothing about the provider, and costs no write.
            (after != *breaker).then_some(after)
        })
        .await;
    }

    /// Notes that `who` answered. Where nothing changes but the time of the last answer, it is written once a minute.
    pub async fn succeeded(&self, who: &Answerer, now: Timestamp) {
        let mut known = self.known(who, now).await;
        let is_recent = known.noted_success_at.is_some_and(|at| now.since(at) < SUCCESS_NOTED_EVERY);
        if known.breaker.failures == 0 && known.breaker.open_until.is_none() && is_recent {
            known.breaker = known.breaker.succeeded(now);
            self.keep(who, known);
            return;
        }
        self.change(who, now, |breaker| Some(breaker.succeeded(now))).await;
    }

    /// Closes the breaker of `who`, as an operator does who knows better; what it last failed with is kept.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be written.
    pub async fn reset(&self, who: &Answerer, now: Timestamp) -> Result<(), StoreError> {
        let mut last = None;
        for _ in 0..TRIES_MAX {
            let mut known = self.read(who, now).await?;
            let old = known.breaker;
            known.breaker = Breaker { last_success_at: old.last_success_at, ..old.succeeded(now) };
            match self.commit(who, &mut known).await {
                Ok(()) => {
                    self.keep(who, known);
                    return Ok(());
                }
                Err(error @ StoreError::Conflict { .. }) => last = Some(error),
                Err(error) => return Err(error),
            }
        }
        last.map_or(Ok(()), Err)
    }

    /// Ends when this process changes one of them.
    pub(crate) fn changed(&self) -> Notified<'_> {
        self.shared.changed.notified()
    }

    /// Applies `change` to the newest state. None from it leaves everything as it is.
    async fn change(&self, who: &Answerer, now: Timestamp, mut change: impl FnMut(&Breaker) -> Option<Breaker> + Send) {
        let mut known = self.known(who, now).await;
        for _ in 0..TRIES_MAX {
            let Some(after) = change(&known.breaker) else {
                self.keep(who, known);
                return;
            };
            known.breaker = after;
            match self.commit(who, &mut known).await {
                Ok(()) => {
                    self.keep(who, known);
                    return self.shared.changed.notify_waiters();
                }
                Err(StoreError::Conflict { .. }) => match self.read(who, now).await {
                    Ok(newest) => known = newest,
                    Err(error) => return self.go_on_without_store(who, known, &error),
                },
                Err(error) => return self.go_on_without_store(who, known, &error),
            }
        }
        tracing::warn!(brain = who.brain, "a breaker changed too often to be noted");
    }

    fn go_on_without_store(&self, who: &Answerer, known: Known, error: &StoreError) {
        tracing::warn!(brain = who.brain, %error, "a breaker can't be kept; it goes on in memory");
        self.keep(who, Known { is_unsaved: true, ..known });
        self.shared.changed.notify_waiters();
    }

    async fn commit(&self, who: &Answerer, known: &mut Known) -> Result<(), StoreError> {
        let key = key(who);
        let value = serde_json::to_value(&known.breaker)
            .map_err(|error| StoreError::Failed { what: format!("writing `{key}`"), source: error.into() })?;
        let when = known.revision.map_or(Precondition::Absent, Precondition::Revision);
        known.revision = Some(self.shared.store.commit(&[Change::put(key, when, value)]).await?);
        known.noted_success_at = known.breaker.last_success_at;
        known.is_unsaved = false;
        Ok(())
    }

    async fn known(&self, who: &Answerer, now: Timestamp) -> Known {
        let known = self.all().get(who).cloned();
        if let Some(known) = &known
            && now.since(known.read_at) < REREAD_AFTER
            && known.read_at <= now
        {
            return known.clone();
        }
        let newest = match (self.read(who, now).await, known) {
            // Nobody else changed it since this process could not write what it knows.
            (Ok(newest), Some(known)) if known.is_unsaved && known.revision == newest.revision => {
                Known { read_at: now, ..known }
            }
            (Ok(newest), _) => newest,
            (Err(error), known) => {
                tracing::warn!(brain = who.brain, %error, "a breaker can't be read; what is in memory goes on");
                Known { read_at: now, ..known.unwrap_or_else(|| Known::unread(now)) }
            }
        };
        self.keep(who, newest.clone());
        newest
    }

    async fn read(&self, who: &Answerer, now: Timestamp) -> Result<Known, StoreError> {
        let record = self.shared.store.get(&key(who)).await?;
        let breaker: Breaker = match record.as_ref().map(Record::parse) {
            None => Breaker::default(),
            Some(Ok(breaker)) => breaker,
            Some(Err(error)) => {
                tracing::warn!(%error, "a breaker begins anew");
                Breaker::default()
            }
        };
        let noted_success_at = breaker.last_success_at;
        let revision = record.map(|record| record.revision);
        Ok(Known { breaker, revision, noted_success_at, ..Known::unread(now) })
    }

    fn keep(&self, who: &Answerer, known: Known) {
        let mut all = self.all();
        // Another task of this process may have committed a later state meanwhile.
        if all.get(who).is_none_or(|kept| kept.revision <= known.revision) {
            all.insert(who.clone(), known);
        }
    }

    fn all(&self) -> MutexGuard<'_, HashMap<Answerer, Known>> {
        self.shared.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(who: &Answerer) -> Key {
    Key::new(["breaker", who.brain.as_str(), who.account.as_deref().unwrap_or_default(), who.model.as_str()])
}

impl fmt::Debug for Breakers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Breakers").field("policy", &self.shared.policy).finish_non_exhaustive()
    }
}
