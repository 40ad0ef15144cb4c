//! How the pool stands, for people and scripts.

use serde::Serialize;

use super::choose::{PoolPolicy, Seat, Standing, is_reserved, opens_at, remaining_percent};
use super::state::{AccountHealth, AccountState, PoolState};
use super::{AccountId, Member};
use crate::brain::{Lane, QuotaReading};
use crate::data::Timestamp;

/// How the pool stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct PoolStatus {
    /// Every account, in the order in which they are configured.
    pub accounts: Vec<AccountStatus>,
    /// How much of the pool is left, in percent, rounded down; none when every account fails.
    pub remaining_percent: Option<u8>,
    /// Whether what is left is kept for people.
    pub reserved: bool,
    /// When background work is let in again, where it is not now and that is known.
    pub background_at: Option<Timestamp>,
}

/// How one account stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct AccountStatus {
    /// Its name.
    pub id: AccountId,
    /// The variable that its key comes from.
    pub api_key_env: Option<String>,
    /// Whether it worked when it was last used or looked at; true before that.
    pub healthy: bool,
    /// What it last failed with, since it last worked.
    pub last_error: Option<String>,
    /// When it was last looked at.
    pub last_healthcheck_at: Option<Timestamp>,
    /// When it was last asked.
    pub last_used_at: Option<Timestamp>,
    /// How many requests it may be asked in a window.
    pub max_requests: u32,
    /// The model it is asked for; none leaves the choice to the CLI.
    pub model: Option<String>,
    /// How much of it is left, in percent, rounded down.
    pub remaining_percent: u8,
    /// How many requests were made in the window.
    pub used_requests: u32,
    /// When the window ends, where one runs.
    pub window_ends_at: Option<Timestamp>,
    /// Until when it is skipped, where it is.
    pub skipped_until: Option<Timestamp>,
    /// What the provider last said about its quota.
    pub quota: Option<QuotaReading>,
}

pub(super) fn of(members: &[Member], state: &PoolState, now: Timestamp, policy: &PoolPolicy) -> PoolStatus {
    let fresh = AccountState::default();
    let seat = |member: &Member| Seat {
        requests_max: member.account.requests_max,
        state: state.accounts.get(&member.account.id).unwrap_or(&fresh),
        is_asked: false,
    };
    let seats: Vec<Seat<'_>> = members.iter().map(seat).collect();
    let reserved = is_reserved(&seats, now, policy);
    PoolStatus {
        accounts: members.iter().zip(&seats).map(|(member, seat)| account(member, seat, now, policy)).collect(),
        remaining_percent: remaining_percent(&seats, now, policy),
        reserved,
        background_at: if reserved { opens_at(&seats, Lane::Background, now, policy) } else { None },
    }
}

fn account(member: &Member, seat: &Seat<'_>, now: Timestamp, policy: &PoolPolicy) -> AccountStatus {
    let state = seat.state;
    let remaining = u64::from(seat.remaining(now, policy)) * 100 / u64::from(seat.requests_max.max(1));
    AccountStatus {
        id: member.account.id.clone(),
        api_key_env: member.account.api_key_env.clone(),
        healthy: state.health != AccountHealth::Failing,
        last_error: state.last_error.clone(),
        last_healthcheck_at: state.last_healthcheck_at,
        last_used_at: state.last_used_at,
        max_requests: seat.requests_max,
        model: member.account.config.model.clone(),
        remaining_percent: u8::try_from(remaining).unwrap_or(100),
        used_requests: state.used(now, policy.window),
        window_ends_at: state.window_ends(now, policy.window),
        skipped_until: match seat.standing(now, policy) {
            Standing::Ready => None,
            Standing::Failing { until } | Standing::Capped { until } => Some(until),
        },
        quota: state.reading.clone(),
    }
}
