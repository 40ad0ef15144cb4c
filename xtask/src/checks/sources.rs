//! The files of the repository: not too long, and nothing in them that holds on one machine only.

use std::fs;

use crate::run::{Failed, Notes, Outcome, Program, root};

/// A longer file is two files.
const LINES_MAX: usize = 500;

/// Where somebody's files are. Split, so that this file is not a finding itself.
const HOMES: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Use", "rs/"), concat!("C:\\Us", "ers\\")];

/// Names that stand for anybody in examples and tests.
const ANYBODY: [&str; 5] = ["you", "user", "somebody", "someone", "me"];

/// The only registry that crates may come from.
const REGISTRY: &str = "registry+https://github.com/rust-lang/crates.io-index";

/// Files that would point a build at some other registry.
const REGISTRY_FILES: [&str; 5] = [".npmrc", ".yarnrc", "pip.conf", ".cargo/credentials", ".cargo/credentials.toml"];

pub(crate) fn check() -> Outcome {
    if !Program::new("git", &["rev-parse", "--git-dir"]).works() {
        return Ok(Notes::skipped("this is no git checkout, so it is not known which files are the project's"));
    }
    let list = Program::new("git", &["ls-files", "--cached", "--others", "--exclude-standard"]).read()?;
    let mut findings = Vec::new();
    let mut files = 0;
    for path in list.lines() {
        // Not text, or deleted and not yet committed.
        let Ok(text) = fs::read_to_string(root().join(path)) else { continue };
        files += 1;
        findings.extend(in_file(path, &text));
    }
    if findings.is_empty() {
        return Ok(Notes::detail(format!("{files} files, none of ours over {LINES_MAX} lines")));
    }
    Err(Failed(findings.join("\n            ")))
}

fn in_file(path: &str, text: &str) -> Vec<String> {
    let mut findings = Vec::new();
    let lines = text.lines().count();
    if path.ends_with(".rs") && lines > LINES_MAX {
        findings.push(format!("{path}: {lines} lines; split it, {LINES_MAX} are the most"));
    }
    if REGISTRY_FILES.iter().any(|file| path.ends_with(file)) {
        findings.push(format!("{path}: where packages come from is not the repository's to say"));
    }
    for (number, line) in (1..).zip(text.lines()) {
        if HOMES.iter().any(|home| line.split(home).skip(1).any(is_somebody)) {
            findings.push(format!("{path}:{number}: a path of one machine"));
        }
        if is_foreign_registry(path, line) {
            findings.push(format!("{path}:{number}: a registry other than crates.io"));
        }
    }
    findings
}

/// Whether the text after a home folder's parent goes on with a name of somebody.
fn is_somebody(rest: &str) -> bool {
    let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_' && c != '-').unwrap_or(rest.len());
    !rest[..end].is_empty() && !ANYBODY.contains(&&rest[..end])
}

fn is_foreign_registry(path: &str, line: &str) -> bool {
    let line = line.trim();
    match path.rsplit('/').next() {
        Some("Cargo.lock") => line.starts_with("source = ") && !line.contains(REGISTRY),
        Some("config.toml") => line.starts_with("[source") || line.starts_with("[registr"),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, text: &str, findings: usize) {
        assert_eq!(in_file(path, text).len(), findings, "{path}: {text}");
    }

    #[test]
    fn paths_of_one_machine_are_found_and_examples_are_not() {
        let home = HOMES[0];
        check("a.md", &format!("see {home}ann/project"), 1);
        check("a.md", &format!("see {home}you/project and {home}"), 0);
        check("a.md", &format!("{}work/x", HOMES[1]), 1);
        check("a.md", &format!("{}ann\\x", HOMES[3]), 1);
    }

    #[test]
    fn other_registries_are_found() {
        check("Cargo.lock", &format!("source = \"{REGISTRY}\""), 0);
        check("Cargo.lock", "source = \"registry+https://mirror.example/index\"", 1);
        check("Cargo.lock", "source = \"git+https://example.org/x\"", 1);
        check(".cargo/config.toml", "[source.crates-io]", 1);
        check("client/.npmrc", "", 1);
    }

    #[test]
    fn a_long_file_is_found() {
        check("a.rs", &"x\n".repeat(LINES_MAX), 0);
        check("a.rs", &"x\n".repeat(LINES_MAX + 1), 1);
        check("a.md", &"x\n".repeat(LINES_MAX + 1), 0);
    }
}
