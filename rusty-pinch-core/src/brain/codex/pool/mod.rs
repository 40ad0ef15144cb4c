//! Several Codex accounts as one brain.
//!
//! It owns which account is asked and what is remembered of each. A request is counted before it is made, durably: no
//! window is ever overdrawn, not by several processes and not by one that is killed. A request goes from account to
//! account while the trouble is the account's own, each at most once; trouble of the provider goes straight to the
//! caller, whose business retrying is. Credentials stay in each account's own home and environment.
//!
//! `choose` and `state` decide and are pure; `records` writes; this file joins them.

mod account;
mod bounds;
mod choose;
mod decision;
mod home;
mod records;
mod state;
mod status;
#[cfg(test)]
mod tests;

use std::fmt;
use std::fmt::Write;
use std::sync::Arc;

use async_trait::async_trait;

use super::health::HealthReport;
use super::{NAME, QuotaGauge};
use crate::brain::{Answerer, Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas, Lane, Tried};
use crate::data::Timestamp;
use crate::store::{Store, StoreError};
use crate::sys::Clock;
use bounds::CODEX_ACCOUNTS_MAX;
use choose::{Choice, Seat, Standing};
use records::Records;
use state::{AccountState, Outcome, PoolState};

pub use account::{AccountId, AccountIdError, CodexAccount};
pub use choose::PoolPolicy;
#[doc(hidden)]
pub use decision::PoolDecision;
pub use status::{AccountStatus, PoolStatus};

/// Thinks with whichever of several accounts can.
///
/// One attempt asks each account at most once. It fails with [`BrainError::NoAccount`] when none can be asked, and with
/// [`BrainError::Reserved`] when what is left is kept for people and nobody waits.
pub struct CodexPool {
    info: BrainInfo,
    members: Vec<Member>,
    policy: PoolPolicy,
    records: Records,
    clock: Arc<dyn Clock>,
}

/// An account and the brain that asks it.
struct Member {
    account: CodexAccount,
    brain: Arc<dyn Brain>,
    gauge: Arc<QuotaGauge>,
    home: tokio::sync::OnceCell<()>,
}

/// A request that was counted.
struct Claim {
    index: usize,
    window_began: Option<Timestamp>,
}

/// How a claim ended that got none.
enum Refusal {
    Reserved { remaining_percent: u8, until: Option<Timestamp> },
    Nobody { skipped: Vec<(AccountId, String)>, retry_at: Option<Timestamp> },
}

impl CodexPool {
    /// A pool of `accounts`, whose brains `brain_of` makes. What is remembered of them is kept in `store`. Of more than
    /// [`CODEX_ACCOUNTS_MAX`] accounts the first ones are used.
    pub fn new(
        accounts: Vec<CodexAccount>,
        policy: PoolPolicy,
        store: Arc<dyn Store>,
        clock: Arc<dyn Clock>,
        brain_of: impl Fn(&CodexAccount, Arc<QuotaGauge>) -> Arc<dyn Brain>,
    ) -> Self {
        let member = |account: CodexAccount| {
            let gauge = Arc::new(QuotaGauge::default());
            Member { brain: brain_of(&account, Arc::clone(&gauge)), account, gauge, home: tokio::sync::OnceCell::new() }
        };
        let members: Vec<_> = accounts.into_iter().take(CODEX_ACCOUNTS_MAX).map(member).collect();
        let infos = || members.iter().map(|member| member.brain.info());
        let info = BrainInfo {
            name: NAME.to_owned(),
            model: infos().next().map_or_else(|| "default".to_owned(), |info| info.model.clone()),
            context_tokens: infos().map(|info| info.context_tokens).min().unwrap_or(super::CODEX_CONTEXT_TOKENS),
            free: false,
        };
        Self { info, members, policy, records: Records::new(store), clock }
    }

    /// The accounts, in the order in which they were given.
    pub fn accounts(&self) -> impl Iterator<Item = &CodexAccount> {
        self.members.iter().map(|member| &member.account)
    }

    /// The clock that windows are measured by.
    pub(super) fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// How every account stands. Asks nobody.
    ///
    /// # Errors
    /// [`StoreError`] when the records can't be read.
    pub async fn status(&self) -> Result<PoolStatus, StoreError> {
        let state = self.records.read().await?;
        Ok(status::of(&self.members, &state, self.clock.now(), &self.policy))
    }

    /// Why a request of `lane` would be refused now; none when an account would be asked. Counts nothing.
    ///
    /// # Errors
    /// [`BrainError::Records`] when the records can't be read.
    pub async fn refusal(&self, lane: Lane) -> Result<Option<BrainError>, BrainError> {
        let state = self.records.read().await.map_err(unrecorded)?;
        let (now, fresh) = (self.clock.now(), AccountState::default());
        let seats = self.seats(&state, &fresh, &[]);
        Ok(match choose::choose(&seats, lane, now, &self.policy) {
            Choice::Ask(_) => None,
            Choice::Reserved => Some(self.refused(self.reserved(&seats, now), Vec::new())),
            Choice::Nobody => Some(self.refused(self.nobody(&seats, lane, now), Vec::new())),
        })
    }

    /// Ends the pauses of every account, those that the provider named included: somebody repaired it. The requests that
    /// were counted stay counted. Gives the accounts that were kept from being asked.
    ///
    /// # Errors
    /// [`StoreError`] when the records can't be read or written.
    pub async fn reset(&self) -> Result<Vec<AccountId>, StoreError> {
        let now = self.clock.now();
        self.records
            .change(|state| {
                let kept = |id: &AccountId| state.accounts.get_mut(id).is_some_and(|state| state.pardon(now));
                self.accounts().map(|account| account.id.clone()).filter(kept).collect()
            })
            .await
    }

    /// Notes what a health check found.
    pub(super) async fn checked(&self, report: &HealthReport) -> Result<(), StoreError> {
        let (now, error) = (self.clock.now(), (!report.healthy).then_some(report.message.as_str()));
        self.records.change(|state| state.account(&report.account_id).checked(error, now)).await
    }

    /// Chooses an account and counts a request against it. Durable when it returns.
    async fn claim(&self, lane: Lane, asked: &[usize]) -> Result<Result<Claim, Refusal>, StoreError> {
        let fresh = AccountState::default();
        self.records
            .change(|state| {
                let now = self.clock.now();
                let seats = self.seats(state, &fresh, asked);
                let index = match choose::choose(&seats, lane, now, &self.policy) {
                    Choice::Ask(index) => index,
                    Choice::Reserved => return Err(self.reserved(&seats, now)),
                    Choice::Nobody => return Err(self.nobody(&seats, lane, now)),
                };
                let Some(member) = self.members.get(index) else { return Err(self.nobody(&seats, lane, now)) };
                let account = state.account(&member.account.id);
                account.claim(now, self.policy.window);
                let window_began = account.window_began;
                state.forget_strangers(|id| self.members.iter().any(|member| member.account.id == *id), now);
                Ok(Claim { index, window_began })
            })
            .await
    }

    /// Notes what a request came to. An answer that is here is not lost because a note of it could not be kept.
    async fn settle(&self, claim: &Claim, member: &Member, outcome: Outcome<'_>) {
        let reading = member.gauge.take();
        let settled = self
            .records
            .change(|state| {
                let account = state.account(&member.account.id);
                account.settle(outcome, claim.window_began, reading.clone(), self.clock.now());
            })
            .await;
        if let Err(error) = settled {
            tracing::warn!(account = %member.account.id, %error, "what a Codex account did could not be noted");
        }
    }

    fn seats<'a>(&self, state: &'a PoolState, fresh: &'a AccountState, asked: &[usize]) -> Vec<Seat<'a>> {
        let seat = |(index, member): (usize, &Member)| Seat {
            requests_max: member.account.requests_max,
            state: state.accounts.get(&member.account.id).unwrap_or(fresh),
            is_asked: asked.contains(&index),
        };
        self.members.iter().enumerate().map(seat).collect()
    }

    fn reserved(&self, seats: &[Seat<'_>], now: Timestamp) -> Refusal {
        Refusal::Reserved {
            remaining_percent: choose::remaining_percent(seats, now, &self.policy).unwrap_or(0),
            until: choose::opens_at(seats, Lane::Background, now, &self.policy),
        }
    }

    fn nobody(&self, seats: &[Seat<'_>], lane: Lane, now: Timestamp) -> Refusal {
        let skipped = self.members.iter().zip(seats).filter(|(_, seat)| !seat.is_asked).map(|(member, seat)| {
            let why = match seat.standing(now, &self.policy) {
                Standing::Ready => "ready".to_owned(),
                Standing::Capped { until } => format!("used up until {}", until.rounded_up()),
                Standing::Failing { until } => {
                    let error = seat.state.last_error.as_deref().unwrap_or("it failed");
                    format!("left alone until {} after: {error}", until.rounded_up())
                }
            };
            (member.account.id.clone(), why)
        });
        Refusal::Nobody { skipped: skipped.collect(), retry_at: choose::opens_at(seats, lane, now, &self.policy) }
    }

    /// The error of an attempt that came to an end without an answer.
    fn refused(&self, refusal: Refusal, mut failures: Vec<(Tried, BrainError)>) -> BrainError {
        let brain = NAME.to_owned();
        let asked = failures.iter().fold(0, |asked: u32, (_, error)| asked.saturating_add(error.attempts()));
        match refusal {
            Refusal::Reserved { remaining_percent, until } => {
                BrainError::Reserved { brain, remaining_percent, until_at: until }
            }
            Refusal::Nobody { skipped, retry_at } => {
                // A program that breaks wherever it runs may do so because of the request: that is no lack of accounts.
                if let Some(at) = failures.iter().position(|(_, error)| !state::is_of_account(error)) {
                    return failures.swap_remove(at).1.after_attempts(asked);
                }
                // With one account, what it said says it all.
                if skipped.is_empty()
                    && failures.len() == 1
                    && let Some((_, error)) = failures.pop()
                {
                    return error;
                }
                let mut detail = String::new();
                let asked_ones =
                    failures.iter().map(|(tried, _)| (tried.who.account.as_deref().unwrap_or(NAME), &tried.why));
                for (id, why) in asked_ones.chain(skipped.iter().map(|(id, why)| (id.as_str(), why))) {
                    let separator = if detail.is_empty() { "" } else { "; " };
                    // Writing to a string can't fail.
                    let _ = write!(detail, "{separator}{id}: {why}");
                }
                BrainError::NoAccount { brain, detail, asked, retry_at }
            }
        }
    }
}

impl Member {
    async fn ask(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        self.prepare().await?;
        let mut completion = self.brain.complete(request, deltas).await?;
        // A program of the operator's own may print what it was given; answers are kept and shown.
        if let Some(key) = &self.account.config.api_key {
            completion.content = key.redact(&completion.content);
        }
        Ok(completion)
    }

    /// Makes what the account's home needs, once.
    async fn prepare(&self) -> Result<(), BrainError> {
        self.home.get_or_try_init(|| home::prepare(&self.account)).await.map(|&()| ())
    }
}

fn unrecorded(source: StoreError) -> BrainError {
    BrainError::Records { brain: NAME.to_owned(), source }
}

impl fmt::Debug for CodexPool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CodexPool")
            .field("info", &self.info)
            .field("accounts", &self.accounts().map(|account| &account.id).collect::<Vec<_>>())
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

#[async_trait]
impl Brain for CodexPool {
    fn info(&self) -> &BrainInfo {
        &self.info
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let (mut asked, mut failures): (Vec<usize>, Vec<(Tried, BrainError)>) = (Vec::new(), Vec::new());
        loop {
            let claim = match self.claim(request.lane, &asked).await.map_err(unrecorded)? {
                Ok(claim) => claim,
                Err(refusal) => return Err(self.refused(refusal, failures)),
            };
            let Some(member) = self.members.get(claim.index) else { continue };
            if !failures.is_empty() {
                deltas.restarted();
            }
            let who = Answerer {
                brain: NAME.to_owned(),
                model: member.brain.info().model.clone(),
                account: Some(member.account.id.to_string()),
            };
            let before = failures.iter().fold(0, |sum: u32, (_, error)| sum.saturating_add(error.attempts()));
            match member.ask(request, deltas).await {
                Ok(mut completion) => {
                    self.settle(&claim, member, Outcome::Answered).await;
                    completion.attempts = completion.attempts.saturating_add(before);
                    completion.by = Some(who);
                    completion.tried.splice(0..0, failures.into_iter().map(|(tried, _)| tried));
                    return Ok(completion);
                }
                Err(error) => {
                    self.settle(&claim, member, Outcome::Failed(&error)).await;
                    if !state::may_another_answer(&error) {
                        let attempts = error.attempts().saturating_add(before);
                        return Err(error.after_attempts(attempts));
                    }
                    let tried = Tried { who, why: error.to_string() };
                    failures.push((tried, error));
                    asked.push(claim.index);
                }
            }
        }
    }
}
