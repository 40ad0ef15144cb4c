//! The only door to time and randomness (and, with the `codex` feature, to child processes).
//!
//! Everything that decides takes time and random bytes as arguments; whatever acts gets them from the traits here, so
//! that a simulation can replace them.

mod clock;
mod entropy;
#[cfg(feature = "codex")]
mod spawn;

pub use clock::{Clock, SystemClock};
pub(crate) use entropy::random;
pub use entropy::{Entropy, SystemEntropy};
#[cfg(feature = "codex")]
pub use spawn::{Captured, Command, Ending, Exit, Lines, OutputLimits, OutputLine, Spawn, SpawnError, SystemSpawn};
