//! A small world for a turn: a counter that tools change, a brain that follows a script, a clock that stands still.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use rusty_pinch_core::testing::{ScriptedBrain, SeededEntropy, VirtualClock};
use rusty_pinch_core::{
    Agent, AgentBuilder, Assessment, Bound, Brain, CallOutcome, Change, Completion, CompletionRequest, Entry, Event,
    Guard, Hands, HandsError, Invocation, JournalId, Key, KeyRange, LockName, MemoryStore, Message, OutcomeStatus,
    Page, Position, Record, Repeat, Reply, Revision, Risk, SessionId, Sha256Digest, Span, Store, StoreError, ToolCall,
    ToolName, ToolSpec,
};
use serde_json::json;

/// Hands with one tool of each kind. Each run counts.
#[derive(Debug)]
pub(crate) struct Counters {
    tools: Arc<[ToolSpec]>,
    pub(crate) looks: AtomicU32,
    pub(crate) sets: AtomicU32,
    pub(crate) adds: AtomicU32,
    pub(crate) pays: AtomicU32,
    /// The content that `pay` depends on; changing it after an approval must stop the payment.
    pub(crate) script: AtomicU32,
}

impl Default for Counters {
    fn default() -> Self {
        let tools = [
            spec("look", Repeat::ReadOnly, Risk::Low),
            spec("set", Repeat::Idempotent, Risk::Low),
            spec("add", Repeat::Once, Risk::Low),
            spec("pay", Repeat::Once, Risk::Critical),
        ];
        let [looks, sets, adds, pays, script] = Default::default();
        Self { tools: tools.into(), looks, sets, adds, pays, script }
    }
}

impl Counters {
    fn counter(&self, tool: &str) -> Option<&AtomicU32> {
        match tool {
            "look" => Some(&self.looks),
            "set" => Some(&self.sets),
            "add" => Some(&self.adds),
            "pay" => Some(&self.pays),
            _ => None,
        }
    }

    pub(crate) fn count(&self, tool: &str) -> u32 {
        self.counter(tool).map_or(0, |counter| counter.load(Ordering::SeqCst))
    }

    fn bound(&self) -> Bound {
        let content = self.script.load(Ordering::SeqCst).to_le_bytes();
        Bound { what: "script".into(), sha256: Sha256Digest::of(&content) }
    }
}

fn spec(name: &str, repeat: Repeat, risk: Risk) -> ToolSpec {
    ToolSpec {
        name: ToolName::new(name).unwrap(),
        description: format!("counts `{name}`"),
        parameters: json!({"type": "object", "properties": {"n": {"type": "integer"}}}),
        positional: vec!["n".into()],
        repeat,
        risk,
        examples: vec![],
        kind: Default::default(),
        output: Default::default(),
    }
}

#[async_trait]
impl Hands for Counters {
    fn tools(&self) -> Arc<[ToolSpec]> {
        Arc::clone(&self.tools)
    }

    async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError> {
        let bound = if call.name == "pay" { vec![self.bound()] } else { vec![] };
        Ok(Assessment {
            risk: Risk::Low,
            summary: format!("{} {}", call.name, call.arguments),
            bound,
            stands_for: None,
        })
    }

    async fn invoke(&self, invocation: &Invocation) -> Result<CallOutcome, HandsError> {
        let name = &invocation.call.name;
        if invocation.bound.iter().any(|bound| *bound != self.bound()) {
            return Err(HandsError::NotStarted { tool: name.clone(), why: "the script changed".into() });
        }
        match self.counter(name) {
            Some(counter) => {
                let n = counter.fetch_add(1, Ordering::SeqCst) + 1;
                Ok(CallOutcome::ok(format!("{name} ran {n}")))
            }
            None => Ok(CallOutcome::failed(format!("there is no tool `{name}`"))),
        }
    }
}

/// Asks for the tools that the person's last message names, then answers with their results.
pub(crate) fn obedient() -> ScriptedBrain {
    ScriptedBrain::new(|request| Ok(answer(request)))
}

fn answer(request: &CompletionRequest) -> Completion {
    let last_user = request.messages.iter().rposition(|message| matches!(message, Message::User { .. })).unwrap_or(0);
    let since = &request.messages[last_user..];
    let results: Vec<&str> = since
        .iter()
        .filter_map(|message| match message {
            Message::Tool { content, .. } => Some(content.as_str()),
            _ => None,
        })
        .collect();
    let text = since[0].content();
    let calls: Vec<_> = text.strip_prefix("run ").map_or_else(Vec::new, |names| names.split(' ').collect());
    if calls.is_empty() || results.len() >= calls.len() {
        return Completion::text(if results.is_empty() { format!("you said: {text}") } else { results.join("; ") });
    }
    let mut completion = Completion::default();
    for name in calls {
        completion.calls.extend(Completion::call(name, json!({"n": 1})).calls);
    }
    completion
}

pub(crate) struct World {
    pub(crate) counters: Arc<Counters>,
    pub(crate) clock: Arc<VirtualClock>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self { counters: Arc::new(Counters::default()), clock: Arc::new(VirtualClock::default()) }
    }

    pub(crate) fn builder(&self, brain: impl Brain) -> AgentBuilder {
        Agent::builder(brain)
            .hands(Arc::clone(&self.counters))
            .clock(Arc::clone(&self.clock))
            .entropy(SeededEntropy::default())
    }

    pub(crate) fn agent(&self) -> Agent {
        self.builder(obedient()).build()
    }
}

/// The session's entries, oldest first.
pub(crate) async fn journal(agent: &Agent, session: &str) -> Vec<Arc<Entry>> {
    let journal = JournalId::from(&SessionId::new(session).unwrap());
    agent.store().read(&journal, Span::Last(1000)).await.unwrap().entries().cloned().collect()
}

/// The roles of the session's entries, and of each outcome its status.
pub(crate) async fn shape(agent: &Agent, session: &str) -> Vec<String> {
    let role = |entry: &Arc<Entry>| match &entry.event {
        Event::Tool { outcome, .. } if outcome.status != OutcomeStatus::Ok => {
            format!("tool:{:?}", outcome.status).to_lowercase()
        }
        event => event.role().to_owned(),
    };
    journal(agent, session).await.iter().map(role).collect()
}

pub(crate) fn said(reply: Reply) -> String {
    match reply {
        Reply::Said(text) => text,
        other => panic!("expected an answer, not {other:?}"),
    }
}

/// A store whose every step lets other tasks go first, so that whatever can race does.
#[derive(Clone, Debug, Default)]
pub(crate) struct Yielding(MemoryStore);

#[async_trait]
impl Store for Yielding {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        tokio::task::yield_now().await;
        self.0.lock(name, wait).await
    }

    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        tokio::task::yield_now().await;
        self.0.append(journal, at, entries).await
    }

    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        tokio::task::yield_now().await;
        self.0.read(journal, span).await
    }

    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        tokio::task::yield_now().await;
        self.0.commit(changes).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        tokio::task::yield_now().await;
        self.0.get(key).await
    }

    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        tokio::task::yield_now().await;
        self.0.scan(keys, limit).await
    }
}
