//! What Codex does when nobody waits: tasks out of the queue, and a look at the accounts.
//!
//! It joins the pool, the queue and the health checks, and decides what becomes of a task. It starts nothing by itself:
//! the pulse, or a person at a terminal, asks it to. With an empty queue no model is asked.

mod outcome;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::health::{HealthChecks, HealthReport};
use super::pool::{CodexAccount, CodexPool};
use super::queue::{
    self, CodexQueue, CodexTask, FinishedTask, LEASE, RENEW_EVERY, TASK_ATTEMPTS_MAX, TASK_OUTPUT_BYTES_MAX,
    TASK_RESULTS_KEPT, TaskEnding, TaskLease, TaskTicket,
};
use crate::brain::{Brain, BrainError, Completion, CompletionRequest, Deltas, Lane};
use crate::data::{Message, Timestamp};
use crate::store::{Revision, Store, StoreError};
use crate::sys::{Clock, Spawn};
use outcome::{Agenda, Becomes, becomes, reason};

pub use outcome::{CodexStatus, CodexWorkConfig, QueueReason, Submitted, WorkError, Worked};

/// How long one attempt at a task may take, all accounts together.
const TASK_TIME_MAX: Duration = Duration::from_secs(3600);
/// How many older tasks a new one that nobody waits for takes along before itself.
const TAKES_ALONG: usize = 4;

/// Codex for work that can wait.
pub struct CodexWork {
    pool: Arc<CodexPool>,
    queue: CodexQueue,
    checks: HealthChecks,
    check_every: Duration,
    clock: Arc<dyn Clock>,
}

impl CodexWork {
    /// Work for `pool`; its tasks are kept in `store`, its programs run through `spawn`.
    pub fn new(pool: Arc<CodexPool>, config: CodexWorkConfig, store: Arc<dyn Store>, spawn: Arc<dyn Spawn>) -> Self {
        let clock = Arc::clone(pool.clock());
        let checks = HealthChecks { arguments: config.check_arguments, spawn, clock: Arc::clone(&clock) };
        let queue = CodexQueue::new(store, config.queue_capacity);
        Self { pool, queue, checks, check_every: config.check_every, clock }
    }

    /// The accounts, in the order in which they are configured.
    pub fn accounts(&self) -> impl Iterator<Item = &CodexAccount> {
        self.pool.accounts()
    }

    /// How Codex stands. Asks nobody.
    ///
    /// # Errors
    /// [`WorkError`] when the records can't be read.
    pub async fn status(&self) -> Result<CodexStatus, WorkError> {
        let (now, tickets) = (self.clock.now(), self.queue.open().await?);
        let refusal = self.pool.refusal(Lane::Background).await?;
        let is_behind = queue::next(&tickets, now, |_| true).is_some();
        Ok(CodexStatus {
            pool: self.pool.status().await?,
            open: tickets.iter().map(|ticket| queue::shown(ticket, now)).collect(),
            queue_capacity: self.queue.capacity(),
            queues_because: refusal
                .map(|error| reason(&error))
                .or_else(|| is_behind.then_some(QueueReason::QueueBackpressure)),
        })
    }

    /// The results of the tasks that ended last, the newest first.
    ///
    /// # Errors
    /// [`StoreError`] when they can't be read.
    pub async fn results(&self) -> Result<Vec<FinishedTask>, StoreError> {
        self.queue.finished(TASK_RESULTS_KEPT).await
    }

    /// Asks for `task` now if an account may be asked, and queues it if not. It is durable before it is asked for. One
    /// that nobody waits for stands behind those that came before it, and takes a few of them along.
    ///
    /// # Errors
    /// [`WorkError`] when it could not be queued. Then it is not kept.
    pub async fn submit(&self, task: &CodexTask) -> Result<Submitted, WorkError> {
        let refused = self.pool.refusal(task.lane).await?;
        let now = self.clock.now();
        if task.lane == Lane::Interactive && refused.is_none() {
            let lease = self.queue.add_held(task, now, now + LEASE).await?;
            return Ok(Submitted::Worked(self.work(lease).await?));
        }
        let task_id = self.queue.add(task, now).await?;
        if refused.is_none() {
            for _ in 0..=TAKES_ALONG {
                let tickets = self.queue.open().await?;
                // Another process may have taken it.
                let Some(own) = tickets.iter().find(|ticket| ticket.row.id == task_id) else { break };
                if !own.row.is_claimable(self.clock.now()) {
                    break;
                }
                let worked = self.drain_one().await?;
                match &worked {
                    Worked::Ended(FinishedTask { task_id: id, .. })
                    | Worked::PutBack { task_id: id, .. }
                    | Worked::Lost { task_id: id }
                        if *id == task_id =>
                    {
                        return Ok(Submitted::Worked(worked));
                    }
                    Worked::Nothing { .. } => break,
                    _ => {}
                }
            }
        }
        let refused = self.pool.refusal(task.lane).await?;
        Ok(Submitted::Queued {
            task_id,
            depth: self.depth().await?,
            reason: refused.as_ref().map_or(QueueReason::QueueBackpressure, reason),
            error: refused,
        })
    }

    /// How many tasks wait.
    ///
    /// # Errors
    /// [`StoreError`] when that can't be read.
    pub async fn depth(&self) -> Result<usize, StoreError> {
        let now = self.clock.now();
        Ok(self.queue.open().await?.iter().filter(|ticket| !ticket.row.is_held(now)).count())
    }

    /// Works on the task that is next, if an account may be asked for it.
    ///
    /// # Errors
    /// [`WorkError`] when the records can't be used. The task stays in the queue.
    pub async fn drain_one(&self) -> Result<Worked, WorkError> {
        let now = self.clock.now();
        let tickets = self.queue.open().await?;
        let refusals = self.refusals(&tickets, now).await?;
        let Some(ticket) = queue::next(&tickets, now, |lane| refusals.of(lane).is_none()) else {
            return Ok(Worked::Nothing { error: refusals.into_any() });
        };
        let task_id = ticket.row.id;
        match self.queue.claim(ticket.clone(), now + LEASE).await? {
            Some(lease) => self.work(lease).await,
            None => Ok(Worked::Lost { task_id }),
        }
    }

    /// Works on the task `task_id`, if it is as it was at `revision`.
    pub(crate) async fn drain(&self, task_id: u64, revision: Revision) -> Result<Worked, WorkError> {
        let tickets = self.queue.open().await?;
        let seen = tickets.into_iter().find(|ticket| ticket.row.id == task_id && ticket.revision == revision);
        let now = self.clock.now();
        let Some(ticket) = seen.filter(|ticket| ticket.row.is_claimable(now)) else {
            return Ok(Worked::Lost { task_id });
        };
        match self.queue.claim(ticket, now + LEASE).await? {
            Some(lease) => self.work(lease).await,
            None => Ok(Worked::Lost { task_id }),
        }
    }

    /// Looks at every account now.
    ///
    /// # Errors
    /// [`StoreError`] when what was found can't be kept.
    pub async fn check_all(&self) -> Result<Vec<HealthReport>, StoreError> {
        let mut reports = Vec::new();
        for account in self.pool.accounts() {
            let report = self.checks.check(account).await;
            self.pool.checked(&report).await?;
            reports.push(report);
        }
        Ok(reports)
    }

    /// Looks at the account `id` now.
    ///
    /// # Errors
    /// [`WorkError::UnknownAccount`], and [`WorkError::Store`] when what was found can't be kept.
    pub async fn check(&self, id: &str) -> Result<HealthReport, WorkError> {
        let account = self.pool.accounts().find(|account| account.id.as_str() == id);
        let account = account.ok_or_else(|| WorkError::UnknownAccount { id: id.to_owned() })?;
        let report = self.checks.check(account).await;
        self.pool.checked(&report).await?;
        Ok(report)
    }

    /// What there is to do.
    pub(crate) async fn agenda(&self) -> Result<Agenda, WorkError> {
        let now = self.clock.now();
        let tickets = self.queue.open().await?;
        let refusals = self.refusals(&tickets, now).await?;
        let task = queue::next(&tickets, now, |lane| refusals.of(lane).is_none());
        let later = tickets.iter().map(|ticket| ticket.row.claimable_at()).filter(|at| now < *at);
        let look_at = later.chain(refusals.ends().filter(|at| now < *at)).min();
        let status = self.pool.status().await?;
        let due = |checked: Option<Timestamp>| {
            checked.filter(|checked| *checked <= now).map_or(now, |checked| checked + self.check_every)
        };
        let checks = status.accounts.iter().map(|account| (account.id.to_string(), due(account.last_healthcheck_at)));
        Ok(Agenda {
            task: task.map(|ticket| (ticket.row.id, ticket.revision)),
            look_at: look_at.filter(|_| task.is_none()),
            checks: checks.collect(),
        })
    }

    /// Why tasks that are due may not be asked for, by lane. A lane without a due task is not looked at.
    async fn refusals(&self, tickets: &[TaskTicket], now: Timestamp) -> Result<Refusals, WorkError> {
        let mut refusals = Refusals::default();
        for (lane, refusal) in
            [(Lane::Interactive, &mut refusals.interactive), (Lane::Background, &mut refusals.background)]
        {
            if queue::next(tickets, now, |of| of == lane).is_some() {
                *refusal = self.pool.refusal(lane).await?;
            }
        }
        Ok(refusals)
    }

    /// Asks for the task that is held, giving signs of life, and ends it or puts it back.
    async fn work(&self, mut lease: TaskLease) -> Result<Worked, WorkError> {
        let task_id = lease.row.id;
        if lease.row.attempts > TASK_ATTEMPTS_MAX {
            let why =
                lease.row.last_error.clone().unwrap_or_else(|| "whoever worked on it was ended each time".to_owned());
            return self
                .end(lease, TaskEnding::Parked { reason: format!("{TASK_ATTEMPTS_MAX} attempts: {why}") })
                .await;
        }
        let started = self.clock.now();
        let Some(answer) = self.answer(&mut lease, started).await? else { return Ok(Worked::Lost { task_id }) };
        match answer {
            Ok(completion) => {
                let took = self.clock.now().since(started);
                let ending = TaskEnding::Executed {
                    account_id: completion.by.and_then(|by| by.account).unwrap_or_default(),
                    output: bounded(completion.content),
                    latency_ms: u64::try_from(took.as_millis()).unwrap_or(u64::MAX),
                };
                self.end(lease, ending).await
            }
            Err(error) => self.failed(lease, error).await,
        }
    }

    /// What the pool says to the task; none when the task was lost meanwhile.
    async fn answer(
        &self,
        lease: &mut TaskLease,
        started: Timestamp,
    ) -> Result<Option<Result<Completion, BrainError>>, WorkError> {
        let request = CompletionRequest {
            messages: vec![Message::User { content: lease.row.body.prompt.clone() }],
            tools: Arc::from([]),
            deadline: started + TASK_TIME_MAX,
            lane: lease.row.body.lane,
            turn: None,
        };
        let deltas = Deltas::none();
        let mut answer = self.pool.complete(&request, &deltas);
        let mut renew_at = started + RENEW_EVERY;
        loop {
            tokio::select! {
                biased;
                answered = &mut answer => return Ok(Some(answered)),
                () = self.clock.sleep_until(renew_at) => {
                    let now = self.clock.now();
                    if !self.queue.renew(lease, now + LEASE).await? {
                        return Ok(None);
                    }
                    renew_at = now + RENEW_EVERY;
                }
            }
        }
    }

    async fn failed(&self, mut lease: TaskLease, error: BrainError) -> Result<Worked, WorkError> {
        let (task_id, now) = (lease.row.id, self.clock.now());
        lease.row.last_error = Some(error.to_string());
        let (reason, not_before) = match becomes(&error, lease.row.attempts, now) {
            Becomes::Parked => return self.end(lease, TaskEnding::Parked { reason: error.to_string() }).await,
            Becomes::Waiting { reason, not_before, counts } => {
                if !counts {
                    lease.row.attempts = lease.row.attempts.saturating_sub(1);
                }
                (reason, not_before)
            }
        };
        if self.queue.put_back(lease, Some(not_before)).await? {
            return Ok(Worked::PutBack { task_id, reason, error });
        }
        Ok(Worked::Lost { task_id })
    }

    async fn end(&self, lease: TaskLease, ending: TaskEnding) -> Result<Worked, WorkError> {
        let ended = self.queue.finish(&lease, ending, self.clock.now()).await?;
        Ok(ended.map_or(Worked::Lost { task_id: lease.row.id }, Worked::Ended))
    }
}

/// `output`, cut at a character's end where it is longer than is kept.
fn bounded(mut output: String) -> String {
    output.truncate(output.floor_char_boundary(TASK_OUTPUT_BYTES_MAX));
    output
}

#[derive(Debug, Default)]
struct Refusals {
    interactive: Option<BrainError>,
    background: Option<BrainError>,
}

impl Refusals {
    fn of(&self, lane: Lane) -> Option<&BrainError> {
        match lane {
            Lane::Interactive => self.interactive.as_ref(),
            Lane::Background => self.background.as_ref(),
        }
    }

    fn ends(&self) -> impl Iterator<Item = Timestamp> {
        [&self.interactive, &self.background].into_iter().flatten().filter_map(BrainError::retry_at)
    }

    fn into_any(self) -> Option<BrainError> {
        self.interactive.or(self.background)
    }
}

impl fmt::Debug for CodexWork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodexWork").field("pool", &self.pool).field("queue", &self.queue).finish_non_exhaustive()
    }
}
