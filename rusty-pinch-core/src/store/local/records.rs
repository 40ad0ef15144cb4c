//! Records in one SQLite file.
//!
//! One table of records and one row with the last revision. The file is opened on first use, and made on the first
//! commit. The write-ahead log is synced before a commit returns.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, ErrorCode, OpenFlags, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use serde_json::Value;

use super::disk::{Folder, failure, identity, make_private, private};
use super::locks::lock_within;
use crate::store::{Change, Key, KeyRange, LockName, Precondition, Record, Revision, StoreError};

/// How long a commit waits for another process's.
const BUSY_WAIT_MAX: Duration = Duration::from_secs(10);
/// The largest value, as JSON, in bytes.
pub(super) const VALUE_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The longest key, in bytes.
pub(super) const KEY_BYTES_MAX: usize = 4 * 1024;

/// What makes format `n + 1` of a file of format `n`, which is SQLite's `user_version`. Only ever grows at its end.
const MIGRATIONS: &[&str] = &["
    CREATE TABLE records (
        key TEXT PRIMARY KEY NOT NULL,
        value TEXT NOT NULL,
        revision INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE revisions (only INTEGER PRIMARY KEY CHECK (only = 0), last INTEGER NOT NULL) STRICT;
    INSERT INTO revisions (only, last) VALUES (0, 0);
"];

/// The records of one folder.
#[derive(Debug)]
pub(super) struct Records {
    folder: Arc<Folder>,
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    open: Option<Open>,
    /// A commit failed and what it left in the log is not settled.
    is_unsettled: bool,
}

#[derive(Debug)]
struct Open {
    connection: Connection,
    file: (u64, u64),
    /// Whether the name of the log is durable. The log stays as long as a connection does.
    is_log_named: bool,
}

/// A change in the form that the file keeps.
#[derive(Debug)]
pub(super) struct Stored {
    key: Key,
    when: Precondition,
    value: Option<String>,
}

impl Stored {
    /// # Errors
    /// [`StoreError::TooLarge`] beyond the bounds, [`StoreError::Failed`] for a value that could not be read back.
    pub(super) fn new(change: &Change) -> Result<Self, StoreError> {
        let within = |what: &str, bytes, bytes_max| match bytes > bytes_max {
            true => Err(StoreError::TooLarge { what: what.to_owned(), bytes, bytes_max }),
            false => Ok(()),
        };
        within("the key of a record", change.key.as_str().len(), KEY_BYTES_MAX)?;
        let value = change.value.as_ref().map(Value::to_string);
        if let Some(text) = &value {
            within(&format!("the record `{}`", change.key), text.len(), VALUE_BYTES_MAX)?;
            serde_json::from_str::<Value>(text).map_err(|error| StoreError::Failed {
                what: format!("putting the record `{}` into a form that can be read again", change.key),
                source: error.into(),
            })?;
        }
        Ok(Self { key: change.key.clone(), when: change.when, value })
    }
}

impl Records {
    pub(super) fn new(folder: Arc<Folder>) -> Self {
        Self { path: folder.records(), folder, state: Mutex::default() }
    }

    pub(super) fn commit(&self, changes: &[Stored]) -> Result<Revision, StoreError> {
        let fail = |error| self.failure(error);
        self.with(true, |open| {
            let transaction =
                open.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
            for change in changes.iter().filter(|change| change.when != Precondition::None) {
                change.when.check(&change.key, revision_of(&transaction, &change.key).map_err(fail)?)?;
            }
            let revision = apply(&transaction, changes).map_err(fail)?;
            transaction.commit().map_err(fail)?;
            if !open.is_log_named {
                // SQLite does that too, and goes on when it fails.
                self.folder.settle(&self.path)?;
                open.is_log_named = true;
            }
            Ok(revision)
        })
        .map(Option::unwrap_or_default)
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let found = self.with(false, |open| {
            let mut query = open
                .connection
                .prepare_cached("SELECT key, value, revision FROM records WHERE key = ?1")
                .map_err(|error| self.failure(error))?;
            query.query_row([key.as_str()], raw).optional().map_err(|error| self.failure(error))
        })?;
        found.flatten().map(record).transpose()
    }

    pub(super) fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let found = self.with(false, |open| {
            let sql = "SELECT key, value, revision FROM records WHERE key >= ?1 AND key < ?2 ORDER BY key LIMIT ?3";
            let mut query = open.connection.prepare_cached(sql).map_err(|error| self.failure(error))?;
            let rows = query.query_map(params![keys.from.as_str(), keys.until.as_str(), limit], raw);
            rows.and_then(Iterator::collect::<Result<Vec<_>, _>>).map_err(|error| self.failure(error))
        })?;
        found.unwrap_or_default().into_iter().map(record).collect()
    }

    /// Runs `work` on the open file; none when there is no file and none is to be made.
    ///
    /// After a failure of the disk the connection is dropped: what its log holds beyond the last good commit is decided
    /// when the file is opened again, and written down before anything is answered from it.
    fn with<T>(
        &self,
        make: bool,
        work: impl FnOnce(&mut Open) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let file = match fs::metadata(&self.path) {
            Ok(found) => Some(identity(&found)),
            Err(error) if error.kind() == ErrorKind::NotFound => None,
            Err(error) => return Err(failure(self.path.display(), error)),
        };
        if file.is_none() && !make {
            state.open = None;
            return Ok(None);
        }
        if state.open.as_ref().is_some_and(|open| Some(open.file) != file) {
            state.open = None;
        }
        let result = self.opened(&mut state).and_then(work);
        if let Err(StoreError::Failed { .. } | StoreError::Full { .. } | StoreError::Damaged { .. }) = result {
            *state = State { open: None, is_unsettled: true };
        }
        result.map(Some)
    }

    fn opened<'a>(&self, state: &'a mut State) -> Result<&'a mut Open, StoreError> {
        let open = match state.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        let open = state.open.insert(open);
        if state.is_unsettled {
            // Carries what recovery kept over to the file and empties the log, so that a crash can't bring back a
            // commit that was reported as failed and read as absent. Others may be at work, or the disk may still
            // refuse; then it is tried again next time.
            let settled = open.connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
            state.is_unsettled = !matches!(settled, Ok(0));
        }
        Ok(open)
    }

    /// Opens the file, by SQLite only: a process that closes any descriptor of it loses the locks that SQLite has there.
    fn open(&self) -> Result<Open, StoreError> {
        let fail = |error| self.failure(error);
        self.folder.make_for(&self.path)?;
        // No URI names: a folder's name is no query.
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut connection = Connection::open_with_flags(&self.path, flags).map_err(|error| self.unopened(error))?;
        let found = fs::metadata(&self.path).map_err(|error| failure(self.path.display(), error))?;
        if found.len() == 0 {
            // The files beside it get the same mode.
            make_private(&self.path).map_err(|error| failure(self.path.display(), error))?;
        }
        connection.busy_timeout(BUSY_WAIT_MAX).map_err(fail)?;
        connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
        if !self.is_ready(&connection)? {
            self.prepare(&mut connection)?;
        }
        Ok(Open { connection, file: identity(&found), is_log_named: false })
    }

    /// Why SQLite could not open the file, which it does not say itself.
    fn unopened(&self, error: rusqlite::Error) -> StoreError {
        let system = match fs::metadata(&self.path) {
            Ok(found) if found.is_dir() => ErrorKind::IsADirectory.into(),
            Ok(_) => ErrorKind::PermissionDenied.into(),
            // Nobody has a file open that is not there, so it may be tried by hand.
            Err(missing) if missing.kind() == ErrorKind::NotFound => {
                match private().write(true).create_new(true).open(&self.path) {
                    Ok(_) => return self.failure(error),
                    Err(error) => error,
                }
            }
            Err(error) => error,
        };
        match error.sqlite_error_code() {
            Some(ErrorCode::CannotOpen) => failure(self.path.display(), system),
            _ => self.failure(error),
        }
    }

    /// Whether the file has the newest format.
    fn is_ready(&self, connection: &Connection) -> Result<bool, StoreError> {
        let format = format(connection).map_err(|error| self.failure(error))?;
        let newest = MIGRATIONS.len() as i64;
        if format > newest {
            return Err(StoreError::TooNew { what: self.path.display().to_string(), found: format, newest });
        }
        let mode: String = connection
            .pragma_query_value(None, "journal_mode", |row| row.get(0))
            .map_err(|error| self.failure(error))?;
        Ok(format == newest && mode == "wal")
    }

    /// Brings the file to the newest format, one process at a time: SQLite does not wait when two switch to the log.
    fn prepare(&self, connection: &mut Connection) -> Result<(), StoreError> {
        let fail = |error| self.failure(error);
        let name = LockName::task("prepare state.db");
        let path = self.folder.lock(&name);
        self.folder.make_for(&path)?;
        let lock = private().write(true).create(true).truncate(false).open(&path);
        let lock = lock.map_err(|error| failure(path.display(), error))?;
        if !lock_within(&lock, BUSY_WAIT_MAX).map_err(|error| failure(path.display(), error))? {
            return Err(StoreError::Busy { name, waited: BUSY_WAIT_MAX });
        }
        self.folder.settle(&self.path)?;
        use_log(connection).map_err(fail)?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        let done = usize::try_from(format(&transaction).map_err(fail)?).unwrap_or_default();
        for migration in MIGRATIONS.iter().skip(done) {
            transaction.execute_batch(migration).map_err(fail)?;
        }
        transaction.pragma_update(None, "user_version", MIGRATIONS.len() as i64).map_err(fail)?;
        transaction.commit().map_err(fail)
    }

    fn failure(&self, error: rusqlite::Error) -> StoreError {
        sqlite_failure(&self.path, error)
    }
}

fn format(connection: &Connection) -> rusqlite::Result<i64> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

/// Switches the file to the write-ahead log. The switch is written when the statement ends, so it is stepped to its end:
/// its only row comes before, and says `wal` even when the write then fails.
fn use_log(connection: &Connection) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA journal_mode = WAL")?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

fn revision_of(transaction: &Transaction<'_>, key: &Key) -> rusqlite::Result<Option<Revision>> {
    let mut query = transaction.prepare_cached("SELECT revision FROM records WHERE key = ?1")?;
    query.query_row([key.as_str()], |row| row.get(0)).map(revision).optional()
}

fn apply(transaction: &Transaction<'_>, changes: &[Stored]) -> rusqlite::Result<Revision> {
    let number: i64 = transaction
        .prepare_cached("UPDATE revisions SET last = last + 1 WHERE only = 0 RETURNING last")?
        .query_row([], |row| row.get(0))?;
    for change in changes {
        let key = change.key.as_str();
        match &change.value {
            Some(value) => transaction
                .prepare_cached("INSERT OR REPLACE INTO records (key, value, revision) VALUES (?1, ?2, ?3)")?
                .execute(params![key, value, number])?,
            None => transaction.prepare_cached("DELETE FROM records WHERE key = ?1")?.execute([key])?,
        };
    }
    Ok(revision(number))
}

fn revision(number: i64) -> Revision {
    Revision::new(number.unsigned_abs())
}

type Raw = (String, String, i64);

fn raw(row: &Row<'_>) -> rusqlite::Result<Raw> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

fn record((key, value, number): Raw) -> Result<Record, StoreError> {
    let value = serde_json::from_str(&value)
        .map_err(|error| StoreError::Damaged { what: format!("the record `{key}`"), why: error.to_string() })?;
    Ok(Record { key: Key::from_stored(&key), value, revision: revision(number) })
}

/// What SQLite's error means for whoever calls the store.
fn sqlite_failure(path: &Path, error: rusqlite::Error) -> StoreError {
    let what = path.display().to_string();
    match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => StoreError::Full { what, source: error.into() },
        Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => StoreError::Denied { what, source: error.into() },
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            StoreError::Busy { name: LockName::task("state.db"), waited: BUSY_WAIT_MAX }
        }
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            let why = format!(
                "{error}; save it together with the files `-wal` and `-shm` beside it, then put back a copy, mend it \
                 with `sqlite3 {what} .recover`, or move the three away to begin with no records (sessions are kept)"
            );
            StoreError::Damaged { what, why }
        }
        _ => StoreError::Failed { what, source: error.into() },
    }
}
