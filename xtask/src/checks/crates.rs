//! How many crates an embedder takes on who wants none of the defaults (promise R6).

use std::collections::BTreeSet;

use crate::run::{Failed, Notes, Outcome, Program};

/// Core itself counts too.
const CRATES_MAX: usize = 45;

pub(crate) fn check() -> Outcome {
    let arguments = ["tree", "--package", "rusty-pinch-core", "--no-default-features", "--edges", "normal,build"];
    let tree = Program::cargo(&[&arguments[..], &["--prefix", "none", "--format", "{p}"]].concat()).read()?;
    let crates: BTreeSet<&str> = tree.lines().filter_map(name_and_version).collect();
    let detail = format!("{} crates without default features, at most {CRATES_MAX}", crates.len());
    if crates.len() <= CRATES_MAX {
        return Ok(Notes::detail(detail));
    }
    let list: Vec<&str> = crates.into_iter().collect();
    Err(Failed(format!("{detail}: {}", list.join(", "))))
}

/// `syn v3.0.9 (proc-macro) (*)` → `syn v3.0.9`.
fn name_and_version(line: &str) -> Option<&str> {
    let line = line.trim();
    let end = line.find(" (").unwrap_or(line.len());
    line.get(..end).filter(|name| !name.is_empty())
}
