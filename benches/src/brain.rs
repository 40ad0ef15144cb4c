//! A brain that costs next to nothing.

use async_trait::async_trait;
use rusty_pinch_core::{Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas};

/// Gives the same answer at once, so that what is measured is everything around the brain.
#[derive(Debug)]
pub struct FixedBrain {
    info: BrainInfo,
}

impl Default for FixedBrain {
    fn default() -> Self {
        let info = BrainInfo { name: "fixed".into(), model: "fixed".into(), context_tokens: 128_000, free: false };
        Self { info }
    }
}

#[async_trait]
impl Brain for FixedBrain {
    fn info(&self) -> &BrainInfo {
        &self.info
    }

    async fn complete(&self, _request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let completion = Completion::text("The answer is always the same, and about as long as a short answer is.");
        deltas.text(&completion.content);
        Ok(completion)
    }
}
