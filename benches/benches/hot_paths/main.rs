//! Criterion benches of the hot paths: to see whether a change made one slower. `ratios` tells what they cost beside
//! their floors.

#![expect(clippy::expect_used, reason = "a bench whose set-up fails has nothing to measure")]

mod budget;
mod codex;
mod disk;
mod egress;
mod failover;
mod memory;

criterion::criterion_group!(
    hot_paths,
    codex::decisions,
    codex::requests,
    memory::turns,
    memory::direct,
    budget::calls,
    failover::chains,
    disk::appends,
    disk::commits,
    disk::tails,
    disk::turns,
    egress::checks,
    egress::fetches
);
criterion::criterion_main!(hot_paths);
