//! A journal whose file holds any bytes: it is read whole or in parts alike, and takes new entries.

use std::path::Path;

use rusty_pinch_core::{
    Entry, Event, JournalId, Line, LocalStore, Located, Position, SessionId, Span, Store, StoreError, Timestamp,
};

use crate::{block_on, memory};

/// More lines than an input has.
const ALL: Span = Span::Last(usize::MAX);

pub fn check(bytes: &[u8]) {
    if let Ok(entry) = serde_json::from_slice::<Entry>(bytes) {
        let again = serde_json::to_vec(&entry).expect("what was read can be written");
        assert_eq!(serde_json::from_slice::<Entry>(&again).expect("what was written can be read"), entry);
    }
    let folder = tempfile::tempdir_in(memory()).expect("a folder");
    let file = folder.path().join("sessions/fuzz.jsonl");
    std::fs::create_dir_all(folder.path().join("sessions")).expect("a folder");
    std::fs::write(&file, bytes).expect("a file");
    block_on(read_and_append(folder.path()));
}

async fn read_and_append(folder: &Path) {
    let store = LocalStore::open(folder).expect("a store");
    let journal = JournalId::from(&SessionId::new("fuzz").expect("an id"));
    let whole = store.read(&journal, ALL).await.expect("any file can be read");
    check_parts(&store, &journal, &whole.lines).await;

    let wrong = Position::new(whole.end.number() + 1);
    let entry = Event::User { content: "after all that".to_owned(), key: None }.at(Timestamp::EPOCH);
    let refused = store.append(&journal, wrong, std::slice::from_ref(&entry)).await;
    assert!(matches!(refused, Err(StoreError::Moved { .. })), "{refused:?}");
    let end = store.append(&journal, whole.end, std::slice::from_ref(&entry)).await.expect("an append at the end");

    // A torn tail is set aside; every line before it stays as it was.
    let kept = whole.lines.iter().filter(|line| line.at < whole.end);
    let reopened = LocalStore::open(folder).expect("a store");
    for store in [&store, &reopened] {
        let after = store.read(&journal, ALL).await.expect("any file can be read");
        assert_eq!(after.end, end);
        let (last, before) = after.lines.split_last().expect("at least the new line");
        assert!(matches!(&last.line, Line::Entry(found) if **found == entry), "{last:?}");
        assert!(before.iter().eq(kept.clone()), "{before:?} is not {:?}", whole.lines);
    }
}

/// Whatever part is asked for is that part of the whole.
async fn check_parts(store: &LocalStore, journal: &JournalId, all: &[Located]) {
    let read = async |span| store.read(journal, span).await.expect("any file can be read").lines;
    for (index, line) in all.iter().enumerate().take(6) {
        let left = all.len() - index;
        assert_eq!(read(Span::Last(left)).await, all[index..]);
        assert_eq!(read(Span::From(line.at, 2)).await, all[index..(index + 2).min(all.len())]);
        assert_eq!(read(Span::Before(line.at, 2)).await, all[index.saturating_sub(2)..index]);
    }
}
