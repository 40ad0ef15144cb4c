//! This program as the sandbox of skills: it starts itself again as a child.

use std::path::PathBuf;

use rusty_pinch_core::{SKILL_CHILD_VERB, SandboxCommand};

/// Whether this process is such a child.
pub(crate) fn is_child() -> bool {
    std::env::args_os().nth(1).is_some_and(|verb| verb == SKILL_CHILD_VERB)
}

/// How to start it.
///
/// On Linux by the name that the kernel has for the running program: it is that program also when its file was replaced
/// by a newer version in the meantime.
pub(crate) fn command() -> SandboxCommand {
    let running = PathBuf::from("/proc/self/exe");
    let program = if running.exists() { running } else { std::env::current_exe().unwrap_or_default() };
    SandboxCommand::new(program)
}
