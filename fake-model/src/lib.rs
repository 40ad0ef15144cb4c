//! A fake model server over a real loopback socket, for tests and for trying a client by hand.
//!
//! It owns the sockets, the recording of requests and the bytes of the replies, lies and broken streams included. It
//! must never reach out, listen on anything but 127.0.0.1, or share code with the clients that it tests: what it speaks
//! is written down here once more on purpose. Plumbing is in `http`, `reply` and `server`; `chat` speaks chat
//! completions, `responses` what the Codex CLI speaks.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a test tool panics where a test should fail"
)]

mod answer;
pub mod chat;
mod http;
mod reply;
pub mod responses;
mod scenario;
mod server;

pub use answer::{Answer, Call, pieces};
pub use http::{HEAD_BYTES_MAX, REQUEST_BODY_BYTES_MAX, Request};
pub use reply::{Part, Reply, sse_data, sse_event};
pub use scenario::{Protocol, SCENARIOS, Scenario, ScenarioError};
pub use server::{FakeModel, always, sequence};
