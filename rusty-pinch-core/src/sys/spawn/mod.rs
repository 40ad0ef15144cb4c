//! The only door to child processes.
//!
//! It owns how a child is fed, drained, bounded and killed (promise B9). What runs, with which environment and until
//! when is said by whoever calls, as plain data: nothing is inherited that a [`Command`] does not list.

mod input;
mod system;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt::{self, Debug};
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use crate::data::Timestamp;

pub use input::{Input, InputClosed, InputWriter};
pub use system::SystemSpawn;

/// Runs a child process from start to end.
///
/// # Contract
/// - **Nothing is inherited** but what the command lists: not the environment, not a terminal, not standard input.
/// - **Pipes.** Standard input is fed and closed; both outputs are drained all the while, whatever their size. What goes
///   over its limit is read and thrown away.
/// - **The end.** The future is done when the child has ended and its outputs are closed, or shortly after its end when
///   a grandchild holds them open. Whatever is left of its process group is killed then.
/// - **The deadline** is absolute: the whole group is killed by then, plus 100 ms, and the ending says so.
/// - **Dropping** the future kills the whole group at once.
/// - Every child is reaped. A process that left the group (`setsid`) is out of reach.
#[async_trait]
pub trait Spawn: Debug + Send + Sync + 'static {
    /// Runs `command`, passing its lines on as they come.
    async fn run(&self, command: &Command, lines: &Lines) -> Result<Exit, SpawnError>;
}

#[async_trait]
impl<T: Spawn + ?Sized> Spawn for Arc<T> {
    async fn run(&self, command: &Command, lines: &Lines) -> Result<Exit, SpawnError> {
        (**self).run(command, lines).await
    }
}

/// What to run. Its `Debug` shows no value of the environment and no byte of the input, for they may be secret.
#[derive(Clone)]
pub struct Command {
    /// The program: a path, or a name that is looked for in the `PATH` of `environment`.
    pub program: PathBuf,
    /// Its arguments, without the program's name. Every user of the machine can read them: no secrets here.
    pub arguments: Vec<OsString>,
    /// The complete environment.
    pub environment: BTreeMap<OsString, OsString>,
    /// The working directory.
    pub directory: PathBuf,
    /// What it reads on standard input, which ends after it.
    pub input: Input,
    /// How much output is kept.
    pub limits: OutputLimits,
    /// When it is killed.
    pub deadline: Timestamp,
}

impl Debug for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Command")
            .field("program", &self.program)
            .field("arguments", &self.arguments)
            .field("environment", &self.environment.keys())
            .field("directory", &self.directory)
            .field("input", &self.input)
            .field("limits", &self.limits)
            .field("deadline", &self.deadline)
            .finish()
    }
}

/// How much of a child's output is kept. What goes over it is read and thrown away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Of standard output.
    pub stdout_bytes_max: usize,
    /// Of standard error.
    pub stderr_bytes_max: usize,
    /// Of one line on standard output.
    pub line_bytes_max: usize,
}

impl Default for OutputLimits {
    /// 1 MiB of output, 64 KiB of errors, 64 KiB a line.
    fn default() -> Self {
        Self { stdout_bytes_max: 1024 * 1024, stderr_bytes_max: 64 * 1024, line_bytes_max: 64 * 1024 }
    }
}

/// A line of standard output, without its line feed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum OutputLine<'a> {
    /// All of it.
    Whole(&'a [u8]),
    /// The beginning of a line that went over [`OutputLimits::line_bytes_max`].
    Cut(&'a [u8]),
}

type Sink = dyn Fn(OutputLine<'_>) + Send + Sync;

/// Where lines go as they come. The sink must return at once: the child waits for it.
#[derive(Clone, Default)]
pub struct Lines {
    sink: Option<Arc<Sink>>,
}

impl Lines {
    /// Nobody listens.
    pub fn none() -> Self {
        Self::default()
    }

    /// Calls `sink` with each line.
    pub fn new(sink: impl Fn(OutputLine<'_>) + Send + Sync + 'static) -> Self {
        Self { sink: Some(Arc::new(sink)) }
    }

    /// Passes `line` on. For whoever implements [`Spawn`].
    pub fn send(&self, line: OutputLine<'_>) {
        if let Some(sink) = &self.sink {
            sink(line);
        }
    }
}

impl Debug for Lines {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lines").field("listened_to", &self.sink.is_some()).finish()
    }
}

/// How a child ended and what it printed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// How it ended.
    pub ending: Ending,
    /// What it printed.
    pub stdout: Captured,
    /// What it complained about.
    pub stderr: Captured,
}

/// How a child ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Ending {
    /// By itself, with this exit code.
    Code(i32),
    /// A signal that was not ours killed it.
    Signal(i32),
    /// It was killed at its deadline.
    Deadline,
}

impl Ending {
    /// Whether it ended by itself, with code 0.
    pub fn is_success(self) -> bool {
        self == Self::Code(0)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "killed by signal {signal}"),
            Self::Deadline => f.write_str("killed at its deadline"),
        }
    }
}

/// Output that was kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Captured {
    /// Its first bytes.
    pub bytes: Vec<u8>,
    /// Whether there was more.
    pub truncated: bool,
}

impl Captured {
    /// The bytes as text, with what is not UTF-8 replaced.
    pub fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.bytes)
    }
}

/// Why a child did not start.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SpawnError {
    /// There is no such program.
    #[error("there is no program `{}`; install it, or give its full path", program.display())]
    NotFound {
        /// The program.
        program: PathBuf,
    },
    /// The program may not be run.
    #[error("`{}` may not be run; make the file executable for this user", program.display())]
    NotExecutable {
        /// The program.
        program: PathBuf,
    },
    /// The arguments are longer than the system allows.
    #[error(
        "the arguments of `{}` are longer than the system allows ({bytes} bytes); pass less, or pass it on standard input",
        program.display()
    )]
    ArgumentsTooLong {
        /// The program.
        program: PathBuf,
        /// The length of all arguments.
        bytes: usize,
    },
    /// The working directory is missing.
    #[error("the working directory `{}` does not exist; create it", directory.display())]
    NoDirectory {
        /// The directory.
        directory: PathBuf,
    },
    /// The system refused for another reason.
    #[error("`{}` could not be started", program.display())]
    Refused {
        /// The program.
        program: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
}
