//! Who is behind a call. Pure: the journal's lines in, the origin out.
//!
//! What a model has read decides what it may be made to do. The lines that a prompt draws on hold it all: once one of them
//! is the output of a tool that brings other people's words, every later call of the model has them behind it, until they
//! have left the prompt. A summary of older lines counts as such words too, for nobody can tell any more whose they were.

use serde_json::Value;

use super::history::{Opener, TurnState};
use super::policy::CallOrigin;
use crate::data::{OutcomeStatus, ToolCall};
use crate::hands::{Material, Repeat, ToolSpec};
use crate::store::{Event, Line, Located};

/// Who is behind `call`, which a model made in `turn` after it had read `lines`.
pub(super) fn origin(turn: &TurnState, call: &ToolCall, tools: &[ToolSpec], lines: &[Located]) -> CallOrigin {
    let spec = tools.iter().find(|spec| spec.name.as_str() == call.name);
    let only_reads = spec.is_some_and(|spec| spec.repeat == Repeat::ReadOnly);
    match lines.iter().rev().find_map(|line| foreign(&line.line, tools)) {
        // To read what the owner named in this very message is what the owner asked for.
        Some(_) if only_reads && is_quoted(&call.arguments, turn) => CallOrigin::Model,
        Some(source) => CallOrigin::Foreign(source),
        None => CallOrigin::Model,
    }
}

/// Whose words a line brings, if they are not the owner's or the program's own.
fn foreign(line: &Line, tools: &[ToolSpec]) -> Option<String> {
    let Line::Entry(entry) = line else { return None };
    match &entry.event {
        Event::Tool { name, outcome, .. } => {
            let ran = !matches!(outcome.status, OutcomeStatus::Refused | OutcomeStatus::Skipped);
            // Nobody knows any more what a tool brought that is gone.
            let spec = tools.iter().find(|spec| spec.name.as_str() == name);
            let brings = spec.is_none_or(|spec| spec.output == Material::Foreign);
            (ran && brings).then(|| format!("the output of `{name}`"))
        }
        Event::Summary { .. } => Some("a summary of older parts of the conversation".to_owned()),
        _ => None,
    }
}

/// Whether every text in the arguments stands in the message that opened the turn.
fn is_quoted(arguments: &Value, turn: &TurnState) -> bool {
    let Opener::Message { text } = &turn.opener else { return false };
    match arguments {
        Value::String(argument) => text.contains(argument.as_str()),
        Value::Array(items) => items.iter().all(|item| is_quoted(item, turn)),
        Value::Object(fields) => fields.values().all(|field| is_quoted(field, turn)),
        Value::Null | Value::Bool(_) | Value::Number(_) => true,
    }
}
