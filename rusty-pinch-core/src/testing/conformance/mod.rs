//! Suites that every implementation of a trait has to pass. Each panics with the rule that was broken.

mod brain;

pub use brain::{BrainCase, StuckBrain, brain};
