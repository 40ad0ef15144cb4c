//! Turns through the public face: what a person, an embedder and an approver see.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed check of a test panics")]

mod approvals;
mod crash;
mod origins;
mod plain;
mod world;
