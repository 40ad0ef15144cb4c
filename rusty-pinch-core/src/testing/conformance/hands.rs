//! The contract of [`Hands`], as checks.

use std::future::{Future, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::Poll;

use serde_json::{Value, json};

use crate::data::{CallId, OutcomeStatus, SessionId, Sha256Digest, Timestamp, ToolCall};
use crate::hands::{Assessment, Bound, Hands, HandsError, Invocation};

/// Hands under test, and what the checks need to know about them.
#[derive(Debug)]
pub struct HandsUnderTest {
    /// The hands.
    pub hands: Arc<dyn Hands>,
    /// Calls that succeed: tool and arguments. At least one.
    pub good: Vec<(String, Value)>,
    /// Calls of tools that exist, with arguments that they don't take.
    pub bad: Vec<(String, Value)>,
    /// A call that never ends by itself, if there is a tool for it.
    pub endless: Option<(String, Value)>,
    /// The tools add to it whenever they do something.
    pub effects: Arc<AtomicU64>,
    /// How many endless calls are under way: one more when one begins, one less when it is dropped.
    pub under_way: Arc<AtomicUsize>,
}

impl HandsUnderTest {
    fn call(name: &str, arguments: Value) -> ToolCall {
        ToolCall { id: CallId::new("conformance-1").unwrap(), name: name.to_owned(), arguments }
    }

    fn invocation(name: &str, arguments: Value, bound: Vec<Bound>) -> Invocation {
        let session = SessionId::new("conformance").unwrap();
        // Far away: these checks are about other things than deadlines.
        let deadline = Timestamp::from_nanos(i64::MAX);
        Invocation { session, call: Self::call(name, arguments), bound, deadline }
    }

    fn effects(&self) -> u64 {
        self.effects.load(Ordering::SeqCst)
    }

    fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }

    async fn assess(&self, name: &str, arguments: &Value) -> Assessment {
        let call = Self::call(name, arguments.clone());
        self.hands.assess(&call).await.unwrap_or_else(|error| panic!("assessing `{name}` failed: {error}"))
    }

    async fn invoke(&self, name: &str, arguments: &Value) -> OutcomeStatus {
        let bound = self.assess(name, arguments).await.bound;
        let invocation = Self::invocation(name, arguments.clone(), bound);
        let ran = self.hands.invoke(&invocation).await;
        ran.unwrap_or_else(|error| panic!("`{name}` with {arguments} is an error, not an outcome: {error}")).status
    }
}

/// Runs every check.
///
/// # Panics
/// When the hands break their contract; the message says where.
pub async fn check(under_test: &HandsUnderTest) {
    assert!(!under_test.good.is_empty(), "name at least one call that succeeds");
    tools_are_stable_and_well_formed(under_test);
    good_calls_succeed(under_test).await;
    assessing_has_no_effect_and_never_lowers_the_risk(under_test).await;
    what_a_model_can_mend_is_an_outcome(under_test).await;
    another_content_is_refused_before_anything_happens(under_test).await;
    dropping_stops_the_work(under_test).await;
}

fn tools_are_stable_and_well_formed(under_test: &HandsUnderTest) {
    let tools = under_test.hands.tools();
    assert_eq!(*tools, *under_test.hands.tools(), "`tools` must be the same, in the same order, until a tool changes");
    let mut names: Vec<_> = tools.iter().map(|tool| &tool.name).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), tools.len(), "every name may be listed once");
    for tool in tools.iter() {
        assert_eq!(tool.parameters["type"], "object", "the parameters of `{}` must be an object", tool.name);
        assert!(!tool.description.trim().is_empty(), "`{}` needs a description", tool.name);
        for parameter in &tool.positional {
            let known = tool.parameters["properties"].get(parameter).is_some();
            assert!(known, "`{}` has no parameter `{parameter}` to fill by position", tool.name);
        }
        for example in &tool.examples {
            assert!(example.arguments.is_object(), "the example {:?} needs an object", example.message);
        }
    }
}

async fn good_calls_succeed(under_test: &HandsUnderTest) {
    for (name, arguments) in &under_test.good {
        assert_eq!(under_test.invoke(name, arguments).await, OutcomeStatus::Ok, "`{name}` with {arguments}");
    }
}

async fn assessing_has_no_effect_and_never_lowers_the_risk(under_test: &HandsUnderTest) {
    for (name, arguments) in under_test.good.iter().chain(&under_test.bad).chain(&under_test.endless) {
        let before = under_test.effects();
        let assessment = under_test.assess(name, arguments).await;
        assert_eq!(before, under_test.effects(), "assessing `{name}` did something");
        assert_eq!(assessment, under_test.assess(name, arguments).await, "assessing `{name}` twice differs");
        assert!(!assessment.summary.trim().is_empty(), "the approver of `{name}` is shown nothing");
        let hidden = |c: char| (c.is_control() && c != '\n') || ('\u{202a}'..='\u{202e}').contains(&c);
        assert!(!assessment.summary.contains(hidden), "the summary of `{name}` hides something");
        let tools = under_test.hands.tools();
        let spec = tools.iter().find(|tool| tool.name.as_str() == name);
        let spec = spec.unwrap_or_else(|| panic!("`{name}` is not listed"));
        assert!(assessment.risk >= spec.risk, "assessing `{name}` lowered its risk");
    }
}

async fn what_a_model_can_mend_is_an_outcome(under_test: &HandsUnderTest) {
    let before = under_test.effects();
    let mut bad = under_test.bad.clone();
    bad.extend(["no-such-tool-here", "", "NO SUCH\u{1b}[2J"].map(|name| (name.to_owned(), json!({}))));
    for (name, _) in &under_test.good {
        bad.extend([json!("not json"), json!([1]), json!(null), json!(7)].map(|arguments| (name.clone(), arguments)));
    }
    for (name, arguments) in &bad {
        let status = under_test.invoke(name, arguments).await;
        assert_eq!(status, OutcomeStatus::Failed, "`{name}` with {arguments}");
    }
    assert_eq!(before, under_test.effects(), "a call that failed for its name or arguments did something");
}

async fn another_content_is_refused_before_anything_happens(under_test: &HandsUnderTest) {
    for (name, arguments) in &under_test.good {
        let mut bound = under_test.assess(name, arguments).await.bound;
        let other = Sha256Digest::of(b"another content");
        match bound.first_mut() {
            Some(first) => first.sha256 = other,
            None => bound.push(Bound { what: "/no/such/content".into(), sha256: other }),
        }
        let before = under_test.effects();
        let ran = under_test.hands.invoke(&HandsUnderTest::invocation(name, arguments.clone(), bound)).await;
        assert!(matches!(ran, Err(HandsError::NotStarted { .. })), "`{name}` ran with another content: {ran:?}");
        assert_eq!(before, under_test.effects(), "`{name}` did something with another content");
    }
}

async fn dropping_stops_the_work(under_test: &HandsUnderTest) {
    let Some((name, arguments)) = &under_test.endless else { return };
    let bound = under_test.assess(name, arguments).await.bound;
    let invocation = HandsUnderTest::invocation(name, arguments.clone(), bound);
    let mut running = Box::pin(under_test.hands.invoke(&invocation));
    // A hundred turns of the scheduler start whatever starts in the background.
    for _ in 0..100 {
        let ended = poll_fn(|context| Poll::Ready(running.as_mut().poll(context).is_ready())).await;
        assert!(!ended, "`{name}` ended, so nothing can be dropped");
        tokio::task::yield_now().await;
    }
    assert!(under_test.under_way() > 0, "`{name}` did not begin");
    drop(running);
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    assert_eq!(under_test.under_way(), 0, "`{name}` goes on after its call was dropped");
}

#[cfg(test)]
#[path = "hands/tests.rs"]
mod tests;
