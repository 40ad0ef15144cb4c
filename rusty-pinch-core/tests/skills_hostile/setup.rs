//! The sandboxes under test, and how long things take.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusty_pinch_core::testing::{ScriptOutput, ScriptRunner};
use rusty_pinch_core::{Clock, Sandbox, SandboxCommand, SkillError, SystemClock};
use serde_json::Value;

/// The real child.
pub(crate) fn command() -> SandboxCommand {
    SandboxCommand::new(env!("CARGO_BIN_EXE_rusty-pinch-skill"))
}

/// The real child, told apart from those of other tests by an argument of its own.
pub(crate) fn marked(mark: &str) -> SandboxCommand {
    let mut command = command();
    command.arguments.push(mark.into());
    command
}

/// Runs a script that does not end by itself up to three times, until it was ended in time: a busy computer may be late
/// once. What is promised is the limit and a tenth more, or 100 ms where that is more.
pub(crate) async fn ended_in_time(runner: &ScriptRunner, time: Duration, source: &str) -> String {
    let runner = runner.clone().time(time);
    let promised = time + (time / 10).max(Duration::from_millis(100));
    let mut late = Vec::new();
    for _ in 0..3 {
        let (outcome, took) = timed(&runner, source, "").await;
        if took <= promised {
            return outcome.unwrap_err().to_string();
        }
        late.push(took);
    }
    panic!("{late:?} instead of {promised:?} for {source}");
}

/// Both sandboxes, with their names.
pub(crate) fn both() -> [(&'static str, ScriptRunner); 2] {
    [("child", child()), ("in process", ScriptRunner::new(Sandbox::InProcess))]
}

pub(crate) fn child() -> ScriptRunner {
    ScriptRunner::new(Sandbox::Child(command()))
}

/// The same with a host that answers nothing, and how often it was called.
pub(crate) fn counted(runner: ScriptRunner) -> (ScriptRunner, Arc<AtomicUsize>) {
    let calls = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&calls);
    let runner = runner.host(move |_| {
        count.fetch_add(1, Ordering::SeqCst);
        async { Ok(Value::Null) }
    });
    (runner, calls)
}

/// Runs a script and says how long that took.
pub(crate) async fn timed(
    runner: &ScriptRunner,
    source: &str,
    text: &str,
) -> (Result<ScriptOutput, SkillError>, Duration) {
    let start = SystemClock.now();
    let outcome = runner.run(source, text).await;
    (outcome, SystemClock.now().since(start))
}

/// The sandbox still does its work.
pub(crate) async fn assert_unharmed(runner: &ScriptRunner) {
    let runner = runner.clone().time(Duration::from_secs(10));
    assert_eq!(runner.run("fn main() { 40 + 2 }", "").await.unwrap().text, "42");
}
