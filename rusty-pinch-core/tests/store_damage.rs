//! A store on disk whose files were cut, damaged, swapped or come from elsewhere.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]

mod scratch;

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusty_pinch_core::{
    Change, Entry, Event, JournalId, Key, KeyRange, Line, LocalStore, LockName, Page, Position, Precondition,
    SessionId, Span, Store, StoreError, Timestamp,
};
use scratch::scratch;
use serde_json::json;
use tempfile::TempDir;

fn session(name: &str) -> SessionId {
    SessionId::new(name).unwrap()
}

fn journal() -> JournalId {
    JournalId::from(&session("demo"))
}

fn said(content: &str) -> Entry {
    Event::User { content: content.into(), key: None }.at(Timestamp::EPOCH)
}

async fn all(store: &LocalStore) -> Page {
    store.read(&journal(), Span::From(Position::START, usize::MAX)).await.unwrap()
}

fn contents(page: &Page) -> Vec<&str> {
    page.entries().map(|entry| entry.event.content()).collect()
}

fn unreadable(page: &Page) -> Vec<Position> {
    page.lines.iter().filter(|line| matches!(line.line, Line::Unreadable { .. })).map(|line| line.at).collect()
}

/// A store whose journal `demo` holds exactly `bytes`.
fn holding(bytes: &[u8]) -> (TempDir, LocalStore, PathBuf) {
    let folder = scratch();
    fs::create_dir(folder.path().join("sessions")).unwrap();
    let path = folder.path().join("sessions/demo.jsonl");
    fs::write(&path, bytes).unwrap();
    let store = LocalStore::open(folder.path()).unwrap();
    (folder, store, path)
}

/// The bytes of a journal with these entries, and where each line begins.
async fn written(contents: &[&str]) -> (Vec<u8>, Vec<u64>) {
    let (_folder, store, path) = holding(b"");
    let (mut end, mut starts) = (Position::START, Vec::new());
    for content in contents {
        starts.push(end.number());
        end = store.append(&journal(), end, &[said(content)]).await.unwrap();
    }
    (fs::read(path).unwrap(), starts)
}

#[tokio::test]
async fn a_journal_cut_anywhere_keeps_its_whole_lines_and_takes_new_ones() {
    let (bytes, starts) = written(&["one", "two", "three"]).await;
    for cut in 0..=bytes.len() {
        let (folder, store, _) = holding(&bytes[..cut]);
        let page = all(&store).await;
        // A line that lacks its newline only is whole.
        let whole = starts[1..].iter().chain([&(bytes.len() as u64)]).filter(|end| **end <= cut as u64 + 1).count();
        assert_eq!(contents(&page), ["one", "two", "three"][..whole], "cut at {cut}");
        let torn = starts.iter().copied().find(|start| *start == page.end.number() && *start < cut as u64);
        assert_eq!(unreadable(&page), torn.map(Position::new).into_iter().collect::<Vec<_>>(), "cut at {cut}");

        store.append(&journal(), page.end, &[said("new")]).await.unwrap();
        let after = all(&store).await;
        assert_eq!(contents(&after).split_last().unwrap(), (&"new", contents(&page).as_slice()), "cut at {cut}");
        assert!(unreadable(&after).is_empty(), "cut at {cut}");
        if let Some(torn) = torn {
            let kept = folder.path().join(format!("sessions/demo.jsonl.torn-{torn}-0"));
            assert_eq!(fs::read(kept).unwrap(), bytes[torn as usize..cut], "torn bytes are kept as they were");
        }
    }
}

#[tokio::test]
async fn a_flipped_byte_costs_its_line_and_no_other() {
    let (bytes, starts) = written(&["one", "two", "three"]).await;
    for index in starts[2] as usize..bytes.len() {
        for flip in [0x01, 0x20, 0x80, 0xff, bytes[index] ^ b'\n'] {
            let mut damaged = bytes.clone();
            damaged[index] ^= flip;
            let (_folder, store, _) = holding(&damaged);
            let page = all(&store).await;
            let found = contents(&page);
            let context = format!("byte {index} ^ {flip:#x}: {page:?}");
            assert!(found == ["one", "two"] || found == ["one", "two", "three"], "{context}");
            assert_ne!(found.len() == 2, unreadable(&page).is_empty(), "damage is told: {context}");
            store.append(&journal(), page.end, &[said("new")]).await.unwrap();
            let after = all(&store).await;
            assert_eq!(contents(&after).last(), Some(&"new"), "{context}");
            assert_eq!(contents(&after).split_last().unwrap().1, found, "{context}");
        }
    }
}

#[tokio::test]
async fn damage_in_the_middle_stays_in_its_place() {
    let (bytes, starts) = written(&["one", "two", "three"]).await;
    let mut damaged = bytes.clone();
    damaged[starts[1] as usize + 60..starts[2] as usize - 1].fill(0);
    let (_folder, store, _) = holding(&damaged);
    let page = all(&store).await;
    assert_eq!((contents(&page), unreadable(&page)), (vec!["one", "three"], vec![Position::new(starts[1])]));
    assert_eq!(page.end.number(), bytes.len() as u64);
}

#[tokio::test]
async fn lines_that_people_write_are_taken_also_without_a_last_newline() {
    let line = r#"{"role":"user","content":"by hand","timestamp":"2026-01-01T00:00:00Z","mood":"fine"}"#;
    for text in [format!("{line}\n"), format!("{line}\r\n"), line.to_owned()] {
        let (folder, store, path) = holding(text.as_bytes());
        let page = all(&store).await;
        assert_eq!((contents(&page), unreadable(&page)), (vec!["by hand"], vec![]), "{text:?}");
        let end = store.append(&journal(), page.end, &[said("next")]).await.unwrap();
        assert_eq!(contents(&all(&store).await), ["by hand", "next"]);
        assert_eq!((all(&store).await.end, fs::metadata(path).unwrap().len()), (end, end.number()));
        assert_eq!(fs::read_dir(folder.path().join("sessions")).unwrap().count(), 1, "nothing was set aside");
    }
}

#[tokio::test]
async fn torn_tails_at_one_place_are_all_kept_and_the_longest_id_has_room_for_them() {
    let longest = JournalId::from(&session(&"É".repeat(40)));
    let folder = scratch();
    let store = LocalStore::open(folder.path()).unwrap();
    store.append(&longest, Position::START, &[said("one")]).await.unwrap();
    let path = fs::read_dir(folder.path().join("sessions")).unwrap().next().unwrap().unwrap().path();
    let one = fs::read(&path).unwrap();
    for round in 0..3 {
        fs::write(&path, [&one[..], b"{torn", &[b'0' + round]].concat()).unwrap();
        let end = store.read(&longest, Span::Last(1)).await.unwrap().end;
        store.append(&longest, end, &[said("two")]).await.unwrap();
    }
    let mut kept: Vec<_> =
        files(&folder.path().join("sessions")).into_iter().filter(|path| !path.ends_with(".jsonl")).collect();
    kept.sort();
    let kept: Vec<_> = kept.iter().map(|name| fs::read(folder.path().join("sessions").join(name)).unwrap()).collect();
    assert_eq!(kept, [b"{torn0", b"{torn1", b"{torn2"]);
}

fn files(folder: &Path) -> Vec<String> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
}

#[tokio::test]
async fn reading_makes_nothing_and_writing_makes_only_private_files() {
    let above = scratch();
    let folder = above.path().join("deep/data");
    let store = LocalStore::open(&folder).unwrap();
    assert!(all(&store).await.lines.is_empty());
    assert_eq!(store.get(&Key::new(["a"])).await.unwrap(), None);
    assert_eq!(store.scan(&KeyRange::under(["a"]), 9).await.unwrap(), []);
    assert_eq!(store.append(&journal(), Position::START, &[]).await.unwrap(), Position::START);
    assert!(store.append(&journal(), Position::new(3), &[said("x")]).await.is_err());
    assert!(!above.path().join("deep").exists(), "reading made {:?}", files(above.path()));

    store.append(&journal(), Position::START, &[said("x")]).await.unwrap();
    assert_eq!(files(&folder), ["sessions"], "records are made when they are written");
    store.commit(&[]).await.unwrap();
    let _guard = store.lock(&LockName::session(&session("demo")), Duration::ZERO).await.unwrap();
    #[cfg(unix)]
    for path in
        ["", "sessions", "locks", "sessions/demo.jsonl", "state.db", "state.db-wal", "locks/session%3Ademo.lock"]
    {
        use std::os::unix::fs::PermissionsExt;
        let found = fs::metadata(folder.join(path)).unwrap();
        let expected = if found.is_dir() { 0o700 } else { 0o600 };
        assert_eq!(found.permissions().mode() & 0o777, expected, "{path}");
    }
    let pid = fs::read_to_string(folder.join("locks/session%3Ademo.lock")).unwrap();
    assert_eq!(pid.trim(), std::process::id().to_string());
}

#[tokio::test]
async fn a_data_folder_that_is_none_is_refused() {
    let folder = scratch();
    let file = folder.path().join("file");
    fs::write(&file, "").unwrap();
    for wrong in [file, PathBuf::new()] {
        let error = LocalStore::open(&wrong).unwrap_err();
        assert!(matches!(error, StoreError::Failed { .. }) && error.to_string().contains("data folder"), "{error}");
    }
}

#[tokio::test]
async fn a_journal_that_was_removed_or_replaced_is_not_written_to_unseen() {
    let (_folder, store, path) = holding(b"");
    let end = store.append(&journal(), Position::START, &[said("one")]).await.unwrap();
    fs::remove_file(&path).unwrap();
    let moved = store.append(&journal(), end, &[said("two")]).await;
    assert!(matches!(moved, Err(StoreError::Moved { found: Position::START, .. })), "{moved:?}");
    store.append(&journal(), Position::START, &[said("again")]).await.unwrap();
    assert_eq!(contents(&all(&store).await), ["again"]);
}

#[tokio::test]
async fn an_append_that_waits_for_a_file_that_is_replaced_goes_to_the_new_one() {
    let (folder, store, path) = holding(b"");
    let end = store.append(&journal(), Position::START, &[said("one")]).await.unwrap();
    let old = fs::File::open(&path).unwrap();
    old.lock().unwrap();
    let append = tokio::spawn(async move { store.append(&journal(), end, &[said("two")]).await });
    // Long enough to begin waiting, as a rule; if not, the append just finds the new file.
    tokio::time::sleep(Duration::from_millis(20)).await;
    fs::copy(&path, path.with_extension("new")).unwrap();
    fs::rename(path.with_extension("new"), &path).unwrap();
    drop(old);
    append.await.unwrap().unwrap();
    assert_eq!(contents(&all(&LocalStore::open(folder.path()).unwrap()).await), ["one", "two"]);
}

#[tokio::test]
async fn records_that_were_moved_away_while_they_were_open_are_not_written_to() {
    let folder = scratch();
    let store = LocalStore::open(folder.path()).unwrap();
    let put = [Change::put(Key::new(["a"]), Precondition::Absent, json!(1))];
    store.commit(&put).await.unwrap();
    for file in ["state.db", "state.db-wal", "state.db-shm"] {
        fs::rename(folder.path().join(file), folder.path().join(format!("old-{file}"))).unwrap();
    }
    store.commit(&put).await.expect("the new records hold nothing");
    let again = LocalStore::open(folder.path()).unwrap();
    assert_eq!(again.get(&Key::new(["a"])).await.unwrap().unwrap().value, json!(1));
}

/// A store with a record `a`, whose log is as it is while a process has it open.
async fn with_log() -> TempDir {
    let (open, copy) = (scratch(), scratch());
    let store = LocalStore::open(open.path()).unwrap();
    for round in 0..3 {
        store.commit(&[Change::put(Key::new(["a"]), Precondition::None, json!(round))]).await.unwrap();
    }
    for file in ["state.db", "state.db-wal"] {
        fs::copy(open.path().join(file), copy.path().join(file)).unwrap();
    }
    copy
}

#[tokio::test]
async fn a_log_of_records_that_was_cut_or_damaged_keeps_earlier_commits() {
    let source = with_log().await;
    let log = fs::read(source.path().join("state.db-wal")).unwrap();
    let base = fs::read(source.path().join("state.db")).unwrap();
    // The last commit is somewhere in the last pages; every 61st place of them, for time's sake.
    let places: Vec<usize> = (log.len().saturating_sub(9_000)..log.len()).step_by(61).chain([log.len() - 1]).collect();
    for place in places {
        let mut flipped = log.clone();
        flipped[place] ^= 0x10;
        for damaged in [&log[..place], &flipped[..]] {
            let folder = scratch();
            fs::write(folder.path().join("state.db"), &base).unwrap();
            fs::write(folder.path().join("state.db-wal"), damaged).unwrap();
            let store = LocalStore::open(folder.path()).unwrap();
            let found = store.get(&Key::new(["a"])).await.unwrap().map(|record| record.value);
            assert!([Some(json!(0)), Some(json!(1)), Some(json!(2))].contains(&found), "{found:?} at {place}");
            let revision = store.commit(&[Change::put(Key::new(["a"]), Precondition::None, json!(9))]).await.unwrap();
            let after = store.get(&Key::new(["a"])).await.unwrap().unwrap();
            assert_eq!((after.value, after.revision), (json!(9), revision));
        }
    }
}

#[tokio::test]
async fn records_that_are_damaged_or_of_a_newer_version_are_refused_with_the_fix() {
    let folder = with_log().await;
    let path = folder.path().join("state.db");
    fs::remove_file(folder.path().join("state.db-wal")).unwrap();
    fs::write(&path, b"this is not a database, but it is long enough to be looked at".repeat(100)).unwrap();
    let store = LocalStore::open(folder.path()).unwrap();
    for error in [store.get(&Key::new(["a"])).await.unwrap_err(), store.commit(&[]).await.unwrap_err()] {
        let StoreError::Damaged { what, why } = &error else { panic!("{error:?}") };
        assert!(what.ends_with("state.db") && why.contains("move the three away"), "{error}");
    }
    assert!(all(&store).await.lines.is_empty(), "journals do not need the records");
    // The fix works in the same process.
    fs::remove_file(&path).unwrap();
    assert_eq!(store.get(&Key::new(["a"])).await.unwrap(), None);
    store.commit(&[Change::put(Key::new(["a"]), Precondition::Absent, json!(1))]).await.unwrap();
    drop(store);

    let database = rusqlite::Connection::open(&path).unwrap();
    database.pragma_update(None, "user_version", 99).unwrap();
    drop(database);
    let store = LocalStore::open(folder.path()).unwrap();
    let error = store.get(&Key::new(["a"])).await.unwrap_err();
    assert!(matches!(error, StoreError::TooNew { found: 99, .. }) && error.to_string().contains("state.db"), "{error}");

    fs::write(&path, "").unwrap();
    let store = LocalStore::open(folder.path()).unwrap();
    assert_eq!(store.get(&Key::new(["a"])).await.unwrap(), None, "an empty file is a new one");

    fs::remove_file(&path).unwrap();
    fs::create_dir(&path).unwrap();
    let store = LocalStore::open(folder.path()).unwrap();
    let error = store.get(&Key::new(["a"])).await.unwrap_err();
    assert!(matches!(error, StoreError::Failed { .. }) && error.to_string().contains("state.db"), "{error}");
}

#[tokio::test]
async fn a_record_that_is_no_json_is_damaged_and_the_others_are_not() {
    let folder = with_log().await;
    let database = rusqlite::Connection::open(folder.path().join("state.db")).unwrap();
    database.execute("INSERT INTO records (key, value, revision) VALUES ('bad', '{', 1)", []).unwrap();
    drop(database);
    let store = LocalStore::open(folder.path()).unwrap();
    let error = store.get(&Key::new(["bad"])).await.unwrap_err();
    assert!(matches!(&error, StoreError::Damaged { what, .. } if what.contains("bad")), "{error}");
    assert_eq!(store.get(&Key::new(["a"])).await.unwrap().unwrap().value, json!(2));
    store.commit(&[Change::delete(Key::new(["bad"]), Precondition::None)]).await.unwrap();
}

#[tokio::test]
async fn what_is_too_large_is_refused_before_anything_is_written() {
    let folder = scratch();
    let store = LocalStore::open(folder.path().join("data")).unwrap();
    let huge = "x".repeat(17 * 1024 * 1024);
    let entry = store.append(&journal(), Position::START, &[said("small"), said(&huge)]).await.unwrap_err();
    let value = store.commit(&[Change::put(Key::new(["a"]), Precondition::None, json!(huge))]).await.unwrap_err();
    let key = store.commit(&[Change::delete(Key::new([huge.as_str()]), Precondition::None)]).await.unwrap_err();
    for error in [entry, value, key] {
        assert!(matches!(error, StoreError::TooLarge { .. }) && error.to_string().len() < 300, "{error:.500}");
    }
    assert!(!folder.path().join("data").exists());
}
