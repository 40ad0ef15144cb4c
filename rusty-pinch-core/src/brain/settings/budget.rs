//! The variables of budgets and prices.

use std::path::PathBuf;

use crate::brain::budget::{CapLimit, CapScope, CapUnit, Caps};
use crate::config::{Kind, Reader, Section, Variable};

/// The most tokens that a cap can name.
const TOKENS_MAX: u64 = 1_000_000_000_000;

const fn tokens(name: &'static str, doc: &'static str) -> Variable {
    Variable::new(name, Kind::Integer { min: 0, max: TOKENS_MAX }, doc)
}

const fn money(name: &'static str, doc: &'static str) -> Variable {
    Variable::new(name, Kind::Usd, doc)
}

const TURN_TOKENS: Variable = tokens(
    CapScope::Turn.variable(CapUnit::Tokens),
    "Tokens, read and written, that one turn may take. A call is made only if what it is expected to take fits too.",
);
const TURN_USD: Variable =
    money(CapScope::Turn.variable(CapUnit::Usd), "US dollars that one turn may take, as far as prices are known.");
const SESSION_TOKENS: Variable =
    tokens(CapScope::Session.variable(CapUnit::Tokens), "Tokens that one session may take, for as long as it exists.");
const SESSION_USD: Variable =
    money(CapScope::Session.variable(CapUnit::Usd), "US dollars that one session may take, for as long as it exists.");
const DAY_TOKENS: Variable =
    tokens(CapScope::Day.variable(CapUnit::Tokens), "Tokens that people's messages may take in a day (UTC).");
const DAY_USD: Variable =
    money(CapScope::Day.variable(CapUnit::Usd), "US dollars that people's messages may take in a day (UTC).");
const BACKGROUND_DAY_TOKENS: Variable = tokens(
    CapScope::BackgroundDay.variable(CapUnit::Tokens),
    "Tokens that background work, for which nobody waits, may take in a day (UTC). It takes nothing from the day of \
     people, and 0 lets it ask no brain that costs anything.",
)
.default("200000");
const BACKGROUND_DAY_USD: Variable =
    money(CapScope::BackgroundDay.variable(CapUnit::Usd), "US dollars that background work may take in a day (UTC).");

const ANSWER_TOKENS: Variable = Variable::new(
    "RUSTY_PINCH_BUDGET_ANSWER_TOKENS",
    Kind::Integer { min: 1, max: 10_000_000 },
    "Tokens that an answer is expected to take, hidden reasoning included, before it is known. Caps hold to within what \
     answers take beyond it, so raise it for models that think at length.",
)
.default("4096");

const PRICES_FILE: Variable = Variable::new(
    "RUSTY_PINCH_PRICES_FILE",
    Kind::Path,
    "A JSON file of prices that replaces the built-in list: `date`, `source`, and `models`, each with `provider`, `model`, \
     and `input` and `output` in US dollars for a million tokens, as text such as `\"0.15\"`. A model without a price is \
     not counted by caps in US dollars.",
)
.otherwise("the built-in list; `doctor` shows its date");

pub(crate) const SECTION: Section = Section {
    title: "Budget",
    doc: "What may be spent on brains. Each call is checked before it is made, in all processes of a data folder together. \
          The offline brain is free, and a Codex login costs tokens and no money. Where nothing is set, only background work has a cap.",
    variables: &[
        TURN_TOKENS,
        TURN_USD,
        SESSION_TOKENS,
        SESSION_USD,
        DAY_TOKENS,
        DAY_USD,
        BACKGROUND_DAY_TOKENS,
        BACKGROUND_DAY_USD,
        ANSWER_TOKENS,
        PRICES_FILE,
    ],
};

/// The settings of budgets and prices.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct BudgetSettings {
    /// What may be spent.
    pub caps: Caps,
    /// Tokens that an answer is expected to take.
    pub answer_tokens: u64,
    /// The file of prices, when somebody has one.
    pub prices_file: Option<PathBuf>,
}

impl BudgetSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        let mut limit = |tokens: &Variable, money: &Variable| CapLimit {
            tokens: reader.number(tokens),
            money: reader.parse(money, |text| text.parse().map_err(|_| money.kind.rule())),
        };
        let caps = Caps {
            turn: limit(&TURN_TOKENS, &TURN_USD),
            session: limit(&SESSION_TOKENS, &SESSION_USD),
            day: limit(&DAY_TOKENS, &DAY_USD),
            background_day: limit(&BACKGROUND_DAY_TOKENS, &BACKGROUND_DAY_USD),
        };
        Self { caps, answer_tokens: reader.integer(&ANSWER_TOKENS), prices_file: reader.path(&PRICES_FILE) }
    }
}
