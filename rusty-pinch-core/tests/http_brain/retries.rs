//! How often is asked, and when: one loop, as many attempts as the policy says, no sooner than the server allows.

use std::sync::Arc;
use std::time::Duration;

use fake_model::{Answer, FakeModel, Reply, always, chat, sequence};
use rusty_pinch_core::testing::SeededEntropy;
use rusty_pinch_core::{Brain, BrainError, Completion, Deltas, FailoverBrain, HttpBrain, HttpBrainConfig, RetryPolicy};

use crate::setup::{brain, config, listener, prompt, prompt_within, shown, stream_of_known_length};

const ATTEMPTS: usize = 3;

fn retrying(server: &FakeModel) -> FailoverBrain {
    let backoff = Duration::from_millis(1);
    let policy = RetryPolicy { attempts_max: 3, backoff, backoff_max: backoff };
    FailoverBrain::new(brain(server), policy).with_entropy(Arc::new(SeededEntropy::new(3)))
}

async fn ask(server: &FakeModel) -> Result<Completion, BrainError> {
    retrying(server).complete(&prompt("hi"), &Deltas::none()).await
}

fn refused(status: u16) -> Reply {
    chat::error(status, "x", "the reason")
}

#[tokio::test]
async fn each_status_is_asked_as_often_as_it_makes_sense() {
    let once = [400, 401, 402, 403, 404, 405, 413, 422].map(|status| (status, 1));
    let again = [408, 409, 425, 429, 500, 501, 502, 503, 504, 529].map(|status| (status, ATTEMPTS));
    for (status, expected) in once.into_iter().chain(again) {
        let server = FakeModel::start(always(refused(status)));
        let error = ask(&server).await.unwrap_err();
        assert_eq!(server.request_count(), expected, "{status}");
        assert_eq!(error.attempts() as usize, expected, "{status}");
        assert_eq!(error.to_string().contains("(after 3 attempts)"), expected > 1, "{status}: {error}");
    }
}

#[tokio::test]
async fn each_status_may_ask_for_a_pause_and_gets_it() {
    let pause = Duration::from_millis(60);
    for status in [408, 409, 425, 429, 500, 502, 503, 504] {
        for header in [("retry-after", "0.06"), ("retry-after-ms", "60")] {
            let server = FakeModel::start(sequence([
                refused(status).header(header.0, header.1),
                chat::stream(&Answer::text("there"), true),
            ]));
            let completion = ask(&server).await.unwrap();
            assert_eq!((completion.content.as_str(), completion.attempts), ("there", 2), "{status}");
            let requests = server.requests();
            let waited = requests[1].at - requests[0].at;
            assert!(waited >= pause, "{status} {header:?}: {waited:?}");
        }
    }
}

#[tokio::test]
async fn garbage_in_the_place_of_a_pause_does_no_harm() {
    for garbage in ["soon", "-5", "NaN", "", "99999999999999999999999999999x"] {
        let server = FakeModel::start(always(refused(503).header("retry-after", garbage)));
        ask(&server).await.unwrap_err();
        assert_eq!(server.request_count(), ATTEMPTS, "{garbage}");
    }
}

#[tokio::test]
async fn a_pause_beyond_the_deadline_is_not_waited_for() {
    for pause in ["3600", "99999999999999999999", "Fri, 01 Jan 2100 00:00:00 GMT"] {
        let server = FakeModel::start(always(refused(429).header("retry-after", pause)));
        let error = ask(&server).await.unwrap_err();
        assert_eq!(server.request_count(), 1, "{pause}");
        assert!(matches!(error, BrainError::RateLimited { retry_at: Some(_), .. }), "{}", shown(&error));
        assert!(error.to_string().contains("may be asked again at"), "{error}");
    }
}

#[tokio::test]
async fn broken_connections_and_streams_are_asked_again_too() {
    let whole = || chat::stream(&Answer::text("whole"), true);
    for (what, broken) in [
        ("closed", Reply::close()),
        ("cut", whole().cut_at(400)),
        ("empty", chat::stream(&Answer::text(""), false)),
        ("error in a good status", Reply::json(200, &serde_json::json!({ "error": "overloaded" }))),
    ] {
        let server = FakeModel::start(always(broken.clone()));
        ask(&server).await.unwrap_err();
        assert_eq!(server.request_count(), ATTEMPTS, "{what}");

        let server = FakeModel::start(sequence([broken.clone(), broken, whole()]));
        let (deltas, heard) = listener();
        let completion = retrying(&server).complete(&prompt("hi"), &deltas).await.unwrap();
        assert_eq!((completion.content.as_str(), completion.attempts), ("whole", 3), "{what}");
        assert_eq!(*heard.lock().unwrap(), "whole", "{what}: what was shown of a broken answer is void");
    }
}

#[tokio::test]
async fn nothing_below_repeats_a_request_not_even_on_a_connection_that_was_kept() {
    let server = FakeModel::start(sequence([stream_of_known_length("kept"), Reply::close()]));
    let brain = brain(&server);
    brain.complete(&prompt("hi"), &Deltas::none()).await.unwrap();
    let error = brain.complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
    assert!(matches!(error, BrainError::Unreachable { .. }), "{}", shown(&error));
    assert_eq!(server.request_count(), 2);
    assert_eq!(server.connection_count(), 1, "the second request came on the connection that was kept");
}

#[tokio::test]
async fn all_attempts_share_the_deadline() {
    let server = FakeModel::start(always(Reply::silence()));
    let config = HttpBrainConfig { idle_timeout: Duration::from_millis(40), ..config(&server.base_url()) };
    let policy = RetryPolicy { attempts_max: 50, backoff: Duration::from_millis(1), ..RetryPolicy::default() };
    let brain = FailoverBrain::new(HttpBrain::new(config).unwrap(), policy);
    let start = tokio::time::Instant::now();
    let error = brain.complete(&prompt_within("hi", Duration::from_secs(1)), &Deltas::none()).await.unwrap_err();
    assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
    assert!(server.request_count() > 1 && error.attempts() as usize >= server.request_count(), "{}", shown(&error));
}
