use serde_json::{Value, json};

use crate::world::World;

#[test]
fn a_message_is_answered_offline_and_the_conversation_is_kept() {
    let world = World::new();
    let ran = world.ok(&["run", "--session", "demo", "--message", "what is 17 * 23?"]);
    assert!(ran.stdout.contains("391"), "{ran:?}");
    let session = world.ok(&["session", "--session", "demo"]).json();
    let entries = session.as_array().unwrap();
    assert_eq!((&entries[0]["role"], &entries[0]["content"]), (&json!("user"), &json!("what is 17 * 23?")));
    assert_eq!(entries.last().unwrap()["role"], "assistant");
    assert!(entries.iter().all(|entry| entry["timestamp"].is_string()));
    let last = world.ok(&["session", "--session", "demo", "--last", "1"]).json();
    assert_eq!(last, json!([entries.last().unwrap()]));
    assert_eq!(world.ok(&["session", "--session", "other"]).json(), json!([]));
}

#[test]
fn a_message_can_be_piped_in() {
    let world = World::new();
    for arguments in [vec!["run"], vec!["run", "--message", "-"]] {
        let ran = world.run_with_input(&arguments, b"hello\nthere\n");
        assert_eq!(ran.code, 0, "{ran:?}");
    }
    let session = world.ok(&["session"]).json();
    assert_eq!(session[0]["content"], "hello\nthere");
}

#[test]
fn every_verb_speaks_json_and_nothing_else_on_standard_output() {
    let world = World::new();
    for (arguments, pointer) in [
        (vec!["doctor", "--json"], "/status"),
        (vec!["--json"], "/checks/0/name"),
        (vec!["run", "--message", "hi", "--json"], "/turn/request_id"),
        (vec!["session", "--json"], "/0/role"),
        (vec!["session"], "/0/role"),
        (vec!["tools", "list", "--json"], "/0/name"),
        (vec!["tools", "run", "--name", "model_info", "--json"], "/reply"),
        (vec!["stats"], "/telemetry/total_turns"),
        (vec!["stats", "--json"], "/last_turn/status"),
        (vec!["approvals", "list"], "/approvals"),
        (vec!["resume", "--json"], "/reply"),
    ] {
        // Whatever is logged goes elsewhere.
        let ran = crate::world::finish(world.command(&arguments).env("RUST_LOG", "trace").spawn().unwrap(), None);
        assert_eq!(ran.code, 0, "{arguments:?}: {ran:?}");
        assert!(ran.json().pointer(pointer).is_some(), "{arguments:?}: {}", ran.stdout);
    }
}

#[test]
fn failures_are_json_too_when_asked_for() {
    let world = World::new();
    for arguments in [vec!["run", "--message", "", "--json"], vec!["tools", "run", "--name", "nope", "--json"]] {
        let ran = world.run(&arguments);
        let json = ran.json();
        assert_eq!((&json["status"], &json["exit_code"]), (&json!("error"), &json!(2)), "{ran:?}");
        assert!(json["errors"][0]["fix"].is_string() && json["request_id"].is_string(), "{json}");
        assert!(ran.stderr.contains("error: "), "{ran:?}");
    }
}

#[test]
fn tools_are_listed_in_two_lines_each_and_run_by_name() {
    let world = World::new();
    let list = world.ok(&["tools", "list"]).stdout;
    let lines: Vec<_> = list.lines().collect();
    for pair in lines.chunks(2) {
        let [name, usage] = pair else { panic!("{list}") };
        let tool = name.split(" - ").next().unwrap();
        let usage = usage.strip_prefix("  usage: ").unwrap_or_else(|| panic!("{list}"));
        assert!(["tool", "skill"].iter().any(|kind| usage.starts_with(&format!("/{kind} {tool}"))), "{list}");
    }
    let names: Vec<_> = lines.iter().step_by(2).copied().collect();
    assert!(names.is_sorted() && list.contains("model_info - "), "{list}");
    let ran = world.ok(&["tools", "run", "--session", "s", "--name", "model_info"]);
    assert!(ran.stdout.contains("local"), "{ran:?}");
    assert_eq!(ran.turns()[0]["path"], "tool");
    let same = world.ok(&["run", "--session", "s", "--message", "/tool model_info"]);
    assert_eq!(same.stdout, format!("[tool:model_info]\n{}", ran.stdout));
}

#[test]
fn a_tool_that_fails_is_an_error_too() {
    let world = World::new();
    let ran = world.run(&["tools", "run", "--name", "calc", "--args", "1 +"]).failed(1, &[]);
    assert!(!ran.stdout.is_empty() && !ran.stdout.contains("[tool:"), "{ran:?}");
    assert!(ran.stderr.contains(&format!("error: the tool `calc` failed: {}", ran.stdout)), "{ran:?}");
}

#[test]
fn nothing_to_resume_is_no_turn() {
    let world = World::new();
    let ran = world.ok(&["resume"]);
    assert!(ran.stdout.contains("Nothing is unfinished") && ran.turns().is_empty(), "{ran:?}");
    assert_eq!(world.ok(&["stats"]).json()["telemetry"]["total_turns"], 0);
}

#[test]
fn doctor_tells_of_records_that_cannot_be_read_and_makes_none() {
    let world = World::new();
    world.ok(&["run", "--message", "hello"]);
    let doctor = world.ok(&["doctor", "--json"]).json();
    assert_eq!(doctor["status"], "ok", "{doctor}");
    assert!(!world.path("data/state.db").exists());
    world.write("data/state.db", "x".repeat(4_000));
    let doctor = world.run(&["doctor"]);
    assert!(doctor.code == 3 && doctor.stdout.contains("state.db is damaged"), "{doctor:?}");
    assert!(doctor.stdout.contains("fix: put back a copy"), "{doctor:?}");
}

#[test]
fn tools_and_approvals_work_without_a_usable_provider() {
    let world = World::bare().with("RUSTY_PINCH_PROVIDER", "openai");
    world.ok(&["tools", "list"]);
    world.ok(&["tools", "run", "--name", "model_info"]);
    world.ok(&["approvals", "list"]);
    world.ok(&["session"]);
    world.ok(&["stats"]);
}

#[test]
fn help_and_version_are_results() {
    let world = World::new();
    let help = world.ok(&["--help"]).stdout;
    for part in ["Exit codes", "Examples", "doctor", "approvals", "waits for an approval"] {
        assert!(help.contains(part), "{part}");
    }
    assert_eq!(world.ok(&["--version"]).stdout, format!("rusty-pinch {}\n", env!("CARGO_PKG_VERSION")));
    world.run(&["--nonsense"]).failed(2, &["--nonsense"]);
    world.run(&["sing"]).failed(2, &["sing"]);
}

#[test]
fn a_reader_that_goes_away_ends_the_program_quietly() {
    let world = World::new();
    let line =
        r#"{"timestamp":"2026-01-01T00:00:00Z","role":"user","content":"0123456789012345678901234567890123456789"}"#;
    world.write("data/sessions/long.jsonl", format!("{line}\n").repeat(20_000));
    let mut child = world.command(&["session", "--session", "long"]).spawn().unwrap();
    drop(child.stdout.take());
    let ran = crate::world::finish(child, None);
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
}

#[test]
fn a_long_session_is_shown_whole_and_in_order() {
    let world = World::new();
    let lines: String = (0..2_500)
        .map(|n| {
            json!({"timestamp": "2026-01-01T00:00:00Z", "role": "user", "content": n.to_string()}).to_string() + "\n"
        })
        .collect();
    world.write("data/sessions/long.jsonl", lines);
    let session = world.ok(&["session", "--session", "long"]).json();
    let contents: Vec<_> = session.as_array().unwrap().iter().map(|entry| entry["content"].clone()).collect();
    assert_eq!(contents, (0..2_500).map(|n| Value::from(n.to_string())).collect::<Vec<_>>());
}

#[test]
fn doctor_is_what_runs_without_a_verb_and_changes_nothing() {
    let world = World::bare();
    let ran = world.ok(&[]);
    assert!(ran.stdout.starts_with("Rusty Pinch Doctor\n"), "{ran:?}");
    assert!(ran.stdout.lines().any(|line| line == "status: ok"), "{ran:?}");
    assert!(ran.stdout.lines().any(|line| line == "provider: local"), "{ran:?}");
    assert_eq!(ran.stdout, world.ok(&["doctor"]).stdout);
    assert_eq!(std::fs::read_dir(world.dir.path()).unwrap().count(), 0);
}
