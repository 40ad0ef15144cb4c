//! `tools`: what the hands can do.

use std::fmt::Write;

use rusty_pinch_core::ToolSpec;

use crate::arguments::{RunTool, Tools};
use crate::failure::{Code, Failure, resume};
use crate::program::Program;
use crate::turn;

pub(crate) async fn run(program: &Program, arguments: Tools) -> Result<Code, Failure> {
    match arguments {
        Tools::List => list(program).await,
        Tools::Run(arguments) => run_tool(program, &arguments).await,
    }
}

async fn list(program: &Program) -> Result<Code, Failure> {
    let runtime = program.start_hands()?;
    runtime.agent.refresh().await;
    let mut tools = runtime.agent.tools().to_vec();
    tools.sort_by(|a, b| a.name.cmp(&b.name));
    if program.output.json {
        program.output.json(&tools)?;
    } else {
        program.output.text(&page(&tools))?;
    }
    Ok(Code::Done)
}

/// Two lines per tool: what it does and how it is called.
pub(crate) fn page(tools: &[ToolSpec]) -> String {
    tools.iter().fold(String::new(), |mut page, tool| {
        // Writing to a string can't fail.
        let _ = writeln!(page, "{} - {}\n  usage: {}", tool.name, tool.description, tool.usage());
        page
    })
}

async fn run_tool(program: &Program, arguments: &RunTool) -> Result<Code, Failure> {
    let runtime = program.start_hands()?;
    let command = format!("/tool {} {}", arguments.name, arguments.args);
    let session = &arguments.to.session;
    let turn = runtime.agent.turn(session, command.trim_end());
    turn::run(turn, &runtime.output).await.bare().print(&runtime, &resume(session.as_str())).await
}
