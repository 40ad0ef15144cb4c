//! The oldest Rust that the manifests promise is the one that CI builds with.

use std::fs;

use crate::run::{Failed, Notes, Outcome, Program, root};

const WORKFLOW: &str = ".github/workflows/ci.yml";

pub(crate) fn check() -> Outcome {
    let manifest = read("Cargo.toml")?;
    let promised = quoted(&manifest, "rust-version = ").ok_or_else(|| Failed::new("Cargo.toml", "no rust-version"))?;
    let workflow = read(WORKFLOW)?;
    if quoted(&workflow, "RUST_VERSION: ") != Some(promised) {
        return Err(Failed(format!("{WORKFLOW} must set RUST_VERSION to \"{promised}\", as Cargo.toml promises")));
    }
    let version = Program::new("rustc", &["--version"]).read()?;
    let used = version.split_whitespace().nth(1).unwrap_or_default();
    if used.starts_with(&format!("{promised}.")) {
        return Ok(Notes::detail(format!("this run builds with {used}, the oldest that is promised")));
    }
    let why = format!("this run builds with Rust {used}; that {promised} is enough is checked on GitHub");
    Ok(Notes { detail: format!("{promised} is promised"), ..Notes::skipped(why) })
}

fn read(path: &str) -> Result<String, Failed> {
    fs::read_to_string(root().join(path)).map_err(|error| Failed::new(path, error))
}

/// The quoted text after `key` at the beginning of a line.
fn quoted<'a>(text: &'a str, key: &str) -> Option<&'a str> {
    let value = text.lines().find_map(|line| line.trim().strip_prefix(key))?;
    value.trim().strip_prefix('"')?.split('"').next()
}
