//! A brain that needs no model: it picks tools by their examples, offline and deterministically.
//!
//! It is a pure function of the request. It never pretends to understand: where no tool fits well, it says what it is,
//! what it can do and how to connect a language model.

mod answer;

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
    let turn = request.messages.iter().rposition(|message| matches!(message, Message::User { .. }));
    let (_said, since) = match turn.and_then(|at| request.messages.get(at..)) {
        Some([Message::User { content }, since @ ..]) => (content.as_str(), since),
        _ => ("", request.messages.as_slice()),
    };
    if let Some(answer) = answer::from_results(since) {
        return Completion::text(answer);
    }
    Completion::text(answer::abilities(&request.tools))
}
