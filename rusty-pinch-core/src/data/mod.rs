//! Plain data that every room shares: ids, times, messages, tool calls.
//!
//! Nothing here does I/O, reads a clock or decides anything. Values that came from outside are checked once, when the
//! newtype is made, and are trusted afterwards.

mod answerer;
mod call;
mod digest;
mod id;
mod message;
mod secret;
mod timestamp;

pub use answerer::{Answerer, Tried};
pub use call::{CallOutcome, OutcomeStatus, ToolCall};
pub use digest::{Sha256Digest, canonical_json};
pub use id::{
    ApprovalToken, CallId, IdError, RequestId, SESSION_ID_BYTES_MAX, SessionId, TOOL_NAME_BYTES_MAX, ToolName,
};
pub use message::{Message, Usage, estimate_tokens};
pub use secret::Secret;
pub use timestamp::{Timestamp, TimestampError};
