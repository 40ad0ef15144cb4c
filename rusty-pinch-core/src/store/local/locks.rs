//! Locks between tasks and processes.
//!
//! Inside the process a mutex per name queues the waiters; between processes an OS lock on an open descriptor excludes,
//! which the system frees when the process dies. A lock's file is never removed, and what stands in it only tells a
//! person which process holds it.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::blocking;
use super::disk::{Folder, failure, is_named, private};
use crate::store::{Guard, LockName, StoreError};

const PAUSE_MIN: Duration = Duration::from_millis(1);
const PAUSE_MAX: Duration = Duration::from_millis(25);

type Turn = tokio::sync::Mutex<()>;

/// The locks that somebody in this process holds or waits for.
#[derive(Debug, Default)]
pub(super) struct Locks {
    turns: Mutex<HashMap<LockName, Weak<Turn>>>,
    held: Mutex<HashMap<LockName, Weak<Held>>>,
}

/// A held lock: the file first, so that the next in this process finds it free.
#[derive(Debug)]
pub(super) struct Held {
    _file: File,
    _turn: OwnedMutexGuard<()>,
}

impl Locks {
    /// Takes the lock `name`, waiting up to `wait`.
    pub(super) async fn lock(
        &self,
        folder: &Arc<Folder>,
        name: &LockName,
        wait: Duration,
    ) -> Result<Guard, StoreError> {
        let busy = || StoreError::Busy { name: name.clone(), waited: wait };
        // No deadline when it lies beyond what the clock can count.
        let deadline = Instant::now().checked_add(wait);
        let turn = self.turn(name);
        let turn = match Arc::clone(&turn).try_lock_owned() {
            Ok(turn) => turn,
            Err(_) => tokio::time::timeout(wait, turn.lock_owned()).await.map_err(|_| busy())?,
        };
        let mut pause = PAUSE_MIN;
        loop {
            let (folder, path) = (Arc::clone(folder), folder.lock(name));
            if let Some(file) = blocking("taking a lock", move || try_lock(&folder, path)).await? {
                return Ok(Guard::new(self.note(name, Held { _file: file, _turn: turn })));
            }
            let left = deadline.map_or(Duration::MAX, |deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_zero() {
                return Err(busy());
            }
            tokio::time::sleep(pause.min(left)).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// The lock `name`, if this process holds it. Work that was begun under a lock keeps it until it ends, so that work
    /// whose future was dropped can't surprise the next holder.
    pub(super) fn held(&self, name: &LockName) -> Option<Arc<Held>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).get(name).and_then(Weak::upgrade)
    }

    fn note(&self, name: &LockName, held: Held) -> Arc<Held> {
        let held = Arc::new(held);
        let mut all = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, held| held.strong_count() > 0);
        all.insert(name.clone(), Arc::downgrade(&held));
        held
    }

    fn turn(&self, name: &LockName) -> Arc<Turn> {
        let mut turns = self.turns.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(turn) = turns.get(name).and_then(Weak::upgrade) {
            return turn;
        }
        turns.retain(|_, turn| turn.strong_count() > 0);
        let turn = Arc::new(Turn::default());
        turns.insert(name.clone(), Arc::downgrade(&turn));
        turn
    }
}

/// The lock's file, when nobody else holds it.
fn try_lock(folder: &Folder, path: PathBuf) -> Result<Option<File>, StoreError> {
    let fail = |error| failure(path.display(), error);
    let open = || private().read(true).write(true).create(true).truncate(false).open(&path);
    let file = match open() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            folder.make_for(&path)?;
            open()
        }
        other => other,
    }
    .map_err(fail)?;
    match file.try_lock() {
        // A lock on a file that is no longer there excludes nobody.
        Ok(()) if !is_named(&file, &path).map_err(fail)? => Ok(None),
        Ok(()) => {
            // Only for people: a disk that is full must not stop those who write nothing else.
            let _ = sign(&file);
            Ok(Some(file))
        }
        Err(TryLockError::WouldBlock) => Ok(None),
        Err(TryLockError::Error(error)) => Err(fail(error)),
    }
}

/// Writes this process's id into the file, unless it stands there. Over the old one and as long as that: a file whose
/// length changes would have to be on the disk before the next sync of any other file is done.
fn sign(mut file: &File) -> io::Result<()> {
    let line = format!("{:<20}\n", std::process::id());
    let mut found = Vec::new();
    file.take(line.len() as u64).read_to_end(&mut found)?;
    if found != line.as_bytes() {
        file.rewind()?;
        file.write_all(line.as_bytes())?;
    }
    Ok(())
}

/// Locks an open file, waiting up to about `wait`; false when somebody else held it all that time. Blocks the thread.
pub(super) fn lock_within(file: &File, wait: Duration) -> io::Result<bool> {
    let mut waited = Duration::ZERO;
    let mut pause = PAUSE_MIN / 8;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if waited >= wait => return Ok(false),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(error)) => return Err(error),
        }
        std::thread::sleep(pause);
        waited += pause;
        pause = PAUSE_MAX.min(pause * 2);
    }
}
