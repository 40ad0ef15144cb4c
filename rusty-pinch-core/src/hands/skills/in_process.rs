//! A skill on a thread of this process, for embedders whose program can't be started again as a child.
//!
//! The same engine with the same limits and a deadline. What it does not have: a bound on the memory of all values
//! together, a kill inside one native call, and a wall against a fault of Rhai itself. A run that does not end in time is
//! given up at its deadline; its thread ends at the next look at the deadline.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::bounds::{GRACE_AFTER_DEADLINE, IN_PROCESS_RUNS_MAX, STACK_BYTES};
use super::failure::ScriptFailure;
use super::running::{Running, World};
use super::{HostCall, HostReply, SkillError, SkillHost, SkillJob, SkillOutput, SkillWork, check, engine, time_bound};
use crate::data::Timestamp;
use crate::sys::Clock;

/// A call, and where its reply goes.
type Asked = (HostCall, oneshot::Sender<HostReply>);
/// What a script came to and what it printed.
type Outcome = (Result<String, ScriptFailure>, Vec<String>);

/// Runs `job` on a thread of its own.
pub(super) async fn run(
    clock: &Arc<dyn Clock>,
    seats: &Arc<Seats>,
    job: &SkillJob,
    host: &dyn SkillHost,
) -> Result<SkillOutput, SkillError> {
    let time = job.deadline.since(clock.now());
    let abandoned = Abandoned::default();
    let (calls, mut asked) = mpsc::channel(1);
    let is_abandoned = Arc::clone(&abandoned.0);
    let world = Process { calls, is_abandoned, clock: Arc::clone(clock), deadline: job.deadline, time };
    let mut outcome = start(seats, job, world).map_err(|why| SkillError::Sandbox {
        skill: job.skill.clone(),
        why,
        fix: "wait until other skills have ended".to_owned(),
    })?;
    let mut given_up = clock.sleep_until(job.deadline + GRACE_AFTER_DEADLINE);
    let talk = async {
        loop {
            tokio::select! {
                biased;
                outcome = &mut outcome => return outcome,
                Some((call, reply)) = asked.recv() => {
                    // The script may be over in the meantime.
                    let _ = reply.send(host.call(call).await);
                }
            }
        }
    };
    let outcome = tokio::select! {
        biased;
        outcome = talk => outcome,
        () = &mut given_up => return Err(ScriptFailure::over(time_bound(time)).of(&job.skill)),
    };
    match outcome {
        Ok((Ok(text), printed)) => Ok(SkillOutput { text, printed }),
        Ok((Err(failure), _)) => Err(failure.of(&job.skill)),
        Err(_) => Err(ScriptFailure::failed("its thread ended without a word").of(&job.skill)),
    }
}

/// Starts the thread.
fn start(seats: &Arc<Seats>, job: &SkillJob, world: Process) -> Result<oneshot::Receiver<Outcome>, String> {
    let seat = Seats::take(seats).ok_or_else(|| format!("{IN_PROCESS_RUNS_MAX} skills run already"))?;
    let (source, work) = (Arc::clone(&job.source), job.work.clone());
    let (done, outcome) = oneshot::channel();
    let stack = usize::try_from(STACK_BYTES).unwrap_or(usize::MAX);
    let thread = std::thread::Builder::new().name("skill".to_owned()).stack_size(stack);
    let started = thread.spawn(move || {
        let _seat = seat;
        let (text, named) = match work {
            SkillWork::Check => {
                let _ = done.send((engine::guarded(|| check::shape_text(&source)), Vec::new()));
                return;
            }
            SkillWork::Run { text, named } => (text, named),
        };
        let script = || engine::guarded(|| engine::run(&*engine::compile_once(&source)?, &text));
        let _ = done.send(Running::new(world, named).enter(script));
    });
    started.map(|_| outcome).map_err(|error| format!("no thread could be started: {error}"))
}

/// Tells the thread, when it is dropped, that nobody waits any more.
#[derive(Debug, Default)]
struct Abandoned(Arc<AtomicBool>);

impl Drop for Abandoned {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// The threads of a sandbox that run at once, those included whose callers gave them up.
#[derive(Debug, Default)]
pub(super) struct Seats(AtomicUsize);

/// The right to one of them, given back when it is dropped.
#[derive(Debug)]
struct Seat(Arc<Seats>);

impl Seats {
    fn take(seats: &Arc<Self>) -> Option<Seat> {
        let more = |taken: usize| (taken < IN_PROCESS_RUNS_MAX).then(|| taken + 1);
        seats.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).ok().map(|_| Seat(Arc::clone(seats)))
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// The process, as a script's thread sees it.
#[derive(Debug)]
struct Process {
    calls: mpsc::Sender<Asked>,
    is_abandoned: Arc<AtomicBool>,
    clock: Arc<dyn Clock>,
    deadline: Timestamp,
    time: Duration,
}

impl World for Process {
    fn call(&self, call: HostCall) -> Option<HostReply> {
        let (reply, replied) = oneshot::channel();
        self.calls.blocking_send((call, reply)).ok()?;
        replied.blocking_recv().ok()
    }

    fn is_over(&self) -> Option<String> {
        if self.clock.now() >= self.deadline {
            return Some(time_bound(self.time));
        }
        self.is_abandoned.load(Ordering::Relaxed).then(|| "the patience of its caller".to_owned())
    }
}
