//! The store's variables: where things are kept.

use std::path::PathBuf;

use crate::config::{Kind, Reader, Section, Variable};

const DATA_DIR: Variable = Variable::new(
    "RUSTY_PINCH_DATA_DIR",
    Kind::Path,
    "The folder of sessions, records and counters. Several processes may share it.",
)
.default("./data");

const WORKSPACE: Variable =
    Variable::new("RUSTY_PINCH_WORKSPACE", Kind::Path, "The folder of skills and updates.").default("./workspace");

pub(crate) const SECTION: Section = Section {
    title: "Folders",
    doc: "Where things are kept. Both are made when they are first needed.",
    variables: &[DATA_DIR, WORKSPACE],
};

/// Where things are kept.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct StoreSettings {
    /// The folder of sessions, records and counters.
    pub data_dir: PathBuf,
    /// The folder of skills and updates.
    pub workspace: PathBuf,
}

impl StoreSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            data_dir: reader.path(&DATA_DIR).unwrap_or_default(),
            workspace: reader.path(&WORKSPACE).unwrap_or_default(),
        }
    }
}
