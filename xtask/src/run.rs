//! The only door of these commands to processes and to the clock.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// What went wrong, in words for the person who ran the command.
#[derive(Debug)]
pub(crate) struct Failed(pub(crate) String);

impl Failed {
    pub(crate) fn new(what: impl std::fmt::Display, why: impl std::fmt::Display) -> Self {
        Self(format!("{what}: {why}"))
    }
}

/// What a command that went well has to say.
#[derive(Debug, Default)]
pub(crate) struct Notes {
    /// A figure or a finding for the summary.
    pub(crate) detail: String,
    /// What was left out, and why.
    pub(crate) skipped: Vec<String>,
}

impl Notes {
    pub(crate) fn detail(detail: impl Into<String>) -> Self {
        Self { detail: detail.into(), skipped: vec![] }
    }

    pub(crate) fn skipped(why: impl Into<String>) -> Self {
        Self { detail: String::new(), skipped: vec![why.into()] }
    }

    /// Says loudly what was left out. Nobody should believe that all was tested when it was not.
    pub(crate) fn show_skipped(&self) {
        for why in &self.skipped {
            eprintln!("SKIPPED: {why}");
        }
    }
}

pub(crate) type Outcome = Result<Notes, Failed>;

/// The folder of the workspace.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// A program that is to run in the workspace's folder.
#[derive(Debug)]
pub(crate) struct Program {
    command: Command,
    shown: String,
}

impl Program {
    pub(crate) fn new(name: &str, arguments: &[&str]) -> Self {
        #[expect(clippy::disallowed_methods, reason = "running programs is what these commands are for")]
        let mut command = Command::new(name);
        command.args(arguments).current_dir(root()).stdin(Stdio::null());
        let shown = [&[name], arguments].concat().join(" ");
        Self { command, shown }
    }

    pub(crate) fn cargo(arguments: &[&str]) -> Self {
        Self::new("cargo", arguments)
    }

    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.command.env(name, value);
        self.shown = format!("{name}=\"{value}\" {}", self.shown);
        self
    }

    /// Whether it can be run and ends well. What it prints is not shown.
    pub(crate) fn works(mut self) -> bool {
        self.command.stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|status| status.success())
    }

    /// Runs it with its output shown.
    pub(crate) fn show(mut self) -> Result<(), Failed> {
        eprintln!("$ {}", self.shown);
        let ended = self.command.status().map_err(|error| Failed::new(&self.shown, error))?;
        if ended.success() { Ok(()) } else { Err(Failed::new(&self.shown, ended)) }
    }

    /// Runs it for its standard output.
    pub(crate) fn read(mut self) -> Result<String, Failed> {
        let output = self.command.stderr(Stdio::inherit()).output().map_err(|error| Failed::new(&self.shown, error))?;
        if !output.status.success() {
            return Err(Failed::new(&self.shown, output.status));
        }
        String::from_utf8(output.stdout).map_err(|error| Failed::new(&self.shown, error))
    }

    /// Runs it and hands each line of its standard output to `line` as it comes.
    pub(crate) fn lines(self, line: impl FnMut(&str)) -> Result<(), Failed> {
        let Self { mut command, shown } = self;
        eprintln!("$ {shown}");
        let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| Failed::new(&shown, error))?;
        let read = child.stdout.take().map_or(Ok(()), |output| each_line(BufReader::new(output), line));
        let ended = child.wait().map_err(|error| Failed::new(&shown, error))?;
        read.map_err(|error| Failed::new(&shown, error))?;
        if ended.success() { Ok(()) } else { Err(Failed::new(&shown, ended)) }
    }
}

/// Tests may print bytes that are no text; that must not end the run.
fn each_line(mut output: impl BufRead, mut line: impl FnMut(&str)) -> std::io::Result<()> {
    let mut bytes = Vec::new();
    while output.read_until(b'\n', &mut bytes)? > 0 {
        line(String::from_utf8_lossy(&bytes).trim_end_matches(['\n', '\r']));
        bytes.clear();
    }
    Ok(())
}

/// How long `work` takes, beside what it gives.
pub(crate) fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    #[expect(clippy::disallowed_methods, reason = "a summary shows how long each step took")]
    let now = Instant::now;
    let start = now();
    let result = work();
    (result, now() - start)
}
