//! What the operator sees of past turns: one record per turn, a line for the log, counters in a file.
//!
//! Telemetry is told, it never asks: it can't fail or slow a turn, it decides nothing, and losing it loses no fact,
//! because the journal is the truth. It holds no message text and no secret.

mod record;

pub use record::{TurnObserver, TurnPath, TurnRecord, TurnStatus};
