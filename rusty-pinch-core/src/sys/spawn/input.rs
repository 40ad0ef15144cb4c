//! What a child reads on its standard input.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

/// How many pieces may wait for a child that does not read.
const PIECES_MAX: usize = 64;

/// Pieces as they are written.
type Receiver = mpsc::Receiver<Box<[u8]>>;

/// What a child reads on its standard input. Its `Debug` shows no byte, for they may be secret.
#[derive(Clone)]
pub struct Input(Kind);

#[derive(Clone)]
enum Kind {
    /// All of it is known before the child starts.
    Whole(Arc<[u8]>),
    /// It is written while the child runs. The first run takes the pieces; another one finds none.
    Open(Arc<Mutex<Option<Receiver>>>),
}

impl Input {
    /// An input that is written while the child runs, and the handle that writes it. The child's standard input ends
    /// when every handle is dropped.
    pub fn open() -> (InputWriter, Self) {
        let (sender, receiver) = mpsc::channel(PIECES_MAX);
        (InputWriter { sender }, Self(Kind::Open(Arc::new(Mutex::new(Some(receiver))))))
    }

    /// The bytes, where all of them were known from the start. For whoever implements [`Spawn`](super::Spawn).
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Whole(bytes) => Some(bytes),
            Kind::Open(_) => None,
        }
    }

    /// Whether nothing will ever be written.
    pub(super) fn is_empty(&self) -> bool {
        matches!(&self.0, Kind::Whole(bytes) if bytes.is_empty())
    }

    /// Where the pieces come from, for the one run that takes them.
    pub(super) fn take(&self) -> Pieces {
        match &self.0 {
            Kind::Whole(bytes) => Pieces::Whole(Some(Arc::clone(bytes))),
            Kind::Open(receiver) => Pieces::Open(receiver.lock().unwrap_or_else(PoisonError::into_inner).take()),
        }
    }
}

impl<B: Into<Arc<[u8]>>> From<B> for Input {
    fn from(bytes: B) -> Self {
        Self(Kind::Whole(bytes.into()))
    }
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Whole(bytes) => write!(f, "Input({} bytes)", bytes.len()),
            Kind::Open(_) => f.write_str("Input(open)"),
        }
    }
}

/// Writes a child's standard input while it runs. Clones write the same one.
#[derive(Clone, Debug)]
pub struct InputWriter {
    sender: mpsc::Sender<Box<[u8]>>,
}

impl InputWriter {
    /// Hands `bytes` to the child, waiting while it has not read what came before.
    ///
    /// # Errors
    /// [`InputClosed`] when the child has ended or closed its standard input.
    pub async fn write(&self, bytes: impl Into<Box<[u8]>>) -> Result<(), InputClosed> {
        self.sender.send(bytes.into()).await.map_err(|_| InputClosed)
    }
}

/// Nobody reads the input any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the child reads no more input; see how it ended")]
pub struct InputClosed;

/// The pieces of an input, one after the other.
pub(super) enum Pieces {
    Whole(Option<Arc<[u8]>>),
    Open(Option<Receiver>),
}

impl Pieces {
    /// The next piece; none at the end. It can be dropped and asked again.
    pub(super) async fn next(&mut self) -> Option<Arc<[u8]>> {
        match self {
            Self::Whole(bytes) => bytes.take(),
            Self::Open(receiver) => receiver.as_mut()?.recv().await.map(Arc::from),
        }
    }
}
