//! The clock of the benches, and what is made of many measurements.

use std::time::{Duration, Instant};

/// The present instant.
#[expect(clippy::disallowed_methods, reason = "benches measure real time")]
pub fn now() -> Instant {
    Instant::now()
}

/// How long `work` takes.
pub fn time<T>(work: impl FnOnce() -> T) -> Duration {
    let start = now();
    std::hint::black_box(work());
    now() - start
}

/// The middle of `times`; zero when there are none.
pub fn median(times: &mut [Duration]) -> Duration {
    times.sort_unstable();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
