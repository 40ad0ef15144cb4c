//! The contract of [`Pulse`].

use std::sync::Arc;

use crate::data::{ApprovalToken, Timestamp};
use crate::pulse::{AccountCheck, Action, Plan, Pulse, QueuedTask, Situation, WaitingApproval};
use crate::store::Revision;
use crate::sys::Entropy;
use crate::testing::SeededEntropy;

/// How many situations the pulse is shown.
const SITUATIONS: u64 = 500;
/// Approvals and verdicts of one situation, at most.
const ITEMS_MAX: u64 = 12;

/// Runs every clause of the contract of [`Pulse`] over situations of all sizes, empty ones and large ones.
///
/// ```
/// # use rusty_pinch_core::{OodaPulse, testing::conformance};
/// conformance::pulse(OodaPulse);
/// ```
///
/// # Panics
/// When a clause does not hold.
pub fn pulse(pulse: impl Pulse) {
    let pulse = Arc::new(pulse);
    for seed in 0..SITUATIONS {
        let (situation, now) = situation(seed);
        let plan = pulse.decide(&situation, now);
        assert_eq!(plan, pulse.decide(&situation, now), "the same situation gives the same plan (seed {seed})");
        let forwarded: &dyn Pulse = &Arc::clone(&pulse);
        assert_eq!(plan, forwarded.decide(&situation, now), "an Arc decides as what it holds (seed {seed})");
        check(&situation, now, &plan, seed);
    }
}

fn check(situation: &Situation, now: Timestamp, plan: &Plan, seed: u64) {
    for (index, action) in plan.actions.iter().enumerate() {
        let earlier = plan.actions.get(..index).unwrap_or_default();
        assert!(!earlier.contains(action), "no action is planned twice (seed {seed}): {action:?}");
        match action {
            Action::Settle { token } => {
                assert!(situation.verdicts.contains(token), "only a given verdict is settled (seed {seed}): {token}");
            }
            Action::Expire { token, revision } => {
                let seen = situation.waiting.iter().find(|waiting| waiting.token == *token);
                let seen = seen.unwrap_or_else(|| panic!("only what waits is ended (seed {seed}): {token}"));
                assert_eq!(*revision, seen.revision, "an action carries the revision that was seen (seed {seed})");
                assert!(seen.expires <= now, "nothing is ended before its time (seed {seed}): {token}");
            }
            Action::CheckHealth { account } => {
                let seen = situation.checks.iter().find(|check| check.account == *account);
                let seen = seen.unwrap_or_else(|| panic!("only what is there is looked at (seed {seed}): {account}"));
                assert!(seen.due <= now, "nothing is looked at before its time (seed {seed}): {account}");
            }
            Action::DrainTask { task, revision } => {
                let seen = situation.task.as_ref().map(|seen| (seen.id, seen.revision));
                assert_eq!(Some((*task, *revision)), seen, "only the next task is asked for (seed {seed})");
            }
        }
    }
    if let (Some(wake_at), true) = (plan.wake_at, plan.actions.is_empty()) {
        assert!(wake_at > now, "without anything to do, the next look lies ahead (seed {seed})");
    }
}

/// The situation with this number: approvals that ended, end now and end later, and verdicts.
fn situation(seed: u64) -> (Situation, Timestamp) {
    let dice = SeededEntropy::new(seed);
    let now = Timestamp::from_millis(1_767_225_600_000);
    let mut situation = Situation::default();
    for _ in 0..dice.next_u64() % (ITEMS_MAX + 1) {
        let expires = Timestamp::from_nanos(now.as_nanos() + i64::try_from(dice.next_u64() % 5).unwrap() - 2);
        let revision = Revision::new(dice.next_u64() % 1_000);
        situation.waiting.push(WaitingApproval::new(token(&dice), expires, revision));
    }
    for _ in 0..dice.next_u64() % (ITEMS_MAX + 1) {
        situation.verdicts.push(token(&dice));
    }
    let near =
        |dice: &SeededEntropy| Timestamp::from_nanos(now.as_nanos() + i64::try_from(dice.next_u64() % 5).unwrap() - 2);
    for number in 0..dice.next_u64() % (ITEMS_MAX + 1) {
        situation.checks.push(AccountCheck::new(format!("account {number}"), near(&dice)));
    }
    match dice.next_u64() % 3 {
        0 => situation.task = Some(QueuedTask::new(dice.next_u64() % 100, Revision::new(dice.next_u64() % 1_000))),
        1 => situation.task_at = Some(near(&dice)),
        _ => {}
    }
    (situation, now)
}

fn token(dice: &SeededEntropy) -> ApprovalToken {
    let mut random = [0; 16];
    dice.fill(&mut random);
    ApprovalToken::mint(random)
}
