//! The contract of [`Brain`], as checks that any brain can be put through.

use std::fmt::Debug;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use crate::brain::{Brain, BrainError, Completion, CompletionRequest, Delta, Deltas, ErrorClass, Lane};
use crate::data::Message;
use crate::hands::ToolSpec;
use crate::sys::{Clock, SystemClock};

/// How soon after a drop or a deadline the work has to stop.
const STOPS_WITHIN: Duration = Duration::from_millis(100);
/// How often a brain is asked at once, per prompt.
const CROWD: usize = 4;
const LONG_MESSAGE_BYTES: usize = 1024 * 1024;
const TRIES: usize = 5;
const DEADLINE: Duration = Duration::from_millis(300);
const LOOKS_EVERY: Duration = Duration::from_millis(1);

/// A brain, and what the suite has to know about it.
#[derive(Clone, Debug)]
pub struct BrainCase {
    /// The brain.
    pub brain: Arc<dyn Brain>,
    /// Messages that it answers with text, each with words which that answer holds and no other does.
    pub prompts: Vec<(String, String)>,
    /// A message that it answers with a call of this tool, if it can call tools.
    pub call: Option<(String, ToolSpec)>,
    /// The same brain, unable to come to an end, if there is such a thing.
    pub stuck: Option<Arc<dyn StuckBrain>>,
    /// How long it may take to answer.
    pub time: Duration,
}

/// A brain that never answers, and a view of what it is at.
pub trait StuckBrain: Debug + Send + Sync {
    /// The brain.
    fn brain(&self) -> Arc<dyn Brain>;
    /// How often work has begun.
    fn started(&self) -> usize;
    /// How often work has been stopped, children included.
    fn stopped(&self) -> usize;
}

/// Puts a brain through the contract.
///
/// # Panics
/// When a rule is broken.
pub async fn brain(case: &BrainCase) {
    let before = case.brain.info().clone();
    assert!(!before.name.is_empty() && !before.model.is_empty(), "info names brain and model: {before:?}");
    assert!(before.context_tokens > 0, "info says how much fits: {before:?}");
    answers(case).await;
    previews(case).await;
    calls(case).await;
    survives_being_left(case).await;
    keeps_requests_apart(case).await;
    takes_anything(case).await;
    stops_when_stuck(case).await;
    assert_eq!(*case.brain.info(), before, "info never changes");
}

fn request(case: &BrainCase, message: &str, tools: Arc<[ToolSpec]>) -> CompletionRequest {
    let messages = vec![Message::User { content: message.to_owned() }];
    CompletionRequest { messages, tools, deadline: SystemClock.now() + case.time, lane: Lane::Interactive, turn: None }
}

async fn ask(case: &BrainCase, message: &str, deltas: &Deltas) -> Completion {
    let request = request(case, message, Arc::new([]));
    match case.brain.complete(&request, deltas).await {
        Ok(completion) => completion,
        Err(error) => panic!("{:?} is answered, not refused: {error:?}", message),
    }
}

async fn answers(case: &BrainCase) {
    assert!(!case.prompts.is_empty(), "the case has prompts");
    for (message, words) in &case.prompts {
        let completion = ask(case, message, &Deltas::none()).await;
        assert!(completion.content.contains(words), "the answer to {message:?} holds {words:?}: {completion:?}");
        assert!(completion.calls.is_empty(), "nothing is called that was not offered: {completion:?}");
        assert!(completion.attempts <= 1, "one attempt and no hidden retry: {completion:?}");
        if case.brain.info().free {
            assert_eq!(completion.attempts, 0, "what is free takes no request");
            let again = ask(case, message, &Deltas::none()).await;
            assert_eq!(completion, again, "what is free gives the same again");
        }
    }
}

async fn previews(case: &BrainCase) {
    for (message, _) in &case.prompts {
        let heard = Arc::new(Mutex::new(String::new()));
        let writing = Arc::clone(&heard);
        let deltas = Deltas::new(move |delta| {
            let mut heard = writing.lock().unwrap();
            match delta {
                Delta::Text(text) => heard.push_str(text),
                Delta::Restarted => heard.clear(),
            }
        });
        let completion = ask(case, message, &deltas).await;
        let heard = heard.lock().unwrap().clone();
        assert!(heard.is_empty() || heard == completion.content, "a preview of {completion:?}, not {heard:?}");
    }
}

async fn calls(case: &BrainCase) {
    let Some((message, tool)) = &case.call else { return };
    let request = request(case, message, Arc::new([tool.clone()]));
    let completion = match case.brain.complete(&request, &Deltas::none()).await {
        Ok(completion) => completion,
        Err(error) => panic!("{message:?} calls {}: {error:?}", tool.name),
    };
    let called: Vec<_> = completion.calls.iter().map(|call| call.name.as_str()).collect();
    assert_eq!(called, [tool.name.as_str()], "{message:?} calls the tool");
    let arguments = completion.calls.first().map(|call| &call.arguments);
    assert!(arguments.is_some_and(serde_json::Value::is_object), "arguments are an object: {arguments:?}");
}

/// A request that is dropped at its first await leaves the brain as it was.
async fn survives_being_left(case: &BrainCase) {
    let Some((message, words)) = case.prompts.first() else { return };
    for _ in 0..TRIES {
        let request = request(case, message, Arc::new([]));
        let deltas = Deltas::none();
        let mut asking = std::pin::pin!(case.brain.complete(&request, &deltas));
        std::future::poll_fn(|context| {
            let _ = asking.as_mut().poll(context);
            std::task::Poll::Ready(())
        })
        .await;
    }
    let completion = ask(case, message, &Deltas::none()).await;
    assert!(completion.content.contains(words), "it answers after it was left: {completion:?}");
}

async fn keeps_requests_apart(case: &BrainCase) {
    let mut crowd = JoinSet::new();
    for (message, words) in case.prompts.iter().cycle().take(case.prompts.len() * CROWD).cloned() {
        let case = case.clone();
        crowd.spawn(async move {
            let completion = ask(&case, &message, &Deltas::none()).await;
            assert!(completion.content.contains(&words), "to {message:?} in a crowd: {completion:?}");
            let others = case.prompts.iter().filter(|(_, other)| *other != words);
            for (_, other) in others {
                assert!(!completion.content.contains(other), "an answer of one's own: {completion:?}");
            }
        });
    }
    while let Some(done) = crowd.join_next().await {
        done.expect("every request of a crowd is answered");
    }
}

/// Whatever the prompt is, there is an answer or an error, no panic, and no end without end.
async fn takes_anything(case: &BrainCase) {
    for content in [String::new(), "\0\u{1b}[2J\r\n\u{202e}".to_owned(), "🦀 ".repeat(LONG_MESSAGE_BYTES / 5)] {
        let asking = request(case, &content, Arc::new([]));
        let slack = Duration::from_secs(2);
        let ended = timeout(case.time + slack, case.brain.complete(&asking, &Deltas::none())).await;
        assert!(ended.is_ok(), "a message of {} bytes comes to an end", content.len());
    }
    let mut nothing = request(case, "", Arc::new([]));
    nothing.messages.clear();
    let ended = timeout(case.time + Duration::from_secs(2), case.brain.complete(&nothing, &Deltas::none())).await;
    assert!(ended.is_ok(), "a prompt without messages comes to an end");
}

/// At the deadline, and when it is dropped, a brain stops what it is at.
///
/// The best of a few tries counts: on a busy machine any single one may be late for no fault of the brain's.
async fn stops_when_stuck(case: &BrainCase) {
    let Some(stuck) = &case.stuck else { return };
    let message = case.prompts.first().map(|(message, _)| message.clone()).unwrap_or_default();
    let mut fastest = case.time;
    for _ in 0..TRIES {
        let (brain, asking, before) = (stuck.brain(), request(case, &message, Arc::new([])), stuck.started());
        let left = tokio::spawn(async move { brain.complete(&asking, &Deltas::none()).await });
        until(case.time, "work begins", || stuck.started() > before).await;
        let start = Instant::now();
        left.abort();
        until(case.time, "dropping stops the work", || stuck.stopped() == stuck.started()).await;
        fastest = fastest.min(start.elapsed());
        if fastest <= STOPS_WITHIN {
            break;
        }
    }
    assert!(fastest <= STOPS_WITHIN, "dropping stops the work within {STOPS_WITHIN:?}, not {fastest:?}");

    let mut fastest = case.time;
    for _ in 0..TRIES {
        let mut asking = request(case, &message, Arc::new([]));
        asking.deadline = SystemClock.now() + DEADLINE;
        let start = Instant::now();
        let ended = timeout(case.time, stuck.brain().complete(&asking, &Deltas::none())).await;
        let ended = ended.expect("the deadline ends it");
        fastest = fastest.min(start.elapsed().saturating_sub(DEADLINE));
        let named = matches!(
            ended,
            Err(BrainError::DeadlineExceeded { .. } | BrainError::AllFailed { class: ErrorClass::Never, .. })
        );
        assert!(named, "the deadline is named: {ended:?}");
        until(case.time, "the deadline stops the work", || stuck.stopped() == stuck.started()).await;
        if fastest <= STOPS_WITHIN {
            break;
        }
    }
    assert!(fastest <= STOPS_WITHIN, "the deadline is kept to {STOPS_WITHIN:?}, not {fastest:?}");
}

async fn until(time: Duration, what: &str, holds: impl Fn() -> bool) {
    let looking = async {
        while !holds() {
            tokio::time::sleep(LOOKS_EVERY).await;
        }
    };
    assert!(timeout(time, looking).await.is_ok(), "{what}");
}
