//! The observer that counts turns in the file.

use std::fmt;
use std::sync::{Mutex, PoisonError};

use super::counters::Snapshot;
use super::error::TelemetryError;
use super::file::TelemetryFile;
use super::record::{TurnObserver, TurnRecord};
use super::redaction::Redactor;

type Report = dyn Fn(&TelemetryError) + Send + Sync;

/// Counts every turn in a [`TelemetryFile`].
///
/// What can't be written is kept and added with the next turn, and the first failure in a row is reported; none of it
/// fails a turn. An update takes about 0.1 ms, and a second at the most when another process holds the file.
pub struct CountingObserver {
    file: TelemetryFile,
    redactor: Redactor,
    report: Box<Report>,
    pending: Mutex<Pending>,
}

#[derive(Default)]
struct Pending {
    counted: Snapshot,
    is_failing: bool,
}

impl CountingObserver {
    /// An observer that counts in `file`, keeps the secrets of `redactor` out of it and tells failures to `report`.
    pub fn new(
        file: TelemetryFile,
        redactor: Redactor,
        report: impl Fn(&TelemetryError) + Send + Sync + 'static,
    ) -> Self {
        Self { file, redactor, report: Box::new(report), pending: Mutex::default() }
    }
}

impl fmt::Debug for CountingObserver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CountingObserver").field("file", &self.file).finish_non_exhaustive()
    }
}

impl TurnObserver for CountingObserver {
    fn turn(&self, record: &TurnRecord) {
        // A thread that panicked in here left whole counters behind.
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        pending.counted.count(&record.clone().redacted(&self.redactor));
        match self.file.add(&pending.counted) {
            Ok(damage) => {
                *pending = Pending::default();
                drop(pending);
                damage.iter().for_each(|damage| (self.report)(damage));
            }
            Err(error) => {
                let is_first = !std::mem::replace(&mut pending.is_failing, true);
                drop(pending);
                if is_first {
                    (self.report)(&error);
                }
            }
        }
    }
}
