//! What the operator sees of past turns: one record per turn, a line for the log, counters in a file.
//!
//! Telemetry is told, it never asks: it can't fail a turn, it decides nothing, and losing it loses no fact, because the
//! journal is the truth. It holds no message text and no secret.

mod counters;
mod counting;
mod error;
mod file;
mod line;
mod record;
mod redaction;
pub(crate) mod settings;

#[cfg(test)]
mod tests;

pub use counters::{PromptCache, Snapshot};
pub use counting::CountingObserver;
pub use error::TelemetryError;
pub use file::TelemetryFile;
pub use record::{TurnObserver, TurnPath, TurnRecord, TurnStatus};
pub use redaction::Redactor;
pub use settings::TelemetrySettings;
