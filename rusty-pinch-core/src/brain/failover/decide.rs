//! Who is asked next, and when. Pure.

use std::time::Duration;

use super::limits::{RESERVE, WAIT_MAX, WAITS_MAX};
use crate::brain::{BrainError, ErrorClass, Lane, RetryPolicy};
use crate::data::Timestamp;

/// What the breaker of a member said in this request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It was not looked at.
    Unknown,
    /// Closed.
    Well,
    /// Half-open, and this request is the probe.
    Probe,
    /// Open.
    Open {
        /// Until then.
        until: Timestamp,
        /// The provider itself asked for quiet.
        is_told_off: bool,
        /// Somebody is finding out whether it is well again.
        is_probed: bool,
    },
    /// Open, and asked all the same because nobody else could be.
    LastResort,
}

/// A member of the chain in one request.
#[derive(Debug)]
pub(super) struct Attempted {
    pub(super) context_tokens: usize,
    pub(super) standing: Standing,
    /// What its breaker was opened by, where it is open.
    pub(super) last_error: Option<String>,
    /// How often it was asked.
    pub(super) asked: u32,
    /// What it failed with when it was last asked.
    pub(super) failure: Option<BrainError>,
}

/// All that the decision depends on.
#[derive(Debug)]
pub(super) struct Situation<'a> {
    pub(super) members: &'a [Attempted],
    /// Who was asked last.
    pub(super) last: Option<usize>,
    pub(super) policy: RetryPolicy,
    pub(super) may_retry: bool,
    pub(super) lane: Lane,
    /// How often this request waited for a breaker.
    pub(super) waits: u32,
    pub(super) now: Timestamp,
    pub(super) deadline: Timestamp,
}

/// What to do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Ask a member for the first time, if its breaker lets it.
    First(usize),
    /// Ask a member again at an instant.
    Again(usize, Timestamp),
    /// Ask a member although its breaker is open.
    LastResort(usize),
    /// Nobody may be asked; look again at an instant.
    Wait(Timestamp),
    /// No brain answers.
    GiveUp,
}

/// The next step. In this order:
/// 1. A request whose time is over is given up.
/// 2. The member that failed last is asked again, where that may help. While others were not asked yet, it gets no more
///    than its share of the time, and where it asked for a pause itself the others come first.
/// 3. The next member that was not asked, is not known to be down, and has room for the prompt.
/// 4. The member that may be asked again first.
/// 5. Where nobody was asked at all: for a person, one member that is down by our own judgement and not by its own word;
///    where somebody else is finding out whether one is well again, it waits for that; else it waits a while for the
///    first breaker to lapse.
pub(super) fn decide(situation: &Situation<'_>, randomness: u64) -> Step {
    let Situation { members, now, deadline, .. } = *situation;
    let last = situation.last.and_then(|index| members.get(index).map(|member| (index, member)));
    let is_over =
        last.and_then(|(_, member)| member.failure.as_ref()).is_some_and(|error| error.class() == ErrorClass::Never);
    if is_over || now >= deadline {
        return Step::GiveUp;
    }
    let fresh = situation.fresh().count();
    if let Some((index, member)) = last
        && let Some(at) = situation.retry_here(member, fresh, randomness)
    {
        return Step::Again(index, at);
    }
    if let Some(index) = situation.fresh().next() {
        return Step::First(index);
    }
    let again = members.iter().enumerate();
    let again = again.filter_map(|(index, member)| Some((situation.retry(member, deadline, randomness)?, index)));
    if let Some((at, index)) = again.min() {
        return Step::Again(index, at);
    }
    if members.iter().any(|member| member.asked > 0) { Step::GiveUp } else { situation.when_all_are_open() }
}

/// How long an attempt may take: it leaves some time for each member that was not asked yet, but never more than half.
pub(super) fn attempt_deadline(situation: &Situation<'_>, member: usize) -> Timestamp {
    let others = situation.fresh().filter(|index| *index != member).count();
    let left = situation.deadline.since(situation.now);
    let reserve = RESERVE.saturating_mul(u32::try_from(others).unwrap_or(u32::MAX)).min(left / 2);
    situation.deadline - reserve
}

impl Situation<'_> {
    /// The members that were not asked, are not known to be down, and have more room than those that had too little.
    fn fresh(&self) -> impl Iterator<Item = usize> {
        let too_small = self.too_small();
        self.members.iter().enumerate().filter_map(move |(index, member)| {
            let is_open = matches!(member.standing, Standing::Open { .. });
            (member.asked == 0 && !is_open && member.context_tokens > too_small).then_some(index)
        })
    }

    /// The largest context that was too small for the prompt.
    pub(super) fn too_small(&self) -> usize {
        let full = self.members.iter().filter(|member| {
            matches!(member.failure.as_ref().map(BrainError::failure), Some(BrainError::ContextTooLong { .. }))
        });
        full.map(|member| member.context_tokens).max().unwrap_or(0)
    }

    fn retry_here(&self, member: &Attempted, fresh: usize, randomness: u64) -> Option<Timestamp> {
        if fresh == 0 {
            return None;
        }
        let is_told_off = member.failure.as_ref()?.retry_at().is_some_and(|at| at > self.now);
        let shares = u32::try_from(fresh).unwrap_or(u32::MAX).saturating_add(1);
        let fair: Duration = self.deadline.since(self.now) / shares;
        if is_told_off { None } else { self.retry(member, self.now + fair, randomness) }
    }

    fn retry(&self, member: &Attempted, deadline: Timestamp, randomness: u64) -> Option<Timestamp> {
        if !self.may_retry || member.standing != Standing::Well {
            return None;
        }
        self.policy.next(member.asked, member.failure.as_ref()?, self.now, deadline, randomness)
    }

    fn when_all_are_open(&self) -> Step {
        let is_person = self.lane == Lane::Interactive;
        let open = || {
            self.members.iter().enumerate().filter_map(|(index, member)| match member.standing {
                Standing::Open { until, is_told_off, is_probed } => Some((until, index, is_told_off, is_probed)),
                _ => None,
            })
        };
        let by_our_judgement = open().filter(|(_, _, is_told_off, is_probed)| !is_told_off && !is_probed).min();
        if let (true, 0, Some((_, index, ..))) = (is_person, self.waits, by_our_judgement) {
            return Step::LastResort(index);
        }
        let probe = open().filter(|(.., is_probed)| *is_probed).map(|(until, ..)| until).min();
        // What a person waited for is known by now: another wait would only tell the same again.
        let lapse = open().map(|(until, ..)| until).min().filter(|_| !is_person || self.waits == 0);
        match probe.or(lapse) {
            Some(until) if self.waits < WAITS_MAX && until < self.deadline && until.since(self.now) <= WAIT_MAX => {
                Step::Wait(until)
            }
            _ => Step::GiveUp,
        }
    }
}

#[cfg(test)]
mod tests;
