//! Hosts that flood, hang and vanish, and children that are killed.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusty_pinch_core::testing::ScriptRunner;
use rusty_pinch_core::{Clock, Sandbox, SandboxCommand, SkillLibrary, SystemClock, ToolName, examine_skill};
use serde_json::{Value, json};

use crate::setup::{assert_unharmed, both, child, command, counted, ended_in_time, timed};

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

/// Each variable is looked for among all that are there: within every bound, a script can take seconds to be read.
#[tokio::test]
async fn a_script_that_takes_long_to_be_read_is_given_up() {
    let slow = format!("fn main() {{ let z = 1; {} {} }}", "let a;".repeat(10_400), "z;".repeat(31_000));
    for (name, runner) in both() {
        let error = runner.clone().time(Duration::from_millis(200)).check(&slow).await.unwrap_err().to_string();
        assert!(error.contains("went over its time of 200 ms"), "{name}: {error}");
        let shape = runner.check("fn main() { time_now() }").await.unwrap();
        assert!(shape.main_bare && shape.host_functions == ["time_now"], "{name}: {shape:?}");
    }
}

#[tokio::test]
async fn a_file_is_examined_in_either_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let library = SkillLibrary::new(folder.path());
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for (name, source) in [("good", "fn main() { 1 }"), ("broken", "fn main() { 1"), ("empty", "fn other() { 1 }")] {
        let name = ToolName::new(name).unwrap();
        library.write_new(&name, &format!("//! description: Reads\n{source}")).unwrap();
    }
    for sandbox in [Sandbox::Child(command()), Sandbox::InProcess] {
        let examined = async |name: &str| {
            let file = library.find(&ToolName::new(name).unwrap()).unwrap();
            examine_skill(file, &[], &sandbox, &clock).await.skill.map(|_| ()).map_err(|fault| fault.to_string())
        };
        assert_eq!(examined("good").await, Ok(()));
        assert!(examined("broken").await.unwrap_err().contains("its script can't be read at line 2"));
        assert!(examined("empty").await.unwrap_err().contains("no `main`"));
    }
}

#[tokio::test]
async fn a_flood_of_host_calls_is_stopped() {
    for (name, runner) in both() {
        let (runner, calls) = counted(runner);
        let script = "fn main() { loop { try { log_info(\"again\"); } catch {} } }";
        let error = runner.run(script, "").await.unwrap_err().to_string();
        assert!(error.contains("256 calls of the host"), "{name}: {error}");
        assert_eq!(calls.load(Ordering::SeqCst), 256, "{name}");
    }
}

#[tokio::test]
async fn a_host_that_never_answers_holds_nobody() {
    let time = Duration::from_millis(300);
    for (name, runner) in both() {
        let runner = runner.host(|_| pending());
        let error = ended_in_time(&runner, time, "fn main() { time_now() }").await;
        assert!(error.contains("its time of"), "{name}: {error}");
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
            &[
                "-c",
                &confined(
                    "{\"say\":\"call\",\"want\":{\"call\":\"time_now\"}}\n{\"say\":\"call\",\"want\":{\"call\":\"time_now\"}}",
                ),
            ],
            "before its call was answered",
        ),
    ] {
        let command = SandboxCommand { program: program.into(), arguments: arguments.iter().map(Into::into).collect() };
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
