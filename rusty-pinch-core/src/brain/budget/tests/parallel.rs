//! Many turns at once, on one store and on two stores that share a folder.

use async_trait::async_trait;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use super::*;
use crate::agent::{Agent, TurnError};

const TURNS: usize = 20;
/// Longer than any of this takes, so that a turn that panicked does not leave the others waiting for ever.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

/// A brain that answers nobody until every turn was either refused or is waiting for it.
#[derive(Clone, Debug)]
struct Gathering {
    info: BrainInfo,
    waiting: Arc<AtomicU64>,
    doors: Arc<Semaphore>,
}

#[async_trait]
impl Brain for Gathering {
    fn info(&self) -> &BrainInfo {
        &self.info
    }

    async fn complete(&self, request: &CompletionRequest, _: &Deltas) -> Result<Completion, BrainError> {
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let _door = self.doors.acquire().await;
        // As much as was expected, and not a token more.
        let usage = Some(estimate::estimate(request, ANSWER));
        Ok(Completion { usage, ..Completion::text("fine") })
    }
}

/// Lets 20 turns begin at once on these stores, and says what they took together and each.
async fn crowd(world: &World, stores: Vec<Arc<dyn Store>>) -> (u64, u64) {
    let info = BrainInfo { context_tokens: 100_000, ..info("priced") };
    let brain = Gathering { info, waiting: Arc::default(), doors: Arc::new(Semaphore::new(0)) };
    let agents = stores.into_iter().map(|store| {
        let brain = world.budget(Arc::clone(&store)).around(brain.clone(), Billing::ByToken);
        Agent::builder(brain).store(store).clock(Arc::clone(&world.clock)).build()
    });
    let agents: Vec<_> = agents.collect();
    let (mut turns, refused) = (JoinSet::new(), Arc::new(AtomicU64::new(0)));
    for turn in 0..TURNS {
        let (agent, refused) = (agents[turn % agents.len()].clone(), Arc::clone(&refused));
        turns.spawn(async move {
            let reply = agent.turn(format!("s{turn}"), "hello").await;
            match &reply {
                Err(TurnError::Brain(BrainError::OverBudget { .. })) => refused.fetch_add(1, Ordering::SeqCst),
                Ok(_) => 0,
                Err(other) => panic!("{other:?}"),
            };
        });
    }
    let gathered = async {
        while brain.waiting.load(Ordering::SeqCst) + refused.load(Ordering::SeqCst) < TURNS as u64 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(PATIENCE, gathered).await.expect("every turn is refused or reaches the brain");
    brain.doors.add_permits(TURNS);
    while let Some(turn) = turns.join_next().await {
        turn.unwrap();
    }
    let report = world.report(Arc::clone(agents[0].store())).await;
    assert_eq!(report.interactive.open_calls, 0);
    assert_eq!(report.interactive.calls, brain.waiting.load(Ordering::SeqCst), "{report:?}");
    (report.interactive.tokens, report.interactive.tokens / report.interactive.calls.max(1))
}

async fn check(stores: impl Fn() -> Vec<Arc<dyn Store>>) {
    // What one turn takes, learned by letting all of them through.
    let world = World::new(day(tokens(u64::MAX)));
    let (all, one) = crowd(&world, stores()).await;
    assert_eq!(all, one * TURNS as u64);
    for fitting in [0, 1, 7] {
        let cap = one * fitting + one / 2;
        let world = World::new(day(tokens(cap)));
        let (spent, _) = crowd(&world, stores()).await;
        assert!(spent <= cap + one, "{spent} of {cap} spent, and a call takes {one}");
        assert_eq!(spent, one * fitting, "what fits is let through");
    }
}

#[tokio::test]
async fn b6_twenty_parallel_turns_pass_a_cap_by_no_more_than_one_call() {
    check(|| vec![Arc::new(MemoryStore::new())]).await;
}

#[cfg(feature = "sqlite")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn b6_twenty_parallel_turns_on_two_stores_of_one_folder_do_neither() {
    use crate::store::LocalStore;

    let folders = std::sync::Mutex::new(Vec::new());
    check(|| {
        let folder = tempfile::tempdir().unwrap();
        let open = || Arc::new(LocalStore::open(folder.path()).unwrap()) as Arc<dyn Store>;
        let stores = vec![open(), open()];
        folders.lock().unwrap().push(folder);
        stores
    })
    .await;
}

#[cfg(feature = "sqlite")]
#[tokio::test]
async fn what_was_spent_is_there_after_a_restart() {
    use crate::store::LocalStore;

    let folder = tempfile::tempdir().unwrap();
    let world = World::new(Caps { session: tokens(3 * CALL), ..Caps::default() });
    let request = world.request(Lane::Interactive, Some(("s", 0)));
    for process in 0..4 {
        let brain = world.brain(LocalStore::open(folder.path()).unwrap(), None);
        assert_eq!(ask(&brain, &request).await.is_ok(), process < 3, "process {process}");
    }
}
