//! Bring your own brain: anything that can answer a prompt.
//!
//! `cargo run -p rusty-pinch-examples --bin own-brain`

use async_trait::async_trait;
use rusty_pinch_core::{Agent, Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas, Message};

/// Says what it heard, backwards.
#[derive(Debug)]
struct Mirror(BrainInfo);

#[async_trait]
impl Brain for Mirror {
    fn info(&self) -> &BrainInfo {
        &self.0
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let heard = request.messages.iter().rev().find(|message| matches!(message, Message::User { .. }));
        let text: String = heard.map_or("", Message::content).chars().rev().collect();
        deltas.text(&text);
        Ok(Completion::text(text))
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let info = BrainInfo { name: "mirror".into(), model: "1".into(), context_tokens: 8_000, free: true };
    let agent = Agent::new(Mirror(info));
    println!("{}", agent.turn("demo", "pinch").await?);
    Ok(())
}
