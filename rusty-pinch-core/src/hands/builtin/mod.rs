//! The tools that every agent has, and `web_fetch` for those with an egress. No other reaches the network, and none
//! needs approval.

mod calc;
mod model_info;
mod note;
mod session_tail;
mod time_now;
#[cfg(feature = "http")]
mod web_fetch;

use std::sync::Arc;

#[cfg(feature = "http")]
pub(crate) use web_fetch::tool as web_fetch;

pub use note::{NOTE_BYTES_MAX, NOTES_MAX, Note, PINNED_BYTES_MAX, PINNED_NOTES_MAX, pinned};

use super::{ToolError, Toolbox};
use crate::brain::BrainInfo;
use crate::store::{Store, StoreError};
use crate::sys::Clock;

/// The built-in tools: what they tell comes from `store`, `clock` and `brain`.
pub fn toolbox(store: Arc<dyn Store>, clock: Arc<dyn Clock>, brain: &BrainInfo) -> Toolbox {
    Toolbox::new()
        .tool(calc::tool(Arc::clone(&clock)))
        .tool(model_info::tool(brain))
        .tool(note::tool(Arc::clone(&store), Arc::clone(&clock)))
        .tool(session_tail::tool(store))
        .tool(time_now::tool(clock))
}

/// What a failed read means for a call: nothing happened, and the model may know.
fn read_error(error: &StoreError) -> ToolError {
    match error {
        StoreError::Failed { source, .. } | StoreError::Full { source, .. } | StoreError::Denied { source, .. } => {
            ToolError::failed(format!("{error} ({source})"))
        }
        plain => ToolError::failed(plain),
    }
}

/// What a failed commit means for a call: whether something happened is known, but for [`StoreError::Failed`].
fn commit_error(error: &StoreError) -> ToolError {
    match error {
        StoreError::Failed { source, .. } => ToolError::lost(format!("{error} ({source})")),
        known => read_error(known),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hands::Hands;
    use crate::store::MemoryStore;
    use crate::testing::VirtualClock;

    #[test]
    fn every_builtin_is_whole_and_teaches_by_examples() {
        let brain = BrainInfo { name: "b".into(), model: "m".into(), context_tokens: 1, free: true };
        let toolbox = toolbox(Arc::new(MemoryStore::new()), Arc::new(VirtualClock::default()), &brain).check().unwrap();
        let tools = toolbox.tools();
        let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
        assert_eq!(names, ["calc", "model_info", "note", "session_tail", "time_now"]);
        assert!(tools.iter().all(|tool| tool.examples.len() >= 5));
        let usages: Vec<_> = tools.iter().map(|tool| tool.usage()).collect();
        assert_eq!(usages[0], "/tool calc <expression>");
        assert_eq!(usages[2], "/tool note <action> [text]");
        assert_eq!(usages[3], "/tool session_tail [count]");
    }
}
