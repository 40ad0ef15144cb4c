//! The folder of skills: which files are there, what each is, and what is wrong with it.
//!
//! It owns the rules of files and names. Whatever lies in the folder (a directory, a link, a pipe, ten megabytes of
//! noise) becomes a file with a fault, never an error of the folder, and costs no more than its bound to look at.

mod files;
mod starters;

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::bounds::{FOLDER_ENTRIES_MAX, SCRIPT_BYTES_MAX, SKILLS_MAX};
use super::manifest::{Manifest, ManifestError};
use crate::data::{IdError, Sha256Digest, Timestamp, ToolName};

pub use starters::{STARTER_SKILLS, StarterSkill};

use files::{Stamp, read_plain};

/// The ending of a skill's file.
const ENDING: &str = ".rhai";

/// The ending of the file with its cases.
const CASES_ENDING: &str = ".cases.json";

/// A folder of skills.
#[derive(Clone, Debug)]
pub struct SkillLibrary {
    folder: PathBuf,
}

/// A skill that keeps the rules: the bytes of its script, and what its header says.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub struct Skill {
    /// Its name, which is its file's.
    pub name: ToolName,
    /// Its script.
    pub source: Arc<str>,
    /// The script's SHA-256.
    pub sha256: Sha256Digest,
    /// What its header says.
    pub manifest: Manifest,
}

/// A file that should be a skill.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct SkillFile {
    /// The file's name without its ending, as well as it can be shown.
    pub name: String,
    /// Where it is.
    pub path: PathBuf,
    /// Its size in bytes.
    pub size_bytes: u64,
    /// When it was last changed, where the system tells.
    pub modified_at: Option<Timestamp>,
    /// The skill, or why it is none.
    pub skill: Result<Arc<Skill>, SkillFault>,
    stamp: Option<Stamp>,
}

/// Why a file is no skill.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SkillFault {
    /// Its name can't be a skill's.
    #[error("its name can't be a skill's: {0}")]
    Name(#[from] IdError),
    /// Its name is a tool's.
    #[error("a tool is named `{name}` already; rename the file")]
    NameTaken {
        /// The name.
        name: String,
    },
    /// Its ending is not written as a skill's is.
    #[error("its name ends in `{ending}`, and a skill's in `{ENDING}`; rename the file")]
    Ending {
        /// Its ending.
        ending: String,
    },
    /// It is something else than a plain file.
    #[error("it is {what}, and a skill is a plain file; put the script itself there")]
    NotAFile {
        /// What it is.
        what: &'static str,
    },
    /// There is nothing in it.
    #[error("it is empty; write a script with a `main`")]
    Empty,
    /// It is too long.
    #[error("it has {size_bytes} bytes, and a skill has at most {SCRIPT_BYTES_MAX}; shorten it")]
    TooLong {
        /// Its size.
        size_bytes: u64,
    },
    /// It is no text.
    #[error("it is no text (at byte {at}); a skill is UTF-8 without zero bytes")]
    NotText {
        /// Where.
        at: usize,
    },
    /// It begins with a byte order mark, which hides its header.
    #[error("it begins with a byte order mark; save it as UTF-8 without one")]
    ByteOrderMark,
    /// It can't be read.
    #[error("it can't be read: {why}; let this user read it")]
    Unreadable {
        /// Why.
        why: String,
    },
    /// Its header breaks a rule.
    #[error("{0}")]
    Header(#[from] ManifestError),
    /// Its script can't be compiled, or has no `main`.
    #[error("{why}")]
    Script {
        /// Why, with the place.
        why: String,
    },
    /// There are more files than are looked at.
    #[error("the folder has more than {SKILLS_MAX} skills; move some away")]
    TooMany,
}

/// What is in a folder, starter skills included.
#[derive(Debug)]
#[non_exhaustive]
pub struct SkillScan {
    /// The files, sorted by name.
    pub files: Vec<SkillFile>,
    /// Why no starter skills are among them, where they could not be offered.
    pub without_starters: Option<LibraryError>,
}

/// Why the folder, or a file to be written there, can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LibraryError {
    /// The folder can't be read or made.
    #[error("the skill folder {folder} can't be used")]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
    /// The note of what was offered can't be read, so that no starter skill is offered.
    #[error("{path}, which remembers the starter skills that were offered, can't be used: {why}")]
    Note {
        /// The note.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// A file of that name is there already.
    #[error("{path} is there already; it is never overwritten, so choose another name or move it away")]
    Exists {
        /// The file.
        path: PathBuf,
    },
    /// A file can't be written.
    #[error("{path} can't be written")]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system says.
        #[source]
        source: io::Error,
    },
}

impl LibraryError {
    /// What to do.
    pub fn fix(&self) -> &'static str {
        match self {
            Self::Folder { source, .. }
                if matches!(source.kind(), io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists) =>
            {
                "something else is in the folder's place; move it away"
            }
            Self::Folder { .. } => "let this user read and write the folder of skills",
            Self::Note { .. } => "move it away; starter skills that were deleted are offered again then",
            Self::Exists { .. } => "choose another name",
            Self::Write { .. } => "let this user write there",
        }
    }
}

impl SkillLibrary {
    /// The skills in `folder`, which need not be there yet.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Where the skill `name` is, or would be.
    pub fn path_of(&self, name: &ToolName) -> PathBuf {
        self.folder.join(format!("{name}{ENDING}"))
    }

    /// Where the cases of the skill `name` are, or would be.
    pub fn cases_of(&self, name: &ToolName) -> PathBuf {
        self.folder.join(format!("{name}{CASES_ENDING}"))
    }

    /// Every file of the folder that ends in `.rhai`, also in capitals, sorted by name. A folder that is not there has
    /// none. Blocks.
    ///
    /// # Errors
    /// [`LibraryError::Folder`] when the folder can't be read.
    pub fn scan(&self) -> Result<Vec<SkillFile>, LibraryError> {
        self.scan_folder(&[])
    }

    /// The same with the starter skills that were not offered to this folder yet, as if they were in it. Blocks.
    ///
    /// # Errors
    /// As [`scan`](Self::scan).
    pub fn scan_with_starters(&self) -> Result<SkillScan, LibraryError> {
        self.scan_anew(&[], true)
    }

    /// The same, where files that did not change since `before` are not read again.
    pub(super) fn scan_anew(&self, before: &[SkillFile], with_starters: bool) -> Result<SkillScan, LibraryError> {
        let mut files = self.scan_folder(before)?;
        if !with_starters {
            return Ok(SkillScan { files, without_starters: None });
        }
        let starters = match starters::not_offered(self) {
            Ok(starters) => starters,
            Err(error) => return Ok(SkillScan { files, without_starters: Some(error) }),
        };
        for starter in starters {
            if let Err(at) = files.binary_search_by(|file| file.path.cmp(&starter.path)) {
                files.insert(at, starter);
            }
        }
        Ok(SkillScan { files, without_starters: None })
    }

    fn scan_folder(&self, before: &[SkillFile]) -> Result<Vec<SkillFile>, LibraryError> {
        let known: BTreeMap<&Path, &SkillFile> = before.iter().map(|file| (file.path.as_path(), file)).collect();
        let failed = |source| LibraryError::Folder { folder: self.folder.clone(), source };
        let entries = match std::fs::read_dir(&self.folder) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut paths = Vec::new();
        for entry in entries.take(FOLDER_ENTRIES_MAX) {
            let name = entry.map_err(failed)?.file_name();
            let shown = name.to_string_lossy();
            if ending(&shown).is_some() && !shown.starts_with('.') {
                paths.push(self.folder.join(name));
            }
        }
        paths.sort();
        let looked_at = paths.into_iter().enumerate();
        Ok(looked_at.map(|(index, path)| look(path, &known, index < SKILLS_MAX)).collect())
    }

    /// The skill `name`, read now. Blocks.
    pub fn find(&self, name: &ToolName) -> Option<SkillFile> {
        let path = self.path_of(name);
        let there = std::fs::symlink_metadata(&path).is_ok();
        there.then(|| look(path, &BTreeMap::new(), true))
    }

    /// Writes the skill `name` as a new file that only its owner may read. Blocks.
    ///
    /// # Errors
    /// [`LibraryError::Exists`] when there is one, [`LibraryError::Write`] when it can't be written.
    pub fn write_new(&self, name: &ToolName, source: &str) -> Result<PathBuf, LibraryError> {
        let path = self.path_of(name);
        self.make_folder()?;
        match files::write_new(&path, source.as_bytes()) {
            Ok(true) => Ok(path),
            Ok(false) => Err(LibraryError::Exists { path }),
            Err(source) => Err(LibraryError::Write { path, source }),
        }
    }

    /// Copies the starter skills that were not offered to this folder before; one that its owner deleted does not come
    /// back, and no file is overwritten. Gives the names of those that were copied. Blocks.
    ///
    /// # Errors
    /// [`LibraryError`] when the folder can't be read or written.
    pub fn offer_starters(&self) -> Result<Vec<&'static str>, LibraryError> {
        starters::offer(self)
    }

    fn make_folder(&self) -> Result<(), LibraryError> {
        let made = files::make_folder(&self.folder);
        made.map_err(|source| LibraryError::Folder { folder: self.folder.clone(), source })
    }
}

impl SkillFile {
    /// Whether `other` is this file, unchanged: what was read then is what would be read now.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        let same_content = match (&self.skill, &other.skill) {
            (Ok(skill), Ok(other)) => Arc::ptr_eq(skill, other),
            (Err(_), Err(_)) => self.stamp.is_some() && self.stamp == other.stamp,
            _ => false,
        };
        self.path == other.path && same_content
    }

    /// The same with a fault that is found later, beside what the file itself says.
    pub(super) fn with_fault(mut self, fault: SkillFault) -> Self {
        if self.skill.is_ok() {
            self.skill = Err(fault);
            // What is wrong may be mended elsewhere, so the file is looked at anew.
            self.stamp = None;
        }
        self
    }
}

/// The ending of a file's name, when it is a skill's but for capitals.
fn ending(name: &str) -> Option<&str> {
    let (_, ending) = name.split_at_checked(name.len().checked_sub(ENDING.len())?)?;
    ending.eq_ignore_ascii_case(ENDING).then_some(ending)
}

fn look(path: PathBuf, known: &BTreeMap<&Path, &SkillFile>, is_within_bound: bool) -> SkillFile {
    let stem = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = stem.strip_suffix(ENDING).unwrap_or(&stem).to_owned();
    let metadata = std::fs::symlink_metadata(&path);
    // Which files are within the bound changes with the others, so that is not remembered.
    let stamp = metadata.as_ref().ok().filter(|_| is_within_bound).map(Stamp::of);
    if let Some(before) = known.get(path.as_path())
        && stamp.is_some()
        && before.stamp == stamp
    {
        return (*before).clone();
    }
    let (size_bytes, modified_at) = metadata.as_ref().map_or((0, None), |metadata| {
        let modified = metadata.modified().ok().and_then(files::timestamp);
        (metadata.len(), modified)
    });
    let skill = match metadata {
        _ if !is_within_bound => Err(SkillFault::TooMany),
        Err(error) => Err(SkillFault::Unreadable { why: error.to_string() }),
        Ok(metadata) => read(&stem, &path, &metadata).map(Arc::new),
    };
    SkillFile { name: stem, path, size_bytes, modified_at, skill, stamp }
}

fn read(stem: &str, path: &Path, metadata: &std::fs::Metadata) -> Result<Skill, SkillFault> {
    if let Some(ending) = ending(&path.to_string_lossy()).filter(|ending| *ending != ENDING) {
        return Err(SkillFault::Ending { ending: ending.to_owned() });
    }
    let name = ToolName::for_skill(stem)?;
    let bytes = read_plain(path, metadata, SCRIPT_BYTES_MAX)?;
    if bytes.iter().all(u8::is_ascii_whitespace) {
        return Err(SkillFault::Empty);
    }
    if let Some(at) = bytes.iter().position(|byte| *byte == 0) {
        return Err(SkillFault::NotText { at });
    }
    let sha256 = Sha256Digest::of(&bytes);
    let source =
        String::from_utf8(bytes).map_err(|error| SkillFault::NotText { at: error.utf8_error().valid_up_to() })?;
    if source.starts_with('\u{feff}') {
        return Err(SkillFault::ByteOrderMark);
    }
    let manifest = Manifest::parse(&name, &source)?;
    Ok(Skill { name, source: source.into(), sha256, manifest })
}

/// The text of a plain file of at most `bytes_max`; none when there is no file, and in words why it can't be had.
pub(super) fn read_bounded(path: &Path, bytes_max: usize) -> Result<Option<String>, String> {
    let metadata = match std::fs::symlink_metadata(path) {
        Ok(metadata) => metadata,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let bytes = read_plain(path, &metadata, bytes_max).map_err(|fault| match fault {
        SkillFault::TooLong { size_bytes } => format!("it has {size_bytes} bytes, and at most {bytes_max} are read"),
        SkillFault::NotAFile { what } => format!("it is {what}, not a plain file"),
        other => other.to_string(),
    })?;
    String::from_utf8(bytes).map(Some).map_err(|error| format!("it is no UTF-8 text ({error})"))
}

#[cfg(test)]
mod tests;
