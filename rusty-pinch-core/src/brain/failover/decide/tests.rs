use proptest::prelude::*;

use super::*;

fn now() -> Timestamp {
    Timestamp::from_millis(1_000_000)
}

fn limited(after_s: u64) -> BrainError {
    BrainError::RateLimited { brain: "b".into(), retry_at: Some(now() + Duration::from_secs(after_s)) }
}

fn overloaded() -> BrainError {
    BrainError::Overloaded { brain: "b".into(), detail: "503".into(), retry_at: None }
}

fn rejected() -> BrainError {
    BrainError::Rejected { brain: "b".into(), detail: "400".into() }
}

fn too_long() -> BrainError {
    BrainError::ContextTooLong { brain: "b".into(), detail: "413".into() }
}

fn fresh() -> Attempted {
    Attempted { context_tokens: 100, standing: Standing::Unknown, last_error: None, asked: 0, failure: None }
}

fn failed(asked: u32, error: BrainError) -> Attempted {
    Attempted { standing: Standing::Well, asked, failure: Some(error), ..fresh() }
}

fn open(after_s: u64, is_told_off: bool) -> Attempted {
    Attempted {
        standing: Standing::Open { until: now() + Duration::from_secs(after_s), is_told_off, is_probed: false },
        ..fresh()
    }
}

fn situation(members: &[Attempted], last: Option<usize>) -> Situation<'_> {
    Situation {
        members,
        last,
        policy: RetryPolicy::default(),
        may_retry: true,
        lane: Lane::Interactive,
        waits: 0,
        now: now(),
        deadline: now() + Duration::from_secs(300),
    }
}

#[track_caller]
fn check(members: &[Attempted], last: Option<usize>, expected: Step) {
    assert_eq!(decide(&situation(members, last), 0), expected, "{members:?}");
}

#[test]
fn asks_in_order_and_passes_over_who_is_down() {
    check(&[fresh(), fresh()], None, Step::First(0));
    check(&[open(5, false), fresh()], None, Step::First(1));
    check(&[failed(1, rejected()), fresh()], Some(0), Step::First(1));
    check(&[failed(1, rejected()), open(5, true), fresh()], Some(0), Step::First(2));
    check(&[failed(1, rejected()), failed(1, rejected())], Some(1), Step::GiveUp);
}

#[test]
fn what_may_pass_is_tried_again_here_until_the_policy_ends_it() {
    check(&[failed(1, overloaded()), fresh()], Some(0), Step::Again(0, now()));
    check(&[failed(3, overloaded()), fresh()], Some(0), Step::First(1));
    let members = [failed(1, overloaded()), fresh()];
    assert_eq!(decide(&Situation { may_retry: false, ..situation(&members, Some(0)) }, 0), Step::First(1));
    let probe = Attempted { standing: Standing::Probe, ..failed(1, overloaded()) };
    check(&[probe, fresh()], Some(0), Step::First(1));
}

#[test]
fn a_provider_that_asks_for_a_pause_is_left_for_the_next_one_and_come_back_to() {
    let then = |seconds| now() + Duration::from_secs(seconds);
    check(&[failed(1, limited(2)), fresh()], Some(0), Step::First(1));
    check(&[failed(1, limited(90)), failed(1, rejected())], Some(1), Step::Again(0, then(90)));
    check(&[failed(1, limited(90)), failed(1, limited(30))], Some(1), Step::Again(1, then(30)));
    check(&[failed(1, limited(300)), failed(1, rejected())], Some(1), Step::GiveUp);
}

#[test]
fn a_prompt_that_was_too_long_goes_only_where_there_is_more_room() {
    let larger = || Attempted { context_tokens: 101, ..fresh() };
    check(&[failed(1, too_long()), fresh(), larger()], Some(0), Step::First(2));
    check(&[failed(1, too_long()), fresh()], Some(0), Step::GiveUp);
}

#[test]
fn when_the_time_of_the_request_is_over_nobody_else_is_asked() {
    let over = BrainError::DeadlineExceeded { brain: "b".into() };
    check(&[failed(1, over), fresh()], Some(0), Step::GiveUp);
    let members = [failed(1, rejected()), fresh()];
    assert_eq!(decide(&Situation { deadline: now(), ..situation(&members, Some(0)) }, 0), Step::GiveUp);
}

#[test]
fn when_all_are_down_a_person_gets_one_try_and_a_providers_word_is_kept_to() {
    let members = [open(50, false), open(9, false), open(1, true)];
    check(&members, None, Step::LastResort(1));
    let background = Situation { lane: Lane::Background, ..situation(&members, None) };
    assert_eq!(decide(&background, 0), Step::Wait(now() + Duration::from_secs(1)));
    assert_eq!(decide(&Situation { waits: WAITS_MAX, ..background }, 0), Step::GiveUp);
    check(&[open(30, true), open(40, true)], None, Step::Wait(now() + Duration::from_secs(30)));
    check(&[open(61, true)], None, Step::GiveUp);
    let mut probed = open(40, false);
    let until = now() + Duration::from_secs(40);
    probed.standing = Standing::Open { until, is_told_off: false, is_probed: true };
    let members = [probed, open(3, true)];
    check(&members, None, Step::Wait(until));
    let members = [open(9, false), open(3, true)];
    assert_eq!(decide(&Situation { waits: 1, ..situation(&members, None) }, 0), Step::GiveUp, "the news is fresh");
    let tried = Attempted { standing: Standing::LastResort, ..failed(1, overloaded()) };
    check(&[tried, open(9, false)], Some(0), Step::GiveUp);
}

#[test]
fn an_attempt_leaves_time_for_the_others_and_the_last_one_has_it_all() {
    let deadline = |members: &[Attempted], seconds| {
        let situation = Situation { deadline: now() + Duration::from_secs(seconds), ..situation(members, None) };
        attempt_deadline(&situation, 0).since(now()).as_secs()
    };
    assert_eq!(deadline(&[fresh()], 300), 300);
    assert_eq!(deadline(&[fresh(), fresh()], 300), 270);
    assert_eq!(deadline(&[fresh(), fresh(), fresh()], 300), 240);
    assert_eq!(deadline(&[fresh(), fresh()], 20), 10);
    assert_eq!(deadline(&[fresh(), open(5, false)], 300), 300);
}

fn any_member() -> impl Strategy<Value = Attempted> {
    let standing = prop_oneof![
        Just(Standing::Unknown),
        Just(Standing::Well),
        Just(Standing::Probe),
        Just(Standing::LastResort),
        (0_u64..100, any::<bool>()).prop_map(|(after, is_told_off)| {
            Standing::Open { until: now() + Duration::from_secs(after), is_told_off, is_probed: after % 2 == 0 }
        }),
    ];
    let failure =
        prop_oneof![Just(None::<u8>), Just(Some(0)), Just(Some(1)), Just(Some(2)), Just(Some(3)), Just(Some(4)),];
    (standing, 0_u32..5, failure, 1_usize..4).prop_map(|(standing, asked, failure, context_tokens)| {
        let error = failure.map(|kind| match kind {
            0 => overloaded(),
            1 => limited(5),
            2 => rejected(),
            3 => too_long(),
            _ => BrainError::DeadlineExceeded { brain: "b".into() },
        });
        let asked = if error.is_some() { asked.max(1) } else { 0 };
        Attempted { context_tokens, standing, last_error: None, asked, failure: error }
    })
}

proptest! {
    #[test]
    fn whoever_is_asked_may_be_asked(
        members in prop::collection::vec(any_member(), 1..6),
        last in 0_usize..6,
        may_retry in any::<bool>(),
        background in any::<bool>(),
        randomness in any::<u64>(),
    ) {
        let last = Some(last).filter(|last| members.get(*last).is_some_and(|member| member.asked > 0));
        let lane = if background { Lane::Background } else { Lane::Interactive };
        let situation = Situation { may_retry, lane, ..situation(&members, last) };
        match decide(&situation, randomness) {
            Step::First(index) => {
                prop_assert_eq!(members[index].asked, 0);
                let is_open = matches!(members[index].standing, Standing::Open { .. });
                prop_assert!(!is_open);
            }
            Step::Again(index, at) => {
                let error = members[index].failure.as_ref().unwrap();
                prop_assert!(may_retry && error.class() == ErrorClass::RetryHere);
                prop_assert!(members[index].asked < situation.policy.attempts_max);
                prop_assert!(at >= error.retry_at().unwrap_or(now()), "the provider's word is kept to");
                prop_assert!(at < situation.deadline);
            }
            Step::LastResort(index) => {
                let by_us = matches!(members[index].standing, Standing::Open { is_told_off: false, is_probed: false, .. });
                prop_assert!(by_us && !background);
                prop_assert!(members.iter().all(|member| member.asked == 0));
            }
            Step::Wait(until) => {
                prop_assert!(until < situation.deadline);
                prop_assert!(members.iter().all(|member| member.asked == 0));
            }
            Step::GiveUp => {
                let never = last.is_some_and(|last| {
                    members[last].failure.as_ref().is_some_and(|error| error.class() == ErrorClass::Never)
                });
                let none_left = situation.fresh().next().is_none();
                prop_assert!(never || none_left, "nobody is left out");
            }
        }
    }
}
