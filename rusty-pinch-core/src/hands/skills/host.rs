//! The functions that a script may call beside Rhai's own.
//!
//! Each is a [`HostCall`], which the host checks and answers, or works on values alone.

use rhai::serde::{from_dynamic, to_dynamic};
use rhai::{Dynamic, Engine, EvalAltResult, Map};
use serde_json::{Value, json};

use super::HostCall;
use super::bounds::{SENT_VALUES_MAX, STRING_BYTES_MAX, VALUE_DEPTH_MAX};
use super::engine::{self, ENGINE};
use super::running::{arguments, call};
use super::values::{Room, Unfit, with_article};

/// Names and numbers of arguments of all of them.
pub(super) const HOST_FUNCTIONS: &[(&str, usize)] = &[
    ("args", 0),
    ("http_get", 1),
    ("http_json", 1),
    ("http_post", 2),
    ("log_info", 1),
    ("parse_json", 1),
    ("state_get", 1),
    ("state_set", 2),
    ("time_now", 0),
    ("to_json", 1),
    ("tool", 1),
    ("tool", 2),
];

type Result<T> = std::result::Result<T, Box<EvalAltResult>>;

pub(super) fn register(engine: &mut Engine) {
    engine.register_fn("args", || -> Result<Dynamic> { dynamic(&Value::Object(arguments())) });
    engine.register_fn("log_info", |line: Dynamic| -> Result<()> {
        let text =
            engine::text_of(&line, "log line").map_err(|failure| format!("it can't be logged: {}", failure.why))?;
        call(HostCall::Log { text }).map(|_| ())
    });
    engine.register_fn("time_now", || text(call(HostCall::TimeNow)?));
    engine.register_fn("http_get", |url: &str| text(call(http("GET", url, ""))?));
    engine.register_fn("http_post", |url: &str, body: &str| text(call(http("POST", url, body))?));
    engine.register_fn("http_json", |url: &str| parse_json(&text(call(http("GET", url, ""))?)?));
    engine.register_fn("state_get", |key: &str| dynamic(&call(HostCall::StateGet { key: key.to_owned() })?));
    engine.register_fn("state_set", |key: &str, value: Dynamic| -> Result<()> {
        call(HostCall::StateSet { key: key.to_owned(), value: sent(&value)? }).map(|_| ())
    });
    engine.register_fn("tool", |name: &str| tool(name, json!({})));
    engine.register_fn("tool", |name: &str, arguments: Dynamic| tool(name, sent(&arguments)?));
    engine.register_fn("parse_json", parse_json);
    engine.register_fn("to_json", |value: Dynamic| json_text(&value));
    // Rhai's own for maps would follow a closure into the variable that holds it, round and round.
    engine.register_fn("to_json", |map: &mut Map| json_text(&map.clone().into()));
}

fn http(method: &str, url: &str, body: &str) -> HostCall {
    HostCall::Http { method: method.to_owned(), url: url.to_owned(), body: body.to_owned() }
}

fn tool(name: &str, arguments: Value) -> Result<Dynamic> {
    dynamic(&call(HostCall::Tool { name: name.to_owned(), arguments })?)
}

fn parse_json(text: &str) -> Result<Dynamic> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("this is no JSON: {error}"))?;
    dynamic(&value)
}

fn dynamic(value: &Value) -> Result<Dynamic> {
    to_dynamic(value)
}

/// A value that goes to the host. Its parent would not listen to one of too many values.
fn sent(value: &Dynamic) -> Result<Value> {
    let room = Room { values: SENT_VALUES_MAX, bytes: STRING_BYTES_MAX };
    json_of(value, room, "a value for the host", "send less")
}

fn json_text(value: &Dynamic) -> Result<String> {
    // A value is a character of text at least.
    let room = Room { values: STRING_BYTES_MAX, bytes: STRING_BYTES_MAX };
    json_of(value, room, "a value that becomes JSON", "take a part of it").map(|value| value.to_string())
}

/// `value` as JSON. `what` it is and how to `mend` it are for the error.
fn json_of(value: &Dynamic, room: Room, what: &str, mend: &str) -> Result<Value> {
    room.holds(value).map_err(|unfit| match unfit {
        Unfit::NoForm(name) => format!("{} has no form in JSON", with_article(ENGINE.map_type_name(name))),
        Unfit::TooDeep => format!("{what} has at most {VALUE_DEPTH_MAX} values within one another; flatten it"),
        Unfit::TooMany => format!("{what} holds at most {} others; {mend}", room.values),
        Unfit::TooLong => format!("{what} holds at most {} KiB of text; {mend}", room.bytes / 1024),
    })?;
    from_dynamic(value)
        .map_err(|_| format!("{} has no form in JSON", with_article(ENGINE.map_type_name(value.type_name()))).into())
}

fn text(value: Value) -> Result<String> {
    match value {
        Value::String(text) => Ok(text),
        Value::Null => Ok(String::new()),
        other => Ok(other.to_string()),
    }
}
