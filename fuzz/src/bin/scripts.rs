//! Runs random scripts by the million: `scripts [count] [first seed]`. It fails at the first panic, and at the first
//! script that takes longer than a script of its length can. A script that takes the whole process with it is found in
//! the note that each thread keeps of its seed.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use fuzz::random_script::generate;
use fuzz::script::{Came, on_a_large_stack, run};

/// A script that runs this long hangs.
const HANG: Duration = Duration::from_secs(20);

fn main() -> ExitCode {
    let mut numbers = std::env::args().skip(1).map(|number| number.parse().ok());
    let (Some(count), Some(first)) = (numbers.next().unwrap_or(Some(1_000_000)), numbers.next().unwrap_or(Some(1)))
    else {
        eprintln!("usage: scripts [count] [first seed]");
        return ExitCode::from(2);
    };
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let notes: Vec<PathBuf> =
        (0..threads).map(|n| std::env::temp_dir().join(format!("skills-fuzz-{n}.seed"))).collect();
    println!("{count} scripts from seed {first} on {threads} threads, whose seeds are noted in {notes:?}");
    let next = AtomicU64::new(first);
    let came = Counts::default();
    let busy: Vec<Busy> = (0..threads).map(|_| Busy::default()).collect();
    let start = Instant::now();
    thread::scope(|scope| {
        let (next, busy, came) = (&next, &busy, &came);
        let workers: Vec<_> = busy
            .iter()
            .zip(&notes)
            .map(|(busy, note)| {
                scope.spawn(move || on_a_large_stack(|| work(next, first + count, (busy, note), came, start)))
            })
            .collect();
        while !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::sleep(Duration::from_millis(100));
            for worker in busy {
                worker.look(start);
            }
        }
    });
    let took = start.elapsed().as_secs_f64();
    println!("no panic, no hang: {count} scripts in {took:.1} s, {:.0} a second", count as f64 / took);
    let [refused, failed, ended] = came.0.map(AtomicU64::into_inner);
    println!("{ended} ran to their end, {failed} failed or went over a bound, {refused} were no scripts");
    ExitCode::SUCCESS
}

/// How many scripts were refused, failed and ended.
#[derive(Default)]
struct Counts([AtomicU64; 3]);

/// Which script a thread is busy with, and since when.
#[derive(Default)]
struct Busy {
    seed: AtomicU64,
    since_ms: AtomicU64,
}

impl Busy {
    fn look(&self, start: Instant) {
        let (seed, since) = (self.seed.load(Ordering::Relaxed), self.since_ms.load(Ordering::Relaxed));
        let busy = start.elapsed().saturating_sub(Duration::from_millis(since));
        if since != u64::MAX && busy > HANG {
            eprintln!("seed {seed} hangs:\n{}", generate(seed));
            std::process::exit(1);
        }
    }
}

fn work(next: &AtomicU64, end: u64, (busy, note): (&Busy, &Path), came: &Counts, start: Instant) {
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return busy.since_ms.store(u64::MAX, Ordering::Relaxed);
        }
        busy.seed.store(seed, Ordering::Relaxed);
        fs::write(note, seed.to_string()).expect("the note of a seed can be written");
        busy.since_ms.store(start.elapsed().as_millis() as u64, Ordering::Relaxed);
        let script = generate(seed);
        let Ok(what) = std::panic::catch_unwind(|| run(&script)) else {
            eprintln!("seed {seed} panics:\n{script}");
            std::process::exit(1);
        };
        let which = match what {
            Came::Refused => 0,
            Came::Failed => 1,
            Came::Ended => 2,
        };
        came.0[which].fetch_add(1, Ordering::Relaxed);
    }
}
