//! Putting an answer together from the pieces in which it came.
//!
//! Pure: JSON texts in, text to preview out, and at the end a completion or the reason why there is none. A call leaves
//! here only when the stream said that it was finished.

use serde::Deserialize;
use serde_json::Value;

use crate::brain::{Completion, ProposedCall};
use crate::data::Usage;

/// The most calls in one answer.
pub(crate) const CALLS_MAX: usize = 128;
const SHOWN_CHARS: usize = 60;

/// Why there is no completion.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Fault {
    /// It is not what the protocol allows.
    Malformed(String),
    /// It ended before its end.
    Cut(String),
    /// The provider refused to go on.
    Filtered(String),
    /// Prompt and answer did not fit.
    OutOfRoom(String),
    /// The provider reported an error in place of an answer, or in the middle of it.
    Reported(Value),
}

/// A chunk of a stream, or a whole answer: `delta` in the one, `message` in the other.
#[derive(Deserialize)]
struct Chunk {
    choices: Option<Vec<Choice>>,
    usage: Option<Value>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    index: Option<u64>,
    delta: Option<Piece>,
    message: Option<Piece>,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Piece {
    content: Option<Value>,
    refusal: Option<String>,
    tool_calls: Option<Vec<CallPiece>>,
}

#[derive(Deserialize)]
struct CallPiece {
    index: Option<u64>,
    id: Option<String>,
    function: Option<FunctionPiece>,
}

#[derive(Deserialize)]
struct FunctionPiece {
    name: Option<String>,
    arguments: Option<Value>,
}

#[derive(Debug, Default)]
struct PartialCall {
    index: Option<u64>,
    id: String,
    name: String,
    arguments: String,
}

/// An answer under way.
#[derive(Debug, Default)]
pub(crate) struct Assembler {
    text: String,
    calls: Vec<PartialCall>,
    usage: Option<Usage>,
    finish: Option<String>,
}

impl Assembler {
    /// Takes one JSON text and returns the text that it adds to the answer.
    pub(crate) fn push(&mut self, json: &str) -> Result<String, Fault> {
        let chunk: Chunk = serde_json::from_str(json).map_err(|error| {
            if error.is_eof() {
                return Fault::Cut(format!("after {} bytes of JSON", json.len()));
            }
            // Whole: whoever shows it takes the key out first and cuts it then.
            Fault::Malformed(format!("an event is not a chunk of an answer ({error}): `{json}`"))
        })?;
        if let Some(error) = chunk.error.filter(|error| !error.is_null()) {
            return Err(Fault::Reported(error));
        }
        if let Some(usage) = chunk.usage.as_ref().and_then(read_usage) {
            self.usage = Some(usage);
        }
        // One answer is asked for; whatever a server adds beside the first is nobody's.
        let choice = chunk.choices.into_iter().flatten().find(|choice| choice.index.unwrap_or(0) == 0);
        choice.map_or_else(|| Ok(String::new()), |choice| self.push_choice(choice))
    }

    fn push_choice(&mut self, choice: Choice) -> Result<String, Fault> {
        let mut added = String::new();
        if let Some(piece) = choice.delta.or(choice.message) {
            let calls = piece.tool_calls.unwrap_or_default();
            added = piece.content.as_ref().map(read_text).unwrap_or_default();
            added.push_str(piece.refusal.as_deref().unwrap_or_default());
            if self.finish.is_some() && !(added.is_empty() && calls.is_empty()) {
                return Err(Fault::Malformed("the answer went on after it was finished".to_owned()));
            }
            self.text.push_str(&added);
            calls.into_iter().try_for_each(|call| self.push_call(call))?;
        }
        if let Some(reason) = choice.finish_reason.filter(|reason| !reason.is_empty()) {
            self.finish = Some(reason);
        }
        Ok(added)
    }

    fn push_call(&mut self, piece: CallPiece) -> Result<(), Fault> {
        let id = piece.id.unwrap_or_default();
        let function = piece.function.unwrap_or(FunctionPiece { name: None, arguments: None });
        let name = function.name.unwrap_or_default();
        let arguments = match function.arguments {
            None | Some(Value::Null) => String::new(),
            Some(Value::String(text)) => text,
            Some(json) => json.to_string(),
        };
        let call = match self.place(piece.index, &id, &name) {
            Some(at) => self.calls.get_mut(at),
            None if self.calls.len() >= CALLS_MAX => {
                return Err(Fault::Malformed(format!("more than {CALLS_MAX} calls in one answer")));
            }
            None => {
                self.calls.push(PartialCall { index: piece.index, ..PartialCall::default() });
                self.calls.last_mut()
            }
        };
        let Some(call) = call else { return Ok(()) };
        if call.id.is_empty() {
            call.id = id;
        }
        if call.name != name {
            call.name.push_str(&name);
        }
        call.arguments.push_str(&arguments);
        Ok(())
    }

    /// Where the call is that a piece goes on with; none when the piece begins a new one.
    ///
    /// The index says so. Some servers give every call the index 0 and only the ids differ, some leave the index out
    /// and begin each call with its name, and some repeat id and name in every piece.
    fn place(&self, index: Option<u64>, id: &str, name: &str) -> Option<usize> {
        let at = match index {
            Some(_) => self.calls.iter().rposition(|call| call.index == index)?,
            None if name.is_empty() || !id.is_empty() => self.calls.len().checked_sub(1)?,
            None => return None,
        };
        let call = self.calls.get(at)?;
        let begins_another = !name.is_empty() && !id.is_empty() && !call.id.is_empty() && call.id != id;
        (!begins_another).then_some(at)
    }

    /// How many characters of text there are so far.
    pub(crate) fn text_chars(&self) -> usize {
        self.text.chars().count()
    }

    /// The completion, if the answer said that it was finished. Call it only when the stream has ended as it should.
    pub(crate) fn finish(self) -> Result<Completion, Fault> {
        let length = self.text_chars();
        let Some(reason) = self.finish else {
            return Err(Fault::Cut(format!("after {length} characters, without saying that it was finished")));
        };
        match reason.as_str() {
            "stop" | "tool_calls" | "function_call" => {}
            "length" | "max_tokens" | "model_length" => {
                return Err(Fault::OutOfRoom(format!("the answer reached its limit after {length} characters")));
            }
            "content_filter" | "safety" | "SAFETY" | "recitation" | "RECITATION" => {
                return Err(Fault::Filtered(format!("its content filter stopped the answer: {reason}")));
            }
            "error" => return Err(Fault::Cut(format!("after {length} characters, because of an error on its side"))),
            // A server's own word for "done" is fine for text, but calls need an end beyond doubt.
            other if !self.calls.is_empty() => {
                return Err(Fault::Malformed(format!("calls that were finished because of `{}`", shown(other))));
            }
            _ => {}
        }
        if self.calls.iter().any(|call| call.name.trim().is_empty()) {
            return Err(Fault::Malformed("a call without a tool's name".to_owned()));
        }
        if self.text.trim().is_empty() && self.calls.is_empty() {
            return Err(Fault::Cut("it holds neither text nor calls".to_owned()));
        }
        let calls = self.calls.into_iter().map(PartialCall::whole).collect();
        Ok(Completion { content: self.text, calls, usage: self.usage, attempts: 1, ..Completion::default() })
    }
}

impl PartialCall {
    fn whole(self) -> ProposedCall {
        let arguments = match self.arguments.trim() {
            "" => Value::Object(serde_json::Map::new()),
            text => serde_json::from_str(text).unwrap_or(Value::String(self.arguments)),
        };
        ProposedCall { name: self.name, arguments }
    }
}

fn shown(text: &str) -> String {
    text.chars().take(SHOWN_CHARS).collect()
}

/// Text, or the texts of a list of parts.
fn read_text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            parts.iter().filter_map(|part| part.get("text").unwrap_or(part).as_str()).collect::<Vec<_>>().concat()
        }
        _ => String::new(),
    }
}

fn read_usage(usage: &Value) -> Option<Usage> {
    let input_tokens = usage.get("prompt_tokens")?.as_u64()?;
    let output_tokens = usage.get("completion_tokens")?.as_u64()?;
    Some(Usage { input_tokens, output_tokens })
}

#[cfg(test)]
mod tests;
