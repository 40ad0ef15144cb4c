//! A skill's script: whatever it is, it is described, and it runs to an end.

use std::thread;

use rusty_pinch_core::testing::run_briefly;
use rusty_pinch_core::{ToolName, check_script};

/// The stack of a script. The one of the sandbox is smaller; a sanitizer's frames are larger.
const STACK_BYTES: usize = 64 * 1024 * 1024;
/// How many operations a script gets. It is enough to reach most bounds, and few enough to try many scripts.
const OPERATIONS: u64 = 5_000;
/// The most text that comes of a run.
const TEXT_BYTES_MAX: usize = 128 * 1024;

pub fn check(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes);
    on_a_large_stack(|| {
        run(&source);
    });
}

/// What came of a script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Came {
    /// It is no script.
    Refused,
    /// It failed, or went over a bound.
    Failed,
    /// It ran to its end.
    Ended,
}

/// Describes and runs a script on this thread, whose stack must be large.
pub fn run(source: &str) -> Came {
    let name = ToolName::new("fuzzed").expect("a name");
    let is_script = check_script(&name, source).is_ok();
    let outcome = run_briefly(source, "some text", OPERATIONS);
    let came = match &outcome {
        Ok(_) => Came::Ended,
        Err(_) if is_script => Came::Failed,
        Err(_) => Came::Refused,
    };
    let text = outcome.unwrap_or_else(|why| why);
    assert!(text.len() <= TEXT_BYTES_MAX, "{} bytes", text.len());
    came
}

/// Runs `work` on a thread of its own.
pub fn on_a_large_stack(work: impl FnOnce() + Send) {
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, work).expect("a thread");
        if let Err(panic) = thread.join() {
            std::panic::resume_unwind(panic);
        }
    });
}
