//! Where a brain previews its answer.

use std::fmt;
use std::sync::Arc;

/// A piece of an answer under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Delta<'a> {
    /// The next piece of text.
    Text(&'a str),
    /// What came before is void: the answer begins anew.
    Restarted,
}

impl fmt::Display for Delta<'_> {
    /// The text; a restart begins a new line.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Restarted => f.write_str("\n"),
        }
    }
}

type Sink = dyn Fn(Delta<'_>) + Send + Sync;

/// The sink for deltas. It must return at once; whoever can't keep up drops pieces.
#[derive(Clone, Default)]
pub struct Deltas {
    sink: Option<Arc<Sink>>,
}

impl Deltas {
    /// A sink that nobody listens to.
    pub fn none() -> Self {
        Self::default()
    }

    /// A sink that calls `sink` with each piece.
    pub fn new(sink: impl Fn(Delta<'_>) + Send + Sync + 'static) -> Self {
        Self { sink: Some(Arc::new(sink)) }
    }

    /// Whether somebody listens.
    pub fn is_listened_to(&self) -> bool {
        self.sink.is_some()
    }

    /// Previews `text`. Empty text is not passed on.
    pub fn text(&self, text: &str) {
        if !text.is_empty() {
            self.send(Delta::Text(text));
        }
    }

    /// Says that the answer begins anew.
    pub fn restarted(&self) {
        self.send(Delta::Restarted);
    }

    fn send(&self, delta: Delta<'_>) {
        if let Some(sink) = &self.sink {
            sink(delta);
        }
    }
}

impl fmt::Debug for Deltas {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Deltas").field("listened_to", &self.is_listened_to()).finish()
    }
}
