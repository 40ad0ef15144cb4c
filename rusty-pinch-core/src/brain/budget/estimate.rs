//! What a call will take, before it is made.

use super::bounds::OVERHEAD_TOKENS;
use crate::brain::CompletionRequest;
use crate::data::{Message, Usage, estimate_tokens};

/// The prompt as [`estimate_tokens`] counts it, tools included, and `answer_tokens` for the answer.
pub(super) fn estimate(request: &CompletionRequest, answer_tokens: u64) -> Usage {
    let messages: usize = request.messages.iter().map(message).sum();
    let tools = request.tools.iter().map(|tool| {
        let texts = [tool.name.as_str(), &tool.description].map(estimate_tokens);
        OVERHEAD_TOKENS + texts.iter().sum::<usize>() + estimate_tokens(&tool.parameters.to_string())
    });
    let input = messages.saturating_add(tools.sum());
    Usage { input_tokens: u64::try_from(input).unwrap_or(u64::MAX), output_tokens: answer_tokens }
}

fn message(message: &Message) -> usize {
    let calls = match message {
        Message::Assistant { calls, .. } => calls.as_slice(),
        _ => &[],
    };
    let calls = calls
        .iter()
        .map(|call| OVERHEAD_TOKENS + estimate_tokens(&call.name) + estimate_tokens(&call.arguments.to_string()));
    OVERHEAD_TOKENS + estimate_tokens(message.content()) + calls.sum::<usize>()
}
