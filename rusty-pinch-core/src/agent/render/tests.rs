use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::data::{ApprovalToken, Timestamp};
use crate::store::Position;

fn lines(events: Vec<Event>) -> Vec<Located> {
    let line = |event: Event| Located { at: Position::START, line: Line::Entry(event.at(Timestamp::EPOCH).into()) };
    events.into_iter().map(line).collect()
}

fn call(id: &str) -> ToolCall {
    ToolCall { id: CallId::new(id).unwrap(), name: "add".into(), arguments: json!({}) }
}

fn asks(ids: &[&str]) -> Event {
    Event::Assistant {
        content: String::new(),
        calls: ids.iter().map(|id| call(id)).collect(),
        brain: None,
        tried: vec![],
        usage: None,
    }
}

fn result(id: &str, status: OutcomeStatus, content: &str) -> Event {
    let outcome = CallOutcome { status, content: content.into() };
    Event::Tool { call: call(id).id, name: "add".into(), outcome }
}

fn token() -> ApprovalToken {
    ApprovalToken::mint([9; 16])
}

/// Every call has exactly one result right behind its message, and no result is without its call.
fn well_formed(messages: &[Message]) {
    let mut open: Vec<&CallId> = Vec::new();
    for message in messages {
        match message {
            Message::Tool { call, .. } => {
                let index = open.iter().position(|id| *id == call).expect("a result without its call");
                open.remove(index);
            }
            other => {
                assert!(open.is_empty(), "calls {open:?} have no result before {other:?}");
                if let Message::Assistant { calls, .. } = other {
                    open = calls.iter().map(|call| &call.id).collect();
                }
            }
        }
    }
    assert!(open.is_empty(), "calls {open:?} have no result");
}

#[test]
fn calls_without_a_result_get_one_that_says_so() {
    let messages = messages(&lines(vec![asks(&["a", "b"]), result("a", OutcomeStatus::Ok, "1")]));
    well_formed(&messages);
    assert!(messages.last().unwrap().content().contains("Nothing is known"));
}

#[test]
fn a_verdict_shows_its_call_again_with_the_result() {
    let approved =
        Event::Decided { token: token(), verdict: Verdict::Approved, call: call("a"), content: String::new() };
    let rejected =
        Event::Decided { token: token(), verdict: Verdict::Rejected, call: call("b"), content: "too dear".into() };
    let asked = Event::Asked { call: call("a").id, token: token(), content: "may I?".into() };
    let messages =
        messages(&lines(vec![asks(&["a"]), asked, approved, result("a", OutcomeStatus::Ok, "sent"), rejected]));
    well_formed(&messages);
    let texts: Vec<&str> = messages.iter().map(Message::content).collect();
    assert!(texts.contains(&"sent"));
    assert!(texts.last().unwrap().contains("too dear"));
}

#[test]
fn the_token_of_an_approval_never_reaches_a_model() {
    let asked = Event::Asked { call: call("a").id, token: token(), content: format!("approve {}", token()) };
    let started = Event::Started { call: call("a").id, token: Some(token()) };
    let decided =
        Event::Decided { token: token(), verdict: Verdict::Approved, call: call("a"), content: String::new() };
    let messages = messages(&lines(vec![asks(&["a"]), asked, decided, started]));
    assert!(!format!("{messages:?}").contains(token().as_str()));
}

#[test]
fn outcomes_other_than_success_are_named() {
    for (status, word) in
        [(OutcomeStatus::Unknown, "unknown"), (OutcomeStatus::Refused, "refused"), (OutcomeStatus::Skipped, "not run")]
    {
        let messages = messages(&lines(vec![asks(&["a"]), result("a", status, "x")]));
        assert!(messages.last().unwrap().content().contains(word), "{messages:?}");
    }
}

proptest! {
    #[test]
    fn messages_are_well_formed_whatever_the_journal_holds(kinds in prop::collection::vec((0..7_u8, 0..3_u8), 0..40)) {
        let ids = ["a", "b", "c"];
        let events = kinds.into_iter().map(|(kind, id)| {
            let id = ids[usize::from(id)];
            match kind {
                0 => Event::User { content: "hi".into(), key: None },
                1 => asks(&[id]),
                2 => asks(&["a", "b"]),
                3 => result(id, OutcomeStatus::Ok, "x"),
                4 => Event::Asked { call: call(id).id, token: token(), content: String::new() },
                5 => Event::Decided { token: token(), verdict: Verdict::Approved, call: call(id), content: String::new() },
                _ => Event::Stopped { content: "why".into() },
            }
        });
        well_formed(&messages(&lines(events.collect())));
    }
}
