//! Appending to a journal's file.
//!
//! Every append opens the file anew, holds an OS lock on that descriptor while it compares the end and writes, and
//! answers after `fdatasync`. Nothing is kept open in between: a descriptor costs microseconds beside the sync, and one
//! that outlives its call could belong to a file that somebody replaced, or hide that an earlier sync failed.

use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use super::disk::{Folder, failure, is_named, private, sync_folder};
use super::locks::lock_within;
use super::tail::{Form, Tail};
use crate::store::{JournalId, LockName, Position, StoreError};

/// How long an append waits for another one on the same journal, which takes as long as its sync.
const APPEND_WAIT_MAX: Duration = Duration::from_secs(10);
/// How many torn tails of one place are kept apart.
const TORN_FILES_MAX: u32 = 1_000;
/// How often a file that is replaced while it is being opened is opened again.
const REOPENS_MAX: u32 = 5;
/// A failed sync loses whole pages.
const PAGE_BYTES: u64 = 4096;
const BLOCK_BYTES: usize = 64 * 1024;

/// Appends to the journals of one folder.
#[derive(Debug, Default)]
pub(super) struct Journals {
    /// From where on a journal's bytes may be missing on the disk though the system still shows them: a sync failed,
    /// and taking the bytes back failed too. Holds only such journals, so it is bounded by them.
    suspects: Mutex<HashMap<JournalId, u64>>,
}

impl Journals {
    /// Appends `lines` to a journal that ends at `at`, durably. Without lines it only compares the end.
    pub(super) fn append(
        &self,
        folder: &Folder,
        journal: &JournalId,
        at: Position,
        lines: &[u8],
    ) -> Result<Position, StoreError> {
        let path = folder.journal(journal);
        let moved = |found| Err(StoreError::Moved { journal: journal.clone(), expected: at, found });
        let is_new_wanted = at == Position::START && !lines.is_empty();
        let Some(mut file) = open_locked(folder, &path, is_new_wanted)? else {
            return if at == Position::START { Ok(at) } else { moved(Position::START) };
        };
        let tail = Tail::of(&mut file).map_err(|error| failure(path.display(), error))?;
        if tail.end() != at.number() {
            return moved(Position::new(tail.end()));
        }
        if lines.is_empty() {
            return Ok(at);
        }
        if tail.len == 0 {
            folder.settle(&path)?;
        }
        let append = Append { folder, journal, path: &path, file: &file };
        append.run(self, tail, lines).map_err(|error| failure(path.display(), error))?;
        Ok(Position::new(at.number() + lines.len() as u64))
    }

    fn suspects(&self) -> std::sync::MutexGuard<'_, HashMap<JournalId, u64>> {
        // Every change is one insertion or removal, so a panic elsewhere leaves the map whole.
        self.suspects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The journal's file, locked, or none when it does not exist and is not to be made.
fn open_locked(folder: &Folder, path: &Path, make: bool) -> Result<Option<File>, StoreError> {
    let fail = |error| failure(path.display(), error);
    for _ in 0..REOPENS_MAX {
        let file = match private().read(true).append(true).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound && make => {
                folder.make_for(path)?;
                private().read(true).append(true).create(true).open(path).map_err(fail)?
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(fail(error)),
        };
        if !lock_within(&file, APPEND_WAIT_MAX).map_err(fail)? {
            let name = LockName::task(&format!("append to {}", path.display()));
            return Err(StoreError::Busy { name, waited: APPEND_WAIT_MAX });
        }
        if is_named(&file, path).map_err(fail)? {
            return Ok(Some(file));
        }
    }
    Err(fail(io::Error::other("the file is replaced again and again while it is being opened")))
}

/// One append under way, under the file's lock.
struct Append<'a> {
    folder: &'a Folder,
    journal: &'a JournalId,
    path: &'a Path,
    file: &'a File,
}

impl Append<'_> {
    fn run(&self, journals: &Journals, tail: Tail, lines: &[u8]) -> io::Result<()> {
        let ended;
        let (keep, lines) = match tail.form {
            Form::Ended => (tail.len, lines),
            Form::Unended => {
                ended = [b"\n", lines].concat();
                (tail.len, ended.as_slice())
            }
            Form::Torn { at } => {
                self.set_aside(at, tail.len)?;
                (at, lines)
            }
        };
        let suspect = journals.suspects().get(self.journal).copied();
        if let Some(from) = suspect {
            write_again(self.path, from, keep)?;
        }
        // One write for all entries: the fewer writes, the fewer places where a kill can leave half of them.
        let mut file = self.file;
        let written = file.write_all(lines).and_then(|()| file.sync_data());
        match written {
            Ok(()) if suspect.is_some() => {
                journals.suspects().remove(self.journal);
            }
            Ok(()) => {}
            Err(_) => self.take_back(journals, keep),
        }
        written
    }

    /// After a failed write or sync, makes the file end where it did. Pages whose sync failed are gone with that, but
    /// for the one that holds the new end, which the next append fills and so writes again.
    fn take_back(&self, journals: &Journals, keep: u64) {
        if let Err(error) = self.file.set_len(keep) {
            let (journal, why) = (self.journal.as_str(), error.to_string());
            tracing::warn!(journal, why, "a failed append could not be taken back; the next one writes it again");
            let mut suspects = journals.suspects();
            let from = suspects.entry(self.journal.clone()).or_insert(keep);
            *from = keep.min(*from);
        }
    }

    /// Cuts the torn bytes from `at` on off the journal, after a durable copy of them was made.
    fn set_aside(&self, at: u64, len: u64) -> io::Result<()> {
        let (kept, mut copy) = self.new_torn_file(at)?;
        let mut file = self.file;
        let copied = file
            .seek(SeekFrom::Start(at))
            .and_then(|_| io::copy(&mut file.take(len - at), &mut copy))
            .and_then(|_| copy.sync_all())
            .and_then(|()| kept.parent().map_or(Ok(()), sync_folder));
        if let Err(error) = copied {
            // Half a copy helps nobody; the torn bytes are still where they were.
            let _ = std::fs::remove_file(&kept);
            return Err(error);
        }
        let (journal, bytes, kept) = (self.journal.as_str(), len - at, kept.display().to_string());
        tracing::warn!(journal, at, bytes, kept, "the journal's last line was cut off; its bytes were set aside");
        self.file.set_len(at)
    }

    fn new_torn_file(&self, at: u64) -> io::Result<(PathBuf, File)> {
        for n in 0..TORN_FILES_MAX {
            let path = self.folder.torn(self.journal, at, n);
            match private().write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {}
                other => return other.map(|file| (path, file)),
            }
        }
        Err(io::Error::other("too many torn tails were set aside at one place; move their files away"))
    }
}

/// Writes the bytes between `from` and `until` over themselves, so that the next sync carries them to the disk again.
fn write_again(path: &Path, from: u64, until: u64) -> io::Result<()> {
    // Not the descriptor of the append: that one writes at the end only.
    let mut file = OpenOptions::new().read(true).write(true).open(path)?;
    let mut at = from - from % PAGE_BYTES;
    let mut block = vec![0; BLOCK_BYTES];
    while at < until {
        file.seek(SeekFrom::Start(at))?;
        let size = usize::try_from(until - at).map_or(BLOCK_BYTES, |left| left.min(BLOCK_BYTES));
        let block = &mut block[..size];
        file.read_exact(block)?;
        file.seek(SeekFrom::Start(at))?;
        file.write_all(block)?;
        at += size as u64;
    }
    Ok(())
}
