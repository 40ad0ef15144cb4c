//! The parent's side of the sandbox: it starts a child for one run, answers its calls, and ends it.
//!
//! Nothing that the child says is trusted: lines are bounded and their order is checked, and whatever happens the child
//! and its group are gone when this is done.

use std::collections::BTreeMap;
use std::path::Path;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;

use super::bounds::{
    CHILD_LINE_BYTES_MAX, COMPLAINT_BYTES_MAX, GRACE_AFTER_DEADLINE, GRACE_AFTER_LAST_WORD, PARENT_LINE_BYTES_MAX,
    PROBE_TIME_MAX, SANDBOX_MEMORY_BYTES_MAX, STACK_BYTES,
};
use super::failure::ScriptFailure;
use super::probe::BECOMES_ANOTHER_PROGRAM;
use super::protocol::{Heard, Hearing, Reply, Start, Task, line};
use super::report::{Confinement, SandboxError, SandboxReport, Tried};
use super::sandbox::SandboxCommand;
use super::{SkillError, SkillHost, SkillJob, SkillOutput, SkillWork, time_bound};
use crate::data::{Timestamp, ToolName};
use crate::hands::text::quoted;
use crate::sys::{
    Clock, Command, Ending, Exit, Input, InputWriter, Lines, OutputLimits, OutputLine, Spawn, SpawnError,
};

/// How to get children, and the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Door<'a> {
    pub(super) command: &'a SandboxCommand,
    pub(super) spawn: &'a dyn Spawn,
    pub(super) clock: &'a dyn Clock,
}

/// How a child's run ended.
enum Ended {
    /// As it should.
    LastWord(Result<(String, Vec<String>), ScriptFailure>),
    /// It did not keep to the order.
    Broken(&'static str),
    /// Without a last word.
    Exited(Exit),
    /// It never was.
    NotStarted(SpawnError),
}

/// Runs `job` in a child.
pub(super) async fn run(door: Door<'_>, job: &SkillJob, host: &dyn SkillHost) -> Result<SkillOutput, SkillError> {
    let time = job.deadline.since(door.clock.now());
    let source = job.source.to_string();
    let task = match &job.work {
        SkillWork::Check => Task::Check { source },
        SkillWork::Run { text, named } => Task::Run { source, text: text.clone(), named: named.clone() },
    };
    let Some(opening) = opening(time, &task) else {
        let bound = format!("{} MiB of script and arguments", PARENT_LINE_BYTES_MAX / (1024 * 1024));
        return Err(ScriptFailure::over(bound).of(&job.skill));
    };
    let (ended, confined) = door.converse(opening, job.deadline, Some(host)).await;
    match ended {
        Ended::LastWord(Ok((text, printed))) => Ok(SkillOutput { text, printed }),
        Ended::LastWord(Err(failure)) => Err(failure.of(&job.skill)),
        Ended::Exited(exit) if confined.is_some() => Err(cause_of(&exit, time, &job.skill)),
        other => {
            let SandboxError { why, fix } = not_a_sandbox(other);
            Err(SkillError::Sandbox { skill: job.skill.clone(), why, fix: fix.to_owned() })
        }
    }
}

/// Starts a child that tries what must not work.
pub(super) async fn probe(door: Door<'_>, port: Option<u16>) -> Result<SandboxReport, SandboxError> {
    let opening = opening(PROBE_TIME_MAX, &Task::Probe { port }).unwrap_or_default();
    let (ended, confined) = door.converse(opening, door.clock.now() + PROBE_TIME_MAX, None).await;
    match (ended, confined) {
        (Ended::LastWord(Ok(_)), Some((confinement, tried))) => Ok(SandboxReport::new(&confinement, tried)),
        // It ran another program, which ended somehow.
        (Ended::Exited(exit), Some((confinement, mut tried)))
            if matches!(exit.ending, Ending::Code(_)) && !tried.is_empty() =>
        {
            tried.push(Tried { what: BECOMES_ANOTHER_PROGRAM.to_owned(), worked: true });
            Ok(SandboxReport::new(&confinement, tried))
        }
        (ended, _) => Err(not_a_sandbox(ended)),
    }
}

/// The two lines that a child is started with; none when they are too long.
fn opening(time: Duration, task: &Task) -> Option<Vec<u8>> {
    let start = Start { time_ms: u64::try_from(time.as_millis()).unwrap_or(u64::MAX) };
    let mut opening = line(&start).ok()?;
    let task = line(task).ok()?;
    opening.extend_from_slice(&task);
    (task.len() <= PARENT_LINE_BYTES_MAX).then_some(opening)
}

impl Door<'_> {
    /// Starts a child with `opening`, answers its calls until its last word or its end, and sees it gone.
    async fn converse(
        &self,
        opening: Vec<u8>,
        deadline: Timestamp,
        host: Option<&dyn SkillHost>,
    ) -> (Ended, Option<(Confinement, Vec<Tried>)>) {
        let (writer, input) = Input::open();
        let hearing = Arc::new(Mutex::new(Hearing::default()));
        let (lines, mut heard) = listen(&hearing);
        let command = self.child(input, deadline + GRACE_AFTER_DEADLINE);
        let ended = {
            let mut child = pin!(self.spawn.run(&command, &lines));
            let first = {
                let talk = pin!(talk(&writer, &mut heard, &hearing, opening, host));
                tokio::select! {
                    // In this order, so that a last word counts although its child has ended already.
                    biased;
                    ended = talk => Ok(ended),
                    exit = &mut child => Err(exit),
                }
            };
            drop(writer);
            match first {
                Ok(ended) => {
                    // It goes by itself; one that does not is killed with its group when this future is dropped.
                    let _ = tokio::time::timeout(GRACE_AFTER_LAST_WORD, child).await;
                    ended
                }
                Err(exit) => last_word(&mut heard).unwrap_or(match exit {
                    Ok(exit) => Ended::Exited(exit),
                    Err(error) => Ended::NotStarted(error),
                }),
            }
        };
        let hearing = lock(&hearing).clone();
        (ended, hearing.confinement())
    }

    fn child(&self, input: Input, deadline: Timestamp) -> Command {
        Command {
            program: self.command.program.clone(),
            arguments: self.command.arguments.clone(),
            environment: BTreeMap::new(),
            directory: Path::new(std::path::MAIN_SEPARATOR_STR).to_owned(),
            input,
            limits: OutputLimits {
                stdout_bytes_max: 0,
                stderr_bytes_max: COMPLAINT_BYTES_MAX,
                line_bytes_max: CHILD_LINE_BYTES_MAX,
            },
            deadline,
        }
    }
}

/// How many things that were heard may wait. A child that keeps to the order has one.
const HEARD_MAX: usize = 4;

fn listen(hearing: &Arc<Mutex<Hearing>>) -> (Lines, mpsc::Receiver<Heard>) {
    let (sender, heard) = mpsc::channel(HEARD_MAX);
    let hearing = Arc::clone(hearing);
    let lines = Lines::new(move |line| {
        let line = match line {
            OutputLine::Whole(line) => Some(line),
            OutputLine::Cut(_) => None,
        };
        match lock(&hearing).take(line) {
            Heard::Nothing => {}
            // Once it is full, enough was heard: the first of them ended it.
            heard => drop(sender.try_send(heard)),
        }
    });
    (lines, heard)
}

/// Says the opening, then answers call after call until the last word.
async fn talk(
    writer: &InputWriter,
    heard: &mut mpsc::Receiver<Heard>,
    hearing: &Mutex<Hearing>,
    opening: Vec<u8>,
    host: Option<&dyn SkillHost>,
) -> Ended {
    let mut next = opening;
    loop {
        if writer.write(next).await.is_err() {
            // It has ended, and how is known soon.
            return std::future::pending().await;
        }
        next = match (heard.recv().await, host) {
            (Some(Heard::Call(call)), Some(host)) => {
                let reply = tokio::select! {
                    // A child that does not wait for its reply has broken the order, and its call is dropped.
                    biased;
                    heard = heard.recv() => return ended_by(heard).await,
                    reply = host.call(call) => reply,
                };
                lock(hearing).answer();
                reply_line(reply)
            }
            (heard, _) => return ended_by(heard).await,
        };
    }
}

/// How the child's run ended with something else than a call that is answered.
async fn ended_by(heard: Option<Heard>) -> Ended {
    match heard {
        Some(Heard::LastWord(word)) => Ended::LastWord(word),
        Some(Heard::Broken(why)) => Ended::Broken(why),
        Some(Heard::Call(_)) => Ended::Broken("it called a host that there is not"),
        // Nobody can say more: it has ended, and how is known soon.
        Some(Heard::Nothing) | None => std::future::pending().await,
    }
}

fn reply_line(reply: super::HostReply) -> Vec<u8> {
    let refusal = |why: &str| line(&Reply { reply: Err(why.to_owned()) }).unwrap_or_default();
    match line(&Reply { reply }) {
        Ok(line) if line.len() <= PARENT_LINE_BYTES_MAX => line,
        Ok(_) => refusal("the reply is too long for a skill"),
        Err(_) => refusal("the reply has no form in JSON"),
    }
}

/// The last word among what was heard before the child's end.
fn last_word(heard: &mut mpsc::Receiver<Heard>) -> Option<Ended> {
    while let Ok(heard) = heard.try_recv() {
        match heard {
            Heard::LastWord(word) => return Some(Ended::LastWord(word)),
            Heard::Broken(why) => return Some(Ended::Broken(why)),
            Heard::Call(_) | Heard::Nothing => {}
        }
    }
    None
}

/// Why a confined child ended without a last word.
fn cause_of(exit: &Exit, time: Duration, skill: &ToolName) -> SkillError {
    let complaint = exit.stderr.text();
    let why = match exit.ending {
        Ending::Deadline | Ending::Signal(SIGXCPU) => return ScriptFailure::over(time_bound(time)).of(skill),
        Ending::Signal(SIGABRT) if complaint.contains("memory allocation") => {
            let bound = format!("{} MiB of memory", SANDBOX_MEMORY_BYTES_MAX / (1024 * 1024));
            return ScriptFailure::over(bound).of(skill);
        }
        // A value that is nested too deeply is walked through, or given up, by as many calls within calls.
        Ending::Signal(SIGSEGV) => return ScriptFailure::over(stack_bound()).of(skill),
        Ending::Signal(SIGABRT) if complaint.contains("overflowed its stack") => {
            return ScriptFailure::over(stack_bound()).of(skill);
        }
        ending if complaint.trim().is_empty() => format!("its process ended early ({ending})"),
        ending => format!("its process ended early ({ending}: {})", quoted(complaint.trim())),
    };
    SkillError::Sandbox { skill: skill.clone(), why, fix: "nothing else is affected; correct the skill".to_owned() }
}

fn stack_bound() -> String {
    format!("{} MiB of stack", STACK_BYTES / (1024 * 1024))
}

const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;
const SIGXCPU: i32 = 24;

/// The child was no sandbox, or is none any more.
fn not_a_sandbox(ended: Ended) -> SandboxError {
    let (why, fix) = match ended {
        Ended::NotStarted(error) => (error.to_string(), "name a program that calls `skill_child_main` first thing"),
        Ended::Broken(why) => (why.to_owned(), "nothing else is affected; look at the skill before it runs again"),
        Ended::LastWord(_) => ("it said nothing of use".to_owned(), "name a program that calls `skill_child_main`"),
        Ended::Exited(exit) => {
            let why =
                format!("it ended before it was confined ({}): {}", exit.ending, quoted(exit.stderr.text().trim()));
            (why, "name a program that calls `skill_child_main` first thing; `doctor` tries it")
        }
    };
    SandboxError { why, fix }
}

fn lock(hearing: &Mutex<Hearing>) -> MutexGuard<'_, Hearing> {
    hearing.lock().unwrap_or_else(PoisonError::into_inner)
}
