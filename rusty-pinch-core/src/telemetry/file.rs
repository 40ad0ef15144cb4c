//! The file of counters, which any number of processes update at once.
//!
//! Every update is read, add, replace, under an OS lock on `<file>.lock`, which dies with its process; readers need no
//! lock, for the file is replaced as a whole. Nothing is fsynced: counters are not the truth, the journals are, and a
//! turn should not wait for a disk on their account. After a power cut the file may be old, or damaged; then it is set
//! aside.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::counters::{SCHEMA_VERSION, Snapshot};
use super::error::TelemetryError;

/// The largest file, in bytes; ours are about 1 KiB.
const FILE_BYTES_MAX: u64 = 1024 * 1024;
/// How often the lock is tried, and how long to wait in between: a second in all.
const LOCK_TRIES: u32 = 500;
const LOCK_PAUSE: Duration = Duration::from_millis(2);

/// The file of counters.
#[derive(Clone, Debug)]
pub struct TelemetryFile {
    path: PathBuf,
}

/// What reading the file found besides counters.
type Found<T> = (T, Option<TelemetryError>);

impl TelemetryFile {
    /// The file at `path`; it and its folder are made when they are first needed.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self { path: path.into() }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The counters now; all zero when there is no file.
    ///
    /// # Errors
    /// [`TelemetryError`]; a damaged file stays where it is until the next turn is counted.
    pub fn read(&self) -> Result<Snapshot, TelemetryError> {
        match self.parse() {
            Ok(snapshot) => Ok(snapshot),
            Err(Unusable::Error(error)) => Err(error),
            Err(Unusable::Damaged(why)) => Err(TelemetryError::Damaged { path: self.path.clone(), why }),
        }
    }

    /// Adds what `counted` counted to the file.
    ///
    /// # Errors
    /// [`TelemetryError`] when nothing was added. `Ok` with an error when it was, but the file had been damaged.
    pub fn add(&self, counted: &Snapshot) -> Result<Option<TelemetryError>, TelemetryError> {
        if let Some(folder) = self.path.parent() {
            make_folder(folder).map_err(|source| self.failed("making its folder", source))?;
        }
        let _lock = self.lock()?;
        let (mut snapshot, damage) = self.parse_or_set_aside()?;
        snapshot.add(counted);
        self.replace(&snapshot)?;
        Ok(damage)
    }

    fn lock(&self) -> Result<File, TelemetryError> {
        let failed = |source| self.failed("locking it", source);
        let lock = private().create(true).truncate(false).write(true).open(self.beside(".lock"));
        let lock = lock.map_err(failed)?;
        for _ in 0..LOCK_TRIES {
            match lock.try_lock() {
                Ok(()) => return Ok(lock),
                Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
                Err(TryLockError::Error(source)) => return Err(failed(source)),
            }
        }
        Err(TelemetryError::Busy { path: self.path.clone() })
    }

    fn parse_or_set_aside(&self) -> Result<Found<Snapshot>, TelemetryError> {
        match self.parse() {
            Ok(snapshot) => Ok((snapshot, None)),
            Err(Unusable::Error(error)) => Err(error),
            Err(Unusable::Damaged(why)) => {
                let aside = self.aside();
                std::fs::rename(&self.path, &aside).map_err(|source| self.failed("setting it aside", source))?;
                let damage = TelemetryError::SetAside { path: self.path.clone(), aside, why };
                Ok((Snapshot::default(), Some(damage)))
            }
        }
    }

    fn parse(&self) -> Result<Snapshot, Unusable> {
        let file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Snapshot::default()),
            Err(error) => return Err(Unusable::Error(self.failed("opening it", error))),
        };
        let mut bytes = Vec::new();
        let read = file.take(FILE_BYTES_MAX + 1).read_to_end(&mut bytes);
        read.map_err(|error| Unusable::Error(self.failed("reading it", error)))?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(Unusable::Damaged(format!("larger than {FILE_BYTES_MAX} bytes")));
        }
        let snapshot: Snapshot =
            serde_json::from_slice(&bytes).map_err(|error| Unusable::Damaged(error.to_string()))?;
        if snapshot.schema_version > SCHEMA_VERSION {
            let (path, found) = (self.path.clone(), snapshot.schema_version);
            return Err(Unusable::Error(TelemetryError::Newer { path, found, known: SCHEMA_VERSION }));
        }
        Ok(snapshot)
    }

    /// Puts `snapshot` in the file's place. Needs the lock.
    fn replace(&self, snapshot: &Snapshot) -> Result<(), TelemetryError> {
        let mut bytes = serde_json::to_vec_pretty(snapshot)
            .map_err(|error| self.failed("writing it as JSON", std::io::Error::other(error)))?;
        bytes.push(b'\n');
        // Unique, so that even a program that ignores the lock never renames a file that another is still writing.
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let temporary = self.beside(&format!(".{}-{number}.tmp", std::process::id()));
        let written = private()
            .create(true)
            .truncate(true)
            .write(true)
            .open(&temporary)
            .and_then(|mut file| file.write_all(&bytes))
            .and_then(|()| std::fs::rename(&temporary, &self.path));
        written.map_err(|source| {
            // Nothing to do about a leftover that can't be removed either.
            let _ = std::fs::remove_file(&temporary);
            self.failed("replacing it", source)
        })
    }

    /// Where a damaged file is put; the one before it is overwritten, so that they can't pile up.
    fn aside(&self) -> PathBuf {
        self.beside(".damaged")
    }

    fn beside(&self, ending: &str) -> PathBuf {
        let mut name = self.path.as_os_str().to_owned();
        name.push(ending);
        name.into()
    }

    fn failed(&self, doing: &'static str, source: std::io::Error) -> TelemetryError {
        TelemetryError::Io { path: self.path.clone(), doing, source }
    }
}

/// Opens files that only their owner may read: errors in them may tell of paths and hosts.
fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

enum Unusable {
    Error(TelemetryError),
    Damaged(String),
}
