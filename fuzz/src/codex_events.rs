//! What the Codex CLI prints: an answer, whole calls, or an error, whatever it is.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusty_pinch_core::testing::VirtualClock;
use rusty_pinch_core::{
    Brain, Captured, Clock, CodexBrain, CodexConfig, CodexInvocation, Command, CompletionRequest, Deltas, Ending, Exit,
    Hands, Lane, Lines, LocalBrain, MemoryStore, Message, OutputLine, OwnInvocation, Spawn, SpawnError, builtin,
};

use crate::block_on;

/// Prints the input and ends.
#[derive(Debug)]
struct Printer {
    output: Vec<u8>,
    code: i32,
}

#[async_trait]
impl Spawn for Printer {
    async fn run(&self, command: &Command, lines: &Lines) -> Result<Exit, SpawnError> {
        for line in self.output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            match line.get(..command.limits.line_bytes_max) {
                Some(cut) if cut.len() < line.len() => lines.send(OutputLine::Cut(cut)),
                _ => lines.send(OutputLine::Whole(line)),
            }
        }
        let stdout = Captured { bytes: self.output.clone(), truncated: false };
        Ok(Exit { ending: Ending::Code(self.code), stdout, stderr: Captured::default() })
    }
}

/// The first byte says whether tools are offered and how the program ends.
pub fn check(bytes: &[u8]) {
    let Some((&first, output)) = bytes.split_first() else { return };
    let (has_tools, code) = (first & 1 == 1, i32::from(first & 2));
    let clock = Arc::new(VirtualClock::default());
    let own =
        OwnInvocation { arguments: vec!["exec".to_owned()], model_flag: String::new(), prompt_flag: "-".to_owned() };
    let mut config = CodexConfig::new("codex", "home");
    config.invocation = CodexInvocation::Own(own);
    let spawn = Arc::new(Printer { output: output.to_vec(), code });
    let brain = CodexBrain::new(config, spawn, Arc::clone(&clock) as Arc<dyn Clock>);
    let local = LocalBrain::default();
    let store = Arc::new(MemoryStore::new());
    let tools = builtin::toolbox(store, Arc::clone(&clock) as Arc<dyn Clock>, local.info()).tools();
    let request = CompletionRequest {
        messages: vec![Message::User { content: "hello".to_owned() }],
        tools: if has_tools { tools } else { Arc::new([]) },
        deadline: clock.now() + Duration::from_secs(60),
        lane: Lane::Interactive,
        turn: None,
    };
    match block_on(brain.complete(&request, &Deltas::none())) {
        Ok(completion) => {
            assert!(code == 0, "an answer of a program that failed");
            assert!(!completion.content.is_empty() || !completion.calls.is_empty(), "an empty answer");
            assert!(has_tools || completion.calls.is_empty(), "calls although there are no tools");
            assert!(completion.calls.iter().all(|call| !call.name.is_empty()), "a call without a name");
        }
        Err(error) => assert!(error.to_string().len() < 16 * 1024, "an error of {} bytes", error.to_string().len()),
    }
}
