//! Scripts in a sandbox, without a library of skills around them.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde_json::{Map, Value};

use crate::data::ToolName;
use crate::hands::{
    HostCall, HostReply, Sandbox, ScriptShape, SkillError, SkillHost, SkillJob, SkillSandbox, SkillWork,
};
use crate::sys::{Clock, Spawn, SystemClock};

type Answer = Pin<Box<dyn Future<Output = Result<Value, String>> + Send>>;
type Host = dyn Fn(Value) -> Answer + Send + Sync;

/// Runs scripts in a sandbox, with a host of your own.
#[derive(Clone, Debug)]
pub struct ScriptRunner {
    sandbox: SkillSandbox,
    host: Arc<ClosureHost>,
    time: Duration,
}

/// What a script came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ScriptOutput {
    /// What `main` returned.
    pub text: String,
    /// What it printed.
    pub printed: Vec<String>,
}

struct ClosureHost(Box<Host>);

impl fmt::Debug for ClosureHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClosureHost")
    }
}

#[async_trait]
impl SkillHost for ClosureHost {
    async fn call(&self, call: HostCall) -> HostReply {
        (self.0)(serde_json::to_value(&call).unwrap()).await
    }
}

impl ScriptRunner {
    /// Scripts in `sandbox`, each for 10 seconds at most, with a host that refuses everything.
    pub fn new(sandbox: Sandbox) -> Self {
        let sandbox = SkillSandbox::new(sandbox, Arc::new(SystemClock));
        let refuse = |_| -> Answer { Box::pin(async { Err("refused".to_owned()) }) };
        Self { sandbox, host: Arc::new(ClosureHost(Box::new(refuse))), time: Duration::from_secs(10) }
    }

    /// How long a script may run.
    pub fn time(mut self, time: Duration) -> Self {
        self.time = time;
        self
    }

    /// Children come from `spawn`.
    pub fn spawn(mut self, spawn: Arc<dyn Spawn>) -> Self {
        self.sandbox = self.sandbox.spawn(spawn);
        self
    }

    /// Who answers host calls. A call is the object that a child sends, such as `{"call": "time_now"}`.
    pub fn host<F>(mut self, answer: impl Fn(Value) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<Value, String>> + Send + 'static,
    {
        self.host = Arc::new(ClosureHost(Box::new(move |call| Box::pin(answer(call)))));
        self
    }

    /// Runs `source` on `text`, which `args()` gives as `text` as well.
    ///
    /// # Errors
    /// [`SkillError`] of a skill that is called `script`.
    pub async fn run(&self, source: &str, text: &str) -> Result<ScriptOutput, SkillError> {
        let job = SkillJob {
            skill: ToolName::new("script").unwrap(),
            source: source.into(),
            work: SkillWork::Run { text: text.to_owned(), named: Map::from_iter([("text".to_owned(), text.into())]) },
            deadline: SystemClock.now() + self.time,
        };
        let output = self.sandbox.run(&job, &*self.host).await?;
        Ok(ScriptOutput { text: output.text, printed: output.printed })
    }

    /// Reads `source` and does not run it.
    ///
    /// # Errors
    /// [`SkillError`] of a skill that is called `script`.
    pub async fn check(&self, source: &str) -> Result<ScriptShape, SkillError> {
        let deadline = SystemClock.now() + self.time;
        self.sandbox.check(&ToolName::new("script").unwrap(), source.into(), deadline).await
    }
}

/// Runs a script on this thread for about `operations` operations, with a host that repeats what it is asked. For
/// fuzzers: there is no sandbox.
///
/// # Errors
/// Why it gave nothing.
pub fn run_briefly(source: &str, text: &str, operations: u64) -> Result<String, String> {
    crate::hands::run_briefly(source, text, operations)
}

/// Listens to `bytes` as a parent listens to a child, answering its calls. Gives the number of its calls, and whether
/// anything counted after its last word. For fuzzers.
pub fn hear_child(bytes: &[u8]) -> (usize, bool) {
    crate::hands::hear_child(bytes)
}
