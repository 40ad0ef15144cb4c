//! Bring your own tool: a closure, its schema taken from its type. The offline brain finds it by its examples.
//!
//! `cargo run -p rusty-pinch-examples --bin own-tool`

use rusty_pinch_core::{Agent, LocalBrain, Tool, Toolbox};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize, JsonSchema)]
struct Pot {
    /// How many cups.
    cups: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let brew = Tool::new("brew", "Brews coffee").once().example("brew 2 cups of coffee", json!({"cups": 2})).run(
        |pot: Pot| async move {
            if pot.cups > 12 {
                Err("the pot holds 12 cups".to_owned())
            } else {
                Ok(format!("{} cups are ready", pot.cups))
            }
        },
    );
    let agent = Agent::builder(LocalBrain::default()).hands(Toolbox::new().tool(brew).check()?).build();
    println!("{}", agent.turn("kitchen", "brew 4 cups of coffee").await?);
    println!("{}", agent.turn("kitchen", "/tool brew 40").await?);
    Ok(())
}
