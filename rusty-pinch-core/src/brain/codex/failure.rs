//! What the CLI says when a turn fails, and what that means. Pure.
//!
//! `codex exec --json` has no codes, only sentences, and the app-server has codes for some; these are those of version 0.169, read leniently. A sentence that
//! is not known means that the request was refused, which makes a chain go on to another brain.

use std::time::Duration;

use jiff::civil;
use serde_json::Value;

use crate::brain::BrainError;
use crate::data::Timestamp;

const DETAIL_CHARS_MAX: usize = 300;
/// No pause that a server asks for is longer than this.
const PAUSE_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

/// Whose failure it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Circumstances<'a> {
    /// Which brain.
    pub(super) brain: &'a str,
    /// Where it sent the request.
    pub(super) target: &'a str,
    /// Whether it used a key instead of a login.
    pub(super) has_key: bool,
    /// When it failed.
    pub(super) now: Timestamp,
}

/// A sentence of the CLI as an error's source.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Said(String);

impl Circumstances<'_> {
    /// What `message` means.
    pub(super) fn classify(&self, message: &str) -> BrainError {
        if let Some(error) = self.refused_body(message) {
            return error;
        }
        let said = message.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| said.contains(word));
        if has(&["usage limit", "quota exceeded", "insufficient_quota", "with your chatgpt plan, upgrade"]) {
            return self.quota(message);
        }
        if has(&["model's context window", "context_length_exceeded"]) {
            return self.context_too_long(message);
        }
        if let Some(status) = status(&said) {
            return self.by_status(status, message);
        }
        if has(&["high demand", "at capacity", "overloaded"]) {
            return self.overloaded(message);
        }
        if has(&["rate limit"]) {
            return self.rate_limited(message);
        }
        if has(&["could not be refreshed", "sign in again", "log in again", "not logged in", "codex login"]) {
            return self.unauthorized(message);
        }
        if has(&["missing environment variable"]) {
            return BrainError::NotConfigured {
                brain: self.brain(),
                detail: shortened(message),
                fix: "set the variable, or use another provider in Codex's settings".to_owned(),
            };
        }
        if has(&["error sending request", "connection failed", "connection refused", "routing discovery failed"]) {
            return self.unreachable(message);
        }
        if has(&["stream disconnected", "stream closed", "idle timeout"]) {
            return BrainError::Cut { brain: self.brain(), detail: shortened(message) };
        }
        self.rejected(message)
    }

    /// The CLI passes the body of a status 400 on as it is.
    pub(super) fn refused_body(&self, message: &str) -> Option<BrainError> {
        let body: Value = serde_json::from_str(message).ok()?;
        let text = |pointer: &str| body.pointer(pointer).and_then(Value::as_str);
        let detail = text("/error/message").or(text("/detail")).or(text("/message")).unwrap_or(message);
        Some(match text("/error/code").unwrap_or_default() {
            "context_length_exceeded" => self.context_too_long(detail),
            "insufficient_quota" => self.quota(detail),
            "invalid_api_key" => self.unauthorized(detail),
            _ => self.rejected(detail),
        })
    }

    pub(super) fn by_status(&self, status: u16, message: &str) -> BrainError {
        match status {
            401 | 403 => self.unauthorized(message),
            413 => self.context_too_long(message),
            429 => self.rate_limited(message),
            408 | 409 | 425 | 500.. => self.overloaded(message),
            _ => self.rejected(message),
        }
    }

    pub(super) fn brain(&self) -> String {
        self.brain.to_owned()
    }

    pub(super) fn quota(&self, message: &str) -> BrainError {
        let resets_at = resets_at(message, self.now);
        BrainError::QuotaExhausted { brain: self.brain(), detail: shortened(message), resets_at }
    }

    pub(super) fn overloaded(&self, message: &str) -> BrainError {
        let retry_at = retry_at(&message.to_lowercase(), self.now);
        BrainError::Overloaded { brain: self.brain(), detail: shortened(message), retry_at }
    }

    pub(super) fn rejected(&self, message: &str) -> BrainError {
        BrainError::Rejected { brain: self.brain(), detail: shortened(message) }
    }

    pub(super) fn rate_limited(&self, message: &str) -> BrainError {
        BrainError::RateLimited { brain: self.brain(), retry_at: retry_at(&message.to_lowercase(), self.now) }
    }

    pub(super) fn unreachable(&self, message: &str) -> BrainError {
        let source = Box::new(Said(shortened(message)));
        BrainError::Unreachable { brain: self.brain(), target: self.target.to_owned(), source }
    }

    pub(super) fn context_too_long(&self, message: &str) -> BrainError {
        BrainError::ContextTooLong { brain: self.brain(), detail: shortened(message) }
    }

    pub(super) fn unauthorized(&self, message: &str) -> BrainError {
        let fix = if self.has_key { "check the key of this account" } else { "run `codex login`" };
        BrainError::Unauthorized { brain: self.brain(), detail: shortened(message), fix: fix.to_owned() }
    }
}

/// `text` on one line, without control characters, at most 300 characters long.
pub(super) fn shortened(text: &str) -> String {
    let mut line: String = text.split_whitespace().collect::<Vec<_>>().join(" ");
    line.retain(|character| !character.is_control());
    match line.char_indices().nth(DETAIL_CHARS_MAX) {
        Some((at, _)) => format!("{}…", line.get(..at).unwrap_or_default()),
        None => line,
    }
}

/// The HTTP status that `said` names.
fn status(said: &str) -> Option<u16> {
    let after = ["unexpected status ", "last status: "].iter().find_map(|words| said.split_once(words))?.1;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    digits.parse().ok().filter(|status| (100..600).contains(status))
}

/// When a used-up quota comes back: `try again at 6:34 PM.`, or `… at Nov 24th, 2026 4:55 AM.` on another day. The clock
/// is UTC, because the child's environment says so; the minute is rounded up, so that nobody asks too early.
fn resets_at(message: &str, now: Timestamp) -> Option<Timestamp> {
    let Some((_, after)) = message.split_once("try again at ") else { return retry_at(&message.to_lowercase(), now) };
    let today = jiff::Timestamp::from_nanosecond(i128::from(now.as_nanos())).ok()?.to_zoned(jiff::tz::TimeZone::UTC);
    let words: Vec<&str> = after.split_whitespace().map(|word| word.trim_end_matches(['.', ','])).collect();
    let at = match words.as_slice() {
        [month, day, year, time, half, ..] if year.len() == 4 => {
            let day = day.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let text = format!("{month} {day} {year} {time} {half}");
            civil::DateTime::strptime("%b %d %Y %I:%M %p", text).ok()?
        }
        [time, half, ..] => {
            let time = civil::Time::strptime("%I:%M %p", format!("{time} {half}")).ok()?;
            let at = today.date().to_datetime(time);
            // A time that has been is tomorrow's; one of the present minute is not.
            let is_past = at.checked_add(jiff::Span::new().minutes(1)).ok()? <= today.datetime();
            if is_past { at.checked_add(jiff::Span::new().days(1)).ok()? } else { at }
        }
        _ => return None,
    };
    let at = jiff::tz::TimeZone::UTC.to_timestamp(at).ok()?;
    let at = Timestamp::from_nanos(i64::try_from(at.as_nanosecond()).ok()?) + Duration::from_secs(60);
    Some(at.min(now + PAUSE_MAX))
}

/// When to ask again: `try again in 6m0s`, `… in 1.5 seconds`, `… in 20ms`. `said` is in lower case.
fn retry_at(said: &str, now: Timestamp) -> Option<Timestamp> {
    let mut rest = said.split_once("try again in ")?.1;
    let mut seconds = None;
    loop {
        let number_len = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let (number, after) = rest.split_at(number_len);
        let Ok(number) = number.trim_end_matches('.').parse::<f64>() else { break };
        let after = after.trim_start();
        let unit_len = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (unit, after) = after.split_at(unit_len);
        let scale = match unit {
            "ms" | "millisecond" | "milliseconds" => 0.001,
            "s" | "sec" | "second" | "seconds" => 1.0,
            "m" | "min" | "minute" | "minutes" => 60.0,
            "h" | "hour" | "hours" => 3600.0,
            "d" | "day" | "days" => 86_400.0,
            _ => break,
        };
        seconds = Some(seconds.unwrap_or(0.0) + number * scale);
        rest = after.trim_start();
    }
    let pause = Duration::try_from_secs_f64(seconds?).unwrap_or(PAUSE_MAX);
    Some(now + pause.min(PAUSE_MAX))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    fn classify(message: &str) -> BrainError {
        let now = at("2026-11-20T20:54:30Z");
        Circumstances { brain: "codex", target: "http://x", has_key: false, now }.classify(message)
    }

    /// The variant's name, as `Debug` writes it.
    fn variant(error: &BrainError) -> String {
        format!("{error:?}").split([' ', '{']).next().unwrap().to_owned()
    }

    #[test]
    fn the_sentences_of_the_cli_have_their_meanings() {
        for (message, expected) in [
            ("unexpected status 401 Unauthorized: fake 401, url: http://x/v1/responses", "Unauthorized"),
            ("unexpected status 403 Forbidden: no, url: http://x", "Unauthorized"),
            ("unexpected status 404 Not Found: no, url: http://x", "Rejected"),
            ("unexpected status 408 Request Timeout: no", "Overloaded"),
            ("unexpected status 413 Payload Too Large: no", "ContextTooLong"),
            ("unexpected status 503 Service Unavailable: no", "Overloaded"),
            ("exceeded retry limit, last status: 429 Too Many Requests", "RateLimited"),
            ("exceeded retry limit, last status: 500 Internal Server Error", "Overloaded"),
            (r#"{"error":{"message":"bad","code":"context_length_exceeded"}}"#, "ContextTooLong"),
            (r#"{"error":{"message":"bad","code":"invalid_api_key"}}"#, "Unauthorized"),
            (r#"{"detail":"The 'x' model is not supported when using Codex with a ChatGPT account."}"#, "Rejected"),
            ("Quota exceeded. Check your plan and billing details.", "QuotaExhausted"),
            ("You’ve hit your usage limit. Upgrade to Pro or try again at 9:54 PM.", "QuotaExhausted"),
            ("To use Codex with your ChatGPT plan, upgrade to Plus: https://x", "QuotaExhausted"),
            ("We’re currently experiencing high demand, which may cause temporary errors.", "Overloaded"),
            ("Selected model is at capacity. Please try a different model.", "Overloaded"),
            ("rate limit exceeded: Please try again in 20ms", "RateLimited"),
            ("Codex ran out of room in the model's context window. Start a new thread.", "ContextTooLong"),
            ("Your access token could not be refreshed. Please log out and sign in again.", "Unauthorized"),
            ("Missing environment variable: `FAKE_KEY`.", "NotConfigured"),
            ("Connection failed: error sending request", "Unreachable"),
            ("workspace routing discovery failed", "Unreachable"),
            ("stream disconnected before completion: error sending request for url (http://x)", "Unreachable"),
            ("stream disconnected before completion: stream closed before response.completed", "Cut"),
            ("stream disconnected before completion: idle timeout waiting for SSE", "Cut"),
            ("fake failure invalid_prompt", "Rejected"),
            ("", "Rejected"),
        ] {
            assert_eq!(variant(&classify(message)), expected, "{message}");
        }
    }

    #[test]
    fn the_time_of_a_reset_is_read_and_never_too_early() {
        for (said, expected) in [
            ("try again at 9:54 PM.", Some("2026-11-20T21:55:00Z")),
            ("try again at 8:54 PM.", Some("2026-11-20T20:55:00Z")),
            ("try again at 6:05 AM.", Some("2026-11-21T06:06:00Z")),
            ("try again at 12:00 AM.", Some("2026-11-21T00:01:00Z")),
            ("try again at Nov 24th, 2026 4:55 AM.", Some("2026-11-24T04:56:00Z")),
            ("try again at Dec 1st, 2026 12:30 PM.", Some("2026-12-01T12:31:00Z")),
            ("try again at Jan 1st, 2099 1:00 AM.", Some("2026-12-21T20:54:30Z")),
            ("try again in 1 hour 30 minutes.", Some("2026-11-20T22:24:30Z")),
            ("try again at noon.", None),
            ("try again later.", None),
        ] {
            let error = classify(&format!("You’ve hit your usage limit. Upgrade or {said}"));
            assert_eq!(error.retry_at(), expected.map(at), "{said}");
        }
    }

    #[test]
    fn the_pause_of_a_rate_limit_is_read_and_bounded() {
        for (said, expected) in [
            ("Please try again in 1.5s.", Some(1_500)),
            ("Please try again in 20ms. Visit", Some(20)),
            ("try again in 6m0s", Some(360_000)),
            ("try again in 11.054 seconds", Some(11_054)),
            ("try again in 99999999999999999999 days", Some(31 * 24 * 3600 * 1000)),
            ("try again in a moment", None),
            ("slow down", None),
        ] {
            let now = at("2026-11-20T20:54:30Z");
            let error = classify(&format!("rate limit exceeded: {said}"));
            assert_eq!(error.retry_at(), expected.map(|ms| now + Duration::from_millis(ms)), "{said}");
        }
    }

    #[test]
    fn the_fix_fits_the_credentials() {
        let circumstances = Circumstances { brain: "codex", target: "x", has_key: true, now: Timestamp::EPOCH };
        let status = "unexpected status 401 Unauthorized: no";
        assert!(circumstances.classify(status).to_string().contains("check the key"));
        assert!(classify(status).to_string().contains("run `codex login`"));
    }

    #[test]
    fn details_are_one_short_line() {
        let detail = shortened(&format!("a\n\tb\u{1b}[31m{}", "x".repeat(1000)));
        assert!(detail.starts_with("a b[31mx") && detail.chars().count() == DETAIL_CHARS_MAX + 1, "{detail}");
    }

    proptest! {
        #[test]
        fn no_message_panics(message in any::<String>(), nanos in any::<i64>()) {
            let now = Timestamp::from_nanos(nanos);
            let circumstances = Circumstances { brain: "codex", target: "x", has_key: false, now };
            for words in ["", "usage limit try again at ", "rate limit try again in ", "unexpected status "] {
                let _ = circumstances.classify(&format!("{words}{message}")).to_string();
            }
        }

        #[test]
        fn no_time_panics(day in 0..40u8, year in 0..9999u16, hour in 0..30u8, minute in 0..99u8, nanos in any::<i64>()) {
            let now = Timestamp::from_nanos(nanos);
            let circumstances = Circumstances { brain: "codex", target: "x", has_key: false, now };
            for text in [format!("Nov {day}th, {year:04} {hour}:{minute:02} PM"), format!("{hour}:{minute:02} AM")] {
                let _ = circumstances.classify(&format!("usage limit, try again at {text}.")).retry_at();
            }
        }
    }
}
