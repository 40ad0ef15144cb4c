//! Days, as budgets count them.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::data::Timestamp;

const SECONDS: u64 = 24 * 3600;
const NANOS: i64 = 24 * 3600 * 1_000_000_000;

/// A day in UTC, written `2026-11-24`. Days are ordered in time, and so are their texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct Day(i64);

impl Day {
    pub(super) fn of(at: Timestamp) -> Self {
        Self(at.as_nanos().div_euclid(NANOS))
    }

    /// The midnight at which it begins.
    fn start(self) -> Timestamp {
        Timestamp::from_nanos(self.0.saturating_mul(NANOS))
    }

    /// The midnight at which it is over.
    pub(super) fn end(self) -> Timestamp {
        self.start() + Duration::from_secs(SECONDS)
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = self.start().to_string();
        f.write_str(text.split_once('T').map_or(&text, |(day, _)| day))
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        parse(&text).ok_or_else(|| de::Error::custom(format!("{text:?} is not a day such as 2026-11-24")))
    }
}

/// The day that `text` writes.
pub(super) fn parse(text: &str) -> Option<Day> {
    let day = Day::of(format!("{text}T00:00:00Z").parse().ok()?);
    (day.to_string() == text).then_some(day)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_day_ends_at_midnight_utc_to_the_nanosecond() {
        let midnight: Timestamp = "2026-11-25T00:00:00Z".parse().unwrap();
        let before = Timestamp::from_nanos(midnight.as_nanos() - 1);
        assert_eq!(
            (Day::of(before).to_string(), Day::of(midnight).to_string()),
            ("2026-11-24".into(), "2026-11-25".into())
        );
        assert_eq!((Day::of(before).end(), Day::of(before) < Day::of(midnight)), (midnight, true));
        for text in ["", "2026-1-1", "2026-02-30", "2026-11-24Z", "today"] {
            assert_eq!(parse(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn texts_are_ordered_as_days_are(a in any::<i64>(), b in any::<i64>()) {
            // The last day of the range ends beyond it.
            let [a, b] = [a, b].map(|nanos| Day::of(Timestamp::from_nanos(nanos / 2)));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(parse(&a.to_string()), Some(a));
        }
    }
}
