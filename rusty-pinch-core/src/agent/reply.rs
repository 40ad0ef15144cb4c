//! How a turn ends.

use std::fmt;

use super::approval::{Approval, ApprovalError};
use crate::brain::BrainError;
use crate::data::{IdError, Timestamp, ToolName};
use crate::hands::{CommandError, ToolKind};
use crate::store::{Position, StoreError};
use crate::telemetry::TurnRecord;

/// What a turn came to. [`Display`](fmt::Display) gives the text for a person.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Reply {
    /// The answer.
    Said(String),
    /// A call waits for a person: [`approve`](super::Agent::approve) or [`reject`](super::Agent::reject) it, then
    /// [`settle`](super::Agent::settle).
    NeedsApproval(Box<Approval>),
    /// The turn was stopped without an answer, for this reason.
    Stopped(String),
    /// There was nothing to do.
    Idle,
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Said(text) => f.write_str(text),
            Self::NeedsApproval(approval) => {
                let Approval { summary, why, token, expires, .. } = approval.as_ref();
                write!(f, "This needs your approval, because {why}:\n{summary}\nToken {token}, valid until {expires}.")
            }
            Self::Stopped(why) => write!(f, "The turn was stopped: {why}."),
            Self::Idle => f.write_str("Nothing is unfinished."),
        }
    }
}

/// A turn with everything that is known about it.
#[derive(Debug)]
pub struct TurnReport {
    /// What it came to.
    pub reply: Result<Reply, TurnError>,
    /// The name of the turn in its journal, once it is there.
    pub position: Option<Position>,
    /// What the log says about it.
    pub record: TurnRecord,
}

/// Why a turn failed. What the journal holds by then stays, and [`resume`](super::Agent::resume) goes on from there.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TurnError {
    /// The session id is not one.
    #[error(transparent)]
    Session(#[from] IdError),
    /// The message is empty, too long or holds control characters. Nothing was stored.
    #[error(transparent)]
    Message(#[from] MessageError),
    /// The message is a `/tool` or `/skill` command that can't be run. Nothing was stored.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// The message is a `/tool` or `/skill` command for a tool that is not there. Nothing was stored.
    #[error("there is no {} `{name}`; there are {}", .kind.name(), if .available.is_empty() { "none" } else { .available })]
    UnknownTool {
        /// Whether a tool or a skill was named.
        kind: ToolKind,
        /// The name.
        name: ToolName,
        /// The names of those that there are, with commas; of many the first 32, and how many more.
        available: String,
    },
    /// The message is a `/skill` command for a skill that can't be used. Nothing was stored.
    #[error("the skill `{name}` can't be used: {why}")]
    UnusableSkill {
        /// The name.
        name: ToolName,
        /// Why.
        why: String,
    },
    /// The store failed.
    #[error("the session could not be read or written")]
    Store(#[from] StoreError),
    /// The brain failed. The message is kept.
    #[error("no answer came")]
    Brain(#[from] BrainError),
    /// The approval can't be used.
    #[error(transparent)]
    Approval(#[from] ApprovalError),
    /// What must be in the prompt is larger than the model's context.
    #[error(
        "this turn needs about {needed} tokens and {available} fit into the context of {brain}; shorten the message, \
         remove pinned notes or choose a model with a larger context"
    )]
    PromptTooLong {
        /// Which brain.
        brain: String,
        /// About how many tokens are needed.
        needed: usize,
        /// How many fit.
        available: usize,
    },
    /// The turn took too long.
    #[error("the turn did not end by {deadline}, its deadline; what is done by then is kept, and `resume` goes on")]
    DeadlineExceeded {
        /// When it should have ended.
        deadline: Timestamp,
    },
}

/// Why a message can't be taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum MessageError {
    /// It has no visible character.
    #[error("the message is empty; say something")]
    Empty,
    /// It is too long.
    #[error("the message is {bytes} bytes long; at most {bytes_max} are taken, so shorten it or put it into a file")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The bound.
        bytes_max: usize,
    },
    /// It holds a control character other than tab and line ends.
    #[error("the message holds the control character {character:?} at byte {at}; take it out")]
    Control {
        /// The character.
        character: char,
        /// Where.
        at: usize,
    },
}

/// Checks a message as every turn does before it stores anything.
///
/// # Errors
/// [`MessageError`] when it is blank, longer than `bytes_max`, or holds control characters other than tab, line feed and
/// carriage return.
pub fn check_message(text: &str, bytes_max: usize) -> Result<(), MessageError> {
    if text.len() > bytes_max {
        return Err(MessageError::TooLong { bytes: text.len(), bytes_max });
    }
    if text.trim().is_empty() {
        return Err(MessageError::Empty);
    }
    match text.char_indices().find(|(_, c)| c.is_control() && !matches!(c, '\n' | '\r' | '\t')) {
        Some((at, character)) => Err(MessageError::Control { character, at }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_are_refused_with_the_rule_they_break() {
        assert_eq!(check_message("hi\tthere\r\n", 100), Ok(()));
        assert_eq!(check_message(" \n ", 100), Err(MessageError::Empty));
        assert_eq!(check_message("abc", 2), Err(MessageError::TooLong { bytes: 3, bytes_max: 2 }));
        assert_eq!(check_message("a\u{1b}[2J", 100), Err(MessageError::Control { character: '\u{1b}', at: 1 }));
        assert_eq!(check_message("a\u{0}", 100), Err(MessageError::Control { character: '\0', at: 1 }));
    }
}
