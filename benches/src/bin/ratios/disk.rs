//! What durable writing and reading cost: appends, commits, long sessions, whole turns.

use std::error::Error;
use std::sync::Arc;

use benches::direct::{Parts, key};
use benches::stopwatch::now;
use benches::{FixedBrain, MESSAGE, RawJournal, RawRecords, exchange, fill, folder, session};
use rusty_pinch_core::{Agent, Change, JournalId, LocalStore, Position, Precondition, Span, Store, StoreError};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use crate::table::{Pair, Promise, Table};

const ROUNDS: usize = 300;
const LONG: usize = 1_000_000;
const SHORT: usize = 100;
const LAST: usize = 50;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    // As in the program: work on files runs on threads of its own.
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    table.pair("append / write and sync by hand", Promise::None, appends(&runtime)?);
    table.pair("commit / raw SQLite", Promise::None, commits(&runtime)?);
    long_sessions(&runtime, table)?;
    table.pair(format!("turn on disk, {LAST} entries / same calls by hand"), Promise::None, turns(&runtime)?);
    Ok(())
}

fn appends(runtime: &Runtime) -> Result<Pair, Box<dyn Error>> {
    let folder = folder()?;
    let store = LocalStore::open(folder.path().join("ours"))?;
    let mut raw = RawJournal::create(&folder.path().join("raw.jsonl"))?;
    let journal = JournalId::from(&session(0)?);
    let entry = &exchange(0)[..1];
    let mut line = serde_json::to_vec(&entry[0])?;
    line.push(b'\n');
    runtime.block_on(async {
        let mut times = Pair::default();
        let mut end = store.append(&journal, Position::START, entry).await?;
        for _ in 0..ROUNDS {
            let start = now();
            end = store.append(&journal, end, entry).await?;
            times.ours.push(now() - start);
            let start = now();
            raw.append(&line)?;
            times.floor.push(now() - start);
        }
        Ok(times)
    })
}

fn commits(runtime: &Runtime) -> Result<Pair, Box<dyn Error>> {
    let folder = folder()?;
    let store = LocalStore::open(folder.path().join("ours"))?;
    let mut raw = RawRecords::create(&folder.path().join("raw.db"))?;
    let value = json!({"text": "a note of some length, as people write them", "pinned": false});
    let text = value.to_string();
    runtime.block_on(async {
        let mut times = Pair::default();
        for round in 0..ROUNDS {
            let key = key(round);
            let change = Change::put(key.clone(), Precondition::None, value.clone());
            let start = now();
            store.commit(std::slice::from_ref(&change)).await?;
            times.ours.push(now() - start);
            let start = now();
            raw.put(key.as_str(), &text)?;
            times.floor.push(now() - start);
        }
        Ok(times)
    })
}

/// The floor is the same work on a short session.
fn long_sessions(runtime: &Runtime, table: &mut Table) -> Result<(), Box<dyn Error>> {
    let folder = folder()?;
    let store = LocalStore::open(folder.path())?;
    let (mut whole, mut append, mut read) = (Pair::default(), Pair::default(), Pair::default());
    runtime.block_on(async {
        let mut long = Journal::filled(&store, 0, LONG).await?;
        let mut short = Journal::filled(&store, 1, SHORT).await?;
        for _ in 0..ROUNDS {
            let (appended, ended) = long.append_and_read(&store).await?;
            whole.ours.push(ended);
            append.ours.push(appended);
            read.ours.push(ended - appended);
            let (appended, ended) = short.append_and_read(&store).await?;
            whole.floor.push(ended);
            append.floor.push(appended);
            read.floor.push(ended - appended);
        }
        Ok::<_, Box<dyn Error>>(())
    })?;
    table.pair(format!("D5 append + last {LAST}, {LONG} entries / {SHORT}"), Promise::AtMost(1.2), whole);
    table.pair("   of it the append", Promise::None, append);
    table.pair(format!("   of it the last {LAST}"), Promise::None, read);
    Ok(())
}

/// A journal that is appended to and read.
struct Journal {
    id: JournalId,
    end: Position,
}

impl Journal {
    async fn filled(store: &LocalStore, n: usize, entries: usize) -> Result<Self, Box<dyn Error>> {
        let session = session(n)?;
        let end = fill(store, &session, entries).await?;
        Ok(Self { id: JournalId::from(&session), end })
    }

    /// How long the append took, and how long both did.
    async fn append_and_read(
        &mut self,
        store: &LocalStore,
    ) -> Result<(std::time::Duration, std::time::Duration), StoreError> {
        let entry = &exchange(0)[..1];
        let start = now();
        self.end = store.append(&self.id, self.end, entry).await?;
        let appended = now() - start;
        std::hint::black_box(store.read(&self.id, Span::Last(LAST)).await?);
        Ok((appended, now() - start))
    }
}

fn turns(runtime: &Runtime) -> Result<Pair, Box<dyn Error>> {
    let folder = folder()?;
    let store = LocalStore::open(folder.path())?;
    let agent = Agent::builder(FixedBrain::default()).store(store.clone()).build();
    let direct = Parts::new(FixedBrain::default(), Arc::new(store));
    runtime.block_on(async {
        let mut times = Pair::default();
        for round in 0..ROUNDS {
            // A session grows with each turn, and with it the turn: every round has sessions of its own.
            let (ours, floor) = (session(2 * round)?, session(2 * round + 1)?);
            fill(agent.store(), &ours, LAST).await?;
            fill(agent.store(), &floor, LAST).await?;
            let start = now();
            agent.turn(&ours, MESSAGE).await?;
            times.ours.push(now() - start);
            let start = now();
            direct.turn(&floor, MESSAGE).await?;
            times.floor.push(now() - start);
        }
        Ok(times)
    })
}
