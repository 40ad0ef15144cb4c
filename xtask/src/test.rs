//! `cargo xtask test`: installs what the tests need, runs all of them, and says what could not run.

use crate::run::{Failed, Notes, Outcome, Program};

const WORKSPACE: &[&str] = &["--workspace", "--all-features"];

/// The fuzz targets are a workspace of their own; their seeds are replayed without a fuzzer.
const SEEDS: &[&str] = &["--manifest-path", "fuzz/Cargo.toml", "--no-default-features", "--target-dir", "target"];

pub(crate) fn run() -> Outcome {
    compiler()?;
    let mut skipped = codex()?;
    let mut shown = Shown::default();
    for arguments in [WORKSPACE, SEEDS] {
        Program::cargo(&[&["test"], arguments, &["--", "--show-output"]].concat()).lines(|line| {
            if let Some(line) = shown.take(line) {
                println!("{line}");
            }
        })?;
    }
    skipped.append(&mut shown.skipped);
    skipped.sort();
    skipped.dedup();
    Ok(Notes { detail: format!("{} tests passed", shown.passed), skipped })
}

/// SQLite and the TLS library have parts in C.
fn compiler() -> Result<(), Failed> {
    if cfg!(not(unix)) || Program::new("cc", &["--version"]).works() {
        return Ok(());
    }
    Err(Failed("there is no C compiler `cc`, which SQLite is built with; install gcc or clang".to_owned()))
}

/// The tests with the real Codex CLI find it where the script puts it.
fn codex() -> Result<Vec<String>, Failed> {
    if !Program::new("bash", &["--version"]).works() {
        return Ok(vec![
            "there is no `bash` to run scripts/install-codex, so no test with the real Codex CLI".to_owned(),
        ]);
    }
    let mut skipped = Vec::new();
    Program::new("bash", &["-c", "scripts/install-codex 2>&1"]).lines(|line| {
        println!("{line}");
        skipped.extend(skipped_in(line));
    })?;
    Ok(skipped)
}

fn skipped_in(line: &str) -> Option<String> {
    let (_, why) = line.split_once("SKIPPED:")?;
    Some(why.trim().to_owned())
}

/// Which lines of the test programs' output are shown, and what they tell.
///
/// Tests run with `--show-output`, for what a passing test says is hidden otherwise, and a test that could not run
/// passes. The sections with that output are read here and not shown.
#[derive(Debug, Default)]
struct Shown {
    is_output_of_passed: bool,
    passed: u64,
    skipped: Vec<String>,
}

impl Shown {
    fn take<'a>(&mut self, line: &'a str) -> Option<&'a str> {
        self.skipped.extend(skipped_in(line));
        if let Some(result) = line.strip_prefix("test result: ") {
            let passed = result.split_whitespace().zip(result.split_whitespace().skip(1));
            let passed = passed.filter(|(_, word)| word.starts_with("passed")).find_map(|(n, _)| n.parse::<u64>().ok());
            self.passed += passed.unwrap_or_default();
            self.is_output_of_passed = false;
        }
        match line {
            "successes:" => self.is_output_of_passed = true,
            "failures:" => self.is_output_of_passed = false,
            _ => {}
        }
        (!self.is_output_of_passed && !line.is_empty()).then_some(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_of_passed_tests_is_hidden_and_what_they_skipped_is_kept() {
        let output = "running 2 tests\ntest a ... ok\n\nsuccesses:\n\n---- a stdout ----\nSKIPPED: no npm\nnoise\n\n\
                      successes:\n    a\n\nfailures:\n\n---- b stdout ----\nboom\n\nfailures:\n    b\n\n\
                      test result: FAILED. 1 passed; 1 failed; 0 ignored\ntest result: ok. 40 passed; 0 failed";
        let mut shown = Shown::default();
        let lines: Vec<&str> = output.lines().filter_map(|line| shown.take(line)).collect();
        assert!(!lines.contains(&"noise") && lines.contains(&"boom"), "{lines:?}");
        assert_eq!((shown.passed, shown.skipped), (41, vec!["no npm".to_owned()]));
    }
}
