//! What must hold for any input at all: one module per reader of bytes that others write.
//!
//! Each `check` panics when it does not hold. The fuzzer calls it with inputs of its own making, and the test
//! `tests/seeds.rs` with those in `corpus/`, among them every input that once broke something.

pub mod app_server;
pub mod calc;
pub mod child;
mod codex;
pub mod codex_events;
pub mod egress_url;
pub mod journal;
pub mod random_script;
pub mod script;
pub mod settings;
pub mod skill_header;
pub mod stream;
pub mod tool_command;

use std::path::Path;

/// Where a sync costs nothing, if there is such a place.
fn memory() -> &'static Path {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { memory } else { Path::new(".") }
}

/// Runs a future that waits for nothing but files.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    thread_local! {
        static RUNTIME: tokio::runtime::Runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    }
    RUNTIME.with(|runtime| runtime.block_on(future))
}
