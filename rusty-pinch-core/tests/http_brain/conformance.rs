//! The contract of a brain, kept by `HttpBrain`, alone, in the retry loop and under a budget, and by `ScriptedBrain`.

use std::sync::Arc;
use std::time::Duration;

use fake_model::{Answer, FakeModel, Reply, Request, always, chat};
use rusty_pinch_core::testing::ScriptedBrain;
use rusty_pinch_core::testing::conformance::{self, BrainCase, StuckBrain};
use rusty_pinch_core::{
    Billing, Brain, BrainError, Budget, BudgetConfig, CapLimit, Caps, Completion, FailoverBrain, MemoryStore,
    RetryPolicy,
};
use serde_json::json;

use crate::setup::{brain, calc};

#[derive(Debug)]
struct Stuck {
    server: FakeModel,
    brain: Arc<dyn Brain>,
}

impl Stuck {
    fn new(wrap: impl Fn(rusty_pinch_core::HttpBrain) -> Arc<dyn Brain> + Copy) -> Arc<Self> {
        let server = FakeModel::start(always(Reply::silence()));
        let brain = wrap(brain(&server));
        Arc::new(Self { server, brain })
    }
}

impl StuckBrain for Stuck {
    fn brain(&self) -> Arc<dyn Brain> {
        Arc::clone(&self.brain)
    }
    fn started(&self) -> usize {
        self.server.request_count()
    }
    fn stopped(&self) -> usize {
        self.server.disconnect_count()
    }
}

fn prompts() -> Vec<(String, String)> {
    ["one fish", "two birds", "red ☂"].map(|text| (text.to_owned(), text.to_owned())).to_vec()
}

/// Calls the tool that is offered, and else says what was said.
fn echo(_: usize, request: &Request) -> Reply {
    let answer = if chat::offers_tools(request) {
        Answer::call("calc", &json!({ "expression": "1+1" }))
    } else {
        Answer::text(format!("You said: {}", chat::last_user_text(request).unwrap_or_default()))
    };
    chat::reply(request, &answer)
}

async fn check(wrap: impl Fn(rusty_pinch_core::HttpBrain) -> Arc<dyn Brain> + Copy) {
    let server = FakeModel::start(echo);
    conformance::brain(&BrainCase {
        brain: wrap(brain(&server)),
        prompts: prompts(),
        call: Some(("what is 1+1?".into(), calc())),
        stuck: Some(Stuck::new(wrap)),
        time: Duration::from_secs(20),
    })
    .await;
}

#[tokio::test]
async fn http_brain_keeps_the_contract() {
    check(|brain| Arc::new(brain)).await;
}

#[tokio::test]
async fn b1_a_chain_of_one_keeps_the_contract() {
    check(|brain| Arc::new(FailoverBrain::new(brain, RetryPolicy::default()))).await;
}

#[tokio::test]
async fn b1_a_chain_whose_last_member_answers_keeps_the_contract() {
    let down = || {
        ScriptedBrain::new(|_| {
            Err(BrainError::NotConfigured { brain: "a".into(), detail: "no key".into(), fix: "set it".into() })
        })
    };
    let chain = move |brain| FailoverBrain::new(down(), RetryPolicy::default()).then(down()).then(brain);
    check(move |brain| Arc::new(chain(brain))).await;
}

#[tokio::test]
async fn budget_brain_keeps_the_contract() {
    check(|brain| {
        let roomy = CapLimit { tokens: Some(u64::MAX), money: None };
        let caps = Caps { day: roomy, ..Caps::default() };
        Arc::new(Budget::new(MemoryStore::new(), BudgetConfig::new(caps)).around(brain, Billing::ByToken))
    })
    .await;
}

#[tokio::test]
async fn scripted_brain_keeps_the_contract() {
    let brain = ScriptedBrain::new(|request| match request.tools.first() {
        Some(tool) => Ok(Completion::call(tool.name.as_str(), json!({}))),
        None => Ok(Completion::text(request.messages.last().map_or("", |message| message.content()))),
    });
    conformance::brain(&BrainCase {
        brain: Arc::new(brain),
        prompts: prompts(),
        call: Some(("call it".into(), calc())),
        stuck: None,
        time: Duration::from_secs(20),
    })
    .await;
}
