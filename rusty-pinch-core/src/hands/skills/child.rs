//! The child's side of the sandbox: a process that confines itself, runs one script and ends.

use std::cell::{Cell, RefCell};
use std::io::{self, StdinLock, Write};
use std::process::ExitCode;
use std::time::Duration;

use super::bounds::{LOOKS_PER_LOOK_AT_PARENT, PARENT_LINE_BYTES_MAX};
use super::confine::confine;
use super::failure::ScriptFailure;
use super::protocol::{Reply, Start, Task, Word, read, write};
use super::running::{Running, World};
use super::{HostCall, HostReply, check, engine, probe, time_bound};
use crate::data::Timestamp;
use crate::sys::{Clock, SystemClock};

/// The longest first line, in bytes. It holds one number.
const START_BYTES_MAX: usize = 256;

/// Makes this process the child that runs one skill: it confines itself, reads a script from standard input, runs it
/// and ends.
///
/// Call it first thing in `main`, before anything reads settings or starts a thread, when the program was started with
/// the arguments of [`SandboxCommand`](super::SandboxCommand); return what it returns.
pub fn skill_child_main() -> ExitCode {
    match serve() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // The parent reads it. When it is gone, there is nobody to tell.
            let _ = writeln!(io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

fn serve() -> io::Result<()> {
    let mut input = io::stdin().lock();
    let Some(Start { time_ms }) = read(&mut input, START_BYTES_MAX)? else { return Ok(()) };
    let time = Duration::from_millis(time_ms);
    let deadline = SystemClock.now() + time;
    let confinement = confine(time)?;
    say(&Word::Confined(confinement))?;
    match read(&mut input, PARENT_LINE_BYTES_MAX)? {
        None => Ok(()),
        Some(Task::Probe { port }) => {
            probe::probe(port, |tried| say(&Word::Tried(tried)))?;
            say(&Word::Done { text: String::new(), printed: Vec::new() })
        }
        Some(Task::Check { source }) => say(&last_word(engine::guarded(|| check::shape_text(&source)), Vec::new())),
        Some(Task::Run { source, text, named }) => {
            let world = Parent { input: RefCell::new(input), deadline, time, looks: Cell::new(0) };
            let (outcome, printed) = Running::new(world, named).enter(|| run(&source, &text));
            say(&last_word(outcome, printed))
        }
    }
}

fn last_word(outcome: Result<String, ScriptFailure>, printed: Vec<String>) -> Word {
    match outcome {
        Ok(text) => Word::Done { text, printed },
        Err(failure) => Word::Failed { failure },
    }
}

fn run(source: &str, text: &str) -> Result<String, ScriptFailure> {
    engine::guarded(|| engine::run(&engine::compile(source)?, text))
}

fn say(word: &Word) -> io::Result<()> {
    write(&mut io::stdout().lock(), word)
}

/// The parent, at the other end of the pipes.
struct Parent {
    input: RefCell<StdinLock<'static>>,
    deadline: Timestamp,
    time: Duration,
    looks: Cell<u32>,
}

impl World for Parent {
    fn call(&self, want: HostCall) -> Option<HostReply> {
        say(&Word::Call { want }).ok()?;
        let reply: Reply = read(&mut *self.input.borrow_mut(), PARENT_LINE_BYTES_MAX).ok()??;
        Some(reply.reply)
    }

    fn is_over(&self) -> Option<String> {
        if SystemClock.now() >= self.deadline {
            return Some(time_bound(self.time));
        }
        self.looks.set(self.looks.get().wrapping_add(1));
        let is_due = self.looks.get().is_multiple_of(LOOKS_PER_LOOK_AT_PARENT);
        (is_due && parent_is_gone()).then(|| "the life of the process that asked for it".to_owned())
    }
}

/// Whether nobody can write to standard input any more. A dead parent kills nobody, so the child has to look.
#[cfg(unix)]
fn parent_is_gone() -> bool {
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    let stdin = io::stdin();
    let mut fds = [PollFd::new(&stdin, PollFlags::empty())];
    let polled = poll(&mut fds, Some(&Timespec { tv_sec: 0, tv_nsec: 0 }));
    polled.is_ok() && fds.iter().any(|fd| fd.revents().contains(PollFlags::HUP))
}

#[cfg(not(unix))]
fn parent_is_gone() -> bool {
    false
}
