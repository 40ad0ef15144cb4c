//! What one turn was, in a form that logs and counters keep.

use std::fmt::Debug;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::redaction::Redactor;
use crate::data::{RequestId, Timestamp, Tried};

/// Hears of every turn that ended, well or badly.
///
/// # Contract
/// Called once per turn that had something to do, after everything that the turn had to keep is durable. It can't fail a turn, so it has no
/// error; it returns soon (a local file at most), never panics, and keeps no secret.
pub trait TurnObserver: Debug + Send + Sync + 'static {
    /// A turn ended.
    fn turn(&self, record: &TurnRecord);
}

impl<T: TurnObserver + ?Sized> TurnObserver for Arc<T> {
    fn turn(&self, record: &TurnRecord) {
        (**self).turn(record);
    }
}

/// Two observers hear of each turn, the first before the second.
impl<A: TurnObserver, B: TurnObserver> TurnObserver for (A, B) {
    fn turn(&self, record: &TurnRecord) {
        self.0.turn(record);
        self.1.turn(record);
    }
}

/// One turn, without its texts.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TurnRecord {
    /// When it ended.
    pub timestamp: Timestamp,
    /// Its name in logs and errors.
    pub request_id: RequestId,
    /// The session, as it was named; shortened where that is no session id.
    pub session_id: String,
    /// What answered it.
    pub path: TurnPath,
    /// How it ended.
    pub status: TurnStatus,
    /// The provider that answered; the brain's own where none did.
    pub provider: String,
    /// The model that answered; the brain's own where none did.
    pub model: String,
    /// Who was tried in vain, each with its last reason.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<Tried>,
    /// Why this provider, where nobody chose it.
    pub provider_reason: Option<String>,
    /// The last tool that it called.
    pub tool_name: Option<String>,
    /// Requests to the provider; none where no brain was asked.
    pub attempts: Option<u32>,
    /// From the message to the reply, retries and tools included; none where no brain was asked.
    pub latency_ms: Option<u64>,
    /// The message's length in characters.
    pub user_chars: u64,
    /// The reply's length in characters.
    pub response_chars: u64,
    /// How often the static part of the prompt was taken from the cache.
    pub prompt_cache_hits: u32,
    /// How often it had to be assembled.
    pub prompt_cache_misses: u32,
    /// What went wrong, with its causes.
    pub error: Option<String>,
}

/// What answered a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum TurnPath {
    /// A brain.
    Provider,
    /// A tool that the message named.
    Tool,
    /// A skill that the message named.
    Skill,
}

/// How a turn ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TurnStatus {
    /// With a reply.
    Ok,
    /// With an error.
    Error,
    /// It waits for a person's approval.
    NeedsApproval,
}

/// The longest error that a record keeps, in characters.
const ERROR_CHARS_MAX: usize = 1000;

impl TurnRecord {
    /// The record without the secrets that `redactor` knows, and with an error of at most 1,000 characters.
    #[must_use]
    pub fn redacted(mut self, redactor: &Redactor) -> Self {
        let clean = |text: String| redactor.clean(&text).into_owned();
        self.error = self.error.map(clean).map(|error| match error.char_indices().nth(ERROR_CHARS_MAX) {
            Some((end, _)) => format!("{}…", error.get(..end).unwrap_or_default()),
            None => error,
        });
        self.provider_reason = self.provider_reason.map(clean);
        for tried in &mut self.tried {
            tried.why = clean(std::mem::take(&mut tried.why));
        }
        self
    }
}
