//! The fake, asked over a real socket by a client that knows nothing but TCP.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a failed check of a test panics")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use fake_model::{Answer, FakeModel, HEAD_BYTES_MAX, Reply, always, chat, sequence};
use serde_json::{Value, json};

fn connect(server: &FakeModel) -> TcpStream {
    let stream = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream
}

fn post(path: &str, body: &Value) -> String {
    let body = body.to_string();
    format!("POST {path} HTTP/1.1\r\nHost: x\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn read_all(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let _ = stream.read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}

/// Sends `text` with `connection: close` added to its last request and returns all that comes back.
fn exchange(server: &FakeModel, text: &str) -> String {
    let mut stream = connect(server);
    stream.write_all(text.replace("Host: x", "Host: x\r\nConnection: close").as_bytes()).unwrap();
    read_all(&mut stream)
}

fn until(holds: impl Fn() -> bool) {
    for _ in 0..5_000 {
        if holds() {
            return;
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("it never happens");
}

fn prompt(stream: bool) -> Value {
    json!({ "model": "m", "stream": stream, "messages": [{ "role": "user", "content": "hi" }] })
}

#[test]
fn records_requests_in_order_and_repeats_the_last_reply() {
    let server = FakeModel::start(sequence([Reply::json(500, &json!({})), Reply::json(200, &json!({ "ok": true }))]));
    for (path, status) in [("/v1/a", 500), ("/v1/b", 200), ("/v1/c?d=e", 200)] {
        let text = exchange(&server, &post(path, &json!({ "path": path })));
        assert!(text.starts_with(&format!("HTTP/1.1 {status} ")), "{text}");
    }
    let requests = server.requests();
    assert_eq!(requests.iter().map(|r| r.number).collect::<Vec<_>>(), [0, 1, 2]);
    assert_eq!(requests[2].path, "/v1/c?d=e");
    assert_eq!(requests[2].json(), json!({ "path": "/v1/c?d=e" }));
    assert_eq!(requests[0].header("host"), Some("x"));
    assert_eq!(requests[1].connection, 1);
}

#[test]
fn serves_several_requests_on_one_connection_and_reads_chunked_bodies() {
    let server = FakeModel::start(chat::says("hello"));
    let mut stream = connect(&server);
    let chunked =
        "POST /v1/x HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nT: r\r\n\r\n";
    let last = post("/v1/chat/completions", &prompt(false)).replace("Host: x", "Host: x\r\nConnection: close");
    stream.write_all(format!("{chunked}{last}").as_bytes()).unwrap();
    let text = read_all(&mut stream);
    assert!(text.starts_with("HTTP/1.1 404"), "{text}");
    assert!(text.contains("\"content\":\"hello\""), "{text}");
    let requests = server.requests();
    assert_eq!(requests[0].body, b"abcde");
    assert_eq!((requests[0].connection, requests[1].connection), (0, 0));
}

#[test]
fn refuses_a_head_without_end() {
    let server = FakeModel::start(chat::says("never"));
    let mut stream = connect(&server);
    let _ = stream.write_all("GET / HTTP/1.1\r\n".as_bytes());
    let _ = stream.write_all(&vec![b'x'; HEAD_BYTES_MAX + 1]);
    assert_eq!(read_all(&mut stream), "");
    assert_eq!(server.request_count(), 0);
}

#[test]
fn streams_text_calls_usage_and_done() {
    let answer = Answer::text("over there").and_call("calc", r#"{"expression":"17*23"}"#).with_usage(3, 4);
    let events = chat::events(&answer, true);
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
    let chunks: Vec<Value> =
        events[..events.len() - 1].iter().map(|data| serde_json::from_str(data).unwrap()).collect();
    let joined = |pointer: &str| chunks.iter().filter_map(|c| c.pointer(pointer)?.as_str()).collect::<String>();
    assert_eq!(joined("/choices/0/delta/content"), "over there");
    assert_eq!(joined("/choices/0/delta/tool_calls/0/function/arguments"), r#"{"expression":"17*23"}"#);
    assert_eq!(joined("/choices/0/finish_reason"), "tool_calls");
    assert_eq!(chunks.last().unwrap()["usage"]["total_tokens"], 7);
}

#[test]
fn calls_a_tool_that_is_offered_and_says_its_result() {
    let server = FakeModel::start(chat::calls("calc", &json!({ "expression": "17*23" }), "it is "));
    let mut body = prompt(false);
    let ask = |body: &Value| exchange(&server, &post("/v1/chat/completions", body));
    assert!(!ask(&body).contains("tool_calls"));
    body["tools"] = json!([{ "type": "function", "function": { "name": "calc" } }]);
    assert!(ask(&body).contains(r#""name":"calc""#));
    body["messages"].as_array_mut().unwrap().push(json!({ "role": "tool", "content": "391" }));
    assert!(ask(&body).contains("it is 391"));
}

#[test]
fn cuts_the_body_where_it_is_told_and_claims_the_whole_length() {
    let reply = Reply::body(200, "text/plain", "0123456789");
    for cut in 0..10 {
        let server = FakeModel::start(always(reply.clone().cut_at(cut)));
        let text = exchange(&server, &post("/", &json!({})));
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 10"), "{head}");
        assert_eq!(body, &"0123456789"[..cut]);
    }
}

#[test]
fn notices_a_client_that_leaves_and_stops_when_it_is_dropped() {
    let server = FakeModel::start(always(Reply::silence()));
    let address = server.url();
    let mut stream = connect(&server);
    stream.write_all(post("/", &json!({})).as_bytes()).unwrap();
    until(|| server.request_count() == 1);
    assert_eq!(server.disconnect_count(), 0);
    drop(stream);
    until(|| server.disconnect_count() == 1);
    drop(server);
    assert!(TcpStream::connect(address.trim_start_matches("http://")).is_err());
}
