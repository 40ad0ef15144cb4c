//! The real binary, from the command line to the exit code.

#![allow(
    missing_docs,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a failed check of a test panics, and these tests start the program as a shell does"
)]

mod approvals;
mod bad_input;
mod brain;
mod budget;
mod codex;
mod codex_pool;
mod http;
mod repl;
mod sandbox;
mod settings;
mod skills;
mod telemetry;
mod verbs;
mod web;
mod world;
