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

/// Whether everything in the arguments stands in the message that opened the turn.
fn is_quoted(arguments: &Value, turn: &TurnState) -> bool {
    let Opener::Message { text } = &turn.opener else { return false };
    stands_in(arguments, text)
}

/// Numbers count as words do: a foreign text could have words carried out in them.
fn stands_in(arguments: &Value, message: &str) -> bool {
    match arguments {
        Value::String(argument) => stands_whole(argument, message),
        Value::Number(number) => stands_whole(&number.to_string(), message),
        Value::Array(items) => items.iter().all(|item| stands_in(item, message)),
        Value::Object(fields) => fields.values().all(|field| stands_in(field, message)),
        Value::Null | Value::Bool(_) => true,
    }
}

/// Whether `part` stands in `message` as it was written, and not as a piece of something longer: who named
/// `https://a.example.net` did not name `https://a.example`.
fn stands_whole(part: &str, message: &str) -> bool {
    let part = part.trim();
    let is_inside = |c: char| !c.is_whitespace();
    message.match_indices(part).any(|(at, _)| {
        let before = message.get(..at).unwrap_or_default().trim_end_matches(OPENS);
        let after = message.get(at + part.len()..).unwrap_or_default().trim_start_matches(CLOSES);
        !part.is_empty() && !before.ends_with(is_inside) && !after.starts_with(is_inside)
    })
}

/// What may stand before something that is quoted, and after it.
const OPENS: &[char] = &['(', '[', '{', '<', '"', '\'', '`', '“', '„', '‘', '«', ':', '='];
const CLOSES: &[char] = &[')', ']', '}', '>', '"', '\'', '`', '“', '”', '’', '»', '.', ',', ';', ':', '!', '?', '…'];

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn only_what_the_owner_wrote_whole_is_quoted() {
        let url = "https://a.example.net/x";
        for (arguments, message, expected) in [
            (json!({"url": url}), format!("read {url}"), true),
            (json!({"url": url}), format!("read \"{url}\", please."), true),
            (json!({"url": url}), format!("what does ({url}) say?"), true),
            (json!({"url": " https://a.example.net/x "}), url.to_owned(), true),
            (json!({"url": "https://a.example"}), format!("read {url}"), false),
            (json!({"url": "https://a.example.net/"}), format!("read {url}"), false),
            (json!({"url": "http://a"}), "read http://a.example".to_owned(), false),
            (json!({"url": "example.net/x"}), format!("read {url}"), false),
            (json!({"url": format!("{url}?secret")}), format!("read {url}"), false),
            (json!({"city": "Ulm", "days": 3}), "the weather in Ulm for 3 days".to_owned(), true),
            (json!({"city": "Ulm", "days": 30}), "the weather in Ulm for 3 days".to_owned(), false),
            (json!({"city": "Ulm", "days": 481_516}), "the weather in Ulm".to_owned(), false),
            (json!({"city": ["Ulm", "Bonn"]}), "the weather in Ulm".to_owned(), false),
            (json!({"city": ""}), "the weather".to_owned(), false),
            (json!({"long": true, "zone": null}), "the weather".to_owned(), true),
        ] {
            assert_eq!(stands_in(&arguments, &message), expected, "{arguments} in {message:?}");
        }
    }
}
