//! The clauses of `commit`, `get` and `scan`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::store::poll_once;
use crate::store::{Change, Key, KeyRange, Precondition, Record, Revision, Store, StoreError};

const WRITERS: usize = 6;
const COMMITS_EACH: usize = 8;

pub(super) async fn check<S: Store>(make: &impl AsyncFn() -> S) {
    an_empty_store_has_no_records(&make().await).await;
    a_commit_sets_and_deletes(&make().await).await;
    revisions_grow_across_deletes(&make().await).await;
    preconditions_hold_or_nothing_changes(&make().await).await;
    values_come_back_as_they_were(&make().await).await;
    scans_are_ordered_and_bounded(&make().await).await;
    conflicting_commits_are_refused(Arc::new(make().await)).await;
    a_scan_sees_one_instant(Arc::new(make().await)).await;
    a_dropped_commit_is_whole(&make().await).await;
}

fn key(name: &str) -> Key {
    Key::new([name])
}

fn put(name: &str, value: impl Into<Value>) -> Change {
    Change::put(key(name), Precondition::None, value.into())
}

async fn value(store: &impl Store, name: &str) -> Option<Value> {
    store.get(&key(name)).await.expect("a record can be read").map(|record| record.value)
}

/// All records, for keys that begin with an ASCII letter.
fn letters() -> KeyRange {
    KeyRange { from: key("A"), until: key("~") }
}

async fn an_empty_store_has_no_records(store: &impl Store) {
    assert_eq!(store.get(&key("a")).await.expect("an empty store can be read"), None);
    assert_eq!(store.scan(&letters(), 10).await.expect("an empty store can be scanned"), []);
}

async fn a_commit_sets_and_deletes(store: &impl Store) {
    let first = store.commit(&[put("a", 1), put("b", 2)]).await.expect("a commit without preconditions succeeds");
    for (name, number) in [("a", 1), ("b", 2)] {
        let found = store.get(&key(name)).await.unwrap();
        let expected = Record { key: key(name), value: json!(number), revision: first };
        assert_eq!(found, Some(expected), "all changes of a commit get its revision");
    }
    let absent = Change::delete(key("never there"), Precondition::None);
    store.commit(&[put("a", 3), Change::delete(key("b"), Precondition::None), absent]).await.unwrap();
    assert_eq!((value(store, "a").await, value(store, "b").await), (Some(json!(3)), None));
}

async fn revisions_grow_across_deletes(store: &impl Store) {
    let mut last = Revision::default();
    for round in 0..6 {
        let change = if round % 2 == 0 { put("a", round) } else { Change::delete(key("a"), Precondition::None) };
        let revision = store.commit(&[change]).await.unwrap();
        assert!(revision > last, "a revision is larger than every one before, of deleted records too");
        last = revision;
    }
    let nothing = store.commit(&[]).await.expect("a commit of nothing succeeds");
    assert!(nothing > last && store.commit(&[put("b", 1)]).await.unwrap() > nothing, "and that of an empty commit");
}

async fn preconditions_hold_or_nothing_changes(store: &impl Store) {
    let old = store.commit(&[put("a", 0), put("c", 0)]).await.unwrap();
    let now = store.commit(&[put("a", 1)]).await.unwrap();
    let deleted = store.commit(&[Change::delete(key("c"), Precondition::None)]).await.unwrap();
    let cases = [
        ("a", Precondition::Absent, Some(now)),
        ("a", Precondition::Revision(old), Some(now)),
        ("a", Precondition::Revision(deleted), Some(now)),
        ("b", Precondition::Revision(now), None),
        ("b", Precondition::Revision(Revision::default()), None),
        ("c", Precondition::Revision(old), None),
    ];
    for (name, when, expected) in cases {
        for change in [Change::put(key(name), when, json!("x")), Change::delete(key(name), when)] {
            match store.commit(&[put("d", 1), change, put("e", 1)]).await {
                Err(StoreError::Conflict { key: named, found }) => {
                    assert_eq!((named, found), (key(name), expected), "a Conflict says what was found");
                }
                other => panic!("a precondition that does not hold is a Conflict: {when:?}: {other:?}"),
            }
        }
    }
    let both =
        [("b", Precondition::Revision(now)), ("a", Precondition::Absent)].map(|(n, w)| Change::delete(key(n), w));
    let first = store.commit(&both).await;
    assert!(matches!(&first, Err(StoreError::Conflict { key: named, .. }) if *named == key("b")), "{first:?}");
    let left = store.scan(&letters(), 10).await.unwrap();
    assert_eq!(left, [Record { key: key("a"), value: json!(1), revision: now }], "a Conflict changes nothing");
    let good = [
        Change::put(key("a"), Precondition::Revision(now), json!(2)),
        Change::put(key("b"), Precondition::Absent, json!(2)),
        Change::delete(key("c"), Precondition::Absent),
    ];
    let revision = store.commit(&good).await.expect("a commit whose preconditions hold succeeds");
    store.commit(&[Change::delete(key("a"), Precondition::Revision(revision))]).await.unwrap();
    assert_eq!((value(store, "a").await, value(store, "b").await), (None, Some(json!(2))));
}

async fn values_come_back_as_they_were(store: &impl Store) {
    let values = [
        json!(null),
        json!(""),
        json!("\u{0}\n\"é👩‍👧"),
        json!([0.1, -0.0, 5.164466425822488e-228, 5e-324, u64::MAX, i64::MIN]),
        json!({"a": {"b": [{}, [], ""]}, "": 1}),
        json!("long ".repeat(50_000)),
    ];
    let names = ["a", "é", "日本", "a\u{0}b", "a\nb", &"long".repeat(200)];
    for (name, expected) in names.iter().zip(&values) {
        store.commit(&[put(name, expected.clone())]).await.unwrap_or_else(|error| panic!("{name:?}: {error}"));
    }
    for (name, expected) in names.iter().zip(&values) {
        assert_eq!(value(store, name).await.as_ref(), Some(expected), "a value comes back as it was");
    }
}

async fn scans_are_ordered_and_bounded(store: &impl Store) {
    let parts = ["b", "a", "a\u{0}", "B", "a/b", "é", "z\u{10ffff}", "10", "9", "aa", ""];
    let changes: Vec<_> =
        parts.iter().map(|part| Change::put(Key::new(["in", part]), Precondition::None, json!(part))).collect();
    store.commit(&changes).await.unwrap();
    store.commit(&[put("in", 0), put("in0", 0), put("im/z", 0), put("ino", 0)]).await.unwrap();
    let mut expected: Vec<Key> = changes.iter().map(|change| change.key.clone()).collect();
    expected.sort();
    let range = KeyRange::under(["in"]);
    let keys = async |range: &KeyRange, limit| -> Vec<Key> {
        store.scan(range, limit).await.expect("a range can be scanned").into_iter().map(|r| r.key).collect()
    };
    assert_eq!(keys(&range, usize::MAX).await, expected, "a scan is in key order and keeps to its range");
    for limit in [0, 1, 3] {
        assert_eq!(keys(&range, limit).await, expected[..limit], "a scan keeps its limit");
    }
    let after = range.after(&expected[2]);
    assert_eq!(keys(&after, 2).await, expected[3..5], "a scan goes on after a key");
    let middle = KeyRange { from: expected[1].clone(), until: expected[4].clone() };
    assert_eq!(keys(&middle, 99).await, expected[1..4], "a range holds its first key and not its last");
    for empty in [(&range.from, &range.from), (&range.until, &range.from)] {
        let range = KeyRange { from: empty.0.clone(), until: empty.1.clone() };
        assert_eq!(keys(&range, 99).await, [], "an empty range holds nothing");
    }
}

async fn conflicting_commits_are_refused<S: Store>(store: Arc<S>) {
    store.commit(&[put("sum", 0)]).await.unwrap();
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..WRITERS {
        let store = Arc::clone(&store);
        tasks.spawn(async move {
            let mut done = Vec::new();
            while done.len() < COMMITS_EACH {
                let found = store.get(&key("sum")).await.unwrap().unwrap();
                let next = json!(found.value.as_u64().unwrap() + 1);
                match store.commit(&[Change::put(key("sum"), Precondition::Revision(found.revision), next)]).await {
                    Ok(revision) => done.push(revision),
                    Err(StoreError::Conflict { .. }) => tokio::task::yield_now().await,
                    Err(error) => panic!("a commit succeeds or is a Conflict: {error}"),
                }
            }
            done
        });
    }
    let mut revisions: Vec<_> = tasks.join_all().await.into_iter().flatten().collect();
    assert_eq!(value(&*store, "sum").await, Some(json!(WRITERS * COMMITS_EACH)), "no commit overwrites another");
    revisions.sort();
    revisions.dedup();
    assert_eq!(revisions.len(), WRITERS * COMMITS_EACH, "no two commits get the same revision");
}

async fn a_scan_sees_one_instant<S: Store>(store: Arc<S>) {
    store.commit(&[put("a", 0), put("z", 0)]).await.unwrap();
    let writer = tokio::spawn({
        let store = Arc::clone(&store);
        async move {
            for round in 1..=20 {
                store.commit(&[put("a", round), put("z", round)]).await.unwrap();
            }
        }
    });
    loop {
        let found = store.scan(&letters(), 9).await.unwrap();
        let [a, z] = &found[..] else { panic!("both records are there: {found:?}") };
        assert_eq!((&a.value, a.revision), (&z.value, z.revision), "a scan sees one instant");
        if writer.is_finished() {
            break;
        }
        tokio::task::yield_now().await;
    }
    writer.await.unwrap();
}

async fn a_dropped_commit_is_whole(store: &impl Store) {
    for round in 0..10 {
        let changes = [put("a", round), put("z", round)];
        let mut dropped = Box::pin(store.commit(&changes));
        let _ = poll_once(&mut dropped).await;
        drop(dropped);
        let found: Vec<_> =
            store.scan(&letters(), 9).await.unwrap().into_iter().map(|r| (r.value, r.revision)).collect();
        assert!(
            found.is_empty() || (found.len() == 2 && found[0] == found[1]),
            "a dropped commit makes all changes or none: {found:?}"
        );
    }
}
