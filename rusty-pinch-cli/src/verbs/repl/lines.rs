//! Where the lines of a conversation come from: a person at a terminal, or a pipe.

use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use rusty_pinch_core::Limits;
use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{Config, Editor};
use tokio::runtime::Runtime as Tokio;
use tokio::sync::mpsc;

use crate::failure::Failure;
use crate::message;

/// Lines kept in the history.
const HISTORY_LINES_MAX: usize = 1000;
const PROMPT: &str = "> ";

/// What came.
pub(super) enum Input {
    /// A line, without its end.
    Line(String),
    /// Ctrl-C.
    Interrupted,
    /// A line that is no text, or too long.
    Unusable(Failure),
    /// There will be no more.
    End,
}

/// The lines of a conversation.
pub(super) enum Lines {
    Person { editor: Box<Editor<(), FileHistory>>, history: PathBuf },
    Pipe { incoming: mpsc::Receiver<Input> },
}

impl Lines {
    /// A person's lines, with the history kept in `history`.
    pub(super) fn of_person(history: &Path) -> Result<Self, Failure> {
        let failed = |error: ReadlineError| Failure::failed("the terminal can't be used", &error, None);
        let config = Config::builder().max_history_size(HISTORY_LINES_MAX).map_err(failed)?;
        let config = config.history_ignore_space(true).auto_add_history(false).build();
        let mut editor = Editor::<(), FileHistory>::with_config(config).map_err(failed)?;
        // There is none before the first line.
        let _ = editor.load_history(history);
        Ok(Self::Person { editor: Box::new(editor), history: history.to_owned() })
    }

    /// The lines on standard input, read by a thread of its own so that Ctrl-C is heard meanwhile.
    pub(super) fn of_pipe() -> Self {
        let (outgoing, incoming) = mpsc::channel(1);
        std::thread::spawn(move || {
            let mut input = BufReader::new(io::stdin().lock());
            loop {
                let next = next_line(&mut input);
                let is_last = matches!(next, Input::End);
                if outgoing.blocking_send(next).is_err() || is_last {
                    return;
                }
            }
        });
        Self::Pipe { incoming }
    }

    pub(super) fn next(&mut self, tokio: &Tokio) -> Input {
        match self {
            Self::Person { editor, .. } => match editor.readline(PROMPT) {
                Ok(line) => Input::Line(line),
                Err(ReadlineError::Interrupted) => Input::Interrupted,
                Err(ReadlineError::Eof) => Input::End,
                Err(error) => Input::Unusable(Failure::failed("the line can't be read", &error, None)),
            },
            Self::Pipe { incoming } => tokio.block_on(async {
                tokio::select! {
                    input = incoming.recv() => input.unwrap_or(Input::End),
                    Ok(()) = tokio::signal::ctrl_c() => Input::Interrupted,
                }
            }),
        }
    }

    /// Keeps a line in the history. Says once that it can't, and then no more.
    pub(super) fn remember(&mut self, line: &str) -> Result<(), String> {
        let Self::Person { editor, history } = self else { return Ok(()) };
        let written = editor.add_history_entry(line).and_then(|_| {
            history.parent().map_or(Ok(()), std::fs::create_dir_all)?;
            editor.append_history(history)
        });
        written.map_err(|error| format!("the history {} can't be written: {error}", history.display()))
    }
}

/// The next line of a pipe, bounded like a message.
fn next_line(input: &mut impl BufRead) -> Input {
    let bytes_max = Limits::default().message_bytes_max;
    let mut bytes = Vec::new();
    // Room for the line's end.
    let read = input.by_ref().take(bytes_max as u64 + 2).read_until(b'\n', &mut bytes);
    match read {
        Ok(0) => Input::End,
        Ok(_) if bytes.len() > bytes_max && !bytes.ends_with(b"\n") => {
            skip_line(input);
            let error = format!("a line on standard input is longer than {bytes_max} bytes");
            Input::Unusable(Failure::usage(error, "shorten it"))
        }
        Ok(_) => message::text(bytes).map_or_else(Input::Unusable, Input::Line),
        // A pipe that can't be read will not get better.
        Err(_) => Input::End,
    }
}

/// Reads the rest of a line without keeping it.
fn skip_line(input: &mut impl BufRead) {
    while let Ok(buffer) = input.fill_buf() {
        let (bytes, ends) = match buffer.iter().position(|byte| *byte == b'\n') {
            Some(at) => (at + 1, true),
            None => (buffer.len(), buffer.is_empty()),
        };
        input.consume(bytes);
        if ends {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(mut bytes: &[u8]) -> Vec<String> {
        let mut kinds = Vec::new();
        loop {
            match next_line(&mut bytes) {
                Input::Line(line) => kinds.push(line.chars().take(10).collect()),
                Input::Unusable(_) => kinds.push("<unusable>".to_owned()),
                Input::Interrupted | Input::End => return kinds,
            }
        }
    }

    #[test]
    fn lines_that_are_too_long_or_no_text_are_passed_over_whole() {
        assert_eq!(kinds(b"a\r\nb"), ["a", "b"]);
        assert_eq!(kinds(b""), Vec::<String>::new());
        assert_eq!(kinds(b"a\xff\nb\n"), ["<unusable>", "b"]);
        let long = [vec![b'x'; 10 * 1024 * 1024], b"\nnext\n".to_vec()].concat();
        assert_eq!(kinds(&long), ["<unusable>", "next"]);
    }
}
