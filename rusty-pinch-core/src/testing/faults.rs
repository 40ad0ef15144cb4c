//! Faults at chosen effects: the plan that decorators share, and the driver of a run that may crash.

use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

/// What happens at an effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Fault {
    /// It fails, and nothing happened.
    FailBefore,
    /// It fails halfway: of an append of several entries the first half is there. Others fail before.
    FailWithin,
    /// It happened, and fails nevertheless.
    FailAfter,
    /// The process dies, and nothing happened.
    CrashBefore,
    /// The process dies halfway: of an append of several entries the first half is there. Others die before.
    CrashWithin,
    /// It happened, and the process dies before anyone learns of it.
    CrashAfter,
}

impl Fault {
    /// Every fault.
    pub const ALL: [Self; 6] =
        [Self::FailBefore, Self::FailWithin, Self::FailAfter, Self::CrashBefore, Self::CrashWithin, Self::CrashAfter];

    /// Whether the process dies of it.
    pub fn is_crash(self) -> bool {
        matches!(self, Self::CrashBefore | Self::CrashWithin | Self::CrashAfter)
    }
}

/// When an injected failure came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// Nothing happened.
    Before,
    /// Part of it happened.
    Within,
    /// All of it happened.
    After,
}

/// Says at which effects which faults happen, and counts the effects. Shared by all decorators of a run.
///
/// Everything with an effect counts as one effect, in the order in which the effects begin, across all decorators of a
/// plan. A crash matrix runs once with a plan that injects nothing to learn how many effects there are, and then once
/// for each effect and [`Fault`], or for each pair of them:
///
/// ```
/// # use std::sync::Arc;
/// # use rusty_pinch_core::{JournalId, MemoryStore, Position, SessionId, Store, StoreError};
/// # use rusty_pinch_core::testing::{Fault, FaultPlan, FaultyStore, run_until_crash};
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() {
/// # let workload = async |store: &FaultyStore<MemoryStore>| { store.commit(&[]).await };
/// let count = {
///     let plan = FaultPlan::none();
///     let _ = workload(&FaultyStore::new(MemoryStore::new(), &plan)).await;
///     plan.count()
/// };
/// for effect in 1..=count {
///     for fault in Fault::ALL {
///         let (plan, disk) = (FaultPlan::at(effect, fault), MemoryStore::new());
///         // Each turn of the loop is a process: what it built is dropped when it crashes, the disk stays.
///         loop {
///             let store = FaultyStore::new(disk.clone(), &plan);
///             if run_until_crash(&plan, workload(&store)).await.is_some() {
///                 break;
///             }
///         }
///         // … check what is on `disk`; `plan.trace()` says what happened.
///     }
/// }
/// # }
/// ```
pub struct FaultPlan {
    faults: Vec<(u64, Fault)>,
    effects: Mutex<Vec<String>>,
    is_crashed: watch::Sender<bool>,
}

impl FaultPlan {
    /// A plan that only counts.
    pub fn none() -> Arc<Self> {
        Self::new([])
    }

    /// A plan with one fault, at the effect with this number; the first is 1.
    pub fn at(effect: u64, fault: Fault) -> Arc<Self> {
        Self::new([(effect, fault)])
    }

    /// A plan with these faults. Effects are counted on through crashes, so the second fault of a pair may hit what the
    /// process does after it died of the first.
    pub fn new(faults: impl IntoIterator<Item = (u64, Fault)>) -> Arc<Self> {
        Arc::new(Self {
            faults: faults.into_iter().collect(),
            effects: Mutex::default(),
            is_crashed: watch::Sender::new(false),
        })
    }

    /// How many effects began.
    pub fn count(&self) -> u64 {
        self.effects().len() as u64
    }

    /// The effects that began, in order, each with the fault it met.
    pub fn trace(&self) -> Vec<String> {
        self.effects().clone()
    }

    /// Whether every fault of the plan has happened.
    pub fn is_spent(&self) -> bool {
        let count = self.count();
        self.faults.iter().all(|(effect, _)| *effect <= count)
    }

    /// Waits for a crash. Whoever sees it drops the run: [`run_until_crash`] does.
    pub async fn crashed(&self) {
        // The sender lives as long as `self`, so waiting can't fail.
        let _ = self.is_crashed.subscribe().wait_for(|crashed| *crashed).await;
    }

    /// For decorators: runs `effect`, a step with the name `what`, as the plan says. `error` is the failure that the
    /// decorated thing reports.
    ///
    /// # Errors
    /// Those of `effect`, and the injected one.
    pub async fn pass<T, E>(
        &self,
        what: &str,
        effect: impl Future<Output = Result<T, E>>,
        error: impl FnOnce(Moment) -> E,
    ) -> Result<T, E> {
        let fault = self.begin(what).await;
        self.inflict(fault, effect, async { Moment::Before }, error).await
    }

    /// Counts an effect and says which fault it meets. Never returns once the process has died.
    pub(super) async fn begin(&self, what: &str) -> Option<Fault> {
        if *self.is_crashed.borrow() {
            std::future::pending::<()>().await;
        }
        let mut effects = self.effects();
        let number = effects.len() as u64 + 1;
        let fault = self.faults.iter().find(|(effect, _)| *effect == number).map(|(_, fault)| *fault);
        effects.push(fault.map_or_else(|| what.to_owned(), |fault| format!("{what}: {fault:?}")));
        fault
    }

    /// Runs `effect` under `fault`; `half` does part of it instead and says how much that was.
    pub(super) async fn inflict<T, E>(
        &self,
        fault: Option<Fault>,
        effect: impl Future<Output = Result<T, E>>,
        half: impl Future<Output = Moment>,
        error: impl FnOnce(Moment) -> E,
    ) -> Result<T, E> {
        let Some(fault) = fault else { return effect.await };
        let moment = match fault {
            Fault::FailBefore | Fault::CrashBefore => Moment::Before,
            Fault::FailWithin | Fault::CrashWithin => half.await,
            Fault::FailAfter | Fault::CrashAfter => {
                let result = effect.await;
                // A real failure needs no injected one, but a crash comes all the same.
                if result.is_err() && !fault.is_crash() {
                    return result;
                }
                Moment::After
            }
        };
        if fault.is_crash() {
            self.is_crashed.send_replace(true);
            std::future::pending::<()>().await;
        }
        Err(error(moment))
    }

    fn effects(&self) -> MutexGuard<'_, Vec<String>> {
        self.effects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for FaultPlan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FaultPlan").field("faults", &self.faults).field("effects", &self.trace()).finish()
    }
}

/// Drives `run` until it is done, or until the plan crashes it: then it is dropped where it stands, as a killed process
/// stands still, and the answer is none. The plan is alive again afterwards, for the run of the next process.
///
/// Tasks that the run spawned are not dropped with it; they stop for good at their next effect only if they come to it
/// while the run is dead. So a run should not leave tasks behind.
pub async fn run_until_crash<T>(plan: &FaultPlan, run: impl Future<Output = T>) -> Option<T> {
    let output = {
        // Boxed, so that the run is dropped before the plan comes back to life.
        let mut run = Box::pin(run);
        tokio::select! {
            biased;
            output = &mut run => Some(output),
            () = plan.crashed() => None,
        }
    };
    plan.is_crashed.send_replace(false);
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn step(plan: &FaultPlan, done: &Mutex<Vec<u32>>, n: u32) -> Result<u32, Moment> {
        let effect = async {
            done.lock().unwrap().push(n);
            Ok(n)
        };
        plan.pass(&format!("step {n}"), effect, |moment| moment).await
    }

    async fn run(plan: &FaultPlan, done: &Mutex<Vec<u32>>) -> Option<[Result<u32, Moment>; 3]> {
        let steps = async { [step(plan, done, 1).await, step(plan, done, 2).await, step(plan, done, 3).await] };
        run_until_crash(plan, steps).await
    }

    #[tokio::test]
    async fn each_fault_strikes_once_where_the_plan_says() {
        for (fault, expected, done) in [
            (Fault::FailBefore, Some(Err(Moment::Before)), vec![1, 3]),
            (Fault::FailWithin, Some(Err(Moment::Before)), vec![1, 3]),
            (Fault::FailAfter, Some(Err(Moment::After)), vec![1, 2, 3]),
            (Fault::CrashBefore, None, vec![1]),
            (Fault::CrashWithin, None, vec![1]),
            (Fault::CrashAfter, None, vec![1, 2]),
        ] {
            let (plan, log) = (FaultPlan::at(2, fault), Mutex::default());
            let found = run(&plan, &log).await;
            assert_eq!(found.map(|steps| steps[1]), expected, "{fault:?}");
            assert_eq!(*log.lock().unwrap(), done, "{fault:?}");
            assert!(plan.is_spent() && plan.trace()[1] == format!("step 2: {fault:?}"));
            assert!(run(&plan, &log).await.is_some(), "the next process runs to its end");
        }
    }

    #[tokio::test]
    async fn a_pair_strikes_in_the_process_after_the_crash_too() {
        let (plan, done) = (FaultPlan::new([(2, Fault::CrashAfter), (3, Fault::CrashBefore)]), Mutex::default());
        assert_eq!((run(&plan, &done).await, run(&plan, &done).await), (None, None));
        assert_eq!(run(&plan, &done).await, Some([Ok(1), Ok(2), Ok(3)]));
        assert_eq!((*done.lock().unwrap()).clone(), [1, 2, 1, 2, 3]);
        assert_eq!(plan.count(), 6);
    }

    #[tokio::test]
    async fn whatever_runs_beside_a_crash_stands_still_too() {
        let (plan, done) = (FaultPlan::at(1, Fault::CrashBefore), Mutex::default());
        let both = async { tokio::join!(step(&plan, &done, 1), step(&plan, &done, 2)) };
        assert!(run_until_crash(&plan, both).await.is_none());
        assert!(done.lock().unwrap().is_empty());
    }
}
