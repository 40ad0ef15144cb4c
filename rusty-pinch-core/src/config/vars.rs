//! The variables that were given, and where each came from.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::env_file;
use super::error::SettingsProblem;
use super::names::is_ours;
#[cfg(all(feature = "codex", feature = "sqlite"))]
use super::surroundings::Surroundings;
use super::variable::Variable;
use crate::brain::settings::{ACCOUNT_API_KEY_ENV, ACCOUNTS, key_variables};

/// Names the file of variables, instead of `./.env`.
pub(crate) const ENV_FILE_VARIABLE: &str = "RUSTY_PINCH_ENV_FILE";
const ENV_FILE_DEFAULT: &str = ".env";

/// Where a value came from.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Origin {
    /// The process's environment.
    Environment,
    /// A file of variables.
    File {
        /// The file.
        path: Arc<Path>,
        /// The line on which the value begins, from 1.
        line: usize,
    },
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Environment => f.write_str("from the environment"),
            Self::File { path, line } => write!(f, "from {} line {line}", path.display()),
        }
    }
}

/// The variables that were given. Only those that the program knows or that look like its own are kept.
#[derive(Clone, Default)]
pub struct Vars {
    values: BTreeMap<String, Given>,
    /// Variables that a value of ours names.
    named: BTreeMap<String, String>,
    env_file: Option<PathBuf>,
    #[cfg(all(feature = "codex", feature = "sqlite"))]
    surroundings: Surroundings,
}

#[derive(Clone)]
pub(crate) struct Given {
    pub(crate) value: String,
    pub(crate) origin: Origin,
}

impl fmt::Debug for Vars {
    /// The names only: values may be secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Vars")
            .field("names", &self.values.keys().collect::<Vec<_>>())
            .field("env_file", &self.env_file)
            .finish()
    }
}

impl<K: Into<String>, V: Into<String>> FromIterator<(K, V)> for Vars {
    /// As if they stood in the environment.
    fn from_iter<T: IntoIterator<Item = (K, V)>>(pairs: T) -> Self {
        let mut vars = Self::default();
        for (name, value) in pairs {
            vars.insert(name.into(), Given { value: value.into(), origin: Origin::Environment });
        }
        vars
    }
}

impl Vars {
    /// What the process's environment and the file of variables say; the environment wins.
    ///
    /// The file is `RUSTY_PINCH_ENV_FILE`, which has to exist, or else `.env` in the working directory, which need not.
    /// This and [`Settings::load`](super::Settings::load) are the only readers of the environment.
    pub(crate) fn load() -> (Self, Vec<SettingsProblem>) {
        #[expect(clippy::disallowed_methods, reason = "this is the door to the environment")]
        let environment = std::env::vars_os();
        Self::from_sources(environment, Path::new(ENV_FILE_DEFAULT))
    }

    /// [`load`](Self::load) with an environment and a default file of the caller's.
    pub(crate) fn from_sources(
        environment: impl IntoIterator<Item = (OsString, OsString)>,
        env_file_default: &Path,
    ) -> (Self, Vec<SettingsProblem>) {
        let environment: Vec<_> = environment.into_iter().collect();
        let mut vars = Self {
            #[cfg(all(feature = "codex", feature = "sqlite"))]
            surroundings: Surroundings::of(&environment),
            ..Self::default()
        };
        let mut problems = Vec::new();
        for (name, value) in &environment {
            let name = name.to_string_lossy().into_owned();
            if !is_ours(&name) {
                continue;
            }
            match value.clone().into_string() {
                Ok(value) => vars.insert(name, Given { value, origin: Origin::Environment }),
                Err(_) => problems.push(SettingsProblem::NotUnicode { name, origin: Origin::Environment }),
            }
        }
        let explicit =
            vars.values.get(ENV_FILE_VARIABLE).map(|given| given.value.trim()).filter(|path| !path.is_empty());
        let path = explicit.map_or_else(|| env_file_default.to_owned(), PathBuf::from);
        let found = env_file::read(&path, explicit.is_some(), &mut problems);
        if found.is_some() {
            vars.env_file = Some(path);
        }
        let pairs = found.unwrap_or_default();
        for (name, given) in &pairs {
            // The environment is the operator's last word.
            if is_ours(name) && !vars.values.contains_key(name) {
                vars.insert(name.clone(), given.clone());
            }
        }
        for name in vars.key_variables() {
            let given = environment.iter().find(|(found, _)| *found == *name);
            let given = given.and_then(|(_, value)| value.to_str().map(str::to_owned));
            if let Some(value) = given.or_else(|| pairs.get(&name).map(|given| given.value.clone())) {
                vars.named.insert(name, value);
            }
        }
        (vars, problems)
    }

    /// The variables of any name that a value of ours says a key is in.
    pub(crate) fn key_variables(&self) -> BTreeSet<String> {
        let value = |variable: &Variable| self.get(variable.name).map(|given| given.value.as_str());
        key_variables(value(&ACCOUNTS), value(&ACCOUNT_API_KEY_ENV))
    }

    /// The value of a variable that a value of ours names.
    pub(crate) fn named(&self, name: &str) -> Option<&str> {
        self.named.get(name).map(String::as_str).or_else(|| self.get(name).map(|given| given.value.as_str()))
    }

    fn insert(&mut self, name: String, given: Given) {
        self.values.insert(name, given);
    }

    pub(crate) fn get(&self, name: &str) -> Option<&Given> {
        self.values.get(name)
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.values.keys().map(String::as_str)
    }

    /// What child processes need.
    #[cfg(all(feature = "codex", feature = "sqlite"))]
    pub(crate) fn surroundings(&self) -> &Surroundings {
        &self.surroundings
    }

    /// The file that was read.
    pub(crate) fn env_file(&self) -> Option<&Path> {
        self.env_file.as_deref()
    }
}
