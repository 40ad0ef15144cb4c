//! Whether a folder can be written.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::Check;

/// Checks that files can be made in `folder`, or that it can be made itself. Leaves nothing behind.
pub(super) fn check(name: &'static str, folder: &Path, variable: &'static str) -> Check {
    let fix = |why: &str| format!("{why}, or set {variable} to another folder");
    match nearest(folder) {
        Ok((existing, is_there)) => match probe(existing) {
            Ok(()) if is_there => Check::ok(name, "can be written"),
            Ok(()) => Check::ok(name, "does not exist yet; it will be made when it is needed"),
            Err(error) => Check::error(
                name,
                format!("{} can't be written: {error}", existing.display()),
                fix(remedy(error.kind())),
            ),
        },
        Err(error) => Check::error(
            name,
            format!("{} can't be used as a folder: {error}", folder.display()),
            fix("make room for a folder there"),
        ),
    }
}

fn remedy(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => "free some space",
        ErrorKind::ReadOnlyFilesystem => "mount it so that it can be written",
        _ => "let this user write it",
    }
}

/// The folder itself, or the nearest one above it that exists.
fn nearest(folder: &Path) -> io::Result<(&Path, bool)> {
    for (steps, path) in folder.ancestors().enumerate() {
        // The parent of a relative path's first part.
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => return Ok((path, steps == 0)),
            Ok(_) => return Err(io::Error::new(ErrorKind::NotADirectory, format!("{} is a file", path.display()))),
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    Err(ErrorKind::NotFound.into())
}

/// Writes a file and takes it away again: permissions alone don't tell (read-only mounts, full disks, quotas).
fn probe(folder: &Path) -> io::Result<()> {
    let path = folder.join(format!(".rusty-pinch-doctor-{}", std::process::id()));
    let written = OpenOptions::new()
        .create(true)
        .truncate(true)
        .write(true)
        .open(&path)
        .and_then(|mut file| file.write_all(b"probe\n").and_then(|()| file.flush()));
    match (written, std::fs::remove_file(&path)) {
        (Ok(()), removed) => removed,
        (Err(error), _) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_not_mended_by_permissions() {
        assert_eq!(remedy(ErrorKind::StorageFull), "free some space");
        assert_eq!(remedy(ErrorKind::PermissionDenied), "let this user write it");
    }
}
