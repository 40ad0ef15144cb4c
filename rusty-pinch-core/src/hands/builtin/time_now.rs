//! `time_now`: the present instant, in UTC and in a time zone that is asked for.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use crate::data::Timestamp;
use crate::hands::text::quoted;
use crate::hands::{Tool, ToolError};
use crate::sys::Clock;

#[derive(Deserialize, JsonSchema)]
struct TimeNow {
    /// A time zone's name in the IANA database, such as `Europe/Berlin`, or the city in it. UTC unless given.
    zone: Option<String>,
}

pub(super) fn tool(clock: Arc<dyn Clock>) -> Tool {
    let zone = |zone: &str| json!({ "zone": zone });
    Tool::new("time_now", "Tells the current date and time, in UTC or in a time zone")
        .read_only()
        .positional(["zone"])
        .example("what time is it", json!({}))
        .example("what's the time", json!({}))
        .example("tell me the current time", json!({}))
        .example("what is the date today", json!({}))
        .example("what day is it today", json!({}))
        .example("what is today's date", json!({}))
        .example("what day is it", json!({}))
        .example("what year is it", json!({}))
        .example("what time is it now in UTC", json!({}))
        .example("what time is it in Europe/Berlin", zone("Europe/Berlin"))
        .example("what time is it in Tokyo", zone("Tokyo"))
        .example("what is the time in London", zone("London"))
        .example("time in Asia/Tokyo", zone("Asia/Tokyo"))
        .example("current time in America/New_York", zone("America/New_York"))
        .run(move |time: TimeNow| {
            let now = clock.now();
            async move { shown(now, time.zone.as_deref()) }
        })
}

/// `now` as RFC 3339, to the second.
fn shown(now: Timestamp, zone: Option<&str>) -> Result<String, ToolError> {
    let utc = Timestamp::from_millis(now.as_millis().div_euclid(1_000).saturating_mul(1_000));
    let Some(name) = zone.map(str::trim).filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case("utc")) else {
        return Ok(utc.to_string());
    };
    let (name, zone) = zone_of(name).ok_or_else(|| {
        format!(
            "{} is not a time zone in this machine's database; give a name such as Europe/Berlin, or none for UTC",
            quoted(name)
        )
    })?;
    Ok(format!("{} in {name} ({utc})", local(utc, zone)?))
}

/// The zone that is called `name`, or the one whose city is.
fn zone_of(name: &str) -> Option<(String, jiff::tz::TimeZone)> {
    if let Ok(zone) = jiff::tz::TimeZone::get(name) {
        return Some((zone.iana_name().unwrap_or(name).to_owned(), zone));
    }
    let city = name.replace(' ', "_");
    let of_city = |zone: &str| {
        let (region, last) = zone.rsplit_once('/').unwrap_or_default();
        // These two hold copies of all zones.
        last.eq_ignore_ascii_case(&city) && !region.starts_with("posix") && !region.starts_with("right")
    };
    let zones = jiff::tz::db().available().map(|zone| zone.to_string()).filter(|zone| of_city(zone));
    let name = zones.min_by_key(|zone| (zone.len(), zone.clone()))?;
    let zone = jiff::tz::TimeZone::get(&name).ok()?;
    Some((name, zone))
}

/// `at` in `zone` as RFC 3339 with the zone's offset.
fn local(at: Timestamp, zone: jiff::tz::TimeZone) -> Result<String, ToolError> {
    let at = jiff::Timestamp::from_nanosecond(i128::from(at.as_nanos()))?.to_zoned(zone);
    Ok(at.strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp::from_millis(1_767_268_800_750);

    #[test]
    fn utc_is_the_default_and_zones_shift_it() {
        for utc in [None, Some(""), Some("UTC"), Some(" utc ")] {
            assert_eq!(shown(NOON, utc).unwrap(), "2026-01-01T12:00:00Z");
        }
        let zone = jiff::tz::TimeZone::fixed(jiff::tz::offset(-5));
        assert_eq!(local(NOON, zone).unwrap(), "2026-01-01T07:00:00-05:00");
    }

    #[test]
    fn zones_are_looked_up_by_name_and_wrong_names_are_told() {
        for wrong in ["Atlantis/Capital", "../../etc/passwd", "/etc/passwd", "\u{0}", &"x".repeat(5000)] {
            let error = shown(NOON, Some(wrong)).unwrap_err();
            assert!(error.message().contains("not a time zone") && error.message().len() < 300, "{}", error.message());
        }
        // Without a database on the machine, every name is unknown; with one, Berlin is an hour ahead in winter.
        let berlin = shown(NOON, Some("Europe/Berlin"));
        match jiff::tz::TimeZone::get("Europe/Berlin") {
            Ok(_) => {
                assert_eq!(berlin.unwrap(), "2026-01-01T13:00:00+01:00 in Europe/Berlin (2026-01-01T12:00:00Z)");
                let york = shown(NOON, Some("new york")).unwrap();
                assert_eq!(york, "2026-01-01T07:00:00-05:00 in America/New_York (2026-01-01T12:00:00Z)");
            }
            Err(_) => assert!(berlin.is_err()),
        }
    }
}
