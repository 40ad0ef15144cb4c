//! A store on disk whose every write, sync, truncation and rename fails or is the last thing that its process does.
//!
//! A worker process runs a fixed list of steps over a `LocalStore`, under a library (`interpose/`) that strikes at the
//! k-th disk operation; the tests try every k. The worker says what was acknowledged, and this process looks at what is
//! left: all that was acknowledged, nothing half, nothing that was never asked for.

#![cfg(all(feature = "sqlite", target_os = "linux"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that fails panics")]
#![allow(clippy::disallowed_methods, reason = "the worker is a process with its own environment")]

mod scratch;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use rusty_pinch_core::{
    Change, Entry, Event, JournalId, Key, Line, LocalStore, Page, Position, Precondition, SessionId, Span, Store,
    StoreError, Timestamp,
};
use scratch::scratch;
use serde_json::json;

const FOLDER: &str = "STORE_FAULTS_FOLDER";
/// Set when the worker ends at its first failure, after a look at what is there.
const LOOKS: &str = "STORE_FAULTS_LOOKS";
const ROUNDS: usize = 3;
const TRIES: usize = 3;
const TORN: &[u8] = br#"{"timestamp":"2026-01-01T00:00:00Z","role":"us"#;

fn journal() -> JournalId {
    JournalId::from(&SessionId::new("Demo").unwrap())
}

/// The entries of a round: one, or some that reach over several pages.
fn entries(round: usize) -> Vec<Entry> {
    let say = |content: String| Event::User { content, key: None }.at(Timestamp::EPOCH);
    if round == 1 {
        return vec![say("1a".into()), say(format!("1b{}", "x".repeat(9_000))), say("1c".into())];
    }
    vec![say(round.to_string())]
}

fn contents(page: &Page) -> Vec<String> {
    page.entries().map(|entry| entry.event.content().to_owned()).collect()
}

/// Every content that the rounds before `rounds` append, in order.
fn expected(rounds: usize) -> Vec<String> {
    (0..rounds).flat_map(entries).map(|entry| entry.event.content().to_owned()).collect()
}

// The worker.

/// Does nothing but in the process that [`run`] starts.
#[test]
fn worker() {
    let Some(folder) = std::env::var_os(FOLDER) else { return };
    println!();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(work(Path::new(&folder)));
    // At once: what the store would do when it closes is done in the middle of the work.
    std::process::exit(0);
}

async fn work(folder: &Path) {
    let mut store = LocalStore::open(folder).unwrap();
    // While somebody else has the records open, closing them settles nothing.
    let other = LocalStore::open(folder).unwrap();
    for round in 0..ROUNDS {
        if std::env::var_os(LOOKS).is_some() {
            // The fault may meet this one.
            let _ = other.get(&Key::new(["round"])).await;
        }
        if round == 1 {
            say("close", "");
            drop(store);
            store = LocalStore::open(folder).unwrap();
            say("closed", "");
        }
        persist(&store, &format!("append {round}"), async || append(&store, round).await).await;
        persist(&store, &format!("commit {round}"), async || commit(&store, round).await).await;
    }
}

/// Tries until it is done, as a program would that looks again after each failure.
async fn persist(store: &LocalStore, step: &str, mut attempt: impl AsyncFnMut() -> Result<(), StoreError>) {
    for _ in 0..TRIES {
        say("begin", step);
        match attempt().await {
            Ok(()) => return say("done", step),
            Err(error) => say(&format!("failed {}", name(&error)), step),
        }
        if std::env::var_os(LOOKS).is_some() {
            say("seen", &seen(store).await);
            std::process::exit(0);
        }
    }
    say("gave up", step);
    std::process::exit(0);
}

/// What a reader sees.
async fn seen(store: &LocalStore) -> String {
    let page = store.read(&journal(), Span::Last(usize::MAX)).await.unwrap();
    let round = store.get(&Key::new(["round"])).await.unwrap().map(|record| record.value);
    format!("{} entries, round {round:?}", page.entries().count())
}

/// Appends what is not there of the round's entries.
async fn append(store: &LocalStore, round: usize) -> Result<(), StoreError> {
    let page = store.read(&journal(), Span::From(Position::START, usize::MAX)).await?;
    let there = contents(&page).iter().filter(|content| *content != "again").count();
    let there = there.saturating_sub(expected(round).len());
    let missing = entries(round).split_off(there);
    // Even when all is there: nobody has said yet that it is durable.
    let missing = if missing.is_empty() {
        vec![Event::Stopped { content: "again".into() }.at(Timestamp::EPOCH)]
    } else {
        missing
    };
    store.append(&journal(), page.end, &missing).await.map(drop)
}

async fn commit(store: &LocalStore, round: usize) -> Result<(), StoreError> {
    let found = store.get(&Key::new(["round"])).await?;
    let when = found.as_ref().map_or(Precondition::Absent, |record| Precondition::Revision(record.revision));
    let changes = [
        Change::put(Key::new(["round"]), when, json!(round)),
        Change::put(Key::new(["rounds", &round.to_string()]), Precondition::None, json!("y".repeat(3_000))),
        Change::put(Key::new(["last"]), Precondition::None, json!(round)),
    ];
    store.commit(&changes).await.map(drop)
}

fn say(what: &str, step: &str) {
    println!("{what}: {step}");
}

fn name(error: &StoreError) -> &'static str {
    match error {
        StoreError::Full { .. } => "Full",
        StoreError::Failed { .. } => "Failed",
        StoreError::Busy { .. } => "Busy",
        _ => "something else",
    }
}

// The driver.

/// What stands in the folder before the worker starts.
#[derive(Clone, Copy, Debug)]
enum Before {
    Nothing,
    /// A journal with the first round's entries and a torn line, and records whose log was not written back.
    TornJournal,
}

/// How the disk treats the worker.
#[derive(Clone, Copy, Debug)]
struct Treatment {
    mode: &'static str,
    /// How many operations in a row meet the fault.
    operations: u64,
    swaps_errors: bool,
    cuts_power: bool,
    /// The worker ends at its first failure.
    looks: bool,
}

const fn treatment(mode: &'static str, operations: u64, swaps_errors: bool, cuts_power: bool) -> Treatment {
    Treatment { mode, operations, swaps_errors, cuts_power, looks: false }
}

const FOR_EVER: u64 = 1_000_000;

/// The library that strikes, or none where it can't be built.
fn interposer() -> Option<&'static Path> {
    static BUILT: OnceLock<Option<PathBuf>> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
            // Under its own name first: another run of these tests may be using the one that is there.
            let (fresh, built) =
                (folder.join(format!("interpose-{}.so", std::process::id())), folder.join("interpose.so"));
            let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/interpose/interpose.c");
            let compiler =
                Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).arg(&fresh).arg(source).arg("-ldl").output();
            match compiler {
                Ok(done) => {
                    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
                    std::fs::rename(fresh, &built).unwrap();
                    Some(built)
                }
                Err(error) => {
                    eprintln!("SKIPPED, because there is no C compiler `cc` to build the fault library with: {error}");
                    None
                }
            }
        })
        .as_deref()
}

/// One run of the worker, and what it said.
fn run(library: &Path, folder: &Path, treatment: Treatment, at: u64) -> Vec<String> {
    let mut worker = Command::new(std::env::current_exe().unwrap());
    worker
        .args(["--exact", "worker", "--nocapture", "--test-threads=1"])
        .env(FOLDER, folder)
        .env("LD_PRELOAD", library)
        .env("INTERPOSE_DIR", folder)
        .env("INTERPOSE_MODE", treatment.mode)
        .env("INTERPOSE_AT", at.to_string())
        .env("INTERPOSE_LAST", (at + treatment.operations - 1).to_string());
    if treatment.swaps_errors {
        worker.env("INTERPOSE_SWAP", "1");
    }
    if treatment.looks {
        worker.env(LOOKS, "1");
    }
    if treatment.cuts_power {
        worker.env("INTERPOSE_POWER", "1");
    }
    let output = worker.output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(!said.contains("panicked"), "{said}");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(!errors.contains("panicked"), "{errors}");
    said.lines().map(str::to_owned).collect()
}

async fn prepare(folder: &Path, before: Before) {
    if let Before::TornJournal = before {
        // Copied while it is open, so that the log of the records stays.
        let open = scratch();
        let store = LocalStore::open(open.path()).unwrap();
        append(&store, 0).await.unwrap();
        commit(&store, 0).await.unwrap();
        for sub in ["sessions", "locks"] {
            std::fs::create_dir(folder.join(sub)).unwrap();
        }
        for file in ["state.db", "state.db-wal", "sessions/%44emo.jsonl"] {
            std::fs::copy(open.path().join(file), folder.join(file)).unwrap();
        }
        let mut torn = std::fs::OpenOptions::new().append(true).open(folder.join("sessions/%44emo.jsonl")).unwrap();
        std::io::Write::write_all(&mut torn, TORN).unwrap();
    }
}

/// What the worker's words mean.
#[derive(Debug, Default)]
struct Said {
    appended: usize,
    committed: Option<usize>,
    attempted: Option<usize>,
    count: Option<u64>,
    struck: bool,
}

impl Said {
    /// # Panics
    /// When success was claimed for a step whose disk operation failed.
    fn read(lines: &[String], folder: &str, before: Before, can_hide: bool) -> Self {
        let mut said = Self::default();
        if let Before::TornJournal = before {
            (said.appended, said.committed) = (1, Some(0));
        }
        let (mut is_struck_in_step, mut is_in_commit, mut is_hidden) = (false, false, false);
        for line in lines {
            let (what, step) = line.split_once(": ").unwrap_or((line, ""));
            let number = |prefix: &str| step.strip_prefix(prefix).map(|round| round.parse::<usize>().unwrap());
            match what {
                "begin" => {
                    (is_struck_in_step, is_in_commit) = (false, step.starts_with("commit "));
                    said.attempted = number("commit ").or(said.attempted);
                }
                "done" => {
                    assert!(
                        !is_struck_in_step || is_hidden || can_hide,
                        "success was claimed after a fault: {lines:#?}"
                    );
                    said.appended = number("append ").map_or(said.appended, |round| said.appended.max(round + 1));
                    said.committed = number("commit ").or(said.committed);
                }
                "failed Full" | "failed Failed" => {
                    assert!(is_struck_in_step || can_hide, "failed unharmed: {lines:#?}")
                }
                "gave up" | "seen" | "close" | "closed" => {}
                other if other.starts_with("FAULT ") => {
                    (said.struck, is_struck_in_step) = (true, true);
                    // SQLite syncs the folder when it makes its log and does not tell when that fails; the store does
                    // it once more.
                    is_hidden = is_in_commit && other.ends_with(folder);
                }
                other if other.starts_with("COUNT ") => said.count = other[6..].trim().parse().ok(),
                other => assert!(!other.starts_with("failed"), "{lines:#?}"),
            }
        }
        said
    }
}

/// Looks at what the worker left, with a disk that works again.
async fn check(folder: &Path, before: Before, said: &Said, context: &str) {
    if let Before::TornJournal = before {
        let files = std::fs::read_dir(folder.join("sessions")).unwrap().map(|file| file.unwrap().path());
        let has_torn = files.into_iter().any(|file| std::fs::read(file).unwrap().ends_with(TORN));
        assert!(has_torn, "torn bytes are kept: {context}");
    }
    let store = LocalStore::open(folder).unwrap();
    let page = store.read(&journal(), Span::From(Position::START, usize::MAX)).await.unwrap();
    let torn: Vec<_> = page.lines.iter().filter(|line| matches!(line.line, Line::Unreadable { .. })).collect();
    assert!(torn.iter().all(|line| line.at == page.end), "only the tail can be torn: {torn:?} {context}");
    let found: Vec<_> = contents(&page).into_iter().filter(|content| content != "again").collect();
    assert!(found.len() >= expected(said.appended).len(), "acknowledged entries are there: {found:.20?} {context}");
    let possible = expected((said.appended + 1).min(ROUNDS));
    assert!(possible.starts_with(&found), "no entry is there that was not asked for: {found:.20?} {context}");

    let round = store.get(&Key::new(["round"])).await.unwrap().map(|record| record.value);
    let is_known = [said.committed, said.attempted].iter().any(|known| known.map(|n| json!(n)) == round);
    assert!(is_known, "the last commit is the acknowledged one or the one after it: {round:?} {context}");
    let last = store.get(&Key::new(["last"])).await.unwrap().map(|record| record.value);
    assert_eq!(last, round, "a commit is whole: {context}");
    for round in 0..round.map_or(0, |round| round.as_u64().unwrap() + 1) {
        let part = store.get(&Key::new(["rounds", &round.to_string()])).await.unwrap();
        assert_eq!(part.expect("a commit is whole").value.as_str().unwrap().len(), 3_000, "{context}");
    }

    store
        .append(&journal(), page.end, &entries(0))
        .await
        .unwrap_or_else(|e| panic!("new entries are taken: {e} {context}"));
    let after = store.read(&journal(), Span::Last(usize::MAX)).await.unwrap();
    assert_eq!(after.lines.len() - 1, page.lines.len() - torn.len(), "a new entry takes the place of a torn one");
    store.commit(&[Change::put(Key::new(["new"]), Precondition::None, json!(1))]).await.unwrap();
    drop(store);
    let database = rusqlite::Connection::open(folder.join("state.db")).unwrap();
    let integrity: String = database.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(integrity, "ok", "{context}");
}

/// Strikes at every operation of the worker, one run each.
fn strike_everywhere(before: Before, treatment: Treatment) {
    let Some(library) = interposer() else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut outcomes = HashMap::<bool, u64>::new();
    for at in 1.. {
        let folder = scratch();
        runtime.block_on(prepare(folder.path(), before));
        let lines = run(library, folder.path(), treatment, at);
        let context = format!("{before:?} {treatment:?} at {at}: {lines:#?}");
        let said = Said::read(
            &lines,
            &folder.path().display().to_string(),
            before,
            treatment.operations > 1 || treatment.mode.starts_with("kill"),
        );
        assert!(lines.iter().any(|line| line.starts_with("begin: ")), "the worker works: {context}");
        if let Some(seen) = lines.iter().find_map(|line| line.strip_prefix("seen: ")) {
            let now = runtime.block_on(async { self::seen(&LocalStore::open(folder.path()).unwrap()).await });
            assert_eq!(now, seen, "what was read after a failure stays true: {context}");
        }
        runtime.block_on(check(folder.path(), before, &said, &context));
        *outcomes.entry(said.struck).or_default() += 1;
        if !said.struck {
            assert_eq!((said.appended, said.committed), (ROUNDS, Some(ROUNDS - 1)), "{context}");
            assert!(said.count.is_some_and(|count| count + 1 == at), "{context}");
            break;
        }
    }
    assert!(outcomes[&true] > 40, "the faults reach the store's files: {outcomes:?}");
}

macro_rules! strikes {
    ($($name:ident: $treatment:expr, $($before:ident)+;)*) => {
        $(#[test]
        fn $name() {
            $(strike_everywhere(Before::$before, $treatment);)+
        })*
    };
}

strikes! {
    what_is_read_after_a_failure_stays_true_through_a_kill:
        Treatment { looks: true, ..treatment("fail", 1, false, false) }, Nothing TornJournal;
    what_is_read_after_a_failure_stays_true_through_a_power_cut:
        Treatment { looks: true, ..treatment("fail", 1, false, true) }, Nothing TornJournal;
    an_operation_fails_once: treatment("fail", 1, false, true), Nothing TornJournal;
    an_operation_fails_once_the_other_way: treatment("fail", 1, true, true), TornJournal;
    two_operations_in_a_row_fail: treatment("fail", 2, false, true), Nothing TornJournal;
    the_disk_fails_for_ever: treatment("fail", FOR_EVER, false, true), Nothing TornJournal;
    a_write_is_cut_short_and_the_rest_refused: treatment("half", 2, false, true), TornJournal;
    the_process_is_killed: treatment("kill", 1, false, false), TornJournal;
    the_process_is_killed_in_the_middle_of_a_write: treatment("killhalf", 1, false, false), TornJournal;
    the_power_is_cut: treatment("kill", 1, false, true), Nothing TornJournal;
    the_power_is_cut_in_the_middle_of_a_write: treatment("killhalf", 1, false, true), Nothing TornJournal;
}
