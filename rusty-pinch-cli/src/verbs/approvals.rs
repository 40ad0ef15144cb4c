//! `approvals`: calls that wait for a person.

use std::fmt::Write;

use rusty_pinch_core::{Approval, ApprovalToken};
use serde_json::json;

use crate::arguments::Approvals;
use crate::failure::{Code, Failure};
use crate::program::{Program, Runtime};
use crate::turn;

pub(crate) async fn run(program: &Program, arguments: Approvals) -> Result<Code, Failure> {
    let runtime = program.start_hands()?;
    match arguments {
        Approvals::List => list(&runtime).await,
        Approvals::Approve(arguments) => {
            let token = &arguments.of.token;
            let approval = runtime.agent.approve(token).await?;
            decided(&runtime, token, &approval, "approved", arguments.later).await
        }
        Approvals::Reject(arguments) => {
            let token = &arguments.of.token;
            let approval = runtime.agent.reject(token, arguments.reason).await?;
            decided(&runtime, token, &approval, "rejected", arguments.later).await
        }
        Approvals::Settle(arguments) => {
            let token = &arguments.token;
            let ended = turn::run(runtime.agent.settle(token), &runtime.output).await;
            ended.of_verdict().print(&runtime, &settle(token)).await
        }
    }
}

async fn list(runtime: &Runtime) -> Result<Code, Failure> {
    let approvals = runtime.agent.approvals().await?;
    if runtime.output.data_as_json() {
        runtime.output.json(&json!({"approvals": approvals}))?;
    } else if approvals.is_empty() {
        runtime.output.text("Nothing waits for an approval.")?;
    } else {
        runtime.output.text(&page(&approvals))?;
    }
    Ok(Code::Done)
}

pub(super) fn page(approvals: &[Approval]) -> String {
    approvals.iter().fold(String::new(), |mut page, approval| {
        let Approval { token, session, summary, why, expires, .. } = approval;
        // Writing to a string can't fail.
        let _ = writeln!(page, "{token}\n  session {session}, until {expires}, because {why}");
        for line in summary.lines() {
            let _ = writeln!(page, "  {line}");
        }
        page
    })
}

/// Says that the verdict is given and, unless it is for later, carries it out.
async fn decided(
    runtime: &Runtime,
    token: &ApprovalToken,
    approval: &Approval,
    status: &str,
    later: bool,
) -> Result<Code, Failure> {
    let output = &runtime.output;
    if later {
        if output.data_as_json() {
            output.json(&json!({"status": status, "approval": approval}))?;
        } else {
            output.text(&format!("{status}; {} carries it out", settle(token)))?;
        }
        return Ok(Code::Done);
    }
    let mut ended = turn::run(runtime.agent.settle(token), output).await.of_verdict();
    if !output.data_as_json() {
        return ended.print(runtime, &settle(token)).await;
    }
    let Some(concluded) = ended.conclude(runtime).await else {
        let fix = format!("{} carries it out", settle(token));
        return Err(Failure::new(Code::Interrupted, "interrupted after the verdict was given", Some(&fix)));
    };
    let conclusion = concluded?;
    output.json(&json!({"status": status, "approval": approval, "settled": conclusion.json}))?;
    conclusion.complain(output);
    Ok(conclusion.code)
}

/// The command that carries a verdict out.
fn settle(token: &ApprovalToken) -> String {
    format!("`rusty-pinch approvals settle --token {token}`")
}
