//! What the worker gave up: kept and shown, so that nothing disappears in silence.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::desk::Desk;
use super::limits::PARKED_MAX;
use super::queue::value;
use crate::channel::{Inbound, Outbound};
use crate::data::Timestamp;
use crate::store::{Change, Key, KeyRange, Precondition, Record, Store, StoreError};

/// Something that a worker gave up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Parked {
    /// What it is.
    pub what: ParkedItem,
    /// Why it was given up.
    pub why: String,
    /// When.
    pub at: Timestamp,
}

/// What can be given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ParkedItem {
    /// A message that has no answer but the one that says so.
    Unanswered(Inbound),
    /// An answer that never went out.
    Unsent(Outbound),
    /// An answer of which nobody knows whether it arrived.
    Unknown(Outbound),
    /// A record that can't be read, as it was found.
    Unreadable {
        /// Its key.
        key: String,
        /// Its value.
        value: Value,
    },
}

impl ParkedItem {
    fn kind(&self) -> &'static str {
        match self {
            Self::Unanswered(_) => "unanswered",
            Self::Unsent(_) => "unsent",
            Self::Unknown(_) => "unknown",
            Self::Unreadable { .. } => "unreadable",
        }
    }
}

fn range(channel: &str) -> KeyRange {
    KeyRange::under(["channel", channel, "parked"])
}

/// What was given up on `channel`, oldest message first.
pub(super) async fn list(store: &dyn Store, channel: &str) -> Result<Vec<Parked>, StoreError> {
    let records = store.scan(&range(channel), PARKED_MAX).await?;
    Ok(records.iter().map(read).collect())
}

fn read(record: &Record) -> Parked {
    record.parse().unwrap_or_else(|error| Parked {
        what: unreadable(record),
        why: error.to_string(),
        at: Timestamp::EPOCH,
    })
}

fn unreadable(record: &Record) -> ParkedItem {
    ParkedItem::Unreadable { key: record.key.to_string(), value: record.value.clone() }
}

impl Desk<'_> {
    /// The changes that keep `what`, which belongs to the message with this number, and say so in the log. The oldest
    /// make room.
    pub(super) async fn parking(&self, number: u64, what: ParkedItem, why: String) -> Result<Vec<Change>, StoreError> {
        let kind = what.kind();
        tracing::warn!(channel = self.name(), number, kind, why, "given up; it is kept, and listed as parked");
        let key = Key::new(["channel", self.name(), "parked", &format!("{number:020}-{kind}")]);
        let kept = self.store().scan(&range(self.name()), PARKED_MAX).await?;
        let mut changes = Vec::new();
        if kept.len() >= PARKED_MAX
            && let Some(oldest) = kept.first().filter(|oldest| oldest.key != key)
        {
            tracing::warn!(channel = self.name(), key = %oldest.key, "too much is parked; the oldest is dropped");
            changes.push(Change::delete(oldest.key.clone(), Precondition::None));
        }
        let parked = Parked { what, why, at: self.now() };
        changes.push(Change::put(key, Precondition::None, value(&parked)?));
        Ok(changes)
    }

    /// Moves a queue's record that can't be read out of the way of the others.
    pub(super) async fn set_aside(&self, record: &Record, error: &StoreError) -> Result<(), StoreError> {
        let mut changes = self.parking(record.revision.number(), unreadable(record), error.to_string()).await?;
        changes.push(Change::delete(record.key.clone(), Precondition::Revision(record.revision)));
        self.commit(&changes).await.map(drop)
    }
}
