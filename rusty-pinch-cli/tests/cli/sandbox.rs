//! The program as the child that runs one skill, and what `doctor` says of it.

use serde_json::{Value, json};

use crate::world::World;

/// Runs a script as its parent does, and gives what the child says.
fn run(world: &World, source: &str) -> Vec<Value> {
    let task = json!({"task": "run", "source": source, "text": "", "named": {}});
    let ran = world.run_with_input(&["__skill-sandbox"], format!("{{\"time_ms\": 5000}}\n{task}\n").as_bytes());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""), "{ran:?}");
    ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn the_program_becomes_the_child_before_it_reads_a_setting() {
    // Settings that no other verb accepts, and a folder that must stay empty.
    let world = World::bare().with("RUSTY_PINCH_PROVIDER", "nobody").with("RUST_LOG", "trace");
    let said = run(&world, "fn main() { 40 + 2 }");
    assert_eq!(said[0]["say"], "confined");
    assert_eq!(said[1], json!({"say": "done", "text": "42", "printed": []}));
    assert_eq!(std::fs::read_dir(world.dir.path()).unwrap().count(), 0);
}

#[test]
fn a_child_that_is_told_nothing_ends() {
    let ran = World::bare().run(&["__skill-sandbox"]);
    assert_eq!((ran.code, ran.stdout.as_str(), ran.stderr.as_str()), (0, "", ""));
    let ran = World::bare().run_with_input(&["__skill-sandbox"], b"hello\n");
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""), "{ran:?}");
}

#[test]
fn nobody_is_told_of_the_verb() {
    let help = World::new().ok(&["--help"]).stdout;
    assert!(!help.contains("__skill-sandbox"), "{help}");
}

#[test]
fn doctor_says_what_confines_a_skill() {
    let page = World::new().ok(&["doctor"]).stdout;
    assert!(page.contains("\nskill_sandbox: in force: a process of its own"), "{page}");
    let report: Value = serde_json::from_str(&World::new().ok(&["--json", "doctor"]).stdout).unwrap();
    let checks = report["checks"].as_array().unwrap();
    let check = checks.iter().find(|check| check["name"] == "skill_sandbox").unwrap();
    let message = check["message"].as_str().unwrap();
    assert!(message.starts_with("in force: a process of its own"), "{message}");
    if cfg!(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"))) {
        assert!(message.contains("256 MiB of memory") && message.contains("a filter of system calls"), "{message}");
        assert_eq!(check["status"], "ok", "{message}");
    }
}
