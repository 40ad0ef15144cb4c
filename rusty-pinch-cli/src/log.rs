//! What goes to standard error while the program works: log lines and turn lines, without secrets.

use std::io::{self, Write};

use rusty_pinch_core::{Redactor, TurnObserver, TurnRecord};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::prelude::*;

use crate::environment;

/// Sends log lines to standard error, filtered by `RUST_LOG`. Says so when the filter can't be read.
pub(crate) fn start(redactor: Redactor) -> Result<(), String> {
    let filter = environment::log_filter();
    let (targets, problem) = match filter.parse::<Targets>() {
        Ok(targets) => (targets, Ok(())),
        Err(error) => (Targets::new(), Err(format!("RUST_LOG={filter:?} is not a log filter: {error}"))),
    };
    let lines = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(RedactedStderr { redactor });
    // Only a program that embeds this one could have set another subscriber, and then it wants that one.
    let _ = tracing_subscriber::registry().with(lines.with_filter(targets)).try_init();
    problem
}

#[derive(Clone)]
struct RedactedStderr {
    redactor: Redactor,
}

impl<'a> MakeWriter<'a> for RedactedStderr {
    type Writer = Self;
    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl Write for RedactedStderr {
    /// A log line comes as one write.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        io::stderr().write_all(self.redactor.clean(&text).as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

/// Writes the line of each turn to standard error.
#[derive(Debug)]
pub(crate) struct TurnLines {
    pub(crate) redactor: Redactor,
    /// Whether to stay silent.
    pub(crate) silent: bool,
}

impl TurnObserver for TurnLines {
    fn turn(&self, record: &TurnRecord) {
        if !self.silent {
            let line = record.clone().redacted(&self.redactor).to_line();
            // Nobody can be told that standard error is gone.
            let _ = writeln!(io::stderr(), "{line}");
        }
    }
}
