//! `session_tail`: the last messages of the session.
//!
//! It never quotes itself: what it said before is shown as a marker, and everything else is cut, so that repeating it
//! does not make the session grow faster than talking does. It does not say how many messages there are in all, for
//! that would cost reading the whole journal.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::read_error;
use crate::data::{SessionId, Timestamp};
use crate::hands::text::floor_char_boundary;
use crate::hands::{Tool, ToolContext, ToolError};
use crate::store::{Event, JournalId, Line, Located, Span, Store};

const NAME: &str = "session_tail";
const COUNT_DEFAULT: usize = 5;
const COUNT_MAX: usize = 50;
/// A message may have this many lines of other kinds (intents, calls) around it on average and still be found.
const LINES_PER_MESSAGE: usize = 4;
/// The most of one message that is shown, in bytes.
const CONTENT_BYTES_MAX: usize = 600;
/// The most that is shown in all, in bytes of JSON; older messages are left out. Below the bound of any tool's output.
const TOTAL_BYTES_MAX: usize = 24 * 1024;

#[derive(Deserialize, JsonSchema)]
struct SessionTail {
    /// How many messages, 5 unless given, at most 50.
    count: Option<usize>,
}

#[derive(Debug, Serialize)]
struct Tail {
    messages: Vec<Message>,
    returned_messages: usize,
    session_id: SessionId,
}

#[derive(Debug, Serialize)]
struct Message {
    role: &'static str,
    content: String,
    timestamp: Timestamp,
}

pub(super) fn tool(store: Arc<dyn Store>) -> Tool {
    let count = |count: usize| json!({ "count": count });
    Tool::new(NAME, "Shows the last messages of this session")
        .read_only()
        // It can bring back what had left the prompt: pages among it, whose words are not the owner's.
        .foreign()
        .positional(["count"])
        .example("show the last 5 messages", count(5))
        .example("last 10 messages", count(10))
        .example("list the last 3 messages of this session", count(3))
        .example("show me the last messages", json!({}))
        .example("show the session history", json!({}))
        .example("show history", json!({}))
        .example("what were the last messages", json!({}))
        .example("what did we talk about", json!({}))
        .example("what did I say before", json!({}))
        .example("show our conversation so far", json!({}))
        .run_with(move |context: ToolContext, tail: SessionTail| {
            let store = Arc::clone(&store);
            async move { last(store.as_ref(), context.session, tail.count.unwrap_or(COUNT_DEFAULT)).await }
        })
}

async fn last(store: &dyn Store, session: SessionId, count: usize) -> Result<Tail, ToolError> {
    if count == 0 {
        return Err(ToolError::failed(format!("count is 0; ask for 1 to {COUNT_MAX} messages")));
    }
    let count = count.min(COUNT_MAX);
    let span = Span::Last(count.saturating_mul(LINES_PER_MESSAGE));
    let page = store.read(&JournalId::from(&session), span).await.map_err(|error| read_error(&error))?;
    let mut bytes = 0;
    let mut messages: Vec<_> = page
        .lines
        .iter()
        .rev()
        .filter_map(message)
        .take(count)
        .take_while(|message| {
            bytes += serde_json::to_string(message).map_or(0, |json| json.len());
            bytes <= TOTAL_BYTES_MAX
        })
        .collect();
    messages.reverse();
    Ok(Tail { returned_messages: messages.len(), messages, session_id: session })
}

/// What a line shows; none for those that carry no text for a reader.
fn message(line: &Located) -> Option<Message> {
    let Line::Entry(entry) = &line.line else { return None };
    let content = match &entry.event {
        Event::Tool { name, .. } if name == NAME => "[an earlier output of session_tail]".to_owned(),
        event if event.content().is_empty() => return None,
        event if quotes_a_tail(event.content()) => "[quotes an earlier output of session_tail]".to_owned(),
        event => cut(event.content()),
    };
    Some(Message { role: entry.event.role(), content, timestamp: entry.timestamp })
}

/// Whether a text holds an output of this tool, as answers made from it do.
fn quotes_a_tail(content: &str) -> bool {
    content.contains("returned_messages") && content.contains("session_id")
}

fn cut(content: &str) -> String {
    if content.len() <= CONTENT_BYTES_MAX {
        return content.to_owned();
    }
    let end = floor_char_boundary(content, CONTENT_BYTES_MAX);
    format!("{}… [{} bytes more]", content.get(..end).unwrap_or_default(), content.len() - end)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{CallId, CallOutcome, OutcomeStatus};
    use crate::store::{MemoryStore, Position};

    fn session() -> SessionId {
        SessionId::new("demo").unwrap()
    }

    async fn store_with(events: Vec<Event>) -> MemoryStore {
        let store = MemoryStore::new();
        let entries: Vec<_> = events.into_iter().map(|event| event.at(Timestamp::EPOCH)).collect();
        store.append(&JournalId::from(&session()), Position::START, &entries).await.unwrap();
        store
    }

    fn user(content: &str) -> Event {
        Event::User { content: content.into(), key: None }
    }

    fn assistant(content: &str) -> Event {
        Event::Assistant { content: content.into(), calls: vec![], brain: None, tried: vec![], usage: None }
    }

    #[tokio::test]
    async fn the_last_messages_come_back_oldest_first() {
        let store = store_with((0..100).map(|n| user(&format!("m{n}"))).collect()).await;
        let contents = |tail: &Tail| tail.messages.iter().map(|m| m.content.clone()).collect::<Vec<_>>();
        assert_eq!(contents(&last(&store, session(), 2).await.unwrap()), ["m98", "m99"]);
        let all = last(&store, session(), usize::MAX).await.unwrap();
        assert_eq!((all.returned_messages, all.messages.len()), (50, 50));
        assert!(last(&store, session(), 0).await.unwrap_err().message().contains("1 to 50"));
        let empty = last(&MemoryStore::new(), session(), 5).await.unwrap();
        assert_eq!(empty.returned_messages, 0);
    }

    #[tokio::test]
    async fn repeating_it_does_not_make_the_session_grow_by_quoting() {
        let store = store_with((0..50).map(|_| user(&"long \u{1} text é ".repeat(200))).collect()).await;
        let journal = JournalId::from(&session());
        let mut sizes = vec![];
        for round in 0..20 {
            let output = serde_json::to_string(&last(&store, session(), 50).await.unwrap()).unwrap();
            sizes.push(output.len());
            let call = CallId::new("c1").unwrap();
            let outcome = CallOutcome { status: OutcomeStatus::Ok, content: output.clone() };
            let tool = Event::Tool { call, name: NAME.into(), outcome };
            let events = [user("/tool session_tail 50"), tool, assistant(&format!("{round}: {output}"))];
            let end = store.read(&journal, Span::Last(0)).await.unwrap().end;
            store.append(&journal, end, &events.map(|e| e.at(Timestamp::EPOCH))).await.unwrap();
        }
        let tail = last(&store, session(), 50).await.unwrap();
        assert!(tail.messages.iter().all(|message| !message.content.contains("\"messages\":[")), "{tail:?}");
        assert!(sizes.iter().all(|size| *size <= TOTAL_BYTES_MAX + 200), "{sizes:?}");
        assert!(sizes.last() < sizes.first(), "only markers are left: {sizes:?}");
    }

    #[tokio::test]
    async fn long_messages_are_cut_and_empty_ones_left_out() {
        let store = store_with(vec![user(&"é".repeat(1000)), assistant("")]).await;
        let tail = last(&store, session(), 5).await.unwrap();
        assert_eq!(tail.messages.len(), 1);
        assert!(tail.messages[0].content.ends_with("é… [1400 bytes more]"));
    }

    /// A page that has left the prompt comes back through it, and whoever is behind its words with it.
    #[test]
    fn what_it_brings_back_may_be_other_peoples_words() {
        let hands = crate::hands::Toolbox::new().tool(tool(Arc::new(crate::store::MemoryStore::new())));
        assert_eq!(crate::hands::Hands::tools(&hands)[0].output, crate::hands::Material::Foreign);
    }
}
