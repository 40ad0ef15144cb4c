//! Let a person decide before something that can't be undone.
//!
//! `cargo run -p rusty-pinch-examples --bin approval`

use rusty_pinch_core::{Agent, LocalBrain, Reply, Risk, Tool, Toolbox};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

#[derive(Deserialize, JsonSchema)]
struct Payment {
    /// In whole euros.
    amount: u32,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let pay = Tool::new("pay", "Pays an amount")
        .once()
        .risk(Risk::Critical)
        .example("pay 5 euros", json!({"amount": 5}))
        .run(|payment: Payment| async move { Ok::<_, String>(format!("{} euros are paid", payment.amount)) });
    let agent = Agent::builder(LocalBrain::default()).hands(Toolbox::new().tool(pay)).build();

    let reply = match agent.turn("desk", "pay 7 euros").await? {
        Reply::NeedsApproval(approval) => {
            println!("asked: {}", approval.summary);
            agent.approve(&approval.token).await?;
            agent.settle(&approval.token).await?
        }
        reply => reply,
    };
    println!("{reply}");
    Ok(())
}
