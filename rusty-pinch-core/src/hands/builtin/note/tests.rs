//! Notes are kept once, found, pinned within bounds, and never counted wrong.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;

use super::*;
use crate::data::{CallId, SessionId, Timestamp, ToolCall};
use crate::hands::{Hands, Invocation, Toolbox};
use crate::store::{
    Change, Entry, Guard, JournalId, Key, KeyRange, LockName, MemoryStore, Page, Position, Record, Revision, Span,
    StoreError,
};
use crate::testing::VirtualClock;

fn notes(store: impl Store) -> Toolbox {
    Toolbox::new().tool(tool(Arc::new(store), Arc::new(VirtualClock::default()))).check().unwrap()
}

async fn say(hands: &Toolbox, call: &str, arguments: serde_json::Value) -> String {
    let call = ToolCall { id: CallId::new(call).unwrap(), name: "note".into(), arguments };
    let session = SessionId::new("demo").unwrap();
    let invocation = Invocation { session, call, bound: vec![], deadline: Timestamp::EPOCH };
    hands.invoke(&invocation).await.unwrap().content
}

async fn add(hands: &Toolbox, call: &str, text: &str) -> String {
    say(hands, call, json!({"action": "add", "text": text})).await
}

#[tokio::test]
async fn notes_are_added_listed_found_and_removed() {
    let hands = notes(MemoryStore::new());
    assert_eq!(say(&hands, "c0", json!({"action": "list"})).await, "There are no notes.");
    assert_eq!(add(&hands, "c1", "the bins go out on Tuesday").await, "Noted as number 1.");
    assert_eq!(add(&hands, "c2", "rent is due on Tuesday").await, "Noted as number 2.");
    let find = |text: &str| json!({"action": "find", "text": text});
    assert_eq!(say(&hands, "c3", find("BIN")).await, "1. the bins go out on Tuesday");
    assert_eq!(say(&hands, "c3", find("rent Tuesday")).await, "2. rent is due on Tuesday");
    assert_eq!(say(&hands, "c3", find("rent bins")).await.lines().count(), 2);
    assert_eq!(say(&hands, "c3", find("milk")).await, "No note is about \"milk\".");
    let remove = json!({"action": "remove", "id": 1});
    assert_eq!(say(&hands, "c4", remove.clone()).await, "Removed note 1: the bins go out on Tuesday");
    assert_eq!(say(&hands, "c4", remove).await, "Note 1 is removed.");
    assert_eq!(say(&hands, "c5", json!({"action": "list"})).await, "2. rent is due on Tuesday");
    assert_eq!(add(&hands, "c6", "third").await, "Noted as number 3.");
}

#[tokio::test]
async fn what_is_missing_or_wrong_is_told() {
    let hands = notes(MemoryStore::new());
    for (arguments, says) in [
        (json!({"action": "add"}), "`text` is missing"),
        (json!({"action": "add", "text": "  "}), "`text` is missing"),
        (json!({"action": "find"}), "`text` is missing"),
        (json!({"action": "pin"}), "`id` is missing"),
        (json!({"action": "pin", "text": "seven"}), "`id` is missing"),
        (json!({"action": "pin", "text": "7"}), "there is no note 7"),
        (json!({"action": "remove", "id": 0}), "there is no note 0"),
        (json!({"action": "remove", "id": u64::MAX}), "there is no note"),
        (json!({"action": "burn"}), "must be one of \"add\", \"list\""),
        (json!({"action": "add", "text": "x".repeat(NOTE_BYTES_MAX + 1)}), "at most 4096 fit"),
    ] {
        let said = say(&hands, "c1", arguments.clone()).await;
        assert!(said.contains(says), "{arguments}: {said}");
    }
}

#[tokio::test]
async fn repeating_a_call_adds_one_note() {
    let store = MemoryStore::new();
    let hands = notes(store.clone());
    assert_eq!(add(&hands, "c1", "once").await, "Noted as number 1.");
    assert_eq!(add(&notes(store.clone()), "c1", "once").await, "Already noted as number 1.");
    assert_eq!(add(&hands, "c2", "once").await, "Noted as number 2.");
    assert_eq!(book::all(&store).await.unwrap().len(), 2);
}

#[tokio::test]
async fn pinned_notes_are_read_alone_and_stay_within_their_bounds() {
    let store = MemoryStore::new();
    let hands = notes(store.clone());
    for n in 1..=17 {
        add(&hands, &format!("c{n}"), &format!("note {n}")).await;
    }
    for n in 1..=16 {
        let said = say(&hands, "p", json!({"action": "pin", "text": n.to_string()})).await;
        assert!(said.contains("is pinned"), "{said}");
    }
    assert!(say(&hands, "p", json!({"action": "pin", "id": 17})).await.contains("unpin one first"));
    assert!(say(&hands, "p", json!({"action": "pin", "id": 16})).await.contains("is pinned"), "pinning again is fine");
    say(&hands, "p", json!({"action": "unpin", "id": 2})).await;
    say(&hands, "p", json!({"action": "remove", "id": 3})).await;
    let ids: Vec<_> = pinned(&store).await.unwrap().iter().map(|note| note.id).collect();
    assert_eq!(ids, [1, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]);
    assert!(say(&hands, "l", json!({"action": "list"})).await.starts_with("1. note 1 (pinned)\n2. note 2\n"));

    add(&hands, "big", &"x".repeat(NOTE_BYTES_MAX)).await;
    add(&hands, "bigger", &"x".repeat(NOTE_BYTES_MAX)).await;
    assert!(say(&hands, "p", json!({"action": "pin", "id": 18})).await.contains("is pinned"));
    assert!(say(&hands, "p", json!({"action": "pin", "id": 19})).await.contains("8192 bytes"));
}

#[tokio::test]
async fn notes_added_at_once_all_get_their_own_number() {
    let store = Forgetful::default();
    let adding: Vec<_> = (0..20)
        .map(|n| {
            let hands = notes(store.clone());
            tokio::spawn(async move { add(&hands, &format!("c{n}"), "x").await })
        })
        .collect();
    for task in adding {
        let said = task.await.unwrap();
        assert!(said.starts_with("Noted as"), "{said}");
    }
    let ids: Vec<_> = book::all(&store).await.unwrap().iter().map(|note| note.id).collect();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
}

#[tokio::test]
async fn many_notes_are_bounded_and_the_newest_listed() {
    let store = MemoryStore::new();
    let hands = notes(store.clone());
    for n in 0..NOTES_MAX {
        add(&hands, &format!("c{n}"), "x").await;
    }
    assert!(add(&hands, "more", "x").await.contains("1000 notes already"));
    let list = say(&hands, "l", json!({"action": "list"})).await;
    assert!(list.starts_with("(950 older ones") && list.ends_with("1000. x"), "{list}");
    say(&hands, "r", json!({"action": "remove", "id": 5})).await;
    assert_eq!(add(&hands, "more", "x").await, "Noted as number 1001.");
}

/// A store that lets others go first after every read, and whose next commit happens although it reports an error, as
/// over a lost connection.
#[derive(Clone, Debug, Default)]
struct Forgetful {
    inner: MemoryStore,
    forgets: Arc<AtomicBool>,
}

#[async_trait]
impl Store for Forgetful {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        self.inner.lock(name, wait).await
    }
    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        self.inner.append(journal, at, entries).await
    }
    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        self.inner.read(journal, span).await
    }
    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        let done = self.inner.commit(changes).await?;
        if self.forgets.swap(false, Ordering::SeqCst) {
            return Err(StoreError::Failed { what: "the commit".into(), source: "gone".into() });
        }
        Ok(done)
    }
    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let record = self.inner.get(key).await;
        tokio::task::yield_now().await;
        record
    }
    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        self.inner.scan(keys, limit).await
    }
}

#[tokio::test]
async fn an_add_whose_end_is_unknown_can_be_repeated() {
    let inner = MemoryStore::new();
    let hands = notes(Forgetful { inner: inner.clone(), forgets: Arc::new(AtomicBool::new(true)) });
    let arguments = json!({"action": "add", "text": "once"});
    let call = ToolCall { id: CallId::new("c1").unwrap(), name: "note".into(), arguments };
    let session = SessionId::new("demo").unwrap();
    let invocation = Invocation { session, call, bound: vec![], deadline: Timestamp::EPOCH };
    let first = hands.invoke(&invocation).await;
    assert!(matches!(first, Err(crate::hands::HandsError::Lost { .. })), "{first:?}");
    assert_eq!(hands.invoke(&invocation).await.unwrap().content, "Already noted as number 1.");
    assert_eq!(book::all(&inner).await.unwrap().len(), 1);
}
