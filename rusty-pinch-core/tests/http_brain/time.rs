//! Silence, slowness, deadlines and leaving.

use std::sync::Arc;
use std::time::Duration;

use fake_model::{Answer, FakeModel, Reply, always, chat, sequence};
use rusty_pinch_core::testing::VirtualClock;
use rusty_pinch_core::{Brain, BrainError, Clock, Deltas, HttpBrain, SystemClock};
use tokio::time::{Instant, timeout};

use crate::setup::{brain, config, listener, prompt, prompt_within, said, shown};

const SHORT: Duration = Duration::from_millis(400);
const LONG: Duration = Duration::from_secs(10);

fn impatient(server: &FakeModel) -> HttpBrain {
    let mut config = config(&server.base_url());
    config.idle_timeout = SHORT;
    HttpBrain::new(config).unwrap()
}

#[tokio::test]
async fn silence_ends_at_the_idle_limit() {
    let server = FakeModel::start(always(Reply::silence()));
    let error = impatient(&server).complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
    assert!(matches!(error, BrainError::Overloaded { .. }), "{}", shown(&error));
    assert!(error.to_string().contains("nothing for 400ms"), "{error}");

    let halfway = chat::stream(&Answer::text("hello"), false).cut_at(300).holding();
    let server = FakeModel::start(always(halfway));
    let error = impatient(&server).complete(&prompt("hi"), &Deltas::none()).await.unwrap_err();
    assert!(matches!(error, BrainError::Cut { .. }), "{}", shown(&error));
    assert!(error.to_string().contains("nothing more came"), "{error}");
}

#[tokio::test]
async fn slowness_is_not_silence() {
    let slow = chat::stream(&Answer::text("hi"), false).dripping(70, SHORT / 6);
    let server = FakeModel::start(always(slow));
    let start = Instant::now();
    assert_eq!(said(impatient(&server).complete(&prompt("hi"), &Deltas::none()).await), "hi");
    assert!(start.elapsed() > SHORT, "the test is only worth something if the whole is slower than the limit");
}

#[tokio::test]
async fn an_answer_that_drips_ends_at_the_deadline() {
    let drip = chat::stream(&Answer::text("never done"), false).dripping(1, Duration::from_millis(5));
    for reply in [drip, Reply::silence(), Reply::silence().after(LONG)] {
        // The first answer makes the client and the connection, which may take longer on a busy machine.
        let server = FakeModel::start(sequence([chat::stream(&Answer::text("hi"), false), reply]));
        let brain = brain(&server);
        said(brain.complete(&prompt("hi"), &Deltas::none()).await);
        let start = Instant::now();
        let error = brain.complete(&prompt_within("hi", SHORT), &Deltas::none()).await.unwrap_err();
        assert!(matches!(error, BrainError::DeadlineExceeded { .. }), "{}", shown(&error));
        let elapsed = start.elapsed();
        assert!(elapsed >= SHORT && elapsed < SHORT + Duration::from_secs(2), "{elapsed:?}");
        timeout(LONG, server.until_disconnects(1)).await.expect("the request is cancelled");
    }
}

#[tokio::test]
async fn a_deadline_that_has_passed_costs_no_request() {
    let server = FakeModel::start(chat::says("too late"));
    let error = brain(&server).complete(&prompt_within("hi", Duration::ZERO), &Deltas::none()).await.unwrap_err();
    assert!(matches!(error, BrainError::DeadlineExceeded { .. }));
    assert_eq!(server.connection_count(), 0);
}

#[tokio::test]
async fn the_deadline_is_the_clocks_even_when_that_jumps() {
    let server = FakeModel::start(always(Reply::silence()));
    let clock = Arc::new(VirtualClock::new(SystemClock.now()));
    let brain = brain(&server).with_clock(Arc::clone(&clock) as Arc<dyn Clock>);
    let asking = tokio::spawn(async move { brain.complete(&prompt("hi"), &Deltas::none()).await });
    server.until_requests(1).await;
    assert!(!asking.is_finished());
    clock.advance(Duration::from_secs(3600));
    let error = timeout(LONG, asking).await.unwrap().unwrap().unwrap_err();
    assert!(matches!(error, BrainError::DeadlineExceeded { .. }), "{}", shown(&error));
}

#[tokio::test]
async fn leaving_in_the_middle_of_an_answer_cancels_the_request() {
    let halfway = chat::stream(&Answer::text("hello"), false).cut_at(450).holding();
    let server = FakeModel::start(always(halfway));
    let (deltas, heard) = listener();
    let brain = brain(&server);
    let asking = tokio::spawn(async move { brain.complete(&prompt("hi"), &deltas).await });
    let hearing = async {
        while heard.lock().unwrap().is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    };
    timeout(LONG, hearing).await.expect("the first half is shown");
    assert_eq!(server.disconnect_count(), 0);
    asking.abort();
    timeout(LONG, server.until_disconnects(1)).await.expect("the request is cancelled");
}

#[tokio::test]
async fn an_answer_that_is_done_is_not_kept_waiting_by_a_server_that_stays() {
    let stays = chat::stream(&Answer::text("done"), false).holding();
    let server = FakeModel::start(always(stays));
    let start = Instant::now();
    assert_eq!(said(brain(&server).complete(&prompt("hi"), &Deltas::none()).await), "done");
    assert!(start.elapsed() < LONG / 2, "{:?}", start.elapsed());
}
