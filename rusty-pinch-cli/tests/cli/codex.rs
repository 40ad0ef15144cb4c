//! The Codex CLI as settings describe it, played by a script. The real one is tried in the core's tests.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use crate::world::World;

/// A world with a program `codex` in its PATH that runs `script`.
fn world(script: &str) -> World {
    let world = World::bare();
    world.write("bin/codex", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(world.path("bin/codex"), PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    let home = world.path("home").to_str().unwrap().to_owned();
    world.with("PATH", &path).with("HOME", &home)
}

#[test]
fn codex_is_chosen_when_it_is_there_and_logged_in() {
    let world = world("exit 1");
    let provider = |world: &World| world.ok(&["doctor", "--json"]).json()["settings"]["provider"].clone();
    assert_eq!(provider(&world), "local");
    world.write("home/.codex/auth.json", r#"{"OPENAI_API_KEY":"sk-1234567890"}"#);
    assert_eq!(provider(&world), "codex");
    let doctor = world.ok(&["doctor"]).stdout;
    assert!(doctor.contains("logged in with a key") && !doctor.contains("1234567890"), "{doctor}");
    assert_eq!(provider(&world.with("RUSTY_PINCH_CODEX_ENABLED", "false")), "local");
}

#[test]
fn an_invocation_of_ones_own_is_used_as_it_is_given() {
    let world = world(r#"echo "args: $*"; echo "secret: $RUSTY_PINCH_API_KEY""#)
        .with("RUSTY_PINCH_PROVIDER", "codex")
        .with("RUSTY_PINCH_API_KEY", "sk-of-somebody-else")
        .with("RUSTY_PINCH_CODEX_CLI_ARGS", "think --hard")
        .with("RUSTY_PINCH_CODEX_MODEL", "small")
        .with("RUSTY_PINCH_CODEX_PROMPT_FLAG", "--prompt");
    let ran = world.ok(&["run", "--message", "hello there"]);
    assert!(ran.stdout.starts_with("args: think --hard --model small --prompt"), "{ran:?}");
    assert!(ran.stdout.contains("hello there") && !ran.stdout.contains("somebody-else"), "{ran:?}");
}

#[test]
fn a_run_that_takes_too_long_is_ended_in_time() {
    let world = world("sleep 20")
        .with("RUSTY_PINCH_PROVIDER", "codex")
        .with("RUSTY_PINCH_CODEX_CLI_ARGS", "")
        .with("RUSTY_PINCH_CODEX_TIMEOUT_SECS", "1");
    let started = Instant::now();
    world.run(&["run", "--message", "hello"]).failed(1, &["codex", "within the 1 s"]);
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
}
