//! The first pulse: verdicts are carried out, and approvals end in time.

use super::{Action, Plan, Pulse, Situation};
use crate::data::Timestamp;

/// Settles what has a verdict, ends what nobody decided in time, and wakes when the next approval ends.
#[derive(Clone, Copy, Debug, Default)]
pub struct ApprovalPulse;

impl Pulse for ApprovalPulse {
    fn decide(&self, situation: &Situation, now: Timestamp) -> Plan {
        let settle = situation.verdicts.iter().map(|token| Action::Settle { token: token.clone() });
        let (over, running): (Vec<_>, Vec<_>) = situation.waiting.iter().partition(|waiting| waiting.expires <= now);
        let expire =
            over.iter().map(|waiting| Action::Expire { token: waiting.token.clone(), revision: waiting.revision });
        Plan {
            // Ending an approval costs one commit and a verdict may cost a whole turn, so the short ones come first.
            actions: expire.chain(settle).collect(),
            wake_at: running.iter().map(|waiting| waiting.expires).min(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::ApprovalToken;
    use crate::pulse::WaitingApproval;
    use crate::store::Revision;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn waiting(n: u8, expires: i64) -> WaitingApproval {
        WaitingApproval::new(ApprovalToken::mint([n; 16]), at(expires), Revision::new(n.into()))
    }

    #[test]
    fn it_keeps_the_contract() {
        crate::testing::conformance::pulse(ApprovalPulse);
    }

    #[test]
    fn nothing_to_decide_means_nothing_to_do_and_no_reason_to_wake() {
        assert_eq!(ApprovalPulse.decide(&Situation::default(), at(0)), Plan::default());
    }

    #[test]
    fn approvals_end_at_their_instant_and_the_next_end_is_when_to_wake() {
        let situation = Situation { waiting: vec![waiting(1, 30), waiting(2, 10), waiting(3, 20)], verdicts: vec![] };
        let expire = |n: u8| Action::Expire { token: ApprovalToken::mint([n; 16]), revision: Revision::new(n.into()) };
        for (now, actions, wake_at) in [
            (9, vec![], Some(at(10))),
            (10, vec![expire(2)], Some(at(20))),
            (29, vec![expire(2), expire(3)], Some(at(30))),
            (30, vec![expire(1), expire(2), expire(3)], None),
        ] {
            assert_eq!(ApprovalPulse.decide(&situation, at(now)), Plan { actions, wake_at }, "at {now}");
        }
    }

    #[test]
    fn verdicts_are_carried_out_at_once() {
        let token = ApprovalToken::mint([7; 16]);
        let situation = Situation { waiting: vec![waiting(1, 10)], verdicts: vec![token.clone()] };
        let plan = ApprovalPulse.decide(&situation, at(0));
        assert_eq!(plan, Plan { actions: vec![Action::Settle { token }], wake_at: Some(at(10)) });
    }
}
