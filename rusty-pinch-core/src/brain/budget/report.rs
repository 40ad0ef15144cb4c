//! What was spent today, for `stats` and its like.

use serde::Serialize;

use super::caps::{Amount, CapScope, CapUnit, Caps, day_scope};
use super::day::Day;
use super::ledger::Ledger;
use super::money::{Money, as_text};
use crate::brain::Lane;
use crate::data::Timestamp;
use crate::store::{Store, StoreError};

/// What was spent today (UTC), and what the caps allow.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BudgetReport {
    /// The day, such as `2026-11-24`.
    pub day: String,
    /// When the next one begins.
    pub resets_at: Timestamp,
    /// What people's calls took.
    pub interactive: LaneSpend,
    /// What background work took.
    pub background: LaneSpend,
    /// The same by lane, provider and model.
    pub models: Vec<ModelSpend>,
    /// The caps that are set, the narrowest first.
    pub caps: Vec<CapStatus>,
}

/// What a lane took in a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct LaneSpend {
    /// Calls that took something.
    pub calls: u64,
    /// Tokens read and written.
    pub tokens: u64,
    /// Their price, as far as it is known; decimal text in JSON.
    #[serde(serialize_with = "as_text")]
    pub usd: Money,
    /// Tokens among them without a known price.
    pub unpriced_tokens: u64,
    /// Calls under way, by any process.
    pub open_calls: u64,
    /// Tokens that are reserved for them.
    pub reserved_tokens: u64,
    /// Money that is reserved for them; decimal text in JSON.
    #[serde(serialize_with = "as_text")]
    pub reserved_usd: Money,
}

/// What one model took in one lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ModelSpend {
    /// The lane.
    pub lane: Lane,
    /// The provider.
    pub provider: String,
    /// The model.
    pub model: String,
    /// Calls that took something.
    pub calls: u64,
    /// Calls among them whose figures are estimates, because nobody said.
    pub estimated_calls: u64,
    /// Tokens read.
    pub input_tokens: u64,
    /// Tokens written.
    pub output_tokens: u64,
    /// Their price, as far as it is known; decimal text in JSON.
    #[serde(serialize_with = "as_text")]
    pub usd: Money,
    /// Tokens among them without a known price.
    pub unpriced_tokens: u64,
}

/// A cap that is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CapStatus {
    /// What it is for.
    pub scope: CapScope,
    /// What it counts.
    pub unit: CapUnit,
    /// The variable that sets it.
    pub variable: &'static str,
    /// The most: tokens, or dollars as decimal text.
    pub limit: String,
    /// What is spent or reserved of it today; none for turns and sessions, of which there are many.
    pub used: Option<String>,
}

impl CapStatus {
    /// The caps that are set, without what is used of them.
    pub fn of(caps: &Caps) -> Vec<Self> {
        let cap =
            |scope: CapScope, unit, limit| Self { scope, unit, variable: scope.variable(unit), limit, used: None };
        let of_scope = |scope: &CapScope| {
            let limit = caps.of(*scope);
            let tokens = limit.tokens.map(|tokens| cap(*scope, CapUnit::Tokens, tokens.to_string()));
            [tokens, limit.money.map(|money| cap(*scope, CapUnit::Usd, money.to_string()))]
        };
        CapScope::ALL.iter().flat_map(of_scope).flatten().collect()
    }
}

impl BudgetReport {
    /// What `store` says was spent on the day of `now`, beside `caps`. Reads two records and changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when it can't be read.
    pub async fn read(store: impl Store, caps: &Caps, now: Timestamp) -> Result<Self, StoreError> {
        let day = Day::of(now);
        let (open, book) = Ledger::new(std::sync::Arc::new(store)).look(day).await?;
        let spent = |lane| {
            let rows = book.rows.iter().filter(|row| row.lane == lane);
            let calls = open.calls.iter().filter(|call| call.lane == lane && call.day == day);
            let (taken, reserved) =
                (book.spent(lane), calls.clone().map(|call| call.reserved.amount()).sum::<Amount>());
            LaneSpend {
                calls: rows.clone().map(|row| row.calls).sum(),
                tokens: taken.tokens,
                usd: taken.money,
                unpriced_tokens: rows.map(|row| row.unpriced_tokens).sum(),
                open_calls: calls.count() as u64,
                reserved_tokens: reserved.tokens,
                reserved_usd: reserved.money,
            }
        };
        let (interactive, background) = (spent(Lane::Interactive), spent(Lane::Background));
        let mut caps = CapStatus::of(caps);
        for cap in &mut caps {
            let spent = [(Lane::Interactive, interactive), (Lane::Background, background)];
            let spent = spent.into_iter().find(|(lane, _)| day_scope(*lane) == cap.scope).map(|(_, spent)| spent);
            cap.used = spent.map(|spent| spent.used(cap.unit));
        }
        let models = book.rows.into_iter().map(|row| ModelSpend {
            lane: row.lane,
            provider: row.brain,
            model: row.model,
            calls: row.calls,
            estimated_calls: row.estimated_calls,
            input_tokens: row.input_tokens,
            output_tokens: row.output_tokens,
            usd: row.micros,
            unpriced_tokens: row.unpriced_tokens,
        });
        Ok(Self { day: day.to_string(), resets_at: day.end(), interactive, background, models: models.collect(), caps })
    }
}

impl LaneSpend {
    fn used(&self, unit: CapUnit) -> String {
        match unit {
            CapUnit::Tokens => self.tokens.saturating_add(self.reserved_tokens).to_string(),
            CapUnit::Usd => (self.usd + self.reserved_usd).to_string(),
        }
    }
}
