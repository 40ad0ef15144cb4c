//! Skills: small Rhai scripts that are tools, each in a sandbox of its own.
//!
//! A skill can do what its header says, on what it was given, within its bounds, and nothing else. `job` is what the
//! library hands to the sandbox and gets back; the library (headers, files, grants) knows nothing of Rhai's engine, and
//! the sandbox nothing of files.

mod bounds;
mod check;
mod child;
mod confine;
mod engine;
mod failure;
mod host;
mod in_process;
mod job;
mod natives;
mod parent;
mod probe;
mod protocol;
mod report;
mod running;
mod sandbox;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "testing"))]
mod trial;

use std::time::Duration;

pub use bounds::{SANDBOX_MEMORY_BYTES_MAX, SCRIPT_BYTES_MAX};
pub use check::{ScriptLint, ScriptShape, check_script};
pub use child::skill_child_main;
pub use job::SkillError;
pub(crate) use job::{HostCall, HostReply, SkillHost, SkillJob, SkillOutput};
pub use report::{SandboxError, SandboxReport};
pub(crate) use sandbox::SkillSandbox;
pub use sandbox::{SKILL_CHILD_VERB, Sandbox, SandboxCommand};

#[cfg(any(test, feature = "testing"))]
pub(crate) use trial::{hear_child, run_briefly};

/// The bound of a run that took too long.
fn time_bound(time: Duration) -> String {
    format!("its time of {} ms", time.as_millis())
}
