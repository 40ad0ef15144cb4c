//! What the Codex CLI's app-server writes: an answer, whole calls, or an error, whatever it is.

use std::sync::Arc;

use async_trait::async_trait;
use rusty_pinch_core::testing::VirtualClock;
use rusty_pinch_core::{
    Brain, Captured, Clock, CodexAppServerBrain, CodexConfig, Command, Deltas, Ending, Exit, Lines, OutputLine,
    QuotaGauge, Spawn, SpawnError,
};

use crate::{block_on, codex};

/// How often the others come to their turn between two lines: a request that waits for a line is there by then.
const TURNS_OF_OTHERS: usize = 8;
const CATALOGUE: &[u8] = br#"{"models":[{"slug":"a"}]}"#;

/// Writes its lines, whatever it is asked, and ends.
#[derive(Debug)]
struct Writer {
    output: Vec<u8>,
    code: i32,
}

#[async_trait]
impl Spawn for Writer {
    async fn run(&self, command: &Command, lines: &Lines) -> Result<Exit, SpawnError> {
        let exit = |code: i32, stdout: &[u8]| Exit {
            ending: Ending::Code(code),
            stdout: Captured { bytes: stdout.to_vec(), truncated: false },
            stderr: Captured::default(),
        };
        if command.arguments.first().is_some_and(|first| first == "debug") {
            return Ok(exit(0, CATALOGUE));
        }
        for line in self.output.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            for _ in 0..TURNS_OF_OTHERS {
                tokio::task::yield_now().await;
            }
            match line.get(..command.limits.line_bytes_max) {
                Some(cut) if cut.len() < line.len() => lines.send(OutputLine::Cut(cut)),
                _ => lines.send(OutputLine::Whole(line)),
            }
        }
        Ok(exit(self.code, &self.output[..self.output.len().min(command.limits.stdout_bytes_max)]))
    }
}

/// The first byte says whether tools are offered and how the program ends.
pub fn check(bytes: &[u8]) {
    let Some((&first, output)) = bytes.split_first() else { return };
    let (has_tools, code) = (first & 1 == 1, i32::from(first & 2));
    let clock = Arc::new(VirtualClock::default());
    let quota = Arc::new(QuotaGauge::default());
    let spawn = Arc::new(Writer { output: output.to_vec(), code });
    let home = crate::memory().join("no-such-folder").join("home");
    let config = CodexConfig::new("codex", home);
    let brain = CodexAppServerBrain::new(config, spawn, Arc::clone(&clock) as Arc<dyn Clock>, Arc::clone(&quota))
        .expect("the built-in invocation");
    let outcome = block_on(brain.complete(&codex::request(has_tools, &clock), &Deltas::none()));
    codex::check(&outcome, has_tools);
    if let Some(reading) = quota.take() {
        assert!(reading.windows.iter().all(|window| window.used_percent <= 100), "over 100 %: {reading:?}");
        assert!(!reading.windows.is_empty(), "a reading of nothing");
    }
}
