//! Show an answer while it comes.
//!
//! `cargo run -p rusty-pinch-examples --bin streaming`

use std::io::Write;

use rusty_pinch_core::{Agent, LocalBrain};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agent = Agent::new(LocalBrain::default());
    let show = |delta: rusty_pinch_core::Delta<'_>| {
        print!("{delta}");
        // A terminal that is gone is no reason to stop the turn.
        let _ = std::io::stdout().flush();
    };
    agent.turn("demo", "what can you do?").deltas(show).await?;
    println!();
    Ok(())
}
