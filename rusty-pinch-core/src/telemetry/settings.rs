//! Telemetry's variables.

use std::path::{Path, PathBuf};

use crate::config::{Kind, Reader, Section, Variable};

const FILE: Variable = Variable::new(
    "RUSTY_PINCH_TELEMETRY_FILE",
    Kind::Path,
    "The file of counters and of the last turn, for other programs to read.",
)
.otherwise("`telemetry/latest.json` in the data folder");

pub(crate) const SECTION: Section =
    Section { title: "Telemetry", doc: "What the operator sees of past turns.", variables: &[FILE] };

/// Telemetry's settings.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct TelemetrySettings {
    /// The file of counters.
    pub file: PathBuf,
}

impl TelemetrySettings {
    pub(crate) fn read(reader: &mut Reader<'_>, data_dir: &Path) -> Self {
        Self { file: reader.path(&FILE).unwrap_or_else(|| data_dir.join("telemetry/latest.json")) }
    }
}
