//! The clauses of `append` and `read`.

use std::sync::Arc;

use serde_json::json;

use super::store::{all, contents, journal, poll_once, said, session};
use crate::data::{ApprovalToken, CallId, CallOutcome, Timestamp, ToolCall, Usage};
use crate::store::{Entry, Event, JournalId, Position, Span, Store, StoreError, Verdict};

const WRITERS: usize = 8;
const APPENDS_EACH: usize = 12;
const RACES: usize = 40;

pub(super) async fn check<S: Store>(make: &impl AsyncFn() -> S) {
    a_missing_journal_is_empty(&make().await).await;
    an_append_names_the_end(&make().await).await;
    an_empty_append_only_checks(&make().await).await;
    entries_come_back_as_they_were(&make().await).await;
    spans_are_cut_like_lists(&make().await).await;
    journals_keep_apart(&make().await).await;
    of_two_appends_at_one_position_one_wins(Arc::new(make().await)).await;
    many_writers_lose_and_merge_nothing(Arc::new(make().await)).await;
    a_dropped_append_leaves_whole_entries(&make().await).await;
}

async fn a_missing_journal_is_empty(store: &impl Store) {
    let at = Position::new(7);
    for span in [Span::Last(9), Span::From(Position::START, 9), Span::From(at, 9), Span::Before(at, 9)] {
        let page = store.read(&journal("none"), span).await.expect("a journal that does not exist can be read");
        assert!(page.lines.is_empty() && page.end == Position::START && page.reaches_start(), "{page:?}");
    }
}

async fn an_append_names_the_end(store: &impl Store) {
    let journal = journal("demo");
    let one = store.append(&journal, Position::START, &[said("1")]).await.expect("an append at the end succeeds");
    assert!(one > Position::START, "positions grow");
    let two = store.append(&journal, one, &[said("2"), said("3")]).await.expect("an append at the end succeeds");
    assert!(two > one, "positions grow");
    for wrong in [Position::START, one, Position::new(two.number() + 1), Position::new(u64::MAX)] {
        match store.append(&journal, wrong, &[said("x")]).await {
            Err(StoreError::Moved { journal: moved, expected, found }) => {
                assert_eq!((moved, expected, found), (journal.clone(), wrong, two), "Moved says what was found");
            }
            other => panic!("an append elsewhere than at the end is Moved: {other:?}"),
        }
    }
    let page = all(store, &journal).await;
    assert_eq!((contents(&page), page.end), (vec!["1".into(), "2".into(), "3".into()], two), "Moved writes nothing");
    let wrong = store.append(&self::journal("new"), one, &[said("x")]).await;
    assert!(matches!(wrong, Err(StoreError::Moved { found: Position::START, .. })), "{wrong:?}");
    assert!(all(store, &self::journal("new")).await.lines.is_empty(), "Moved writes nothing");
}

async fn an_empty_append_only_checks(store: &impl Store) {
    let journal = journal("demo");
    assert_eq!(store.append(&journal, Position::START, &[]).await.unwrap(), Position::START);
    let end = store.append(&journal, Position::START, &[said("1")]).await.unwrap();
    assert_eq!(store.append(&journal, end, &[]).await.unwrap(), end, "an empty append keeps the end");
    let wrong = store.append(&journal, Position::START, &[]).await;
    assert!(matches!(wrong, Err(StoreError::Moved { .. })), "an empty append checks the position: {wrong:?}");
    assert_eq!(all(store, &journal).await.lines.len(), 1);
}

async fn entries_come_back_as_they_were(store: &impl Store) {
    let id = CallId::new("c-1").unwrap();
    let arguments = json!({"a": [1, -2, 0.1, 5.164466425822488e-228, u64::MAX, null, true], "é\n\"": {"deep": [[[]]]}});
    let call = ToolCall { id: id.clone(), name: "né w".into(), arguments };
    let token = ApprovalToken::mint([9; 16]);
    let usage = Some(Usage { input_tokens: u64::MAX, output_tokens: 0 });
    let mut events: Vec<Event> =
        ["", " ", "a\nb\r\n", "\u{0}\u{7f}\u{2028}\u{feff}", "\"\\/{}[]", "𝒳👩‍👩‍👧é", "\",\"sum\":\"0\""]
            .map(|content| Event::User { content: content.into(), key: None })
            .into();
    events.extend([
        Event::User { content: "long ".repeat(100_000), key: None },
        Event::Assistant {
            content: "x".into(),
            calls: vec![call.clone(), call.clone()],
            brain: Some("b".into()),
            tried: vec![crate::data::Tried {
                who: crate::data::Answerer { brain: "a".into(), model: "m".into(), account: Some("work".into()) },
                why: "it \"failed\"\n".into(),
            }],
            usage,
        },
        Event::Assistant { content: String::new(), calls: vec![], brain: None, tried: vec![], usage: None },
        Event::Asked { call: id.clone(), token: token.clone(), content: "may I?".into() },
        Event::Started { call: id.clone(), token: None },
        Event::Started { call: id.clone(), token: Some(token.clone()) },
        Event::Tool { call: id.clone(), name: "t".into(), outcome: CallOutcome::ok("o") },
        Event::Decided { token, verdict: Verdict::Rejected, call, content: "no".into() },
        Event::Stopped { content: "why".into() },
        Event::Summary { content: "short".into(), through: Position::new(u64::MAX) },
    ]);
    let times = [0, 1, -1, i64::MIN, i64::MAX, 1_767_225_600_123_456_789];
    let entries: Vec<Entry> = events
        .into_iter()
        .zip(times.into_iter().cycle())
        .map(|(event, nanos)| event.at(Timestamp::from_nanos(nanos)))
        .collect();
    let journal = journal("demo");
    store.append(&journal, Position::START, &entries).await.expect("every kind of entry can be appended");
    let page = all(store, &journal).await;
    assert_eq!(page.lines.len(), entries.len(), "every entry is one line: {page:?}");
    for (found, entry) in page.entries().zip(&entries) {
        assert_eq!(**found, *entry, "an entry comes back as it was");
    }
}

async fn spans_are_cut_like_lists(store: &impl Store) {
    const LINES: usize = 9;
    let journal = journal("demo");
    let (mut end, mut starts) = (Position::START, Vec::new());
    for index in 0..LINES {
        starts.push(end);
        end = store.append(&journal, end, &[said("x".repeat(index * 7))]).await.unwrap();
    }
    starts.push(end);
    let cut = async |span, range: std::ops::Range<usize>| {
        let page = store.read(&journal, span).await.expect("every span can be read");
        let found: Vec<_> = page.lines.iter().map(|line| line.at).collect();
        assert_eq!((found, page.end), (starts[range].to_vec(), end), "{span:?}");
    };
    for n in [0, 1, 2, LINES - 1, LINES, LINES + 1, usize::MAX] {
        cut(Span::Last(n), LINES.saturating_sub(n)..LINES).await;
        for (index, at) in starts.iter().enumerate() {
            cut(Span::From(*at, n), index..index.saturating_add(n).min(LINES)).await;
            cut(Span::Before(*at, n), index.saturating_sub(n)..index).await;
        }
        cut(Span::From(Position::new(u64::MAX), n), LINES..LINES).await;
        cut(Span::Before(Position::new(u64::MAX), n), LINES.saturating_sub(n)..LINES).await;
    }
}

async fn journals_keep_apart(store: &impl Store) {
    let longest = "é".repeat(40);
    let names = [
        "a", "A", "a b", " a", "a ", "a.", ".", "..", "a/b", "a\\b", "a%2Fb", "a%2fb", "/etc", "~", "con", "é",
        "e\u{301}", "日本", "a:b", "a_b", "a-b", "*", "\"", &longest,
    ];
    for name in names {
        store.append(&journal(name), Position::START, &[said(name)]).await.expect("every session id names a journal");
    }
    for name in names {
        assert_eq!(contents(&all(store, &journal(name)).await), [name], "journals keep apart");
    }
}

async fn of_two_appends_at_one_position_one_wins<S: Store>(store: Arc<S>) {
    let journal = journal("demo");
    for round in 0..RACES {
        let end = all(&*store, &journal).await.end;
        let mut tasks = tokio::task::JoinSet::new();
        for writer in 0..WRITERS {
            let (store, journal) = (Arc::clone(&store), journal.clone());
            tasks.spawn(async move { store.append(&journal, end, &[said(writer.to_string())]).await });
        }
        let results = tasks.join_all().await;
        let moved = results.iter().filter(|result| matches!(result, Err(StoreError::Moved { .. }))).count();
        assert_eq!(moved, WRITERS - 1, "of many appends at one position one succeeds: {results:?}");
        assert_eq!(all(&*store, &journal).await.lines.len(), round + 1, "an append that is Moved writes nothing");
    }
}

async fn many_writers_lose_and_merge_nothing<S: Store>(store: Arc<S>) {
    let journal = journal("demo");
    let mut tasks = tokio::task::JoinSet::new();
    for writer in 0..WRITERS {
        let (store, journal) = (Arc::clone(&store), journal.clone());
        tasks.spawn(async move {
            for index in 0..APPENDS_EACH {
                append_somehow(&*store, &journal, said(format!("{writer} {index}"))).await;
            }
        });
    }
    tasks.join_all().await;
    let page = all(&*store, &journal).await;
    let found = contents(&page);
    assert_eq!(
        (found.len(), page.lines.len()),
        (WRITERS * APPENDS_EACH, WRITERS * APPENDS_EACH),
        "none lost or merged"
    );
    for writer in 0..WRITERS {
        let of_writer: Vec<_> = found.iter().filter(|entry| entry.starts_with(&format!("{writer} "))).collect();
        let expected: Vec<_> = (0..APPENDS_EACH).map(|index| format!("{writer} {index}")).collect();
        assert_eq!(of_writer, expected.iter().collect::<Vec<_>>(), "a writer's entries keep their order");
    }
}

/// Appends wherever the journal ends, as somebody without its lock would.
async fn append_somehow(store: &impl Store, journal: &JournalId, entry: Entry) {
    loop {
        let end = store.read(journal, Span::Last(0)).await.unwrap().end;
        match store.append(journal, end, std::slice::from_ref(&entry)).await {
            Ok(_) => return,
            Err(StoreError::Moved { .. }) => tokio::task::yield_now().await,
            Err(error) => panic!("an append succeeds or is Moved: {error}"),
        }
    }
}

async fn a_dropped_append_leaves_whole_entries(store: &impl Store) {
    let journal = JournalId::from(&session("demo"));
    let mut kept = 0;
    for round in 0..20 {
        let end = store.read(&journal, Span::Last(0)).await.unwrap().end;
        let entries = [said(format!("dropped {round}")), said("x".repeat(5_000))];
        let mut dropped = Box::pin(store.append(&journal, end, &entries));
        let _ = poll_once(&mut dropped).await;
        drop(dropped);
        append_somehow(store, &journal, said("kept")).await;
        kept += 1;
    }
    let page = all(store, &journal).await;
    let found = contents(&page);
    assert_eq!(found.len(), page.lines.len(), "a dropped append leaves no broken line: {page:?}");
    assert_eq!(found.iter().filter(|entry| *entry == "kept").count(), kept, "others' appends stand whole beside it");
}
