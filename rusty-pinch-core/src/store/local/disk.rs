//! The folder of a store: where its files are, how they come to be, and what the system's errors mean.

use std::fmt::Display;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use super::names::file_name;
use crate::store::{JournalId, LockName, StoreError};

const SESSIONS: &str = "sessions";
const LOCKS: &str = "locks";
const RECORDS: &str = "state.db";
pub(super) const JOURNAL_ENDING: &str = ".jsonl";
const LOCK_ENDING: &str = ".lock";

/// A store's folder.
#[derive(Debug)]
pub(super) struct Folder {
    root: PathBuf,
    /// Whether this process has made the folder's own entry durable.
    is_settled: AtomicBool,
}

impl Folder {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, is_settled: AtomicBool::new(false) }
    }

    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    pub(super) fn sessions(&self) -> PathBuf {
        self.root.join(SESSIONS)
    }

    pub(super) fn journal(&self, journal: &JournalId) -> PathBuf {
        self.root.join(SESSIONS).join(file_name(journal.as_str(), JOURNAL_ENDING))
    }

    /// Where the `n`th torn tail that was cut off a journal at `at` is kept.
    pub(super) fn torn(&self, journal: &JournalId, at: u64, n: u32) -> PathBuf {
        self.root.join(SESSIONS).join(file_name(journal.as_str(), &format!("{JOURNAL_ENDING}.torn-{at}-{n}")))
    }

    pub(super) fn lock(&self, name: &LockName) -> PathBuf {
        self.root.join(LOCKS).join(file_name(name.as_str(), LOCK_ENDING))
    }

    pub(super) fn records(&self) -> PathBuf {
        self.root.join(RECORDS)
    }

    /// Makes the folder that `path`, a path of this store, lies in.
    pub(super) fn make_for(&self, path: &Path) -> Result<(), StoreError> {
        let folder = path.parent().unwrap_or(&self.root);
        make_folder(folder).map_err(|error| failure(folder.display(), error))
    }

    /// Makes the entry of a new file at `path` durable, with those of the folders around it. Called before the file's
    /// first byte is written, so that a file with content never lacks a durable name.
    pub(super) fn settle(&self, path: &Path) -> Result<(), StoreError> {
        let parent = path.parent().unwrap_or(&self.root);
        sync_folder(parent).map_err(|error| failure(parent.display(), error))?;
        if !self.is_settled.load(Ordering::Acquire) {
            for folder in [Some(self.root.as_path()), self.root.parent()].into_iter().flatten() {
                match sync_folder(folder) {
                    // The folder above may be closed to this user; then this user did not make our folder either.
                    Err(error) if error.kind() == ErrorKind::PermissionDenied => {}
                    other => other.map_err(|error| failure(folder.display(), error))?,
                }
            }
            self.is_settled.store(true, Ordering::Release);
        }
        Ok(())
    }
}

/// What the system's error means for whoever calls the store.
pub(super) fn failure(what: impl Display, error: io::Error) -> StoreError {
    let what = what.to_string();
    match error.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge => {
            StoreError::Full { what, source: error.into() }
        }
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
            StoreError::Denied { what, source: error.into() }
        }
        _ => StoreError::Failed { what, source: error.into() },
    }
}

/// Options for files that only their owner may read.
pub(super) fn private() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Closes the file at `path` to everyone but its owner.
pub(super) fn make_private(path: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Makes `folder` and the folders around it, open to their owner only.
fn make_folder(folder: &Path) -> io::Result<()> {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only Unix has modes"))]
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Makes the names in `folder` durable.
pub(super) fn sync_folder(folder: &Path) -> io::Result<()> {
    // Elsewhere a folder can't be opened as a file, and its entries are as durable as the system makes them.
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// Whether `path` still names the open file, which somebody may have removed or replaced.
pub(super) fn is_named(file: &File, path: &Path) -> io::Result<bool> {
    match fs::metadata(path) {
        Ok(named) => Ok(identity(&named) == identity(&file.metadata()?)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What tells the file apart from every other one.
#[cfg(unix)]
pub(super) fn identity(metadata: &fs::Metadata) -> (u64, u64) {
    use std::os::unix::fs::MetadataExt;
    (metadata.dev(), metadata.ino())
}

/// Elsewhere a file that is open can't be removed or replaced.
#[cfg(not(unix))]
pub(super) fn identity(_metadata: &fs::Metadata) -> (u64, u64) {
    (0, 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_errors_say_what_to_do() {
        let check = |kind: ErrorKind, expected: &str| {
            let error = failure("/data/x", kind.into());
            assert!(error.to_string().contains(expected) && error.to_string().contains("/data/x"), "{kind}: {error}");
            assert!(std::error::Error::source(&error).is_some());
        };
        check(ErrorKind::StorageFull, "free some");
        check(ErrorKind::QuotaExceeded, "free some");
        check(ErrorKind::PermissionDenied, "no permission");
        check(ErrorKind::ReadOnlyFilesystem, "no permission");
        check(ErrorKind::NotADirectory, "failed in the store");
    }

    #[test]
    fn a_file_is_named_by_its_path_until_that_is_replaced() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a");
        let file = private().write(true).create(true).truncate(true).open(&path).unwrap();
        assert!(is_named(&file, &path).unwrap());
        fs::remove_file(&path).unwrap();
        assert!(!is_named(&file, &path).unwrap());
        let _other = private().write(true).create_new(true).open(&path).unwrap();
        assert!(!is_named(&file, &path).unwrap());
    }
}
