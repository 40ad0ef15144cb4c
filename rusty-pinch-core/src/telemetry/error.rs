//! What the file of counters can fail with.

use std::path::PathBuf;

/// A failure of telemetry. It never fails a turn: what could not be written is counted with the next turn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TelemetryError {
    /// The file or its folder can't be read or written.
    #[error("the telemetry file {} can't be used while {doing}; let this user write its folder", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// Another process kept the file's lock for too long.
    #[error("the telemetry file {} is locked by another process that does not let go of it", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// What stands in the file is no snapshot. It is still there; the next turn sets it aside and counts anew.
    #[error("the telemetry file {} is damaged ({why}); the next turn sets it aside", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// What stood in the file was no snapshot. The counters began anew.
    #[error("the telemetry file {} was damaged ({why}); it was set aside as {}", path.display(), aside.display())]
    SetAside {
        /// The file.
        path: PathBuf,
        /// Where it is now.
        aside: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A newer version wrote the file; it was left alone.
    #[error("the telemetry file {} has version {found}, and this program writes version {known}; update the program \
             or choose another RUSTY_PINCH_TELEMETRY_FILE", path.display())]
    Newer {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: u64,
        /// The version that this program knows.
        known: u64,
    },
}
