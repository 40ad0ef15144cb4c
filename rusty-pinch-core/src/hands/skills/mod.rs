//! Skills: small Rhai scripts that are tools, each in a sandbox of its own.
//!
//! A skill can do what its header says, on what it was given, within its bounds, and nothing else. `job` is what the
//! library hands to the sandbox and gets back; the library (headers, files, grants) knows nothing of Rhai's engine, and
//! the sandbox nothing of files.

mod bounds;
mod check;
mod child;
mod confine;
mod desk;
mod dry_run;
mod engine;
mod examine;
mod failure;
mod hands;
mod host;
mod in_process;
mod job;
mod library;
mod manifest;
mod natives;
mod parent;
mod permit;
mod probe;
mod protocol;
mod report;
mod run;
mod running;
mod sandbox;
mod state;
#[cfg(test)]
mod tests;
#[cfg(any(test, feature = "testing"))]
mod trial;
mod values;

use std::time::Duration;

pub use bounds::{SANDBOX_MEMORY_BYTES_MAX, SCRIPT_BYTES_MAX, SKILL_TIME_MAX, SKILLS_MAX, STATE_BYTES_MAX};
pub use check::{ScriptLint, ScriptShape, check_script};
pub use child::skill_child_main;
pub use desk::HostRecord;
pub(crate) use desk::SkillPolicy;
pub use dry_run::{CaseResult, DryRun, DryRunError, dry_run, skill_template};
pub use examine::examine_skill;
pub use hands::Skills;
pub(crate) use hands::{SkillContext, SkillHands};
pub use job::SkillError;
pub(crate) use job::{HostCall, HostReply, SkillHost, SkillJob, SkillOutput, SkillWork};
pub use library::{LibraryError, STARTER_SKILLS, Skill, SkillFault, SkillFile, SkillLibrary, SkillScan, StarterSkill};
pub use manifest::{ArgumentKind, Manifest, ManifestError, ManifestFault, SkillArgument, SkillHosts};
pub use report::{SandboxError, SandboxReport};
pub(crate) use sandbox::SkillSandbox;
pub use sandbox::{SKILL_CHILD_VERB, Sandbox, SandboxCommand};

#[cfg(any(test, feature = "testing"))]
pub(crate) use trial::{hear_child, run_briefly};

/// The bound of a run that took too long. `time` is what was left when the run began, so it is rounded up to what was set.
fn time_bound(time: Duration) -> String {
    match time.as_millis() {
        ms @ ..1_000 => format!("its time of {} ms", ms.div_ceil(10) * 10),
        ms => format!("its time of {} s", ms.div_ceil(100) as f64 / 10.0),
    }
}
