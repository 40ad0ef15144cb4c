//! What the agent itself costs: turns in memory, on one thread and on two, and the prompt alone.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use benches::direct::Parts;
use benches::stopwatch::{median, now};
use benches::{FixedBrain, MESSAGE, Probe, fill, session};
use rusty_pinch_core::{Agent, MemoryStore, SessionId};
use tokio::runtime::{Builder, Runtime};
use tokio::task::JoinSet;

use crate::table::{Pair, Promise, Table};

/// Rounds of both sides, and turns in each.
const ROUNDS: usize = 40;
const TURNS: usize = 100;
/// Entries of a session of some length.
const ENTRIES: usize = 50;
/// What one turn may take (promise R2).
const TURN_TIME_MAX: Duration = Duration::from_micros(30);

const SESSIONS: usize = 1_000;
const TURNS_OF_EACH: usize = 20;
const CONCURRENT_ROUNDS: usize = 9;

/// Entries of a long session.
const ENTRIES_LONG: usize = 2_000;
/// Entries of the sessions whose prompt is measured.
const PROMPTS: [usize; 2] = [ENTRIES, ENTRIES_LONG];
const PROMPT_ROUNDS: usize = 200;

pub(crate) fn measure(table: &mut Table) -> Result<(), Box<dyn Error>> {
    for entries in [0, ENTRIES] {
        let mut times = turns(entries)?;
        let middle = median(&mut times.ours);
        table.pair(format!("R2 turn in memory, {entries} entries / same calls by hand"), Promise::AtMost(2.0), times);
        table.bound(format!("R2 turn in memory, {entries} entries, p50"), middle, TURN_TIME_MAX);
    }
    table.pair(format!("turn in memory, {ENTRIES_LONG} entries / {ENTRIES}"), Promise::None, long_turns()?);
    concurrent(table)?;
    for entries in PROMPTS {
        let times = prompts(entries)?;
        table.pair(format!("prompt of {entries} entries / its texts copied"), Promise::None, times);
    }
    Ok(())
}

fn one_thread() -> std::io::Result<Runtime> {
    Builder::new_current_thread().enable_all().build()
}

/// Each turn has a session of its own, so that all have the same history.
fn turns(entries: usize) -> Result<Pair, Box<dyn Error>> {
    let runtime = one_thread()?;
    let mut times = Pair::default();
    for round in 0..ROUNDS {
        runtime.block_on(async {
            let (agent, direct) = sides();
            let sessions: Vec<SessionId> = (0..TURNS).map(session).collect::<Result<_, _>>()?;
            for session in &sessions {
                fill(agent.store(), session, entries).await?;
                fill(&direct.store, session, entries).await?;
            }
            // Whoever comes first finds colder caches; they take turns in that too.
            for is_ours in [round % 2 == 0, round % 2 != 0] {
                for session in &sessions {
                    let start = now();
                    if is_ours {
                        agent.turn(session, MESSAGE).await?;
                        times.ours.push(now() - start);
                    } else {
                        direct.turn(session, MESSAGE).await?;
                        times.floor.push(now() - start);
                    }
                }
            }
            Ok::<_, Box<dyn Error>>(())
        })?;
    }
    Ok(times)
}

/// What a long history costs, which is read back as far as the model's context reaches.
fn long_turns() -> Result<Pair, Box<dyn Error>> {
    let runtime = one_thread()?;
    let mut times = Pair::default();
    runtime.block_on(async {
        for round in 0..PROMPT_ROUNDS {
            let agent = Agent::new(FixedBrain::default());
            for (entries, series) in [(ENTRIES_LONG, &mut times.ours), (ENTRIES, &mut times.floor)] {
                let session = session(round + entries)?;
                fill(agent.store(), &session, entries).await?;
                let start = now();
                agent.turn(&session, MESSAGE).await?;
                series.push(now() - start);
            }
        }
        Ok(times)
    })
}

/// An agent, and the parts of one like it.
fn sides() -> (Agent, Parts) {
    let parts = Parts::new(FixedBrain::default(), Arc::new(MemoryStore::new()));
    (Agent::new(FixedBrain::default()), parts)
}

/// How much faster two threads are than one, with many sessions at once.
fn concurrent(table: &mut Table) -> Result<(), Box<dyn Error>> {
    let mut times = Pair::default();
    for _ in 0..CONCURRENT_ROUNDS {
        times.ours.push(crowd(2)?);
        times.floor.push(crowd(1)?);
    }
    let turns = (SESSIONS * TURNS_OF_EACH) as f64;
    let per_second = |times: &mut [Duration]| turns / median(times).as_secs_f64();
    let (two, one) = (per_second(&mut times.ours), per_second(&mut times.floor));
    let shown = |rate: f64| format!("{:.0}k/s", rate / 1e3);
    let name = format!("R2 {SESSIONS} sessions at once, two threads / one");
    table.ratio(name, Promise::AtLeast(1.6), (shown(two), shown(one)), two / one);
    Ok(())
}

fn crowd(threads: usize) -> Result<Duration, Box<dyn Error>> {
    let runtime = Builder::new_multi_thread().worker_threads(threads).enable_all().build()?;
    let agent = Agent::new(FixedBrain::default());
    let sessions: Vec<SessionId> = (0..SESSIONS).map(session).collect::<Result<_, _>>()?;
    runtime.block_on(async {
        let start = now();
        let mut tasks = JoinSet::new();
        for session in sessions {
            let agent = agent.clone();
            tasks.spawn(async move {
                for _ in 0..TURNS_OF_EACH {
                    agent.turn(&session, MESSAGE).await?;
                }
                Ok::<_, rusty_pinch_core::TurnError>(())
            });
        }
        while let Some(ended) = tasks.join_next().await {
            ended??;
        }
        Ok(now() - start)
    })
}

/// The time from the store's answer to the question to the brain: what the agent does in between is the prompt.
fn prompts(entries: usize) -> Result<Pair, Box<dyn Error>> {
    let runtime = one_thread()?;
    let store = MemoryStore::new();
    let probe = Probe::default();
    let agent = Agent::builder(probe.brain()).store(probe.store(store.clone())).build();
    runtime.block_on(async {
        let mut times = Pair::default();
        for round in 0..PROMPT_ROUNDS {
            let session = session(round)?;
            fill(&store, &session, entries).await?;
            agent.turn(&session, MESSAGE).await?;
            let (prompt, copied) = probe.take();
            times.ours.push(prompt);
            times.floor.push(copied);
        }
        Ok(times)
    })
}
