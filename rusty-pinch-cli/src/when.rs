//! Instants as people read them: to the second, and how far away they are.

use std::time::Duration;

use rusty_pinch_core::Timestamp;

/// An instant that somebody waits for. It is rounded up, so that nobody comes too early.
pub(crate) fn until(at: Timestamp, now: Timestamp) -> String {
    let at = at.rounded_up();
    match at.since(now) {
        Duration::ZERO => format!("{at} (now)"),
        wait => format!("{at} (in {})", length(wait)),
    }
}

/// An instant that is over.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let second = Timestamp::from_millis(at.as_millis().div_euclid(1000).saturating_mul(1000));
    format!("{second} ({} ago)", length(now.since(at)))
}

/// A length of time in its largest unit of which there are at least two, rounded up.
fn length(time: Duration) -> String {
    let seconds = time.as_secs().saturating_add(u64::from(time.subsec_nanos() > 0));
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds.div_ceil(60)),
        7_200..172_800 => format!("{} h", seconds.div_ceil(3_600)),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_are_told_to_the_second_and_waits_are_never_told_too_short() {
        let now = Timestamp::from_millis(1_000_000_000_250);
        for (millis, expected) in [
            (0, "2001-09-09T01:46:41Z (in 1 s)"),
            (29_000, "2001-09-09T01:47:10Z (in 30 s)"),
            (180_000, "2001-09-09T01:49:41Z (in 4 min)"),
            (10_000_000, "2001-09-09T04:33:21Z (in 3 h)"),
            (260_000_000, "2001-09-12T02:00:01Z (in 4 days)"),
        ] {
            assert_eq!(until(now + Duration::from_millis(millis), now), expected);
        }
        assert_eq!(until(now - Duration::from_secs(5), now), "2001-09-09T01:46:36Z (now)");
        assert_eq!(ago(now - Duration::from_secs(40), now), "2001-09-09T01:46:00Z (40 s ago)");
    }
}
