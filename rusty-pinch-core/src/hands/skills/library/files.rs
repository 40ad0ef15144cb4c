//! Reading and writing the files of the folder.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use super::SkillFault;
use crate::data::Timestamp;

/// What tells one state of a file from another without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    size: u64,
    modified: Option<SystemTime>,
    /// Inode, and the change time that no program can set: seconds, nanoseconds.
    identity: (u64, i64, i64),
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        #[cfg(unix)]
        let identity = {
            use std::os::unix::fs::MetadataExt;
            (metadata.ino(), metadata.ctime(), metadata.ctime_nsec())
        };
        #[cfg(not(unix))]
        let identity = (0, 0, 0);
        Self { size: metadata.len(), modified: metadata.modified().ok(), identity }
    }
}

pub(super) fn timestamp(at: SystemTime) -> Option<Timestamp> {
    let millis = at.duration_since(UNIX_EPOCH).ok()?.as_millis();
    i64::try_from(millis).ok().map(Timestamp::from_millis)
}

/// The bytes of a plain file that is not too long. Links are not followed, and nothing that blocks is opened: what was
/// looked at before is compared with what was opened.
pub(super) fn read_plain(path: &Path, seen: &Metadata, bytes_max: usize) -> Result<Vec<u8>, SkillFault> {
    if let Some(what) = other_than_file(seen) {
        return Err(SkillFault::NotAFile { what });
    }
    let too_long = |size_bytes| SkillFault::TooLong { size_bytes };
    if seen.len() > bytes_max as u64 {
        return Err(too_long(seen.len()));
    }
    let unreadable = |error: io::Error| SkillFault::Unreadable { why: error.to_string() };
    let file = open(path).map_err(unreadable)?;
    let opened = file.metadata().map_err(unreadable)?;
    if let Some(what) = other_than_file(&opened) {
        return Err(SkillFault::NotAFile { what });
    }
    let mut bytes = Vec::new();
    file.take(bytes_max as u64 + 1).read_to_end(&mut bytes).map_err(unreadable)?;
    if bytes.len() > bytes_max { Err(too_long(bytes.len() as u64)) } else { Ok(bytes) }
}

fn other_than_file(metadata: &Metadata) -> Option<&'static str> {
    let kind = metadata.file_type();
    match () {
        () if kind.is_file() => None,
        () if kind.is_symlink() => Some("a link"),
        () if kind.is_dir() => Some("a folder"),
        () => Some("no file (a pipe, a socket or a device)"),
    }
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use rustix::fs::OFlags;
        use std::os::unix::fs::OpenOptionsExt;
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits();
        options.custom_flags(i32::try_from(flags).unwrap_or_default());
    }
    options.open(path)
}

/// Makes `folder` and those around it, open to their owner only.
pub(super) fn make_folder(folder: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(folder)
}

/// Writes `bytes` to a new file at `path`, whole or not at all; false, and nothing happens, when there is one.
pub(super) fn write_new(path: &Path, bytes: &[u8]) -> io::Result<bool> {
    let temporary = written(path, bytes)?;
    match temporary.persist_noclobber(path) {
        Ok(_) => Ok(true),
        Err(error) if error.error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(error.error),
    }
}

/// Replaces the file at `path` by one with `bytes`.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    written(path, bytes)?.persist(path).map(|_| ()).map_err(|error| error.error)
}

/// A file beside `path`, on disk, that only its owner may read and that goes away unless it is kept.
fn written(path: &Path, bytes: &[u8]) -> io::Result<tempfile::NamedTempFile> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".writing-").tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    Ok(file)
}
