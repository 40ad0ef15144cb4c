use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::*;
use crate::brain::{BrainError, Completion};
use crate::data::Message;
use crate::hands::{Risk, Tool, Toolbox};
use crate::pulse::OodaPulse;
use crate::store::MemoryStore;
use crate::sys::Clock;
use crate::testing::{Fault, FaultPlan, FaultyBrain, FaultyStore, ScriptedBrain, VirtualClock, run_until_crash};

/// An agent whose brain asks for the tool `pay`, which waits for an approval, and then repeats the tool's result.
struct Till {
    disk: MemoryStore,
    clock: Arc<VirtualClock>,
    payments: Arc<AtomicU32>,
}

fn script(messages: &[Message]) -> Result<Completion, BrainError> {
    Ok(match messages.last() {
        Some(Message::Tool { content, .. }) => Completion::text(format!("done: {content}")),
        Some(Message::User { content }) if content.starts_with("pay") => {
            Completion::call("pay", serde_json::json!({"what": content}))
        }
        _ => Completion::text("fine"),
    })
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Pay {
    what: String,
}

impl Till {
    fn new() -> Self {
        Self { disk: MemoryStore::new(), clock: Arc::default(), payments: Arc::default() }
    }

    fn agent(&self, plan: &Arc<FaultPlan>) -> Agent {
        let brain = FaultyBrain::new(ScriptedBrain::new(|request| script(&request.messages)), plan);
        let payments = Arc::clone(&self.payments);
        let pay = Tool::new("pay", "Pays").once().risk(Risk::High).run(move |pay: Pay| {
            payments.fetch_add(1, Ordering::SeqCst);
            async move { Ok(pay.what) }
        });
        Agent::builder(brain)
            .store(FaultyStore::new(self.disk.clone(), plan))
            .clock(Arc::clone(&self.clock))
            .hands(Toolbox::new().tool(pay))
            .build()
    }

    fn runner(&self) -> PulseRunner {
        PulseRunner::new(self.agent(&FaultPlan::none()), OodaPulse)
    }

    async fn ask(&self, session: &str) -> Approval {
        match self.agent(&FaultPlan::none()).turn(session, "pay the rent").await.unwrap() {
            Reply::NeedsApproval(approval) => *approval,
            other => panic!("{other:?}"),
        }
    }

    fn paid(&self) -> u32 {
        self.payments.load(Ordering::SeqCst)
    }
}

#[tokio::test]
async fn a_verdict_is_carried_out_once_and_its_reply_is_told() {
    let till = Till::new();
    let (yes, no) = (till.ask("a").await, till.ask("b").await);
    let agent = till.agent(&FaultPlan::none());
    agent.approve(&yes.token).await.unwrap();
    agent.reject(&no.token, "too dear").await.unwrap();

    let report = till.runner().tick().await.unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
    let mut replies: Vec<_> = report.done.iter().map(|done| done.reply.clone().unwrap().to_string()).collect();
    replies.sort();
    assert!(replies[0].contains("too dear") && replies[1] == "done: pay the rent", "{replies:?}");
    assert_eq!(till.paid(), 1);

    let report = till.runner().tick().await.unwrap();
    assert!(report.done.is_empty() && report.failed.is_empty() && report.wake_at.is_none(), "{report:?}");
}

#[tokio::test]
async fn an_approval_ends_in_time_and_never_before() {
    let till = Till::new();
    let approval = till.ask("a").await;
    let report = till.runner().tick().await.unwrap();
    assert_eq!((report.done.len(), report.wake_at), (0, Some(approval.expires)));

    till.clock.set(approval.expires);
    let report = till.runner().tick().await.unwrap();
    assert!(
        matches!(&report.done[..], [ActionDone { action: Action::Expire { token, .. }, reply: None, .. }] if *token == approval.token)
    );
    assert!(till.agent(&FaultPlan::none()).approve(&approval.token).await.is_err());
    assert_eq!(till.paid(), 0);
    assert!(till.runner().tick().await.unwrap().done.is_empty());
}

#[tokio::test]
async fn an_approval_that_was_given_in_between_is_not_ended() {
    let till = Till::new();
    let approval = till.ask("a").await;
    let agent = till.agent(&FaultPlan::none());
    let seen = agent.approvals_waiting().await.unwrap();
    agent.approve(&approval.token).await.unwrap();
    till.clock.set(approval.expires);
    let runner = till.runner();
    runner.expire(&seen, &approval.token, seen[0].1).await.unwrap();
    // The verdict stands; that its time is over is for the turn to say.
    assert_eq!(agent.approvals_to_settle().await.unwrap(), [approval.token]);
}

#[tokio::test]
async fn an_action_that_fails_does_not_stop_the_others_and_is_tried_again() {
    let till = Till::new();
    let (first, second) = (till.ask("a").await, till.ask("b").await);
    let agent = till.agent(&FaultPlan::none());
    agent.approve(&first.token).await.unwrap();
    agent.approve(&second.token).await.unwrap();
    // The settling turns ask the brain once each; the first request fails.
    let plan = FaultPlan::at(number_of_first("complete").await, Fault::FailBefore);
    let report = PulseRunner::new(till.agent(&plan), OodaPulse).tick().await.unwrap();
    assert_eq!((report.done.len(), report.failed.len()), (1, 1), "{:?}", plan.trace());
    assert!(matches!(report.failed[0].1, PulseError::Turn(TurnError::Brain(_))));
    let report = till.runner().tick().await.unwrap();
    assert_eq!((report.done.len(), report.failed.len(), till.paid()), (1, 0, 2), "{report:?}");
}

/// Which effect of a tick over two given approvals is the first with this name.
async fn number_of_first(effect: &str) -> u64 {
    let (till, plan) = (Till::new(), FaultPlan::none());
    for session in ["a", "b"] {
        let approval = till.ask(session).await;
        till.agent(&FaultPlan::none()).approve(&approval.token).await.unwrap();
    }
    let _ = PulseRunner::new(till.agent(&plan), OodaPulse).tick().await.unwrap();
    plan.trace().iter().position(|name| name == effect).unwrap() as u64 + 1
}

#[tokio::test]
async fn two_runners_at_once_do_each_thing_once() {
    let till = Till::new();
    for session in ["a", "b", "c"] {
        let approval = till.ask(session).await;
        till.agent(&FaultPlan::none()).approve(&approval.token).await.unwrap();
    }
    let ended = till.ask("d").await;
    // Those that have a verdict are carried out before their time is over.
    till.clock.advance(Duration::from_secs(1));
    let (one, two) = (till.runner(), till.runner());
    let (one, two) = tokio::join!(one.tick(), two.tick());
    assert!(one.unwrap().failed.is_empty() && two.unwrap().failed.is_empty());
    assert_eq!(till.paid(), 3);

    till.clock.set(ended.expires);
    let (one, two) = (till.runner(), till.runner());
    let (one, two) = tokio::join!(one.tick(), two.tick());
    assert!(one.unwrap().failed.is_empty() && two.unwrap().failed.is_empty());
    assert_eq!(till.paid(), 3);
    assert!(till.agent(&FaultPlan::none()).approvals_waiting().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_tick_that_dies_anywhere_is_finished_by_the_next() {
    let mut effect = 0;
    loop {
        effect += 1;
        let mut is_over = false;
        for fault in [Fault::CrashBefore, Fault::CrashAfter] {
            let till = Till::new();
            let (yes, late) = (till.ask("a").await, till.ask("b").await);
            till.agent(&FaultPlan::none()).approve(&yes.token).await.unwrap();
            till.clock.set(late.expires - Duration::from_secs(1));
            let plan = FaultPlan::at(effect, fault);
            let tick = async { PulseRunner::new(till.agent(&plan), OodaPulse).tick().await.map(drop) };
            is_over = run_until_crash(&plan, tick).await.is_some();
            let _ = till.runner().tick().await.unwrap();
            assert!(till.paid() <= 1, "{:?}", plan.trace());
            assert!(till.agent(&plan).approvals_to_settle().await.unwrap().is_empty(), "{:?}", plan.trace());
        }
        if is_over {
            assert!(effect > 5, "a tick has several effects");
            return;
        }
    }
}

/// A pulse that breaks its contract.
#[derive(Debug)]
struct Hasty;

impl Pulse for Hasty {
    fn decide(&self, situation: &Situation, _: Timestamp) -> Plan {
        let expire =
            |waiting: &WaitingApproval| Action::Expire { token: waiting.token.clone(), revision: waiting.revision };
        let invented = Action::Expire { token: ApprovalToken::mint([9; 16]), revision: Revision::new(1) };
        Plan { actions: situation.waiting.iter().map(expire).chain([invented]).collect(), wake_at: None }
    }
}

#[tokio::test]
async fn what_the_situation_does_not_allow_is_refused() {
    let till = Till::new();
    let approval = till.ask("a").await;
    let report = PulseRunner::new(till.agent(&FaultPlan::none()), Arc::new(Hasty)).tick().await.unwrap();
    assert_eq!((report.done.len(), report.failed.len()), (0, 2), "{report:?}");
    assert!(report.failed.iter().all(|(_, error)| matches!(error, PulseError::Unfounded { .. })));
    assert!(till.clock.now() < approval.expires);
    till.agent(&FaultPlan::none()).approve(&approval.token).await.unwrap();
}
