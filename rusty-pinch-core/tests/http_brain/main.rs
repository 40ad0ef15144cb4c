//! `HttpBrain` against a fake model server over a real socket: what it asks, what it understands, and how it takes every
//! kind of broken answer.

#![cfg(feature = "http")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed check of a test panics")]

mod answers;
mod conformance;
mod cuts;
mod failover;
mod faults;
mod outage;
mod retries;
mod setup;
mod time;
