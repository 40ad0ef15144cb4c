//! Child processes of this computer.

use std::io;
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStdin};

use super::{Captured, Command, Ending, Exit, Input, Lines, OutputLimits, OutputLine, Spawn, SpawnError};
use crate::sys::Clock;

/// How long the outputs may stay open after the child's end, because a grandchild holds them.
const GRACE_AFTER_END: Duration = Duration::from_millis(50);
/// How long reaping and draining may take once the group was killed.
const GRACE_AFTER_KILL: Duration = Duration::from_millis(50);
/// How much is read at once. Some chunks are taken between two looks at the deadline, so they are not large.
const CHUNK_BYTES: usize = 16 * 1024;

/// Starts child processes on this computer.
///
/// On Unix each child leads a process group of its own, which is killed as a whole. Elsewhere only the child itself is
/// killed; what it started may survive it. If this process is killed, nothing can kill its children any more: they find
/// their pipes closed.
#[derive(Clone, Debug)]
pub struct SystemSpawn {
    clock: Arc<dyn Clock>,
}

impl SystemSpawn {
    /// A door whose deadlines are read on `clock`.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self { clock }
    }
}

#[async_trait]
impl Spawn for SystemSpawn {
    async fn run(&self, command: &Command, lines: &Lines) -> Result<Exit, SpawnError> {
        let mut child = start(command)?;
        let mut group = Group::led_by(&child);
        let (stdin, stdout, stderr) = (child.stdin.take(), child.stdout.take(), child.stderr.take());
        let mut out = Drain::stdout(command.limits, lines);
        let mut err = Drain::stderr(command.limits);
        let ended = {
            // Not one of the outputs: an input that is still open keeps nobody waiting for a child that has ended.
            let mut feeding = pin!(feed(stdin, &command.input));
            let mut pipes = pin!(async { tokio::join!(out.run(stdout), err.run(stderr)) });
            let (mut fed, mut closed) = (false, false);
            let mut deadline = pin!(self.clock.sleep_until(command.deadline));
            let ended = loop {
                tokio::select! {
                    // In this order, so that a flood of output starves neither the deadline nor the wait.
                    biased;
                    () = &mut deadline => break None,
                    status = child.wait() => break Some(status),
                    () = &mut feeding, if !fed => fed = true,
                    _ = &mut pipes, if !closed => closed = true,
                }
            };
            if ended.is_some() && !closed {
                closed = tokio::time::timeout(GRACE_AFTER_END, &mut pipes).await.is_ok();
            }
            group.kill();
            if ended.is_none() {
                // Reaps the child, which was killed with its group.
                let _ = tokio::time::timeout(GRACE_AFTER_KILL, child.wait()).await;
            }
            if !closed {
                let _ = tokio::time::timeout(GRACE_AFTER_KILL, &mut pipes).await;
            }
            ended
        };
        let ending = match ended {
            Some(Ok(status)) => ending_of(status),
            Some(Err(source)) => return Err(SpawnError::Refused { program: command.program.clone(), source }),
            None => Ending::Deadline,
        };
        Ok(Exit { ending, stdout: out.finish(), stderr: err.finish() })
    }
}

/// Starts the child, its three pipes connected.
#[expect(clippy::disallowed_methods, reason = "this is the door to child processes")]
fn start(command: &Command) -> Result<Child, SpawnError> {
    let mut child = tokio::process::Command::new(&command.program);
    child
        .args(&command.arguments)
        .env_clear()
        .envs(&command.environment)
        .current_dir(&command.directory)
        .stdin(if command.input.is_empty() { Stdio::null() } else { Stdio::piped() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    #[cfg(unix)]
    child.process_group(0);
    child.spawn().map_err(|error| refusal(command, error))
}

fn refusal(command: &Command, source: io::Error) -> SpawnError {
    let program = command.program.clone();
    match source.kind() {
        io::ErrorKind::NotFound if !command.directory.is_dir() => {
            SpawnError::NoDirectory { directory: command.directory.clone() }
        }
        io::ErrorKind::NotFound => SpawnError::NotFound { program },
        io::ErrorKind::PermissionDenied => SpawnError::NotExecutable { program },
        io::ErrorKind::ArgumentListTooLong => {
            let bytes = command.arguments.iter().map(|argument| argument.len() + 1).sum();
            SpawnError::ArgumentsTooLong { program, bytes }
        }
        _ => SpawnError::Refused { program, source },
    }
}

fn ending_of(status: ExitStatus) -> Ending {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return Ending::Signal(signal);
    }
    // A child that was not killed by a signal has a code on every platform.
    Ending::Code(status.code().unwrap_or(-1))
}

/// The child's process group. Dropping it kills the whole group, for dropping the future drops it.
#[derive(Debug)]
struct Group {
    #[cfg(unix)]
    leader: Option<rustix::process::Pid>,
}

impl Group {
    #[cfg(unix)]
    fn led_by(child: &Child) -> Self {
        let id = child.id().and_then(|id| i32::try_from(id).ok());
        Self { leader: id.and_then(rustix::process::Pid::from_raw) }
    }

    #[cfg(not(unix))]
    fn led_by(_: &Child) -> Self {
        Self {}
    }

    /// Kills what is left of the group, once: later its number may be somebody else's.
    fn kill(&mut self) {
        #[cfg(unix)]
        if let Some(leader) = self.leader.take() {
            // It fails when nobody is left, which is what was wanted.
            let _ = rustix::process::kill_process_group(leader, rustix::process::Signal::KILL);
        }
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Writes what `input` has, piece by piece, and closes the pipe after the last. A child that reads no further is free to
/// do so: then nobody takes the pieces any more, which whoever writes them is told.
async fn feed(pipe: Option<ChildStdin>, input: &Input) {
    let Some(mut pipe) = pipe else { return };
    let mut pieces = input.take();
    while let Some(piece) = pieces.next().await {
        if pipe.write_all(&piece).await.is_err() || pipe.flush().await.is_err() {
            break;
        }
    }
    let _ = pipe.shutdown().await;
}

/// Reads one output to its end and keeps what its limit allows. It can be stopped anywhere and loses nothing it read.
struct Drain<'a> {
    captured: Captured,
    bytes_max: usize,
    lines: Option<Splitter<'a>>,
}

impl<'a> Drain<'a> {
    fn stdout(limits: OutputLimits, lines: &'a Lines) -> Self {
        let lines = Splitter { lines, line: Vec::new(), bytes_max: limits.line_bytes_max, cut: false };
        Self { captured: Captured::default(), bytes_max: limits.stdout_bytes_max, lines: Some(lines) }
    }

    fn stderr(limits: OutputLimits) -> Self {
        Self { captured: Captured::default(), bytes_max: limits.stderr_bytes_max, lines: None }
    }

    async fn run(&mut self, pipe: Option<impl AsyncRead + Unpin>) {
        let Some(mut pipe) = pipe else { return };
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(read @ 1..) = pipe.read(&mut chunk).await {
            self.take(chunk.get(..read).unwrap_or_default());
        }
    }

    fn take(&mut self, bytes: &[u8]) {
        let room = self.bytes_max.saturating_sub(self.captured.bytes.len());
        self.captured.bytes.extend_from_slice(bytes.get(..room).unwrap_or(bytes));
        self.captured.truncated |= bytes.len() > room;
        if let Some(lines) = &mut self.lines {
            lines.take(bytes);
        }
    }

    fn finish(mut self) -> Captured {
        if let Some(lines) = &mut self.lines {
            lines.finish();
        }
        self.captured
    }
}

/// Cuts a stream of bytes into lines.
struct Splitter<'a> {
    lines: &'a Lines,
    line: Vec<u8>,
    bytes_max: usize,
    cut: bool,
}

impl Splitter<'_> {
    fn take(&mut self, bytes: &[u8]) {
        let mut pieces = bytes.split(|byte| *byte == b'\n');
        self.extend(pieces.next().unwrap_or_default());
        for piece in pieces {
            self.flush();
            self.extend(piece);
        }
    }

    fn extend(&mut self, piece: &[u8]) {
        let room = self.bytes_max.saturating_sub(self.line.len());
        self.line.extend_from_slice(piece.get(..room).unwrap_or(piece));
        self.cut |= piece.len() > room;
    }

    fn flush(&mut self) {
        self.lines.send(if self.cut { OutputLine::Cut(&self.line) } else { OutputLine::Whole(&self.line) });
        self.line.clear();
        self.cut = false;
    }

    /// Passes on a last line that no line feed ends.
    fn finish(&mut self) {
        if self.cut || !self.line.is_empty() {
            self.flush();
        }
    }
}
