//! One file per verb.

pub(crate) mod approvals;
pub(crate) mod brain;
pub(crate) mod codex;
pub(crate) mod doctor;
pub(crate) mod pulse;
pub(crate) mod repl;
pub(crate) mod session;
pub(crate) mod skills;
pub(crate) mod stats;
pub(crate) mod tools;

use crate::arguments::{Run, Verb};
use crate::failure::{Code, Failure, resume};
use crate::message;
use crate::program::Program;
use crate::turn;

/// Runs every verb that needs no more than a program.
pub(crate) async fn run(program: &Program, verb: Verb) -> Result<Code, Failure> {
    match verb {
        Verb::Run(arguments) => answer(program, arguments).await,
        Verb::Resume(arguments) => {
            let runtime = program.start()?;
            let session = &arguments.session;
            turn::run(runtime.agent.resume(session), &runtime.output)
                .await
                .print(&runtime, &resume(session.as_str()))
                .await
        }
        Verb::Session(arguments) => session::run(program, &arguments).await,
        Verb::Tools(arguments) => tools::run(program, arguments).await,
        Verb::Skills(arguments) => skills::run(program, arguments).await,
        Verb::Brain(arguments) => brain::run(program, arguments).await,
        Verb::Stats => stats::run(program).await,
        Verb::Approvals(arguments) => approvals::run(program, arguments).await,
        Verb::Codex(arguments) => codex::run(program, arguments).await,
        Verb::Pulse(arguments) => pulse::run(program, arguments).await,
        // These two are started elsewhere: one needs no valid settings, the other a thread that may block.
        Verb::Doctor | Verb::Repl(_) => Ok(Code::Usage),
    }
}

async fn answer(program: &Program, arguments: Run) -> Result<Code, Failure> {
    let text = message::read(arguments.message)?;
    let runtime = program.start()?;
    let session = &arguments.to.session;
    turn::run(runtime.agent.turn(session, text), &runtime.output).await.print(&runtime, &resume(session.as_str())).await
}
