use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::brain::Lane;
use crate::data::{Message, SessionId, Timestamp};
use crate::store::{MemoryStore, Position, TurnId};
use crate::testing::{ScriptedBrain, SeededEntropy, VirtualClock};

mod books;
mod faults;
mod keeping;
mod parallel;

/// Tokens that the prompt of [`request`] is taken for.
const PROMPT: u64 = 5;
/// Tokens that its answer is expected to take.
const ANSWER: u64 = 95;
/// Both.
const CALL: u64 = PROMPT + ANSWER;

/// A store, a clock, caps, and a paid brain that counts how often it was asked.
#[derive(Clone)]
struct World {
    clock: Arc<VirtualClock>,
    entropy: Arc<SeededEntropy>,
    asked: Arc<AtomicU64>,
    caps: Caps,
}

impl World {
    fn new(caps: Caps) -> Self {
        Self { clock: Arc::default(), entropy: Arc::default(), asked: Arc::default(), caps }
    }

    fn budget(&self, store: impl Store) -> Budget {
        Budget::new(store, self.config())
    }

    fn config(&self) -> BudgetConfig {
        BudgetConfig {
            prices: Prices::parse(PRICES).unwrap(),
            answer_tokens: ANSWER,
            clock: Arc::clone(&self.clock) as Arc<dyn Clock>,
            entropy: Arc::clone(&self.entropy) as Arc<dyn Entropy>,
            ..BudgetConfig::new(self.caps)
        }
    }

    /// The paid brain under a budget, answering with what the provider says it used.
    fn brain(&self, store: impl Store, usage: Option<Usage>) -> BudgetBrain<ScriptedBrain> {
        self.budget(store).around(self.paid(usage), Billing::ByToken)
    }

    fn paid(&self, usage: Option<Usage>) -> ScriptedBrain {
        let asked = Arc::clone(&self.asked);
        let brain = ScriptedBrain::new(move |_| {
            asked.fetch_add(1, Ordering::SeqCst);
            Ok(Completion { usage, attempts: 1, ..Completion::text("fine") })
        });
        brain.with_info(info("priced"))
    }

    fn asked(&self) -> u64 {
        self.asked.load(Ordering::SeqCst)
    }

    async fn report(&self, store: impl Store) -> BudgetReport {
        BudgetReport::read(store, &self.caps, self.clock.now()).await.unwrap()
    }

    fn request(&self, lane: Lane, turn: Option<(&str, u64)>) -> CompletionRequest {
        let turn = turn.map(|(session, opened_at)| TurnId {
            session: SessionId::new(session).unwrap(),
            opened_at: Position::new(opened_at),
        });
        let messages = vec![Message::User { content: "four".into() }];
        let deadline = self.clock.now() + std::time::Duration::from_secs(60);
        CompletionRequest { messages, tools: Arc::new([]), deadline, lane, turn }
    }
}

/// A dollar for a million tokens read and two for those written: a call is expected to cost 195 millionths of one.
const PRICES: &str = r#"{"date": "2026-01-01", "source": "a test", "models": [
    {"provider": "lab", "model": "priced", "input": "1.00", "output": "2.00"},
    {"provider": "lab", "model": "dear", "input": "10.00", "output": "20.00"}]}"#;

fn info(model: &str) -> BrainInfo {
    BrainInfo { name: "lab".into(), model: model.into(), context_tokens: 1000, free: false }
}

fn tokens(most: u64) -> CapLimit {
    CapLimit { tokens: Some(most), money: None }
}

fn micros(most: u64) -> CapLimit {
    CapLimit { tokens: None, money: Some(Money::from_micros(most)) }
}

fn day(limit: CapLimit) -> Caps {
    Caps { day: limit, ..Caps::default() }
}

async fn ask(brain: &impl Brain, request: &CompletionRequest) -> Result<Completion, BrainError> {
    brain.complete(request, &Deltas::none()).await
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}
