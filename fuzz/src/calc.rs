//! The tool `calc`: any expression gives an outcome, and in time.

use std::sync::{Arc, LazyLock};

use rusty_pinch_core::{
    Brain, CallId, Clock, Hands, Invocation, LocalBrain, MemoryStore, SessionId, SystemClock, TOOL_OUTPUT_BYTES_MAX,
    ToolCall, Toolbox, builtin,
};
use serde_json::json;

use crate::block_on;

static TOOLS: LazyLock<Toolbox> = LazyLock::new(|| {
    let brain = LocalBrain::default();
    builtin::toolbox(Arc::new(MemoryStore::new()), Arc::new(SystemClock), brain.info())
});

pub fn check(bytes: &[u8]) {
    let Ok(expression) = std::str::from_utf8(bytes) else { return };
    let call = ToolCall {
        id: CallId::new("c").expect("an id"),
        name: "calc".to_owned(),
        arguments: json!({"expression": expression}),
    };
    let session = SessionId::new("fuzz").expect("an id");
    let deadline = SystemClock.now() + std::time::Duration::from_secs(60);
    let invocation = Invocation { session, call, bound: Vec::new(), deadline };
    let outcome = block_on(TOOLS.invoke(&invocation)).expect("whatever the expression is, there is an outcome");
    assert!(outcome.content.len() <= TOOL_OUTPUT_BYTES_MAX, "{} bytes", outcome.content.len());
}
