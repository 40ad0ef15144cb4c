//! The real program killed, or failed, at each of its disk operations in turn: the conversation goes on.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed check of a test panics")]
#![allow(clippy::disallowed_methods, reason = "the test starts the program as a person would")]

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

const ORDER: &str = "remember that the bins go out on Tuesday";
const NOTE: &str = "the bins go out on Tuesday";
/// More disk operations than one run makes.
const OPERATIONS_MAX: usize = 200;

/// How the disk, or the system, treats one run.
#[derive(Clone, Copy, Debug)]
struct Treatment {
    mode: &'static str,
    power_cut: bool,
}

const TREATMENTS: [Treatment; 4] = [
    Treatment { mode: "kill", power_cut: false },
    Treatment { mode: "killhalf", power_cut: false },
    Treatment { mode: "kill", power_cut: true },
    Treatment { mode: "fail", power_cut: false },
];

fn program(data: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rusty-pinch"));
    command
        .env_clear()
        .env("RUSTY_PINCH_PROVIDER", "local")
        .env("RUSTY_PINCH_DATA_DIR", data)
        .current_dir(data)
        .args(arguments);
    command
}

fn run(message: &str) -> [&str; 5] {
    ["run", "--session", "s", "--message", message]
}

/// The library of faults, built by the system's C compiler; none without one.
fn library(dir: &Path) -> Option<PathBuf> {
    let library = dir.join("interpose.so");
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../rusty-pinch-core/tests/interpose/interpose.c");
    let built =
        Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&library).arg(source).arg("-ldl").output();
    match built {
        Ok(output) => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            Some(library)
        }
        Err(error) => {
            eprintln!("SKIPPED: killing the program at its disk operations needs the C compiler `cc`: {error}");
            None
        }
    }
}

fn struck(library: &Path, data: &Path, arguments: &[&str], operation: usize, treatment: Treatment) -> Output {
    let mut command = program(data, arguments);
    command
        .env("LD_PRELOAD", library)
        .env("INTERPOSE_DIR", data)
        .env("INTERPOSE_MODE", treatment.mode)
        .env("INTERPOSE_AT", operation.to_string())
        .env("INTERPOSE_LAST", operation.to_string());
    if treatment.power_cut {
        command.env("INTERPOSE_POWER", "1");
    }
    command.output().unwrap()
}

fn journal(data: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(data.join("sessions/s.jsonl")).unwrap_or_default();
    text.lines().map(|line| serde_json::from_str(line).expect("a line of the journal is broken")).collect()
}

/// Strikes at one operation, then goes on without faults. Whether the run got as far as the operation.
fn check(library: &Path, operation: usize, treatment: Treatment) -> bool {
    let context = format!("{treatment:?} at operation {operation}");
    let data = tempfile::tempdir().unwrap();
    let output = struck(library, data.path(), &run(ORDER), operation, treatment);
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_acknowledged = said.contains("Noted");

    let after = program(data.path(), &run("list my notes")).output().unwrap();
    let listed = String::from_utf8_lossy(&after.stdout).into_owned();
    let errors = String::from_utf8_lossy(&after.stderr).into_owned();
    assert!(after.status.success(), "{context}: {listed}{errors}");
    if is_acknowledged {
        assert!(listed.contains(NOTE), "{context}: an acknowledged note is gone: {listed}");
    }
    assert!(listed.matches(NOTE).count() <= 1, "{context}: the note is there twice: {listed}");

    let entries = journal(data.path());
    let said_by_person = |text: &str| entries.iter().filter(|e| e["role"] == "user" && e["content"] == text).count();
    assert!(said_by_person(ORDER) <= 1, "{context}");
    assert_eq!(said_by_person("list my notes"), 1, "{context}");
    assert_eq!(entries.last().unwrap()["role"], "assistant", "{context}");
    met_it(&output)
}

/// Whether a run got as far as the operation that was struck.
fn met_it(output: &Output) -> bool {
    output.status.code().is_none() || String::from_utf8_lossy(&output.stdout).contains("FAULT ")
}

/// Strikes while the starter skills are copied. The next run finds or makes each of them, whole.
fn check_starters(library: &Path, operation: usize, treatment: Treatment) -> bool {
    let data = tempfile::tempdir().unwrap();
    let output = struck(library, data.path(), &["skills", "check"], operation, treatment);
    let after = program(data.path(), &["skills", "check"]).output().unwrap();
    assert!(after.status.success(), "operation {operation}: {}", String::from_utf8_lossy(&after.stderr));
    for starter in rusty_pinch_core::STARTER_SKILLS {
        for (ending, text) in [("rhai", starter.source), ("cases.json", starter.cases)] {
            let path = data.path().join("workspace/skills").join(format!("{}.{ending}", starter.name));
            assert_eq!(std::fs::read_to_string(&path).unwrap(), text, "operation {operation}: {}", path.display());
        }
    }
    met_it(&output)
}

#[test]
fn killed_or_failed_at_any_disk_operation_it_goes_on() {
    let dir = tempfile::tempdir().unwrap();
    let Some(library) = library(dir.path()) else { return };
    for treatment in TREATMENTS {
        let operations = (1..OPERATIONS_MAX).take_while(|operation| check(&library, *operation, treatment)).count();
        assert!((10..OPERATIONS_MAX - 1).contains(&operations), "{treatment:?} met {operations} operations");
    }
}

#[test]
fn killed_while_the_starter_skills_are_copied_it_copies_the_rest() {
    let dir = tempfile::tempdir().unwrap();
    let Some(library) = library(dir.path()) else { return };
    let treatment = Treatment { mode: "killhalf", power_cut: false };
    let operations =
        (1..OPERATIONS_MAX).take_while(|operation| check_starters(&library, *operation, treatment)).count();
    assert!((20..OPERATIONS_MAX - 1).contains(&operations), "it met {operations} operations");
}
