//! `cargo xtask ci`: every check, each with its time. A failed one does not hide the others.
//!
//! That the generated pages agree with the code is one of the tests.

use std::time::Duration;

use crate::checks::{crates, features, licences, msrv, sources};
use crate::run::{Failed, Notes, Outcome, Program, timed};
use crate::test;

/// A check.
type Work = fn() -> Outcome;

/// Cheap ones first.
const STEPS: &[(&str, Work)] = &[
    ("sources", sources::check),
    ("format", format),
    ("crates", crates::check),
    ("licences", licences::check),
    ("rust version", msrv::check),
    ("lints", lints),
    ("features", features::check),
    ("docs", rustdoc),
    ("tests", test::run),
];

pub(crate) fn run() -> Outcome {
    let steps: Vec<Step> = STEPS.iter().map(|(name, work)| Step::run(name, work)).collect();
    eprintln!("\n== summary");
    for step in &steps {
        step.show();
    }
    let total: Duration = steps.iter().map(|step| step.time).sum();
    eprintln!("{:>8.1} s  in all", total.as_secs_f64());
    let failed: Vec<&str> = steps.iter().filter(|step| step.outcome.is_err()).map(|step| step.name).collect();
    let skipped = steps.iter().filter_map(|step| step.outcome.as_ref().ok()).flat_map(|notes| notes.skipped.clone());
    let notes = Notes { detail: String::new(), skipped: skipped.collect() };
    if failed.is_empty() {
        return Ok(notes);
    }
    notes.show_skipped();
    Err(Failed::new("failed", failed.join(", ")))
}

struct Step {
    name: &'static str,
    outcome: Outcome,
    time: Duration,
}

impl Step {
    fn run(name: &'static str, work: &Work) -> Self {
        eprintln!("\n== {name}");
        let (outcome, time) = timed(work);
        let step = Self { name, outcome, time };
        step.show();
        step
    }

    fn show(&self) {
        let (word, detail) = match &self.outcome {
            Ok(notes) => ("ok", notes.detail.as_str()),
            Err(Failed(why)) => ("FAILED", why.as_str()),
        };
        eprintln!("{:>8.1} s  {word:<6}  {}  {detail}", self.time.as_secs_f64(), self.name);
    }
}

fn format() -> Outcome {
    Program::cargo(&["fmt", "--all", "--check"]).show()?;
    Program::cargo(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"]).show()?;
    Ok(Notes::default())
}

fn lints() -> Outcome {
    Program::cargo(&["clippy", "--workspace", "--all-targets", "--all-features", "--", "-D", "warnings"]).show()?;
    Ok(Notes::default())
}

fn rustdoc() -> Outcome {
    Program::cargo(&["doc", "--workspace", "--no-deps", "--all-features"]).env("RUSTDOCFLAGS", "-D warnings").show()?;
    Ok(Notes::default())
}
