//! A skill that is called beside bare Rhai on a script that was read before (promise R3).

use std::error::Error;
use std::path::Path;
use std::time::Duration;

use benches::stopwatch::{median, now};
use benches::{FixedBrain, folder};
use rhai::{Engine, Scope};
use rusty_pinch_core::testing::ScriptRunner;
use rusty_pinch_core::{Agent, MemoryStore, Sandbox, SandboxCommand, SkillLibrary, Skills, ToolName};
use tokio::runtime::Builder;

use crate::process::Programs;
use crate::table::{Pair, Promise, Table};

const ROUNDS: usize = 200;
/// What a call in a child may take.
const CHILD_TIME_MAX: Duration = Duration::from_millis(5);

/// About a millisecond of script.
const SCRIPT: &str = "fn main() { let sum = 0; for i in 0..6000 { sum += i % 7; } sum }";
/// What it comes to.
const SUM: i64 = 17_997;
const COMMAND: &str = "/skill sum";

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let folder = folder()?;
    SkillLibrary::new(folder.path()).write_new(&ToolName::new("sum")?, SCRIPT)?;
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let runner = ScriptRunner::new(Sandbox::InProcess);
    let alone = beside_bare(|_| Ok(runtime.block_on(runner.run(SCRIPT, ""))?.text))?;
    table.pair("R3 skill of 1 ms in process / bare Rhai", Promise::AtMost(1.2), alone);
    // A whole turn around it: the folder is looked at, and the turn is kept.
    let turn = |sandbox| {
        let (agent, runtime) = (agent(folder.path(), sandbox), &runtime);
        move |round| {
            let session = benches::session(round)?;
            Ok(runtime.block_on(async { agent.turn(&session, COMMAND).await })?.to_string())
        }
    };
    table.pair(
        "turn with a skill of 1 ms in process / bare Rhai",
        Promise::None,
        beside_bare(turn(Sandbox::InProcess))?,
    );
    let program = SandboxCommand::new(Programs::beside_this_one()?.ours());
    let mut in_a_child = beside_bare(turn(Sandbox::Child(program)))?;
    table.bound("R3 turn with a skill of 1 ms in a child, p50", median(&mut in_a_child.ours), CHILD_TIME_MAX);
    Ok(())
}

fn agent(folder: &Path, sandbox: Sandbox) -> Agent {
    let skills = Skills::new(SkillLibrary::new(folder), sandbox);
    Agent::builder(FixedBrain::default()).store(MemoryStore::new()).skills(skills).build()
}

fn beside_bare(call: impl Fn(usize) -> Result<String, Box<dyn Error>>) -> Result<Pair, Box<dyn Error>> {
    let engine = Engine::new();
    let script = engine.compile(SCRIPT)?;
    let mut times = Pair::default();
    for round in 0..ROUNDS {
        let start = now();
        let answer = call(round)?;
        times.ours.push(now() - start);
        if !answer.ends_with(&SUM.to_string()) {
            return Err(format!("`{COMMAND}` came to {answer:?} instead of {SUM}").into());
        }
        let start = now();
        let sum: i64 = engine.call_fn(&mut Scope::new(), &script, "main", ())?;
        times.floor.push(now() - start);
        if sum != SUM {
            return Err(format!("bare Rhai came to {sum} instead of {SUM}").into());
        }
    }
    Ok(times)
}
