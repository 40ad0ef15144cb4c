//! Skills in your own program: a folder of scripts, and a sandbox that you choose.
//!
//! With no argument they run on a thread of this process; with the path of `rusty-pinch-skill`, each in a child that
//! confines itself, which is what scripts of strangers need.
//!
//! `cargo run -p rusty-pinch-examples --bin skills`

use rusty_pinch_core::{Agent, LocalBrain, Sandbox, SandboxCommand, SkillLibrary, Skills, ToolName};

const COFFEE: &str = r#"//! name: coffee
//! description: Says how much coffee to grind
//! argument: cups integer - How many cups
//! example: how much coffee for 4 cups => {"cups": 4}

fn main(cups) {
    `${args().cups * 15} g of coffee`
}
"#;

const CURIOUS: &str = r#"//! description: Reaches for a host that it does not declare

fn main() {
    http_get("https://example.com/")
}
"#;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sandbox = match std::env::args_os().nth(1) {
        Some(child) => Sandbox::Child(SandboxCommand::new(child)),
        None => Sandbox::InProcess,
    };
    let folder = tempfile::tempdir()?;
    let library = SkillLibrary::new(folder.path());
    library.write_new(&ToolName::new("coffee")?, COFFEE)?;
    library.write_new(&ToolName::new("curious")?, CURIOUS)?;
    let agent = Agent::builder(LocalBrain::default()).skills(Skills::new(library, sandbox)).build();
    println!("{}", agent.turn("kitchen", "how much coffee for 6 cups").await?);
    println!("{}", agent.turn("kitchen", "/skill curious").await?);
    Ok(())
}
