use std::collections::BTreeMap;
use std::sync::Mutex;

use super::*;
use crate::brain::{AccountId, CodexConfig, ErrorClass, PoolPolicy, QuotaGauge};
use crate::store::MemoryStore;
use crate::sys::{Captured, Command, Ending, Exit, Lines, SpawnError};
use crate::testing::{ScriptedBrain, VirtualClock};

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1000)
}

#[derive(Debug)]
struct Cli;

#[async_trait::async_trait]
impl Spawn for Cli {
    async fn run(&self, _: &Command, _: &Lines) -> Result<Exit, SpawnError> {
        let stdout = Captured { bytes: b"codex-cli 1.0".to_vec(), truncated: false };
        Ok(Exit { ending: Ending::Code(0), stdout, stderr: Captured::default() })
    }
}

/// One account that is asked four times a window and does what `script` says to a prompt.
struct Rig {
    clock: Arc<VirtualClock>,
    disk: MemoryStore,
    asked: Arc<Mutex<BTreeMap<String, u32>>>,
}

type Script = fn(&str) -> Result<Completion, BrainError>;

impl Rig {
    fn new() -> Self {
        Self { clock: Arc::new(VirtualClock::new(at(0))), disk: MemoryStore::new(), asked: Arc::default() }
    }

    fn work(&self, script: Script) -> CodexWork {
        let home = &std::env::temp_dir();
        let mut config = CodexConfig::new("codex", home);
        config.api_key = Some("k".into());
        let account = CodexAccount::new(AccountId::usual(), config, 4);
        let policy = PoolPolicy { window: Duration::from_secs(100), ..PoolPolicy::default() };
        let asked = Arc::clone(&self.asked);
        let brain = move |_: &CodexAccount, _: Arc<QuotaGauge>| -> Arc<dyn Brain> {
            let asked = Arc::clone(&asked);
            Arc::new(ScriptedBrain::new(move |request| {
                let Some(Message::User { content }) = request.messages.last() else { panic!("no prompt") };
                *asked.lock().unwrap().entry(content.clone()).or_default() += 1;
                script(content)
            }))
        };
        let store: Arc<dyn Store> = Arc::new(self.disk.clone());
        let pool = CodexPool::new(vec![account], policy, Arc::clone(&store), self.clock.clone(), brain);
        let config = CodexWorkConfig { queue_capacity: 3, ..CodexWorkConfig::default() };
        CodexWork::new(Arc::new(pool), config, store, Arc::new(Cli))
    }

    fn asked(&self, prompt: &str) -> u32 {
        self.asked.lock().unwrap().get(prompt).copied().unwrap_or(0)
    }
}

fn task(prompt: &str, lane: Lane) -> CodexTask {
    CodexTask::new(prompt, "general", lane).unwrap()
}

fn echo(prompt: &str) -> Result<Completion, BrainError> {
    Ok(Completion { attempts: 1, ..Completion::text(format!("re: {prompt}")) })
}

fn overloaded(_: &str) -> Result<Completion, BrainError> {
    Err(BrainError::Overloaded { brain: "codex".into(), detail: "busy".into(), retry_at: None })
}

fn output(worked: &Worked) -> &str {
    match worked {
        Worked::Ended(FinishedTask { ending: TaskEnding::Executed { output, .. }, .. }) => output,
        other => panic!("{other:?}"),
    }
}

async fn submit(work: &CodexWork, prompt: &str, lane: Lane) -> Submitted {
    work.submit(&task(prompt, lane)).await.unwrap()
}

#[tokio::test]
async fn b5_background_work_queues_at_the_reserve_and_goes_on_when_the_window_ends() {
    let rig = Rig::new();
    let work = rig.work(echo);
    for n in 0..3 {
        let Submitted::Worked(worked) = submit(&work, &format!("{n}"), Lane::Background).await else { panic!("{n}") };
        assert_eq!(output(&worked), format!("re: {n}"));
    }
    let queued = submit(&work, "later", Lane::Background).await;
    assert!(
        matches!(queued, Submitted::Queued { task_id: 4, depth: 1, reason: QueueReason::RateLimitThreshold, .. }),
        "{queued:?}"
    );
    assert!(matches!(work.drain_one().await.unwrap(), Worked::Nothing { error: Some(BrainError::Reserved { .. }) }));
    // A person is served from the reserve, and then nobody is.
    let Submitted::Worked(worked) = submit(&work, "me", Lane::Interactive).await else { panic!() };
    assert_eq!(output(&worked), "re: me");
    let me_too = submit(&work, "me too", Lane::Interactive).await;
    assert!(matches!(me_too, Submitted::Queued { reason: QueueReason::NoAccountAvailable, .. }), "{me_too:?}");
    let status = work.status().await.unwrap();
    assert_eq!((status.open.len(), status.queues_because), (2, Some(QueueReason::NoAccountAvailable)));
    assert_eq!(work.agenda().await.unwrap().look_at, Some(at(100)));

    rig.clock.set(at(100));
    let again = rig.work(echo);
    assert_eq!(output(&again.drain_one().await.unwrap()), "re: me too");
    assert_eq!(output(&again.drain_one().await.unwrap()), "re: later");
    assert!(matches!(again.drain_one().await.unwrap(), Worked::Nothing { error: None }));
    assert_eq!(again.results().await.unwrap().len(), 6);
}

#[tokio::test]
async fn a_new_task_takes_older_ones_along_instead_of_waiting_for_ever_behind_them() {
    let rig = Rig::new();
    let work = rig.work(echo);
    work.queue.add(&task("old", Lane::Background), at(0)).await.unwrap();
    let Submitted::Worked(worked) = submit(&work, "new", Lane::Background).await else { panic!() };
    assert_eq!((output(&worked), rig.asked("old")), ("re: new", 1));
    assert!(work.status().await.unwrap().open.is_empty());
}

#[tokio::test]
async fn a_full_queue_refuses_but_a_person_is_served() {
    let rig = Rig::new();
    let work = rig.work(overloaded);
    for n in 0..3 {
        work.queue.add(&task(&format!("{n}"), Lane::Background), at(0)).await.unwrap();
    }
    let full = work.submit(&task("one more", Lane::Background)).await.unwrap_err();
    assert!(matches!(full, WorkError::Queue(super::super::QueueError::Full { capacity: 3 })), "{full:?}");
    let work = rig.work(echo);
    assert!(matches!(submit(&work, "me", Lane::Interactive).await, Submitted::Worked(Worked::Ended(_))));
}

#[tokio::test]
async fn a_task_that_fails_is_tried_again_later_and_parked_with_its_reason_at_last() {
    let rig = Rig::new();
    let work = rig.work(overloaded);
    work.queue.add(&task("x", Lane::Background), at(0)).await.unwrap();
    for attempt in 1..TASK_ATTEMPTS_MAX {
        let worked = work.drain_one().await.unwrap();
        assert!(matches!(worked, Worked::PutBack { reason: QueueReason::Retry, .. }), "{attempt}: {worked:?}");
        assert!(matches!(work.drain_one().await.unwrap(), Worked::Nothing { error: None }), "it is not tried at once");
        rig.clock.set(work.agenda().await.unwrap().look_at.unwrap());
        rig.clock.advance(Duration::from_secs(100));
    }
    let Worked::Ended(FinishedTask { ending: TaskEnding::Parked { reason }, attempts, .. }) =
        work.drain_one().await.unwrap()
    else {
        panic!()
    };
    assert!(reason.contains("busy") && attempts == TASK_ATTEMPTS_MAX && rig.asked("x") == attempts, "{reason}");
    assert_eq!(work.results().await.unwrap().len(), 1);
}

#[test]
fn what_becomes_of_a_failure() {
    let detail = || "x".to_owned();
    let brain = || "codex".to_owned();
    let waits = |reason, seconds, counts| Becomes::Waiting { reason, not_before: at(seconds), counts };
    for (error, attempts, expected) in [
        (BrainError::ContextTooLong { brain: brain(), detail: detail() }, 1, Becomes::Parked),
        (BrainError::Rejected { brain: brain(), detail: detail() }, 1, Becomes::Parked),
        (BrainError::Cut { brain: brain(), detail: detail() }, 1, waits(QueueReason::Retry, 10, true)),
        (BrainError::Cut { brain: brain(), detail: detail() }, 3, waits(QueueReason::Retry, 40, true)),
        (BrainError::Cut { brain: brain(), detail: detail() }, TASK_ATTEMPTS_MAX, Becomes::Parked),
        (
            BrainError::Overloaded { brain: brain(), detail: detail(), retry_at: Some(at(77)) },
            1,
            waits(QueueReason::Retry, 77, true),
        ),
        (
            BrainError::Reserved { brain: brain(), remaining_percent: 1, until_at: Some(at(9)) },
            9,
            waits(QueueReason::RateLimitThreshold, 9, false),
        ),
        (
            BrainError::NoAccount { brain: brain(), detail: detail(), asked: 2, retry_at: None },
            9,
            waits(QueueReason::NoAccountAvailable, 30, false),
        ),
        (
            BrainError::BudgetUnknown {
                brain: brain(),
                source: Box::new(StoreError::Damaged { what: detail(), why: detail() }.into()),
            },
            9,
            waits(QueueReason::SpendingCap, 30, false),
        ),
    ] {
        assert_eq!(becomes(&error, attempts, at(0)), expected, "{error} {:?}", error.class() == ErrorClass::Never);
    }
}

#[tokio::test]
async fn a_task_whose_workers_are_ended_is_parked_in_the_end() {
    let rig = Rig::new();
    let work = rig.work(echo);
    work.queue.add(&task("x", Lane::Background), at(0)).await.unwrap();
    for n in 0..TASK_ATTEMPTS_MAX {
        let now = rig.clock.now();
        let open = work.queue.open().await.unwrap();
        assert!(work.queue.claim(open[0].clone(), now + LEASE).await.unwrap().is_some(), "{n}");
        assert!(matches!(work.drain_one().await.unwrap(), Worked::Nothing { .. }), "it is held");
        rig.clock.advance(LEASE);
    }
    let worked = work.drain_one().await.unwrap();
    assert!(
        matches!(&worked, Worked::Ended(FinishedTask { ending: TaskEnding::Parked { reason }, .. }) if reason.contains("5 attempts")),
        "{worked:?}"
    );
    assert_eq!(rig.asked("x"), 0);
}

/// A brain that answers when it is told to.
#[derive(Debug)]
struct Slow {
    info: crate::brain::BrainInfo,
    go: tokio::sync::Notify,
}

#[async_trait::async_trait]
impl Brain for Slow {
    fn info(&self) -> &crate::brain::BrainInfo {
        &self.info
    }
    async fn complete(&self, _: &CompletionRequest, _: &Deltas) -> Result<Completion, BrainError> {
        self.go.notified().await;
        echo("slow")
    }
}

#[tokio::test]
async fn a_long_answer_keeps_its_lease_and_a_lost_one_is_thrown_away() {
    for is_taken in [false, true] {
        let rig = Rig::new();
        let info = crate::brain::BrainInfo { name: "s".into(), model: "s".into(), context_tokens: 9, free: false };
        let slow = Arc::new(Slow { info, go: tokio::sync::Notify::new() });
        let account = CodexAccount::new(AccountId::usual(), CodexConfig::new("codex", "/h"), 4);
        let store: Arc<dyn Store> = Arc::new(rig.disk.clone());
        let pool =
            CodexPool::new(vec![account], PoolPolicy::default(), Arc::clone(&store), rig.clock.clone(), |_, _| {
                slow.clone()
            });
        let work = Arc::new(CodexWork::new(Arc::new(pool), CodexWorkConfig::default(), store, Arc::new(Cli)));
        work.queue.add(&task("x", Lane::Background), at(0)).await.unwrap();
        let running = tokio::spawn({
            let work = Arc::clone(&work);
            async move { work.drain_one().await.unwrap() }
        });
        for _ in 0..10 {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            rig.clock.advance(RENEW_EVERY);
        }
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        let open = work.queue.open().await.unwrap();
        assert!(open[0].row.is_held(rig.clock.now()), "it gave signs of life");
        if is_taken {
            work.queue.claim(open[0].clone(), rig.clock.now() + LEASE).await.unwrap().unwrap();
        }
        slow.go.notify_one();
        let worked = running.await.unwrap();
        assert_eq!(matches!(worked, Worked::Lost { .. }), is_taken, "{worked:?}");
        assert_eq!(work.results().await.unwrap().len(), usize::from(!is_taken));
    }
}

#[tokio::test]
async fn accounts_are_due_for_a_look_by_their_interval_and_a_report_is_kept() {
    let rig = Rig::new();
    let work = rig.work(echo);
    assert_eq!(work.agenda().await.unwrap().checks, [("default".to_owned(), at(0))]);
    assert!(work.check("default").await.unwrap().healthy);
    assert_eq!(rig.work(echo).agenda().await.unwrap().checks, [("default".to_owned(), at(300))]);
    assert_eq!(work.status().await.unwrap().pool.accounts[0].last_healthcheck_at, Some(at(0)));
    assert!(matches!(work.check("nobody").await, Err(WorkError::UnknownAccount { .. })));
}
