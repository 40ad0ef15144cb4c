//! Notes as records of the store.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::super::{commit_error, read_error};
use crate::data::Timestamp;
use crate::hands::{ToolContext, ToolError};
use crate::store::{Change, Key, KeyRange, Precondition, Record, Store, StoreError};

/// The longest note, in bytes.
pub const NOTE_BYTES_MAX: usize = 4 * 1024;
/// The most notes.
pub const NOTES_MAX: usize = 1_000;
/// The most pinned notes: every prompt holds them all.
pub const PINNED_NOTES_MAX: usize = 16;
/// The most that all pinned notes may hold together, in bytes.
pub const PINNED_BYTES_MAX: usize = 8 * 1024;
/// How often a change is tried anew when others changed the notes meanwhile.
const TRIES_MAX: usize = 64;

/// A note.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    /// Its number.
    pub id: u64,
    /// Its text.
    pub text: String,
    /// When it was added.
    pub added: Timestamp,
    /// Whether it is in every prompt.
    pub pinned: bool,
    /// The record that ties it to the call that added it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    call: Option<String>,
}

/// What orders all changes: whoever changes a note also rewrites this, at the revision that was read.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
struct Book {
    /// The last number that was given.
    last_id: u64,
    /// How many notes there are.
    notes: usize,
}

/// The outcome of [`add`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// It was added.
    Now(u64),
    /// This very call had added it before.
    Before(u64),
}

/// The pinned notes, in the order of their numbers. One short scan: a copy of each pinned note has a prefix of its own.
///
/// # Errors
/// [`StoreError`] when the store can't be read or a record is damaged.
pub async fn pinned(store: &dyn Store) -> Result<Vec<Note>, StoreError> {
    let records = store.scan(&KeyRange::under(["note-pinned"]), PINNED_NOTES_MAX).await?;
    records.iter().map(Record::parse).collect()
}

/// Every note, in the order of their numbers.
pub(super) async fn all(store: &dyn Store) -> Result<Vec<Note>, ToolError> {
    let records = store.scan(&KeyRange::under(["note"]), NOTES_MAX).await.map_err(|error| read_error(&error))?;
    records.iter().map(Record::parse).collect::<Result<_, _>>().map_err(|error| read_error(&error))
}

/// Adds a note once per call, however often the call runs.
pub(super) async fn add(
    store: &dyn Store,
    now: Timestamp,
    context: &ToolContext,
    text: &str,
) -> Result<Added, ToolError> {
    if text.len() > NOTE_BYTES_MAX {
        let bytes = text.len();
        return Err(ToolError::failed(format!(
            "the note is {bytes} bytes; at most {NOTE_BYTES_MAX} fit, so shorten it"
        )));
    }
    let call = Key::new(["note-call", context.session.as_str(), context.call.as_str()]);
    for _ in 0..TRIES_MAX {
        let mut edit = Edit::begin(store).await?;
        if let Some(record) = get(store, &call).await? {
            return Ok(Added::Before(parsed(&record)?));
        }
        if edit.book.notes >= NOTES_MAX {
            return Err(ToolError::failed(format!("there are {NOTES_MAX} notes already; remove some first")));
        }
        edit.book.last_id += 1;
        edit.book.notes += 1;
        let id = edit.book.last_id;
        let note = Note { id, text: text.to_owned(), added: now, pinned: false, call: Some(call.as_str().to_owned()) };
        edit.put(key("note", id), Precondition::Absent, &note)?;
        edit.put(call.clone(), Precondition::Absent, &id)?;
        if edit.commit(store).await? {
            return Ok(Added::Now(id));
        }
    }
    Err(crowded())
}

/// Pins or unpins a note.
pub(super) async fn set_pinned(store: &dyn Store, id: u64, is_pinned: bool) -> Result<Note, ToolError> {
    for _ in 0..TRIES_MAX {
        let mut edit = Edit::begin(store).await?;
        let Some(record) = get(store, &key("note", id)).await? else { return Err(no_note(id)) };
        let mut note: Note = parsed(&record)?;
        if note.pinned == is_pinned {
            return Ok(note);
        }
        note.pinned = is_pinned;
        if is_pinned {
            check_room(store, &note).await?;
            edit.put(key("note-pinned", id), Precondition::None, &note)?;
        } else {
            edit.changes.push(Change::delete(key("note-pinned", id), Precondition::None));
        }
        edit.put(record.key, Precondition::Revision(record.revision), &note)?;
        if edit.commit(store).await? {
            return Ok(note);
        }
    }
    Err(crowded())
}

async fn check_room(store: &dyn Store, note: &Note) -> Result<(), ToolError> {
    let others = pinned(store).await.map_err(|error| read_error(&error))?;
    let bytes = note.text.len() + others.iter().map(|other| other.text.len()).sum::<usize>();
    if others.len() < PINNED_NOTES_MAX && bytes <= PINNED_BYTES_MAX {
        return Ok(());
    }
    Err(ToolError::failed(format!(
        "pinned notes are in every prompt, so at most {PINNED_NOTES_MAX} notes and {PINNED_BYTES_MAX} bytes can be \
         pinned; unpin one first"
    )))
}

/// Removes a note and gives its text; none when it is gone already.
pub(super) async fn remove(store: &dyn Store, id: u64) -> Result<Option<String>, ToolError> {
    for _ in 0..TRIES_MAX {
        let mut edit = Edit::begin(store).await?;
        if id == 0 || id > edit.book.last_id {
            return Err(no_note(id));
        }
        let Some(record) = get(store, &key("note", id)).await? else { return Ok(None) };
        let note: Note = parsed(&record)?;
        edit.book.notes = edit.book.notes.saturating_sub(1);
        edit.changes.push(Change::delete(record.key, Precondition::Revision(record.revision)));
        edit.changes.push(Change::delete(key("note-pinned", id), Precondition::None));
        edit.changes.extend(note.call.map(|call| Change::delete(Key::from_stored(&call), Precondition::None)));
        if edit.commit(store).await? {
            return Ok(Some(note.text));
        }
    }
    Err(crowded())
}

/// Changes that are made together, and only if nobody changed the notes since they were read.
struct Edit {
    when: Precondition,
    book: Book,
    changes: Vec<Change>,
}

impl Edit {
    async fn begin(store: &dyn Store) -> Result<Self, ToolError> {
        let record = get(store, &book_key()).await?;
        let when = record.as_ref().map_or(Precondition::Absent, |record| Precondition::Revision(record.revision));
        let book = record.as_ref().map(parsed).transpose()?.unwrap_or_default();
        Ok(Self { when, book, changes: Vec::new() })
    }

    fn put(&mut self, key: Key, when: Precondition, value: &impl Serialize) -> Result<(), ToolError> {
        self.changes.push(Change::put(key, when, serde_json::to_value(value)?));
        Ok(())
    }

    /// Makes the changes; false when somebody else was faster.
    async fn commit(mut self, store: &dyn Store) -> Result<bool, ToolError> {
        let (when, book) = (self.when, self.book);
        self.put(book_key(), when, &book)?;
        match store.commit(&self.changes).await {
            Ok(_) => Ok(true),
            Err(StoreError::Conflict { .. }) => Ok(false),
            Err(error) => Err(commit_error(&error)),
        }
    }
}

async fn get(store: &dyn Store, key: &Key) -> Result<Option<Record>, ToolError> {
    store.get(key).await.map_err(|error| read_error(&error))
}

fn parsed<T: DeserializeOwned>(record: &Record) -> Result<T, ToolError> {
    record.parse().map_err(|error| read_error(&error))
}

fn no_note(id: u64) -> ToolError {
    ToolError::failed(format!("there is no note {id}; `list` shows the numbers"))
}

fn crowded() -> ToolError {
    ToolError::failed("others keep changing the notes; nothing was changed, try again")
}

fn book_key() -> Key {
    Key::new(["note-book"])
}

/// Numbers are padded, for keys are ordered as text.
fn key(prefix: &str, id: u64) -> Key {
    Key::new([prefix, &format!("{id:020}")])
}
