//! `session`: what a session holds.

use rusty_pinch_core::config::{AssembleError, open_store};
use rusty_pinch_core::{Event, JournalId, Line, Located, Page, Position, SessionId, Span, Store};
use serde_json::json;

use crate::arguments::Session;
use crate::failure::{Code, Failure};
use crate::output::Output;
use crate::program::Program;

/// Lines read at a time, so that a long session is never in memory as a whole.
const PAGE_LINES: usize = 1000;

pub(crate) async fn run(program: &Program, arguments: &Session) -> Result<Code, Failure> {
    let store = open_store(&program.settings).map_err(AssembleError::from)?;
    let journal = JournalId::from(&arguments.of.session);
    let mut shown = Shown { output: &program.output, lines: 0, unreadable: 0 };
    if let Some(last) = arguments.last {
        let last = usize::try_from(last).unwrap_or(usize::MAX);
        shown.page(&store.read(&journal, Span::Last(last)).await?)?;
    } else {
        let mut from = Position::START;
        loop {
            let page = store.read(&journal, Span::From(from, PAGE_LINES)).await?;
            shown.page(&page)?;
            let Some(last) = page.lines.last().filter(|_| page.lines.len() == PAGE_LINES) else { break };
            // The page after this one begins behind its last line, which is read again and left out.
            from = next_after(&*store, &journal, last, &page).await?;
        }
    }
    shown.end()?;
    if shown.unreadable > 0 {
        program.output.warning(&format!("{} damaged lines are in this session", shown.unreadable));
    }
    Ok(Code::Done)
}

/// Where the line after `last` begins.
async fn next_after(store: &dyn Store, journal: &JournalId, last: &Located, page: &Page) -> Result<Position, Failure> {
    let two = store.read(journal, Span::From(last.at, 2)).await?;
    Ok(two.lines.get(1).map_or(page.end, |next| next.at))
}

struct Shown<'a> {
    output: &'a Output,
    lines: usize,
    unreadable: usize,
}

impl Shown<'_> {
    fn page(&mut self, page: &Page) -> Result<(), Failure> {
        let mut text = String::new();
        for located in &page.lines {
            if self.output.data_as_json() {
                text.push_str(if self.lines == 0 { "[\n" } else { ",\n" });
                text.push_str(&indented(&self.json(&located.line)));
            } else {
                text.push_str(&self.words(&located.line));
            }
            self.lines += 1;
        }
        if text.is_empty() { Ok(()) } else { self.output.piece(&text) }
    }

    fn end(&self) -> Result<(), Failure> {
        match (self.output.data_as_json(), self.lines) {
            (true, 0) => self.output.text("[]"),
            (true, _) => self.output.text("\n]"),
            (false, 0) => self.output.text("This session is empty."),
            (false, _) => Ok(()),
        }
    }

    fn json(&mut self, line: &Line) -> String {
        let text = match line {
            // As it is in the journal, in the journal's order.
            Line::Entry(entry) => serde_json::to_string_pretty(entry),
            other => {
                self.unreadable += 1;
                serde_json::to_string_pretty(&json!({"role": "unreadable", "content": why(other), "timestamp": null}))
            }
        };
        // Both are plain data, which is always JSON.
        text.unwrap_or_default()
    }

    fn words(&mut self, line: &Line) -> String {
        self.unreadable += usize::from(!matches!(line, Line::Entry(_)));
        in_words(line)
    }
}

/// The last entries of a session, for people.
pub(crate) async fn words(program: &Program, session: &SessionId, entries: u32) -> Result<String, Failure> {
    let last = usize::try_from(entries).unwrap_or(usize::MAX);
    let page = open_store(&program.settings)
        .map_err(AssembleError::from)?
        .read(&JournalId::from(session), Span::Last(last))
        .await?;
    Ok(page.lines.iter().map(|located| in_words(&located.line)).collect())
}

fn in_words(line: &Line) -> String {
    let Line::Entry(entry) = line else {
        return format!("(damaged line: {})\n", why(line));
    };
    let (role, content) = (entry.event.role(), entry.event.content());
    let detail = match &entry.event {
        Event::Assistant { calls, .. } => {
            calls.iter().map(|call| format!("calls {} {}", call.name, call.arguments)).collect::<Vec<_>>().join("\n")
        }
        Event::Tool { name, .. } => format!("[{name}]"),
        _ => String::new(),
    };
    let parts: Vec<_> = [detail.as_str(), content].into_iter().filter(|part| !part.is_empty()).collect();
    format!("{} {role}: {}\n", entry.timestamp, parts.join("\n"))
}

fn why(line: &Line) -> &str {
    match line {
        Line::Unreadable { why } => why,
        _ => "of an unknown kind",
    }
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
