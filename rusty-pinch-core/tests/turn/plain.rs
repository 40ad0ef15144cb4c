//! Turns without approvals.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use rusty_pinch_core::testing::ScriptedBrain;
use rusty_pinch_core::{
    BrainError, BrainInfo, Completion, Delta, Grants, Limits, LocalBrain, Message, MessageError, Position, Reply,
    TurnError, TurnPath, TurnStatus,
};
use serde_json::json;

use crate::world::{World, Yielding, journal, obedient, said, shape};

#[tokio::test]
async fn a_conversation_is_remembered_between_turns() {
    let world = World::new();
    let recalls = ScriptedBrain::new(|request| {
        let texts: Vec<&str> = request.messages.iter().skip(1).map(Message::content).collect();
        Ok(Completion::text(texts.join(" | ")))
    });
    let agent = world.builder(recalls).build();
    agent.turn("s", "my name is Bob").await.unwrap();
    let reply = said(agent.turn("s", "who am I?").await.unwrap());
    assert_eq!(reply, "my name is Bob | my name is Bob | who am I?");
    assert_eq!(said(agent.turn("other", "hello").await.unwrap()), "hello");
}

#[tokio::test]
async fn calls_run_in_order_and_only_those_that_must_not_repeat_leave_a_mark() {
    let world = World::new();
    let agent = world.agent();
    let reply = said(agent.turn("s", "run look add set").await.unwrap());
    assert_eq!(reply, "look ran 1; add ran 1; set ran 1");
    let expected = ["user", "assistant", "tool", "started", "tool", "tool", "assistant"];
    assert_eq!(shape(&agent, "s").await, expected);
}

#[tokio::test]
async fn an_unknown_tool_is_an_outcome_that_the_model_reads() {
    let world = World::new();
    let agent = world.agent();
    let reply = said(agent.turn("s", "run fly").await.unwrap());
    assert!(reply.contains("fly"), "{reply}");
    assert_eq!(shape(&agent, "s").await, ["user", "assistant", "tool:failed", "assistant"]);
}

#[tokio::test]
async fn a_denied_tool_does_not_run_and_the_refusal_names_the_rule() {
    let world = World::new();
    let mut grants = Grants::default();
    grants.denied.insert("add".into());
    let agent = world.builder(obedient()).grants(grants).build();
    let reply = said(agent.turn("s", "run add").await.unwrap());
    assert!(reply.contains("denied"), "{reply}");
    assert_eq!(world.counters.count("add"), 0);
}

#[tokio::test]
async fn a_message_that_breaks_a_rule_is_refused_before_anything_is_stored() {
    let agent = World::new().agent();
    for (text, is_expected) in [
        (String::new(), (|e| matches!(e, TurnError::Message(MessageError::Empty))) as fn(&TurnError) -> bool),
        ("x".repeat(10 << 20), |e| matches!(e, TurnError::Message(MessageError::TooLong { .. }))),
        ("a\u{7}b".into(), |e| matches!(e, TurnError::Message(MessageError::Control { .. }))),
        ("/tool nonsense".into(), |e| matches!(e, TurnError::UnknownTool { .. })),
        ("/tool".into(), |e| matches!(e, TurnError::Command(_))),
    ] {
        let error = agent.turn("s", text).await.unwrap_err();
        assert!(is_expected(&error), "{error:?}");
    }
    assert!(matches!(agent.turn("bad\nid", "hi").await, Err(TurnError::Session(_))));
    assert!(journal(&agent, "s").await.is_empty());
}

#[tokio::test]
async fn a_command_runs_its_tool_without_the_brain() {
    let world = World::new();
    let silent = ScriptedBrain::new(|_| panic!("the brain was asked"));
    let agent = world.builder(silent).build();
    let report = agent.turn("s", "/tool look 3").report().await;
    assert_eq!(said(report.reply.unwrap()), "[tool:look]\nlook ran 1");
    assert_eq!(report.record.path, TurnPath::Tool);
    assert_eq!(report.record.attempts, None);
    assert_eq!(report.record.tool_name.as_deref(), Some("look"));
    assert_eq!(shape(&agent, "s").await, ["user", "assistant", "tool", "assistant"]);
}

#[tokio::test]
async fn a_brain_that_fails_costs_the_answer_and_not_the_message() {
    let world = World::new();
    let broken = ScriptedBrain::new(|_| Err(BrainError::DeadlineExceeded { brain: "b".into() }));
    let agent = world.builder(broken).build();
    let report = agent.turn("s", "hello").report().await;
    assert!(matches!(report.reply, Err(TurnError::Brain(_))));
    assert_eq!(report.record.status, TurnStatus::Error);
    assert!(report.record.error.unwrap().contains("no answer within its time"));
    assert_eq!(shape(&agent, "s").await, ["user"]);

    let mended = world.builder(obedient()).store(Arc::clone(agent.store())).build();
    assert_eq!(said(mended.resume("s").await.unwrap()), "you said: hello");
    assert_eq!(mended.resume("s").await.unwrap(), Reply::Idle);
}

#[tokio::test]
async fn an_empty_completion_is_an_error_and_not_an_answer() {
    let agent = World::new().builder(ScriptedBrain::saying(" ")).build();
    assert!(matches!(agent.turn("s", "hi").await, Err(TurnError::Brain(BrainError::Malformed { .. }))));
}

#[tokio::test]
async fn a_model_that_goes_in_circles_is_stopped() {
    let world = World::new();
    let stubborn = ScriptedBrain::new(|_| Ok(Completion::call("missing", json!({}))));
    let agent = world.builder(stubborn).build();
    let Reply::Stopped(why) = agent.turn("s", "go").await.unwrap() else { panic!("it was not stopped") };
    assert!(why.contains("same result 5 times"), "{why}");
    assert_eq!(
        said(world.builder(obedient()).store(Arc::clone(agent.store())).build().turn("s", "hi").await.unwrap()),
        "you said: hi"
    );
}

#[tokio::test]
async fn completions_of_a_turn_are_bounded() {
    let world = World::new();
    let busy = ScriptedBrain::new(|request| Ok(Completion::call("look", json!({"n": request.messages.len()}))));
    let mut limits = Limits::default();
    limits.completions_max = 7;
    let agent = world.builder(busy).limits(limits).build();
    assert!(matches!(agent.turn("s", "go").await.unwrap(), Reply::Stopped(why) if why.contains('7')));
    assert_eq!(world.counters.count("look"), 7);
}

#[tokio::test]
async fn a_turn_ends_at_its_deadline_even_when_the_brain_does_not() {
    #[derive(Debug)]
    struct Silent(BrainInfo);
    #[async_trait::async_trait]
    impl rusty_pinch_core::Brain for Silent {
        fn info(&self) -> &BrainInfo {
            &self.0
        }
        async fn complete(
            &self,
            _: &rusty_pinch_core::CompletionRequest,
            _: &rusty_pinch_core::Deltas,
        ) -> Result<Completion, BrainError> {
            std::future::pending().await
        }
    }
    let world = World::new();
    let info = BrainInfo { name: "silent".into(), model: "m".into(), context_tokens: 1000, free: false };
    let agent = world.builder(Silent(info)).build();
    let turn = tokio::spawn(agent.turn("s", "hello").time_max(Duration::from_secs(5)).into_future());
    while journal(&agent, "s").await.is_empty() {
        tokio::task::yield_now().await;
    }
    world.clock.advance(Duration::from_secs(6));
    assert!(matches!(turn.await.unwrap(), Err(TurnError::Brain(BrainError::DeadlineExceeded { .. }))));
}

#[tokio::test]
async fn an_answer_is_previewed_piece_by_piece() {
    let heard = Arc::new(Mutex::new(String::new()));
    let sink = Arc::clone(&heard);
    let agent = World::new().agent();
    let turn = agent.turn("s", "hello").deltas(move |delta| {
        if let Delta::Text(text) = delta {
            sink.lock().unwrap().push_str(text);
        }
    });
    assert_eq!(said(turn.await.unwrap()), *heard.lock().unwrap());
}

#[tokio::test]
async fn a_message_with_a_key_opens_one_turn_however_often_it_comes() {
    let world = World::new();
    let agent = world.agent();
    let first = agent.turn("s", "run add").once("telegram:7", Position::START).report().await;
    agent.turn("s", "something else").await.unwrap();
    let again = agent.turn("s", "run add").once("telegram:7", Position::START).report().await;
    assert_eq!(first.position, again.position);
    assert_eq!(said(first.reply.unwrap()), said(again.reply.unwrap()));
    assert_eq!(world.counters.count("add"), 1);
}

#[tokio::test]
async fn turns_of_one_session_run_one_after_the_other() {
    let world = World::new();
    let agent = world.builder(obedient()).store(Yielding::default()).build();
    let turns: Vec<_> = (0..50).map(|_| tokio::spawn(agent.turn("s", "run add").into_future())).collect();
    for turn in turns {
        said(turn.await.unwrap().unwrap());
    }
    let shape = shape(&agent, "s").await;
    assert_eq!(shape.len(), 250);
    assert!(shape.chunks(5).all(|turn| turn == ["user", "assistant", "started", "tool", "assistant"]));
}

#[tokio::test]
async fn a_long_history_is_folded_and_its_lines_stay() {
    let world = World::new();
    let info = BrainInfo { name: "small".into(), model: "m".into(), context_tokens: 2000, free: false };
    let brain = ScriptedBrain::new(|request| {
        let summarises = request.messages[0].content().contains("Summarise");
        let carried = request.messages.iter().any(|m| m.content().contains("Bob likes tea"));
        Ok(Completion::text(if summarises {
            "Bob likes tea"
        } else if carried {
            "tea"
        } else {
            "?"
        }))
    });
    let agent = world.builder(brain.with_info(info)).build();
    for index in 0..60 {
        agent.turn("s", format!("message {index} {}", "word ".repeat(20))).await.unwrap();
    }
    assert_eq!(said(agent.turn("s", "what does Bob like?").await.unwrap()), "tea");
    let roles = shape(&agent, "s").await;
    assert!(roles.iter().filter(|role| *role == "summary").count() >= 2, "{roles:?}");
    assert_eq!(roles.iter().filter(|role| *role == "user").count(), 61);
}

#[tokio::test]
async fn every_turn_is_recorded_once() {
    #[derive(Debug, Default)]
    struct Seen(Mutex<Vec<rusty_pinch_core::TurnRecord>>);
    impl rusty_pinch_core::TurnObserver for Seen {
        fn turn(&self, record: &rusty_pinch_core::TurnRecord) {
            self.0.lock().unwrap().push(record.clone());
        }
    }
    let seen = Arc::new(Seen::default());
    let agent = World::new().builder(obedient()).observer(Arc::clone(&seen)).provider_reason("asked for").build();
    agent.turn("s", "run look").await.unwrap();
    agent.turn("s", "").await.unwrap_err();
    let records = seen.0.lock().unwrap();
    assert_eq!(records.len(), 2);
    assert_eq!((records[0].session_id.as_str(), records[0].status), ("s", TurnStatus::Ok));
    assert_eq!((records[0].user_chars, records[0].prompt_cache_misses, records[0].prompt_cache_hits), (8, 1, 1));
    assert_eq!(records[0].provider_reason.as_deref(), Some("asked for"));
    assert_eq!(records[1].status, TurnStatus::Error);
    assert_ne!(records[0].request_id, records[1].request_id);
}

#[tokio::test]
async fn the_offline_brain_answers_through_the_whole_path() {
    let agent = rusty_pinch_core::Agent::new(LocalBrain::default());
    let reply = said(agent.turn("demo", "what can you do?").await.unwrap());
    assert!(reply.contains("model_info"), "{reply}");
}
