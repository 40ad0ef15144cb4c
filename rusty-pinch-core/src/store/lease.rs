//! Work that is claimed for a while: rows that one process at a time works on, and that outlive it.
//!
//! A row is open until it is finished. A claim holds it until an instant; who holds it renews that. When the instant
//! passes, the row is anybody's again, and the revision of its record is the fence: whatever a holder of before writes
//! is refused. Attempts are counted when they begin, so that a row that kills its holder is counted too. What a row is
//! about is its body; which row is next and what becomes of it is the business of whoever owns the table.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::{Change, Key, KeyRange, Precondition, Revision, Store, StoreError};
use crate::data::Timestamp;

/// The longest that a row is held without a sign of life.
const HELD_MAX: Duration = Duration::from_secs(600);
/// The longest that a row is put off: a month, as the longest quota of a provider, and a day.
const PUT_OFF_MAX: Duration = Duration::from_secs(32 * 24 * 3600);

/// A row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Row<T> {
    /// Its number; unique in its table.
    pub(crate) id: u64,
    pub(crate) enqueued_at: Timestamp,
    /// Attempts begun.
    pub(crate) attempts: u32,
    /// Not before this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) not_before: Option<Timestamp>,
    /// Somebody works on it, until this instant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) held_until: Option<Timestamp>,
    /// Why the last attempt came to nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) last_error: Option<String>,
    pub(crate) body: T,
}

impl<T> Row<T> {
    /// A row that nobody has worked on.
    pub(crate) fn new(id: u64, enqueued_at: Timestamp, body: T) -> Self {
        Self { id, enqueued_at, attempts: 0, not_before: None, held_until: None, last_error: None, body }
    }

    /// When it may be claimed, at the earliest.
    pub(crate) fn claimable_at(&self) -> Timestamp {
        self.held_until.or(self.not_before).unwrap_or(self.enqueued_at)
    }

    /// Whether it may be claimed at `now`. A row is never due before its time because a clock was set back: only what
    /// was put off or is held waits, and none for longer than anybody holds a row or puts it off: a later instant was
    /// written by a clock that was wrong.
    pub(crate) fn is_claimable(&self, now: Timestamp) -> bool {
        match (self.held_until, self.not_before) {
            (Some(_), _) => !self.is_held(now),
            (None, Some(at)) => at <= now || now + PUT_OFF_MAX < at,
            (None, None) => true,
        }
    }

    /// Whether somebody works on it at `now`.
    pub(crate) fn is_held(&self, now: Timestamp) -> bool {
        self.held_until.is_some_and(|until| now < until && until <= now + HELD_MAX)
    }
}

/// A row as it was seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ticket<T> {
    pub(crate) revision: Revision,
    pub(crate) row: Row<T>,
}

/// A row that is held.
#[derive(Debug)]
pub(crate) struct Lease<T> {
    fence: Revision,
    pub(crate) row: Row<T>,
}

/// The open rows of one kind.
#[derive(Clone, Debug)]
pub(crate) struct LeaseTable {
    store: Arc<dyn Store>,
    prefix: &'static [&'static str],
}

impl LeaseTable {
    /// The table whose rows are under `prefix`.
    pub(crate) fn new(store: Arc<dyn Store>, prefix: &'static [&'static str]) -> Self {
        Self { store, prefix }
    }

    pub(crate) fn store(&self) -> &dyn Store {
        &*self.store
    }

    /// The open rows as of one instant, at most `limit`, in the order of their numbers.
    pub(crate) async fn open<T: DeserializeOwned>(&self, limit: usize) -> Result<Vec<Ticket<T>>, StoreError> {
        let records = self.store.scan(&KeyRange::under(self.prefix.iter().copied()), limit).await?;
        records.iter().map(|record| Ok(Ticket { revision: record.revision, row: record.parse()? })).collect()
    }

    /// The change that adds `row`.
    pub(crate) fn added<T: Serialize>(&self, row: &Row<T>) -> Result<Change, StoreError> {
        Ok(Change::put(self.key(row.id), Precondition::Absent, value(row)?))
    }

    /// The lease on a row that was added as held, by a commit that got `fence`.
    pub(crate) fn leased<T>(row: Row<T>, fence: Revision) -> Lease<T> {
        Lease { fence, row }
    }

    /// Holds the row of `ticket` until `until`; none when it has changed since it was seen.
    pub(crate) async fn claim<T: Serialize>(
        &self,
        ticket: Ticket<T>,
        until: Timestamp,
    ) -> Result<Option<Lease<T>>, StoreError> {
        let Ticket { revision, mut row } = ticket;
        row.attempts = row.attempts.saturating_add(1);
        row.held_until = Some(until);
        let fence = self.put(&row, revision).await?;
        Ok(fence.map(|fence| Lease { fence, row }))
    }

    /// Holds on until `until`; false when the row is somebody else's by now.
    pub(crate) async fn renew<T: Serialize>(&self, lease: &mut Lease<T>, until: Timestamp) -> Result<bool, StoreError> {
        lease.row.held_until = Some(until);
        let fence = self.put(&lease.row, lease.fence).await?;
        lease.fence = fence.unwrap_or(lease.fence);
        Ok(fence.is_some())
    }

    /// Lets go of the row, not to be claimed before `not_before`; false when it is somebody else's by now.
    pub(crate) async fn release<T: Serialize>(
        &self,
        lease: Lease<T>,
        not_before: Option<Timestamp>,
    ) -> Result<bool, StoreError> {
        let row = Row { held_until: None, not_before, ..lease.row };
        Ok(self.put(&row, lease.fence).await?.is_some())
    }

    /// Closes the row together with `more`; false when it is somebody else's by now.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when a precondition of `more` does not hold; the lease stands then.
    pub(crate) async fn finish<T>(&self, lease: &Lease<T>, more: Vec<Change>) -> Result<bool, StoreError> {
        let key = self.key(lease.row.id);
        let mut changes = vec![Change::delete(key.clone(), Precondition::Revision(lease.fence))];
        changes.extend(more);
        match self.store.commit(&changes).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { key: conflicting, .. }) if conflicting == key => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn put<T: Serialize>(&self, row: &Row<T>, when: Revision) -> Result<Option<Revision>, StoreError> {
        let change = Change::put(self.key(row.id), Precondition::Revision(when), value(row)?);
        match self.store.commit(&[change]).await {
            Ok(revision) => Ok(Some(revision)),
            Err(StoreError::Conflict { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn key(&self, id: u64) -> Key {
        let number = format!("{id:020}");
        Key::new(self.prefix.iter().copied().chain([number.as_str()]))
    }
}

/// `data` as a record's value.
pub(crate) fn value(data: &impl Serialize) -> Result<serde_json::Value, StoreError> {
    serde_json::to_value(data)
        .map_err(|source| StoreError::Failed { what: "writing a row of work".into(), source: source.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::MemoryStore;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_millis(seconds * 1000)
    }

    async fn table() -> LeaseTable {
        let table = LeaseTable::new(Arc::new(MemoryStore::new()), &["work", "open"]);
        table.store().commit(&[table.added(&Row::new(1, at(0), "dig".to_owned())).unwrap()]).await.unwrap();
        table
    }

    async fn only(table: &LeaseTable) -> Ticket<String> {
        table.open(9).await.unwrap().pop().unwrap()
    }

    #[tokio::test]
    async fn one_of_many_claims_succeeds() {
        let table = table().await;
        let seen = only(&table).await;
        let claims = (0..8).map(|_| table.claim(seen.clone(), at(10)));
        let mut won = 0;
        for claim in claims {
            won += usize::from(claim.await.unwrap().is_some());
        }
        assert_eq!(won, 1);
        let row = only(&table).await.row;
        assert_eq!(
            (row.attempts, row.is_claimable(at(9)), row.is_claimable(at(10)), row.is_held(at(9))),
            (1, false, true, true)
        );
    }

    #[tokio::test]
    async fn whoever_lost_a_row_can_neither_renew_nor_release_nor_finish_it() {
        let table = table().await;
        let mut lost = table.claim(only(&table).await, at(10)).await.unwrap().unwrap();
        let mut holder = table.claim(only(&table).await, at(20)).await.unwrap().unwrap();
        assert!(!table.renew(&mut lost, at(99)).await.unwrap());
        assert!(!table.finish(&lost, Vec::new()).await.unwrap());
        assert!(!table.release(lost, None).await.unwrap());
        assert!(table.renew(&mut holder, at(30)).await.unwrap());
        assert_eq!(only(&table).await.row.held_until, Some(at(30)));
        assert!(table.finish(&holder, Vec::new()).await.unwrap());
        assert_eq!(table.open::<String>(9).await.unwrap(), []);
    }

    #[tokio::test]
    async fn a_row_that_was_let_go_waits_its_time_and_keeps_its_count() {
        let table = table().await;
        let lease = table.claim(only(&table).await, at(10)).await.unwrap().unwrap();
        assert!(table.release(lease, Some(at(5))).await.unwrap());
        let row = only(&table).await.row;
        assert_eq!(
            (row.attempts, row.is_claimable(at(4)), row.is_claimable(at(5)), row.is_held(at(4))),
            (1, false, true, false)
        );
    }

    #[test]
    fn what_a_wrong_clock_wrote_blocks_no_row_for_ever() {
        let year = 400 * 24 * 3600;
        let held = Row { held_until: Some(at(year)), ..Row::new(1, at(0), ()) };
        let put_off = Row { not_before: Some(at(year)), ..Row::new(2, at(0), ()) };
        for (now, may) in [(0, true), (year - 60, false), (year, true)] {
            assert_eq!((held.is_claimable(at(now)), put_off.is_claimable(at(now))), (may, may), "at {now}");
            assert_eq!(held.is_held(at(now)), !may, "at {now}");
        }
        let month = Row { not_before: Some(at(31 * 24 * 3600)), ..Row::new(3, at(0), ()) };
        assert!(!month.is_claimable(at(0)), "a provider's own instant is kept to");
    }

    #[tokio::test]
    async fn a_conflict_elsewhere_leaves_the_lease_as_it_is() {
        let table = table().await;
        let lease = table.claim(only(&table).await, at(10)).await.unwrap().unwrap();
        let other = Change::delete(Key::new(["other"]), Precondition::Revision(Revision::new(99)));
        assert!(matches!(table.finish(&lease, vec![other]).await, Err(StoreError::Conflict { .. })));
        assert!(table.finish(&lease, Vec::new()).await.unwrap());
    }
}
