use std::process::Stdio;

use fake_model::{Answer, FakeModel, Reply, chat};
use serde_json::{Value, json};

use crate::world::{World, finish};

/// A price for the fake model: a dollar for a million tokens read, ten for those written.
const PRICES: &str = r#"{"date": "2026-03-04", "source": "a test", "models": [
  {"provider": "compatible", "model": "fake", "input": "1.00", "output": "10.00"}]}"#;

fn world(server: &FakeModel) -> World {
    let world = World::bare()
        .with("RUSTY_PINCH_PROVIDER", "compatible")
        .with("RUSTY_PINCH_MODEL", "fake")
        .with("RUSTY_PINCH_API_BASE", &server.base_url())
        .with("RUSTY_PINCH_REQUEST_RETRIES", "0")
        .with("RUSTY_PINCH_PRICES_FILE", "prices.json");
    world.write("prices.json", PRICES);
    world
}

fn used(tokens_in: u64, tokens_out: u64) -> FakeModel {
    let answer = Answer::text("fine").with_usage(tokens_in, tokens_out);
    FakeModel::start(move |_, request| chat::reply(request, &answer))
}

fn spend(world: &World) -> Value {
    world.ok(&["stats"]).json()["spend"].clone()
}

#[test]
fn b6_a_cap_refuses_the_next_message_and_says_which_and_until_when() {
    let server = used(90_000, 1_000);
    let world = world(&server).with("RUSTY_PINCH_BUDGET_DAY_USD", "0.1203");
    world.ok(&["run", "--message", "hello"]);
    let found = spend(&world);
    assert_eq!(found["interactive"]["usd"], "0.10", "{found}");
    let parts = [
        "$0.1203 for today (UTC)",
        "$0.10 are spent",
        "it resets at 2",
        "T00:00:00Z",
        "RUSTY_PINCH_BUDGET_DAY_USD raises it",
    ];
    let refused = world.run(&["run", "--session", "b", "--message", "again"]).failed(4, &parts);
    let fix = "fix: the message is kept; `rusty-pinch resume --session b` goes on when the cap allows it";
    assert!(refused.stdout.is_empty() && refused.stderr.contains(fix), "{refused:?}");
    assert_eq!((server.request_count(), &refused.turns()[0]["status"]), (1, &json!("error")));
    let json = world.run(&["run", "--json", "--message", "again"]);
    assert_eq!((json.code, &json.json()["exit_code"]), (4, &json!(4)));
    // What is free is not refused.
    world.ok(&["run", "--message", "/tool calc 1+1"]);
    let offline =
        finish(world.command(&["run", "--message", "hi"]).env("RUSTY_PINCH_PROVIDER", "local").spawn().unwrap(), None);
    assert_eq!(offline.code, 0, "{offline:?}");
    assert_eq!(spend(&world)["interactive"], found["interactive"]);
}

#[test]
fn b6_a_chain_goes_on_with_what_is_free_and_refuses_where_nothing_is() {
    let server = used(90_000, 1_000);
    let chain = |providers: &str| {
        world(&server)
            .with("RUSTY_PINCH_PROVIDER", providers)
            .with("RUSTY_PINCH_OPENAI_API_KEY", "sk-fake")
            .with("RUSTY_PINCH_OPENAI_API_BASE", "http://127.0.0.1:9/v1")
            .with("RUSTY_PINCH_BUDGET_DAY_TOKENS", "95000")
    };
    let free = chain("compatible,local");
    assert_eq!(free.ok(&["run", "--message", "hello"]).stdout, "fine\n");
    let turn = free.ok(&["run", "--message", "what is 17 * 23?"]).turns()[0].clone();
    assert_eq!((&turn["provider"], &turn["tried"][0]["brain"]), (&json!("local"), &json!("compatible")), "{turn}");
    assert!(turn["tried"][0]["why"].as_str().unwrap().contains("95000 tokens for today"), "{turn}");
    let status = free.ok(&["brain", "status"]).json();
    // A cap says nothing about the provider, so its breaker stays closed.
    assert_eq!((&status["chain"][0]["breaker"], &status["chain"][0]["failures"]), (&json!("closed"), &json!(0)));
    assert_eq!(status["spend"]["caps"][0]["used"], "91000");
    let prices: Vec<_> = status["chain"].as_array().unwrap().iter().map(|member| &member["price"]).collect();
    assert_eq!(prices, ["$1.00 in, $10.00 out per million tokens", "<free>"]);

    let paid = chain("compatible,openai");
    assert_eq!(paid.ok(&["run", "--message", "hello"]).stdout, "fine\n");
    paid.run(&["run", "--message", "again"])
        .failed(4, &["compatible was not asked", "95000 tokens for today", "it resets at"]);
    assert_eq!(server.request_count(), 2);
}

#[test]
fn a_turn_that_goes_on_and_on_is_stopped_by_its_cap_and_goes_on_when_it_is_raised() {
    let server = FakeModel::start(|_, request| match chat::last_tool_result(request) {
        Some(result) if result.contains('4') => chat::reply(request, &Answer::text("done").with_usage(5_000, 10)),
        _ => chat::reply(request, &Answer::call("calc", &json!({"expression": "2+2"})).with_usage(5_000, 10)),
    });
    let world = world(&server).with("RUSTY_PINCH_BUDGET_TURN_TOKENS", "9000");
    world
        .run(&["run", "--message", "hello"])
        .failed(4, &["9000 tokens for this turn", "5010 tokens are spent", "never resets"]);
    assert_eq!(server.request_count(), 1);
    let raised =
        finish(world.command(&["resume"]).env("RUSTY_PINCH_BUDGET_TURN_TOKENS", "20000").spawn().unwrap(), None);
    assert_eq!((raised.code, raised.stdout.as_str()), (0, "done\n"), "{raised:?}");
    // The turn's first call still counts.
    assert_eq!(spend(&world)["interactive"]["tokens"], 10_020);
}

#[test]
fn stats_show_what_was_spent_by_lane_and_model_and_what_the_caps_leave() {
    let server = used(1_000, 100);
    let world = world(&server).with("RUSTY_PINCH_BUDGET_DAY_TOKENS", "1000000");
    assert_eq!(spend(&world)["models"], json!([]), "nothing is spent before the first message");
    world.ok(&["run", "--message", "hello"]);
    let found = spend(&world);
    let model = json!({
        "lane": "interactive", "provider": "compatible", "model": "fake", "calls": 1, "estimated_calls": 0,
        "input_tokens": 1000, "output_tokens": 100, "usd": "0.002", "unpriced_tokens": 0,
    });
    assert_eq!(found["models"], json!([model]));
    assert_eq!((&found["background"]["calls"], &found["interactive"]["open_calls"]), (&json!(0), &json!(0)));
    let cap = json!({
        "scope": "day", "unit": "tokens", "variable": "RUSTY_PINCH_BUDGET_DAY_TOKENS", "limit": "1000000", "used": "1100",
    });
    assert_eq!(found["caps"][0], cap);
    // Counters are shown also where the record can't be read.
    world.write("data/state.db", "this is no database");
    let ran = world.ok(&["stats"]);
    assert!(
        ran.stderr.contains("warning: what was spent today can't be read") && ran.json()["spend"].is_null(),
        "{ran:?}"
    );
}

#[test]
fn b6_processes_at_once_do_not_pass_a_cap_together() {
    // Each answer takes a while, so that all processes ask before the first is done.
    let answer = Answer::text("fine").with_usage(100, 10);
    let server =
        FakeModel::start(move |_, request| chat::reply(request, &answer).after(std::time::Duration::from_millis(1500)));
    // One call is expected to take a prompt of some hundred tokens and 4096 for the answer: two fit.
    let world = world(&server).with("RUSTY_PINCH_BUDGET_DAY_TOKENS", "12000");
    let start = |n: usize| {
        let session = format!("s{n}");
        world.command(&["run", "--session", &session, "--message", "hello"]).stdin(Stdio::null()).spawn().unwrap()
    };
    let children: Vec<_> = (0..8).map(start).collect();
    let codes: Vec<_> = children.into_iter().map(|child| finish(child, None).code).collect();
    let count = |code| codes.iter().filter(|found| **found == code).count();
    assert_eq!((count(0), count(4)), (2, 6), "{codes:?}");
    assert_eq!(server.request_count(), 2);
}

#[test]
fn b6_a_process_killed_in_the_middle_of_a_call_leaves_it_counted() {
    let server = FakeModel::start(fake_model::always(Reply::silence()));
    let world = world(&server).with("RUSTY_PINCH_BUDGET_DAY_TOKENS", "8000");
    let mut child = world.command(&["run", "--message", "hello"]).spawn().unwrap();
    while server.request_count() == 0 {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    let found = spend(&world);
    assert_eq!(
        (&found["interactive"]["open_calls"], &found["interactive"]["calls"]),
        (&json!(1), &json!(0)),
        "{found}"
    );
    assert!(found["interactive"]["reserved_tokens"].as_u64().unwrap() > 4096);
    world.run(&["resume"]).failed(4, &["8000 tokens for today", "are spent or under way"]);
    assert_eq!(server.request_count(), 1);
}

#[test]
fn doctor_tells_caps_prices_and_models_that_have_none() {
    let server = used(1, 1);
    let world = world(&server).with("RUSTY_PINCH_BUDGET_DAY_USD", "1.50");
    let settings = world.ok(&["doctor", "--json"]).json()["settings"].clone();
    assert_eq!(settings["budget"], "day $1.50, background day 200000 tokens");
    assert_eq!(settings["prices"], "as of 2026-03-04 (prices.json)");
    assert_eq!(settings["model_price"], "$1.00 in, $10.00 out per million tokens");
    world.write("prices.json", PRICES.replace("\"fake\"", "\"other\""));
    let page = world.ok(&["doctor"]).stdout;
    for part in [
        "status: warning",
        "`fake` of `compatible` has no known price: caps in US dollars don't count it",
        "fix: add it",
    ] {
        assert!(page.contains(part), "{part:?} is not in {page}");
    }
    // Where no cap counts money it is only worth knowing.
    let uncapped = finish(world.command(&["doctor"]).env("RUSTY_PINCH_BUDGET_DAY_USD", "").spawn().unwrap(), None);
    assert!(
        uncapped.stdout.contains("status: ok") && uncapped.stdout.contains("- note: the model `fake`"),
        "{uncapped:?}"
    );
    let local = World::new().ok(&["doctor", "--json"]).json()["settings"].clone();
    let nameless = world.with("RUSTY_PINCH_PROVIDER", "compatible,local").ok(&["brain", "status"]).json();
    assert_eq!(nameless["chain"][0]["price"], "<unknown>");
    assert_eq!((&local["model_price"], &local["budget"]), (&json!("<free>"), &json!("background day 200000 tokens")));
}

#[test]
fn a_price_file_that_breaks_its_rules_stops_the_program_before_it_spends_anything() {
    let server = used(1, 1);
    let world = world(&server);
    for (text, part) in [
        (PRICES.replace("\"10.00\"", "\"ten\""), "\"ten\" is no price"),
        (PRICES.replace("\"10.00\"", "\"ten\""), "line 2"),
        (PRICES.replace("output", "ouput"), "unknown field `ouput`"),
        ("{".to_owned(), "line 1"),
    ] {
        world.write("prices.json", text);
        world.run(&["run", "--message", "hello"]).failed(3, &["prices.json", part, "fix: correct the file"]);
        let doctor = world.run(&["doctor"]);
        assert!(doctor.code == 3 && doctor.stdout.contains(part), "{doctor:?}");
    }
    std::fs::remove_file(world.path("prices.json")).unwrap();
    world.run(&["run", "--message", "hello"]).failed(3, &["prices.json can't be read", "No such file"]);
    assert_eq!(server.request_count(), 0);
    for (name, value, rule) in [
        ("RUSTY_PINCH_BUDGET_DAY_USD", "1,50", "such as `1.50`"),
        ("RUSTY_PINCH_BUDGET_TURN_TOKENS", "-1", "a whole number from 0"),
        ("RUSTY_PINCH_BUDGET_ANSWER_TOKENS", "0", "a whole number from 1"),
    ] {
        let ran = finish(world.command(&["run", "--message", "hello"]).env(name, value).spawn().unwrap(), None);
        ran.failed(3, &[name, value, rule, "fix: "]);
    }
}

#[test]
fn a_cap_that_allows_no_call_at_all_is_a_warning() {
    let world = World::new().with("RUSTY_PINCH_BUDGET_TURN_TOKENS", "4096").with("RUSTY_PINCH_BUDGET_DAY_TOKENS", "0");
    let doctor = world.ok(&["doctor"]).stdout;
    assert!(
        doctor.contains("status: warning\n") && doctor.contains("RUSTY_PINCH_BUDGET_TURN_TOKENS is 4096"),
        "{doctor}"
    );
    assert!(!doctor.contains("RUSTY_PINCH_BUDGET_DAY_TOKENS is"), "0 is meant so: {doctor}");
    let enough = world.with("RUSTY_PINCH_BUDGET_ANSWER_TOKENS", "1000").ok(&["doctor"]).stdout;
    assert!(enough.contains("status: ok\n"), "{enough}");
}
