//! Showing an answer while it comes.

use std::io::{self, Write};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rusty_pinch_core::Delta;

use crate::output::harmless;

/// Writes pieces of an answer to the terminal from a thread of its own, so that a slow terminal never slows the turn.
#[derive(Debug)]
pub(crate) struct Preview {
    pieces: Sender<String>,
    shown: Arc<Mutex<String>>,
    writer: JoinHandle<()>,
}

impl Preview {
    pub(crate) fn start() -> Self {
        let (pieces, incoming) = mpsc::channel::<String>();
        let writer = std::thread::spawn(move || {
            while let Ok(piece) = incoming.recv() {
                let mut stdout = io::stdout().lock();
                // A terminal that went away is noticed when the reply is written.
                let _ = stdout.write_all(harmless(&piece).as_bytes()).and_then(|()| stdout.flush());
            }
        });
        Self { pieces, shown: Arc::default(), writer }
    }

    /// The sink for a turn's deltas.
    pub(crate) fn sink(&self) -> impl Fn(Delta<'_>) + Send + Sync + use<> {
        let (pieces, shown) = (self.pieces.clone(), Arc::clone(&self.shown));
        move |delta| {
            let mut shown = shown.lock().unwrap_or_else(PoisonError::into_inner);
            match delta {
                Delta::Text(text) => shown.push_str(text),
                _ => shown.clear(),
            }
            // The writer lives as long as this sender.
            let _ = pieces.send(delta.to_string());
        }
    }

    /// Waits until everything is written, and gives what stands on the terminal since the answer last began anew.
    pub(crate) fn finish(self) -> String {
        drop(self.pieces);
        // It does not panic, and there is nothing to do if it did.
        let _ = self.writer.join();
        std::mem::take(&mut *self.shown.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
