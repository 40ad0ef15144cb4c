//! Where a skill runs.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use async_trait::async_trait;

use super::parent::{self, Door};
use super::{
    HostCall, HostReply, SandboxError, SandboxReport, ScriptShape, SkillError, SkillHost, SkillJob, SkillOutput,
    SkillWork, in_process,
};
use crate::data::{Timestamp, ToolName};
use crate::sys::{Clock, Spawn, SystemSpawn};

/// The first argument with which a program is to become the child that runs a skill.
pub const SKILL_CHILD_VERB: &str = "__skill-sandbox";

/// Where skills run. There is no default: starting somebody's program again is theirs to choose.
#[derive(Clone, Debug)]
pub enum Sandbox {
    /// Each run in a child process that limits its own memory, files, network and system calls.
    Child(SandboxCommand),
    /// On a thread of this process. Rhai's limits, the replaced natives and a deadline hold; the memory of all values
    /// together is not bounded, and one native call in flight is waited for by its thread, though not by the caller. A
    /// hostile script can nest values so deeply that the thread's stack overflows, which ends this whole process: scripts
    /// of strangers belong in a child.
    InProcess,
}

/// The program that becomes the child: it calls [`skill_child_main`](super::skill_child_main) when it is started with
/// these arguments.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SandboxCommand {
    /// The program.
    pub program: PathBuf,
    /// Its arguments.
    pub arguments: Vec<OsString>,
}

impl SandboxCommand {
    /// `program`, started with [`SKILL_CHILD_VERB`] alone.
    pub fn new(program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), arguments: vec![SKILL_CHILD_VERB.into()] }
    }

    /// Starts a child that tries what must not work inside, and says what is in force. It takes a few milliseconds.
    ///
    /// # Errors
    /// [`SandboxError`] when the program can't be started or is no sandbox.
    pub async fn probe(&self, clock: Arc<dyn Clock>) -> Result<SandboxReport, SandboxError> {
        self.probe_with(clock, None).await
    }

    /// The same, with a port of this computer that somebody listens on, so that reaching it would be seen.
    ///
    /// # Errors
    /// [`SandboxError`], as [`probe`](Self::probe).
    pub async fn probe_with(&self, clock: Arc<dyn Clock>, port: Option<u16>) -> Result<SandboxReport, SandboxError> {
        let spawn = SystemSpawn::new(Arc::clone(&clock));
        parent::probe(Door { command: self, spawn: &spawn, clock: &*clock }, port).await
    }
}

/// Answers nobody: a script that is only read has nothing to ask.
#[derive(Debug)]
struct NoHost;

#[async_trait]
impl SkillHost for NoHost {
    async fn call(&self, _call: HostCall) -> HostReply {
        Err("nobody answers while a script is read".to_owned())
    }
}

/// Runs skills, each in a sandbox of its own.
#[derive(Clone, Debug)]
pub(crate) struct SkillSandbox {
    sandbox: Sandbox,
    spawn: Arc<dyn Spawn>,
    clock: Arc<dyn Clock>,
    seats: Arc<in_process::Seats>,
}

impl SkillSandbox {
    /// Skills in `sandbox`, with the time of `clock` and children of this computer.
    pub(crate) fn new(sandbox: Sandbox, clock: Arc<dyn Clock>) -> Self {
        let spawn = Arc::new(SystemSpawn::new(Arc::clone(&clock)));
        Self { sandbox, spawn, clock, seats: Arc::default() }
    }

    /// The same with other children.
    #[cfg(any(test, feature = "testing"))]
    pub(crate) fn spawn(mut self, spawn: Arc<dyn Spawn>) -> Self {
        self.spawn = spawn;
        self
    }

    /// Reads the script of `skill` there until `deadline`, and does not run it.
    ///
    /// # Errors
    /// [`SkillError`], as [`run`](Self::run).
    pub(crate) async fn check(
        &self,
        skill: &ToolName,
        source: Arc<str>,
        deadline: Timestamp,
    ) -> Result<ScriptShape, SkillError> {
        let job = SkillJob { skill: skill.clone(), source, work: SkillWork::Check, deadline };
        let output = self.run(&job, &NoHost).await?;
        serde_json::from_str(&output.text).map_err(|_| SkillError::Sandbox {
            skill: skill.clone(),
            why: "it said what nobody understands".to_owned(),
            fix: "its program has to be the same version of this one".to_owned(),
        })
    }

    /// Runs `job` until its end or its deadline, whichever is first; dropping the future ends it. `host` answers its
    /// calls, one at a time.
    ///
    /// # Errors
    /// [`SkillError`], which says where and why.
    pub(crate) async fn run(&self, job: &SkillJob, host: &dyn SkillHost) -> Result<SkillOutput, SkillError> {
        match &self.sandbox {
            Sandbox::Child(command) => {
                parent::run(Door { command, spawn: &*self.spawn, clock: &*self.clock }, job, host).await
            }
            Sandbox::InProcess => in_process::run(&self.clock, &self.seats, job, host).await,
        }
    }
}
