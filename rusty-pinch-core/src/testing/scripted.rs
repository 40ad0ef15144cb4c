//! A brain whose answers a test writes.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;

use crate::brain::{Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas};

type Script = dyn Fn(&CompletionRequest) -> Result<Completion, BrainError> + Send + Sync;

/// Answers with what a function of the request says.
///
/// A function of the request and of nothing else: a counter would answer differently after a crash than before it, and
/// the tests would prove nothing about real brains.
#[derive(Clone)]
pub struct ScriptedBrain {
    info: BrainInfo,
    script: Arc<Script>,
}

impl ScriptedBrain {
    /// A brain that answers with `script`.
    pub fn new(script: impl Fn(&CompletionRequest) -> Result<Completion, BrainError> + Send + Sync + 'static) -> Self {
        let info =
            BrainInfo { name: "scripted".into(), model: "scripted".into(), context_tokens: 128_000, free: false };
        Self { info, script: Arc::new(script) }
    }

    /// A brain that always says `text`.
    pub fn saying(text: impl Into<String>) -> Self {
        let text = text.into();
        Self::new(move |_| Ok(Completion::text(text.clone())))
    }

    /// The same brain with other information about itself.
    #[must_use]
    pub fn with_info(mut self, info: BrainInfo) -> Self {
        self.info = info;
        self
    }
}

impl fmt::Debug for ScriptedBrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ScriptedBrain").field("info", &self.info).finish_non_exhaustive()
    }
}

#[async_trait]
impl Brain for ScriptedBrain {
    fn info(&self) -> &BrainInfo {
        &self.info
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let completion = (self.script)(request)?;
        deltas.text(&completion.content);
        Ok(completion)
    }
}
