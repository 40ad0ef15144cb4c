//! The model's last message as an answer or as calls. Pure.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::brain::ProposedCall;

/// The most calls that one reply may ask for.
pub(super) const CALLS_MAX: usize = 64;

/// What the model replied.
#[derive(Debug, PartialEq)]
pub(super) struct Reply {
    /// The text; may be empty when there are calls.
    pub(super) answer: String,
    /// The calls, in order.
    pub(super) calls: Vec<ProposedCall>,
}

/// Why a reply is neither an answer nor calls.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum ReplyError {
    #[error("the reply is empty")]
    Empty,
    #[error("the reply is broken JSON")]
    Broken,
    #[error("the reply's calls do not have the form that was asked for")]
    Calls,
    #[error("the reply asks for {0} calls at once; at most {CALLS_MAX} are allowed")]
    TooManyCalls(usize),
}

#[derive(Deserialize)]
struct Call {
    tool: String,
    #[serde(default)]
    arguments: Value,
}

/// A reply to a prompt without tools: its text.
pub(super) fn text(reply: &str) -> Result<Reply, ReplyError> {
    answer(reply.trim())
}

/// A reply to a prompt with tools.
///
/// Servers are free to ignore the schema: text that is no JSON object is an answer, and so is an object with neither
/// `calls` nor `answer`, which is what somebody who asked for JSON wanted. What begins as an object and is broken is an
/// error, for half a call may hide in it.
pub(super) fn structured(reply: &str) -> Result<Reply, ReplyError> {
    let bare = without_fence(reply.trim());
    if !bare.starts_with('{') {
        return answer(reply.trim());
    }
    let Ok(mut fields) = serde_json::from_str::<Map<String, Value>>(bare) else { return Err(ReplyError::Broken) };
    if !fields.contains_key("calls") && !fields.contains_key("answer") {
        return answer(bare);
    }
    let answer = match fields.remove("answer").unwrap_or_default() {
        Value::String(text) => text,
        Value::Null => String::new(),
        other => other.to_string(),
    };
    let calls: Option<Vec<Call>> =
        serde_json::from_value(fields.remove("calls").unwrap_or_default()).map_err(|_| ReplyError::Calls)?;
    let calls = calls.unwrap_or_default();
    if calls.len() > CALLS_MAX {
        return Err(ReplyError::TooManyCalls(calls.len()));
    }
    if calls.is_empty() && answer.trim().is_empty() {
        return Err(ReplyError::Empty);
    }
    let calls = calls.into_iter().map(|call| ProposedCall { name: call.tool, arguments: arguments(call.arguments) });
    Ok(Reply { answer, calls: calls.collect() })
}

fn answer(text: &str) -> Result<Reply, ReplyError> {
    if text.is_empty() { Err(ReplyError::Empty) } else { Ok(Reply { answer: text.to_owned(), calls: Vec::new() }) }
}

/// Arguments come as a string that holds JSON. A string that does not is passed on as it is: no tool takes it, and the
/// model reads why.
fn arguments(arguments: Value) -> Value {
    match arguments {
        Value::String(text) if text.trim().is_empty() => Value::Object(Map::new()),
        Value::String(text) => serde_json::from_str(&text).unwrap_or(Value::String(text)),
        Value::Null => Value::Object(Map::new()),
        other => other,
    }
}

/// The inside of a fenced block, when the whole text is one.
fn without_fence(text: &str) -> &str {
    text.strip_prefix("```")
        .and_then(|text| text.strip_suffix("```"))
        .and_then(|text| text.split_once('\n'))
        .map_or(text, |(_, inside)| inside.trim())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn said(answer: &str) -> Result<Reply, ReplyError> {
        Ok(Reply { answer: answer.into(), calls: Vec::new() })
    }

    fn called(arguments: Value) -> Result<Reply, ReplyError> {
        Ok(Reply { answer: String::new(), calls: vec![ProposedCall { name: "calc".into(), arguments }] })
    }

    #[test]
    fn calls_and_answers_are_told_apart() {
        let call = |arguments: Value| json!({ "calls": [{ "tool": "calc", "arguments": arguments }], "answer": "" });
        for (reply, expected) in [
            (json!({ "calls": [], "answer": "hi" }).to_string(), said("hi")),
            (json!({ "answer": "hi" }).to_string(), said("hi")),
            (json!({ "calls": null, "answer": 391 }).to_string(), said("391")),
            (call(json!(r#"{"a":1}"#)).to_string(), called(json!({ "a": 1 }))),
            (call(json!({ "a": 1 })).to_string(), called(json!({ "a": 1 }))),
            (call(json!("")).to_string(), called(json!({}))),
            (call(Value::Null).to_string(), called(json!({}))),
            // No tool takes a string, and its error tells the model.
            (call(json!("{broken")).to_string(), called(json!("{broken"))),
            (format!("```json\n{}\n```", call(json!("{}"))), called(json!({}))),
            ("just text".to_owned(), said("just text")),
            ("```\ncode\n```".to_owned(), said("```\ncode\n```")),
            (r#"{"name":"Ann"}"#.to_owned(), said(r#"{"name":"Ann"}"#)),
            (json!({ "calls": [], "answer": " " }).to_string(), Err(ReplyError::Empty)),
            (String::new(), Err(ReplyError::Empty)),
            (r#"{"calls":[{"tool":"calc","argu"#.to_owned(), Err(ReplyError::Broken)),
            (json!({ "calls": "calc", "answer": "" }).to_string(), Err(ReplyError::Calls)),
            (json!({ "calls": [{ "name": "calc" }], "answer": "x" }).to_string(), Err(ReplyError::Calls)),
        ] {
            assert_eq!(structured(&reply), expected, "{reply}");
        }
    }

    #[test]
    fn a_reply_asks_for_so_many_calls_and_no_more() {
        let of = |count: usize| {
            let calls = vec![json!({ "tool": "a", "arguments": "{}" }); count];
            structured(&json!({ "calls": calls, "answer": "" }).to_string()).map(|reply| reply.calls.len())
        };
        assert_eq!((of(CALLS_MAX), of(CALLS_MAX + 1)), (Ok(CALLS_MAX), Err(ReplyError::TooManyCalls(CALLS_MAX + 1))));
    }

    #[test]
    fn a_plain_answer_may_look_like_anything() {
        assert_eq!(text(" {\"calls\":[]} \n"), said("{\"calls\":[]}"));
        assert_eq!(text(" \n"), Err(ReplyError::Empty));
    }

    proptest! {
        #[test]
        fn no_reply_panics_and_half_a_reply_never_calls(reply in any::<String>(), cut in 0usize..60) {
            let _ = (structured(&reply), text(&reply));
            let whole = json!({ "calls": [{ "tool": "pay", "arguments": "{\"sum\":1}" }], "answer": "" }).to_string();
            let half = whole.get(..cut.min(whole.len() - 1)).unwrap();
            prop_assert!(structured(half).is_err());
        }
    }
}
