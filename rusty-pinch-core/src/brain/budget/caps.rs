//! The caps, and the one decision: may this call be made?

use std::fmt;

use serde::{Deserialize, Serialize};

use super::money::Money;
use crate::brain::Lane;
use crate::data::{Timestamp, Usage};

/// Tokens and money.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Amount {
    /// Tokens read and written.
    pub(super) tokens: u64,
    /// Their price, as far as it is known.
    #[serde(rename = "micros")]
    pub(super) money: Money,
}

impl std::ops::Add for Amount {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self { tokens: self.tokens.saturating_add(rhs.tokens), money: self.money + rhs.money }
    }
}

impl std::iter::Sum for Amount {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::default(), std::ops::Add::add)
    }
}

impl Amount {
    pub(super) fn new(usage: Usage, money: Money) -> Self {
        Self { tokens: usage.input_tokens.saturating_add(usage.output_tokens), money }
    }
}

/// The most that may be spent on one thing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CapLimit {
    /// Tokens; none is no limit, 0 allows nothing.
    pub tokens: Option<u64>,
    /// Money; none is no limit, 0 allows nothing that costs.
    pub money: Option<Money>,
}

impl CapLimit {
    fn is_set(self) -> bool {
        self.tokens.is_some() || self.money.is_some()
    }
}

/// Every cap. The default has none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caps {
    /// For one turn, whoever waits for it.
    pub turn: CapLimit,
    /// For one session, for ever.
    pub session: CapLimit,
    /// For what people ask in a day (UTC).
    pub day: CapLimit,
    /// For what nobody waits for in a day (UTC). It takes nothing from [`day`](Self::day).
    pub background_day: CapLimit,
}

/// What a cap is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum CapScope {
    /// One turn.
    Turn,
    /// One session.
    Session,
    /// A day (UTC) of what people ask.
    Day,
    /// A day (UTC) of background work.
    BackgroundDay,
}

impl CapScope {
    /// Every scope, the narrowest first.
    pub const ALL: [Self; 4] = [Self::Turn, Self::Session, Self::Day, Self::BackgroundDay];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Turn => "turn",
            Self::Session => "session",
            Self::Day => "day",
            Self::BackgroundDay => "background day",
        }
    }

    /// The variable that sets its cap.
    pub const fn variable(self, unit: CapUnit) -> &'static str {
        match (self, unit) {
            (Self::Turn, CapUnit::Tokens) => "RUSTY_PINCH_BUDGET_TURN_TOKENS",
            (Self::Turn, CapUnit::Usd) => "RUSTY_PINCH_BUDGET_TURN_USD",
            (Self::Session, CapUnit::Tokens) => "RUSTY_PINCH_BUDGET_SESSION_TOKENS",
            (Self::Session, CapUnit::Usd) => "RUSTY_PINCH_BUDGET_SESSION_USD",
            (Self::Day, CapUnit::Tokens) => "RUSTY_PINCH_BUDGET_DAY_TOKENS",
            (Self::Day, CapUnit::Usd) => "RUSTY_PINCH_BUDGET_DAY_USD",
            (Self::BackgroundDay, CapUnit::Tokens) => "RUSTY_PINCH_BUDGET_BACKGROUND_DAY_TOKENS",
            (Self::BackgroundDay, CapUnit::Usd) => "RUSTY_PINCH_BUDGET_BACKGROUND_DAY_USD",
        }
    }
}

/// What a cap counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CapUnit {
    /// Tokens.
    Tokens,
    /// Money.
    Usd,
}

impl Caps {
    /// The cap of `scope`.
    pub fn of(&self, scope: CapScope) -> CapLimit {
        match scope {
            CapScope::Turn => self.turn,
            CapScope::Session => self.session,
            CapScope::Day => self.day,
            CapScope::BackgroundDay => self.background_day,
        }
    }

    /// Whether a cap counts money.
    pub fn count_money(&self) -> bool {
        CapScope::ALL.iter().any(|scope| self.of(*scope).money.is_some())
    }

    /// Whether a call in `lane` has any cap above it; `has_turn` when it belongs to a turn.
    pub(super) fn apply_to(&self, lane: Lane, has_turn: bool) -> bool {
        scopes(lane).into_iter().any(|scope| {
            let counts = has_turn || !matches!(scope, CapScope::Turn | CapScope::Session);
            counts && self.of(scope).is_set()
        })
    }

    /// The first cap that `needed` on top of `used` would exceed. Pure.
    pub(super) fn exceeded_by(&self, lane: Lane, used: &Used, needed: Amount) -> Option<Exceeded> {
        scopes(lane).into_iter().find_map(|scope| {
            let (limit, Some(used)) = (self.of(scope), used.of(scope)) else { return None };
            let total = used + needed;
            let over = |unit, limit, used, needed| Some(Exceeded { scope, unit, limit, used, needed });
            match limit {
                CapLimit { tokens: Some(most), .. } if total.tokens > most => {
                    over(CapUnit::Tokens, most, used.tokens, needed.tokens)
                }
                // What costs nothing, or has no known price, never breaks a cap on money.
                CapLimit { money: Some(most), .. } if total.money > most && needed.money > Money::ZERO => {
                    over(CapUnit::Usd, most.micros(), used.money.micros(), needed.money.micros())
                }
                _ => None,
            }
        })
    }
}

/// The day's cap that a lane has, after those of turn and session.
pub(super) fn day_scope(lane: Lane) -> CapScope {
    match lane {
        Lane::Interactive => CapScope::Day,
        Lane::Background => CapScope::BackgroundDay,
    }
}

fn scopes(lane: Lane) -> [CapScope; 3] {
    [CapScope::Turn, CapScope::Session, day_scope(lane)]
}

/// What is spent or under way; none for a call that belongs to no turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Used {
    pub(super) turn: Option<Amount>,
    pub(super) session: Option<Amount>,
    /// In the call's lane.
    pub(super) day: Amount,
}

impl Used {
    fn of(&self, scope: CapScope) -> Option<Amount> {
        match scope {
            CapScope::Turn => self.turn,
            CapScope::Session => self.session,
            CapScope::Day | CapScope::BackgroundDay => Some(self.day),
        }
    }
}

/// A cap that a call would exceed. Money is in millionths of a dollar.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exceeded {
    /// What the cap is for.
    pub scope: CapScope,
    /// What it counts.
    pub unit: CapUnit,
    /// The cap.
    pub limit: u64,
    /// What is spent, or reserved for calls under way.
    pub used: u64,
    /// What the call may take at the most, as estimated.
    pub needed: u64,
}

impl fmt::Display for Exceeded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { scope, unit, limit, used, needed } = self;
        let shown = |amount: u64| match unit {
            CapUnit::Tokens => format!("{amount} tokens"),
            CapUnit::Usd => format!("${}", Money::from_micros(amount)),
        };
        let (limit, used, needed) = (shown(*limit), shown(*used), shown(*needed));
        let whose = match scope {
            CapScope::Turn => "this turn",
            CapScope::Session => "this session",
            CapScope::Day => "today (UTC)",
            CapScope::BackgroundDay => "background work today (UTC)",
        };
        write!(
            f,
            "the cap of {limit} for {whose} does not allow it: {used} are spent or under way, and the call may take {needed}"
        )
    }
}

/// When a cap counts from zero again, in words; `resets_at` is the instant of those that have one.
pub(in crate::brain) fn reset(over: &Exceeded, resets_at: &Option<Timestamp>) -> String {
    let variable = over.scope.variable(over.unit);
    match (over.scope, resets_at) {
        (CapScope::Turn, _) => format!("it never resets, and the next message has its own; {variable} raises it"),
        (CapScope::Session, _) => format!("it never resets, and another session has its own; {variable} raises it"),
        (_, Some(at)) => format!("it resets at {}; {variable} raises it", at.rounded_up()),
        (_, None) => format!("{variable} raises it"),
    }
}
