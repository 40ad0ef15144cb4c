//! Children that are killed, and parents that go away.

use std::future::pending;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use rusty_pinch_core::testing::ScriptRunner;
use rusty_pinch_core::{Sandbox, SandboxCommand, SkillError};
use tokio::task::JoinHandle;

use crate::children::{are_gone, marked_as};
use crate::setup::{assert_unharmed, child, ended_in_time, marked};

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
    send(pid, Signal::KILL);
}

fn send(pid: u32, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), signal).unwrap();
}

/// It is given nothing to find: no variable, and of this program's files its pipes.
#[tokio::test]
async fn a_child_has_an_empty_environment_and_three_pipes() {
    let _kept = std::fs::File::open("/dev/null").unwrap();
    let running = waiting("looked-at").await;
    let pids = marked_as("looked-at");
    assert_eq!(pids.len(), 1);
    // Without the right to look at it, there is nothing to see.
    if let Ok(environment) = std::fs::read(format!("/proc/{}/environ", pids[0])) {
        assert_eq!(String::from_utf8_lossy(&environment), "");
    }
    if let Ok(open) = std::fs::read_dir(format!("/proc/{}/fd", pids[0])) {
        let open: Vec<String> = open.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        let more: Vec<_> = open.iter().filter(|fd| !["0", "1", "2"].contains(&fd.as_str())).collect();
        // What whoever started this program left open for every child is not this program's to close.
        assert!(more.iter().all(|fd| is_left_open(fd)) && open.len() - more.len() == 3, "{open:?}");
    }
    running.abort();
    assert!(are_gone("looked-at").await);
}

/// Whether a file of this process is one that its children inherit.
fn is_left_open(fd: &str) -> bool {
    const CLOSE_ON_EXEC: u32 = 0o2_000_000;
    let information = std::fs::read_to_string(format!("/proc/self/fdinfo/{fd}")).unwrap_or_default();
    let flags = information.lines().find_map(|line| u32::from_str_radix(line.strip_prefix("flags:")?.trim(), 8).ok());
    flags.is_some_and(|flags| flags & CLOSE_ON_EXEC == 0)
}

/// A process that is stopped is late for ever.
#[tokio::test]
async fn a_child_that_is_stopped_is_ended_at_its_deadline() {
    let stopped = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(false));
    let seen = std::sync::Arc::clone(&stopped);
    let runner = ScriptRunner::new(Sandbox::Child(marked("stopped"))).host(move |_| {
        for pid in marked_as("stopped") {
            send(pid, Signal::STOP);
            seen.store(true, std::sync::atomic::Ordering::SeqCst);
        }
        async { Ok(serde_json::Value::Null) }
    });
    let error = ended_in_time(&runner, Duration::from_millis(500), "fn main() { time_now() }").await;
    assert!(error.contains("its time of"), "{error}");
    assert!(stopped.load(std::sync::atomic::Ordering::SeqCst) && are_gone("stopped").await);
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
