//! Answers as they should be, in every form that servers give them.

use std::time::Duration;

use fake_model::{Answer, FakeModel, Reply, always, chat, sse_data};
use rusty_pinch_core::{
    Brain, BrainError, CallId, Deltas, HttpBrain, HttpBrainConfig, HttpPreset, Message, ToolCall, Usage,
};
use serde_json::json;

use crate::setup::{KEY, brain, calc, config, listener, prompt, said, shown, stream_of_known_length};

#[tokio::test]
async fn asks_and_streams_the_answer() {
    let server = FakeModel::start(chat::says("Hello, wörld 🦀"));
    let (deltas, heard) = listener();
    let completion = brain(&server).complete(&prompt("hi"), &deltas).await.unwrap();
    assert_eq!(completion.content, "Hello, wörld 🦀");
    assert_eq!(*heard.lock().unwrap(), completion.content);
    assert_eq!(completion.usage, Some(Usage { input_tokens: 11, output_tokens: 7 }));
    assert_eq!(completion.attempts, 1);
    let request = &server.requests()[0];
    assert_eq!((request.method.as_str(), request.path.as_str()), ("POST", "/v1/chat/completions"));
    assert_eq!(request.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert!(request.header("user-agent").unwrap().starts_with("rusty-pinch/"));
    assert_eq!(request.json()["messages"][1], json!({ "role": "user", "content": "hi" }));
    assert_eq!(request.json()["stream"], json!(true));
    assert!(request.json().get("temperature").is_none() && request.json().get("tools").is_none());
}

#[tokio::test]
async fn a_tool_call_makes_the_round_trip() {
    let arguments = json!({ "expression": "17 * 23" });
    let server = FakeModel::start(chat::calls("calc", &arguments, "It is "));
    let brain = brain(&server);
    let mut request = prompt("what is 17 * 23?");
    request.tools = vec![calc()].into();
    let completion = brain.complete(&request, &Deltas::none()).await.unwrap();
    assert_eq!(completion.calls.len(), 1);
    assert_eq!((completion.calls[0].name.as_str(), &completion.calls[0].arguments), ("calc", &arguments));
    let id = CallId::new("our-own-id").unwrap();
    let calls = vec![ToolCall { id: id.clone(), name: "calc".into(), arguments }];
    request.messages.push(Message::Assistant { content: completion.content, calls });
    request.messages.push(Message::Tool { call: id, name: "calc".into(), content: "391".into() });
    assert_eq!(said(brain.complete(&request, &Deltas::none()).await), "It is 391");
    let messages = server.requests()[1].field("/messages");
    assert_eq!(messages[2]["tool_calls"][0]["id"], messages[3]["tool_call_id"]);
}

#[tokio::test]
async fn completions_share_a_connection() {
    let server = FakeModel::start(always(stream_of_known_length("again")));
    let brain = brain(&server);
    for _ in 0..4 {
        assert_eq!(said(brain.complete(&prompt("hi"), &Deltas::none()).await), "again");
    }
    assert_eq!((server.request_count(), server.connection_count()), (4, 1));
}

#[tokio::test]
async fn takes_every_form_in_which_servers_answer() {
    let answer = Answer::text("fine");
    let stream = || chat::stream(&answer, true);
    let whole = || Reply::json(200, &chat::whole(&answer));
    let text = |body: &str| Reply::body(200, "text/plain", body);
    let events: String =
        chat::events(&answer, false).iter().map(|data| format!(": ping\r\ndata: {data}\r\n\r\n")).collect();
    for (what, reply) in [
        ("a stream", stream()),
        ("a stream in one chunk", Reply::body(200, "text/event-stream; charset=utf-8", events.clone())),
        ("a stream with the wrong content type", text(&events)),
        ("a stream without a length", stream().until_close()),
        ("a stream byte by byte", stream().dripping(1, Duration::ZERO)),
        ("an answer in one piece", whole()),
        ("an answer in one piece, byte by byte", whole().dripping(1, Duration::ZERO)),
        ("an answer in one piece with the wrong content type", text(&chat::whole(&answer).to_string())),
        ("an answer in one piece without a length", whole().until_close()),
    ] {
        let server = FakeModel::start(always(reply));
        let (deltas, heard) = listener();
        let completion = brain(&server).complete(&prompt("hi"), &deltas).await;
        assert_eq!(completion.unwrap_or_else(|error| panic!("{what}: {}", shown(&error))).content, "fine", "{what}");
        assert_eq!(*heard.lock().unwrap(), "fine", "{what}");
    }
}

#[tokio::test]
async fn needs_no_done_when_the_answer_said_that_it_was_finished() {
    let mut events = chat::events(&Answer::text("done"), false);
    events.pop();
    let server = FakeModel::start(always(Reply::event_stream(events.iter().map(|data| sse_data(data)))));
    assert_eq!(said(brain(&server).complete(&prompt("hi"), &Deltas::none()).await), "done");
}

#[tokio::test]
async fn an_event_with_a_number_that_comes_twice_counts_once() {
    let events = chat::events(&Answer::text("once only"), false);
    let numbered = events.iter().enumerate().flat_map(|(n, data)| {
        let event = format!("id: {n}\ndata: {data}\n\n").into_bytes();
        [event.clone(), event]
    });
    let server = FakeModel::start(always(Reply::event_stream(numbered)));
    assert_eq!(said(brain(&server).complete(&prompt("hi"), &Deltas::none()).await), "once only");
}

#[tokio::test]
async fn openrouter_is_told_who_asks() {
    let server = FakeModel::start(chat::says("hi"));
    let config = HttpBrainConfig {
        base_url: Some(server.base_url()),
        temperature: Some(0.5),
        ..HttpBrainConfig::new(HttpPreset::OpenRouter)
    };
    said(HttpBrain::new(config).unwrap().complete(&prompt("hi"), &Deltas::none()).await);
    let request = &server.requests()[0];
    assert_eq!(request.header("x-title"), Some("Rusty Pinch"));
    assert!(request.header("http-referer").is_some());
    assert_eq!(request.header("authorization"), None);
    assert_eq!(request.json()["model"], "qwen/qwen3-coder");
    assert_eq!(request.json()["temperature"], 0.5);
}

#[tokio::test]
async fn the_key_is_nowhere_to_be_seen() {
    let echo = |key: &str| Reply::json(401, &json!({ "error": { "message": format!("Incorrect API key: {key}") } }));
    let server = FakeModel::start(always(echo(KEY)));
    let config = config(&format!("{}?token=hush", server.base_url()));
    let brain = HttpBrain::new(config.clone()).unwrap();
    let error = brain.complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
    assert!(matches!(error, BrainError::Unauthorized { .. }));
    let everything = format!("{} {brain:?} {:?} {config:?}", shown(&error), brain.info());
    assert!(everything.contains("Incorrect API key: [secret]"), "{everything}");
    assert!(everything.contains("RUSTY_PINCH_API_KEY"), "{everything}");
    assert!(!everything.contains(KEY), "{everything}");
    let text = format!("{} {brain:?}", shown(&error));
    assert!(!text.contains("hush"), "{text}");
    assert!(server.requests()[0].path.ends_with("?token=hush"));
}
