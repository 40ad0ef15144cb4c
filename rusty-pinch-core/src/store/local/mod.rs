//! The store on disk: a JSONL file per journal and one SQLite file for the records.
//!
//! ```text
//! <folder>/sessions/<session>.jsonl            a journal, one entry per line; a position is a byte offset
//! <folder>/sessions/<session>.jsonl.torn-…     torn tails that were set aside, byte for byte
//! <folder>/state.db (-wal, -shm)               the records
//! <folder>/locks/<name>.lock                   locks; the process id in one is for people
//! ```
//!
//! It owns every byte below its folder and nothing else does. Nothing is made before the first write, and only the
//! owner may read what is made. It never deletes what was written: a torn tail is copied before it is cut off.

mod disk;
mod journal;
mod line;
mod locks;
mod names;
mod pages;
mod records;
mod survey;
mod tail;

use std::fmt;
use std::fs::{self, File};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::task::JoinHandle;

use self::disk::{Folder, failure};
use self::journal::Journals;
use self::locks::Locks;
use self::records::{Records, Stored};
pub use self::survey::JournalSurvey;
use super::{
    Change, Entry, Guard, JournalId, Key, KeyRange, LockName, Page, Position, Record, Revision, Span, Store, StoreError,
};

/// Keeps everything in the files of one folder, durably. Clones share it; so may other processes.
#[derive(Clone)]
pub struct LocalStore {
    shared: Arc<Shared>,
}

struct Shared {
    folder: Arc<Folder>,
    locks: Locks,
    journals: Journals,
    records: Records,
}

impl LocalStore {
    /// The store in `folder`, which need not exist: nothing is made before the first write.
    ///
    /// # Errors
    /// [`StoreError::Failed`] when `folder` is empty or something else than a folder, [`StoreError::Denied`] when it
    /// can't be looked at.
    pub fn open(folder: impl Into<PathBuf>) -> Result<Self, StoreError> {
        let folder = folder.into();
        let fail = |error| failure(format_args!("the data folder `{}`", folder.display()), error);
        // A later change of the working directory must not move the store.
        let root = std::path::absolute(&folder).map_err(fail)?;
        match fs::metadata(&root) {
            Ok(found) if !found.is_dir() => return Err(fail(ErrorKind::NotADirectory.into())),
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(fail(error)),
            _ => {}
        }
        let folder = Arc::new(Folder::new(root));
        let records = Records::new(Arc::clone(&folder));
        let shared = Shared { folder, locks: Locks::default(), journals: Journals::default(), records };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// The store's folder, as an absolute path.
    pub fn folder(&self) -> &Path {
        self.shared.folder.root()
    }

    /// Runs `work` on a thread that may block.
    async fn run<T: Send + 'static>(
        &self,
        what: &'static str,
        work: impl FnOnce(&Shared) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        blocking(what, move || work(&shared)).await
    }
}

impl fmt::Debug for LocalStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LocalStore").field("folder", &self.folder()).finish()
    }
}

#[async_trait]
impl Store for LocalStore {
    async fn lock(&self, name: &LockName, wait: Duration) -> Result<Guard, StoreError> {
        self.shared.locks.lock(&self.shared.folder, name, wait).await
    }

    async fn append(&self, journal: &JournalId, at: Position, entries: &[Entry]) -> Result<Position, StoreError> {
        let lines = line::encode(entries)?;
        let journal = journal.clone();
        let held = self.shared.locks.held(&LockName::journal(&journal));
        let append = move |shared: &Shared| {
            let _held = held;
            shared.journals.append(&shared.folder, &journal, at, &lines)
        };
        self.run("appending", append).await
    }

    async fn read(&self, journal: &JournalId, span: Span) -> Result<Page, StoreError> {
        let path = self.shared.folder.journal(journal);
        self.run("reading", move |_| read(&path, span).map_err(|error| failure(path.display(), error))).await
    }

    async fn commit(&self, changes: &[Change]) -> Result<Revision, StoreError> {
        let changes = changes.iter().map(Stored::new).collect::<Result<Vec<_>, _>>()?;
        self.run("committing", move |shared| shared.records.commit(&changes)).await
    }

    async fn get(&self, key: &Key) -> Result<Option<Record>, StoreError> {
        let key = key.clone();
        self.run("reading a record", move |shared| shared.records.get(&key)).await
    }

    async fn scan(&self, keys: &KeyRange, limit: usize) -> Result<Vec<Record>, StoreError> {
        let keys = keys.clone();
        self.run("reading records", move |shared| shared.records.scan(&keys, limit)).await
    }
}

fn read(path: &Path, span: Span) -> io::Result<Page> {
    match File::open(path) {
        Ok(mut file) => pages::read(&mut file, span),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Page { lines: Vec::new(), end: Position::START }),
        Err(error) => Err(error),
    }
}

/// Runs `work` on a thread that may block. When the future is dropped, work that has not begun never does; work that
/// has begun goes on to its end under the locks of its files, so that it can't mix with what comes after it.
async fn blocking<T: Send + 'static>(
    what: &'static str,
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    struct Task<T>(JoinHandle<T>);
    impl<T> Drop for Task<T> {
        fn drop(&mut self) {
            self.0.abort();
        }
    }
    let mut task = Task(tokio::task::spawn_blocking(work));
    match (&mut task.0).await {
        Ok(result) => result,
        Err(error) => Err(StoreError::Failed { what: what.to_owned(), source: error.into() }),
    }
}
