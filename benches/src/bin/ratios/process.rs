//! A cold run of the program beside a bare start with the same number of syncs (promise R1).

use std::error::Error;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use benches::stopwatch::now;
use benches::{folder, session};

use crate::table::{Pair, Promise, Table};

const ROUNDS: usize = 100;
/// Runs in a row in one session.
const RUNS_OF_A_SESSION: usize = 10;

/// Syncs of a run, as `strace -f -e trace=fsync,fdatasync` counts them. Counted again in every run where strace is.
const SYNCS_OF_A_FIRST_RUN: usize = 5;
const SYNCS_OF_A_LATER_RUN: usize = 2;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let programs = Programs::beside_this_one()?;
    let first = measure_runs(&programs, true)?;
    table.pair(first.name("first run in a new folder"), Promise::None, first.times);
    let later = measure_runs(&programs, false)?;
    table.pair(later.name("R1 cold run in a used session"), Promise::AtMost(1.5), later.times);
    let bare = measure_help(&programs)?;
    table.pair("--help / bare start", Promise::None, bare);
    Ok(())
}

/// The program, and a binary with the same libraries that does nothing.
pub(crate) struct Programs {
    ours: PathBuf,
    floor: PathBuf,
}

impl Programs {
    pub(crate) fn beside_this_one() -> Result<Self, Box<dyn Error>> {
        let this = std::env::current_exe()?;
        let folder = this.parent().ok_or("this program has no folder")?;
        let of = |name: &str| folder.join(name).with_extension(std::env::consts::EXE_EXTENSION);
        let programs = Self { ours: of("rusty-pinch"), floor: of("floor") };
        for program in [&programs.ours, &programs.floor] {
            if !program.exists() {
                return Err(format!("{} is missing; `cargo xtask ratios` builds it", program.display()).into());
            }
        }
        Ok(programs)
    }

    /// The program itself.
    pub(crate) fn ours(&self) -> &Path {
        &self.ours
    }

    fn run(&self, data: &Path, session: &str) -> Command {
        let mut command = quiet(&self.ours);
        command.args(["run", "--session", session, "--message", "what is 17 * 23?"]);
        // The folder of the data is also where the program looks for its settings: there are none.
        command.env("RUSTY_PINCH_PROVIDER", "local").env("RUSTY_PINCH_DATA_DIR", data).current_dir(data);
        command
    }

    fn floor(&self, data: &Path, syncs: usize) -> Command {
        let mut command = quiet(&self.floor);
        command.arg(data.join("floor.jsonl")).arg(syncs.to_string()).current_dir(data);
        command
    }
}

#[expect(clippy::disallowed_methods, reason = "what a whole process costs is measured here")]
fn quiet(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// How long it takes from the start of the process to its end.
fn timed(mut command: Command) -> Result<Duration, Box<dyn Error>> {
    let start = now();
    let ended = command.status()?;
    let time = now() - start;
    if ended.success() { Ok(time) } else { Err(format!("{command:?}: {ended}").into()) }
}

struct Runs {
    times: Pair,
    syncs: usize,
}

impl Runs {
    fn name(&self, what: &str) -> String {
        format!("{what} / bare start, {} syncs", self.syncs)
    }
}

fn measure_runs(programs: &Programs, is_first: bool) -> Result<Runs, Box<dyn Error>> {
    let name = session(0)?;
    let folder = folder()?;
    let data = |round: usize| -> Result<PathBuf, Box<dyn Error>> {
        let data = folder.path().join(if is_first { round.to_string() } else { "used".to_owned() });
        std::fs::create_dir_all(&data)?;
        Ok(data)
    };
    if !is_first {
        timed(programs.run(&data(0)?, name.as_str()))?;
    }
    let counted = syncs(&programs.run(&data(ROUNDS)?, name.as_str()), folder.path());
    let syncs = counted.unwrap_or(if is_first { SYNCS_OF_A_FIRST_RUN } else { SYNCS_OF_A_LATER_RUN });
    let mut times = Pair::default();
    for round in 0..ROUNDS {
        let data = data(round)?;
        if !is_first && round % RUNS_OF_A_SESSION == 0 {
            // A session grows with each run; it begins anew before that shows.
            std::fs::remove_dir_all(data.join("sessions"))?;
            timed(programs.run(&data, name.as_str()))?;
        }
        times.ours.push(timed(programs.run(&data, name.as_str()))?);
        times.floor.push(timed(programs.floor(&data, syncs))?);
    }
    Ok(Runs { times, syncs })
}

fn measure_help(programs: &Programs) -> Result<Pair, Box<dyn Error>> {
    let folder = folder()?;
    let mut times = Pair::default();
    for _ in 0..ROUNDS {
        let mut help = quiet(&programs.ours);
        help.arg("--help");
        times.ours.push(timed(help)?);
        times.floor.push(timed(programs.floor(folder.path(), 0))?);
    }
    Ok(times)
}

/// How often `run` syncs a file or a folder, or none where strace is missing.
fn syncs(run: &Command, folder: &Path) -> Option<usize> {
    let trace = folder.join("trace");
    let mut command = quiet(Path::new("/usr/bin/strace"));
    command.args(["-f", "-qq", "-e", "trace=fsync,fdatasync", "-o"]).arg(&trace);
    command.arg(run.get_program()).args(run.get_args());
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    command.current_dir(run.get_current_dir()?);
    if !command.status().ok()?.success() {
        return None;
    }
    let trace = std::fs::read_to_string(trace).ok()?;
    Some(trace.lines().filter(|line| line.contains("sync(")).count())
}
