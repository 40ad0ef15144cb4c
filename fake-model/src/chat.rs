//! Chat completions, as OpenAI and those who copy it speak them.

use serde_json::{Value, json};

use crate::answer::{Answer, pieces};
use crate::http::Request;
use crate::reply::{Reply, sse_data};

const PIECE_BYTES: usize = 5;
const PIECES_MAX: usize = 1_000;

/// Gives `answer` in the form that the request asks for; what is not a completion request gets an error or the models.
pub fn reply(request: &Request, answer: &Answer) -> Reply {
    let path = request.path.split('?').next().unwrap_or_default();
    match request.method.as_str() {
        "GET" if path.ends_with("/models") => models(),
        "POST" if path.ends_with("/chat/completions") => {
            if request.field("/model").is_null() || !request.field("/messages").is_array() {
                return error(400, "invalid_request_error", "model and messages are needed");
            }
            if request.field("/stream") == json!(true) {
                stream(answer, request.field("/stream_options/include_usage") == json!(true))
            } else {
                Reply::json(200, &whole(answer))
            }
        }
        _ => error(404, "invalid_request_error", &format!("no such endpoint: {} {path}", request.method)),
    }
}

/// A streamed answer: a role, text in small deltas, calls split over chunks, a finish reason, usage, `[DONE]`.
pub fn stream(answer: &Answer, include_usage: bool) -> Reply {
    Reply::event_stream(events(answer, include_usage).iter().map(|data| sse_data(data)))
}

/// The data of each event of a streamed answer.
pub fn events(answer: &Answer, include_usage: bool) -> Vec<String> {
    let choice = |delta: Value, finish: Value| json!([{ "index": 0, "delta": delta, "finish_reason": finish }]);
    let mut choices = vec![choice(json!({ "role": "assistant", "content": "" }), Value::Null)];
    for piece in small_pieces(&answer.text) {
        choices.push(choice(json!({ "content": piece }), Value::Null));
    }
    for (index, call) in answer.calls.iter().enumerate() {
        let function = json!({ "name": call.name, "arguments": "" });
        let start = json!({ "index": index, "id": format!("call_{index}"), "type": "function", "function": function });
        choices.push(choice(json!({ "tool_calls": [start] }), Value::Null));
        for piece in small_pieces(&call.arguments) {
            let fragment = json!({ "index": index, "function": { "arguments": piece } });
            choices.push(choice(json!({ "tool_calls": [fragment] }), Value::Null));
        }
    }
    choices.push(choice(json!({}), finish_reason(answer)));
    let mut events: Vec<_> = choices.into_iter().map(|choices| chunk(choices, None)).collect();
    if let (true, Some(usage)) = (include_usage, answer.usage) {
        events.push(chunk(json!([]), Some(usage)));
    }
    events.push("[DONE]".to_owned());
    events
}

/// Small pieces, but not too many of them.
fn small_pieces(text: &str) -> Vec<&str> {
    pieces(text, PIECE_BYTES.max(text.len() / PIECES_MAX))
}

fn chunk(choices: Value, usage: Option<(u64, u64)>) -> String {
    let mut chunk = json!({
        "id": "chatcmpl-fake", "object": "chat.completion.chunk", "created": 1, "model": "fake-model", "choices": choices,
    });
    if let Some(tokens) = usage {
        chunk["usage"] = usage_json(tokens);
    }
    chunk.to_string()
}

/// An answer in one piece.
pub fn whole(answer: &Answer) -> Value {
    let call = |(index, call): (usize, &crate::Call)| {
        json!({
            "id": format!("call_{index}"), "type": "function",
            "function": { "name": call.name, "arguments": call.arguments },
        })
    };
    let mut message = json!({ "role": "assistant", "content": answer.text });
    if !answer.calls.is_empty() {
        message["tool_calls"] = answer.calls.iter().enumerate().map(call).collect();
    }
    json!({
        "id": "chatcmpl-fake", "object": "chat.completion", "created": 1, "model": "fake-model",
        "choices": [{ "index": 0, "message": message, "finish_reason": finish_reason(answer) }],
        "usage": answer.usage.map(usage_json),
    })
}

fn finish_reason(answer: &Answer) -> Value {
    let implied = if answer.calls.is_empty() { "stop" } else { "tool_calls" };
    json!(answer.finish.as_deref().unwrap_or(implied))
}

fn usage_json((input, output): (u64, u64)) -> Value {
    json!({ "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output })
}

/// An error in the provider's form.
pub fn error(status: u16, code: &str, message: &str) -> Reply {
    Reply::json(status, &json!({ "error": { "message": message, "type": code, "param": null, "code": code } }))
}

/// The list of models.
pub fn models() -> Reply {
    Reply::json(200, &json!({ "object": "list", "data": [{ "id": "fake-model", "object": "model" }] }))
}

/// Whether the request offers tools.
pub fn offers_tools(request: &Request) -> bool {
    request.field("/tools").as_array().is_some_and(|tools| !tools.is_empty())
}

/// The last message when it is a tool's result.
pub fn last_tool_result(request: &Request) -> Option<String> {
    let messages = request.field("/messages");
    let last = messages.as_array()?.last()?;
    (last["role"] == "tool").then(|| content(last))
}

/// The last thing that the user said.
pub fn last_user_text(request: &Request) -> Option<String> {
    let messages = request.field("/messages");
    messages.as_array()?.iter().rev().find(|message| message["role"] == "user").map(content)
}

fn content(message: &Value) -> String {
    message["content"].as_str().unwrap_or_default().to_owned()
}

/// A script that always says `text`.
pub fn says(text: impl Into<String>) -> impl FnMut(usize, &Request) -> Reply + Send + 'static {
    let answer = Answer::text(text);
    move |_, request| reply(request, &answer)
}

/// A script that calls a tool when the request offers tools and does not end with a tool's result, and else says `text`
/// followed by that result.
pub fn calls(
    name: impl Into<String>,
    arguments: &Value,
    text: impl Into<String>,
) -> impl FnMut(usize, &Request) -> Reply + Send + 'static {
    let call = Answer::call(name, arguments);
    let text = text.into();
    move |_, request| match last_tool_result(request) {
        Some(result) => reply(request, &Answer::text(format!("{text}{result}"))),
        None if offers_tools(request) => reply(request, &call),
        None => reply(request, &Answer::text(text.clone())),
    }
}
