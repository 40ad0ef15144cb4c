//! What child processes need of the process's surroundings. No setting, and none of it is shown.

use std::ffi::OsString;
use std::fmt;

use crate::brain::CodexEnvironment;

/// What child processes need of the process's surroundings.
#[derive(Clone, Default)]
pub(crate) struct Surroundings {
    /// `PATH`.
    pub(crate) path: Option<OsString>,
    /// The user's home folder.
    pub(crate) home: Option<OsString>,
    /// What Codex is given.
    pub(crate) codex: CodexEnvironment,
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings")
    }
}

impl Surroundings {
    pub(super) fn of(environment: &[(OsString, OsString)]) -> Self {
        let find = |name: &str| environment.iter().find(|(found, _)| found == name).map(|(_, value)| value.clone());
        Self {
            path: find("PATH"),
            home: find("HOME").or_else(|| find("USERPROFILE")).filter(|home| !home.is_empty()),
            codex: CodexEnvironment::pick(environment.iter().cloned()),
        }
    }
}
