//! Prompts, brains and what a listener heard.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_model::{Answer, FakeModel, Reply, chat, sse_data};
use rusty_pinch_core::{
    BrainError, Clock, Completion, CompletionRequest, Delta, Deltas, HttpBrain, HttpBrainConfig, HttpPreset, Lane,
    Message, Repeat, Risk, SystemClock, ToolName, ToolSpec,
};
use serde_json::json;

pub(crate) const KEY: &str = "sk-test-0123456789abcdef";

pub(crate) fn config(base_url: &str) -> HttpBrainConfig {
    HttpBrainConfig {
        base_url: Some(base_url.to_owned()),
        api_key: Some(KEY.into()),
        model: Some("fake-model".into()),
        idle_timeout: Duration::from_secs(10),
        ..HttpBrainConfig::new(HttpPreset::Compatible)
    }
}

pub(crate) fn brain(server: &FakeModel) -> HttpBrain {
    HttpBrain::new(config(&server.base_url())).unwrap()
}

pub(crate) fn prompt_within(text: &str, time: Duration) -> CompletionRequest {
    let messages = vec![Message::System { content: "Be brief.".into() }, Message::User { content: text.to_owned() }];
    CompletionRequest {
        messages,
        tools: Arc::new([]),
        deadline: SystemClock.now() + time,
        lane: Lane::Interactive,
        turn: None,
    }
}

pub(crate) fn prompt(text: &str) -> CompletionRequest {
    prompt_within(text, Duration::from_secs(20))
}

pub(crate) fn calc() -> ToolSpec {
    ToolSpec {
        name: ToolName::new("calc").unwrap(),
        description: "Calculates an expression.".into(),
        parameters: json!({ "type": "object", "properties": { "expression": { "type": "string" } } }),
        positional: vec!["expression".into()],
        repeat: Repeat::ReadOnly,
        risk: Risk::Low,
        examples: vec![],
        kind: Default::default(),
        output: Default::default(),
    }
}

/// Deltas, and what they add up to.
pub(crate) fn listener() -> (Deltas, Arc<Mutex<String>>) {
    let heard = Arc::new(Mutex::new(String::new()));
    let writing = Arc::clone(&heard);
    let deltas = Deltas::new(move |delta| {
        let mut heard = writing.lock().unwrap();
        match delta {
            Delta::Text(text) => heard.push_str(text),
            Delta::Restarted => heard.clear(),
            other => panic!("an unexpected delta: {other:?}"),
        }
    });
    (deltas, heard)
}

/// Everything that an error shows, to people and to programmers.
pub(crate) fn shown(error: &BrainError) -> String {
    let mut text = format!("{error} {error:?}");
    let mut source = std::error::Error::source(error);
    while let Some(error) = source {
        text.push_str(&format!(" {error} {error:?}"));
        source = error.source();
    }
    text
}

#[track_caller]
pub(crate) fn said(result: Result<Completion, BrainError>) -> String {
    result.unwrap_or_else(|error| panic!("{}", shown(&error))).content
}

/// A streamed answer that ends with its last byte, so that the connection can be used again beyond doubt.
pub(crate) fn stream_of_known_length(text: &str) -> Reply {
    let events = chat::events(&Answer::text(text), true);
    let body: Vec<u8> = events.iter().flat_map(|data| sse_data(data)).collect();
    Reply::body(200, "text/event-stream", body)
}
