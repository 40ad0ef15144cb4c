mod failures;
mod matrix;
mod messages;
mod sending;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::*;
use crate::brain::{BrainError, Completion, CompletionRequest};
use crate::channel::{Channel, ChannelInfo, Inbound, InboundId, LoopbackChannel, LoopbackPeer, Outbound};
use crate::data::{Message, Timestamp};
use crate::hands::{Risk, Tool, Toolbox};
use crate::store::{Event, JournalId, KeyRange, MemoryStore, Span, Store};
use crate::sys::Clock;
use crate::testing::{FaultPlan, FaultyBrain, FaultyChannel, FaultyHands, FaultyStore, ScriptedBrain, VirtualClock};

/// What outlives a process: the disk, the peer with its wire, the time, and the effects that tools had.
struct World {
    disk: MemoryStore,
    clock: Arc<VirtualClock>,
    channel: Arc<LoopbackChannel>,
    peer: LoopbackPeer,
    marks: Arc<Mutex<Vec<String>>>,
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Mark {
    text: String,
}

/// Calls tools for `mark …` and `pay …`, fails for `break`, never answers `hang`, and repeats everything else.
fn script(request: &CompletionRequest) -> Result<Completion, BrainError> {
    Ok(match request.messages.last() {
        Some(Message::Tool { content, .. }) => Completion::text(format!("did: {content}")),
        Some(Message::User { content }) if content.starts_with("mark") => {
            Completion::call("mark", json!({"text": content}))
        }
        Some(Message::User { content }) if content.starts_with("pay") => {
            Completion::call("pay", json!({"text": content}))
        }
        Some(Message::User { content }) if content == "break" => {
            return Err(BrainError::Rejected { brain: "scripted".into(), detail: "see /etc/secret".into() });
        }
        Some(Message::User { content }) => Completion::text(format!("said: {content}")),
        _ => Completion::text("nothing was asked"),
    })
}

impl World {
    fn new(dedupes: bool) -> Self {
        let clock = Arc::<VirtualClock>::default();
        let info = ChannelInfo { name: "loop".into(), dedupes, text_units_max: 100_000 };
        let (channel, peer) = LoopbackChannel::pair_with(info, Arc::clone(&clock));
        Self { disk: MemoryStore::new(), clock, channel: Arc::new(channel), peer, marks: Arc::default() }
    }

    /// A fresh process's agent.
    fn agent(&self, plan: &Arc<FaultPlan>) -> Agent {
        self.agent_on(FaultyStore::new(self.disk.clone(), plan), plan)
    }

    fn agent_on(&self, store: impl Store, plan: &Arc<FaultPlan>) -> Agent {
        let tool = |name: &str, risk| {
            let marks = Arc::clone(&self.marks);
            Tool::new(name, "Leaves a mark").once().risk(risk).run(move |mark: Mark| {
                marks.lock().unwrap().push(mark.text.clone());
                async move { Ok(mark.text) }
            })
        };
        let tools = Toolbox::new().tool(tool("mark", Risk::Low)).tool(tool("pay", Risk::High));
        Agent::builder(FaultyBrain::new(ScriptedBrain::new(script), plan))
            .store(store)
            .clock(Arc::clone(&self.clock))
            .hands(FaultyHands::new(tools, plan))
            .build()
    }

    /// A fresh process's worker.
    fn worker(&self, plan: &Arc<FaultPlan>) -> ChannelWorker {
        ChannelWorker::new(self.agent(plan), FaultyChannel::new(Arc::clone(&self.channel), plan))
    }

    /// Runs `worker` until nothing happens any more for `rest` of virtual time, and drops it there.
    async fn run(&self, worker: &ChannelWorker, rest: Duration) -> Result<(), WorkerError> {
        let time_passes = async {
            for _ in 0..rest.as_secs() {
                self.step().await;
            }
        };
        tokio::select! {
            biased;
            result = worker.run() => result,
            () = time_passes => Ok(()),
        }
    }

    /// Waits until everything rests (the runtime's clock stands still and jumps only then), and lets a second pass.
    async fn step(&self) {
        tokio::time::sleep(Duration::from_millis(1)).await;
        self.clock.advance(Duration::from_secs(1));
    }

    async fn settle(&self) {
        self.run(&self.worker(&FaultPlan::none()), Duration::from_secs(10)).await.unwrap();
    }

    fn answers(&self) -> Vec<String> {
        self.peer.heard().into_iter().map(|outbound| outbound.text).collect()
    }

    async fn journal(&self, session: &str) -> Vec<Event> {
        let journal = JournalId::from(&SessionId::new(session).unwrap());
        let page = self.disk.read(&journal, Span::Last(1_000)).await.unwrap();
        page.entries().map(|entry| entry.event.clone()).collect()
    }

    async fn messages(&self, session: &str) -> Vec<String> {
        let users = self.journal(session).await.into_iter().filter_map(|event| match event {
            Event::User { content, .. } => Some(content),
            _ => None,
        });
        users.collect()
    }

    /// How many rows wait in a queue.
    async fn rows(&self, queue: &str) -> usize {
        self.disk.scan(&KeyRange::under(["channel", "loop", queue]), 1_000_000).await.unwrap().len()
    }

    async fn parked(&self) -> Vec<Parked> {
        self.worker(&FaultPlan::none()).parked().await.unwrap()
    }

    fn inbound(&self, id: &str, chat: &str, text: &str) -> Inbound {
        let at = self.clock.now();
        Inbound { id: InboundId(id.into()), chat: chat.into(), from: "someone".into(), text: text.into(), at }
    }
}
