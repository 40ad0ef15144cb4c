//! Codex's accounts and queue, as a script sees them. The CLI is played by a script of ours.

use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::world::{World, finish};

/// A world whose program `codex` runs `script`, called in a way of one's own, with four requests a window.
fn world(script: &str) -> World {
    bare(script).with("RUSTY_PINCH_CODEX_CLI_ARGS", "exec").with("RUSTY_PINCH_CODEX_ACCOUNT_MAX_REQUESTS", "4")
}

fn bare(script: &str) -> World {
    let world = World::bare();
    world.write("bin/codex", format!("#!/bin/sh\n{script}\n"));
    std::fs::set_permissions(world.path("bin/codex"), PermissionsExt::from_mode(0o755)).unwrap();
    let path = format!("{}:/usr/bin:/bin", world.path("bin").display());
    let home = world.path("home").to_str().unwrap().to_owned();
    std::fs::create_dir_all(world.path("home/.codex")).unwrap();
    world.write("home/.codex/auth.json", r#"{"OPENAI_API_KEY":"sk-1234567890"}"#);
    world.with("PATH", &path).with("HOME", &home)
}

const ECHO: &str = r#"case "$1" in --version) echo codex-cli 1.0;; *) echo "asked $CODEX_HOME $CODEX_API_KEY";; esac"#;

fn status(world: &World) -> Value {
    world.ok(&["codex", "status"]).json()
}

fn generate(world: &World, more: &[&str]) -> Value {
    world.ok(&[&["codex", "generate", "--prompt", "hello"], more].concat()).json()
}

#[test]
fn status_has_the_names_that_scripts_know() {
    let world = world(ECHO);
    let found = status(&world);
    let expected =
        ["accounts", "enabled", "queue_capacity", "queue_depth", "queue_mode_reason", "rate_limit_threshold_percent"];
    assert!(expected.iter().all(|name| found.get(name).is_some()), "{found}");
    let account = &found["accounts"][0];
    for (name, value) in [
        ("id", json!("default")),
        ("healthy", json!(true)),
        ("max_requests", json!(4)),
        ("used_requests", json!(0)),
        ("remaining_percent", json!(100)),
        ("api_key_env", Value::Null),
        ("last_error", Value::Null),
        ("last_healthcheck_at", Value::Null),
        ("model", Value::Null),
    ] {
        assert_eq!(account.get(name), Some(&value), "{name} in {found}");
    }
    assert!(!world.path("data").exists(), "looking writes nothing");
    let off = status(&world.with("RUSTY_PINCH_CODEX_ENABLED", "false"));
    assert_eq!((&off["enabled"], &off["accounts"]), (&json!(false), &json!([])));
}

#[test]
fn b5_background_prompts_queue_at_the_reserve_in_every_later_process() {
    let world = world(ECHO);
    for task_id in 1..=3 {
        let done = generate(&world, &[]);
        assert_eq!(
            (&done["status"], &done["task_id"], &done["account_id"]),
            (&json!("executed"), &json!(task_id), &json!("default"))
        );
        assert!(done["output"].as_str().unwrap().starts_with("asked ") && done["latency_ms"].is_u64(), "{done}");
    }
    let queued = generate(&world, &["--purpose", "later"]);
    assert_eq!(
        (&queued["status"], &queued["reason"], &queued["queue_depth"]),
        (&json!("queued"), &json!("rate_limit_threshold"), &json!(1))
    );
    let found = status(&world);
    assert_eq!((&found["accounts"][0]["used_requests"], &found["queue_depth"]), (&json!(3), &json!(1)));
    assert_eq!(found["queue_mode_reason"], json!("rate_limit_threshold"));
    let noop = world.ok(&["codex", "drain-one"]).json();
    assert_eq!(
        (&noop["status"], &noop["message"]),
        (&json!("noop"), &json!("queue is empty or throttled by rate-limit guard"))
    );
    assert_eq!(generate(&world, &["--interactive"])["status"], "executed");
    assert_eq!(generate(&world, &["--interactive"])["reason"], "no_account_available");
    // A turn of a person is refused with the time at which it can go on.
    let run = world.with("RUSTY_PINCH_PROVIDER", "codex").run(&["run", "--message", "hello"]);
    run.failed(1, &["no account of codex can answer", "used up until", "may be asked again at"]);
}

#[test]
fn b5_counters_and_tasks_survive_a_kill() {
    let world = world(r#"case "$*" in *stuck*) echo "$$" > "$HOME/started"; sleep 60;; *) echo ok;; esac"#);
    assert_eq!(generate(&world, &[])["status"], "executed");
    let mut child = world.command(&["codex", "generate", "--prompt", "stuck"]).spawn().unwrap();
    let begun = Instant::now();
    while !world.path("home/started").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "it never asked");
        std::thread::yield_now();
    }
    child.kill().unwrap();
    finish(child, None);
    let after = status(&world);
    assert_eq!(after["accounts"][0]["used_requests"], 2, "what was asked counts, also when it was killed: {after}");
    let task = &after["queue"][0];
    assert_eq!(
        (&task["task_id"], &task["running"], &task["attempts"]),
        (&json!(2), &json!(true), &json!(1)),
        "{after}"
    );
    assert_eq!(status(&world), after, "the state is what it was");
    assert_eq!(generate(&world, &[])["task_id"], 3);
    assert_eq!(status(&world)["accounts"][0]["used_requests"], 3);
    let results = world.ok(&["codex", "results"]).json();
    let ids: Vec<_> = results["results"].as_array().unwrap().iter().map(|result| result["task_id"].clone()).collect();
    assert_eq!(ids, [3, 1]);
    // The killed program's child is a process group of its own, which nobody is left to end.
    let left = std::fs::read_to_string(world.path("home/started")).unwrap();
    let _ = std::process::Command::new("/bin/kill").args(["-9", "--", &format!("-{}", left.trim())]).status();
}

#[test]
fn b5_processes_at_once_never_overdraw_a_window() {
    let world = world(ECHO);
    let prompt = ["codex", "generate", "--interactive", "--prompt", "hello"];
    let children: Vec<_> = (0..8).map(|_| world.command(&prompt).spawn().unwrap()).collect();
    let done: Vec<Value> = children.into_iter().map(|child| finish(child, None).json()).collect();
    let count = |status: &str| done.iter().filter(|done| done["status"] == status).count();
    assert_eq!((count("executed"), count("queued")), (4, 4), "{done:?}");
    let found = status(&world);
    assert_eq!((&found["accounts"][0]["used_requests"], &found["queue_depth"]), (&json!(4), &json!(4)), "{found}");
    let mut ids: Vec<_> = done.iter().map(|done| done["task_id"].as_u64().unwrap()).collect();
    ids.sort_unstable();
    assert_eq!(ids, (1..=8).collect::<Vec<_>>());
}

#[test]
fn each_account_has_its_own_home_and_key_and_no_other() {
    let world = world(ECHO)
        .with("RUSTY_PINCH_CODEX_ACCOUNTS", "first; Second/2|SECOND_KEY|9")
        .with("SECOND_KEY", "sk-of-the-second");
    let outputs: Vec<_> = (0..2).map(|_| generate(&world, &[])["output"].as_str().unwrap().to_owned()).collect();
    let homes = [world.path("home/.codex"), world.path("data/codex/%53econd%2F2")];
    let homes = homes.map(|home| std::fs::canonicalize(home).unwrap().display().to_string());
    assert!(outputs.contains(&format!("asked {}", homes[0])), "{outputs:?}");
    // The key reaches its account's child, and is taken out of whatever is shown.
    assert!(outputs.iter().any(|output| output.starts_with(&format!("asked {} [", homes[1]))), "{outputs:?}");
    let logins = world.ok(&["codex", "login-status"]).json();
    assert_eq!(logins["accounts"][1]["how"], "has a key");
    for path in ["data/state.db", "data/state.db-wal"] {
        let bytes = std::fs::read(world.path(path)).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains("sk-of-the-second"), "the key is in {path}");
    }
}

#[test]
fn slips_in_the_list_of_accounts_are_named_with_their_fix() {
    for (accounts, said) in [
        ("a;|X", "entry 2: its id is empty"),
        ("a;a", "entry 2: another entry has the same id"),
        ("a|NOT_SET_ANYWHERE", "entry 1 (`a`): its key should be in the variable NOT_SET_ANYWHERE, which is not set"),
        ("a||-5", "entry 1 (`a`): its max_requests"),
        ("a|sk-abcdefgh", "is not the name of an environment variable"),
        ("a|||m|x", "it has 5 fields"),
    ] {
        let ran = world(ECHO).with("RUSTY_PINCH_CODEX_ACCOUNTS", accounts).run(&["codex", "status"]);
        let ran = ran.failed(3, &["RUSTY_PINCH_CODEX_ACCOUNTS", said, "fix:"]);
        assert!(!ran.stderr.contains("sk-abcdefgh"), "{ran:?}");
    }
}

#[test]
fn a_program_that_is_not_the_codex_cli_is_reported_as_such() {
    let check = |world: &World| {
        let ran = world.run(&["codex", "healthcheck"]);
        (ran.code, ran.json()["checks"][0].clone())
    };
    for (script, healthy, said) in [
        ("echo codex-cli 1.0", true, "codex-cli 1.0, logged in"),
        ("echo cat 9.1", false, "not the Codex CLI"),
        ("head -c 3000000 /dev/urandom", false, "not the Codex CLI"),
        ("true", false, "not the Codex CLI"),
        ("echo no such flag >&2; exit 2", false, "exit code 2"),
        (
            r#"case "$1" in --version) echo codex-cli 1.0;; *) exit 1;; esac"#,
            false,
            "is not logged in; run `codex login`",
        ),
    ] {
        let world = bare(script);
        let (code, found) = check(&world);
        assert_eq!((code == 0, &found["healthy"]), (healthy, &json!(healthy)), "{script}: {found}");
        assert!(found["message"].as_str().unwrap().contains(said), "{script}: {found}");
        let account = &status(&world)["accounts"][0];
        assert_eq!(
            (&account["healthy"], account["last_error"].is_null()),
            (&json!(healthy), healthy),
            "it is remembered"
        );
        assert!(account["last_healthcheck_at"].is_string());
    }
    let missing = bare("true").with("RUSTY_PINCH_CODEX_CLI_BIN", "/no/such/codex");
    let (code, found) = check(&missing);
    assert!(code == 1 && found["message"].as_str().unwrap().contains("no program `/no/such/codex`"), "{found}");
}

#[test]
fn a_reset_of_the_brain_lets_go_of_the_accounts_too() {
    let world = bare(
        r#"case "$1" in exec) echo '{"type":"turn.failed","error":{"message":"You’ve hit your usage limit. Try again in 5 days."}}'; exit 1;;
        debug) echo '{"models":[]}';; *) echo codex-cli 1.0;; esac"#,
    );
    let world = world.with("RUSTY_PINCH_PROVIDER", "codex").with("RUSTY_PINCH_CODEX_CLI_ARGS", "exec");
    world.run(&["run", "--message", "hello"]).failed(1, &["quota"]);
    assert!(status(&world)["accounts"][0]["skipped_until"].is_string());
    assert_eq!(world.ok(&["brain", "reset"]).json(), json!({"reset": ["codex"]}));
    let account = &status(&world)["accounts"][0];
    assert_eq!((&account["skipped_until"], &account["used_requests"]), (&Value::Null, &json!(1)));
    assert_eq!(world.ok(&["brain", "reset"]).json(), json!({"reset": []}));
}

#[test]
fn a_tick_looks_at_accounts_and_asks_for_one_task_and_an_idle_one_does_nothing() {
    let count = r#"echo "$1" >> "$HOME/calls"; "#;
    let world = world(&format!("{count}{ECHO}"));
    let tick = || world.ok(&["pulse", "tick"]).json();
    let first = tick();
    assert_eq!(first["executed_jobs"], 1, "{first}");
    let result = &first["results"][0];
    assert_eq!((&result["job_id"], &result["status"]), (&json!("codex-healthcheck"), &json!("ok")), "{first}");
    let idle = tick();
    assert_eq!((&idle["executed_jobs"], &idle["results"]), (&json!(0), &json!([])), "{idle}");
    assert!(idle["wake_at"].is_string());
    assert_eq!(
        std::fs::read_to_string(world.path("home/calls")).unwrap(),
        "--version\n",
        "an idle system asks no model"
    );

    for _ in 0..3 {
        generate(&world, &[]);
    }
    assert_eq!(generate(&world, &[])["status"], "queued");
    assert_eq!(tick()["executed_jobs"], 0, "the reserve holds against the pulse too");
    let more = world.with("RUSTY_PINCH_CODEX_ACCOUNT_MAX_REQUESTS", "40");
    let drained = more.ok(&["pulse", "tick"]).json();
    assert_eq!(
        (&drained["executed_jobs"], &drained["results"][0]["job_id"]),
        (&json!(1), &json!("codex-drain-queue")),
        "{drained}"
    );
    assert_eq!(status(&more)["queue_depth"], 0);
}

#[test]
fn a_full_queue_and_a_bad_prompt_are_refused() {
    let world = world("exit 1").with("RUSTY_PINCH_CODEX_QUEUE_CAPACITY", "1");
    assert_eq!(generate(&world, &[])["reason"], "retry");
    let full = world.run(&["codex", "generate", "--prompt", "more"]);
    full.failed(4, &["holds 1 tasks and takes no more", "drain-one"]);
    world.run(&["codex", "generate", "--prompt", " "]).failed(2, &["the prompt is 1 bytes"]);
    assert_eq!(status(&world)["queue_depth"], 1);
}

#[test]
fn a_home_begins_with_the_given_login_and_keeps_the_one_it_has() {
    let world =
        bare(ECHO).with("RUSTY_PINCH_CODEX_CHATGPT_AUTH_JSON_B64", "eyJ0b2tlbnMiOnsiYWNjZXNzX3Rva2VuIjoidCJ9fQ==");
    let world = world.with("RUSTY_PINCH_CODEX_CLI_ARGS", "exec");
    let file = world.path("home/.codex/auth.json");
    generate(&world, &[]);
    assert!(std::fs::read_to_string(&file).unwrap().contains("sk-1234567890"), "never over a login");
    std::fs::remove_file(&file).unwrap();
    generate(&world, &[]);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), r#"{"tokens":{"access_token":"t"}}"#);
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn b6_a_cap_on_background_work_makes_a_task_wait_for_the_next_day_and_a_person_is_served() {
    let world = world(ECHO).with("RUSTY_PINCH_BUDGET_BACKGROUND_DAY_TOKENS", "0");
    let queued = generate(&world, &[]);
    assert_eq!((&queued["status"], &queued["reason"]), (&json!("queued"), &json!("spending_cap")), "{queued}");
    assert_eq!(status(&world)["queue_depth"], json!(1));
    assert_eq!(generate(&world, &["--interactive"])["status"], json!("executed"));
    assert_eq!(
        generate(&world.with("RUSTY_PINCH_BUDGET_DAY_TOKENS", "1"), &["--interactive"])["reason"],
        json!("spending_cap")
    );
}

#[test]
fn doctor_and_brain_status_tell_of_each_account_and_reset_ends_the_pauses() {
    let world = bare("exit 7").with("RUSTY_PINCH_CODEX_ACCOUNTS", "a|KEY_A;b").with("KEY_A", "sk-aaaaaaaaaa");
    let world = world.with("RUSTY_PINCH_PROVIDER", "codex,local");
    let doctor = world.ok(&["doctor"]).stdout;
    for part in [
        "codex_accounts: a has a key in KEY_A; b is not logged in\n",
        "api_key_loaded: true\n",
        "status: warning\n",
        "the account `b` of Codex has no key and is not logged in",
    ] {
        assert!(doctor.contains(part), "{part:?} is not in {doctor}");
    }
    assert!(!doctor.contains("is left alone"), "{doctor}");
    world.run(&["codex", "healthcheck"]).failed(1, &[]);

    let accounts = |world: &World| world.ok(&["brain", "status"]).json()["chain"][0]["accounts"].clone();
    let found = accounts(&world);
    assert!(found[0]["skipped_until"].is_string() && found[1]["healthy"] == json!(false), "{found}");
    let doctor = world.ok(&["doctor"]).stdout;
    assert!(doctor.contains("the account `a` of Codex is left alone until 2"), "{doctor}");
    assert!(doctor.contains("exit code 7) and said nothing"), "{doctor}");
    // The chain answers all the same.
    world.ok(&["run", "--message", "what is 17 * 23?"]);

    assert_eq!(world.ok(&["brain", "reset", "--provider", "local"]).json(), json!({"reset": []}));
    assert_eq!(world.ok(&["brain", "reset"]).json(), json!({"reset": ["codex"]}));
    let found = accounts(&world);
    assert_eq!((&found[0]["skipped_until"], &found[1]["healthy"]), (&Value::Null, &json!(true)), "{found}");
    assert_eq!(world.ok(&["brain", "reset"]).json(), json!({"reset": []}));
}
