//! What every implementation of a trait must do, as tests that anyone can run on their own.
//!
//! A suite takes a function that makes a fresh, empty implementation, and panics at the first clause of the contract
//! that does not hold, naming it.

mod brain;
mod channel;
pub mod hands;
mod journals;
mod pulse;
mod records;
mod store;

pub use brain::{BrainCase, StuckBrain, brain};
pub use channel::{ChannelPeer, channel};
pub use pulse::pulse;
pub use store::store;
