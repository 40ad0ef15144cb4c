#![cfg(unix)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::*;
use crate::sys::{Clock, SystemClock};

const LONG: Duration = Duration::from_secs(20);

fn spawn() -> SystemSpawn {
    SystemSpawn::new(Arc::new(SystemClock))
}

/// `/bin/sh -c script`, with 20 s of time.
fn sh(script: &str) -> Command {
    Command {
        program: "/bin/sh".into(),
        arguments: vec!["-c".into(), script.into()],
        environment: BTreeMap::from([("PATH".into(), "/usr/bin:/bin".into())]),
        directory: std::env::temp_dir(),
        input: Input::from([]),
        limits: OutputLimits::default(),
        deadline: SystemClock.now() + LONG,
    }
}

async fn run(command: &Command) -> Exit {
    spawn().run(command, &Lines::none()).await.unwrap()
}

/// Runs `command` and says how long that took.
async fn timed(command: &Command) -> (Exit, Duration) {
    let start = SystemClock.now();
    let exit = run(command).await;
    (exit, SystemClock.now().since(start))
}

/// Whether process `pid` exists; a zombie does.
fn exists(pid: &str) -> bool {
    std::path::Path::new("/proc").join(pid.trim()).exists()
}

/// Whether process `pid` ends within ten seconds. A dead orphan counts as gone: the system's first process reaps it at
/// its leisure.
async fn ends(pid: &str) -> bool {
    let stat = std::path::Path::new("/proc").join(pid.trim()).join("stat");
    for _ in 0..1000 {
        let state = std::fs::read_to_string(&stat).ok();
        if state.is_none_or(|state| state.contains(") Z ") || state.contains(") X ")) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// Whether process `pid` is reaped within ten seconds.
async fn is_reaped(pid: &str) -> bool {
    for _ in 0..1000 {
        if !exists(pid) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

#[tokio::test]
async fn a_child_gets_what_the_command_lists_and_nothing_else() {
    let mut command = sh("env; cat; echo oops >&2; exit 7");
    command.environment.insert("GREETING".into(), "hello".into());
    command.input = Input::from(*b"the input");
    let exit = run(&command).await;
    assert_eq!(exit.ending, Ending::Code(7));
    assert!(exit.stdout.text().contains("GREETING=hello") && exit.stdout.text().ends_with("the input"));
    for line in exit.stdout.text().lines().filter(|line| line.contains('=')) {
        let name = line.split('=').next().unwrap();
        assert!(["GREETING", "PATH", "PWD", "OLDPWD", "SHLVL", "_"].contains(&name), "{name} was inherited");
    }
    assert_eq!(exit.stderr, Captured { bytes: b"oops\n".to_vec(), truncated: false });
}

#[tokio::test]
async fn ten_mebibytes_on_every_pipe_are_no_reason_to_hang() {
    let mut command = sh("head -c 10485760 /dev/zero >&2 & cat; wait");
    command.input = vec![b'x'; 10 * 1024 * 1024].into();
    command.limits = OutputLimits { stdout_bytes_max: 11 * 1024 * 1024, ..OutputLimits::default() };
    let exit = run(&command).await;
    assert_eq!(exit.ending, Ending::Code(0));
    assert_eq!((exit.stdout.bytes.len(), exit.stdout.truncated), (10 * 1024 * 1024, false));
    assert_eq!((exit.stderr.bytes.len(), exit.stderr.truncated), (64 * 1024, true));
}

#[tokio::test]
async fn a_child_that_never_reads_its_input_may_end() {
    let mut command = sh("exit 0");
    command.input = vec![b'x'; 10 * 1024 * 1024].into();
    assert_eq!(run(&command).await.ending, Ending::Code(0));
}

/// What a child printed that outlived its deadline, and was killed in time. On a busy computer a run may be late, or may
/// not have printed anything yet; the promise is broken when each of several is.
async fn killed_in_time(script: &str) -> Exit {
    let mut seen = Vec::new();
    for _ in 0..8 {
        let mut command = sh(script);
        command.deadline = SystemClock.now() + Duration::from_millis(150);
        let exit = run(&command).await;
        let now = SystemClock.now();
        assert!(exit.ending == Ending::Deadline && command.deadline <= now, "{:?} at {now}", exit.ending);
        if now.since(command.deadline) < Duration::from_millis(200) && !exit.stdout.bytes.is_empty() {
            return exit;
        }
        seen.push((now.since(command.deadline), exit.stdout.bytes.len()));
    }
    panic!("late, or silent: {seen:?}")
}

#[tokio::test]
async fn the_whole_group_is_killed_at_the_deadline_and_reaped() {
    let exit = killed_in_time("sleep 600 & echo $$ $!; sleep 600").await;
    let pids = exit.stdout.text().into_owned();
    let (child, grandchild) = pids.trim().split_once(' ').unwrap();
    assert!(!exists(child), "the child is a zombie");
    assert!(ends(grandchild).await, "the grandchild survived");
}

#[tokio::test]
async fn a_child_that_floods_its_output_is_killed_at_the_deadline_too() {
    let exit = killed_in_time("exec yes").await;
    assert!(exit.stdout.bytes.len() <= OutputLimits::default().stdout_bytes_max);
}

#[tokio::test]
async fn a_grandchild_that_holds_the_outputs_open_delays_nothing_and_is_killed() {
    let (exit, took) = timed(&sh("sleep 600 & echo $!; exit 3")).await;
    assert_eq!(exit.ending, Ending::Code(3));
    // It does not wait for the deadline, let alone for the grandchild.
    assert!(took < LONG / 2, "took {took:?}");
    assert!(ends(&exit.stdout.text()).await, "the grandchild survived");
}

#[tokio::test]
async fn a_grandchild_that_let_go_of_the_outputs_is_killed() {
    let exit = run(&sh("sleep 600 >/dev/null 2>&1 </dev/null & echo $!")).await;
    assert!(ends(&exit.stdout.text()).await, "the grandchild survived");
}

#[tokio::test]
async fn dropping_the_future_kills_the_group_and_reaps_the_child() {
    let (seen, mut lines) = tokio::sync::mpsc::unbounded_channel();
    let lines_of = Lines::new(move |line| {
        let OutputLine::Whole(line) = line else { return };
        let _ = seen.send(String::from_utf8_lossy(line).into_owned());
    });
    let command = sh("sleep 600 & echo $$; echo $!; wait");
    let running = tokio::spawn(async move { spawn().run(&command, &lines_of).await });
    let (child, grandchild) = (lines.recv().await.unwrap(), lines.recv().await.unwrap());
    assert!(exists(&child) && exists(&grandchild));
    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    assert!(ends(&grandchild).await, "the grandchild survived");
    assert!(is_reaped(&child).await, "the child was not reaped");
}

#[tokio::test]
async fn a_signal_that_is_not_ours_is_told_apart() {
    assert_eq!(run(&sh("kill -TERM $$")).await.ending, Ending::Signal(15));
}

#[tokio::test]
async fn lines_come_as_they_are_printed_and_long_ones_are_cut() {
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = Arc::clone(&seen);
    let lines = Lines::new(move |line| {
        sink.lock().unwrap().push(match line {
            OutputLine::Whole(line) => String::from_utf8_lossy(line).into_owned(),
            OutputLine::Cut(line) => format!("{}…", String::from_utf8_lossy(line)),
        });
    });
    let mut command = sh(r"printf 'one\n\n1234567890\n12345678\nlast'");
    command.limits.line_bytes_max = 8;
    spawn().run(&command, &lines).await.unwrap();
    assert_eq!(*seen.lock().unwrap(), ["one", "", "12345678…", "12345678", "last"]);
}

#[tokio::test]
async fn what_cannot_start_says_why_and_what_to_do() {
    let mut missing = sh("");
    missing.program = "/nowhere/codex".into();
    let mut no_directory = sh("");
    no_directory.directory = "/nowhere".into();
    let mut not_executable = sh("");
    not_executable.program = "/etc/passwd".into();
    let mut too_long = sh("");
    too_long.arguments.push("x".repeat(200 * 1024).into());
    for (command, expected) in [
        (missing, "there is no program `/nowhere/codex`; install it"),
        (no_directory, "the working directory `/nowhere` does not exist"),
        (not_executable, "`/etc/passwd` may not be run"),
        (too_long, "longer than the system allows (204805 bytes)"),
    ] {
        let error = spawn().run(&command, &Lines::none()).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_command_does_not_show_its_secrets_when_it_is_debugged() {
    let mut command = sh("true");
    command.environment.insert("CODEX_API_KEY".into(), "sk-123".into());
    command.input = Input::from(*b"my diary");
    let shown = format!("{command:?}");
    assert!(shown.contains("CODEX_API_KEY") && !shown.contains("sk-123") && !shown.contains("diary"), "{shown}");
}

/// A conversation with a child that answers each line, as long as it likes.
#[tokio::test]
async fn an_open_input_is_written_while_the_child_answers_and_ends_with_its_last_handle() {
    let (writer, input) = Input::open();
    let mut command = sh("while read line; do echo \"got $line\"; done; echo over");
    command.input = input;
    let writer = Arc::new(Mutex::new(Some(writer)));
    let answering = Arc::clone(&writer);
    let lines = Lines::new(move |line| {
        let OutputLine::Whole(line) = line else { panic!("{line:?}") };
        let mut writer = answering.lock().unwrap();
        match line {
            b"got one" => tokio::spawn(say(writer.clone().unwrap(), "two\n")),
            _ => tokio::spawn(drop_later(writer.take())),
        };
    });
    let first = writer.lock().unwrap().clone().unwrap();
    say(first, "one\n").await;
    let exit = spawn().run(&command, &lines).await.unwrap();
    assert_eq!((exit.ending, exit.stdout.text().as_ref()), (Ending::Code(0), "got one\ngot two\nover\n"));
}

async fn say(writer: InputWriter, text: &'static str) {
    writer.write(text.as_bytes()).await.unwrap();
}

async fn drop_later(writer: Option<InputWriter>) {
    drop(writer);
}

#[tokio::test]
async fn an_open_input_keeps_no_ended_child_waiting_and_says_that_nobody_reads() {
    let (writer, input) = Input::open();
    let mut command = sh("exit 3");
    command.input = input;
    let (exit, took) = timed(&command).await;
    assert_eq!(exit.ending, Ending::Code(3));
    assert!(took < Duration::from_secs(5), "{took:?}");
    assert_eq!(writer.write(*b"more").await, Err(InputClosed));
}
