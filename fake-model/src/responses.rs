//! The Responses API, as the Codex CLI speaks it.
//!
//! Codex is used as a brain without hands, so calls of our tools come as JSON in the text, when the request asks for a
//! schema. A real `function_call` item is what must not happen: [`tool_call`] makes one.

use std::time::Duration;

use serde_json::{Value, json};

use crate::answer::{Answer, pieces};
use crate::http::Request;
use crate::reply::{Reply, sse_event};

const PIECE_BYTES: usize = 16;
/// Above this an answer comes in few large pieces, as nobody wants a million events.
const LARGE_BYTES: usize = 64 * 1024;
const LARGE_PIECE_BYTES: usize = 256 * 1024;

/// Gives `answer` in the form that the request asks for; what is no Responses request gets an error or the models.
pub fn reply(request: &Request, answer: &Answer) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    match request.method.as_str() {
        // The CLI's own provider tries a WebSocket first and takes this for a no.
        "GET" if request.header("upgrade").is_some() => error(426, "upgrade_required", "no WebSocket here"),
        "GET" if path.ends_with("/models") => crate::chat::models(),
        "POST" if path.ends_with("/responses") => {
            if !request.field("/input").is_array() || request.field("/stream") != json!(true) {
                return error(400, "invalid_request_error", "input and stream are needed");
            }
            let text = if offers_tools(request) { structured(answer) } else { answer.text.clone() };
            message_with_usage(&text, answer.usage)
        }
        _ => error(404, "invalid_request_error", &format!("no such endpoint: {} {path}", request.method)),
    }
}

/// `answer` as the text that the schema of our tools asks for.
pub fn structured(answer: &Answer) -> String {
    let calls: Vec<Value> =
        answer.calls.iter().map(|call| json!({ "tool": call.name, "arguments": call.arguments })).collect();
    json!({ "calls": calls, "answer": answer.text }).to_string()
}

/// A finished answer of this text.
pub fn message(text: &str) -> Reply {
    message_with_usage(text, Some((11, 7)))
}

fn message_with_usage(text: &str, usage: Option<(u64, u64)>) -> Reply {
    let item = |status: &str, content: Value| json!({ "type": "message", "id": "msg_1", "role": "assistant", "status": status, "content": content });
    let part = |text: &str| json!({ "type": "output_text", "text": text, "annotations": [] });
    let at = json!({ "item_id": "msg_1", "output_index": 0, "content_index": 0 });
    let mut events = vec![
        created(),
        event("response.output_item.added", json!({ "output_index": 0, "item": item("in_progress", json!([])) })),
        event("response.content_part.added", merged(&at, json!({ "part": part("") }))),
    ];
    let piece_bytes = if text.len() > LARGE_BYTES { LARGE_PIECE_BYTES } else { PIECE_BYTES };
    for piece in pieces(text, piece_bytes) {
        events.push(event("response.output_text.delta", merged(&at, json!({ "delta": piece }))));
    }
    let done = item("completed", json!([part(text)]));
    events.push(event("response.output_text.done", merged(&at, json!({ "text": text }))));
    events.push(event("response.output_item.done", json!({ "output_index": 0, "item": done })));
    events.push(completed(&done, usage));
    Reply::event_stream(events)
}

/// A finished answer that calls a tool of Codex's own.
pub fn tool_call(name: &str, arguments: &Value) -> Reply {
    let item = json!({
        "type": "function_call", "id": "fc_1", "call_id": "call_1", "name": name, "status": "completed",
        "arguments": arguments.to_string(),
    });
    tool_item(&item)
}

/// A finished answer that runs a script in Codex's own interpreter.
pub fn script_call(script: &str) -> Reply {
    let item = json!({
        "type": "custom_tool_call", "id": "ctc_1", "call_id": "call_1", "namespace": "functions", "name": "exec",
        "status": "completed", "input": script,
    });
    tool_item(&item)
}

fn tool_item(item: &Value) -> Reply {
    let done = event("response.output_item.done", json!({ "output_index": 0, "item": item }));
    Reply::event_stream([created(), done, completed(item, Some((11, 7)))])
}

/// Status 200, and then a failure in the stream.
pub fn failed(code: &str, message: &str) -> Reply {
    let response = json!({ "id": "resp_1", "object": "response", "status": "failed", "error": { "code": code, "message": message } });
    Reply::event_stream([created(), event("response.failed", json!({ "response": response }))])
}

/// An answer that has begun and does not go on: add `closing` or `holding`.
pub fn begun() -> Reply {
    Reply::event_stream([created()])
}

/// An error in the provider's form.
pub fn error(status: u16, code: &str, message: &str) -> Reply {
    crate::chat::error(status, code, message)
}

/// The plan's limit is reached and resets at this Unix time, which is `in_from_now` away.
pub fn usage_limit(resets_at: u64, in_from_now: Duration) -> Reply {
    let error = json!({
        "type": "usage_limit_reached", "message": "The usage limit has been reached", "plan_type": "plus",
        "resets_at": resets_at, "resets_in_seconds": in_from_now.as_secs(),
    });
    Reply::json(429, &json!({ "error": error }))
        .header("x-codex-primary-used-percent", "100")
        .header("x-codex-primary-window-minutes", "300")
        .header("x-codex-primary-reset-at", &resets_at.to_string())
}

fn created() -> Vec<u8> {
    let response = json!({ "id": "resp_1", "object": "response", "status": "in_progress", "output": [] });
    event("response.created", json!({ "response": response }))
}

fn completed(item: &Value, usage: Option<(u64, u64)>) -> Vec<u8> {
    let usage = usage.map(|(input, output)| {
        json!({
            "input_tokens": input, "input_tokens_details": { "cached_tokens": 0 }, "output_tokens": output,
            "output_tokens_details": { "reasoning_tokens": 0 }, "total_tokens": input + output,
        })
    });
    let response =
        json!({ "id": "resp_1", "object": "response", "status": "completed", "output": [item], "usage": usage });
    event("response.completed", json!({ "response": response }))
}

fn event(kind: &str, fields: Value) -> Vec<u8> {
    sse_event(kind, &merged(&fields, json!({ "type": kind })).to_string())
}

fn merged(one: &Value, other: Value) -> Value {
    let mut merged = one.clone();
    for (name, value) in other.as_object().into_iter().flatten() {
        merged[name] = value.clone();
    }
    merged
}

/// Whether the request asks for the schema that our tools come with.
pub fn offers_tools(request: &Request) -> bool {
    !request.field("/text/format/schema").is_null()
}

/// The names of the tools of Codex's own that the request offers, wherever it puts them.
pub fn foreign_tools(request: &Request) -> Vec<String> {
    let (tools, input) = (request.field("/tools"), request.field("/input"));
    let more = input.as_array().into_iter().flatten().map(|item| &item["tools"]);
    let lists = [&tools].into_iter().chain(more).filter_map(Value::as_array).flatten();
    lists.flat_map(|tool| tool["tools"].as_array().cloned().unwrap_or_else(|| vec![tool.clone()])).map(name).collect()
}

fn name(tool: Value) -> String {
    tool["name"].as_str().or(tool["type"].as_str()).unwrap_or_default().to_owned()
}

/// The prompt: what the user is said to have said last.
pub fn prompt(request: &Request) -> String {
    let input = request.field("/input");
    let mut users = input.as_array().into_iter().flatten().filter(|item| item["role"] == "user");
    users.next_back().and_then(|item| item["content"][0]["text"].as_str()).unwrap_or_default().to_owned()
}

/// The messages in the prompt, which come one JSON object a line.
fn conversation(request: &Request) -> Vec<Value> {
    prompt(request).lines().filter_map(|line| serde_json::from_str::<Value>(line).ok()).collect()
}

/// The last message when it is a tool's result.
pub fn last_tool_result(request: &Request) -> Option<String> {
    let conversation = conversation(request);
    let last = conversation.last()?;
    (last["role"] == "tool").then(|| last["content"].as_str().unwrap_or_default().to_owned())
}

/// The last thing that the user said.
pub fn last_user_text(request: &Request) -> Option<String> {
    let conversation = conversation(request);
    let last = conversation.iter().rev().find(|message| message["role"] == "user")?;
    Some(last["content"].as_str().unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(body: &Value) -> Request {
        Request {
            number: 0,
            connection: 0,
            method: "POST".into(),
            path: "/v1/responses".into(),
            headers: Vec::new(),
            body: body.to_string().into_bytes(),
            at: tokio::time::Instant::now(),
        }
    }

    #[test]
    fn tools_are_found_wherever_a_request_puts_them() {
        let request = request(&json!({
            "tools": [{ "type": "function", "name": "a" }, { "type": "web_search" }],
            "input": [
                { "type": "additional_tools", "tools": [{ "type": "namespace", "name": "n", "tools": [{ "name": "b" }] }] },
                { "type": "message", "role": "user", "content": [{ "type": "input_text", "text": "hi" }] },
            ],
        }));
        assert_eq!(foreign_tools(&request), ["a", "web_search", "b"]);
        assert!(!offers_tools(&request));
    }

    #[test]
    fn the_conversation_is_read_out_of_the_prompt() {
        let prompt =
            "Rules.\n{\"role\":\"user\",\"content\":\"what?\"}\n{\"role\":\"tool\",\"content\":\"391\"}\n# Your turn";
        let request = request(&json!({ "input": [{ "role": "user", "content": [{ "text": prompt }] }] }));
        assert_eq!(last_user_text(&request).as_deref(), Some("what?"));
        assert_eq!(last_tool_result(&request).as_deref(), Some("391"));
    }

    #[test]
    fn an_answer_takes_the_form_that_the_schema_asks_for() {
        let answer = Answer::call("calc", &json!({ "a": 1 }));
        let expected = json!({ "calls": [{ "tool": "calc", "arguments": "{\"a\":1}" }], "answer": "" });
        assert_eq!(serde_json::from_str::<Value>(&structured(&answer)).unwrap(), expected);
    }
}
