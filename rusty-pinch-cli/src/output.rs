//! Writing results to standard output and problems to standard error.

use std::fmt::Write as _;
use std::io::{self, IsTerminal, Write};

use rusty_pinch_core::Redactor;
use serde::Serialize;

use crate::environment;
use crate::failure::{Failure, Problem};

/// Where results and problems go, and in which form.
#[derive(Clone, Debug)]
pub(crate) struct Output {
    /// `--json` was given.
    pub(crate) json: bool,
    /// A person reads standard output.
    pub(crate) is_terminal: bool,
    /// A person reads standard error, where turns have no lines then.
    pub(crate) tells_people: bool,
    colours: bool,
    pub(crate) redactor: Redactor,
}

impl Output {
    pub(crate) fn new(json: bool) -> Self {
        let tells_people = io::stderr().is_terminal();
        let colours = tells_people && !environment::no_color();
        Self { json, is_terminal: io::stdout().is_terminal(), tells_people, colours, redactor: Redactor::default() }
    }

    /// Whether a verb whose result is data prints JSON: when asked to, and whenever a program reads it.
    pub(crate) fn data_as_json(&self) -> bool {
        self.json || !self.is_terminal
    }

    /// Writes `text` and ends its last line.
    pub(crate) fn text(&self, text: &str) -> Result<(), Failure> {
        self.piece(text)?;
        if text.ends_with('\n') { Ok(()) } else { self.piece("\n") }
    }

    /// Writes `text`, which is part of something.
    pub(crate) fn piece(&self, text: &str) -> Result<(), Failure> {
        let text = if self.is_terminal { harmless(text) } else { text.to_owned() };
        let mut stdout = io::stdout().lock();
        stdout.write_all(text.as_bytes())?;
        Ok(stdout.flush()?)
    }

    /// Writes what belongs to a conversation and is no answer: to the person, and never into a program's input.
    pub(crate) fn aside(&self, text: &str) -> Result<(), Failure> {
        if self.is_terminal && !self.json {
            return self.text(text);
        }
        // Nobody can be told that standard error is gone.
        let _ = writeln!(io::stderr(), "{}", harmless(text));
        Ok(())
    }

    /// Writes `value` as indented JSON.
    pub(crate) fn json(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.text(&serde_json::to_string_pretty(value).map_err(io::Error::other)?)
    }

    /// Writes `value` as one line of JSON.
    pub(crate) fn json_line(&self, value: &impl Serialize) -> Result<(), Failure> {
        self.text(&serde_json::to_string(value).map_err(io::Error::other)?)
    }

    /// Tells people and, with `--json`, scripts what went wrong.
    pub(crate) fn failure(&self, failure: &Failure) {
        self.complain(failure);
        if self.json && !matches!(failure, Failure::NobodyReads) {
            // Standard error has it already.
            let _ = self.json(&failure.to_json(&self.redactor));
        }
    }

    /// Tells people what went wrong.
    pub(crate) fn complain(&self, failure: &Failure) {
        let Failure::Said { problems, .. } = failure else { return };
        for Problem { error, fix } in problems {
            self.labelled("error", "31", error);
            if let Some(fix) = fix {
                self.labelled("fix", "36", fix);
            }
        }
    }

    /// Says something on standard error that is no result.
    pub(crate) fn warning(&self, text: &str) {
        self.labelled("warning", "33", text);
    }

    /// Says what can be done next.
    pub(crate) fn hint(&self, text: &str) {
        self.labelled("hint", "36", text);
    }

    fn labelled(&self, label: &str, colour: &str, text: &str) {
        let text = harmless(&self.redactor.clean(text));
        // Nobody can be told that standard error is gone.
        let _ = if self.colours {
            writeln!(io::stderr(), "\u{1b}[1;{colour}m{label}:\u{1b}[0m {text}")
        } else {
            writeln!(io::stderr(), "{label}: {text}")
        };
    }
}

/// `text` with every control character but tab and line feed made visible, so that no text from a model, a tool or a
/// file can drive the terminal.
pub(crate) fn harmless(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => shown.push(c),
            '\r' => {}
            c if c.is_control() || is_bidirectional_control(c) => {
                // Writing to a string can't fail.
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(c));
            }
            c => shown.push(c),
        }
    }
    shown
}

/// Characters that reorder what is shown around them.
fn is_bidirectional_control(c: char) -> bool {
    matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::harmless;

    #[test]
    fn nothing_that_drives_a_terminal_gets_through() {
        assert_eq!(harmless("a\tb\r\nc 日本 é"), "a\tb\nc 日本 é");
        assert_eq!(harmless("\u{1b}[2J\u{7}\u{9b}31m\u{202e}x"), "\\u{1b}[2J\\u{7}\\u{9b}31m\\u{202e}x");
    }
}
