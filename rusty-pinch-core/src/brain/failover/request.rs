//! One request on its way through the chain.

use super::decide::{Attempted, Situation, Standing, Step, attempt_deadline, decide};
use super::limits::WAIT_UNTOLD_MAX;
use super::preview::Preview;
use super::{FailoverBrain, Member};
use crate::brain::breaker::shortened;
use crate::brain::{BrainError, Completion, CompletionRequest, Deltas, ErrorClass, Permit, Tried};
use crate::data::Timestamp;
use crate::sys::random;

pub(super) struct Asking<'a> {
    chain: &'a FailoverBrain,
    request: &'a CompletionRequest,
    preview: Preview,
    members: Vec<Attempted>,
    last: Option<usize>,
    may_retry: bool,
    waits: u32,
    /// Requests that were made.
    attempts: u32,
}

impl<'a> Asking<'a> {
    pub(super) fn new(chain: &'a FailoverBrain, request: &'a CompletionRequest, deltas: &Deltas) -> Self {
        let unknown = |member: &Member| Attempted {
            context_tokens: member.brain.info().context_tokens,
            standing: Standing::Unknown,
            last_error: None,
            asked: 0,
            failure: None,
        };
        Self {
            chain,
            request,
            preview: Preview::new(deltas),
            members: chain.members.iter().map(unknown).collect(),
            last: None,
            may_retry: true,
            waits: 0,
            attempts: 0,
        }
    }

    pub(super) async fn run(mut self) -> Result<Completion, BrainError> {
        let chain = self.chain;
        loop {
            let (member, at) = match decide(&self.situation(), self.randomness()) {
                Step::First(member) => {
                    if !self.is_let(member).await {
                        continue;
                    }
                    (member, None)
                }
                Step::Again(member, at) => {
                    if !chain.budget.take() {
                        self.may_retry = false;
                        continue;
                    }
                    (member, Some(at))
                }
                Step::LastResort(member) => {
                    self.take_last_resort(member).await;
                    (member, None)
                }
                Step::Wait(until) => {
                    self.wait(until).await;
                    continue;
                }
                Step::GiveUp => return Err(self.give_up().await),
            };
            if let Some(at) = at {
                self.tell_wait(at);
                chain.clock.sleep_until(at).await;
            }
            if let Some(completion) = self.ask(member).await {
                return Ok(completion);
            }
        }
    }

    fn situation(&self) -> Situation<'_> {
        Situation {
            members: &self.members,
            last: self.last,
            policy: self.chain.policy,
            may_retry: self.may_retry,
            lane: self.request.lane,
            waits: self.waits,
            now: self.chain.clock.now(),
            deadline: self.request.deadline,
        }
    }

    fn randomness(&self) -> u64 {
        // Only failures have a pause, and only pauses are random.
        if self.last.is_none() { 0 } else { u64::from_le_bytes(random(&*self.chain.entropy)) }
    }

    /// Whether the member's breaker lets a request through; takes the probe where it is half-open.
    async fn is_let(&mut self, index: usize) -> bool {
        let Some(member) = self.chain.members.get(index) else { return false };
        let now = self.chain.clock.now();
        let standing = match self.chain.breakers.permit(&member.who, now).await {
            Permit::Closed => Standing::Well,
            Permit::Probe => Standing::Probe,
            Permit::Open { until } => {
                let breaker = self.chain.breakers.look(&member.who, now).await;
                // The end of a probe under way is told by whoever probes; its lease ends it at the latest.
                let until = if breaker.is_probed(now) { breaker.probe_until.unwrap_or(until) } else { until };
                if let Some(attempted) = self.members.get_mut(index) {
                    attempted.last_error.clone_from(&breaker.last_error);
                }
                Standing::Open { until, is_told_off: breaker.is_told_off(now), is_probed: breaker.is_probed(now) }
            }
        };
        let is_open = matches!(standing, Standing::Open { .. });
        self.set_standing(index, standing);
        !is_open
    }

    async fn take_last_resort(&mut self, index: usize) {
        if let Some(member) = self.chain.members.get(index) {
            self.chain.breakers.probe(&member.who, self.chain.clock.now()).await;
        }
        self.set_standing(index, Standing::LastResort);
    }

    fn set_standing(&mut self, index: usize, standing: Standing) {
        if let Some(member) = self.members.get_mut(index) {
            member.standing = standing;
        }
    }

    /// Waits until a breaker lapses or changes, and forgets what they said.
    async fn wait(&mut self, until: Timestamp) {
        let mut changed = std::pin::pin!(self.chain.breakers.changed());
        // From here on no change is missed, so what changed since the breakers were looked at shows now.
        changed.as_mut().enable();
        self.waits += 1;
        if self.all_are_open().await {
            self.tell_wait(until);
            tokio::select! {
                () = self.chain.clock.sleep_until(until) => {}
                () = changed => {}
            }
        }
        for member in &mut self.members {
            member.standing = Standing::Unknown;
        }
    }

    fn tell_wait(&self, until: Timestamp) {
        if until.since(self.chain.clock.now()) > WAIT_UNTOLD_MAX {
            let brain = self.chain.info.name.as_str();
            tracing::warn!(brain, until = %until.rounded_up(), "nobody may be asked before; the request waits");
        }
    }

    async fn all_are_open(&self) -> bool {
        let now = self.chain.clock.now();
        for member in &self.chain.members {
            if !matches!(self.chain.breakers.look(&member.who, now).await.permit(now), Permit::Open { .. }) {
                return false;
            }
        }
        true
    }

    /// One attempt. None where it failed, which is noted.
    async fn ask(&mut self, index: usize) -> Option<Completion> {
        let chain = self.chain;
        let member = chain.members.get(index)?;
        let begun = chain.clock.now();
        let latest = attempt_deadline(&self.situation(), index);
        self.last = Some(index);
        let answer = tokio::select! {
            biased;
            answer = member.brain.complete(self.request, self.preview.begin()) => answer,
            () = chain.clock.sleep_until(latest), if latest < self.request.deadline => {
                Err(BrainError::TimedOut { brain: member.who.brain.clone(), time: latest.since(begun) })
            }
        };
        let now = chain.clock.now();
        match answer {
            Ok(completion) => {
                chain.breakers.succeeded(&member.who, now).await;
                Some(self.answered(member, completion))
            }
            Err(error) => {
                tracing::debug!(brain = member.who.brain, %error, "an attempt failed");
                chain.breakers.failed(&member.who, &error, now, self.randomness()).await;
                self.attempts = self.attempts.saturating_add(error.attempts());
                if let Some(attempted) = self.members.get_mut(index) {
                    attempted.asked += 1;
                    attempted.failure = Some(error);
                }
                None
            }
        }
    }

    fn answered(&self, member: &Member, completion: Completion) -> Completion {
        let mut tried = self.tried();
        tried.extend(completion.tried);
        Completion {
            attempts: self.attempts.saturating_add(completion.attempts),
            by: completion.by.or_else(|| Some(member.who.clone())),
            tried,
            ..completion
        }
    }

    /// Everybody who was asked in vain or passed over so far.
    fn tried(&self) -> Vec<Tried> {
        let members = self.chain.members.iter().zip(&self.members);
        members.flat_map(|(member, attempted)| tried_of(member, attempted)).collect()
    }

    async fn give_up(mut self) -> BrainError {
        let chain = self.chain;
        if let ([_], [only]) = (chain.members.as_slice(), self.members.as_mut_slice())
            && let Some(error) = only.failure.take()
        {
            return error.after_attempts(self.attempts);
        }
        // The caps of one store stop them all: which, and until when, says more than a list.
        let is_over = |member: &Attempted| matches!(member.failure, Some(BrainError::OverBudget { .. }));
        if self.members.iter().all(is_over)
            && let Some(error) = self.members.first_mut().and_then(|first| first.failure.take())
        {
            return error;
        }
        let now = chain.clock.now();
        if self.last.is_none() && now >= self.request.deadline {
            return BrainError::DeadlineExceeded { brain: chain.info.name.clone() };
        }
        let too_small = self.situation().too_small();
        let mut tried = Vec::with_capacity(self.members.len());
        let mut reopenings = Vec::new();
        for (member, attempted) in chain.members.iter().zip(&self.members) {
            let breaker = chain.breakers.look(&member.who, now).await;
            let has_room = attempted.context_tokens > too_small;
            if has_room {
                reopenings.push(match breaker.permit(now) {
                    Permit::Open { until } => Some(until),
                    _ => None,
                });
            }
            let why = match why(attempted) {
                Some(why) => why,
                None if !has_room => "not asked: its context is no larger than one that was too small".to_owned(),
                None => "not asked: the time was over".to_owned(),
            };
            match tried_of(member, attempted) {
                of_its_own if of_its_own.len() > 1 => tried.extend(of_its_own),
                _ => tried.push(Tried { who: member.who.clone(), why }),
            }
        }
        // Where one may be asked at once, no instant is worth waiting for.
        let retry_at = reopenings.iter().copied().collect::<Option<Vec<_>>>().and_then(|all| all.into_iter().min());
        BrainError::AllFailed { tried, attempts: self.attempts, class: self.class(), retry_at }
    }

    /// What the failures say together.
    fn class(&self) -> ErrorClass {
        let of = |member: &Attempted| member.failure.as_ref().map(BrainError::class);
        if self.last.and_then(|index| self.members.get(index)).and_then(of) == Some(ErrorClass::Never) {
            return ErrorClass::Never;
        }
        let may_pass = |member: &Attempted| match &member.failure {
            Some(error) => error.class() == ErrorClass::RetryHere,
            None => matches!(member.standing, Standing::Open { .. }),
        };
        if self.members.iter().any(may_pass) { ErrorClass::RetryHere } else { ErrorClass::FailOver }
    }
}

/// What there is to say of a member that gave no answer; one that asked several itself says it of each.
fn tried_of(member: &Member, attempted: &Attempted) -> Vec<Tried> {
    match attempted.failure.as_ref().map(|error| error.failure().tried()) {
        Some(of_its_own) if !of_its_own.is_empty() => of_its_own.to_vec(),
        _ => why(attempted).map(|why| Tried { who: member.who.clone(), why }).into_iter().collect(),
    }
}

/// Why a member gave no answer; none where nothing is known against it.
fn why(attempted: &Attempted) -> Option<String> {
    match (&attempted.failure, &attempted.standing) {
        (Some(error), _) if attempted.asked > 1 => {
            Some(format!("{} (asked {} times)", shortened(&error.to_string()), attempted.asked))
        }
        (Some(error), _) => Some(shortened(&error.to_string())),
        (None, Standing::Open { until, .. }) => {
            let last = attempted.last_error.as_deref().map_or_else(String::new, |last| format!(": {last}"));
            Some(format!("not asked: its breaker is open until {}{last}", until.rounded_up()))
        }
        (None, _) => None,
    }
}
