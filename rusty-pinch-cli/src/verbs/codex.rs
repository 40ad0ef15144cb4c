//! `codex`: accounts, their quota, and the queue.

use std::fmt::Write;

use rusty_pinch_core::config::codex_work;
use rusty_pinch_core::{
    AccountStatus, BrainError, Clock, CodexStatus, CodexTask, CodexWork, FinishedTask, Lane, PoolStatus, QueueReason,
    Submitted, SystemClock, TaskEnding, Timestamp, Worked, codex_login_of,
};
use serde_json::{Value, json};

use crate::arguments::{Codex, Generate};
use crate::failure::{Code, Failure, with_causes};
use crate::message;
use crate::program::Program;
use crate::when;

/// What is said when there was nothing to do.
const NOOP: &str = "queue is empty or throttled by rate-limit guard";

pub(crate) async fn run(program: &Program, arguments: Codex) -> Result<Code, Failure> {
    if !program.settings.codex.enabled && matches!(arguments, Codex::Status) {
        return show(
            program,
            &status_json(program, None),
            "Codex is switched off (RUSTY_PINCH_CODEX_ENABLED is false).",
        );
    }
    let work = codex_work(&program.settings)?;
    match arguments {
        Codex::Status => {
            let status = work.status().await?;
            show(program, &status_json(program, Some(&status)), &page(&status, SystemClock.now()))
        }
        Codex::Healthcheck => healthcheck(program, &work).await,
        Codex::Generate(arguments) => generate(program, &work, arguments).await,
        Codex::DrainOne => {
            let worked = work.drain_one().await?;
            worked_on(program, worked, "error")
        }
        Codex::Results => results(program, &work).await,
        Codex::LoginStatus => login_status(program, &work),
    }
}

/// Prints `json` for scripts or `text` for people.
fn show(program: &Program, json: &Value, text: &str) -> Result<Code, Failure> {
    if program.output.data_as_json() {
        program.output.json(json)?;
    } else {
        program.output.text(text)?;
    }
    Ok(Code::Done)
}

fn status_json(program: &Program, status: Option<&CodexStatus>) -> Value {
    let settings = &program.settings.codex;
    let waiting = |status: &CodexStatus| status.open.iter().filter(|task| !task.running).count();
    json!({
        "enabled": settings.enabled,
        "accounts": status.map(|status| &status.pool.accounts[..]).unwrap_or_default(),
        "remaining_percent": status.and_then(|status| status.pool.remaining_percent),
        "rate_limit_threshold_percent": settings.reserve_percent,
        "background_at": status.and_then(|status| status.pool.background_at),
        "queue_capacity": settings.queue_capacity,
        "queue_depth": status.map_or(0, waiting),
        "queue_mode_reason": status.and_then(|status| status.queues_because),
        "queue": status.map(|status| &status.open[..]).unwrap_or_default(),
    })
}

fn page(status: &CodexStatus, now: Timestamp) -> String {
    let PoolStatus { accounts, remaining_percent, background_at, .. } = &status.pool;
    let mut page = accounts.iter().fold(String::new(), |page, account| page + account_line(account, now).as_str());
    // Writing to a string can't fail.
    let _ = match remaining_percent {
        Some(percent) => writeln!(page, "{percent} % of the quota is left"),
        None => writeln!(page, "no account can be used"),
    };
    if let Some(at) = background_at {
        let _ = writeln!(
            page,
            "background work waits until {}: no more is left than is kept for people",
            when::until(*at, now)
        );
    }
    let waiting = status.open.iter().filter(|task| !task.running).count();
    let _ = writeln!(page, "{waiting} of {} tasks wait in the queue", status.queue_capacity);
    for task in &status.open {
        let state = if task.running { "running" } else { "waiting" };
        let _ = write!(
            page,
            "  {} {state} for {:?}, queued {}",
            task.task_id,
            task.purpose,
            when::ago(task.enqueued_at, now)
        );
        let _ = match &task.last_error {
            Some(error) => writeln!(page, ", {} attempts: {error}", task.attempts),
            None => writeln!(page),
        };
    }
    page
}

/// How an account stands, in a line and its last error.
pub(crate) fn account_line(account: &AccountStatus, now: Timestamp) -> String {
    let health = match (account.healthy, account.last_used_at.or(account.last_healthcheck_at)) {
        (false, _) => "failing",
        (true, None) => "untried",
        (true, Some(_)) => "ok",
    };
    let mut line = format!(
        "{:<16} {health:<8} {:>3} % left, {} of {} requests used",
        account.id.as_str(),
        account.remaining_percent,
        account.used_requests,
        account.max_requests
    );
    if let Some(until) = account.skipped_until {
        // Writing to a string can't fail.
        let _ = write!(line, ", left alone until {}", when::until(until, now));
    }
    if let Some(error) = &account.last_error {
        let _ = write!(line, "\n  {error}");
    }
    line.push('\n');
    line
}

async fn healthcheck(program: &Program, work: &CodexWork) -> Result<Code, Failure> {
    let reports = work.check_all().await?;
    let lines = reports.iter().fold(String::new(), |mut page, report| {
        let health = if report.healthy { "ok" } else { "failing" };
        // Writing to a string can't fail.
        let _ = writeln!(page, "{:<16} {health:<8} {}", report.account_id.as_str(), report.message);
        page
    });
    show(program, &json!({"checks": reports}), &lines)?;
    Ok(if reports.iter().all(|report| report.healthy) { Code::Done } else { Code::Failed })
}

async fn generate(program: &Program, work: &CodexWork, arguments: Generate) -> Result<Code, Failure> {
    let lane = if arguments.interactive { Lane::Interactive } else { Lane::Background };
    let prompt = message::read(arguments.prompt)?;
    let task = CodexTask::new(prompt, arguments.purpose, lane).map_err(rusty_pinch_core::WorkError::from)?;
    match work.submit(&task).await? {
        Submitted::Worked(Worked::PutBack { task_id, reason, error }) => {
            queued(program, task_id, work.depth().await?, reason, Some(&error))
        }
        Submitted::Worked(worked) => worked_on(program, worked, "error"),
        Submitted::Queued { task_id, depth, reason, error } => queued(program, task_id, depth, reason, error.as_ref()),
        _ => Ok(Code::Failed),
    }
}

fn queued(
    program: &Program,
    task_id: u64,
    queue_depth: usize,
    reason: QueueReason,
    error: Option<&BrainError>,
) -> Result<Code, Failure> {
    let message = error.map(|error| with_causes(error));
    let json = json!({
        "status": "queued", "task_id": task_id, "queue_depth": queue_depth, "reason": reason, "message": message,
    });
    let why = message.unwrap_or_else(|| "older tasks come first".to_owned());
    show(program, &json, &format!("queued as task {task_id}, {queue_depth} wait: {why}"))
}

/// Says what came of a task. One that waits again after a failure is told with `failed` as its status.
fn worked_on(program: &Program, worked: Worked, failed: &str) -> Result<Code, Failure> {
    let (json, text, code) = match worked {
        Worked::Ended(finished) => {
            let code = if matches!(finished.ending, TaskEnding::Executed { .. }) { Code::Done } else { Code::Failed };
            let (json, text) = ended(&finished);
            (json, text, code)
        }
        Worked::PutBack { task_id, reason, error } => {
            let message = with_causes(&error);
            let text = format!("task {task_id} waits again: {message}");
            (json!({"status": failed, "task_id": task_id, "reason": reason, "message": message}), text, Code::Failed)
        }
        Worked::Nothing { error } => {
            let why = error.as_ref().map(|error| with_causes(error));
            let text = match &why {
                Some(why) => format!("Nothing was asked: {why}"),
                None => "No task is due.".to_owned(),
            };
            (json!({"status": "noop", "message": NOOP, "reason": why}), text, Code::Done)
        }
        Worked::Lost { task_id } => {
            let text = format!("another process has task {task_id} by now");
            (json!({"status": "noop", "message": text}), text, Code::Done)
        }
        _ => return Ok(Code::Failed),
    };
    show(program, &json, &text)?;
    Ok(code)
}

fn ended(finished: &FinishedTask) -> (Value, String) {
    let task_id = finished.task_id;
    match &finished.ending {
        TaskEnding::Executed { account_id, output, latency_ms } => {
            let json = json!({
                "status": "executed", "task_id": task_id, "account_id": account_id, "latency_ms": latency_ms,
                "output": output,
            });
            (json, output.clone())
        }
        TaskEnding::Parked { reason } => {
            let json = json!({"status": "error", "task_id": task_id, "message": reason});
            (json, format!("task {task_id} was given up: {reason}"))
        }
        _ => (json!({"status": "error", "task_id": task_id}), format!("task {task_id} is over")),
    }
}

async fn results(program: &Program, work: &CodexWork) -> Result<Code, Failure> {
    let (results, now) = (work.results().await?, SystemClock.now());
    let lines = results.iter().fold(String::new(), |mut page, finished| {
        // Writing to a string can't fail.
        let _ = writeln!(
            page,
            "{} for {:?}, over {}",
            finished.task_id,
            finished.purpose,
            when::ago(finished.finished_at, now)
        );
        page + ended(finished).1.as_str() + "\n"
    });
    let text = if results.is_empty() { "No task is over yet." } else { &lines };
    show(program, &json!({"results": results}), text)
}

fn login_status(program: &Program, work: &CodexWork) -> Result<Code, Failure> {
    let accounts: Vec<_> = work.accounts().map(|account| (account, codex_login_of(account))).collect();
    let json = accounts.iter().map(|(account, login)| {
        json!({"id": account.id, "logged_in": login.is_some(), "how": login, "home": account.config.home})
    });
    let json = json!({"accounts": json.collect::<Vec<_>>()});
    let lines = accounts.iter().fold(String::new(), |mut page, (account, login)| {
        let home = account.config.home.display();
        let how = login.unwrap_or("is not logged in");
        // Writing to a string can't fail.
        let _ = writeln!(page, "{:<16} {how} ({home})", account.id.as_str());
        page
    });
    show(program, &json, &lines)?;
    Ok(if accounts.iter().all(|(_, login)| login.is_some()) { Code::Done } else { Code::Failed })
}
