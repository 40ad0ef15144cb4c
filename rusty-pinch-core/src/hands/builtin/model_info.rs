//! `model_info`: which brain answers here.

use serde_json::json;

use crate::brain::BrainInfo;
use crate::hands::{Tool, ToolContext};

pub(super) fn tool(brain: &BrainInfo) -> Tool {
    let (provider, model) = (brain.name.clone(), brain.model.clone());
    Tool::new("model_info", "Tells which provider and model answer, and in which session")
        .read_only()
        .example("which model are you", json!({}))
        .example("what model is this", json!({}))
        .example("what is your model", json!({}))
        .example("what model are you using", json!({}))
        .example("which provider are you using", json!({}))
        .example("what language model am I talking to", json!({}))
        .example("show model info", json!({}))
        .example("what is my session id", json!({}))
        .run_with(move |context: ToolContext, ()| {
            let text = format!("provider={provider}\nmodel={model}\nsession_id={}", context.session);
            async { Ok(text) }
        })
}
