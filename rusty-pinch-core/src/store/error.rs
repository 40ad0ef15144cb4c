//! What a store can fail with.

use std::time::Duration;

use super::{JournalId, Key, LockName, Position, Revision};

/// A store's failure. Each variant is something that a caller acts on differently.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum StoreError {
    /// Another holder kept the lock for the whole wait. Nothing was done; try later.
    #[error("`{name}` is in use by another task or process and stayed so for {waited:?}; try again when it is done")]
    Busy {
        /// The lock.
        name: LockName,
        /// How long it was waited for.
        waited: Duration,
    },
    /// The journal does not end where the caller thought. Nothing was written; read again and decide anew.
    #[error("the journal of `{journal}` ends at {found}, not at {expected}: somebody else wrote to it")]
    Moved {
        /// The journal.
        journal: JournalId,
        /// Where the caller thought it ends.
        expected: Position,
        /// Where it ends.
        found: Position,
    },
    /// A precondition of a commit does not hold. Nothing was changed; read again and decide anew.
    #[error("the record `{key}` is at revision {found:?}, which is not what the change expects")]
    Conflict {
        /// The record.
        key: Key,
        /// Its revision, or none when there is no such record.
        found: Option<Revision>,
    },
    /// An entry or record is larger than the store takes. Nothing was written.
    #[error("{what} is {bytes} bytes; at most {bytes_max} fit, so make it smaller")]
    TooLarge {
        /// What is too large.
        what: String,
        /// Its size.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// There is no room left (disk full or over quota). Earlier data is whole; free some space and try again.
    #[error("no space is left for {what}; free some and try again")]
    Full {
        /// What was being written.
        what: String,
        /// The system's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// The store may not open or write its files.
    #[error("no permission for {what}; let this user read and write it")]
    Denied {
        /// Which file or folder.
        what: String,
        /// The system's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Data that was written is damaged and can't be used. What is whole stays readable.
    #[error("{what} is damaged: {why}")]
    Damaged {
        /// Which file or record.
        what: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
    /// A newer version wrote it, in a form that this one does not know. Nothing was changed.
    #[error(
        "{what} has format {found}, written by a newer version; this one knows up to {newest}, so use the newer one"
    )]
    TooNew {
        /// Which file.
        what: String,
        /// Its format.
        found: i64,
        /// The newest format that this version knows.
        newest: i64,
    },
    /// The storage failed in another way. Whether a write happened is unknown; read again before deciding anything.
    #[error("{what} failed in the store")]
    Failed {
        /// What was being done.
        what: String,
        /// The system's error.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}
