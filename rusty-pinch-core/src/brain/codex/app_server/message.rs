//! The lines that the server and we write: JSON-RPC 2.0 without its version, one message a line. Pure.

use serde_json::{Value, json};

/// What the server wrote.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Message {
    /// The outcome of a request of ours.
    Response {
        /// Which request.
        id: u64,
        /// Its result, or why it was refused.
        outcome: Result<Value, Refusal>,
    },
    /// It wants something from us.
    Request {
        /// What.
        method: String,
        /// About what.
        params: Value,
    },
    /// Something happened.
    Notification {
        /// What.
        method: String,
        /// To what.
        params: Value,
    },
}

/// Why the server refused a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Refusal {
    /// Its code, after JSON-RPC.
    pub(super) code: i64,
    /// What it said.
    pub(super) message: String,
}

/// The message in `line`, or `None` when it is none.
pub(super) fn parse(line: &[u8]) -> Option<Message> {
    let mut line: Value = serde_json::from_slice(line).ok()?;
    let fields = line.as_object_mut()?;
    let params = fields.remove("params").unwrap_or_default();
    if let Some(method) = fields.get("method") {
        let method = method.as_str()?.to_owned();
        let is_request = fields.contains_key("id");
        return Some(if is_request {
            Message::Request { method, params }
        } else {
            Message::Notification { method, params }
        });
    }
    let id = fields.get("id")?.as_u64()?;
    let outcome = match (fields.remove("result"), fields.get("error")) {
        (Some(result), None) => Ok(result),
        (_, Some(error)) => Err(Refusal {
            code: error.get("code").and_then(Value::as_i64).unwrap_or_default(),
            message: error.get("message").and_then(Value::as_str).unwrap_or_default().to_owned(),
        }),
        (None, None) => return None,
    };
    Some(Message::Response { id, outcome })
}

/// A request, as a line.
pub(super) fn request(id: u64, method: &str, params: &Value) -> Vec<u8> {
    line(&json!({ "id": id, "method": method, "params": params }))
}

/// A notification, as a line.
pub(super) fn notification(method: &str) -> Vec<u8> {
    line(&json!({ "method": method }))
}

fn line(message: &Value) -> Vec<u8> {
    let mut line = message.to_string().into_bytes();
    line.push(b'\n');
    line
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_three_kinds_of_message_are_told_apart() {
        let refusal = Refusal { code: -32600, message: "no".into() };
        for (line, expected) in [
            (r#"{"id":7,"result":{"a":1}}"#, Message::Response { id: 7, outcome: Ok(json!({ "a": 1 })) }),
            (r#"{"error":{"code":-32600,"message":"no"},"id":2}"#, Message::Response { id: 2, outcome: Err(refusal) }),
            (r#"{"error":{},"id":2}"#, Message::Response { id: 2, outcome: Err(Refusal::default()) }),
            (r#"{"id":0,"method":"a/b","params":{}}"#, Message::Request { method: "a/b".into(), params: json!({}) }),
            (r#"{"id":"x","method":"a"}"#, Message::Request { method: "a".into(), params: Value::Null }),
            (
                r#"{"method":"m","params":{"x":[]},"emittedAtMs":1}"#,
                Message::Notification { method: "m".into(), params: json!({ "x": [] }) },
            ),
        ] {
            assert_eq!(parse(line.as_bytes()), Some(expected), "{line}");
        }
    }

    #[test]
    fn other_lines_are_no_messages() {
        for line in
            ["", "hello", "[]", "7", "{}", r#"{"id":1}"#, r#"{"id":-1,"result":1}"#, r#"{"method":7}"#, "{\"id\":"]
        {
            assert_eq!(parse(line.as_bytes()), None, "{line}");
        }
    }

    #[test]
    fn what_we_write_is_one_line() {
        let line = request(3, "turn/start", &json!({ "text": "a\nb" }));
        assert_eq!(line.iter().filter(|byte| **byte == b'\n').count(), 1);
        assert_eq!(line.last(), Some(&b'\n'));
    }

    proptest! {
        #[test]
        fn no_line_panics(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = parse(&bytes);
        }
    }
}
