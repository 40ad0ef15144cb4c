//! A chain of providers: who answers, and what is said about those that did not.

use fake_model::{FakeModel, always, chat};
use serde_json::json;

use crate::world::World;

/// Nobody listens there.
const DEAD: &str = "http://127.0.0.1:9/v1";

/// `openai` is dead, `compatible` is `server`, then the offline brain.
fn world(server: &FakeModel) -> World {
    World::bare()
        .with("RUSTY_PINCH_PROVIDER", "openai,compatible,local")
        .with("RUSTY_PINCH_OPENAI_API_KEY", "sk-dead-secret")
        .with("RUSTY_PINCH_OPENAI_API_BASE", DEAD)
        .with("RUSTY_PINCH_MODEL", "fake")
        .with("RUSTY_PINCH_API_BASE", &server.base_url())
        .with("RUSTY_PINCH_RETRY_BACKOFF_MS", "1")
        .with("RUSTY_PINCH_RETRY_MAX_BACKOFF_MS", "2")
}

#[test]
fn the_next_provider_answers_and_the_log_and_the_session_say_who() {
    let server = FakeModel::start(chat::says("from the second"));
    let world = world(&server);
    let ran = world.ok(&["run", "--message", "hello"]);
    assert_eq!(ran.stdout, "from the second\n");
    let turn = &ran.turns()[0];
    assert_eq!((&turn["provider"], &turn["model"]), (&json!("compatible"), &json!("fake")));
    assert_eq!(turn["tried"][0]["brain"], "openai");
    assert!(turn["tried"][0]["why"].as_str().unwrap().contains("127.0.0.1:9"), "{turn}");
    let session = world.ok(&["session"]).json();
    assert_eq!((&session[1]["brain"], &session[1]["tried"][0]["brain"]), (&json!("compatible"), &json!("openai")));
    // The next process knows that the first is down: its breaker is open, or it has just lapsed and is tried once.
    let again = world.ok(&["run", "--message", "hello"]).turns();
    assert!(again[0]["attempts"].as_u64().unwrap() <= 2, "{again:?}");
}

#[test]
fn status_shows_the_chain_and_reset_closes_its_breakers() {
    let server = FakeModel::start(always(chat::error(401, "invalid_api_key", "no")));
    let world = world(&server);
    let before = world.ok(&["brain", "status"]).json();
    let chain = before["chain"].as_array().unwrap();
    let shown: Vec<_> = chain.iter().map(|member| (&member["provider"], &member["breaker"])).collect();
    let closed = json!("closed");
    assert_eq!(shown, [(&json!("openai"), &closed), (&json!("compatible"), &closed), (&json!("local"), &closed)]);
    assert!(!world.path("data").exists(), "looking makes nothing");

    world.ok(&["run", "--message", "what can you do?"]);
    let after = world.ok(&["brain", "status"]).json();
    let second = &after["chain"][1];
    assert_eq!((&second["breaker"], &second["failures"]), (&json!("open"), &json!(1)), "{after}");
    assert!(second["last_error"].as_str().unwrap().contains("credentials") && second["until"].is_string(), "{after}");
    assert!(after["chain"][2]["last_success_at"].is_string(), "{after}");
    let doctor = world.ok(&["doctor"]).stdout;
    assert!(doctor.contains("`compatible` is left alone until 2") && doctor.contains("127.0.0.1:9"), "{doctor}");
    assert_eq!(server.request_count(), 1, "looking asks nobody");

    let nobody = world.run(&["brain", "reset", "--provider", "groq"]);
    nobody.failed(2, &["\"groq\" is not in the chain", "openai, compatible, local"]);
    let reset = world.ok(&["brain", "reset", "--provider", "compatible"]).json();
    assert_eq!(reset, json!({"reset": ["compatible"]}));
    let status = world.ok(&["brain", "status"]).json();
    assert_eq!((&status["chain"][1]["breaker"], &status["chain"][1]["failures"]), (&json!("closed"), &json!(0)));
}

#[test]
fn when_all_fail_each_is_named_and_a_person_gets_a_try_all_the_same() {
    let server = FakeModel::start(fake_model::sequence([chat::error(403, "x", "no")]));
    let world = World::bare()
        .with("RUSTY_PINCH_PROVIDER", "openai,compatible")
        .with("RUSTY_PINCH_OPENAI_API_KEY", "sk-dead-secret")
        .with("RUSTY_PINCH_OPENAI_API_BASE", DEAD)
        .with("RUSTY_PINCH_MODEL", "fake")
        .with("RUSTY_PINCH_API_BASE", &server.base_url())
        .with("RUSTY_PINCH_REQUEST_RETRIES", "0");
    let ran = world.run(&["run", "--message", "hello"]);
    let ran = ran.failed(1, &["no brain answered", "[openai/gpt-4o-mini]", "[compatible/fake]", "127.0.0.1:9", "403"]);
    assert!(!ran.stderr.contains("dead-secret"), "{ran:?}");
    // The message was kept, and asking again is the way to find out that a provider was repaired.
    world.run(&["resume"]).failed(1, &["no brain answered"]);
}

#[test]
fn a_provider_that_can_not_be_used_is_left_out_and_doctor_says_what_to_do() {
    let world = World::bare().with("RUSTY_PINCH_PROVIDER", "groq,local");
    let ran = world.ok(&["run", "--message", "what can you do?"]);
    assert!(ran.stderr.contains("`groq` is left out of the chain") && ran.stderr.contains("RUSTY_PINCH_GROQ_API_KEY"));
    assert_eq!(ran.turns()[0]["provider"], "local");
    let status = world.ok(&["brain", "status"]).json();
    assert!(status["chain"][0]["problem"].as_str().unwrap().contains("RUSTY_PINCH_GROQ_API_KEY"), "{status}");
    let doctor = world.run(&["doctor"]);
    assert!(doctor.code == 3 && doctor.stdout.contains("`groq` needs a key"), "{doctor:?}");
    assert!(doctor.stdout.contains("provider_chain: groq,local"), "{doctor:?}");
    World::bare().with("RUSTY_PINCH_PROVIDER", "groq,openai").run(&["run", "--message", "x"]).failed(3, &["groq"]);
}

#[test]
fn a_chain_that_is_not_one_is_refused() {
    for (value, part) in [("codex,codex", "named twice"), ("local,", "a name is missing"), ("local,nobody", "one of")] {
        let world = World::bare().with("RUSTY_PINCH_PROVIDER", value);
        world.run(&["run", "--message", "x"]).failed(3, &["RUSTY_PINCH_PROVIDER", part]);
    }
    World::bare()
        .with("RUSTY_PINCH_PROVIDER", "openai,groq")
        .with("RUSTY_PINCH_API_KEY", "sk-whose")
        .run(&["run", "--message", "x"])
        .failed(3, &["does not say whose it is", "RUSTY_PINCH_OPENAI_API_KEY or RUSTY_PINCH_GROQ_API_KEY"]);
}
