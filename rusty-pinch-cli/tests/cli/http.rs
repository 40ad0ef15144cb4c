use std::process::Command as Program;
use std::time::Duration;

use fake_model::{Answer, FakeModel, Reply, chat};
use serde_json::json;

use crate::world::{World, finish};

fn world(server: &FakeModel) -> World {
    World::bare()
        .with("RUSTY_PINCH_PROVIDER", "compatible")
        .with("RUSTY_PINCH_MODEL", "fake")
        .with("RUSTY_PINCH_API_BASE", &server.base_url())
        .with("RUSTY_PINCH_API_KEY", "sk-fake-very-secret")
        .with("RUSTY_PINCH_RETRY_BACKOFF_MS", "1")
        .with("RUSTY_PINCH_RETRY_MAX_BACKOFF_MS", "2")
        .with("RUSTY_PINCH_REQUEST_TIMEOUT_SECS", "5")
}

#[test]
fn a_message_goes_to_the_server_and_its_answer_comes_back_once() {
    let server = FakeModel::start(chat::says("Grüße from the server."));
    let world = world(&server);
    let ran = world.ok(&["run", "--message", "hello"]);
    assert_eq!(ran.stdout, "Grüße from the server.\n");
    let turns = ran.turns();
    assert_eq!((&turns[0]["attempts"], &turns[0]["provider"]), (&json!(1), &json!("compatible")));
    let requests = server.requests();
    assert_eq!(requests[0].header("authorization"), Some("Bearer sk-fake-very-secret"));
    assert_eq!(requests[0].field("/model"), json!("fake"));
    // The second message carries the first and its answer.
    world.ok(&["run", "--message", "and now?"]);
    let body = server.requests()[1].json().to_string();
    assert!(body.contains("hello") && body.contains("Grüße") && body.contains("and now?"), "{body}");
}

#[test]
fn a_tool_call_of_the_server_is_run_and_its_result_goes_back() {
    let server = FakeModel::start(|_, request| match chat::last_tool_result(request) {
        Some(result) => chat::reply(request, &Answer::text(format!("the tool says: {result}"))),
        None => chat::reply(request, &Answer::call("model_info", &json!({}))),
    });
    let ran = world(&server).ok(&["run", "--message", "who are you?"]);
    assert!(ran.stdout.starts_with("the tool says: ") && ran.stdout.contains("fake"), "{ran:?}");
    assert_eq!((server.request_count(), ran.turns()[0]["tool_name"].as_str()), (2, Some("model_info")));
}

#[test]
fn a_server_that_lies_or_is_away_is_an_error_that_says_how() {
    for (reply, part) in [
        (Reply::html(200), "protocol"),
        (Reply::garbage(), "compatible"),
        (Reply::close(), "compatible"),
        (chat::error(401, "invalid_api_key", "bad key sk-fake-very-secret"), "credentials"),
        (chat::error(500, "oops", "broken"), "500"),
    ] {
        let server = FakeModel::start(fake_model::always(reply));
        let world = world(&server);
        let ran = world.run(&["run", "--message", "hello"]);
        let code = if part == "credentials" { 3 } else { 1 };
        let ran = ran.failed(code, &[part, "error: turn rp-", "fix: "]);
        assert!(ran.stdout.is_empty() && !ran.stderr.contains("very-secret"), "{ran:?}");
        // The message is kept, and the next one is answered as if nothing had been.
        assert_eq!(world.ok(&["session"]).json()[0]["content"], "hello");
    }
    let away = World::bare()
        .with("RUSTY_PINCH_PROVIDER", "compatible")
        .with("RUSTY_PINCH_MODEL", "fake")
        .with("RUSTY_PINCH_API_BASE", "http://127.0.0.1:9/v1")
        .with("RUSTY_PINCH_REQUEST_RETRIES", "0");
    away.run(&["run", "--message", "hello"]).failed(1, &["127.0.0.1:9", "could not be reached"]);
}

#[test]
fn no_log_line_shows_the_key() {
    let server = FakeModel::start(chat::says("ok"));
    let world = world(&server);
    let ran = finish(world.command(&["run", "--message", "hello"]).env("RUST_LOG", "trace").spawn().unwrap(), None);
    assert_eq!(ran.code, 0);
    assert!(ran.stderr.contains("TRACE") && !ran.stderr.contains("very-secret"), "{}", ran.stderr);
    let files = std::fs::read_to_string(world.path("data/telemetry/latest.json")).unwrap();
    assert!(!files.contains("very-secret"));
}

#[test]
fn ctrl_c_ends_a_turn_that_waits_and_resume_goes_on() {
    let server = FakeModel::start(fake_model::sequence([Reply::silence(), chat::stream(&Answer::text("late"), false)]));
    let world = world(&server);
    let child = world.command(&["run", "--message", "hello"]).spawn().unwrap();
    while server.request_count() == 0 {
        std::thread::sleep(Duration::from_millis(5));
    }
    let kill = Program::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(kill.success());
    finish(child, None).failed(130, &["interrupted", "`rusty-pinch resume --session default`"]);
    let resumed = world.ok(&["resume"]);
    assert_eq!(resumed.stdout, "late\n");
    assert!(world.ok(&["resume"]).stdout.contains("Nothing is unfinished"));
}
