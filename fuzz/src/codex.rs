//! What both transports of Codex are asked, and what must hold of whatever comes of it.

use std::sync::Arc;
use std::time::Duration;

use rusty_pinch_core::testing::VirtualClock;
use rusty_pinch_core::{
    Brain, BrainError, Clock, Completion, CompletionRequest, Hands, Lane, LocalBrain, MemoryStore, Message, builtin,
};

/// A request with or without tools.
pub(crate) fn request(has_tools: bool, clock: &Arc<VirtualClock>) -> CompletionRequest {
    let (local, store) = (LocalBrain::default(), Arc::new(MemoryStore::new()));
    let tools = builtin::toolbox(store, Arc::clone(clock) as Arc<dyn Clock>, local.info()).tools();
    CompletionRequest {
        messages: vec![Message::User { content: "hello".to_owned() }],
        tools: if has_tools { tools } else { Arc::new([]) },
        deadline: clock.now() + Duration::from_secs(60),
        lane: Lane::Interactive,
        turn: None,
    }
}

/// An answer or whole calls, or an error that can be shown.
pub(crate) fn check(outcome: &Result<Completion, BrainError>, has_tools: bool) {
    match outcome {
        Ok(completion) => {
            assert!(!completion.content.is_empty() || !completion.calls.is_empty(), "an empty answer");
            assert!(has_tools || completion.calls.is_empty(), "calls although there are no tools");
            assert!(completion.calls.iter().all(|call| !call.name.is_empty()), "a call without a name");
        }
        Err(error) => assert!(error.to_string().len() < 16 * 1024, "an error of {} bytes", error.to_string().len()),
    }
}
