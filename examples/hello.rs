//! The shortest program: no key, no file, no network.
//!
//! `cargo run -p rusty-pinch-examples --bin hello`

use rusty_pinch_core::{Agent, LocalBrain};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let agent = Agent::new(LocalBrain::default());
    println!("{}", agent.turn("demo", "what is 17 * 23?").await?);
    Ok(())
}
