//! Approvals: asked for, given once, bound to what was shown.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use rusty_pinch_core::{
    Agent, Approval, ApprovalError, ApprovalToken, Clock, Event, Grants, Limits, OutcomeStatus, Reply, TurnError,
};

use crate::world::{World, Yielding, journal, obedient, said, shape};

async fn asked(agent: &Agent, session: &str) -> Approval {
    match agent.turn(session, "run pay").await.unwrap() {
        Reply::NeedsApproval(approval) => *approval,
        other => panic!("expected a question, not {other:?}"),
    }
}

#[tokio::test]
async fn an_approved_call_runs_once_and_the_turn_goes_on() {
    let world = World::new();
    let agent = world.agent();
    let approval = asked(&agent, "s").await;
    assert_eq!(approval.summary, "pay {\"n\":1}");
    assert_eq!(agent.approvals().await.unwrap(), std::slice::from_ref(&approval));
    assert_eq!(world.counters.count("pay"), 0);
    assert!(matches!(agent.settle(&approval.token).await, Err(TurnError::Approval(ApprovalError::Undecided { .. }))));

    agent.approve(&approval.token).await.unwrap();
    let first = said(agent.settle(&approval.token).await.unwrap());
    let again = said(agent.settle(&approval.token).await.unwrap());
    assert_eq!(first, again);
    assert_eq!(world.counters.count("pay"), 1);
    assert!(agent.approvals().await.unwrap().is_empty());
    assert_eq!(shape(&agent, "s").await, ["user", "assistant", "asked", "decided", "started", "tool", "assistant"]);
}

#[tokio::test]
async fn a_rejected_call_never_runs_and_the_model_learns_why() {
    let world = World::new();
    let agent = world.agent();
    let approval = asked(&agent, "s").await;
    agent.reject(&approval.token, "too dear").await.unwrap();
    let reply = said(agent.settle(&approval.token).await.unwrap());
    assert!(reply.contains("too dear"), "{reply}");
    assert_eq!(world.counters.count("pay"), 0);
    assert!(matches!(agent.approve(&approval.token).await, Err(ApprovalError::AlreadyDecided { .. })));
}

#[tokio::test]
async fn of_a_hundred_that_approve_at_once_one_succeeds_and_the_call_runs_once() {
    let world = World::new();
    let agent = world.builder(obedient()).store(Yielding::default()).build();
    let approval = asked(&agent, "s").await;
    let redeem = |agent: Agent, token: ApprovalToken| async move {
        let approved = agent.approve(&token).await.is_ok();
        let settled = agent.settle(&token).await;
        (approved, settled)
    };
    let all: Vec<_> = (0..100).map(|_| tokio::spawn(redeem(agent.clone(), approval.token.clone()))).collect();
    let mut approved = 0;
    for one in all {
        approved += u32::from(one.await.unwrap().0);
    }
    assert_eq!(approved, 1);
    assert_eq!(world.counters.count("pay"), 1);
}

#[tokio::test]
async fn an_approval_ends_and_nothing_runs_after_its_end() {
    let world = World::new();
    let mut limits = Limits::default();
    limits.approval_time_max = Duration::from_secs(600);
    let agent = world.builder(obedient()).limits(limits).build();
    let late = asked(&agent, "late").await;
    let in_time = asked(&agent, "in-time").await;
    agent.approve(&in_time.token).await.unwrap();
    world.clock.advance(Duration::from_secs(600));
    assert!(agent.approvals().await.unwrap().is_empty());
    assert!(matches!(agent.approve(&late.token).await, Err(ApprovalError::Expired { .. })));
    // Approved in time, carried out too late.
    let reply = said(agent.settle(&in_time.token).await.unwrap());
    assert!(reply.contains("ended at"), "{reply}");
    assert_eq!(world.counters.count("pay"), 0);
    assert_eq!(in_time.expires, world.clock.now());
}

#[tokio::test]
async fn a_content_that_changed_after_the_approval_stops_the_call() {
    let world = World::new();
    let agent = world.agent();
    let approval = asked(&agent, "s").await;
    agent.approve(&approval.token).await.unwrap();
    world.counters.script.store(1, Ordering::SeqCst);
    let reply = said(agent.settle(&approval.token).await.unwrap());
    assert!(reply.contains("no longer what was approved"), "{reply}");
    assert_eq!(world.counters.count("pay"), 0);
}

#[tokio::test]
async fn a_rule_that_denies_the_tool_by_now_outweighs_the_approval() {
    let world = World::new();
    let agent = world.agent();
    let approval = asked(&agent, "s").await;
    agent.approve(&approval.token).await.unwrap();
    let mut grants = Grants::default();
    grants.denied.insert("pay".into());
    let stricter = world.builder(obedient()).store(Arc::clone(agent.store())).grants(grants).build();
    stricter.settle(&approval.token).await.unwrap();
    assert_eq!(world.counters.count("pay"), 0);
}

#[tokio::test]
async fn a_later_message_leaves_the_approval_alone() {
    let world = World::new();
    let agent = world.agent();
    let approval = asked(&agent, "s").await;
    assert_eq!(said(agent.turn("s", "by the way").await.unwrap()), "you said: by the way");
    agent.approve(&approval.token).await.unwrap();
    said(agent.settle(&approval.token).await.unwrap());
    assert_eq!(world.counters.count("pay"), 1);
}

#[tokio::test]
async fn calls_behind_one_that_waits_do_not_run() {
    let world = World::new();
    let agent = world.agent();
    assert!(matches!(agent.turn("s", "run look pay add").await.unwrap(), Reply::NeedsApproval(_)));
    assert_eq!((world.counters.count("look"), world.counters.count("add")), (1, 0));
    assert_eq!(shape(&agent, "s").await, ["user", "assistant", "tool", "asked", "tool:skipped"]);
}

#[tokio::test]
async fn an_approval_is_good_in_another_process_on_the_same_store() {
    let world = World::new();
    let agent = world.agent();
    let approval = asked(&agent, "s").await;
    agent.approve(&approval.token).await.unwrap();
    let store = Arc::clone(agent.store());
    drop(agent);
    let restarted = world.builder(obedient()).store(store).build();
    said(restarted.settle(&approval.token).await.unwrap());
    assert_eq!(world.counters.count("pay"), 1);
}

#[tokio::test]
async fn tokens_are_unguessable_and_unknown_ones_are_refused() {
    let world = World::new();
    let agent = world.builder(obedient()).entropy(rusty_pinch_core::SystemEntropy).build();
    let (one, two) = (asked(&agent, "a").await, asked(&agent, "b").await);
    assert_ne!(one.token, two.token);
    let guessed = ApprovalToken::mint([0; 16]);
    assert!(matches!(agent.approve(&guessed).await, Err(ApprovalError::NotFound { .. })));
    assert!(matches!(agent.settle(&guessed).await, Err(TurnError::Approval(ApprovalError::NotFound { .. }))));
}

#[tokio::test]
async fn one_damaged_record_does_not_hide_the_other_approvals() {
    use rusty_pinch_core::{Change, Key, Precondition, Store};
    let world = World::new();
    let agent = world.agent();
    let approval = asked(&agent, "s").await;
    let damaged = Key::new(["approval", "pending", "ap-damaged"]);
    let change = Change::put(damaged, Precondition::None, serde_json::json!({"token": 7}));
    agent.store().commit(&[change]).await.unwrap();
    assert_eq!(agent.approvals().await.unwrap(), [approval]);
}

#[tokio::test]
async fn a_person_s_own_command_waits_for_approval_like_any_other_call() {
    let world = World::new();
    let agent = world.agent();
    let Reply::NeedsApproval(approval) = agent.turn("s", "/tool pay 5").await.unwrap() else {
        panic!("it was not asked about")
    };
    agent.approve(&approval.token).await.unwrap();
    agent.settle(&approval.token).await.unwrap();
    assert_eq!(world.counters.count("pay"), 1);
}

#[tokio::test]
async fn the_outcome_of_an_approved_call_that_is_lost_is_unknown() {
    let world = World::new();
    let agent = world.agent();
    let approval = asked(&agent, "s").await;
    agent.approve(&approval.token).await.unwrap();
    let id = rusty_pinch_core::SessionId::new("s").unwrap();
    let journal_id = rusty_pinch_core::JournalId::from(&id);
    let started = [
        Event::Decided {
            token: approval.token.clone(),
            verdict: rusty_pinch_core::Verdict::Approved,
            call: approval.call.clone(),
            content: String::new(),
        },
        Event::Started { call: approval.call.id.clone(), token: Some(approval.token.clone()) },
    ]
    .map(|event| event.at(world.clock.now()));
    use rusty_pinch_core::{Span, Store};
    let end = agent.store().read(&journal_id, Span::Last(1)).await.unwrap().end;
    agent.store().append(&journal_id, end, &started).await.unwrap();

    let reply = said(agent.settle(&approval.token).await.unwrap());
    assert!(reply.contains("unknown"), "{reply}");
    assert_eq!(world.counters.count("pay"), 0);
    let unknown = |entry: &Arc<rusty_pinch_core::Entry>| matches!(&entry.event, Event::Tool { outcome, .. } if outcome.status == OutcomeStatus::Unknown);
    assert!(journal(&agent, "s").await.iter().any(unknown));
}

#[tokio::test]
async fn an_approved_call_that_a_crash_left_open_runs_before_the_next_message() {
    use rusty_pinch_core::{Span, Store};
    let world = World::new();
    let agent = world.agent();
    let approval = asked(&agent, "s").await;
    agent.approve(&approval.token).await.unwrap();
    let journal_id = rusty_pinch_core::JournalId::from(&rusty_pinch_core::SessionId::new("s").unwrap());
    let decided = Event::Decided {
        token: approval.token.clone(),
        verdict: rusty_pinch_core::Verdict::Approved,
        call: approval.call.clone(),
        content: String::new(),
    };
    let end = agent.store().read(&journal_id, Span::Last(1)).await.unwrap().end;
    agent.store().append(&journal_id, end, &[decided.at(world.clock.now())]).await.unwrap();

    said(agent.turn("s", "and another thing").await.unwrap());
    assert_eq!(world.counters.count("pay"), 1);
    agent.settle(&approval.token).await.unwrap();
    assert_eq!(world.counters.count("pay"), 1);
}

#[tokio::test]
async fn an_approval_whose_use_can_not_be_read_any_more_is_not_used_again() {
    use rusty_pinch_core::LocalStore;
    let dir = tempfile::tempdir().unwrap();
    let world = World::new();
    let store = || Arc::new(LocalStore::open(dir.path()).unwrap());
    let agent = world.builder(obedient()).store(store()).build();
    let approval = asked(&agent, "s").await;
    agent.approve(&approval.token).await.unwrap();
    agent.settle(&approval.token).await.unwrap();
    assert_eq!(world.counters.count("pay"), 1);

    // The line that says that the verdict took effect is damaged on the disk.
    let file = dir.path().join("sessions/s.jsonl");
    let damaged = std::fs::read_to_string(&file).unwrap().replace("\"role\":\"decided\"", "\"role\":\"dec?ded\"");
    std::fs::write(&file, damaged).unwrap();
    world.builder(obedient()).store(store()).build().settle(&approval.token).await.unwrap();
    assert_eq!(world.counters.count("pay"), 1);
}

#[tokio::test]
async fn a_call_that_comes_too_late_is_not_marked_as_begun() {
    let world = World::new();
    let clock = Arc::clone(&world.clock);
    let slow = rusty_pinch_core::testing::ScriptedBrain::new(move |_| {
        clock.advance(Duration::from_secs(400));
        Ok(rusty_pinch_core::Completion::call("add", serde_json::json!({})))
    });
    let agent = world.builder(slow).build();
    assert!(matches!(agent.turn("s", "go").await, Err(TurnError::DeadlineExceeded { .. })));
    assert_eq!(shape(&agent, "s").await, ["user", "assistant"]);
    let later = world.builder(obedient()).store(Arc::clone(agent.store())).build();
    later.resume("s").await.unwrap();
    assert_eq!(world.counters.count("add"), 1);
}
