//! Two processes on one store.

#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]
#![allow(clippy::disallowed_methods, reason = "the workers are processes with their own environment")]

mod scratch;

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rusty_pinch_core::{
    Change, Event, JournalId, Key, LocalStore, LockName, Position, Precondition, SessionId, Span, Store, StoreError,
    Timestamp,
};
use scratch::scratch;
use serde_json::json;

const FOLDER: &str = "STORE_PROCESSES_FOLDER";
const TASK: &str = "STORE_PROCESSES_TASK";
const APPENDS_EACH: usize = 5_000;
/// How many entries a worker appends before it lets the other one in.
const APPENDS_AT_ONCE: usize = 4;
const COMMITS_EACH: u64 = 200;
const LONG: Duration = Duration::from_secs(60);

fn session() -> SessionId {
    SessionId::new("demo").unwrap()
}

/// Does nothing but in the processes that [`start`] starts.
#[test]
fn worker() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    let task = std::env::var(TASK).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let store = LocalStore::open(Path::new(&folder)).unwrap();
    runtime.block_on(async {
        match task.as_str() {
            "count" => count(&store).await,
            "hold" => hold(&store).await,
            "look" => drop(store.get(&Key::new(["a"])).await.unwrap().unwrap()),
            name => append(&store, name).await,
        }
    });
}

/// Appends under the session's lock, as turns do.
async fn append(store: &LocalStore, name: &str) {
    let (lock, journal) = (LockName::session(&session()), JournalId::from(&session()));
    for first in (0..APPENDS_EACH).step_by(APPENDS_AT_ONCE) {
        let guard = store.lock(&lock, LONG).await.unwrap();
        let mut end = store.read(&journal, Span::Last(0)).await.unwrap().end;
        for n in first..first + APPENDS_AT_ONCE {
            let entry = Event::User { content: format!("{name} {n}"), key: None }.at(Timestamp::EPOCH);
            end = store.append(&journal, end, &[entry]).await.expect("the holder of the lock is never overtaken");
        }
        drop(guard);
        tokio::time::sleep(Duration::from_micros(200)).await;
    }
}

/// Counts up one record, going back to look whenever somebody else did.
async fn count(store: &LocalStore) {
    let key = Key::new(["count"]);
    let mut done = 0;
    while done < COMMITS_EACH {
        let found = store.get(&key).await.unwrap();
        let (when, next) = match &found {
            Some(record) => (Precondition::Revision(record.revision), record.value.as_u64().unwrap() + 1),
            None => (Precondition::Absent, 1),
        };
        match store.commit(&[Change::put(key.clone(), when, json!(next))]).await {
            Ok(_) => done += 1,
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => panic!("a commit succeeds or is a Conflict: {error:?}"),
        }
    }
}

/// Holds the session's lock until it is killed.
async fn hold(store: &LocalStore) {
    let _guard = store.lock(&LockName::session(&session()), LONG).await.unwrap();
    println!("\nheld");
    std::future::pending().await
}

fn start(folder: &Path, task: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "worker", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env(TASK, task)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn finish(worker: Child) {
    let output = worker.wait_with_output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
}

#[tokio::test]
async fn ten_thousand_appends_of_two_processes_are_all_there_in_order() {
    let folder = scratch();
    let workers = ["a", "b"].map(|name| start(folder.path(), name));
    workers.into_iter().for_each(finish);
    let store = LocalStore::open(folder.path()).unwrap();
    let page = store.read(&JournalId::from(&session()), Span::From(Position::START, usize::MAX)).await.unwrap();
    assert_eq!(page.lines.len(), 2 * APPENDS_EACH, "none lost");
    let found: Vec<_> = page.entries().map(|entry| entry.event.content()).collect();
    assert_eq!(found.len(), 2 * APPENDS_EACH, "none merged");
    for name in ["a", "b"] {
        let own = found.iter().filter_map(|content| content.strip_prefix(name)?.trim().parse::<usize>().ok());
        assert!(own.eq(0..APPENDS_EACH), "the entries of {name} keep their order");
    }
    let turns = found.windows(2).filter(|pair| pair[0][..1] != pair[1][..1]).count();
    assert!(turns > 50, "the processes took turns only {turns} times");
    println!("the processes took turns {turns} times");
}

#[tokio::test]
async fn two_processes_that_count_up_one_record_overwrite_nothing() {
    // Both make the file, too.
    let folder = scratch();
    let workers = ["count", "count"].map(|task| start(folder.path(), task));
    workers.into_iter().for_each(finish);
    let store = LocalStore::open(folder.path()).unwrap();
    let found = store.get(&Key::new(["count"])).await.unwrap().unwrap();
    assert_eq!((found.value, found.revision.number()), (json!(2 * COMMITS_EACH), 2 * COMMITS_EACH));
}

#[tokio::test]
async fn a_lock_is_busy_while_its_process_lives_and_free_when_it_is_killed() {
    let folder = scratch();
    let mut worker = start(folder.path(), "hold");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(worker.stdout.take().unwrap()));
    assert!(lines.any(|line| line.unwrap() == "held"));
    let store = LocalStore::open(folder.path()).unwrap();
    let name = LockName::session(&session());
    for wait in [Duration::ZERO, Duration::from_millis(20)] {
        let busy = store.lock(&name, wait).await;
        assert!(matches!(busy, Err(StoreError::Busy { .. })), "{busy:?}");
    }
    let other = LockName::task("other");
    store.lock(&other, Duration::ZERO).await.expect("another lock is free");
    worker.kill().unwrap();
    worker.wait().unwrap();
    store.lock(&name, Duration::ZERO).await.expect("the lock of a process that died is free");
}

/// When the last process closes the records, SQLite removes their log; which one is the last it knows from file locks,
/// and those a process loses when it closes any descriptor of the file.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_records_stay_locked_as_open_whoever_else_opens_them() {
    use std::os::unix::fs::MetadataExt;
    let folder = scratch();
    let put = |n: u32| [Change::put(Key::new(["a"]), Precondition::None, json!(n))];
    let store = LocalStore::open(folder.path()).unwrap();
    store.commit(&put(1)).await.unwrap();
    let second = LocalStore::open(folder.path()).unwrap();
    second.commit(&put(2)).await.unwrap();
    drop(second);
    let inode = std::fs::metadata(folder.path().join("state.db")).unwrap().ino();
    let locks = std::fs::read_to_string("/proc/locks").unwrap();
    assert!(locks.lines().any(|lock| lock.contains(&format!(":{inode} "))), "{locks}");
    finish(start(folder.path(), "look"));
    assert!(folder.path().join("state.db-wal").exists(), "the log of an open file was removed");
    store.commit(&put(3)).await.unwrap();
    let third = LocalStore::open(folder.path()).unwrap();
    assert_eq!(third.get(&Key::new(["a"])).await.unwrap().unwrap().value, json!(3));
}
