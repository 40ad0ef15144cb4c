//! What the server's error of a turn means. Pure.
//!
//! It comes with a code for the commoner kinds and always with the sentence that `codex exec` prints. The code decides
//! where it is plain; times and the rest are read out of the sentence.

use serde_json::Value;

use crate::brain::BrainError;
use crate::brain::codex::failure::{Circumstances, shortened};

/// What `error`, a `TurnError`, means. Its message is `message`, which holds no secret any more.
pub(super) fn classify(error: &Value, message: &str, circumstances: &Circumstances<'_>) -> BrainError {
    let info = error.get("codexErrorInfo").unwrap_or(&Value::Null);
    if let Some(code) = info.as_str() {
        return by_code(code, message, circumstances);
    }
    let Some((code, details)) = info.as_object().and_then(|info| info.iter().next()) else {
        return circumstances.classify(message);
    };
    let status = details.get("httpStatusCode").and_then(Value::as_u64).and_then(|status| u16::try_from(status).ok());
    match (status, code.as_str()) {
        // A sentence knows more than a status: the body of a 400, a quota that is used up.
        (Some(status), _) => match circumstances.classify(message) {
            BrainError::Rejected { .. } => circumstances.by_status(status, message),
            known => known,
        },
        (None, "httpConnectionFailed" | "responseStreamConnectionFailed") => circumstances.unreachable(message),
        (None, "responseStreamDisconnected") => cut_unless_known(message, circumstances),
        (None, "responseTooManyFailedAttempts") => circumstances.overloaded(message),
        (None, code) => by_code(code, message, circumstances),
    }
}

fn by_code(code: &str, message: &str, circumstances: &Circumstances<'_>) -> BrainError {
    match code {
        "contextWindowExceeded" => circumstances.context_too_long(message),
        "usageLimitExceeded" | "sessionBudgetExceeded" => circumstances.quota(message),
        "rateLimitExceeded" => circumstances.rate_limited(message),
        "serverOverloaded" | "internalServerError" | "flexUnavailable" | "policyCapacityUnavailable" => {
            circumstances.overloaded(message)
        }
        "unauthorized" => circumstances.unauthorized(message),
        "modelNotFound" | "cyberPolicy" | "misalignmentPolicyViolation" | "tooManyDenials" | "inferenceHookDenied" => {
            circumstances.rejected(message)
        }
        "badRequest" => circumstances.refused_body(message).unwrap_or_else(|| circumstances.rejected(message)),
        // `other`, and what future versions add.
        _ => circumstances.classify(message),
    }
}

fn cut_unless_known(message: &str, circumstances: &Circumstances<'_>) -> BrainError {
    match circumstances.classify(message) {
        BrainError::Rejected { .. } => {
            BrainError::Cut { brain: circumstances.brain.to_owned(), detail: shortened(message) }
        }
        known => known,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::data::Timestamp;

    fn meaning(info: Value, message: &str) -> String {
        let circumstances = Circumstances { brain: "codex", target: "x", has_key: false, now: Timestamp::EPOCH };
        let error = classify(&json!({ "message": message, "codexErrorInfo": info }), message, &circumstances);
        format!("{error:?}").split([' ', '{']).next().unwrap().to_owned()
    }

    #[test]
    fn the_codes_have_their_meanings() {
        for (code, expected) in [
            ("contextWindowExceeded", "ContextTooLong"),
            ("usageLimitExceeded", "QuotaExhausted"),
            ("sessionBudgetExceeded", "QuotaExhausted"),
            ("rateLimitExceeded", "RateLimited"),
            ("serverOverloaded", "Overloaded"),
            ("internalServerError", "Overloaded"),
            ("flexUnavailable", "Overloaded"),
            ("policyCapacityUnavailable", "Overloaded"),
            ("unauthorized", "Unauthorized"),
            ("modelNotFound", "Rejected"),
            ("badRequest", "Rejected"),
            ("cyberPolicy", "Rejected"),
            ("inferenceHookDenied", "Rejected"),
            ("other", "Rejected"),
            ("somethingNew", "Rejected"),
        ] {
            assert_eq!(meaning(json!(code), "a sentence nobody knows"), expected, "{code}");
        }
    }

    #[test]
    fn the_status_decides_unless_the_sentence_knows_more() {
        let status = |kind: &str, status: Value| json!({ kind: { "httpStatusCode": status } });
        for (info, message, expected) in [
            (status("httpConnectionFailed", json!(401)), "x", "Unauthorized"),
            (status("httpConnectionFailed", json!(403)), "x", "Unauthorized"),
            (status("httpConnectionFailed", json!(404)), "x", "Rejected"),
            (status("httpConnectionFailed", json!(503)), "x", "Overloaded"),
            (status("responseTooManyFailedAttempts", json!(429)), "x", "RateLimited"),
            (status("responseTooManyFailedAttempts", json!(429)), "Quota exceeded.", "QuotaExhausted"),
            (status("responseTooManyFailedAttempts", Value::Null), "x", "Overloaded"),
            (status("httpConnectionFailed", Value::Null), "x", "Unreachable"),
            (status("httpConnectionFailed", json!(99_999)), "x", "Unreachable"),
            (status("responseStreamDisconnected", Value::Null), "x", "Cut"),
            (status("responseStreamDisconnected", Value::Null), "error sending request", "Unreachable"),
            (json!("badRequest"), r#"{"error":{"code":"context_length_exceeded"}}"#, "ContextTooLong"),
            (json!("other"), "stream closed before response.completed", "Cut"),
            (json!("other"), "Connection failed: error sending request", "Unreachable"),
            (json!({ "activeTurnNotSteerable": { "turnKind": "review" } }), "x", "Rejected"),
            (Value::Null, "usage limit", "QuotaExhausted"),
            (json!(7), "x", "Rejected"),
            (json!({}), "x", "Rejected"),
        ] {
            assert_eq!(meaning(info.clone(), message), expected, "{info} {message}");
        }
    }

    proptest! {
        #[test]
        fn no_error_panics(message in any::<String>(), code in any::<String>(), status in any::<i64>()) {
            meaning(json!(code), &message);
            meaning(json!({ code: { "httpStatusCode": status } }), &message);
        }
    }
}
