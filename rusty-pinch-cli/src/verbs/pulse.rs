//! `pulse`: what the system does by itself.

use std::fmt::Write;
use std::sync::Arc;

use rusty_pinch_core::config::{CodexReadiness, codex_readiness, codex_work};
use rusty_pinch_core::{Action, OodaPulse, PulseReport, PulseRunner};
use serde_json::{Value, json};

use crate::arguments::Pulse;
use crate::failure::{Code, Failure, with_causes};
use crate::program::Program;

pub(crate) async fn run(program: &Program, arguments: Pulse) -> Result<Code, Failure> {
    match arguments {
        Pulse::Tick => tick(program).await,
    }
}

async fn tick(program: &Program) -> Result<Code, Failure> {
    let settings = &program.settings;
    let mut runner = PulseRunner::new(program.start_hands()?.agent, OodaPulse);
    // Without a login nothing could be asked, and a look at a program that nobody wants is noise.
    if settings.codex.enabled && matches!(codex_readiness(settings), CodexReadiness::Ready { .. }) {
        runner = runner.with_codex(Arc::new(codex_work(settings)?));
    }
    let report = runner.tick().await?;
    let results = results(&report);
    if program.output.data_as_json() {
        let json = json!({"executed_jobs": results.len(), "results": results, "wake_at": report.wake_at});
        program.output.json(&json)?;
    } else if results.is_empty() {
        program.output.text("Nothing is due.")?;
    } else {
        let text = |result: &Value, name| result.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let lines = results.iter().fold(String::new(), |mut page, result| {
            // Writing to a string can't fail.
            let _ = writeln!(page, "{}: {}", text(result, "job_id"), text(result, "message"));
            page
        });
        program.output.text(&lines)?;
    }
    Ok(if report.failed.is_empty() { Code::Done } else { Code::Failed })
}

/// What was done and what failed, as `{job_id, status, message}`.
fn results(report: &PulseReport) -> Vec<Value> {
    let done = report.done.iter().map(|done| {
        let reply = done.reply.as_ref().map(ToString::to_string);
        let message = reply.or_else(|| done.note.clone()).unwrap_or_default();
        json!({"job_id": job(&done.action), "status": "ok", "message": message})
    });
    let failed = report
        .failed
        .iter()
        .map(|(action, error)| json!({"job_id": job(action), "status": "error", "message": with_causes(error)}));
    done.chain(failed).collect()
}

fn job(action: &Action) -> &'static str {
    match action {
        Action::Settle { .. } => "approval-settle",
        Action::Expire { .. } => "approval-expire",
        Action::CheckHealth { .. } => "codex-healthcheck",
        Action::DrainTask { .. } => "codex-drain-queue",
        _ => "other",
    }
}
