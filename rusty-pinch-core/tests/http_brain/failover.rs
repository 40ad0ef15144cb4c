//! B3 and B4 through a chain of three providers over real sockets: every kind of failure in every position.

use std::sync::Arc;
use std::time::Duration;

use fake_model::{Answer, FakeModel, Reply, always, chat};
use rusty_pinch_core::testing::SeededEntropy;
use rusty_pinch_core::{Brain, BrainError, Breakers, Deltas, ErrorClass, FailoverBrain, HttpBrain, RetryPolicy};
use serde_json::json;

use crate::setup::{calc, config, listener, prompt, shown};

const NAMES: [&str; 3] = ["first", "second", "third"];
const RETRIES: RetryPolicy =
    RetryPolicy { attempts_max: 2, backoff: Duration::from_millis(1), backoff_max: Duration::from_millis(1) };

/// What a provider may be: something that listens and answers badly, or nobody.
enum Failing {
    Replies(Reply),
    /// Nobody listens at its address.
    Refuses,
}

/// Each class of failure, with a word of the reason that is given for it.
fn failures() -> Vec<(&'static str, Failing, &'static str)> {
    let status = |status| chat::error(status, "x", "the reason");
    let quota = chat::error(429, "insufficient_quota", "you have no money left");
    let whole = || chat::stream(&Answer::text("whole").and_call("calc", "{}"), false);
    vec![
        ("429", Failing::Replies(status(429)), "rate limited"),
        ("429 for long", Failing::Replies(status(429).header("retry-after", "3600")), "may be asked again at"),
        ("500", Failing::Replies(status(500)), "500"),
        ("503 for long", Failing::Replies(status(503).header("retry-after", "3600")), "may be asked again at"),
        ("revoked key", Failing::Replies(status(401)), "refused the credentials"),
        ("forbidden", Failing::Replies(status(403)), "refused the credentials"),
        ("quota", Failing::Replies(quota), "quota"),
        ("payment", Failing::Replies(status(402)), "quota"),
        ("no such model", Failing::Replies(status(404)), "404"),
        ("refused connection", Failing::Refuses, "could not be reached"),
        ("closed connection", Failing::Replies(Reply::close()), "could not be reached"),
        ("silence", Failing::Replies(Reply::silence()), "nothing for"),
        ("cut stream", Failing::Replies(whole().cut_at(300)), "broke off"),
        ("silence in the middle", Failing::Replies(whole().cut_at(300).holding()), "broke off"),
        ("a page", Failing::Replies(Reply::html(200)), "protocol"),
        ("garbage", Failing::Replies(Reply::garbage()), ""),
        ("no sense", Failing::Replies(Reply::json(200, &json!({"choices": 7}))), ""),
        ("nothing", Failing::Replies(chat::stream(&Answer::text(" "), false)), "neither text nor calls"),
    ]
}

/// A provider, and the server that plays it.
fn provider(name: &str, server: Option<&FakeModel>) -> HttpBrain {
    // Port 9 is closed on every machine that tests run on; a free port that was just closed could be taken by another.
    let url = server.map_or_else(|| "http://127.0.0.1:9/v1".to_owned(), FakeModel::base_url);
    let mut config = config(&url);
    config.model = Some(name.to_owned());
    config.idle_timeout = Duration::from_millis(250);
    HttpBrain::new(config).unwrap()
}

fn chain(members: [HttpBrain; 3]) -> FailoverBrain {
    let [first, second, third] = members;
    let chain = FailoverBrain::new(first, RETRIES).then(second).then(third);
    chain.with_breakers(Breakers::in_memory()).with_entropy(Arc::new(SeededEntropy::new(3)))
}

fn server(failing: &Failing) -> Option<FakeModel> {
    match failing {
        Failing::Replies(reply) => Some(FakeModel::start(always(reply.clone()))),
        Failing::Refuses => None,
    }
}

#[tokio::test]
async fn b3_every_failure_in_every_position_fails_over_and_is_listed() {
    for (what, failing, reason) in failures() {
        for living in 0..3 {
            let servers: Vec<_> = (0..3)
                .map(|position| match position == living {
                    true => Some(FakeModel::start(chat::says("alive"))),
                    false => server(&failing),
                })
                .collect();
            let members = [0, 1, 2].map(|position| provider(NAMES[position], servers[position].as_ref()));
            let (deltas, heard) = listener();
            let completion = chain(members).complete(&prompt("hi"), &deltas).await;
            let completion = completion.unwrap_or_else(|error| panic!("{what}, {living}: {}", shown(&error)));
            assert_eq!(completion.content, "alive", "{what}");
            assert_eq!(*heard.lock().unwrap(), "alive", "{what}: what was shown before is void");
            assert_eq!(completion.by.unwrap().model, NAMES[living], "{what}");
            let tried: Vec<_> = completion.tried.iter().map(|tried| tried.who.model.as_str()).collect();
            assert_eq!(tried, NAMES[..living], "{what}");
            assert!(completion.tried.iter().all(|tried| tried.why.contains(reason)), "{what}: {:?}", completion.tried);
            let after = servers[living + 1..].iter().flatten().map(FakeModel::request_count).sum::<usize>();
            assert_eq!(after, 0, "{what}: nobody behind the one that answers is asked");
        }
    }
}

#[tokio::test]
async fn b3_each_of_all_that_fail_is_asked_and_listed_with_its_reason() {
    for (what, failing, reason) in failures() {
        let servers = [0, 1, 2].map(|_| server(&failing));
        let members = [0, 1, 2].map(|position| provider(NAMES[position], servers[position].as_ref()));
        let error = chain(members).complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
        let BrainError::AllFailed { tried, .. } = &error else { panic!("{what}: {}", shown(&error)) };
        let names: Vec<_> = tried.iter().map(|tried| tried.who.model.as_str()).collect();
        assert_eq!(names, NAMES, "{what}");
        assert!(tried.iter().all(|tried| tried.why.contains(reason)), "{what}: {tried:?}");
        assert!(servers.iter().flatten().all(|server| server.request_count() > 0), "{what}: everybody was asked");
        assert_ne!(error.class(), ErrorClass::Never, "{what}");
    }
}

/// The calls of an answer that was cut anywhere are those of the next provider, whole, or its own, whole.
#[tokio::test]
async fn b4_a_stream_cut_at_any_byte_fails_over_and_never_leaves_half_a_call() {
    let arguments = r#"{"expression":"17×23"}"#;
    let answer = |text: &str| Answer::text(text).and_call("calc", arguments);
    let stream = chat::stream(&answer("first 🦀"), false);
    let length = usize::try_from(stream.body_len()).unwrap();
    let first = FakeModel::start(move |cut, _| stream.clone().cut_at(cut));
    let second = FakeModel::start(always(chat::stream(&answer("second"), false)));
    let a = Arc::new(provider("first", Some(&first)));
    let b = Arc::new(provider("second", Some(&second)));
    let (mut by_first, mut by_second) = (0, 0);
    for cut in 0..length {
        // One attempt each and breakers of its own, so that every cut is met once.
        let chain = FailoverBrain::new(Arc::clone(&a), RetryPolicy::never()).then(Arc::clone(&b));
        let mut request = prompt("hi");
        request.tools = vec![calc()].into();
        let (deltas, heard) = listener();
        let completion = chain.complete(&request, &deltas).await.unwrap();
        let by = completion.by.unwrap().model;
        assert!(completion.content.starts_with(&by), "cut at {cut}: {}", completion.content);
        assert_eq!(completion.calls.len(), 1, "cut at {cut}");
        assert_eq!(completion.calls[0].arguments, serde_json::from_str::<serde_json::Value>(arguments).unwrap());
        assert_eq!(*heard.lock().unwrap(), completion.content, "cut at {cut}");
        if by == "first" { by_first += 1 } else { by_second += 1 }
    }
    assert!(by_second > by_first && by_first + by_second == length, "{by_first} and {by_second} of {length}");
}
