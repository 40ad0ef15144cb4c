use proptest::prelude::*;
use serde_json::json;

use super::*;

/// What these notifications add up to, and what a listener was shown.
fn read(notifications: &[(&str, Value)]) -> (Progress, String) {
    let (mut progress, mut shown) = (Progress::default(), String::new());
    for (method, params) in notifications {
        if let Some(event) = event(method, params) {
            let preview = progress.add(event);
            shown.push_str(if preview.restarts { "<restart>" } else { "" });
            shown.push_str(&preview.text);
        }
    }
    (progress, shown)
}

fn delta(item: &str, text: &str) -> (&'static str, Value) {
    ("item/agentMessage/delta", json!({ "threadId": "t", "itemId": item, "delta": text }))
}

fn item(method: &'static str, kind: &str, text: &str) -> (&'static str, Value) {
    (method, json!({ "threadId": "t", "item": { "type": kind, "id": "m1", "text": text } }))
}

fn over(status: &str, error: &Value) -> (&'static str, Value) {
    ("turn/completed", json!({ "threadId": "t", "turn": { "id": "u", "status": status, "error": error } }))
}

fn used(total: u64) -> (&'static str, Value) {
    ("thread/tokenUsage/updated", json!({ "tokenUsage": { "total": { "inputTokens": total, "outputTokens": 7 } } }))
}

#[test]
fn a_turn_that_went_well_has_its_answer_and_what_it_used() {
    let (progress, shown) = read(&[
        ("turn/started", json!({ "threadId": "t", "turn": { "id": "u" } })),
        item("item/started", "userMessage", ""),
        item("item/completed", "reasoning", "hm"),
        item("item/started", "agentMessage", ""),
        delta("m1", "po"),
        delta("m1", "ng"),
        item("item/completed", "agentMessage", "pong"),
        used(11),
        ("account/somethingNew", json!({})),
        over("completed", &Value::Null),
    ]);
    assert_eq!((progress.turn.as_deref(), progress.message.as_deref()), (Some("u"), Some("pong")));
    assert_eq!(progress.usage, Some(Usage { input_tokens: 11, output_tokens: 7 }));
    assert_eq!((progress.outcome, progress.is_over, shown.as_str()), (Some(Outcome::Completed), true, "pong"));
}

#[test]
fn a_second_message_replaces_the_preview_and_one_without_pieces_is_shown_whole() {
    assert_eq!(read(&[delta("m0", "let me"), delta("m1", "pong")]).1, "let me<restart>pong");
    assert_eq!(read(&[item("item/completed", "agentMessage", "pong")]).1, "pong");
}

#[test]
fn every_item_that_is_not_thinking_is_a_foreign_tool_unknown_ones_too() {
    for kind in ["commandExecution", "fileChange", "mcpToolCall", "dynamicToolCall", "webSearch", "sleep", "new", ""] {
        for method in ["item/started", "item/completed"] {
            let (progress, _) = read(&[item(method, kind, ""), over("completed", &Value::Null)]);
            assert_eq!(progress.outcome, Some(Outcome::ForeignTool(kind.to_owned())), "{method} {kind}");
        }
    }
    assert!(matches!(read(&[("hook/started", json!({}))]).0.outcome, Some(Outcome::ForeignTool(_))));
}

#[test]
fn a_failed_turn_says_why_at_its_end_or_before() {
    let (why, earlier) = (json!({ "message": "why" }), json!({ "message": "earlier" }));
    let error = ("error", json!({ "error": earlier, "willRetry": false }));
    assert_eq!(read(&[error.clone(), over("failed", &why)]).0.outcome, Some(Outcome::Failed(why)));
    assert_eq!(read(&[error, over("failed", &Value::Null)]).0.outcome, Some(Outcome::Failed(earlier)));
    assert_eq!(read(&[over("interrupted", &Value::Null)]).0.outcome, Some(Outcome::Interrupted));
    assert_eq!(read(&[over("somethingNew", &Value::Null)]).0.outcome, Some(Outcome::Failed(Value::Null)));
}

#[test]
fn a_model_that_asks_again_and_again_for_tools_that_are_not_there_is_stopped() {
    let rounds = |count: u64| read(&(1..=count).map(used).collect::<Vec<_>>()).0.outcome;
    assert_eq!(rounds(u64::from(RESPONSES_MAX)), None);
    assert!(matches!(rounds(u64::from(RESPONSES_MAX) + 1), Some(Outcome::ForeignTool(_))));
}

#[test]
fn an_answer_over_the_bound_ends_the_turn_while_it_is_written() {
    let piece = "x".repeat(ANSWER_BYTES_MAX / 2);
    let (mut progress, _) = read(&[delta("m", &piece), delta("m", &piece)]);
    assert_eq!(progress.outcome, None);
    assert_eq!(progress.add(Event::Delta { item: "m".into(), text: "x".into() }), Preview::default());
    assert!(progress.is_too_large());
    let whole = "x".repeat(ANSWER_BYTES_MAX + 1);
    assert!(read(&[item("item/completed", "agentMessage", &whole)]).0.is_too_large());
}

proptest! {
    #[test]
    fn no_notification_of_odd_shape_panics(
        method in "(turn|item|thread|error)(/(completed|started|agentMessage/delta|tokenUsage/updated))?",
        field in "(item|error|turn|tokenUsage|delta|itemId)",
        value in "(null|7|\"x\"|\\[\\]|\\{\\}|\\{\"type\":7\\}|\\{\"type\":\"agentMessage\",\"text\":[1]\\}|-1e9)",
    ) {
        let params: Value = serde_json::from_str(&format!(r#"{{"{field}":{value}}}"#)).unwrap();
        let mut progress = Progress::default();
        if let Some(event) = event(&method, &params) {
            progress.add(event);
        }
    }
}
