//! Answers that break off: at every byte, in every framing.

use std::time::Duration;

use fake_model::{Answer, FakeModel, Reply, chat, sse_data};
use rusty_pinch_core::{Brain, BrainError, Completion, Deltas};
use serde_json::{Value, json};

use crate::setup::{brain, calc, listener, prompt, shown};

const ARGUMENTS: &str = r#"{"expression":"17×23"}"#;

fn answer() -> Answer {
    Answer::text("Wait 🦀").and_call("calc", ARGUMENTS)
}

fn events() -> Vec<Vec<u8>> {
    chat::events(&answer(), false).iter().map(|data| sse_data(data)).collect()
}

/// Asks once for each length of `reply`, cut there. What is whole from `whole_from` on must be understood; before that,
/// there must be an error that says the answer broke off.
async fn check(reply: &Reply, whole_from: usize) {
    let length = usize::try_from(reply.body_len()).unwrap();
    let cutting = reply.clone();
    let server = FakeModel::start(move |cut, _| cutting.clone().cut_at(cut));
    let brain = brain(&server);
    let mut request = prompt("hi");
    request.tools = vec![calc()].into();
    for cut in 0..length {
        let (deltas, heard) = listener();
        match brain.complete(&request, &deltas).await {
            Ok(completion) => {
                assert!(cut >= whole_from, "cut at {cut} of {length}: {completion:?}");
                check_whole(&completion);
            }
            Err(error) => {
                assert!(cut < whole_from, "cut at {cut} of {length}: {}", shown(&error));
                assert!(matches!(error, BrainError::Cut { .. }), "cut at {cut} of {length}: {}", shown(&error));
            }
        }
        assert!("Wait 🦀".starts_with(heard.lock().unwrap().as_str()), "cut at {cut} of {length}");
    }
    assert_eq!(server.request_count(), length);
}

fn check_whole(completion: &Completion) {
    assert_eq!(completion.content, "Wait 🦀");
    assert_eq!(completion.calls.len(), 1);
    assert_eq!(completion.calls[0].arguments, serde_json::from_str::<Value>(ARGUMENTS).unwrap());
}

#[tokio::test]
async fn a_chunked_stream_is_whole_from_its_done() {
    let events = events();
    // `[DONE]` and its line end; the blank line after it ends the event.
    let whole_from = events.iter().map(Vec::len).sum();
    check(&Reply::event_stream(events), whole_from).await;
}

#[tokio::test]
async fn a_stream_without_a_length_is_whole_from_its_finish_reason() {
    let events = events();
    let done = events.last().unwrap().len();
    let whole_from = events.iter().map(Vec::len).sum::<usize>() - done;
    check(&Reply::event_stream(events).until_close(), whole_from).await;
}

#[tokio::test]
async fn an_answer_in_one_piece_is_whole_only_as_a_whole() {
    let reply = Reply::json(200, &chat::whole(&answer()));
    let length = usize::try_from(reply.body_len()).unwrap();
    check(&reply, length).await;
    check(&reply.until_close(), length).await;
}

#[tokio::test]
async fn a_stream_is_understood_however_its_bytes_are_cut_into_pieces() {
    let stream = Reply::event_stream(events());
    let bytes: Vec<u8> = events().concat();
    // Whole pieces of each size, and one cut at each byte.
    let mut replies: Vec<Reply> = (1..20).map(|size| stream.clone().dripping(size, Duration::ZERO)).collect();
    replies.extend((1..bytes.len()).map(|cut| {
        let (head, tail) = bytes.split_at(cut);
        Reply::event_stream([head.to_vec(), tail.to_vec()])
    }));
    let count = replies.len();
    let server = FakeModel::start(fake_model::sequence(replies));
    let brain = brain(&server);
    for _ in 0..count {
        check_whole(&brain.complete(&prompt("hi"), &Deltas::none()).await.unwrap());
    }
}

#[tokio::test]
async fn an_event_that_comes_twice_never_makes_half_a_call() {
    let events = events();
    let count = events.len();
    let server = FakeModel::start(move |twice, _| {
        let mut events = events.clone();
        events.insert(twice, events[twice].clone());
        Reply::event_stream(events)
    });
    let brain = brain(&server);
    for twice in 0..count {
        let completion = brain.complete(&prompt("hi"), &Deltas::none()).await.unwrap();
        assert_eq!(completion.calls.len(), 1, "event {twice} twice");
        assert_eq!(completion.calls[0].name, "calc", "event {twice} twice");
        // Nothing marks a piece in the middle that comes twice, so it may end up in the arguments twice; the tool's own
        // check of its arguments is what is left then. But nothing is ever missing.
        let arguments = &completion.calls[0].arguments;
        let whole: Value = serde_json::from_str(ARGUMENTS).unwrap();
        let nothing_missing = arguments.to_string().len() > whole.to_string().len();
        assert!(*arguments == whole || arguments.is_string() || nothing_missing, "event {twice} twice: {arguments}");
    }
}

#[tokio::test]
async fn a_call_that_is_never_finished_is_no_call() {
    let unfinished = json!({ "choices": [{ "index": 0, "delta": { "tool_calls": [{ "index": 0, "id": "c",
        "function": { "name": "calc", "arguments": ARGUMENTS } }] } }] })
    .to_string();
    let server = FakeModel::start(fake_model::always(Reply::event_stream([sse_data(&unfinished), sse_data("[DONE]")])));
    let error = brain(&server).complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
    assert!(matches!(error, BrainError::Cut { .. }), "{}", shown(&error));
}
