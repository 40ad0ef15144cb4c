//! What `doctor` says of the sandbox of skills.

use std::sync::Arc;

use super::Check;
use crate::hands::SandboxCommand;
use crate::sys::SystemClock;

/// What confines a skill here, tried in a child that `command` starts. For reports, beside `examine`.
pub async fn examine_sandbox(command: &SandboxCommand) -> Check {
    let report = match command.probe(Arc::new(SystemClock)).await {
        Ok(report) => report,
        Err(error) => return Check::error("skill_sandbox", format!("skills can't run: {}", error.why), error.fix),
    };
    let in_force = report.in_force.join(", ");
    if report.is_closed() {
        return Check::ok("skill_sandbox", format!("in force: {in_force}; {} attempts refused", report.refused.len()));
    }
    let message = format!(
        "in force: {in_force}; absent: {}; possible inside: {}",
        report.absent.join(", "),
        report.open.join(", ")
    );
    Check::warning("skill_sandbox", message, "run skills of strangers on Linux 5.13 or newer with Landlock and seccomp")
}
