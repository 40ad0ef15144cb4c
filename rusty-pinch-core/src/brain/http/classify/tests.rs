use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderValue};
use serde_json::json;

use super::*;
use crate::brain::ErrorClass;
use crate::brain::http::upstream::DETAIL_CHARS_MAX;
use crate::data::Secret;

fn upstream() -> Upstream {
    Upstream {
        name: "openai".into(),
        target: "https://api.example:443".into(),
        model: "m-1".into(),
        key: Some(Secret::from("sk-very-secret")),
        key_fix: "set KEY".into(),
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_000)
}

fn refusal(status: u16, headers: &[(&'static str, &str)], body: &str) -> BrainError {
    let headers: HeaderMap =
        headers.iter().map(|(n, v)| (n.parse().unwrap(), HeaderValue::from_str(v).unwrap())).collect();
    upstream().refusal(StatusCode::from_u16(status).unwrap(), &headers, body, now())
}

fn error_body(code: &str, message: &str) -> String {
    json!({ "error": { "message": message, "type": code, "code": code } }).to_string()
}

#[test]
fn every_status_has_a_meaning() {
    let plain = |status| refusal(status, &[], &error_body("x", "why"));
    for status in [401, 403] {
        assert!(matches!(plain(status), BrainError::Unauthorized { .. }), "{status}");
        assert!(plain(status).to_string().contains("set KEY"));
    }
    for status in [400, 404, 405, 410, 418, 422, 451] {
        assert!(matches!(plain(status), BrainError::Rejected { .. }), "{status}");
        assert_eq!(plain(status).class(), ErrorClass::FailOver);
    }
    for status in [408, 409, 425, 500, 501, 502, 503, 504, 529, 599] {
        assert!(matches!(plain(status), BrainError::Overloaded { .. }), "{status}");
        assert_eq!(plain(status).class(), ErrorClass::RetryHere);
    }
    assert!(matches!(plain(402), BrainError::QuotaExhausted { .. }));
    assert!(matches!(plain(413), BrainError::ContextTooLong { .. }));
    assert!(matches!(plain(429), BrainError::RateLimited { .. }));
    assert!(matches!(plain(204), BrainError::Malformed { .. }));
    assert!(plain(404).to_string().contains("`m-1`") && plain(404).to_string().contains("/v1"));
}

#[test]
fn redirects_are_named_without_their_query() {
    let error = refusal(301, &[("location", "https://other.example/v2?token=abc#x")], "");
    assert!(matches!(error, BrainError::Malformed { .. }));
    let text = error.to_string();
    assert!(text.contains("https://other.example/v2") && !text.contains("abc"), "{text}");
}

#[test]
fn tells_pace_from_quota_and_a_full_context_from_a_bad_request() {
    let exhausted = refusal(429, &[("retry-after", "60")], &error_body("insufficient_quota", "pay"));
    assert!(
        matches!(exhausted, BrainError::QuotaExhausted { resets_at: Some(at), .. } if at == now() + Duration::from_secs(60))
    );
    for body in [
        error_body("context_length_exceeded", "too long"),
        error_body("x", "This model's maximum context length is 10 tokens."),
        error_body("x", "The request exceeds the available context size, try increasing it"),
        json!({ "error": "prompt is too long: 9 tokens > 8 maximum" }).to_string(),
    ] {
        assert!(matches!(refusal(400, &[], &body), BrainError::ContextTooLong { .. }), "{body}");
    }
}

#[test]
fn a_pause_that_is_asked_for_is_kept() {
    for status in [429, 503] {
        let error = refusal(status, &[("retry-after", "90")], "");
        assert_eq!(error.retry_at(), Some(now() + Duration::from_secs(90)), "{status}");
    }
    assert_eq!(refusal(429, &[("retry-after", "soon")], "").retry_at(), None);
}

#[test]
fn an_error_inside_a_good_status_is_judged_by_its_code_or_its_words() {
    #[track_caller]
    fn check(error: Value, expected: fn(&BrainError) -> bool) {
        let judged = upstream().reported(&error);
        assert!(expected(&judged), "{error}: {judged:?}");
    }
    check(json!({ "code": 502, "message": "bad gateway" }), |e| matches!(e, BrainError::Overloaded { .. }));
    check(json!({ "code": "429", "message": "" }), |e| matches!(e, BrainError::RateLimited { .. }));
    check(json!({ "code": "rate_limit_exceeded" }), |e| matches!(e, BrainError::RateLimited { .. }));
    check(json!({ "type": "insufficient_quota", "message": "m" }), |e| matches!(e, BrainError::QuotaExhausted { .. }));
    check(json!({ "type": "server_error", "message": "m" }), |e| matches!(e, BrainError::Overloaded { .. }));
    check(json!("The engine is overloaded, try again"), |e| matches!(e, BrainError::Overloaded { .. }));
    check(json!({ "code": "invalid_api_key" }), |e| matches!(e, BrainError::Unauthorized { .. }));
    check(json!({ "code": "context_length_exceeded" }), |e| matches!(e, BrainError::ContextTooLong { .. }));
    check(json!({ "code": 200, "message": "odd" }), |e| matches!(e, BrainError::Rejected { .. }));
    check(json!(true), |e| matches!(e, BrainError::Rejected { .. }));
}

#[test]
fn what_a_server_says_is_shortened_cleaned_and_has_no_key() {
    let long = format!("key sk-very-secret\u{1b}[31m\r\nred {}", "é".repeat(2 * DETAIL_CHARS_MAX));
    for error in [refusal(400, &[], &error_body("x", &long)), refusal(500, &[], &long)] {
        let text = error.to_string();
        assert!(!text.contains("very-secret") && !text.contains(char::is_control), "{text}");
        assert!(text.contains("[secret] [31m red"), "{text}");
        assert!(text.chars().count() < DETAIL_CHARS_MAX + 150, "{text}");
    }
    assert!(refusal(502, &[], "<html><body>Bad gateway</body>").to_string().contains("a page, not JSON"));
}
