//! Servers that lie, break off, send the wrong thing, or far too much of it.

use std::time::Duration;

use fake_model::{Answer, FakeModel, Part, Reply, always, chat, sse_data};
use rusty_pinch_core::{Brain, BrainError, Deltas, ErrorClass, HttpBrain, RESPONSE_BYTES_MAX};
use serde_json::{Value, json};

use crate::setup::{brain, config, prompt, shown};

const LARGE_BYTES: u64 = 50 * 1024 * 1024;
const PIECE_BYTES: usize = 64 * 1024;

async fn failure(reply: Reply) -> BrainError {
    let server = FakeModel::start(always(reply));
    let error = brain(&server).complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
    assert_eq!(server.request_count(), 1, "a brain makes one attempt");
    error
}

/// Asks a server that always gives `reply` and checks what error that is, and which words it has.
async fn check(what: &str, reply: Reply, expected: fn(&BrainError) -> bool, words: &[&str]) {
    let error = failure(reply).await;
    assert!(expected(&error), "{what}: {}", shown(&error));
    for word in words {
        assert!(error.to_string().contains(word), "{what}: `{error}` lacks `{word}`");
    }
}

fn malformed(error: &BrainError) -> bool {
    matches!(error, BrainError::Malformed { .. })
}

fn cut(error: &BrainError) -> bool {
    matches!(error, BrainError::Cut { .. })
}

fn too_large(error: &BrainError) -> bool {
    matches!(error, BrainError::TooLarge { .. })
}

fn stream(answer: &Answer) -> Reply {
    chat::stream(answer, true)
}

fn large(content_type: &str, piece: &[u8]) -> Reply {
    let bytes = piece.repeat(PIECE_BYTES / piece.len());
    let times = LARGE_BYTES / bytes.len() as u64;
    Reply::repeating(content_type, bytes, times)
}

#[tokio::test]
async fn what_is_not_the_protocol_is_named() {
    check("a page", Reply::html(200), malformed, &["text/html", "base URL"]).await;
    check("no HTTP", Reply::garbage(), malformed, &["not HTTP"]).await;
    check("headers without end", Reply::endless_headers(), malformed, &["not HTTP"]).await;
    check("no content", Reply::json(204, &Value::Null), malformed, &["204"]).await;
    check("a redirect", Reply::html(302).header("location", "/login?next=hush"), malformed, &["302", "/login"]).await;
    let packed = stream(&Answer::text("hi")).header("content-encoding", "gzip");
    check("a packed body", packed, malformed, &["gzip"]).await;
    check("other JSON", Reply::json(200, &json!({ "choices": "none" })), malformed, &["{\"choices\":\"none\"}"]).await;
    check("an image", Reply::body(200, "image/png", "\u{89}PNG"), malformed, &["image/png"]).await;
    let nonsense = Reply::event_stream([sse_data("hello")]);
    check("events that are no JSON", nonsense, malformed, &["`hello`"]).await;
}

#[tokio::test]
async fn bytes_that_are_not_utf8_are_refused() {
    let mut reply = stream(&Answer::text("hello"));
    reply
        .parts_mut()
        .insert(1, Part::Bytes(b"data: {\"choices\":[{\"delta\":{\"content\":\"\xff\xfe\"}}]}\n\n".to_vec()));
    check("in a stream", reply, malformed, &["UTF-8"]).await;
    let json = b"{\"choices\":[{\"message\":{\"content\":\"\xff\"},\"finish_reason\":\"stop\"}]}".to_vec();
    check("in JSON", Reply::body(200, "application/json", json), malformed, &["UTF-8"]).await;
}

#[tokio::test]
async fn a_body_that_is_too_large_is_left_early() {
    for (what, reply) in [
        (
            "events",
            large("text/event-stream", b"data: {\"choices\":[{\"delta\":{\"content\":\"more and more\"}}]}\n\n"),
        ),
        ("comments", large("text/event-stream", b": still here\n\n")),
        ("one line", large("text/event-stream", b"x")),
        ("JSON", large("application/json", b"[[[[")),
        ("no known type", large("text/plain", b"{\"a\":")),
    ] {
        let server = FakeModel::start(always(reply));
        let error = brain(&server).complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
        assert!(too_large(&error), "{what}: {}", shown(&error));
        tokio::time::timeout(Duration::from_secs(10), server.until_disconnects(1)).await.expect(what);
    }
    let announced = Reply::json(200, &json!({})).claiming(LARGE_BYTES);
    check("announced", announced, too_large, &[&RESPONSE_BYTES_MAX.to_string()]).await;
    check("without end", Reply::repeating("text/event-stream", vec![b'\n'; PIECE_BYTES], u64::MAX), too_large, &[])
        .await;
    let mut deltas_only = stream(&Answer::text("x"));
    deltas_only.parts_mut().insert(0, Part::Repeat { bytes: vec![b'y'; PIECE_BYTES], times: 64 });
    check("an event", deltas_only, too_large, &["1048576"]).await;
}

#[tokio::test]
async fn the_bound_of_an_answer_can_be_set() {
    let server = FakeModel::start(chat::says("a few bytes too many"));
    let mut config = config(&server.base_url());
    config.response_bytes_max = 100;
    let error = HttpBrain::new(config).unwrap().complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
    assert!(too_large(&error) && error.to_string().contains("100 bytes"), "{error}");
}

#[tokio::test]
async fn a_length_that_is_a_lie_is_a_broken_answer() {
    let whole = Reply::json(200, &chat::whole(&Answer::text("hello")));
    let length = whole.body_len();
    check("too long", whole.clone().claiming(length + 10), cut, &[]).await;
    check("too short", whole.claiming(length - 10), cut, &[]).await;
    let events = stream(&Answer::text("hello"));
    let length = events.body_len();
    check("a stream that is too short", events.claiming(length / 2), cut, &[]).await;
}

#[tokio::test]
async fn nobody_there_is_unreachable() {
    let address = FakeModel::start(chat::says("gone")).base_url();
    let brain = HttpBrain::new(config(&address)).unwrap();
    let error = brain.complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
    assert!(matches!(error, BrainError::Unreachable { .. }), "{}", shown(&error));
    assert!(error.to_string().contains(address.trim_end_matches("/v1")), "{error}");
    assert!(std::error::Error::source(&error).is_some());
    let unreachable = |error: &BrainError| matches!(error, BrainError::Unreachable { .. });
    check("closed at once", Reply::close(), unreachable, &["127.0.0.1"]).await;
    check("half a head", Reply::raw(b"HTTP/1.1 200 OK\r\ncontent-".to_vec()), unreachable, &[]).await;
}

#[tokio::test]
async fn an_error_in_the_middle_is_judged_like_any_other() {
    let broken = |error: Value| {
        let mut reply = stream(&Answer::text("hello"));
        reply.parts_mut().insert(2, Part::Bytes(sse_data(&json!({ "error": error }).to_string())));
        reply
    };
    let overloaded = |error: &BrainError| matches!(error, BrainError::Overloaded { .. });
    check("a code", broken(json!({ "code": 502, "message": "upstream died" })), overloaded, &["upstream died"]).await;
    check("words", broken(json!("overloaded")), overloaded, &["overloaded"]).await;
    let in_json = Reply::json(200, &json!({ "error": { "code": "context_length_exceeded", "message": "too long" } }));
    check("JSON", in_json, |error| matches!(error, BrainError::ContextTooLong { .. }), &["too long"]).await;
}

#[tokio::test]
async fn an_answer_that_was_stopped_says_why() {
    let stopped = |reason: &str| stream(&Answer::text("half").and_call("calc", "{}").finishing(reason));
    let no_room = |error: &BrainError| matches!(error, BrainError::ContextTooLong { .. });
    check("length", stopped("length"), no_room, &["limit after 4 characters"]).await;
    let filtered = |error: &BrainError| matches!(error, BrainError::Rejected { .. });
    check("filter", stopped("content_filter"), filtered, &["content filter"]).await;
    check("nothing", stream(&Answer::text(" ")), cut, &["neither text nor calls"]).await;
}

#[tokio::test]
async fn a_refusal_is_understood_even_when_its_body_is_broken() {
    let body = json!({ "error": { "message": "slow down", "code": "x" } });
    for reply in [
        Reply::json(503, &body).cut_at(5),
        Reply::html(503),
        Reply::json(503, &body).claiming(LARGE_BYTES),
        large("text/plain", b"no ").status(503),
        Reply::raw(b"HTTP/1.1 503 x\r\ncontent-length: 3\r\n\r\n\xff\xfe\xfd".to_vec()),
        Reply::json(503, &body).cut_at(5).holding(),
    ] {
        let error = failure(reply).await;
        assert!(matches!(error, BrainError::Overloaded { .. }), "{}", shown(&error));
        assert_eq!(error.class(), ErrorClass::RetryHere);
        assert!(error.to_string().chars().count() < 600, "{error}");
    }
}
