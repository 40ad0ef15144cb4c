use std::process::Stdio;

use serde_json::{Value, json};

use crate::world::World;

const WRITERS: usize = 8;
const TURNS: usize = 150;

#[test]
fn every_turn_leaves_one_line_with_sorted_keys() {
    let world = World::new();
    let ran = world.ok(&["run", "--session", "demo", "--message", "hello"]);
    let turns = ran.turns();
    let [turn] = turns.as_slice() else { panic!("{ran:?}") };
    for (key, value) in
        [("event", "turn"), ("status", "ok"), ("path", "provider"), ("provider", "local"), ("session_id", "demo")]
    {
        assert_eq!(turn[key], value);
    }
    assert!(turn["request_id"].as_str().unwrap().starts_with("rp-"));
    assert_eq!((&turn["user_chars"], &turn["error"]), (&json!(5), &Value::Null));
    let line = ran.stderr.lines().find(|line| line.starts_with('{')).unwrap();
    let keys: Vec<usize> =
        turn.as_object().unwrap().keys().map(|key| line.find(&format!("\"{key}\":")).unwrap()).collect();
    assert!(keys.is_sorted(), "{line}");
    let failed = world.run(&["run", "--message", ""]);
    assert_eq!(failed.turns()[0]["status"], "error");
    assert!(failed.stderr.contains(failed.turns()[0]["request_id"].as_str().unwrap()));
}

#[test]
fn counters_survive_the_process_and_a_damaged_file() {
    let world = World::new();
    world.ok(&["run", "--message", "hello"]);
    world.ok(&["tools", "run", "--name", "model_info"]);
    let stats = world.ok(&["stats"]).json();
    let telemetry = &stats["telemetry"];
    assert_eq!((&telemetry["total_turns"], &telemetry["tool_turns"]), (&json!(2), &json!(1)));
    assert_eq!(stats["last_turn"]["path"], "tool");
    assert_eq!(stats["prompt_cache"]["misses"], 1);

    world.write("data/telemetry/latest.json", "{\"total_tu");
    world.run(&["stats"]).failed(1, &["damaged", "the next turn sets it aside", "fix: "]);
    assert!(world.path("data/telemetry/latest.json").exists());
    assert!(world.ok(&["doctor"]).stdout.contains("status: warning"));
    assert!(world.ok(&["run", "--message", "hello"]).stderr.contains("latest.json.damaged"));
    assert_eq!(world.ok(&["stats"]).json()["telemetry"]["total_turns"], 1);
}

#[test]
fn telemetry_that_cannot_be_written_fails_no_turn() {
    let world = World::new().with("RUSTY_PINCH_TELEMETRY_FILE", "blocked/latest.json");
    world.write("blocked", "");
    let ran = world.ok(&["run", "--message", "hello"]);
    assert!(ran.stderr.contains("warning: the telemetry file"), "{ran:?}");
}

#[test]
fn processes_that_count_at_once_lose_nothing() {
    let world = World::new();
    let lines = "/tool model_info\n".repeat(TURNS);
    std::thread::scope(|scope| {
        for writer in 0..WRITERS {
            let (world, lines) = (&world, lines.as_bytes());
            scope.spawn(move || {
                let session = format!("writer-{writer}");
                let mut command = world.command(&["repl", "--session", &session]);
                let child = command.stdin(Stdio::piped()).spawn().unwrap();
                let ran = crate::world::finish(child, Some(lines.to_vec()));
                assert_eq!((ran.code, ran.turns().len()), (0, TURNS), "{}", ran.stderr);
            });
        }
    });
    let stats = world.ok(&["stats"]).json();
    assert_eq!(stats["telemetry"]["tool_turns"], WRITERS * TURNS, "{stats}");
}
