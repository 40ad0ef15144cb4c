//! The settings of every room, joined.

use std::path::PathBuf;

use super::error::SettingsError;
use super::names;
use super::reader::Reader;
#[cfg(all(feature = "codex", feature = "sqlite"))]
use super::surroundings::Surroundings;
use super::variable::{Kind, Section, Variable};
use super::vars::{ENV_FILE_VARIABLE, Vars};
use super::{SettingsProblem, UnknownName};
use crate::agent::Grants;
use crate::brain::settings::{BrainSettings, BudgetSettings, CodexSettings, Provider};
use crate::data::Secret;
use crate::hands::{EgressSettings, SkillSettings};
use crate::store::settings::StoreSettings;
use crate::telemetry::settings::TelemetrySettings;

const ENV_FILE: Variable = Variable::new(
    ENV_FILE_VARIABLE,
    Kind::Path,
    "A file of such variables, one NAME=value per line. It has to exist. The environment wins over it.",
)
.otherwise("`.env` in the working directory, where there is one");

pub(crate) const SECTION: Section = Section {
    title: "Sources",
    doc: "Where values come from. This variable counts in the environment only.",
    variables: &[ENV_FILE],
};

/// Everything that an operator can set.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Settings {
    /// Who thinks.
    pub brain: BrainSettings,
    /// The Codex CLI.
    pub codex: CodexSettings,
    /// What may be spent on brains.
    pub budget: BudgetSettings,
    /// Which tools may run.
    pub grants: Grants,
    /// What skills and tools may reach.
    pub egress: EgressSettings,
    /// How skills run.
    pub skills: SkillSettings,
    /// Where things are kept.
    pub store: StoreSettings,
    /// Counters.
    pub telemetry: TelemetrySettings,
    /// Where the values came from, and what was left over.
    pub sources: Sources,
    /// What child processes need of the process's surroundings.
    #[cfg(all(feature = "codex", feature = "sqlite"))]
    pub(crate) surroundings: Surroundings,
}

/// Where settings came from, and what was left over.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Sources {
    /// The file of variables that was read.
    pub env_file: Option<PathBuf>,
    /// Variables that begin like ours and are none of ours.
    pub unknown: Vec<UnknownName>,
    /// Variables of the previous program that have no effect in this version, each with what it belongs to.
    pub without_effect: Vec<(&'static str, &'static str)>,
}

impl Settings {
    /// Reads the environment and the file of variables: `RUSTY_PINCH_ENV_FILE`, or else `.env` in the working directory.
    ///
    /// The only reader of the environment in this library; nothing calls it but a program that chooses to.
    ///
    /// # Errors
    /// [`SettingsError`] with everything that is wrong, not only the first.
    pub fn load() -> Result<Self, SettingsError> {
        let (vars, problems) = Vars::load();
        Self::from_parts(&vars, problems)
    }

    /// The settings that `vars` make. Pure: it reads neither environment nor files.
    ///
    /// # Errors
    /// [`SettingsError`] with everything that is wrong, not only the first.
    pub fn from_vars(vars: &Vars) -> Result<Self, SettingsError> {
        Self::from_parts(vars, Vec::new())
    }

    /// The settings that a file of variables makes with an empty environment. For the fuzz targets.
    #[cfg(feature = "testing")]
    #[doc(hidden)]
    pub fn of_file(path: &std::path::Path) -> Result<Self, SettingsError> {
        let (vars, problems) = Vars::from_sources([], path);
        Self::from_parts(&vars, problems)
    }

    pub(crate) fn from_parts(vars: &Vars, problems: Vec<SettingsProblem>) -> Result<Self, SettingsError> {
        let mut reader = Reader::new(vars, problems);
        let settings = Self::read(vars, &mut reader);
        let problems = reader.into_problems();
        if problems.is_empty() {
            return Ok(settings);
        }
        Err(SettingsError { problems, unknown: settings.sources.unknown })
    }

    pub(super) fn read(vars: &Vars, reader: &mut Reader<'_>) -> Self {
        // Read for its rules; the path itself was used when the variables were collected.
        reader.path(&ENV_FILE);
        let store = StoreSettings::read(reader);
        let settings = Self {
            brain: BrainSettings::read(reader),
            codex: CodexSettings::read(reader),
            budget: BudgetSettings::read(reader),
            grants: Grants::read(reader),
            egress: EgressSettings::read(reader),
            skills: SkillSettings::read(reader),
            telemetry: TelemetrySettings::read(reader, &store.data_dir),
            store,
            sources: Sources {
                env_file: vars.env_file().map(Into::into),
                unknown: names::unknown(vars),
                without_effect: names::without_effect(vars),
            },
            #[cfg(all(feature = "codex", feature = "sqlite"))]
            surroundings: vars.surroundings().clone(),
        };
        if settings.brain.providers.contains(&Provider::Codex) && !settings.codex.enabled {
            reader.contradiction(
                "RUSTY_PINCH_PROVIDER names `codex` while RUSTY_PINCH_CODEX_ENABLED is false",
                "choose another provider, or enable Codex",
            );
        }
        settings
    }

    /// Every secret among them, for [`Redactor`](crate::Redactor).
    pub fn secrets(&self) -> impl Iterator<Item = &Secret> {
        self.brain.secrets().chain(self.codex.secrets())
    }
}
