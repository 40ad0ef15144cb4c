//! Getting a message from the command line or from standard input.

use std::io::{self, IsTerminal, Read};

use rusty_pinch_core::Limits;

use crate::failure::Failure;

/// Means standard input where a text is expected.
const STDIN: &str = "-";

/// The message that was given, or that stands on standard input. The agent checks the rest of its rules.
pub(crate) fn read(given: Option<String>) -> Result<String, Failure> {
    match given {
        Some(text) if text != STDIN => Ok(text),
        None if io::stdin().is_terminal() => {
            Err(Failure::usage("no message was given", "add --message \"…\", or pipe one in"))
        }
        _ => from(io::stdin().lock()),
    }
}

fn from(input: impl Read) -> Result<String, Failure> {
    // One byte more than may be there, so that too long a message is seen as such and not cut.
    let bytes_max = Limits::default().message_bytes_max;
    let mut bytes = Vec::new();
    input
        .take(bytes_max as u64 + 1)
        .read_to_end(&mut bytes)
        .map_err(|error| Failure::failed("standard input can't be read", &error, None))?;
    if bytes.len() > bytes_max {
        let error = format!("the message on standard input is longer than {bytes_max} bytes");
        return Err(Failure::usage(error, "shorten it, or put it into a file that a tool can read"));
    }
    text(bytes)
}

/// `bytes` as a message: UTF-8, without the line ends that a pipe adds.
pub(crate) fn text(bytes: Vec<u8>) -> Result<String, Failure> {
    let text = String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        let error = format!("the message on standard input is not valid UTF-8 (at byte {at})");
        Failure::usage(error, "convert it, for example with `iconv -t utf-8`")
    })?;
    Ok(text.trim_end_matches(['\n', '\r']).to_owned())
}
