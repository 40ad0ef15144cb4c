//! A file of variables: settings or a list of what is wrong, and no secret in either.

use std::error::Error;

use rusty_pinch_core::Settings;

use crate::memory;

/// A value that no message may show.
const SECRET: &str = "fuzz-secret-value";

pub fn check(bytes: &[u8]) {
    let folder = tempfile::tempdir_in(memory()).expect("a folder");
    let file = folder.path().join("vars.env");
    let mut text = format!("RUSTY_PINCH_OPENAI_API_KEY='{SECRET}'\n").into_bytes();
    text.extend_from_slice(bytes);
    std::fs::write(&file, text).expect("a file");
    let shown = match Settings::of_file(&file) {
        Ok(settings) => format!("{settings:?}"),
        Err(error) => {
            let messages = error.problems.iter().map(|problem| format!("{problem} {:?}", problem.source()));
            let messages = messages.collect::<Vec<_>>().join(" ");
            assert!(!messages.contains(char::is_control), "{messages:?}");
            format!("{error} {messages}")
        }
    };
    assert!(!shown.contains(SECRET), "{shown}");
}
