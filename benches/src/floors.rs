//! The least that durable writing costs: one file, one SQLite table, nothing around them.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use rusqlite::{Connection, Transaction, TransactionBehavior, params};

/// A file that lines are appended to, each durable before the next.
#[derive(Debug)]
pub struct RawJournal {
    file: File,
}

impl RawJournal {
    /// A new file at `path`.
    ///
    /// # Errors
    /// When the file can't be made.
    pub fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: OpenOptions::new().append(true).create(true).open(path)? })
    }

    /// One write and one sync.
    ///
    /// # Errors
    /// When the disk refuses.
    pub fn append(&mut self, line: &[u8]) -> io::Result<()> {
        self.file.write_all(line)?;
        self.file.sync_data()
    }
}

/// A table of keys, values and revisions, with the journal and the syncs that the store uses.
#[derive(Debug)]
pub struct RawRecords {
    connection: Connection,
    last: i64,
}

impl RawRecords {
    /// A new database at `path`.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn create(path: &Path) -> rusqlite::Result<Self> {
        let connection = Connection::open(path)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch(
            "CREATE TABLE records (key TEXT PRIMARY KEY NOT NULL, value TEXT NOT NULL, revision INTEGER NOT NULL)
             STRICT, WITHOUT ROWID",
        )?;
        Ok(Self { connection, last: 0 })
    }

    /// One row in one transaction.
    ///
    /// # Errors
    /// When SQLite fails.
    pub fn put(&mut self, key: &str, value: &str) -> rusqlite::Result<()> {
        self.last += 1;
        let transaction = Transaction::new(&mut self.connection, TransactionBehavior::Immediate)?;
        transaction
            .prepare_cached("INSERT OR REPLACE INTO records (key, value, revision) VALUES (?1, ?2, ?3)")?
            .execute(params![key, value, self.last])?;
        transaction.commit()
    }
}
