//! Children that are killed, and parents that go away.

use std::future::pending;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use rusty_pinch_core::testing::ScriptRunner;
use rusty_pinch_core::{Sandbox, SandboxCommand, SkillError};
use tokio::task::JoinHandle;

use crate::children::{are_gone, marked_as};
use crate::setup::{assert_unharmed, child, marked};

/// A run in a child of this mark, once its child waits for its host.
async fn waiting(mark: &str) -> JoinHandle<Result<String, SkillError>> {
    let (asked, mut is_asked) = tokio::sync::mpsc::unbounded_channel();
    let runner = ScriptRunner::new(Sandbox::Child(marked(mark))).host(move |_| {
        let _ = asked.send(());
        pending()
    });
    let running = async move { runner.run("fn main() { time_now() }", "").await.map(|output| output.text) };
    let running = tokio::spawn(running);
    is_asked.recv().await.unwrap();
    running
}

fn kill(pid: u32) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
}

#[tokio::test]
async fn a_child_that_is_killed_from_outside_is_an_error() {
    let running = waiting("killed-from-outside").await;
    let pids = marked_as("killed-from-outside");
    assert_eq!(pids.len(), 1);
    kill(pids[0]);
    let error = running.await.unwrap().unwrap_err().to_string();
    assert!(error.contains("its process ended early (killed by signal 9)"), "{error}");
    assert_unharmed(&child()).await;
}

#[tokio::test]
async fn a_run_that_is_dropped_takes_its_child_with_it() {
    let running = waiting("dropped").await;
    assert_eq!(marked_as("dropped").len(), 1);
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert!(are_gone("dropped").await);
}

#[expect(clippy::disallowed_methods, reason = "a parent that goes away without a word is what is tried")]
fn start(command: SandboxCommand) -> Child {
    let mut child = Command::new(command.program);
    child.args(command.arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap()
}

/// Nobody kills the child of a process that is killed itself. It has to notice that nobody writes to it any more.
#[tokio::test]
async fn a_child_without_a_parent_ends_by_itself() {
    for (mark, script, last_word) in [
        ("busy-orphan", "fn main() { loop { [3, 1, 2].sort(); } }", "the life of the process that asked for it"),
        ("waiting-orphan", "fn main() { time_now() }", "the time that its caller waits"),
    ] {
        let mut child = start(marked(mark));
        let mut input = child.stdin.take().unwrap();
        let task = serde_json::json!({"task": "run", "source": script, "text": "", "named": {}});
        write!(input, "{{\"time_ms\": 60000}}\n{task}\n").unwrap();
        let mut said = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        said.read_line(&mut line).unwrap();
        assert!(line.contains("confined") && marked_as(mark).len() == 1, "{mark}: {line}");
        drop(input);
        let mut rest = String::new();
        said.read_to_string(&mut rest).unwrap();
        assert!(rest.contains(last_word), "{mark}: {rest}");
        child.wait().unwrap();
    }
}

/// The same when nobody listens either.
#[tokio::test]
async fn a_child_that_nobody_hears_ends_by_itself() {
    let mut child = start(marked("unheard"));
    let mut input = child.stdin.take().unwrap();
    let task = serde_json::json!({"task": "run", "source": "fn main() { 1 }", "text": "", "named": {}});
    drop(child.stdout.take());
    // It may be gone before it was told everything.
    let _ = write!(input, "{{\"time_ms\": 60000}}\n{task}\n");
    assert!(are_gone("unheard").await);
    child.wait().unwrap();
}
