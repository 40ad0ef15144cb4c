//! The request as chat completions want it.
//!
//! What stands in a journal may be what a model made up: names and arguments that no provider takes. They are put into a
//! form that every provider takes, or one bad call would make the session unusable for good.

use std::borrow::Cow;

use serde::Serialize;
use serde_json::{Value, json};

use crate::brain::CompletionRequest;
use crate::data::{Message, TOOL_NAME_BYTES_MAX, ToolCall};
use crate::hands::ToolSpec;

/// The body of a request.
#[derive(Serialize)]
pub(super) struct WireRequest<'a> {
    model: &'a str,
    messages: Vec<WireMessage<'a>>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<WireTool<'a>>,
    stream: bool,
    stream_options: StreamOptions,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f32>,
}

#[derive(Serialize)]
struct StreamOptions {
    include_usage: bool,
}

#[derive(Serialize)]
#[serde(tag = "role", rename_all = "lowercase")]
enum WireMessage<'a> {
    System {
        content: &'a str,
    },
    User {
        content: &'a str,
    },
    Assistant {
        content: Option<&'a str>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        tool_calls: Vec<WireCall<'a>>,
    },
    Tool {
        tool_call_id: &'a str,
        content: &'a str,
    },
}

#[derive(Serialize)]
struct WireCall<'a> {
    id: &'a str,
    r#type: &'static str,
    function: WireFunction<'a>,
}

#[derive(Serialize)]
struct WireFunction<'a> {
    name: Cow<'a, str>,
    arguments: String,
}

#[derive(Serialize)]
struct WireTool<'a> {
    r#type: &'static str,
    function: WireSpec<'a>,
}

#[derive(Serialize)]
struct WireSpec<'a> {
    name: &'a str,
    description: &'a str,
    parameters: Cow<'a, Value>,
}

impl<'a> WireRequest<'a> {
    /// Puts `request` into the form of the wire, always streamed.
    pub(super) fn new(model: &'a str, temperature: Option<f32>, request: &'a CompletionRequest) -> Self {
        Self {
            model,
            messages: request.messages.iter().map(WireMessage::new).collect(),
            tools: request.tools.iter().map(WireTool::new).collect(),
            stream: true,
            stream_options: StreamOptions { include_usage: true },
            temperature,
        }
    }
}

impl<'a> WireMessage<'a> {
    fn new(message: &'a Message) -> Self {
        match message {
            Message::System { content } => Self::System { content },
            Message::User { content } => Self::User { content },
            Message::Assistant { content, calls } => Self::Assistant {
                // Some servers refuse empty text beside calls, and null without calls.
                content: (!content.is_empty() || calls.is_empty()).then_some(content),
                tool_calls: calls.iter().map(WireCall::new).collect(),
            },
            Message::Tool { call, content, .. } => Self::Tool { tool_call_id: call.as_str(), content },
        }
    }
}

impl<'a> WireCall<'a> {
    fn new(call: &'a ToolCall) -> Self {
        let arguments = match &call.arguments {
            object @ Value::Object(_) => object.to_string(),
            other => json!({ "arguments": other }).to_string(),
        };
        let function = WireFunction { name: permitted_name(&call.name), arguments };
        Self { id: call.id.as_str(), r#type: "function", function }
    }
}

/// The name with everything replaced that no provider takes in one.
fn permitted_name(name: &str) -> Cow<'_, str> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    if !name.is_empty() && name.len() <= TOOL_NAME_BYTES_MAX && name.chars().all(fits) {
        return Cow::Borrowed(name);
    }
    let name: String = name.chars().take(TOOL_NAME_BYTES_MAX).map(|c| if fits(c) { c } else { '_' }).collect();
    Cow::Owned(if name.is_empty() { "unnamed".to_owned() } else { name })
}

impl<'a> WireTool<'a> {
    fn new(spec: &'a ToolSpec) -> Self {
        let mut parameters = Cow::Borrowed(&spec.parameters);
        // OpenAI refuses the schema of an object that lists no properties, not even none.
        if parameters.get("properties").is_none()
            && let Value::Object(schema) = parameters.to_mut()
        {
            schema.insert("properties".to_owned(), json!({}));
        }
        let function = WireSpec { name: spec.name.as_str(), description: &spec.description, parameters };
        Self { r#type: "function", function }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::brain::Lane;
    use crate::data::{CallId, Timestamp, ToolName};
    use crate::hands::{Repeat, Risk};

    fn call(id: &str, name: &str, arguments: Value) -> ToolCall {
        ToolCall { id: CallId::new(id).unwrap(), name: name.into(), arguments }
    }

    fn body(messages: Vec<Message>, tools: Vec<ToolSpec>) -> Value {
        let request = CompletionRequest {
            messages,
            tools: Arc::from(tools),
            deadline: Timestamp::EPOCH,
            lane: Lane::Interactive,
            turn: None,
        };
        serde_json::to_value(WireRequest::new("m", None, &request)).unwrap()
    }

    #[test]
    fn every_kind_of_message_has_its_form() {
        let content = |text: &str| text.to_owned();
        let body = body(
            vec![
                Message::System { content: content("s") },
                Message::User { content: content("u") },
                Message::Assistant { content: content(""), calls: vec![call("c1", "calc", json!({ "x": "1" }))] },
                Message::Tool { call: CallId::new("c1").unwrap(), name: "calc".into(), content: content("t") },
                Message::Assistant { content: content(""), calls: vec![] },
            ],
            vec![],
        );
        let function = json!({ "name": "calc", "arguments": "{\"x\":\"1\"}" });
        let expected = json!({
            "model": "m", "stream": true, "stream_options": { "include_usage": true },
            "messages": [
                { "role": "system", "content": "s" },
                { "role": "user", "content": "u" },
                { "role": "assistant", "content": null, "tool_calls": [{ "id": "c1", "type": "function", "function": function }] },
                { "role": "tool", "tool_call_id": "c1", "content": "t" },
                { "role": "assistant", "content": "" },
            ],
        });
        assert_eq!(body, expected);
    }

    #[test]
    fn tools_are_offered_with_a_schema_that_lists_properties() {
        let spec = |parameters: Value| ToolSpec {
            name: ToolName::new("time_now").unwrap(),
            description: "Tells the time.".into(),
            parameters,
            positional: vec![],
            repeat: Repeat::ReadOnly,
            risk: Risk::Low,
            examples: vec![],
            kind: Default::default(),
            output: Default::default(),
        };
        let schema = json!({ "type": "object", "properties": { "a": {} } });
        let tools = body(vec![], vec![spec(json!({ "type": "object" })), spec(schema.clone())])["tools"].take();
        assert_eq!(tools[0]["function"]["parameters"], json!({ "type": "object", "properties": {} }));
        assert_eq!(tools[1]["function"]["parameters"], schema);
        assert_eq!(tools[1]["function"]["name"], "time_now");
        assert_eq!(tools[0]["type"], "function");
    }

    #[test]
    fn what_a_model_made_up_is_put_into_a_form_that_providers_take() {
        let long = "n".repeat(100);
        let calls =
            vec![call("c1", "foo.bar/ü", json!("{broken")), call("c2", "", json!([1])), call("c3", &long, Value::Null)];
        let body = body(vec![Message::Assistant { content: String::new(), calls }], vec![]);
        let function = |at: usize| &body["messages"][0]["tool_calls"][at]["function"];
        assert_eq!(function(0)["name"], "foo_bar__");
        assert_eq!(function(0)["arguments"], r#"{"arguments":"{broken"}"#);
        assert_eq!(function(1)["name"], "unnamed");
        assert_eq!(function(1)["arguments"], r#"{"arguments":[1]}"#);
        assert_eq!(function(2)["name"].as_str().unwrap().len(), TOOL_NAME_BYTES_MAX);
    }
}
