//! Journal lines as messages for a brain. Pure.
//!
//! Whatever the journal holds, the messages are well formed: each call of an assistant message has exactly one result
//! behind it, and no result comes without its call. Tokens of approvals never reach a model.

use crate::data::{CallId, CallOutcome, Message, OutcomeStatus, ToolCall};
use crate::store::{Event, Line, Located, Verdict};

/// The messages of the lines of whole turns, oldest first.
pub(super) fn messages(lines: &[Located]) -> Vec<Message> {
    let mut rendered = Rendered { messages: Vec::with_capacity(lines.len()), ..Rendered::default() };
    for line in lines {
        if let Line::Entry(entry) = &line.line {
            rendered.event(&entry.event);
        }
    }
    rendered.close_calls();
    rendered.messages
}

#[derive(Default)]
struct Rendered {
    messages: Vec<Message>,
    /// Calls of the last assistant message that have no result yet, under the id that the messages use.
    open: Vec<(CallId, Message)>,
    /// Results for them, in the order in which they came.
    results: Vec<Message>,
}

impl Rendered {
    fn event(&mut self, event: &Event) {
        match event {
            Event::User { content, .. } => {
                self.close_calls();
                self.messages.push(Message::User { content: content.clone() });
            }
            Event::Assistant { content, calls, .. } => {
                self.close_calls();
                self.assistant(content, calls.clone(), calls.iter().map(|call| &call.id));
            }
            Event::Decided { verdict, call, content, .. } => {
                self.close_calls();
                self.decided(*verdict, call, content);
            }
            Event::Tool { call, outcome, .. } => self.result(call, &text_of(outcome)),
            Event::Asked { call, .. } => {
                self.result(call, "This call waits for a person's approval. It has not run.");
            }
            Event::Started { .. } | Event::Stopped { .. } | Event::Summary { .. } => {}
        }
    }

    /// An assistant message whose calls go by the names `ids` in the lines that follow.
    fn assistant<'a>(&mut self, content: &str, calls: Vec<ToolCall>, ids: impl Iterator<Item = &'a CallId>) {
        self.open = ids
            .zip(&calls)
            .map(|(id, call)| {
                let content = "Nothing is known of this call's result.".to_owned();
                (id.clone(), Message::Tool { call: call.id.clone(), name: call.name.clone(), content })
            })
            .collect();
        self.messages.push(Message::Assistant { content: content.to_owned(), calls });
    }

    /// A verdict comes after other messages, so its call is shown once more, under a name of its own.
    fn decided(&mut self, verdict: Verdict, call: &ToolCall, reason: &str) {
        let Ok(shown) = CallId::new(&format!("{}-decided", call.id)) else { return };
        self.assistant("", vec![ToolCall { id: shown, ..call.clone() }], std::iter::once(&call.id));
        if verdict == Verdict::Rejected {
            let reason = if reason.is_empty() { String::new() } else { format!(": {reason}") };
            self.result(&call.id, &format!("A person refused this call{reason}. It has not run; do not ask again."));
        }
    }

    fn result(&mut self, id: &CallId, text: &str) {
        let Some(index) = self.open.iter().position(|(open, _)| open == id) else { return };
        let (_, mut message) = self.open.remove(index);
        if let Message::Tool { content, .. } = &mut message {
            text.clone_into(content);
        }
        self.results.push(message);
    }

    fn close_calls(&mut self) {
        self.messages.append(&mut self.results);
        self.messages.extend(self.open.drain(..).map(|(_, message)| message));
    }
}

fn text_of(outcome: &CallOutcome) -> String {
    let note = match outcome.status {
        OutcomeStatus::Ok => return outcome.content.clone(),
        OutcomeStatus::Failed => "It failed",
        OutcomeStatus::Unknown => "It began and its outcome is unknown",
        OutcomeStatus::Refused => "It was refused and has not run",
        OutcomeStatus::Skipped => "It has not run",
    };
    if outcome.content.is_empty() { format!("{note}.") } else { format!("{note}: {}", outcome.content) }
}

#[cfg(test)]
mod tests;
