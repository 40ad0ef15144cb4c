//! `cargo xtask bench`: the benches, and each hot path beside its floor.

use crate::run::{Notes, Outcome, Program};

pub(crate) fn run(filter: Option<&str>) -> Outcome {
    for (package, bench) in [("benches", "hot_paths"), ("rusty-pinch-core", "skills")] {
        let mut arguments = vec!["bench", "--package", package, "--bench", bench];
        arguments.extend(filter.map(|_| "--"));
        arguments.extend(filter);
        Program::cargo(&arguments).show()?;
    }
    if filter.is_some() { Ok(Notes::default()) } else { ratios(&[]) }
}

/// The program is built by itself, as an operator builds it: beside other packages it could get features of theirs. The
/// library inside `ratios` is built as other programs build it.
pub(crate) fn ratios(arguments: &[&str]) -> Outcome {
    Program::cargo(&["build", "--release", "--package", "rusty-pinch-cli"]).show()?;
    Program::cargo(&["build", "--release", "--package", "benches", "--bin", "floor"]).show()?;
    let run = ["run", "--profile", "bench", "--package", "benches", "--bin", "ratios", "--"];
    Program::cargo(&[&run, arguments].concat()).show()?;
    Ok(Notes::default())
}
