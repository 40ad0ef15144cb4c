//! What the server says about the account's quota. Pure.

use serde_json::Value;

use crate::brain::codex::quota::{QuotaReading, QuotaWindow};
use crate::data::Timestamp;

/// The windows that were told so far. An update may leave out what it does not know, which does not make it void.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KnownLimits {
    primary: Option<QuotaWindow>,
    secondary: Option<QuotaWindow>,
}

impl KnownLimits {
    /// Adds an `account/rateLimits/updated`, and gives the reading; none when it told nothing.
    pub(super) fn add(&mut self, params: &Value, now: Timestamp) -> Option<QuotaReading> {
        let told = |name: &str| params.pointer(&format!("/rateLimits/{name}")).and_then(window);
        let (primary, secondary) = (told("primary"), told("secondary"));
        if primary.is_none() && secondary.is_none() {
            return None;
        }
        self.primary = primary.or(self.primary.take());
        self.secondary = secondary.or(self.secondary.take());
        Some(QuotaReading { read_at: now, windows: self.primary.iter().chain(&self.secondary).cloned().collect() })
    }
}

fn window(window: &Value) -> Option<QuotaWindow> {
    let used = window.get("usedPercent")?.as_f64()?;
    let number = |name: &str| window.get(name).and_then(Value::as_i64);
    let resets_at = number("resetsAt").and_then(|seconds| seconds.checked_mul(1000)).map(Timestamp::from_millis);
    Some(QuotaWindow {
        // A part of a percent counts as a whole one: rather too careful.
        used_percent: used.ceil().clamp(0.0, 100.0) as u8,
        minutes: number("windowDurationMins").and_then(|minutes| u32::try_from(minutes).ok()),
        resets_at,
    })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const NOW: Timestamp = Timestamp::EPOCH;

    #[test]
    fn both_windows_are_read_and_one_that_is_left_out_is_remembered() {
        let mut known = KnownLimits::default();
        let primary = json!({ "usedPercent": 43, "windowDurationMins": 300, "resetsAt": 1_795_552_581 });
        let both = json!({ "rateLimits": { "primary": primary, "secondary": { "usedPercent": 7.2 } } });
        let reading = known.add(&both, NOW).unwrap();
        let resets_at = Some(Timestamp::from_millis(1_795_552_581_000));
        let first = QuotaWindow { used_percent: 43, minutes: Some(300), resets_at };
        let second = QuotaWindow { used_percent: 8, minutes: None, resets_at: None };
        assert_eq!(reading.windows, [first, second.clone()]);

        let one = json!({ "rateLimits": { "primary": { "usedPercent": 100 }, "secondary": null } });
        let newer = QuotaWindow { used_percent: 100, minutes: None, resets_at: None };
        assert_eq!(known.add(&one, NOW).unwrap().windows, [newer, second]);
    }

    #[test]
    fn odd_numbers_are_bounded_and_nothing_is_no_reading() {
        for (told, expected) in [
            (json!({ "usedPercent": -5 }), Some((0, None))),
            (json!({ "usedPercent": 1e300 }), Some((100, None))),
            (json!({ "usedPercent": 1, "windowDurationMins": -1, "resetsAt": i64::MAX }), Some((1, None))),
            (json!({ "usedPercent": "7" }), None),
            (json!({}), None),
            (json!([]), None),
            (Value::Null, None),
        ] {
            let reading = KnownLimits::default().add(&json!({ "rateLimits": { "primary": told } }), NOW);
            assert_eq!(reading.map(|reading| (reading.windows[0].used_percent, reading.windows[0].minutes)), expected);
        }
    }
}
