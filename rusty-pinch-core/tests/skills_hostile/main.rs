//! The worst scripts on earth, in the real child and on a thread, and what they cost: one run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed check of a test panics")]

#[cfg(target_os = "linux")]
mod children;
mod confined;
mod endings;
#[cfg(target_os = "linux")]
mod killed;
#[cfg(target_os = "linux")]
mod memory;
mod scripts;
mod setup;
mod tricks;
