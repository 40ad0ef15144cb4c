//! An account's own folder, `CODEX_HOME`: made where it is ours to make, and begun with a login where one was given.
//!
//! A login is never copied from one account to another and never written over one that is there: refresh tokens work
//! once, so two copies of a login lock each other out.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::path::Path;

use super::super::{NAME, on_disk};
use super::CodexAccount;
use crate::brain::{BrainError, CodexLoginSeed};

/// A file of credentials is a few kilobytes.
const SEED_BYTES_MAX: u64 = 1024 * 1024;

/// Makes the home of `account` and its first login, as far as it is wanted and missing.
pub(super) async fn prepare(account: &CodexAccount) -> Result<(), BrainError> {
    if !account.makes_home && account.login_seed.is_none() {
        return Ok(());
    }
    let (home, seed) = (account.config.home.clone(), account.login_seed.clone());
    let makes_home = account.makes_home || seed.is_some();
    let made = on_disk(move || {
        if makes_home {
            make(&home)?;
        }
        seed.map_or(Ok(()), |seed| begin(&home, &seed))
    });
    made.await.map_err(|error| BrainError::NotConfigured {
        brain: NAME.to_owned(),
        detail: format!("the home of its account `{}` could not be made: {error}", account.id),
        fix: "let this user write the data folder, and correct what RUSTY_PINCH_CODEX_CHATGPT_… names".to_owned(),
    })
}

fn make(home: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(home).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", home.display())))
}

/// Puts the login `seed` into `home`, unless there is one. Whole or not at all: it is written beside its place and
/// linked into it, which fails where something is.
fn begin(home: &Path, seed: &CodexLoginSeed) -> io::Result<()> {
    let place = home.join("auth.json");
    if fs::symlink_metadata(&place).is_ok() {
        return Ok(());
    }
    let text = match seed {
        CodexLoginSeed::Text(text) => text.expose().clone().into_bytes(),
        CodexLoginSeed::File(path) => {
            read(path).map_err(|error| io::Error::new(error.kind(), format!("{}: {error}", path.display())))?
        }
    };
    let beside = home.join(format!(".auth.json.{}", std::process::id()));
    // What another process of this number left is no login that anyone uses.
    remove(&beside)?;
    let written = write(&beside, &text).and_then(|()| match fs::hard_link(&beside, &place) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    });
    remove(&beside)?;
    written?;
    #[cfg(unix)]
    File::open(home)?.sync_all()?;
    Ok(())
}

fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    File::open(path)?.take(SEED_BYTES_MAX + 1).read_to_end(&mut text)?;
    let is_object = serde_json::from_slice(&text).is_ok_and(|value: serde_json::Value| value.is_object());
    if text.len() as u64 > SEED_BYTES_MAX || !is_object {
        return Err(io::Error::new(ErrorKind::InvalidData, "it is no file `auth.json` of the Codex CLI"));
    }
    Ok(text)
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    file.write_all(text)?;
    file.sync_all()
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::brain::CodexConfig;
    use crate::{AccountId, Secret};

    fn account(home: &Path, seed: Option<CodexLoginSeed>) -> CodexAccount {
        let mut account = CodexAccount::new(AccountId::usual(), CodexConfig::new("codex", home), 1);
        account.makes_home = true;
        account.login_seed = seed;
        account
    }

    fn text(text: &str) -> Option<CodexLoginSeed> {
        Some(CodexLoginSeed::Text(Secret::new(text.to_owned())))
    }

    #[tokio::test]
    async fn a_home_begins_with_the_login_and_keeps_the_one_it_has() {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().join("codex/a");
        prepare(&account(&home, None)).await.unwrap();
        assert_eq!(fs::read_dir(&home).unwrap().count(), 0);
        assert_eq!(fs::metadata(&home).unwrap().permissions().mode() & 0o777, 0o700);
        for (given, kept) in [("{\"first\":1}", "{\"first\":1}"), ("{\"second\":2}", "{\"first\":1}")] {
            prepare(&account(&home, text(given))).await.unwrap();
            assert_eq!(fs::read_to_string(home.join("auth.json")).unwrap(), kept);
        }
        assert_eq!(fs::metadata(home.join("auth.json")).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_dir(&home).unwrap().count(), 1, "nothing is left beside it");
    }

    #[tokio::test]
    async fn a_file_that_is_no_login_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("login");
        for bad in [None, Some("no json"), Some("[1]")] {
            if let Some(bad) = bad {
                fs::write(&file, bad).unwrap();
            }
            let home = dir.path().join("home");
            let error = prepare(&account(&home, Some(CodexLoginSeed::File(file.clone())))).await.unwrap_err();
            assert!(
                matches!(error, BrainError::NotConfigured { .. }) && error.to_string().contains("login"),
                "{error}"
            );
            assert!(!home.join("auth.json").exists());
        }
        fs::write(&file, "{\"tokens\":{}}").unwrap();
        let home = dir.path().join("home");
        prepare(&account(&home, Some(CodexLoginSeed::File(file)))).await.unwrap();
        assert_eq!(fs::read_to_string(home.join("auth.json")).unwrap(), "{\"tokens\":{}}");
    }
}
