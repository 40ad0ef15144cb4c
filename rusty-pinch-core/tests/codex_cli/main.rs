//! `CodexBrain`, `CodexAppServerBrain` and `CodexPool` with the real Codex CLI against a fake Responses server on a real socket.
//!
//! `scripts/install-codex` installs the CLI; `RUSTY_PINCH_TEST_CODEX_BIN` names another. Without one every test here says
//! that it was skipped.
#![cfg(all(unix, feature = "codex"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed check of a test panics")]

mod app_server;
mod contract;
mod exec;
mod failures;
mod pool;
mod rig;
