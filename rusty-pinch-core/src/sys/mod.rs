//! The only door to time and randomness (and, with the `spawn` feature, to child processes).
//!
//! Everything that decides takes time and random bytes as arguments; whatever acts gets them from the traits here, so
//! that a simulation can replace them.

mod clock;
#[cfg(feature = "http")]
mod cryptography;
mod entropy;
#[cfg(feature = "spawn")]
mod spawn;

pub use clock::{Clock, SystemClock};
#[cfg(feature = "http")]
pub(crate) use cryptography::choose_cryptography;
pub(crate) use entropy::random;
pub use entropy::{Entropy, SystemEntropy};
#[cfg(feature = "spawn")]
pub use spawn::{
    Captured, Command, Ending, Exit, Input, InputClosed, InputWriter, Lines, OutputLimits, OutputLine, Spawn,
    SpawnError, SystemSpawn,
};
