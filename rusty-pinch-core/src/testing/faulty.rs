//! A store, a brain and hands that fail and crash where a [`FaultPlan`] says.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;

use super::faults::{FaultPlan, Moment};
use crate::brain::{Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas};
use crate::data::{CallOutcome, ToolCall};
use crate::hands::{Assessment, Hands, HandsError, Invocation, ToolSpec};
use crate::store::{
    Change, Entry, Guard, JournalId, Key, KeyRange, LockName, Page, Position, Record, Revision, Span, Store, StoreError,
};

/// A store whose appends and commits are effects of a plan.
///
/// An append of nothing only looks, so it counts as a read. Injected failures are [`StoreError::Failed`], which
/// promises nothing about what happened.
#[derive(Clone, Debug)]
pub struct FaultyStore<S> {
    inner: S,
    plan: Arc<FaultPlan>,
    counts_reads: bool,
    counts_locks: bool,
}

impl<S: Store> FaultyStore<S> {
    /// Wraps `inner`.
    pub fn new(inner: S, plan: &Arc<FaultPlan>) -> Self {
        Self { inner, plan: Arc::clone(plan), counts_reads: false, counts_locks: false }
    }

    /// The same store, with reads, gets and scans counted as effects.
    #[must_use]
    pub fn counting_reads(mut self) -> Self {
        self.counts_reads = true;
        self
    }

    /// The same store, with the taking of locks counted as an effect.
    #[must_use]
    pub fn counting_locks(mut self) -> Self {
        self.counts_locks = true;
        self
    }

    async fn pass<T>(
        &self,
        counts: bool,
        what: String,
        effect: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        if !counts {
            return effect.await;
        }
        self.plan.pass(&what, effect, |moment| failed(&what, moment)).await
    }
}

fn failed(what: &str, moment: Moment) -> StoreError {
    StoreError::Failed { what: what.to_owned(), source: format!("an injected fault ({moment:?})").into() }
}

#[async_trait]
impl<S: Store> Store for FaultyStore<S> {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        self.pass(self.counts_locks, format!("lock {name}"), self.inner.lock(name, wait)).await
    }

    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        if entries.is_empty() {
            let what = format!("check the end of {journal}");
            return self.pass(self.counts_reads, what, self.inner.append(journal, at, entries)).await;
        }
        let roles: Vec<_> = entries.iter().map(|entry| entry.event.role()).collect();
        let what = format!("append {} to {journal}", roles.join(", "));
        let fault = self.plan.begin(&what).await;
        let half = async {
            match entries.split_at(entries.len() / 2).0 {
                [] => Moment::Before,
                some => match self.inner.append(journal, at, some).await {
                    Ok(_) => Moment::Within,
                    Err(_) => Moment::Before,
                },
            }
        };
        let whole = self.inner.append(journal, at, entries);
        self.plan.inflict(fault, whole, half, |moment| failed(&what, moment)).await
    }

    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        self.pass(self.counts_reads, format!("read {journal}"), self.inner.read(journal, span)).await
    }

    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        let keys: Vec<_> = changes.iter().map(|change| change.key.as_str()).collect();
        self.pass(true, format!("commit {}", keys.join(", ")), self.inner.commit(changes)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        self.pass(self.counts_reads, format!("get {key}"), self.inner.get(key)).await
    }

    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.pass(self.counts_reads, format!("scan {} to {}", keys.from, keys.until), self.inner.scan(keys, limit))
            .await
    }
}

/// A brain whose completions are effects of a plan. Injected failures are [`BrainError::Cut`], which may be retried.
#[derive(Clone, Debug)]
pub struct FaultyBrain<B> {
    inner: B,
    plan: Arc<FaultPlan>,
}

impl<B: Brain> FaultyBrain<B> {
    /// Wraps `inner`.
    pub fn new(inner: B, plan: &Arc<FaultPlan>) -> Self {
        Self { inner, plan: Arc::clone(plan) }
    }
}

#[async_trait]
impl<B: Brain> Brain for FaultyBrain<B> {
    fn info(&self) -> &BrainInfo {
        self.inner.info()
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let brain = self.info().name.clone();
        let cut = |moment| BrainError::Cut { brain, detail: format!("an injected fault ({moment:?})") };
        self.plan.pass("complete", self.inner.complete(request, deltas), cut).await
    }
}

/// Hands whose invocations are effects of a plan. Injected failures are [`HandsError::NotStarted`] before the call and
/// [`HandsError::Lost`] after it.
#[derive(Clone, Debug)]
pub struct FaultyHands<H> {
    inner: H,
    plan: Arc<FaultPlan>,
}

impl<H: Hands> FaultyHands<H> {
    /// Wraps `inner`.
    pub fn new(inner: H, plan: &Arc<FaultPlan>) -> Self {
        Self { inner, plan: Arc::clone(plan) }
    }
}

#[async_trait]
impl<H: Hands> Hands for FaultyHands<H> {
    fn tools(&self) -> Arc<[ToolSpec]> {
        self.inner.tools()
    }

    async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError> {
        self.inner.assess(call).await
    }

    async fn invoke(&self, invocation: &Invocation) -> Result<CallOutcome, HandsError> {
        let tool = invocation.call.name.clone();
        let what = format!("invoke {tool}");
        let error = |moment| match moment {
            Moment::Before => HandsError::NotStarted { tool, why: "an injected fault".into() },
            Moment::Within | Moment::After => HandsError::Lost { tool, why: "an injected fault".into() },
        };
        self.plan.pass(&what, self.inner.invoke(invocation), error).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{SessionId, Timestamp};
    use crate::store::{Event, MemoryStore, Precondition};
    use crate::testing::{Fault, ScriptedBrain, conformance, run_until_crash};
    use crate::{CallId, Lane};

    #[tokio::test]
    async fn a_store_without_faults_keeps_the_contract() {
        let faultless = async || FaultyStore::new(MemoryStore::new(), &FaultPlan::none());
        conformance::store(async || faultless().await.counting_reads().counting_locks()).await;
    }

    #[tokio::test]
    async fn an_append_happens_not_half_or_whole_as_the_fault_says() {
        for (fault, lines) in Fault::ALL.into_iter().zip([0, 1, 2, 0, 1, 2]) {
            let (disk, plan) = (MemoryStore::new(), FaultPlan::at(1, fault));
            let store = FaultyStore::new(disk.clone(), &plan);
            let journal = JournalId::from(&SessionId::new("demo").unwrap());
            let entry = Event::Stopped { content: "x".into() }.at(Timestamp::EPOCH);
            let entries = [entry.clone(), entry];
            let result = run_until_crash(&plan, store.append(&journal, Position::START, &entries)).await;
            assert_eq!(result.is_none(), fault.is_crash());
            assert!(matches!(result, None | Some(Err(StoreError::Failed { .. }))), "{result:?}");
            assert_eq!(disk.read(&journal, Span::Last(9)).await.unwrap().lines.len(), lines, "{fault:?}");
            assert_eq!(plan.trace(), [format!("append stopped, stopped to demo: {fault:?}")]);
        }
    }

    #[tokio::test]
    async fn a_commit_fails_with_or_without_having_happened() {
        for (fault, is_there) in [(Fault::FailBefore, false), (Fault::FailWithin, false), (Fault::FailAfter, true)] {
            let store = FaultyStore::new(MemoryStore::new(), &FaultPlan::at(1, fault));
            let key = Key::new(["a"]);
            let change = Change::put(key.clone(), Precondition::None, 1.into());
            store.commit(&[change]).await.unwrap_err();
            assert_eq!(store.get(&key).await.unwrap().is_some(), is_there, "{fault:?}");
        }
    }

    #[tokio::test]
    async fn a_lock_that_a_crashed_run_held_is_free() {
        let (disk, plan) = (MemoryStore::new(), FaultPlan::at(2, Fault::CrashAfter));
        let store = FaultyStore::new(disk.clone(), &plan).counting_locks();
        let run = async {
            let _guard = store.lock(&LockName::task("a"), Duration::ZERO).await;
            store.commit(&[]).await
        };
        assert!(run_until_crash(&plan, run).await.is_none());
        disk.lock(&LockName::task("a"), Duration::ZERO).await.unwrap();
    }

    #[tokio::test]
    async fn brains_and_hands_fail_with_the_errors_of_their_rooms() {
        let request = CompletionRequest {
            messages: vec![],
            tools: [].into(),
            deadline: Timestamp::EPOCH,
            lane: Lane::Background,
            turn: None,
        };
        let brain = FaultyBrain::new(ScriptedBrain::saying("hi"), &FaultPlan::at(1, Fault::FailAfter));
        let error = brain.complete(&request, &Deltas::none()).await.unwrap_err();
        assert!(matches!(error, BrainError::Cut { .. }), "{error}");
        assert_eq!(brain.complete(&request, &Deltas::none()).await.unwrap().content, "hi");

        let call = ToolCall { id: CallId::new("c").unwrap(), name: "t".into(), arguments: 1.into() };
        let session = SessionId::new("demo").unwrap();
        let invocation = Invocation { session, call, bound: vec![], deadline: Timestamp::EPOCH };
        let plan = FaultPlan::new([(1, Fault::FailBefore), (2, Fault::FailAfter)]);
        let hands = FaultyHands::new(Nodding, &plan);
        assert!(matches!(hands.invoke(&invocation).await, Err(HandsError::NotStarted { .. })));
        assert!(matches!(hands.invoke(&invocation).await, Err(HandsError::Lost { .. })));
        assert_eq!(hands.invoke(&invocation).await.unwrap(), CallOutcome::ok("done"));
    }

    /// Hands without a list of tools, which say yes to every call.
    #[derive(Debug)]
    struct Nodding;

    #[async_trait]
    impl Hands for Nodding {
        fn tools(&self) -> Arc<[ToolSpec]> {
            [].into()
        }
        async fn assess(&self, call: &ToolCall) -> Result<Assessment, HandsError> {
            Err(HandsError::NotStarted { tool: call.name.clone(), why: "not asked for".into() })
        }
        async fn invoke(&self, _: &Invocation) -> Result<CallOutcome, HandsError> {
            Ok(CallOutcome::ok("done"))
        }
    }
}
