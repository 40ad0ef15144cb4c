//! What was spent and what is under way: the records of the ledger, and every change of them. Pure.
//!
//! A call belongs to the day on which it was allowed, also when it ends on another one, or when the clock jumps. So a
//! day's figure only ever grows, and midnight needs no rule.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::bounds::{OPEN_CALLS_MAX, OVERDUE_CLOSED_MAX, ROWS_MAX, TURNS_KEPT};
use super::caps::{Amount, Caps, Exceeded, Used};
use super::day::Day;
use super::money::Money;
use crate::brain::{Answerer, Lane};
use crate::data::{SessionId, Timestamp, Usage};
use crate::store::{Position, TurnId};

/// What a call took, or is taken to have.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Charge {
    pub(super) usage: Usage,
    /// None where the price is not known.
    pub(super) micros: Option<Money>,
    /// Nobody said what it took; this is what it was expected to take.
    #[serde(default)]
    pub(super) estimated: bool,
}

impl Charge {
    pub(super) fn amount(&self) -> Amount {
        Amount::new(self.usage, self.micros.unwrap_or_default())
    }
}

/// A call that was allowed and whose cost is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenCall {
    pub(super) id: u64,
    pub(super) day: Day,
    pub(super) lane: Lane,
    pub(super) turn: Option<TurnId>,
    pub(super) who: Answerer,
    pub(super) reserved: Charge,
    /// From then on it counts as spent: whoever made it is gone.
    pub(super) until: Timestamp,
}

impl OpenCall {
    fn session(&self) -> Option<&SessionId> {
        self.turn.as_ref().map(|turn| &turn.session)
    }
}

/// The calls under way, of every process. Every change of the ledger writes this record, so its revision guards all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct OpenBook {
    pub(super) calls: Vec<OpenCall>,
}

/// One line of a day: what one model took in one lane.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Row {
    pub(super) lane: Lane,
    pub(super) brain: String,
    pub(super) model: String,
    pub(super) calls: u64,
    /// Calls of them whose figures are estimates.
    pub(super) estimated_calls: u64,
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) micros: Money,
    /// Tokens without a known price.
    pub(super) unpriced_tokens: u64,
}

/// What a day took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct DayBook {
    pub(super) rows: Vec<Row>,
}

/// What a session took.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct SessionBook {
    pub(super) spent: Amount,
    /// The latest turns, the last one that took something at the end.
    pub(super) turns: Vec<TurnSpend>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TurnSpend {
    pub(super) opened_at: Position,
    pub(super) spent: Amount,
}

/// The books that one change needs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Books {
    pub(super) open: OpenBook,
    pub(super) days: BTreeMap<Day, DayBook>,
    pub(super) sessions: BTreeMap<SessionId, SessionBook>,
}

/// Which books a change needs besides the calls under way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Needs {
    pub(super) days: BTreeSet<Day>,
    pub(super) sessions: BTreeSet<SessionId>,
}

/// Why a call was not allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Exceeded(Exceeded),
    /// More calls are under way than the ledger takes.
    Crowded,
}

impl OpenBook {
    /// The books that closing overdue calls and counting `call` takes.
    pub(super) fn needs(&self, call: &OpenCall, now: Timestamp) -> Needs {
        let mut needs = Needs::default();
        for call in self.overdue(now).chain([call]) {
            needs.days.insert(call.day);
            needs.sessions.extend(call.session().cloned());
        }
        needs
    }

    /// The calls that count as spent from now on; at most so many that their books fit into one change.
    fn overdue(&self, now: Timestamp) -> impl Iterator<Item = &OpenCall> {
        self.calls.iter().filter(move |call| call.until <= now).take(OVERDUE_CLOSED_MAX)
    }

    fn reserved(&self, counts: impl Fn(&OpenCall) -> bool) -> Amount {
        self.calls.iter().filter(|call| counts(call)).map(|call| call.reserved.amount()).sum()
    }

    pub(super) fn holds(&self, id: u64) -> bool {
        self.calls.iter().any(|call| call.id == id)
    }
}

impl Books {
    /// Counts overdue calls as spent. Nothing that a cap sees changes by it: they counted as reserved before.
    pub(super) fn close_overdue(&mut self, now: Timestamp) {
        let overdue: Vec<_> = self.open.overdue(now).cloned().collect();
        for call in overdue {
            let charge = Charge { estimated: true, ..call.reserved };
            self.settle(&call, Some((call.who.clone(), charge)));
        }
    }

    /// What is spent or under way where `call` counts.
    pub(super) fn used(&self, call: &OpenCall) -> Used {
        let day = self.days.get(&call.day).map(|day| day.spent(call.lane)).unwrap_or_default();
        let day = day + self.open.reserved(|open| open.day == call.day && open.lane == call.lane);
        let Some(turn) = &call.turn else { return Used { turn: None, session: None, day } };
        let session = self.sessions.get(&turn.session);
        let spent_in_turn = session.map(|session| session.spent_in(turn.opened_at)).unwrap_or_default();
        let spent = session.map(|session| session.spent).unwrap_or_default();
        let of_turn = self.open.reserved(|open| open.turn.as_ref() == Some(turn));
        let of_session = self.open.reserved(|open| open.session() == Some(&turn.session));
        Used { turn: Some(spent_in_turn + of_turn), session: Some(spent + of_session), day }
    }

    /// Reserves what `call` may take, unless a cap would be exceeded by it.
    pub(super) fn reserve(&mut self, call: &OpenCall, caps: &Caps) -> Result<(), Refusal> {
        if self.open.holds(call.id) {
            return Ok(());
        }
        if let Some(over) = caps.exceeded_by(call.lane, &self.used(call), call.reserved.amount()) {
            return Err(Refusal::Exceeded(over));
        }
        if self.open.calls.len() >= OPEN_CALLS_MAX {
            return Err(Refusal::Crowded);
        }
        self.open.calls.push(call.clone());
        Ok(())
    }

    /// Ends a reservation and counts what the call took; none when it took nothing. A call that is not reserved any more
    /// was counted as spent when its time was over, and is not counted again.
    pub(super) fn settle(&mut self, call: &OpenCall, took: Option<(Answerer, Charge)>) {
        if !self.open.holds(call.id) {
            return;
        }
        self.open.calls.retain(|open| open.id != call.id);
        if let Some((who, charge)) = took {
            self.count(call, &who, charge);
        }
    }

    /// Counts a call that was not reserved.
    pub(super) fn count(&mut self, call: &OpenCall, who: &Answerer, charge: Charge) {
        self.days.entry(call.day).or_default().add(call.lane, who, charge);
        if let Some(TurnId { session, opened_at }) = &call.turn {
            self.sessions.entry(session.clone()).or_default().add(*opened_at, charge.amount());
        }
    }
}

impl DayBook {
    /// What a lane took.
    pub(super) fn spent(&self, lane: Lane) -> Amount {
        self.rows.iter().filter(|row| row.lane == lane).map(Row::amount).sum()
    }

    fn add(&mut self, lane: Lane, who: &Answerer, charge: Charge) {
        let row = self.row(lane, who);
        let add = |sum: &mut u64, more: u64| *sum = sum.saturating_add(more);
        add(&mut row.calls, 1);
        add(&mut row.estimated_calls, charge.estimated.into());
        add(&mut row.input_tokens, charge.usage.input_tokens);
        add(&mut row.output_tokens, charge.usage.output_tokens);
        match charge.micros {
            Some(money) => row.micros = row.micros + money,
            None => add(&mut row.unpriced_tokens, charge.amount().tokens),
        }
    }

    fn row(&mut self, lane: Lane, who: &Answerer) -> &mut Row {
        let names = |row: &Row, brain: &str, model: &str| row.lane == lane && row.brain == brain && row.model == model;
        let (mut brain, mut model) = (who.brain.as_str(), who.model.as_str());
        let mut found = self.rows.iter().position(|row| names(row, brain, model));
        if found.is_none() && self.rows.len() >= ROWS_MAX {
            (brain, model) = (OTHERS, OTHERS);
            found = self.rows.iter().position(|row| names(row, brain, model));
        }
        let at = found.unwrap_or_else(|| {
            self.rows.push(Row::new(lane, brain, model));
            self.rows.len() - 1
        });
        &mut self.rows[at]
    }
}

/// What stands for the models beyond the bound.
const OTHERS: &str = "others";

impl Row {
    fn new(lane: Lane, brain: &str, model: &str) -> Self {
        Self {
            lane,
            brain: brain.to_owned(),
            model: model.to_owned(),
            calls: 0,
            estimated_calls: 0,
            input_tokens: 0,
            output_tokens: 0,
            micros: Money::ZERO,
            unpriced_tokens: 0,
        }
    }

    pub(super) fn amount(&self) -> Amount {
        Amount { tokens: self.input_tokens.saturating_add(self.output_tokens), money: self.micros }
    }
}

impl SessionBook {
    fn spent_in(&self, opened_at: Position) -> Amount {
        let turn = self.turns.iter().find(|turn| turn.opened_at == opened_at);
        turn.map(|turn| turn.spent).unwrap_or_default()
    }

    fn add(&mut self, opened_at: Position, more: Amount) {
        self.spent = self.spent + more;
        let spent = self.spent_in(opened_at) + more;
        self.turns.retain(|turn| turn.opened_at != opened_at);
        if self.turns.len() >= TURNS_KEPT {
            self.turns.remove(0);
        }
        self.turns.push(TurnSpend { opened_at, spent });
    }
}
