//! Hosts that flood, hang and vanish, and children that are killed.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusty_pinch_core::testing::ScriptRunner;
use rusty_pinch_core::{Sandbox, SandboxCommand};
use serde_json::{Value, json};

use crate::setup::{assert_unharmed, both, child, timed};

#[tokio::test]
async fn host_functions_are_calls_and_their_replies_values() {
    let echo = |call: Value| async move {
        match call["call"].as_str() {
            Some("http") if call["url"] == "http://json/" => Ok(json!("{\"n\": [1, 2]}")),
            Some("http" | "tool" | "log") => Ok(json!(call.to_string())),
            Some("state_get") => Ok(json!({"kept": [1.5, true, null]})),
            Some("time_now") => Ok(json!("2026-01-01T00:00:00Z")),
            _ => Err("not granted".to_owned()),
        }
    };
    for (name, runner) in both() {
        let runner = runner.host(echo);
        for (script, expected) in [
            ("time_now()", "2026-01-01T00:00:00Z"),
            ("http_get(\"http://a/\")", r#"{"body":"","call":"http","method":"GET","url":"http://a/"}"#),
            ("http_post(\"http://a/\", \"b\")", r#"{"body":"b","call":"http","method":"POST","url":"http://a/"}"#),
            ("http_json(\"http://json/\").n[1]", "2"),
            ("state_get(\"k\").kept", "[1.5,true,null]"),
            ("tool(\"t\", #{a: [1]})", r#"{"arguments":{"a":[1]},"call":"tool","name":"t"}"#),
            ("tool(\"t\")", r#"{"arguments":{},"call":"tool","name":"t"}"#),
            ("to_json(log_info(7))", "null"),
            ("let w = 0; try { state_set(\"k\", 1) } catch (e) { w = e } `caught ${w}`", "caught not granted"),
        ] {
            let outcome = runner.run(&format!("fn main() {{ {script} }}"), "").await.unwrap();
            assert_eq!(outcome.text, expected, "{name}: {script}");
        }
        let error = runner.run("fn main() {\n state_set(\"k\", 1) }", "").await.unwrap_err().to_string();
        assert_eq!(error, "the skill `script` failed at line 2, column 2: not granted", "{name}");
        let error = runner.run("fn main() { state_set(\"k\", || 1) }", "").await.unwrap_err().to_string();
        assert!(error.contains("no form in JSON"), "{name}: {error}");
    }
}

#[tokio::test]
async fn a_flood_of_host_calls_is_stopped() {
    for (name, runner) in both() {
        let calls = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&calls);
        let runner = runner.host(move |_| {
            counted.fetch_add(1, Ordering::Relaxed);
            async { Ok(Value::Null) }
        });
        let script = "fn main() { loop { try { log_info(\"again\"); } catch {} } }";
        let error = runner.run(script, "").await.unwrap_err().to_string();
        assert!(error.contains("256 calls of the host"), "{name}: {error}");
        assert_eq!(calls.load(Ordering::Relaxed), 256, "{name}");
    }
}

#[tokio::test]
async fn a_host_that_never_answers_holds_nobody() {
    let time = Duration::from_millis(300);
    for (name, runner) in both() {
        let runner = runner.time(time).host(|_| pending());
        let (outcome, took) = timed(&runner, "fn main() { time_now() }", "").await;
        let error = outcome.unwrap_err().to_string();
        assert!(error.contains("its time of"), "{name}: {error}");
        assert!(took >= time && took <= time + Duration::from_millis(100), "{name}: {took:?}");
        assert_unharmed(&runner).await;
    }
}

#[tokio::test]
async fn replies_and_arguments_that_are_too_long_are_refused() {
    let long = |_| async { Ok(Value::String("x".repeat(9 * 1024 * 1024))) };
    let error = child().host(long).run("fn main() { http_get(\"http://a/\") }", "").await.unwrap_err();
    assert!(error.to_string().contains("too long for a skill"), "{error}");
    let error = child().run("fn main(a) { a }", &"x".repeat(9 * 1024 * 1024)).await.unwrap_err();
    assert!(error.to_string().contains("8 MiB of script and arguments"), "{error}");
    for (name, runner) in both() {
        let long = |_| async { Ok(Value::String("x".repeat(1024 * 1024))) };
        let error = runner.host(long).run("fn main() { http_get(\"http://a/\") }", "").await.unwrap_err();
        assert!(error.to_string().contains("KiB of text"), "{name}: {error}");
    }
}

/// The children of this process that run skills.
pub(crate) fn children() -> Vec<u32> {
    let me = std::process::id().to_string();
    let stat = |pid: u32| std::fs::read_to_string(format!("/proc/{pid}/stat")).ok();
    let is_child = |stat: &str| {
        let mut fields = stat.rsplit(") ").next().unwrap_or_default().split(' ');
        stat.contains("(rusty-pinch-ski)") && fields.next() != Some("Z") && fields.next() == Some(&me)
    };
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid| stat(*pid).is_some_and(|stat| is_child(&stat))).collect()
}

#[cfg(target_os = "linux")]
mod killed {
    use super::*;
    use rustix::process::{Pid, Signal, kill_process};

    /// Runs `during` while a child waits for its host, alone of its kind in this process.
    async fn waiting(during: impl AsyncFn(u32)) -> Result<String, String> {
        // Other tests start children too: this one is told apart by the time at which its host was asked.
        let (asked, mut is_asked) = tokio::sync::mpsc::unbounded_channel();
        let before = children();
        let runner = child().time(Duration::from_secs(10)).host(move |_| {
            let _ = asked.send(());
            pending()
        });
        let running = tokio::spawn(async move { runner.run("fn main() { time_now() }", "").await });
        is_asked.recv().await.unwrap();
        let mine: Vec<u32> = children().into_iter().filter(|pid| !before.contains(pid)).collect();
        let mut found = None;
        for pid in mine {
            // The one that sleeps in a read.
            let state = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
            if state.contains(") S ") {
                found = Some(pid);
            }
        }
        during(found.unwrap()).await;
        let outcome = running.await.unwrap();
        outcome.map(|output| output.text).map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn a_child_that_is_killed_from_outside_is_an_error() {
        let error = waiting(async |pid| {
            kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
        });
        let error = error.await.unwrap_err();
        assert!(error.contains("killed by signal 9"), "{error}");
        assert_unharmed(&child()).await;
    }
}

#[tokio::test]
async fn a_program_that_is_no_sandbox_is_told() {
    for (program, arguments, expected) in [
        ("/nowhere/at-all", &[][..], "there is no program"),
        ("/bin/true", &[], "ended before it was confined (exit code 0)"),
        ("/bin/sh", &["-c", "echo hello; sleep 5"], "said what nobody understands"),
        ("/bin/sh", &["-c", "exec head -c 9000000 /dev/zero"], "a line that is too long"),
        ("/bin/sh", &["-c", r#"echo '{"say":"done","text":"","printed":[]}'; sleep 5"#], "before it was confined"),
        ("/bin/sh", &["-c", &confined(r#"{"say":"confined","seccomp":true}"#)], "twice"),
        (
            "/bin/sh",
            &["-c", &confined("{\"say\":\"call\",\"want\":{\"call\":\"time_now\"}}\n{\"say\":\"call\",\"want\":{\"call\":\"time_now\"}}")],
            "before its call was answered",
        ),
    ] {
        let command = SandboxCommand {
            program: program.into(),
            arguments: arguments.iter().map(Into::into).collect(),
        };
        let runner = ScriptRunner::new(Sandbox::Child(command)).time(Duration::from_secs(8)).host(|_| pending());
        let (outcome, took) = timed(&runner, "fn main() {}", "").await;
        let error = outcome.unwrap_err().to_string();
        assert!(error.starts_with("the sandbox of the skill `script` failed"), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(took < Duration::from_secs(4), "{took:?}");
    }
}

/// A program that says it is confined, then `words`, and stays.
fn confined(words: &str) -> String {
    format!("echo '{{\"say\":\"confined\",\"memory_bytes\":1,\"landlock\":1,\"seccomp\":true}}\n{words}'; sleep 5")
}
