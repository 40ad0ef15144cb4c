//! An embeddable agent runtime.
#![cfg_attr(docsrs, feature(doc_cfg))]

mod agent;
mod brain;
mod channel;
pub mod config;
mod data;
mod hands;
mod store;
mod sys;
mod telemetry;
#[cfg(any(test, feature = "testing"))]
pub mod testing;

pub use agent::*;
pub use brain::*;
pub use channel::*;
pub use config::{Settings, SettingsError, SettingsProblem, Vars};
pub use data::*;
pub use hands::*;
pub use store::*;
pub use sys::*;
pub use telemetry::*;
