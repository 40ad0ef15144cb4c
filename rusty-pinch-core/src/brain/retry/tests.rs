use proptest::prelude::*;

use super::*;

pub(in crate::brain) const DEADLINE: Duration = Duration::from_secs(60);

pub(in crate::brain) fn start() -> Timestamp {
    Timestamp::from_millis(1_000_000)
}

pub(in crate::brain) fn limited(after: Option<Duration>) -> BrainError {
    BrainError::RateLimited { brain: "b".into(), retry_at: after.map(|after| start() + after) }
}

pub(in crate::brain) fn overloaded() -> BrainError {
    BrainError::Overloaded { brain: "b".into(), detail: "503".into(), retry_at: None }
}

pub(in crate::brain) fn rejected() -> BrainError {
    BrainError::Rejected { brain: "b".into(), detail: "400".into() }
}

#[test]
fn the_pause_grows_up_to_its_bound_and_spreads_over_all_of_it() {
    let policy = RetryPolicy::default();
    let (now, far) = (start(), start() + Duration::from_secs(3600));
    let wait = |attempt, randomness| {
        let policy = RetryPolicy { attempts_max: 9, ..policy };
        policy.next(attempt, &overloaded(), now, far, randomness).unwrap().since(now).as_millis()
    };
    assert_eq!([1, 2, 3, 4, 8].map(|attempt| wait(attempt, u64::MAX)), [600, 1200, 2400, 4000, 4000]);
    assert_eq!([1, 2, 3].map(|attempt| wait(attempt, 0)), [0, 0, 0]);
    assert_eq!(wait(1, u64::MAX / 2), 300);
}

fn any_error() -> impl Strategy<Value = BrainError> {
    prop_oneof![
        (0_u64..200_000).prop_map(|ms| limited(Some(Duration::from_millis(ms)))),
        Just(()).prop_map(|()| limited(None)),
        Just(()).prop_map(|()| overloaded()),
        Just(()).prop_map(|()| rejected()),
        Just(()).prop_map(|()| BrainError::DeadlineExceeded { brain: "b".into() }),
    ]
}

proptest! {
    #[test]
    fn a_next_attempt_keeps_every_promise(
        attempts_max in 0_u32..200,
        attempt in 1_u32..200,
        backoff_ms in 0_u64..100_000,
        backoff_max_ms in 0_u64..100_000,
        error in any_error(),
        passed_ms in 0_u64..120_000,
        randomness in any::<u64>(),
    ) {
        let backoff = Duration::from_millis(backoff_ms);
        let backoff_max = Duration::from_millis(backoff_max_ms);
        let policy = RetryPolicy { attempts_max, backoff, backoff_max };
        let (now, deadline) = (start() + Duration::from_millis(passed_ms), start() + DEADLINE);
        let next = policy.next(attempt, &error, now, deadline, randomness);
        let earliest = error.retry_at().map_or(now, |at| at.max(now));
        let expected = error.class() == ErrorClass::RetryHere
            && attempt < attempts_max.min(ATTEMPTS_MAX)
            && earliest < deadline;
        prop_assert_eq!(next.is_some(), expected);
        if let Some(at) = next {
            prop_assert!(at >= now, "not in the past");
            prop_assert!(at >= earliest, "never before the server allows it");
            prop_assert!(at < deadline, "not when it is too late");
            prop_assert!(at <= earliest + backoff_max.max(backoff), "no longer than the bound");
        }
    }

    #[test]
    fn any_policy_comes_to_an_end(attempts_max in 0_u32..=u32::MAX, fails in any_error()) {
        let policy = RetryPolicy { attempts_max, ..RetryPolicy::default() };
        let tries = (1..).take_while(|n| policy.next(*n, &fails, start(), start() + DEADLINE, 1).is_some()).count();
        prop_assert!(tries < ATTEMPTS_MAX as usize);
    }
}
