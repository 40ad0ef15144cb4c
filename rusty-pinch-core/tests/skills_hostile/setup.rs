//! The sandboxes under test, and how long things take.

use std::time::Duration;

use rusty_pinch_core::testing::{ScriptOutput, ScriptRunner};
use rusty_pinch_core::{Clock, Sandbox, SandboxCommand, SkillError, SystemClock};

/// The real child.
pub(crate) fn command() -> SandboxCommand {
    SandboxCommand::new(env!("CARGO_BIN_EXE_rusty-pinch-skill"))
}

/// Both sandboxes, with their names.
pub(crate) fn both() -> [(&'static str, ScriptRunner); 2] {
    [("child", child()), ("in process", ScriptRunner::new(Sandbox::InProcess))]
}

pub(crate) fn child() -> ScriptRunner {
    ScriptRunner::new(Sandbox::Child(command()))
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
