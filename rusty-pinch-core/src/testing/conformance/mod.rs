//! What every implementation of a trait must do, as tests that its author calls.

pub mod hands;
