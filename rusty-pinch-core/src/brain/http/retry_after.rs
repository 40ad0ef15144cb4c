//! When a server wants to be asked again.

use std::time::{Duration, SystemTime};

use reqwest::header::HeaderMap;

use crate::data::Timestamp;

/// The longest pause that is believed. Quotas of accounts reset monthly at the latest.
pub(crate) const RETRY_AFTER_MAX: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// The instant before which the server does not want to be asked again, if it says so in a way that makes sense.
///
/// `retry-after-ms` and `retry-after` (seconds or an HTTP date) are read, and the later one counts. A date is measured
/// against the server's own `date`, so that a wrong clock on either side does no harm.
pub(crate) fn retry_at(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    let millis = text("retry-after-ms").and_then(|value| number(value, 0.001));
    let seconds = text("retry-after").and_then(|value| number(value, 1.0).or_else(|| until(value, text("date"), now)));
    millis.max(seconds).map(|pause| now + pause.min(RETRY_AFTER_MAX))
}

/// A number of units. What is no number, negative or infinite says nothing.
fn number(text: &str, unit_seconds: f64) -> Option<Duration> {
    let starts_right = text.starts_with(|c: char| c.is_ascii_digit() || c == '.');
    let seconds = text.parse::<f64>().ok().filter(|_| starts_right)? * unit_seconds;
    Duration::try_from_secs_f64(seconds.min(RETRY_AFTER_MAX.as_secs_f64())).ok()
}

fn until(date: &str, server_now: Option<&str>, now: Timestamp) -> Option<Duration> {
    let date = httpdate::parse_http_date(date).ok()?;
    match server_now.and_then(|text| httpdate::parse_http_date(text).ok()) {
        Some(server_now) => Some(after(date, server_now)),
        None => Some(Timestamp::from(date).since(now)),
    }
}

fn after(later: SystemTime, earlier: SystemTime) -> Duration {
    later.duration_since(earlier).unwrap_or(Duration::ZERO)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use reqwest::header::{HeaderName, HeaderValue};

    use super::*;

    /// 2026-11-20T12:00:00Z, a Friday.
    fn now() -> Timestamp {
        "2026-11-20T12:00:00Z".parse().unwrap()
    }

    #[track_caller]
    fn check(headers: &[(&'static str, &str)], expected_ms: Option<u64>) {
        let headers: HeaderMap = headers
            .iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()))
            .collect();
        let expected = expected_ms.map(|ms| now() + Duration::from_millis(ms));
        assert_eq!(retry_at(&headers, now()), expected, "{headers:?}");
    }

    #[test]
    fn reads_seconds_milliseconds_and_dates() {
        check(&[], None);
        check(&[("retry-after", "2")], Some(2_000));
        check(&[("retry-after", " 0.25 ")], Some(250));
        check(&[("retry-after", "0")], Some(0));
        check(&[("retry-after-ms", "1500")], Some(1_500));
        check(&[("retry-after", "Fri, 20 Nov 2026 12:00:30 GMT")], Some(30_000));
        check(&[("retry-after", "Friday, 20-Nov-26 12:00:30 GMT")], Some(30_000));
        check(&[("retry-after", "Fri, 20 Nov 2026 11:00:00 GMT")], Some(0));
    }

    #[test]
    fn the_later_of_two_counts_and_garbage_beside_a_number_does_not() {
        check(&[("retry-after", "2"), ("retry-after-ms", "1500")], Some(2_000));
        check(&[("retry-after", "1"), ("retry-after-ms", "1500")], Some(1_500));
        check(&[("retry-after", "soon"), ("retry-after-ms", "1500")], Some(1_500));
    }

    #[test]
    fn measures_a_date_by_the_servers_own_clock() {
        let date = "Mon, 23 Nov 2026 08:00:10 GMT";
        check(&[("retry-after", date), ("date", "Mon, 23 Nov 2026 08:00:00 GMT")], Some(10_000));
        check(&[("retry-after", date), ("date", "yesterday")], Some(((2 * 24 + 20) * 3600 + 10) * 1000));
    }

    #[test]
    fn garbage_says_nothing_and_the_huge_is_bounded() {
        for garbage in ["", "soon", "-1", "-0.5", "NaN", "inf", "+inf", "1,5", "2 s", "0x10", "1e", "\u{7f}x"] {
            let Ok(value) = HeaderValue::from_str(garbage) else { continue };
            for name in ["retry-after", "retry-after-ms"] {
                let headers = HeaderMap::from_iter([(HeaderName::from_static(name), value.clone())]);
                assert_eq!(retry_at(&headers, now()), None, "{name}: {garbage}");
            }
        }
        let most = Some(u64::try_from(RETRY_AFTER_MAX.as_millis()).unwrap());
        for huge in ["99999999999", "1e300", "1e999", "Fri, 20 Nov 2099 12:00:00 GMT"] {
            check(&[("retry-after", huge)], most);
        }
        check(&[("retry-after-ms", "99999999999999999999999999")], most);
    }

    fn of(headers: &[(&'static str, &str)]) -> Option<Duration> {
        let value = |value: &str| HeaderValue::from_bytes(value.as_bytes()).ok();
        let headers: Option<HeaderMap> =
            headers.iter().map(|(name, text)| Some((HeaderName::from_static(name), value(text)?))).collect();
        retry_at(&headers?, now()).map(|at| at.since(now()))
    }

    proptest! {
        #[test]
        fn any_text_at_all_says_nothing_or_something_bounded(text in "\\PC{0,40}", other in "[ -~]{0,40}") {
            for name in ["retry-after", "retry-after-ms"] {
                let pause = of(&[(name, &text), ("date", &other)]);
                prop_assert!(pause.is_none_or(|pause| pause <= RETRY_AFTER_MAX), "{pause:?}");
            }
        }

        #[test]
        fn a_number_is_kept_to_the_unit_and_never_undercut(number in 0_u64..=1_000_000_000_000) {
            let text = number.to_string();
            let seconds = Duration::from_secs(number).min(RETRY_AFTER_MAX);
            prop_assert_eq!(of(&[("retry-after", &text)]), Some(seconds));
            let millis = of(&[("retry-after-ms", &text)]).unwrap();
            let expected = Duration::from_millis(number).min(RETRY_AFTER_MAX);
            // A float holds these to well under a microsecond.
            prop_assert!(millis.abs_diff(expected) < Duration::from_micros(1), "{millis:?}");
        }

        #[test]
        fn a_negative_number_says_nothing(number in any::<i64>().prop_filter("negative", |n| *n < 0), part in 0_u32..100) {
            for text in [format!("{number}"), format!("{number}.{part}"), format!("-{part}.5")] {
                prop_assert_eq!(of(&[("retry-after", &text)]), None);
                prop_assert_eq!(of(&[("retry-after-ms", &text)]), None);
            }
        }

        #[test]
        fn a_date_is_the_instant_that_it_names_and_never_before_now(second in 0_u64..=4_000_000_000) {
            let at = SystemTime::UNIX_EPOCH + Duration::from_secs(second);
            let expected = Timestamp::from(at).since(now()).min(RETRY_AFTER_MAX);
            prop_assert_eq!(of(&[("retry-after", &httpdate::fmt_http_date(at))]), Some(expected));
        }
    }
}
