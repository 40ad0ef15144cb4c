//! The skills that come with the program.

use std::collections::BTreeSet;
use std::io;

use super::{LibraryError, SkillLibrary, files};
use crate::data::ToolName;

/// Remembers which starter skills this folder was offered, one name a line.
const OFFERED: &str = ".starter-skills";

macro_rules! starter {
    ($name:literal) => {
        StarterSkill {
            name: $name,
            source: include_str!(concat!("../../../../../assets/skills/", $name, ".rhai")),
            cases: include_str!(concat!("../../../../../assets/skills/", $name, ".cases.json")),
        }
    };
}

/// A skill that comes with the program.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct StarterSkill {
    /// Its name.
    pub name: &'static str,
    /// Its script.
    pub source: &'static str,
    /// The cases of its dry run.
    pub cases: &'static str,
}

/// The skills that come with the program.
pub const STARTER_SKILLS: &[StarterSkill] =
    &[starter!("feed"), starter!("site_status"), starter!("textstat"), starter!("units"), starter!("weather")];

/// Copies what was not offered before. What was offered is noted after the copies: a crash between the two offers again,
/// which overwrites nothing.
pub(super) fn offer(library: &SkillLibrary) -> Result<Vec<&'static str>, LibraryError> {
    let note = library.folder().join(OFFERED);
    let offered = match files::read_note(&note) {
        Ok(text) => text,
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        Err(source) => return Err(LibraryError::Folder { folder: library.folder().to_owned(), source }),
    };
    let offered: BTreeSet<&str> = offered.lines().map(str::trim).collect();
    let new: Vec<_> = STARTER_SKILLS.iter().filter(|starter| !offered.contains(starter.name)).collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
    library.make_folder()?;
    let mut copied = Vec::new();
    for starter in new {
        let Ok(name) = ToolName::new(starter.name) else { continue };
        let path = library.path_of(&name);
        let write = |path: std::path::PathBuf, text: &str| {
            files::write_new(&path, text.as_bytes()).map_err(|source| LibraryError::Write { path, source })
        };
        // The cases first: a skill without them would be one whose dry run proves less.
        if !path.exists() {
            write(library.cases_of(&name), starter.cases)?;
        }
        if write(path, starter.source)? {
            copied.push(starter.name);
        }
    }
    let known = STARTER_SKILLS.iter().map(|starter| starter.name);
    let all: BTreeSet<&str> = known.chain(offered).filter(|name| !name.is_empty()).collect();
    let text = all.into_iter().fold(String::new(), |text, name| text + name + "\n");
    files::replace(&note, text.as_bytes()).map_err(|source| LibraryError::Write { path: note, source })?;
    Ok(copied)
}
