//! Looking over all journals without reading them.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use super::LocalStore;
use super::disk::{JOURNAL_ENDING, failure};
use crate::store::StoreError;

/// Journals that are looked at.
const JOURNALS_MAX: usize = 10_000;

/// What the journals of a store look like from outside.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct JournalSurvey {
    /// How many there are.
    pub journals: usize,
    /// Those that can't be read.
    pub unreadable: Vec<PathBuf>,
    /// How many end without a line end: a process died there or writes at this moment, or an editor left it out.
    pub torn: usize,
    /// Whether all were looked at, and not only the first 10,000.
    pub complete: bool,
}

impl LocalStore {
    /// Looks over the journals, reading the last byte of each. It blocks, and changes nothing.
    ///
    /// # Errors
    /// [`StoreError`] when the folder of the journals can't be listed.
    pub fn survey(&self) -> Result<JournalSurvey, StoreError> {
        let folder = self.shared.folder.sessions();
        survey(&folder).map_err(|error| failure(format_args!("the folder `{}`", folder.display()), error))
    }
}

fn survey(folder: &Path) -> io::Result<JournalSurvey> {
    let mut survey = JournalSurvey { complete: true, ..JournalSurvey::default() };
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(survey),
        Err(error) => return Err(error),
    };
    for entry in entries {
        let path = entry?.path();
        if !path.file_name().and_then(OsStr::to_str).is_some_and(|name| name.ends_with(JOURNAL_ENDING)) {
            continue;
        }
        if survey.journals == JOURNALS_MAX {
            survey.complete = false;
            break;
        }
        survey.journals += 1;
        match ends_in_a_line(&path) {
            Ok(true) => {}
            Ok(false) => survey.torn += 1,
            Err(_) => survey.unreadable.push(path),
        }
    }
    survey.unreadable.sort();
    Ok(survey)
}

fn ends_in_a_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    if file.metadata()?.len() == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn journals_are_counted_with_the_torn_and_the_unreadable() {
        let dir = tempfile::tempdir().unwrap();
        let store = LocalStore::open(dir.path()).unwrap();
        assert_eq!(store.survey().unwrap(), JournalSurvey { complete: true, ..JournalSurvey::default() });
        let sessions = dir.path().join("sessions");
        fs::create_dir(&sessions).unwrap();
        for (name, bytes) in [("a.jsonl", "{}\n"), ("b.jsonl", "{}\n{"), ("c.jsonl", ""), ("b.jsonl.torn-1", "{")] {
            fs::write(sessions.join(name), bytes).unwrap();
        }
        fs::create_dir(sessions.join("d.jsonl")).unwrap();
        let unreadable = vec![sessions.join("d.jsonl")];
        assert_eq!(store.survey().unwrap(), JournalSurvey { journals: 4, unreadable, torn: 1, complete: true });
    }
}
