//! `doctor`: what is set up and what must be fixed.

use std::fmt::Write;

use rusty_pinch_core::config::{CheckStatus, Report, examine, examine_records, examine_sandbox};
use rusty_pinch_core::{Clock, Settings, SettingsError, SystemClock};
use tokio::runtime::Runtime as Tokio;

use crate::failure::{Code, Failure};
use crate::output::Output;
use crate::sandbox;

pub(crate) fn run(
    tokio: &Tokio,
    settings: Result<&Settings, &SettingsError>,
    output: &Output,
) -> Result<Code, Failure> {
    let mut report = examine(settings);
    if let Ok(settings) = settings {
        for check in tokio.block_on(examine_records(settings, SystemClock.now())) {
            report.check(check);
        }
    }
    report.check(tokio.block_on(examine_sandbox(&sandbox::command())));
    if output.json {
        output.json(&report.to_json())?;
    } else {
        output.text(&page(&report))?;
    }
    Ok(match report.status() {
        CheckStatus::Error => Code::Configuration,
        _ => Code::Done,
    })
}

/// The checks that are worth a line when all is well, because they say what is in force.
const SHOWN: [&str; 2] = ["skills", "skill_sandbox"];

/// `key: value` lines, then the status, then what is worth knowing.
fn page(report: &Report) -> String {
    let mut page = String::from("Rusty Pinch Doctor\n");
    for fact in &report.facts {
        // Writing to a string can't fail.
        let _ = writeln!(page, "{}: {}", fact.name, fact.value);
    }
    for check in report.checks.iter().filter(|check| SHOWN.contains(&check.name) && check.status == CheckStatus::Ok) {
        let _ = writeln!(page, "{}: {}", check.name, check.message);
    }
    let _ = writeln!(page, "status: {}", report.status().name());
    for check in report.checks.iter().filter(|check| check.status > CheckStatus::Ok) {
        let _ = writeln!(page, "- {}: {}", check.status.name(), check.message);
        if let Some(fix) = &check.fix {
            let _ = writeln!(page, "  fix: {fix}");
        }
    }
    page
}
