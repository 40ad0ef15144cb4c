//! Folders for stores whose tests are not about what a sync is worth.

use std::path::Path;

use tempfile::TempDir;

/// A folder in memory where there is such a place, for syncs are slow.
pub(crate) fn scratch() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}
