//! What happened, for logs and counters.

mod record;

pub use record::{TurnObserver, TurnPath, TurnRecord, TurnStatus};
