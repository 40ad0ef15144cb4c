//! What confines a skill on this computer, by the kernel's word and as it was tried.

use serde::{Deserialize, Serialize};

/// What is in force around a child, as the child set it up.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Confinement {
    /// The address space, in bytes; none where it is not limited.
    pub(super) memory_bytes: Option<u64>,
    /// The version of Landlock that closes files and network; none where it does not.
    pub(super) landlock: Option<i32>,
    /// Whether the kernel refuses every system call but the few that a script needs.
    pub(super) seccomp: bool,
}

/// Something that must not work, and whether it did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Tried {
    /// What.
    pub(super) what: String,
    /// Whether it worked.
    pub(super) worked: bool,
}

/// What confines a skill on this computer.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SandboxReport {
    /// What is in force.
    pub in_force: Vec<String>,
    /// What this computer lacks.
    pub absent: Vec<String>,
    /// What was tried inside and refused.
    pub refused: Vec<String>,
    /// What was tried inside and worked, though it should not.
    pub open: Vec<String>,
}

impl SandboxReport {
    pub(super) fn new(confinement: &Confinement, tried: Vec<Tried>) -> Self {
        let mut report = Self { in_force: vec!["a process of its own".to_owned()], ..Self::default() };
        match confinement.memory_bytes {
            Some(bytes) => report.in_force.push(format!("{} MiB of memory", bytes / (1024 * 1024))),
            None => report.absent.push("a limit of memory".to_owned()),
        }
        match confinement.landlock {
            Some(version) => report.in_force.push(format!("Landlock {version}")),
            None => report.absent.push("Landlock".to_owned()),
        }
        if confinement.seccomp {
            report.in_force.push("a filter of system calls".to_owned());
        } else {
            report.absent.push("a filter of system calls".to_owned());
        }
        for Tried { what, worked } in tried {
            if worked { report.open.push(what) } else { report.refused.push(what) }
        }
        report
    }

    /// Whether nothing that was tried inside worked.
    pub fn is_closed(&self) -> bool {
        self.open.is_empty() && !self.refused.is_empty()
    }
}

/// The program that was named is no sandbox.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the sandbox of skills does not work: {why}; {fix}")]
#[non_exhaustive]
pub struct SandboxError {
    /// Why.
    pub why: String,
    /// What to do about it.
    pub fix: &'static str,
}
