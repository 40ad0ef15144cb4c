//! `note`: short texts that outlive sessions, some of them pinned into every prompt.
//!
//! The notes themselves are records of the store. Every change names the revision of one record, the book, so changes of
//! several tasks or processes happen one after the other and its counts are exact.

mod book;

use std::sync::Arc;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

pub use book::{NOTE_BYTES_MAX, NOTES_MAX, Note, PINNED_BYTES_MAX, PINNED_NOTES_MAX, pinned};

use self::book::Added;
use crate::hands::{Tool, ToolContext, ToolError};
use crate::store::Store;
use crate::sys::Clock;

/// The most notes that one answer lists.
const LISTED_MAX: usize = 50;

#[derive(Deserialize, JsonSchema)]
struct Arguments {
    /// What to do.
    action: Action,
    /// The text of the note to add, or the words to find.
    text: Option<String>,
    /// The number of the note to pin, unpin or remove.
    id: Option<u64>,
}

#[derive(Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Action {
    Add,
    List,
    Find,
    Pin,
    Unpin,
    Remove,
}

pub(super) fn tool(store: Arc<dyn Store>, clock: Arc<dyn Clock>) -> Tool {
    let tool = Tool::new("note", "Keeps notes: adds, lists, finds, pins, unpins and removes them").idempotent();
    examples()
        .into_iter()
        .fold(tool.positional(["action", "text"]), |tool, (message, arguments)| tool.example(message, arguments))
        .run_with(move |context: ToolContext, arguments: Arguments| {
            let (store, clock) = (Arc::clone(&store), Arc::clone(&clock));
            async move { run(store.as_ref(), clock.as_ref(), &context, arguments).await }
        })
}

fn examples() -> Vec<(&'static str, serde_json::Value)> {
    let text = |action: &str, text: &str| json!({ "action": action, "text": text });
    let id = |action: &str, id: u64| json!({ "action": action, "id": id });
    let list = json!({ "action": "list" });
    vec![
        ("remember that the bins go out on Tuesday", text("add", "the bins go out on Tuesday")),
        ("remember to water the plants on Friday", text("add", "water the plants on Friday")),
        ("note that Ada prefers to be called", text("add", "Ada prefers to be called")),
        ("make a note that rent is due on Monday", text("add", "rent is due on Monday")),
        ("add a note: buy milk and some bread", text("add", "buy milk and some bread")),
        ("take a note: the code is 4711", text("add", "the code is 4711")),
        ("write down that the wifi is called attic", text("add", "the wifi is called attic")),
        ("note down that I owe Ada five euros", text("add", "I owe Ada five euros")),
        ("write this down: the meeting is at noon", text("add", "the meeting is at noon")),
        ("keep in mind that Eve is vegan", text("add", "Eve is vegan")),
        ("save a note: the train leaves at six", text("add", "the train leaves at six")),
        ("remember this: the garage code is 4711", text("add", "the garage code is 4711")),
        ("don't forget that Bob comes at noon", text("add", "Bob comes at noon")),
        ("note: call the plumber on Friday", text("add", "call the plumber on Friday")),
        ("list my notes", list.clone()),
        ("show all notes", list.clone()),
        ("read me my notes", list.clone()),
        ("what are my notes", list.clone()),
        ("which notes do I have", list),
        ("what did I note about bins", text("find", "bins")),
        ("what do you remember about Bob", text("find", "Bob")),
        ("find notes about rent", text("find", "rent")),
        ("find my note on milk", text("find", "milk")),
        ("search my notes for wifi", text("find", "wifi")),
        ("do I have a note about Bob", text("find", "Bob")),
        ("pin note 3", id("pin", 3)),
        ("pin note number 3", id("pin", 3)),
        ("unpin note 3", id("unpin", 3)),
        ("remove note 2", id("remove", 2)),
        ("remove note number 2", id("remove", 2)),
        ("delete note 2", id("remove", 2)),
        ("erase note 2", id("remove", 2)),
        ("forget note 2", id("remove", 2)),
    ]
}

async fn run(
    store: &dyn Store,
    clock: &dyn Clock,
    context: &ToolContext,
    arguments: Arguments,
) -> Result<String, ToolError> {
    let text = arguments.text.as_deref().map(str::trim).filter(|text| !text.is_empty());
    // `/tool note pin 3` puts the number where text goes.
    let id = arguments.id.or_else(|| text.and_then(|text| text.trim_start_matches('#').parse().ok()));
    let need_text =
        || text.ok_or_else(|| ToolError::failed("`text` is missing; give the text of the note, or words to find"));
    let need_id = || id.ok_or_else(|| ToolError::failed("`id` is missing; give the note's number, as `list` shows it"));
    match arguments.action {
        Action::Add => Ok(match book::add(store, clock.now(), context, need_text()?).await? {
            Added::Now(id) => format!("Noted as number {id}."),
            Added::Before(id) => format!("Already noted as number {id}."),
        }),
        Action::List => Ok(listed(&book::all(store).await?, "There are no notes.")),
        Action::Find => {
            let words = need_text()?;
            let found = matching(book::all(store).await?, words);
            Ok(listed(&found, &format!("No note is about {}.", crate::hands::text::quoted(words))))
        }
        Action::Pin => {
            let note = book::set_pinned(store, need_id()?, true).await?;
            Ok(format!("Note {} is pinned, so it is in every prompt: {}", note.id, note.text))
        }
        Action::Unpin => {
            let note = book::set_pinned(store, need_id()?, false).await?;
            Ok(format!("Note {} is not pinned: {}", note.id, note.text))
        }
        Action::Remove => {
            let id = need_id()?;
            Ok(match book::remove(store, id).await? {
                Some(text) => format!("Removed note {id}: {text}"),
                None => format!("Note {id} is removed."),
            })
        }
    }
}

/// The notes that hold all of `words`, or else those that hold any.
fn matching(notes: Vec<Note>, words: &str) -> Vec<Note> {
    let words: Vec<_> = words.to_lowercase().split_whitespace().map(str::to_owned).collect();
    let hits = |note: &Note| {
        let text = note.text.to_lowercase();
        words.iter().filter(|word| text.contains(word.as_str())).count()
    };
    let any: Vec<_> = notes.into_iter().map(|note| (hits(&note), note)).filter(|(hits, _)| *hits > 0).collect();
    let all = any.iter().any(|(hits, _)| *hits == words.len());
    any.into_iter().filter(|(hits, _)| !all || *hits == words.len()).map(|(_, note)| note).collect()
}

fn listed(notes: &[Note], none: &str) -> String {
    if notes.is_empty() {
        return none.to_owned();
    }
    let older = notes.len().saturating_sub(LISTED_MAX);
    let mut lines: Vec<_> = notes
        .iter()
        .skip(older)
        .map(|note| format!("{}. {}{}", note.id, note.text, if note.pinned { " (pinned)" } else { "" }))
        .collect();
    if older > 0 {
        lines.insert(0, format!("({older} older ones are left out; find them by their words)"));
    }
    lines.join("\n")
}

#[cfg(test)]
#[path = "note/tests.rs"]
mod tests;
