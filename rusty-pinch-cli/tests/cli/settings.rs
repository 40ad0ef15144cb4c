use crate::world::World;

#[test]
fn everything_wrong_with_the_settings_is_said_at_once() {
    let world = World::bare()
        .with("RUSTY_PINCH_PROVIDER", "opnai")
        .with("RUSTY_PINCH_REQUEST_RETRIES", "4294967295")
        .with("RUSTY_PINCH_CODEX_ENABLED", "Y");
    let ran = world.run(&["run", "--message", "hello"]);
    let ran = ran.failed(3, &["opnai", "from 0 to 20", "RUSTY_PINCH_CODEX_ENABLED", "fix: "]);
    assert_eq!(ran.stderr.matches("error: ").count(), 3, "{ran:?}");
    assert!(ran.stdout.is_empty() && !world.path("data").exists());
    let doctor = world.run(&["doctor"]);
    assert_eq!((doctor.code, doctor.stdout.matches("- error: ").count()), (3, 3), "{doctor:?}");
    assert_eq!(world.run(&["doctor", "--json"]).json()["status"], "error");
    assert_eq!(world.run(&["stats", "--json"]).json()["errors"].as_array().unwrap().len(), 3);
}

#[test]
fn providers_that_cannot_work_say_what_is_missing() {
    let missing_key = World::bare().with("RUSTY_PINCH_PROVIDER", "openai");
    missing_key.run(&["run", "--message", "x"]).failed(3, &["RUSTY_PINCH_OPENAI_API_KEY"]);
    assert!(missing_key.run(&["doctor"]).stdout.contains("fix: set RUSTY_PINCH_OPENAI_API_KEY"));
    let anthropic = World::bare().with("RUSTY_PINCH_PROVIDER", "anthropic");
    anthropic.run(&["run", "--message", "x"]).failed(3, &["not available", "`openrouter`"]);
    let no_codex =
        World::bare().with("RUSTY_PINCH_PROVIDER", "codex").with("PATH", "/nowhere").with("HOME", "/nowhere");
    no_codex.run(&["run", "--message", "x"]).failed(3, &["codex"]);
    no_codex.run(&["doctor"]).failed(3, &[]);
}

#[test]
fn a_bad_address_is_one_problem_and_shows_no_password() {
    let world = || World::bare().with("RUSTY_PINCH_PROVIDER", "compatible").with("RUSTY_PINCH_MODEL", "m");
    let no_url = world().with("RUSTY_PINCH_API_BASE", "localhost:80").run(&["doctor"]);
    assert!(no_url.code == 3 && no_url.stdout.contains("must be a URL"), "{no_url:?}");
    assert!(!no_url.stdout.contains("is not set"), "{no_url:?}");
    let secret = world().with("RUSTY_PINCH_API_BASE", "http://user:pw-pw@x/v1").with("RUSTY_PINCH_API_KEY", "a\u{1}b");
    let ran =
        secret.run(&["run", "--message", "x"]).failed(3, &["without user", "set RUSTY_PINCH_API_KEY to one line"]);
    let doctor = secret.run(&["doctor"]);
    assert!(!ran.stderr.contains("pw-pw") && !doctor.stdout.contains("pw-pw"), "{ran:?} {doctor:?}");
}

#[test]
fn a_misspelt_name_is_named_with_the_nearest() {
    let world = World::new().with("RUSTY_PINCH_MODLE", "x");
    assert!(world.ok(&["run", "--message", "hello"]).stderr.contains("did you mean RUSTY_PINCH_MODEL?"));
    let doctor = world.run(&["doctor"]);
    assert!(doctor.code == 3 && doctor.stdout.contains("did you mean RUSTY_PINCH_MODEL?"), "{doctor:?}");
}

#[test]
fn the_env_file_counts_less_than_the_environment_and_its_bad_lines_are_named() {
    let world = World::bare();
    world.write(".env", "RUSTY_PINCH_PROVIDER=local\nRUSTY_PINCH_DATA_DIR='elsewhere'\n");
    world.ok(&["run", "--message", "hello"]);
    assert!(world.path("elsewhere/sessions").is_dir());
    let named = World::bare().with("RUSTY_PINCH_ENV_FILE", "my.env");
    named.run(&["run", "--message", "x"]).failed(3, &["my.env", "does not exist"]);
    named.write("my.env", "# fine\nRUSTY_PINCH_API_KEY 'sk-do-not-show\n");
    let ran = named.run(&["run", "--message", "x"]).failed(3, &["line 2", "my.env"]);
    assert!(!ran.stderr.contains("do-not-show"), "{ran:?}");
}

#[test]
fn variables_of_the_previous_program_are_noted_and_change_nothing() {
    let world = World::new().with("RUSTY_PINCH_EVOLUTION_REQUIRE_MANIFEST_SIGNATURE", "enabled");
    let doctor = world.ok(&["doctor"]);
    assert!(doctor.stdout.contains("status: ok"), "{doctor:?}");
    assert!(doctor.stdout.contains("no effect in this version (updates)"), "{doctor:?}");
}

#[test]
fn a_bad_log_filter_is_a_warning() {
    let ran = World::new().with("RUST_LOG", "a=b=c").ok(&["run", "--message", "hello"]);
    assert!(ran.stderr.contains("warning: RUST_LOG"), "{ran:?}");
}

#[test]
fn a_rule_for_a_tool_that_there_is_not_is_a_warning() {
    let doctor = World::new().with("RUSTY_PINCH_TOOLS_DENIED", "calc,clac").ok(&["doctor"]);
    assert!(doctor.stdout.contains("status: warning") && doctor.stdout.contains("`clac`"), "{doctor:?}");
    assert!(!doctor.stdout.contains("`calc`"), "{doctor:?}");
}
