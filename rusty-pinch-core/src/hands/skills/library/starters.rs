//! The skills that come with the program.

use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

use super::{LibraryError, Skill, SkillFile, SkillLibrary, files, read_bounded};
use crate::data::{Sha256Digest, ToolName};
use crate::hands::skills::manifest::Manifest;

/// Remembers which starter skills this folder was offered, one name a line.
const OFFERED: &str = ".starter-skills";
/// The longest note of them, in bytes.
const NOTE_BYTES_MAX: usize = 64 * 1024;

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

/// The starter skills, read once. A test sees to it that none is left out.
static STARTERS: LazyLock<Vec<Arc<Skill>>> = LazyLock::new(|| {
    let skills = STARTER_SKILLS.iter().filter_map(|starter| {
        let name = ToolName::new(starter.name).ok()?;
        let manifest = Manifest::parse(&name, starter.source).ok()?;
        let sha256 = Sha256Digest::of(starter.source.as_bytes());
        Some(Arc::new(Skill { name, source: starter.source.into(), sha256, manifest }))
    });
    skills.collect()
});

/// The starter skills that were not offered to the folder yet, as the files that they would be there.
pub(super) fn not_offered(library: &SkillLibrary) -> Result<impl Iterator<Item = SkillFile>, LibraryError> {
    let offered = offered(library)?;
    let new = STARTERS.iter().filter(move |skill| !offered.contains(skill.name.as_str()));
    Ok(new.map(|skill| SkillFile {
        name: skill.name.as_str().to_owned(),
        path: library.path_of(&skill.name),
        size_bytes: skill.source.len() as u64,
        modified_at: None,
        skill: Ok(Arc::clone(skill)),
        stamp: None,
    }))
}

/// The names that the note lists.
fn offered(library: &SkillLibrary) -> Result<BTreeSet<String>, LibraryError> {
    let path = library.folder().join(OFFERED);
    match read_bounded(&path, NOTE_BYTES_MAX) {
        Ok(text) => {
            let names = text.iter().flat_map(|text| text.lines()).map(|line| line.trim().to_owned());
            Ok(names.filter(|name| !name.is_empty()).collect())
        }
        Err(why) => Err(LibraryError::Note { path, why }),
    }
}

/// Copies what was not offered before. What was offered is noted after the copies: a crash between the two offers again,
/// which overwrites nothing.
pub(super) fn offer(library: &SkillLibrary) -> Result<Vec<&'static str>, LibraryError> {
    library.make_folder()?;
    let offered = offered(library)?;
    let new: Vec<_> = STARTER_SKILLS.iter().filter(|starter| !offered.contains(starter.name)).collect();
    if new.is_empty() {
        return Ok(Vec::new());
    }
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
    let all: BTreeSet<&str> = known.chain(offered.iter().map(String::as_str)).collect();
    let text = all.into_iter().fold(String::new(), |text, name| text + name + "\n");
    let note = library.folder().join(OFFERED);
    files::replace(&note, text.as_bytes()).map_err(|source| LibraryError::Write { path: note, source })?;
    Ok(copied)
}
