//! What a failed answer means: status, headers and body in, a [`BrainError`] out.

use reqwest::StatusCode;
use reqwest::header::HeaderMap;
use serde_json::Value;

use super::assemble::Fault;
use super::retry_after::retry_at;
use super::upstream::Upstream;
use crate::brain::BrainError;
use crate::data::Timestamp;

/// The words that a provider used: a code and a message.
#[derive(Debug, Default)]
struct Complaint {
    /// Code and type, in lower case.
    code: String,
    /// A status inside the body, where there is one.
    status: Option<u16>,
    message: String,
}

/// Codes, and parts of messages, that mean a full context.
const CONTEXT_WORDS: [&str; 9] = [
    "context_length_exceeded",
    "context length",
    "context window",
    "context size",
    "maximum context",
    "prompt is too long",
    "prompt too long",
    "too many input tokens",
    "reduce the length",
];
/// Codes that mean money or quota, not pace.
const QUOTA_CODES: [&str; 6] =
    ["insufficient_quota", "billing", "quota_exceeded", "usage_limit", "insufficient_credits", "payment_required"];
/// Parts of codes and messages that mean "later", used only where the status says nothing.
const LATER_WORDS: [&str; 9] = [
    "overloaded",
    "server_error",
    "unavailable",
    "temporarily",
    "timeout",
    "timed out",
    "try again",
    "capacity",
    "internal error",
];

impl Upstream {
    /// What an answer with a status other than 200 means.
    pub(crate) fn refusal(&self, status: StatusCode, headers: &HeaderMap, body: &str, now: Timestamp) -> BrainError {
        if status.is_redirection() {
            let place = headers.get("location").and_then(|value| value.to_str().ok()).unwrap_or("nowhere");
            // Whatever stands behind a question mark may be secret.
            let place = place.split(['?', '#']).next().unwrap_or_default();
            return self.malformed(&format!("{status}, a redirect to {place}, which is not followed"));
        }
        let complaint = Complaint::of_body(body);
        let retry_at = retry_at(headers, now);
        self.judge(status, &complaint, retry_at)
    }

    /// What an error object inside an answer with status 200 means.
    pub(crate) fn reported(&self, error: &Value) -> BrainError {
        let complaint = Complaint::of_error(error);
        let status = complaint.status.and_then(|status| StatusCode::from_u16(status).ok());
        let status = status.filter(|status| status.as_u16() >= 400).unwrap_or_else(|| complaint.implied_status());
        self.judge(status, &complaint, None)
    }

    /// What a fault in the answer means.
    pub(crate) fn faulty(&self, fault: Fault) -> BrainError {
        match fault {
            Fault::Malformed(detail) => self.malformed(&detail),
            Fault::Cut(detail) => self.cut(&detail),
            Fault::Filtered(detail) => self.rejected(&detail),
            Fault::OutOfRoom(detail) => self.context_too_long(&detail),
            Fault::Reported(error) => self.reported(&error),
        }
    }

    fn judge(&self, status: StatusCode, complaint: &Complaint, retry_at: Option<Timestamp>) -> BrainError {
        let said = self.said(&complaint.message);
        let detail = if said.is_empty() { status.to_string() } else { format!("{status}: {said}") };
        let brain = self.name.clone();
        match status.as_u16() {
            401 | 403 => self.unauthorized(&detail),
            402 => BrainError::QuotaExhausted { brain, detail, resets_at: retry_at },
            404 => BrainError::Rejected { brain, detail: format!("{detail}; {}", self.not_found_fix()) },
            413 => self.context_too_long(&detail),
            400 | 422 if complaint.mentions_context() => self.context_too_long(&detail),
            429 if complaint.is_about_quota() => BrainError::QuotaExhausted { brain, detail, resets_at: retry_at },
            429 => BrainError::RateLimited { brain, retry_at },
            408 | 409 | 425 | 500.. => BrainError::Overloaded { brain, detail, retry_at },
            400.. => BrainError::Rejected { brain, detail },
            _ => self.malformed(&detail),
        }
    }

    fn not_found_fix(&self) -> String {
        format!(
            "check that the base URL at {} is complete (most end in /v1) and that the model `{}` exists there",
            self.target, self.model
        )
    }
}

impl Complaint {
    fn of_body(body: &str) -> Self {
        match serde_json::from_str::<Value>(body) {
            Ok(json) => Self::of_error(json.get("error").or_else(|| json.get("detail")).unwrap_or(&json)),
            // A page says nothing that is worth quoting.
            Err(_) if body.trim_start().starts_with('<') => {
                Self { message: "a page, not JSON".into(), ..Self::default() }
            }
            Err(_) => Self { message: body.to_owned(), ..Self::default() },
        }
    }

    fn of_error(error: &Value) -> Self {
        let text = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        let message = match error {
            Value::String(message) => message.clone(),
            _ if !text("message").is_empty() => text("message").to_owned(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let number = |name: &str| error.get(name).and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        let status = number("code").or_else(|| number("status")).or_else(|| text("code").parse().ok());
        Self { code: format!("{} {}", text("code"), text("type")).to_lowercase(), status, message }
    }

    fn mentions_context(&self) -> bool {
        let message = self.message.to_lowercase();
        CONTEXT_WORDS.iter().any(|word| self.code.contains(word) || message.contains(word))
    }

    fn is_about_quota(&self) -> bool {
        QUOTA_CODES.iter().any(|code| self.code.contains(code))
    }

    /// The status that an error without one would have had.
    fn implied_status(&self) -> StatusCode {
        let message = self.message.to_lowercase();
        let mentions = |words: &[&str]| words.iter().any(|word| self.code.contains(word) || message.contains(word));
        if self.is_about_quota() || mentions(&["rate_limit", "rate limit", "too many requests"]) {
            StatusCode::TOO_MANY_REQUESTS
        } else if mentions(&["invalid_api_key", "authentication", "unauthorized"]) {
            StatusCode::UNAUTHORIZED
        } else if self.mentions_context() {
            StatusCode::BAD_REQUEST
        } else if mentions(&LATER_WORDS) {
            StatusCode::SERVICE_UNAVAILABLE
        } else {
            StatusCode::BAD_REQUEST
        }
    }
}

#[cfg(test)]
mod tests;
