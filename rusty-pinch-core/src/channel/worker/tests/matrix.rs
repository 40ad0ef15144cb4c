//! Every fault at every effect: what the worker promises holds whatever dies, fails or is interrupted.

use super::*;
use crate::testing::{Fault, run_until_crash};
use std::collections::BTreeMap;

/// Virtual seconds that a run gets: more than all the waits for further attempts together.
const SECONDS: u64 = 12;
/// The same for runs without failures, which wait for nothing.
const SECONDS_OF_CRASHES: u64 = 2;
/// A run that needs more processes than this is stuck.
const PROCESSES_MAX: u32 = 12;

struct Run {
    world: World,
    plan: Arc<FaultPlan>,
    said: Vec<(InboundId, &'static str, &'static str)>,
}

/// Says the messages, and keeps a worker running through every crash and failure until everything rests.
async fn run(dedupes: bool, plan: Arc<FaultPlan>, messages: &[(&'static str, &'static str)], seconds: u64) -> Run {
    let world = World::new(dedupes);
    let said = messages.iter().map(|(chat, text)| (world.peer.say(chat, text).unwrap(), *chat, *text)).collect();
    let operator = async {
        for _ in 0..PROCESSES_MAX {
            let worker = world.worker(&plan);
            if let Some(Ok(())) = run_until_crash(&plan, worker.run()).await {
                return;
            }
            // The connection of the dead process is gone, so its peer begins again.
            world.peer.redeliver();
        }
        panic!("it does not come to rest: {:#?}", plan.trace());
    };
    let outside = async {
        for _ in 0..seconds {
            world.step().await;
            world.peer.redeliver();
        }
        world.peer.close();
        for _ in 0..seconds {
            world.step().await;
        }
        panic!("a closed channel ends its worker: {:#?}", plan.trace());
    };
    tokio::select! {
        biased;
        () = operator => {}
        () = outside => {}
    }
    Run { world, plan, said }
}

impl Run {
    async fn check(self, dedupes: bool, may_fail: bool) {
        let Self { world, plan, said } = self;
        let trace = plan.trace();
        let marks = world.marks.lock().unwrap().clone();
        for (_, chat, text) in &said {
            let turns = world.messages(&format!("loop:{chat}")).await;
            let count = turns.iter().filter(|found| found == text).count();
            assert_eq!(count, 1, "{text:?} is one turn: {turns:?} {trace:#?}");
            let effects = marks.iter().filter(|mark| mark == text).count();
            assert!(effects <= 1, "{text:?} has its effect at most once: {marks:?} {trace:#?}");
        }
        let mut heard: BTreeMap<usize, Vec<Outbound>> = BTreeMap::new();
        let mut last: BTreeMap<String, usize> = BTreeMap::new();
        for outbound in world.peer.heard() {
            let message = index_of(&said, &outbound);
            let before = last.insert(outbound.chat.clone(), message);
            assert!(before.is_none_or(|before| before <= message), "a chat's answers keep their order: {trace:#?}");
            heard.entry(message).or_default().push(outbound);
        }
        let parked = world.parked().await;
        for (index, (_, _, text)) in said.iter().enumerate() {
            let arrived = heard.get(&index).map_or(&[][..], Vec::as_slice);
            let is_shown =
                |parked: &Parked| matches!(&parked.what, ParkedItem::Unknown(o) if index_of(&said, o) == index);
            let shown = parked.iter().filter(|parked| is_shown(parked)).count();
            if dedupes {
                assert_eq!((arrived.len(), shown), (1, 0), "the answer to {text:?} arrives once: {trace:#?}");
            } else {
                assert!(arrived.len() <= 1, "the answer to {text:?} arrives at most once: {arrived:?} {trace:#?}");
                assert!(arrived.len() + shown >= 1, "the answer to {text:?} arrives or is shown: {trace:#?}");
            }
            for outbound in arrived {
                let is_expected = outbound.text.starts_with("said: ") || outbound.text.starts_with("did: ");
                let is_apology = outbound.text.starts_with("This message could not be answered (request rp-");
                assert!(is_expected || (may_fail && is_apology), "{outbound:?} {trace:#?}");
            }
        }
        assert!(parked.iter().all(|p| matches!(p.what, ParkedItem::Unknown(_))), "{parked:?} {trace:#?}");
        assert_eq!(world.peer.unacknowledged(), 0, "{trace:#?}");
        assert_eq!((world.rows("inbox").await, world.rows("outbox").await), (0, 0), "{trace:#?}");
        assert!(plan.is_spent(), "{trace:#?}");
    }
}

fn index_of(said: &[(InboundId, &str, &str)], outbound: &Outbound) -> usize {
    let id = outbound.key.rsplit('/').next().unwrap();
    said.iter().position(|(InboundId(found), ..)| found == id).unwrap()
}

const MESSAGES: [(&str, &str); 4] = [("a", "mark one"), ("b", "two"), ("a", "mark three"), ("a", "four")];

async fn count(dedupes: bool, messages: &[(&'static str, &'static str)]) -> u64 {
    let calm = run(dedupes, FaultPlan::none(), messages, SECONDS).await;
    let count = calm.plan.count();
    calm.check(dedupes, false).await;
    count
}

#[tokio::test(start_paused = true)]
async fn every_fault_at_every_effect_keeps_the_promises() {
    for dedupes in [true, false] {
        let count = count(dedupes, &MESSAGES).await;
        assert!(count > 30, "the workload has many effects: {count}");
        for effect in 1..=count {
            for fault in Fault::ALL {
                let run = run(dedupes, FaultPlan::at(effect, fault), &MESSAGES, SECONDS).await;
                run.check(dedupes, !fault.is_crash()).await;
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn two_deaths_anywhere_keep_the_promises() {
    let message = &MESSAGES[..1];
    for dedupes in [true, false] {
        let count = count(dedupes, message).await;
        for first in 1..=count {
            // Effects are counted on through the first death, and the second may hit what follows it. Dying before an
            // effect leaves what dying after the one before it leaves, so that pairs need one kind of death.
            for second in first + 1..=first + count {
                let plan = FaultPlan::new([(first, Fault::CrashAfter), (second, Fault::CrashAfter)]);
                let run = run(dedupes, plan, message, SECONDS_OF_CRASHES).await;
                if run.plan.is_spent() {
                    run.check(dedupes, false).await;
                }
            }
        }
    }
}
