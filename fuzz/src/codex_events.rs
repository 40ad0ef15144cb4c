//! What the Codex CLI prints: an answer, whole calls, or an error, whatever it is.

use std::sync::Arc;

use async_trait::async_trait;
use rusty_pinch_core::testing::VirtualClock;
use rusty_pinch_core::{
    Brain, Captured, Clock, CodexBrain, CodexConfig, CodexInvocation, Command, Deltas, Ending, Exit, Lines, OutputLine,
    OwnInvocation, Spawn, SpawnError,
};

use crate::{block_on, codex};

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
    let outcome = block_on(brain.complete(&codex::request(has_tools, &clock), &Deltas::none()));
    codex::check(&outcome, has_tools);
    assert!(outcome.is_err() || code == 0, "an answer of a program that failed");
}
