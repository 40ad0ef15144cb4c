//! What stands where a brain can't be.

use async_trait::async_trait;

use super::AssembleError;
use crate::brain::{Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas, Provider};

const FIX: &str = "`doctor` shows what is set";

/// A provider that can't be used. It answers nothing and says why.
#[derive(Debug)]
pub(super) struct AbsentBrain {
    info: BrainInfo,
    why: String,
    fix: String,
}

impl AbsentBrain {
    pub(super) fn new(provider: Provider, why: &AssembleError) -> Self {
        let info = BrainInfo {
            name: provider.name().to_owned(),
            model: "none".to_owned(),
            context_tokens: 32_768,
            free: false,
        };
        let (why, fix) = self::why(why);
        Self { info, why, fix }
    }
}

/// Why a provider can't be used, and what to do about it.
pub(super) fn why(error: &AssembleError) -> (String, String) {
    match error {
        AssembleError::Brain(BrainError::NotConfigured { detail, fix, .. }) => (detail.clone(), fix.clone()),
        other => (other.to_string(), FIX.to_owned()),
    }
}

#[async_trait]
impl Brain for AbsentBrain {
    fn info(&self) -> &BrainInfo {
        &self.info
    }

    async fn complete(&self, _: &CompletionRequest, _: &Deltas) -> Result<Completion, BrainError> {
        let (brain, detail, fix) = (self.info.name.clone(), self.why.clone(), self.fix.clone());
        Err(BrainError::NotConfigured { brain, detail, fix })
    }
}
