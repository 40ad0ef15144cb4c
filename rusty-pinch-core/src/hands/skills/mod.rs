//! Skills: small Rhai scripts that are tools, each in a sandbox of its own.
//!
//! A skill can do what its header says, on what it was given, within its bounds, and nothing else. `job` is what the
//! library hands to the sandbox and gets back; the library (headers, files, grants) knows nothing of Rhai's engine, and
//! the sandbox nothing of files.

mod job;

pub use job::SkillError;
pub(crate) use job::{HostCall, HostReply, SkillHost, SkillJob, SkillOutput};
