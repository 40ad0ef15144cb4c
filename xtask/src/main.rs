//! The project's own commands, one file each. `cargo xtask --help` lists them.
//!
//! It depends on the standard library only, so that it is built at once on a machine that has nothing yet.

mod bench;
mod checks;
mod ci;
mod docs;
mod fuzz;
mod run;
mod test;

use std::process::ExitCode;

use run::{Failed, Notes, Outcome};

const HELP: &str = "\
The project's own commands: cargo xtask <command>

  test               installs what the tests need and can be installed, then runs all of them
  ci                 files, format, licences, lints, features, docs, then `test`: what CI runs
  bench [filter]     the benches, then `ratios`: each hot path beside its floor
  ratios [--enforce] [part]...
                     only `ratios`, or those parts of it; with --enforce a missed promise fails
  docs [--check]     writes the pages that are made from code; with --check only compares
  fuzz [--seconds N] [target]...
                     each fuzz target, or those named, for N seconds (60), on the nightly toolchain with cargo-fuzz
  skills-fuzz [count] [first seed]
                     random scripts (a million) on the skills' engine, without a fuzzer
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match dispatch(&words) {
        Ok(notes) => {
            notes.show_skipped();
            ExitCode::SUCCESS
        }
        Err(Failed(why)) => {
            eprintln!("xtask: {why}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(words: &[&str]) -> Outcome {
    match words {
        [] | ["--help" | "-h" | "help", ..] | [_, "--help" | "-h"] => {
            print!("{HELP}");
            Ok(Notes::default())
        }
        ["test"] => test::run(),
        ["ci"] => ci::run(),
        ["bench"] => bench::run(None),
        ["bench", filter] => bench::run(Some(filter)),
        ["ratios", arguments @ ..] => bench::ratios(arguments),
        ["docs"] => docs::write(),
        ["docs", "--check"] => docs::check(),
        ["fuzz", "--seconds", seconds, targets @ ..] => match seconds.parse() {
            Ok(seconds) => fuzz::run(seconds, targets),
            Err(_) => Err(Failed(format!("`{seconds}` is not a number of seconds"))),
        },
        ["fuzz", targets @ ..] => fuzz::run(fuzz::SECONDS, targets),
        ["skills-fuzz", numbers @ ..] => fuzz::scripts(numbers),
        _ => Err(Failed(format!("`{}` is not a command; see `cargo xtask --help`", words.join(" ")))),
    }
}
