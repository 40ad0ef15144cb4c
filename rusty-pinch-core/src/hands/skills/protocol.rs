//! What parent and child say to each other: one JSON object a line, in a fixed order.
//!
//! The parent says how much time there is, then what to do, then one reply for each call. The child says how it is
//! confined, then calls, one at a time, then its last word. [`Hearing`] is how the parent listens: it trusts nothing.

use std::io::{self, BufRead, Read, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::bounds::{CHILD_LINE_VALUES_MAX, HOST_CALLS_MAX};
use super::failure::ScriptFailure;
use super::report::{Confinement, Tried};
use super::{HostCall, HostReply};

/// The first line to the child, before anything that a stranger wrote.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Start {
    /// How long it may run.
    pub(super) time_ms: u64,
}

/// The second line to the child: what to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "task", rename_all = "snake_case")]
pub(super) enum Task {
    /// Runs a script.
    Run {
        /// The script.
        source: String,
        /// Its arguments as one text.
        text: String,
        /// Its arguments by name.
        named: Map<String, Value>,
    },
    /// Reads a script and does not run it.
    Check {
        /// The script.
        source: String,
    },
    /// Tries what must not work, and says what did.
    Probe {
        /// A port of this computer that somebody listens on.
        port: Option<u16>,
    },
}

/// A line from the child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "snake_case")]
pub(super) enum Word {
    /// It is confined, and goes to work.
    Confined(Confinement),
    /// It wants something and waits.
    Call {
        /// What.
        want: HostCall,
    },
    /// It tried something that must not work.
    Tried(Tried),
    /// The script gave this. The last word.
    Done {
        /// What `main` returned, or the shape of a script that was only read.
        text: String,
        /// What it printed.
        printed: Vec<String>,
    },
    /// The script gave nothing. The last word.
    Failed {
        /// Why.
        failure: ScriptFailure,
    },
}

/// What the parent has to do about a line.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Heard {
    /// Nothing.
    Nothing,
    /// Answer a call.
    Call(HostCall),
    /// It is over, well or not.
    LastWord(Result<(String, Vec<String>), ScriptFailure>),
    /// The child does not keep to the order, so nothing it says counts any more.
    Broken(&'static str),
}

/// How the parent listens: which words may come next, and how many.
#[derive(Clone, Debug, Default)]
pub(super) struct Hearing {
    confined: Option<Confinement>,
    tried: Vec<Tried>,
    calls: usize,
    is_waiting: bool,
    is_over: bool,
}

/// The most attempts that a probe tells of.
const TRIED_MAX: usize = 32;

impl Hearing {
    /// Takes a line; none is one that was too long.
    pub(super) fn take(&mut self, line: Option<&[u8]>) -> Heard {
        let heard = self.judge(line);
        self.is_over |= matches!(heard, Heard::LastWord(_) | Heard::Broken(_));
        heard
    }

    fn judge(&mut self, line: Option<&[u8]>) -> Heard {
        let Some(line) = line else { return Heard::Broken("it said a line that is too long") };
        if self.is_over {
            return Heard::Broken("it spoke after its last word");
        }
        if values(line) > CHILD_LINE_VALUES_MAX {
            return Heard::Broken("it said a line of too many values");
        }
        let Ok(word) = serde_json::from_slice(line) else { return Heard::Broken("it said what nobody understands") };
        match word {
            _ if self.is_waiting => Heard::Broken("it spoke before its call was answered"),
            Word::Confined(confinement) if self.confined.is_none() => {
                self.confined = Some(confinement);
                Heard::Nothing
            }
            _ if self.confined.is_none() => Heard::Broken("it began before it was confined"),
            Word::Confined(_) => Heard::Broken("it said twice that it is confined"),
            Word::Call { .. } if self.calls == HOST_CALLS_MAX => Heard::Broken("it called the host too often"),
            Word::Call { want } => {
                self.calls += 1;
                self.is_waiting = true;
                Heard::Call(want)
            }
            Word::Tried(_) if self.tried.len() == TRIED_MAX => Heard::Broken("it tried too much"),
            Word::Tried(tried) => {
                self.tried.push(tried);
                Heard::Nothing
            }
            Word::Done { text, printed } => Heard::LastWord(Ok((text, printed))),
            Word::Failed { failure } => Heard::LastWord(Err(failure)),
        }
    }

    /// The call that was heard is being answered: the child may speak again.
    pub(super) fn answer(&mut self) {
        self.is_waiting = false;
    }

    /// How the child is confined, by its own word, and what it tried.
    pub(super) fn confinement(self) -> Option<(Confinement, Vec<Tried>)> {
        Some((self.confined?, self.tried))
    }
}

/// About how many values a line of JSON holds: what begins or parts them, outside of texts. It costs no memory, so it is
/// known before the line is read.
fn values(line: &[u8]) -> usize {
    let (mut values, mut is_text, mut is_escaped) = (1, false, false);
    for byte in line {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_text => is_escaped = true,
            b'"' => is_text = !is_text,
            b',' | b':' | b'[' | b'{' if !is_text => values += 1,
            _ => {}
        }
    }
    values
}

/// A reply, as it is sent.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Reply {
    pub(super) reply: HostReply,
}

/// `word` as a line.
pub(super) fn line(word: &impl Serialize) -> serde_json::Result<Vec<u8>> {
    let mut line = serde_json::to_vec(word)?;
    line.push(b'\n');
    Ok(line)
}

/// Reads the next line of at most `bytes_max` bytes; none at the end.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl BufRead, bytes_max: usize) -> io::Result<Option<T>> {
    let mut line = Vec::new();
    // A `u64` holds every length.
    from.take(bytes_max as u64).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    serde_json::from_slice(&line).map(Some).map_err(io::Error::other)
}

/// Writes `word` as a line, at once.
pub(super) fn write(to: &mut impl Write, word: &impl Serialize) -> io::Result<()> {
    to.write_all(&line(word)?)?;
    to.flush()
}
