//! `cargo xtask fuzz`: each target of `fuzz/` for a while; `cargo xtask skills-fuzz`: scripts by the million.

use std::fs;

use crate::run::{Failed, Notes, Outcome, Program, root};

/// How long each target runs when nobody says otherwise.
pub(crate) const SECONDS: u32 = 60;

/// An input that takes longer than this counts as a hang. The sanitizer makes everything ten times slower.
const SECONDS_PER_INPUT_MAX: u32 = 25;

/// The sanitizer's own memory for threads with large stacks passes the usual limit of 2 GiB.
const MEMORY: &str = "-rss_limit_mb=6144";
/// Threads that are just ending look like leaks, and scripts can make closures that hold themselves.
const NO_LEAKS: &str = "detect_leaks=0";

/// The compiler that takes the sanitizers' flags: nightly, or the present one where it is told to be as lenient.
const NIGHTLY: &[&str] = &["+nightly"];
const PRESENT: &[&str] = &[];

pub(crate) fn run(seconds: u32, wanted: &[&str]) -> Outcome {
    let toolchain = if Program::cargo(&["+nightly", "--version"]).works() { NIGHTLY } else { PRESENT };
    if toolchain.is_empty() && !Program::new("rustc", &["-Zhelp"]).works() {
        let fix = "`rustup toolchain install nightly`, or RUSTC_BOOTSTRAP=1 to use the present one";
        return Err(Failed(format!("fuzzing needs the nightly toolchain: {fix}")));
    }
    if !Program::cargo(&[toolchain, &["fuzz", "--version"]].concat()).works() {
        return Err(Failed("fuzzing needs cargo-fuzz: `cargo install --locked cargo-fuzz`".to_owned()));
    }
    let mut targets = targets()?;
    if let Some(unknown) = wanted.iter().find(|wanted| !targets.iter().any(|target| target == *wanted)) {
        return Err(Failed(format!("there is no fuzz target `{unknown}`; there are {}", targets.join(", "))));
    }
    targets.retain(|target| wanted.is_empty() || wanted.contains(&target.as_str()));
    let time = format!("-max_total_time={seconds}");
    let slow = format!("-timeout={SECONDS_PER_INPUT_MAX}");
    let mut broken = Vec::new();
    for target in &targets {
        // New inputs go to a folder that is not kept; the seeds beside the targets are only read.
        let found = format!("target/fuzz-corpus/{target}");
        fs::create_dir_all(root().join(&found)).map_err(|error| Failed::new(&found, error))?;
        let seeds = format!("fuzz/corpus/{target}");
        let arguments = ["fuzz", "run", "--fuzz-dir", "fuzz", target, &found, &seeds];
        let options = ["--", &time, &slow, MEMORY, "-print_final_stats=1"];
        let fuzzer = Program::cargo(&[toolchain, &arguments, &options].concat()).env("ASAN_OPTIONS", NO_LEAKS);
        if let Err(Failed(why)) = fuzzer.show() {
            eprintln!("{why}");
            broken.push(target.as_str());
        }
    }
    if !broken.is_empty() {
        let broken = broken.join(", ");
        return Err(Failed(format!("inputs in fuzz/artifacts break {broken}; keep them in fuzz/corpus once mended")));
    }
    Ok(Notes::detail(format!("{} targets, {seconds} s each", targets.len())))
}

/// Random scripts by the million, on the engine that runs skills.
pub(crate) fn scripts(numbers: &[&str]) -> Outcome {
    let run = ["run", "--release", "--manifest-path", "fuzz/Cargo.toml", "--no-default-features"];
    let run = [&run[..], &["--target-dir", "target", "--bin", "scripts", "--"], numbers].concat();
    Program::cargo(&run).show()?;
    Ok(Notes::default())
}

fn targets() -> Result<Vec<String>, Failed> {
    let folder = root().join("fuzz/targets");
    let files = fs::read_dir(&folder).map_err(|error| Failed::new(folder.display(), error))?;
    let stem = |path: std::path::PathBuf| Some(path.file_stem()?.to_str()?.to_owned());
    let mut names: Vec<String> = files.filter_map(|file| stem(file.ok()?.path())).collect();
    names.sort();
    Ok(names)
}
