//! The hands that ship keep their contract, and the suite catches hands that don't.

use async_trait::async_trait;
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::data::CallOutcome;
use crate::hands::{CombinedHands, Risk, Tool, ToolSpec, Toolbox};

#[derive(Deserialize, JsonSchema)]
struct Count {
    by: u64,
}

struct UnderWay(Arc<AtomicUsize>);

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn under_test(around: fn(Toolbox) -> Arc<dyn Hands>) -> HandsUnderTest {
    let (effects, under_way) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicUsize::new(0)));
    let (counter, waiting) = (Arc::clone(&effects), Arc::clone(&under_way));
    let count = Tool::new("count", "Counts").once().risk(Risk::High).positional(["by"]).run(move |count: Count| {
        let counter = Arc::clone(&counter);
        async move { Ok(counter.fetch_add(count.by, Ordering::SeqCst)) }
    });
    let wait = Tool::new("wait", "Waits for ever").read_only().run(move |()| {
        let waiting = Arc::clone(&waiting);
        async move {
            waiting.fetch_add(1, Ordering::SeqCst);
            let _under_way = UnderWay(waiting);
            std::future::pending::<()>().await;
            Ok(())
        }
    });
    HandsUnderTest {
        hands: around(Toolbox::new().tool(count).tool(wait)),
        good: vec![("count".into(), json!({"by": 1}))],
        bad: vec![("count".into(), json!({"by": "one"})), ("count".into(), json!({"by": -1}))],
        endless: Some(("wait".into(), json!({}))),
        effects,
        under_way,
    }
}

#[tokio::test]
async fn toolboxes_and_combined_hands_keep_the_contract() {
    check(&under_test(|toolbox| Arc::new(toolbox))).await;
    check(&under_test(|toolbox| Arc::new(Arc::new(toolbox)))).await;
    check(&under_test(|toolbox| Arc::new(CombinedHands::new().with(Toolbox::new()).with(toolbox)))).await;
}

#[derive(Clone, Copy, Debug)]
enum Fault {
    LowersRisk,
    EffectInAssess,
    IgnoresBound,
    UnknownIsError,
    HidesInSummary,
    GoesOnWhenDropped,
}

/// A toolbox with one promise broken.
#[derive(Debug)]
struct Broken(Arc<Toolbox>, Fault);

#[async_trait]
impl Hands for Broken {
    fn tools(&self) -> Arc<[ToolSpec]> {
        self.0.tools()
    }
    async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError> {
        let mut assessment = self.0.assess(call).await?;
        match self.1 {
            Fault::LowersRisk => assessment.risk = Risk::Low,
            Fault::HidesInSummary => assessment.summary.push('\u{202e}'),
            Fault::EffectInAssess => {
                let _ = self.0.invoke(&HandsUnderTest::invocation("count", json!({"by": 1}), vec![])).await;
            }
            _ => {}
        }
        Ok(assessment)
    }
    async fn invoke(&self, invocation: &Invocation) -> Result<CallOutcome, HandsError> {
        let mut invocation = invocation.clone();
        match self.1 {
            Fault::IgnoresBound => invocation.bound.clear(),
            Fault::UnknownIsError if !self.tools().iter().any(|t| t.name.as_str() == invocation.call.name) => {
                return Err(HandsError::NotStarted { tool: invocation.call.name, why: "unknown".into() });
            }
            Fault::GoesOnWhenDropped => {
                let toolbox = Arc::clone(&self.0);
                return tokio::spawn(async move { toolbox.invoke(&invocation).await }).await.unwrap();
            }
            _ => {}
        }
        self.0.invoke(&invocation).await
    }
}

#[tokio::test]
async fn a_broken_promise_is_caught_and_named() {
    type Around = fn(Toolbox) -> Arc<dyn Hands>;
    let cases: [(Around, &str); 6] = [
        (|toolbox| Arc::new(Broken(Arc::new(toolbox), Fault::LowersRisk)), "lowered its risk"),
        (|toolbox| Arc::new(Broken(Arc::new(toolbox), Fault::EffectInAssess)), "did something"),
        (|toolbox| Arc::new(Broken(Arc::new(toolbox), Fault::IgnoresBound)), "ran with another content"),
        (|toolbox| Arc::new(Broken(Arc::new(toolbox), Fault::UnknownIsError)), "not an outcome"),
        (|toolbox| Arc::new(Broken(Arc::new(toolbox), Fault::HidesInSummary)), "hides something"),
        (|toolbox| Arc::new(Broken(Arc::new(toolbox), Fault::GoesOnWhenDropped)), "goes on"),
    ];
    for (around, says) in cases {
        let failed = tokio::spawn(async move { check(&under_test(around)).await }).await.unwrap_err();
        let panic = failed.into_panic();
        let said = panic.downcast_ref::<String>().cloned().unwrap_or_default();
        assert!(said.contains(says), "{said:?} does not say {says:?}");
    }
}
