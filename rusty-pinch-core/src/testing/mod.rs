//! For tests of whatever is built on this crate: fakes, a virtual clock, fault decorators, conformance suites.
//!
//! Behind the feature `testing`. Everything here is deterministic.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed check of a test panics")]

mod clock;
pub mod conformance;
mod entropy;
mod faults;
mod faulty;
mod faulty_channel;
mod scripted;
#[cfg(feature = "skills")]
mod skills;

pub use clock::VirtualClock;
pub use entropy::SeededEntropy;
pub use faults::{Fault, FaultPlan, Moment, run_until_crash};
pub use faulty::{FaultyBrain, FaultyHands, FaultyStore};
pub use faulty_channel::FaultyChannel;
pub use scripted::ScriptedBrain;
#[cfg(feature = "skills")]
pub use skills::{ScriptOutput, ScriptRunner, hear_child, run_briefly};
