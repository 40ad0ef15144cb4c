//! Where measured files are.

use std::io;
use std::path::Path;

use tempfile::TempDir;

/// A folder on the disk that the project is built on, removed when dropped.
///
/// The system's own place for such folders may be memory, where a sync costs nothing.
///
/// # Errors
/// When it can't be made.
pub fn folder() -> io::Result<TempDir> {
    let target = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target");
    std::fs::create_dir_all(&target)?;
    tempfile::Builder::new().prefix("bench-").tempdir_in(target)
}
