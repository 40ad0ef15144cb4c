//! The usual pulse: what has a time is done at its time, what has a verdict is carried out, and work that can wait is
//! done one piece at a time.

use super::{Action, Plan, Pulse, Situation};
use crate::data::Timestamp;

/// Ends what nobody decided in time, looks at the accounts that are due, settles what has a verdict, and asks for one
/// task that waits. It wakes when the next of these is due, and with nothing to do it does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct OodaPulse;

impl Pulse for OodaPulse {
    fn decide(&self, situation: &Situation, now: Timestamp) -> Plan {
        let (over, running): (Vec<_>, Vec<_>) = situation.waiting.iter().partition(|waiting| waiting.expires <= now);
        let expire =
            over.iter().map(|waiting| Action::Expire { token: waiting.token.clone(), revision: waiting.revision });
        let (due, later): (Vec<_>, Vec<_>) = situation.checks.iter().partition(|check| check.due <= now);
        let check = due.iter().map(|check| Action::CheckHealth { account: check.account.clone() });
        let settle = situation.verdicts.iter().map(|token| Action::Settle { token: token.clone() });
        let task = situation.task.as_ref();
        let drain = task.map(|task| Action::DrainTask { task: task.id, revision: task.revision });
        // After one task there may be another.
        let next_task = task.map(|_| now).or(situation.task_at.filter(|at| now < *at));
        let ends = running.iter().map(|waiting| waiting.expires);
        Plan {
            // Ending an approval costs one commit and a verdict may cost a whole turn, so the short ones come first; and
            // nobody waits for a task.
            actions: expire.chain(check).chain(settle).chain(drain).collect(),
            wake_at: ends.chain(later.iter().map(|check| check.due)).chain(next_task).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ApprovalToken;
    use crate::pulse::{AccountCheck, QueuedTask, WaitingApproval};
    use crate::store::Revision;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn waiting(n: u8, expires: i64) -> WaitingApproval {
        WaitingApproval::new(ApprovalToken::mint([n; 16]), at(expires), Revision::new(n.into()))
    }

    #[test]
    fn it_keeps_the_contract() {
        crate::testing::conformance::pulse(OodaPulse);
    }

    #[test]
    fn nothing_to_decide_means_nothing_to_do_and_no_reason_to_wake() {
        assert_eq!(OodaPulse.decide(&Situation::default(), at(0)), Plan::default());
    }

    #[test]
    fn approvals_end_at_their_instant_and_the_next_end_is_when_to_wake() {
        let situation =
            Situation { waiting: vec![waiting(1, 30), waiting(2, 10), waiting(3, 20)], ..Situation::default() };
        let expire = |n: u8| Action::Expire { token: ApprovalToken::mint([n; 16]), revision: Revision::new(n.into()) };
        for (now, actions, wake_at) in [
            (9, vec![], Some(at(10))),
            (10, vec![expire(2)], Some(at(20))),
            (29, vec![expire(2), expire(3)], Some(at(30))),
            (30, vec![expire(1), expire(2), expire(3)], None),
        ] {
            assert_eq!(OodaPulse.decide(&situation, at(now)), Plan { actions, wake_at }, "at {now}");
        }
    }

    #[test]
    fn verdicts_are_carried_out_at_once() {
        let token = ApprovalToken::mint([7; 16]);
        let situation =
            Situation { waiting: vec![waiting(1, 10)], verdicts: vec![token.clone()], ..Situation::default() };
        let plan = OodaPulse.decide(&situation, at(0));
        assert_eq!(plan, Plan { actions: vec![Action::Settle { token }], wake_at: Some(at(10)) });
    }

    #[test]
    fn one_task_is_asked_for_and_the_next_look_follows_at_once() {
        let task = QueuedTask::new(4, Revision::new(9));
        let situation = Situation { task: Some(task), task_at: None, ..Situation::default() };
        let drain = Action::DrainTask { task: 4, revision: Revision::new(9) };
        assert_eq!(OodaPulse.decide(&situation, at(7)), Plan { actions: vec![drain], wake_at: Some(at(7)) });
        let later = Situation { task_at: Some(at(50)), ..Situation::default() };
        assert_eq!(OodaPulse.decide(&later, at(7)), Plan { actions: vec![], wake_at: Some(at(50)) });
        assert_eq!(OodaPulse.decide(&later, at(50)), Plan::default());
    }

    #[test]
    fn accounts_are_looked_at_when_they_are_due_and_before_the_tasks() {
        let situation = Situation {
            checks: vec![AccountCheck::new("a", at(10)), AccountCheck::new("b", at(30))],
            task: Some(QueuedTask::new(1, Revision::new(1))),
            ..Situation::default()
        };
        let check = |account: &str| Action::CheckHealth { account: account.to_owned() };
        let actions = |now| OodaPulse.decide(&situation, at(now)).actions;
        assert_eq!(actions(9).len(), 1);
        assert_eq!(actions(10)[..1], [check("a")]);
        assert_eq!(actions(30)[..2], [check("a"), check("b")]);
        let idle = Situation { task: None, ..situation.clone() };
        assert_eq!(OodaPulse.decide(&idle, at(10)).wake_at, Some(at(30)));
    }
}
