//! Workloads and floors for the benches and for `ratios`.
//!
//! A floor is the least that the same work costs on the same machine in the same run: raw writes to a file, raw SQLite,
//! the same calls of the traits without the agent around them. The ratio to it is the result; a time alone says more
//! about the machine than about the code.

mod brain;
pub mod direct;
mod floors;
mod folder;
mod pages;
mod probe;
mod sessions;
pub mod stopwatch;

pub use brain::FixedBrain;
pub use floors::{RawJournal, RawRecords};
pub use folder::folder;
pub use pages::page_server;
pub use probe::Probe;
pub use sessions::{MESSAGE, exchange, fill, session};
