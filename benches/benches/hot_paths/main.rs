//! Criterion benches of the hot paths: to see whether a change made one slower. `ratios` tells what they cost beside
//! their floors.

#![expect(clippy::expect_used, reason = "a bench whose set-up fails has nothing to measure")]

mod disk;
mod egress;
mod memory;

criterion::criterion_group!(
    hot_paths,
    memory::turns,
    memory::direct,
    disk::appends,
    disk::commits,
    disk::tails,
    disk::turns,
    egress::checks,
    egress::fetches
);
criterion::criterion_main!(hot_paths);
