//! A brain that needs no model: it picks tools by their examples, offline and deterministically.
//!
//! It is a pure function of the request. It never pretends to understand: where no tool fits well, it says what it is,
//! what it can do and how to connect a language model.

mod answer;
mod kind;
mod pick;
mod template;
mod words;

use async_trait::async_trait;

use crate::brain::{Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas};
use crate::data::Message;

/// What [`LocalBrain`] says it can read. It looks at less, so this only bounds the prompt that is assembled for it.
const CONTEXT_TOKENS: usize = 32_768;

/// Answers offline, with the tools alone: no model, no network, no cost, and the same answer every time.
#[derive(Clone, Debug)]
pub struct LocalBrain {
    info: BrainInfo,
}

impl Default for LocalBrain {
    fn default() -> Self {
        let info =
            BrainInfo { name: "local".into(), model: "examples".into(), context_tokens: CONTEXT_TOKENS, free: true };
        Self { info }
    }
}

#[async_trait]
impl Brain for LocalBrain {
    fn info(&self) -> &BrainInfo {
        &self.info
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let completion = think(request);
        deltas.text(&completion.content);
        Ok(completion)
    }
}

fn think(request: &CompletionRequest) -> Completion {
    // What the agent tells by the way is for models.
    let last = request.messages.iter().rev().find(|message| !matches!(message, Message::System { .. }));
    match last {
        Some(Message::Tool { .. }) => Completion::text(answer::from_results(&request.messages)),
        Some(Message::User { content }) => match pick::pick(content, &request.tools) {
            Some((tool, arguments)) => Completion::call(tool.name.as_str(), arguments),
            None => Completion::text(answer::abilities(&request.tools)),
        },
        _ => Completion::text(answer::abilities(&request.tools)),
    }
}

#[cfg(test)]
mod tests;
