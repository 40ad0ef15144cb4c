//! Sessions with a history.

use rusty_pinch_core::{Entry, Event, IdError, JournalId, Position, SessionId, Store, StoreError, Timestamp};

/// What the person says in every measured turn.
pub const MESSAGE: &str = "And what is the answer to the question that I asked you at the very beginning?";

/// Entries that are written at once while a long session is made.
const ENTRIES_AT_ONCE: usize = 10_000;

/// The `n`th session.
///
/// # Errors
/// Never for these names; the type says what the constructor can say.
pub fn session(n: usize) -> Result<SessionId, IdError> {
    SessionId::new(&format!("bench-{n}"))
}

/// A question and its answer.
pub fn exchange(n: usize) -> [Entry; 2] {
    let at = Timestamp::from_millis(1_767_225_600_000 + n as i64);
    let question = Event::User { content: format!("Question {n}: what comes after this in the list?"), key: None };
    let answer = Event::Assistant {
        content: format!("After number {n} comes number {}, as everybody knows.", n + 1),
        calls: Vec::new(),
        brain: Some("fixed".to_owned()),
        tried: Vec::new(),
        usage: None,
    };
    [question.at(at), answer.at(at)]
}

/// Writes `entries` entries into the journal of `session`, and gives its end.
///
/// # Errors
/// When the store fails.
pub async fn fill(store: &dyn Store, session: &SessionId, entries: usize) -> Result<Position, StoreError> {
    let journal = JournalId::from(session);
    let mut end = Position::START;
    let all: Vec<Entry> = (0..entries.div_ceil(2)).flat_map(exchange).take(entries).collect();
    for some in all.chunks(ENTRIES_AT_ONCE) {
        end = store.append(&journal, end, some).await?;
    }
    Ok(end)
}
