//! Money, exact.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// An amount of US dollars in millionths, so that sums are exact. Arithmetic saturates.
///
/// It reads and writes decimal text such as `1.50`; in records it is a whole number of millionths.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Money {
    micros: u64,
}

/// Decimal places that a text may have.
const PLACES_MAX: usize = 6;
/// The largest amount that a text may name, in dollars.
const DOLLARS_MAX: u64 = 1_000_000;
const MICROS: u64 = 1_000_000;

/// A text that is no amount of money.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an amount in US dollars such as `1.50`, from 0 to {DOLLARS_MAX}, with at most {PLACES_MAX} decimal places")]
pub struct MoneyError;

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self { micros: 0 };

    /// So many millionths of a dollar.
    pub const fn from_micros(micros: u64) -> Self {
        Self { micros }
    }

    /// Millionths of a dollar.
    pub const fn micros(self) -> u64 {
        self.micros
    }

    /// The price of `tokens` at `self` for a million, rounded up.
    pub(super) fn for_tokens(self, tokens: u64) -> Self {
        let micros = (u128::from(self.micros) * u128::from(tokens)).div_ceil(u128::from(MICROS));
        Self { micros: u64::try_from(micros).unwrap_or(u64::MAX) }
    }
}

impl std::ops::Add for Money {
    type Output = Self;
    fn add(self, rhs: Self) -> Self {
        Self { micros: self.micros.saturating_add(rhs.micros) }
    }
}

impl fmt::Display for Money {
    /// Without a currency sign, with two to six decimal places.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (dollars, micros) = (self.micros / MICROS, self.micros % MICROS);
        let digits = format!("{micros:06}");
        let significant = digits.trim_end_matches('0').len().max(2);
        write!(f, "{dollars}.{}", digits.get(..significant).unwrap_or(&digits))
    }
}

impl FromStr for Money {
    type Err = MoneyError;

    fn from_str(text: &str) -> Result<Self, MoneyError> {
        let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !is_number(whole) || !is_number(fraction) || fraction.len() > PLACES_MAX {
            return Err(MoneyError);
        }
        let dollars: u64 = whole.parse().map_err(|_| MoneyError)?;
        let micros: u64 = format!("{fraction:0<PLACES_MAX$}").parse().map_err(|_| MoneyError)?;
        let sum = dollars.checked_mul(MICROS).and_then(|sum| sum.checked_add(micros));
        sum.filter(|sum| *sum <= DOLLARS_MAX * MICROS).map(Self::from_micros).ok_or(MoneyError)
    }
}

/// Writes money as decimal text, for reports.
pub(super) fn as_text<S: serde::Serializer>(money: &Money, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(money)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimal_text_is_exact_and_everything_else_is_refused() {
        for (text, micros) in [
            ("0", 0),
            ("1", 1_000_000),
            ("1.5", 1_500_000),
            ("0.000001", 1),
            ("007.10", 7_100_000),
            ("1000000", 1_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Money::from_micros(micros)), "{text}");
        }
        for text in [
            "",
            ".",
            "1.",
            ".5",
            "-1",
            "+1",
            "1e3",
            "1,50",
            "$1",
            "1.0000001",
            "1000000.01",
            "99999999999999999999",
            "٣",
        ] {
            assert_eq!(text.parse::<Money>(), Err(MoneyError), "{text:?}");
        }
    }

    #[test]
    fn prices_round_up_and_never_overflow() {
        let price: Money = "0.15".parse().unwrap();
        assert_eq!(price.for_tokens(1_000_000), price);
        assert_eq!((price.for_tokens(1).micros(), price.for_tokens(0).micros()), (1, 0));
        assert_eq!(Money::from_micros(u64::MAX).for_tokens(u64::MAX).micros(), u64::MAX);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_the_same(micros in 0..=DOLLARS_MAX * MICROS) {
            let money = Money::from_micros(micros);
            prop_assert_eq!(money.to_string().parse(), Ok(money));
        }
    }
}
