//! The floor of a run of the program: a binary with the same libraries that starts, appends to a file, and ends.
//!
//! `floor <file> <appends>`: each append is one short write and one sync.

use std::hint::black_box;
use std::io;
use std::path::Path;

use benches::RawJournal;
use rusty_pinch_core::{Agent, LocalBrain, LocalStore};

const LINE: &[u8] =
    b"{\"timestamp\":\"2026-01-01T00:00:00Z\",\"role\":\"user\",\"content\":\"hello, and a few words more\"}\n";

fn main() -> io::Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let (file, appends) = match arguments.as_slice() {
        [_, file, appends] => (file, appends.parse::<u32>().map_err(io::Error::other)?),
        _ => return Err(io::Error::other("usage: floor <file> <appends>")),
    };
    if black_box(false) {
        libraries(file)?;
    }
    if appends > 0 {
        let mut journal = RawJournal::create(Path::new(file))?;
        for _ in 0..appends {
            journal.append(LINE)?;
        }
    }
    Ok(())
}

/// Never runs. It keeps the linker from leaving out what the program has.
fn libraries(folder: &str) -> io::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let store = LocalStore::open(folder).map_err(io::Error::other)?;
    let agent = Agent::builder(LocalBrain::default()).store(store).build();
    let reply = runtime.block_on(async { agent.turn("floor", "hello").await }).map_err(io::Error::other)?;
    black_box(reply);
    Ok(())
}
