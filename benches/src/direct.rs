//! A turn without the agent: the calls of the traits that a turn makes, one after the other, by hand.
//!
//! The test `tests/same_calls.rs` compares the calls with those of a real turn, so that the floor stays honest.

use std::sync::Arc;
use std::time::Duration;

use rusty_pinch_core::{
    Brain, BrainError, Clock, Completion, CompletionRequest, Deltas, Entropy, Entry, Event, Hands, JournalId, Key,
    KeyRange, Lane, LockName, Message, Page, SessionId, Span, Store, StoreError, SystemClock, SystemEntropy, builtin,
};

/// Lines that a turn reads at first.
const WINDOW_LINES: usize = 64;
/// Pinned notes that a turn asks for.
const NOTES_MAX: usize = 16;
const LOCK_WAIT: Duration = Duration::from_secs(30);
const TURN_TIME: Duration = Duration::from_secs(300);

/// What the calls are made on.
#[derive(Clone, Debug)]
pub struct Parts {
    /// Thinks.
    pub brain: Arc<dyn Brain>,
    /// Acts.
    pub hands: Arc<dyn Hands>,
    /// Remembers.
    pub store: Arc<dyn Store>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Gives random bytes.
    pub entropy: Arc<dyn Entropy>,
}

/// What a call may fail with.
#[derive(Debug)]
pub enum Failed {
    /// The store.
    Store(StoreError),
    /// The brain.
    Brain(BrainError),
    /// The turn took too long.
    TooLate,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Store(error) => error.fmt(f),
            Self::Brain(error) => error.fmt(f),
            Self::TooLate => f.write_str("the deadline is over"),
        }
    }
}

impl std::error::Error for Failed {}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl From<BrainError> for Failed {
    fn from(error: BrainError) -> Self {
        Self::Brain(error)
    }
}

impl Parts {
    /// The parts that an agent has whose builder was given `brain` and `store` only.
    pub fn new(brain: impl Brain, store: Arc<dyn Store>) -> Self {
        let (clock, entropy) = (Arc::new(SystemClock), Arc::new(SystemEntropy));
        let hands = builtin::toolbox(Arc::clone(&store), Arc::clone(&clock) as Arc<dyn Clock>, brain.info());
        Self { brain: Arc::new(brain), hands: Arc::new(hands), store, clock, entropy }
    }

    /// Keeps `message`, asks the brain with the history as messages, and keeps the answer.
    ///
    /// # Errors
    /// Whatever a part fails with.
    pub async fn turn(&self, session: &SessionId, message: &str) -> Result<String, Failed> {
        let deadline = self.clock.now() + TURN_TIME;
        let _began = self.clock.now();
        self.entropy.fill(&mut [0; 8]);
        let _waits_from = self.clock.now();
        let _guard = self.store.lock(&LockName::session(session), LOCK_WAIT).await?;
        let journal = JournalId::from(session);
        let page = self.store.read(&journal, Span::Last(WINDOW_LINES)).await?;
        let question = Event::User { content: message.to_owned(), key: None }.at(self.clock.now());
        let end = self.store.append(&journal, page.end, std::slice::from_ref(&question)).await?;
        let _noted_at = self.clock.now();
        let _pinned = self.store.scan(&KeyRange::under(["note-pinned"]), NOTES_MAX).await?;
        let request = CompletionRequest {
            messages: messages(&page, &question),
            tools: self.hands.tools(),
            deadline,
            lane: Lane::Interactive,
            turn: None,
        };
        if self.clock.now() >= deadline {
            return Err(Failed::TooLate);
        }
        let completion = self.brain.complete(&request, &Deltas::none()).await?;
        self.entropy.fill(&mut [0; 8]);
        let answer = answer(completion).at(self.clock.now());
        self.store.append(&journal, end, std::slice::from_ref(&answer)).await?;
        let _ended = self.clock.now();
        Ok(answer.event.content().to_owned())
    }
}

fn answer(completion: Completion) -> Event {
    let Completion { content, usage, .. } = completion;
    Event::Assistant { content, calls: Vec::new(), brain: Some("fixed".to_owned()), tried: Vec::new(), usage }
}

/// The history and the question as they are, without a budget.
pub fn messages(page: &Page, question: &Entry) -> Vec<Message> {
    page.entries().map(|entry| &**entry).chain([question]).filter_map(message).collect()
}

fn message(entry: &Entry) -> Option<Message> {
    match &entry.event {
        Event::User { content, .. } => Some(Message::User { content: content.clone() }),
        Event::Assistant { content, calls, .. } => {
            Some(Message::Assistant { content: content.clone(), calls: calls.clone() })
        }
        _ => None,
    }
}

/// A key for the `n`th record that is measured.
pub fn key(n: usize) -> Key {
    Key::new(["bench", &format!("{n:08}")])
}
