//! What is set up, and what is wrong with it.
//!
//! The report is made from the values that the program itself uses. Nothing is changed: a probe of a folder leaves
//! nothing behind.

mod brain;
mod egress;
mod folder;
#[cfg(feature = "skills")]
mod sandbox;
mod sources;

#[cfg(test)]
mod tests;

use serde::Serialize;
use serde_json::{Map, Value};

#[cfg(feature = "skills")]
pub use self::sandbox::examine_sandbox;
use super::provider::{CodexReadiness, ProviderChoice};
use super::{Settings, SettingsError};
use crate::telemetry::{TelemetryError, TelemetryFile};

/// What `doctor` found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// What is set up, in the order in which it is shown.
    pub facts: Vec<Fact>,
    /// What was looked at.
    pub checks: Vec<Check>,
}

/// One line of what is set up.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// Its name.
    pub name: &'static str,
    /// Its value; never a secret.
    pub value: String,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    pub name: &'static str,
    /// How it is.
    pub status: CheckStatus,
    /// What was found.
    pub message: String,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fix: Option<String>,
}

/// How something is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckStatus {
    /// Good.
    Ok,
    /// Good, and worth knowing.
    Note,
    /// It works, and somebody should look at it.
    Warning,
    /// It must be fixed.
    Error,
}

impl CheckStatus {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

impl Check {
    /// Something is good.
    pub fn ok(name: &'static str, message: impl Into<String>) -> Self {
        Self { name, status: CheckStatus::Ok, message: message.into(), fix: None }
    }

    /// Something is good, and worth knowing.
    pub fn note(name: &'static str, message: impl Into<String>) -> Self {
        Self { status: CheckStatus::Note, ..Self::ok(name, message) }
    }

    /// Something works, and somebody should look at it.
    pub fn warning(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: CheckStatus::Warning, fix: Some(fix.into()), ..Self::ok(name, message) }
    }

    /// Something must be fixed.
    pub fn error(name: &'static str, message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self { status: CheckStatus::Error, ..Self::warning(name, message, fix) }
    }
}

impl Report {
    /// The report on `settings`, or on why there are none, with what was found about Codex where that matters.
    pub fn new(settings: Result<&Settings, &SettingsError>, codex: Option<&CodexReadiness>) -> Self {
        let mut report = Self { facts: Vec::new(), checks: Vec::new() };
        report.fact("version", env!("CARGO_PKG_VERSION"));
        match settings {
            Ok(settings) => {
                let choice = ProviderChoice::new(settings, codex);
                brain::report(&mut report, settings, &choice, codex);
                report.folders(settings);
                egress::report(&mut report, &settings.egress);
                sources::report(&mut report, settings);
            }
            Err(error) => sources::report_errors(&mut report, error),
        }
        report
    }

    /// The worst that was found: `ok`, `warning` or `error`; notes are fine.
    pub fn status(&self) -> CheckStatus {
        let worst = self.checks.iter().map(|check| check.status).max();
        worst.filter(|status| *status > CheckStatus::Note).unwrap_or(CheckStatus::Ok)
    }

    /// The report as one JSON object: `status`, the facts by name, and the checks.
    pub fn to_json(&self) -> Value {
        let facts: Map<_, _> =
            self.facts.iter().map(|fact| (fact.name.to_owned(), fact.value.as_str().into())).collect();
        serde_json::json!({"status": self.status(), "settings": facts, "checks": self.checks})
    }

    fn fact(&mut self, name: &'static str, value: impl ToString) {
        self.facts.push(Fact { name, value: value.to_string() });
    }

    /// Adds what a caller looked at itself.
    pub fn check(&mut self, check: Check) {
        self.checks.push(check);
    }

    fn folders(&mut self, settings: &Settings) {
        let (store, telemetry) = (&settings.store, &settings.telemetry);
        self.fact("data_dir", store.data_dir.display());
        self.fact("workspace", store.workspace.display());
        self.fact("telemetry_file", telemetry.file.display());
        self.check(folder::check("data_dir", &store.data_dir, "RUSTY_PINCH_DATA_DIR"));
        self.check(folder::check("workspace", &store.workspace, "RUSTY_PINCH_WORKSPACE"));
        self.check(match TelemetryFile::new(&telemetry.file).read() {
            Ok(snapshot) => Check::ok("telemetry_file", format!("{} turns counted", snapshot.total_turns)),
            Err(error @ TelemetryError::Damaged { .. }) => {
                Check::warning("telemetry_file", error.to_string(), "nothing has to be done; the counters begin anew")
            }
            Err(error) => {
                let why = std::error::Error::source(&error).map_or_else(String::new, |source| format!(": {source}"));
                Check::warning("telemetry_file", format!("{error}{why}"), "correct RUSTY_PINCH_TELEMETRY_FILE")
            }
        });
    }
}
