//! A skill's run in its sandboxes, beside bare Rhai on a script that was compiled before (promise R3: in process at most
//! 1.2 times bare Rhai for a script of a millisecond; a call in a child at most 5 ms).

#![allow(missing_docs, reason = "criterion makes public functions without any")]
#![expect(clippy::expect_used, reason = "a bench whose set-up fails has nothing to measure")]

use criterion::{Criterion, criterion_group, criterion_main};
use rhai::{Engine, Scope};
use rusty_pinch_core::testing::ScriptRunner;
use rusty_pinch_core::{Sandbox, SandboxCommand};
use tokio::runtime::{Builder, Runtime};

/// About a millisecond of script.
const LOOP: &str = "fn main() { let sum = 0; for i in 0..6000 { sum += i % 7; } sum }";
/// As little as a script can do: what is left is the cost of a call.
const EMPTY: &str = "fn main() { 1 }";
/// The same with one call of the host.
const CALL: &str = "fn main() { time_now() }";

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().expect("a runtime")
}

fn child() -> ScriptRunner {
    ScriptRunner::new(Sandbox::Child(SandboxCommand::new(env!("CARGO_BIN_EXE_rusty-pinch-skill"))))
        .host(|_| async { Ok("2026-01-01T00:00:00Z".into()) })
}

fn bare(criterion: &mut Criterion) {
    let engine = Engine::new();
    for (name, script) in [("empty", EMPTY), ("1 ms", LOOP)] {
        let ast = engine.compile(script).expect("a script");
        criterion.bench_function(&format!("skill {name}, bare Rhai"), |bencher| {
            bencher.iter(|| engine.call_fn::<i64>(&mut Scope::new(), &ast, "main", ()).expect("a number"));
        });
    }
}

fn in_process(criterion: &mut Criterion) {
    let (runtime, runner) = (runtime(), ScriptRunner::new(Sandbox::InProcess));
    for (name, script) in [("empty", EMPTY), ("1 ms", LOOP)] {
        criterion.bench_function(&format!("skill {name}, in process"), |bencher| {
            bencher.to_async(&runtime).iter(async || runner.run(script, "").await.expect("a number"));
        });
    }
}

fn in_a_child(criterion: &mut Criterion) {
    let (runtime, runner) = (runtime(), child());
    for (name, script) in [("empty", EMPTY), ("one host call", CALL), ("1 ms", LOOP)] {
        criterion.bench_function(&format!("skill {name}, child"), |bencher| {
            bencher.to_async(&runtime).iter(async || runner.run(script, "").await.expect("an output"));
        });
    }
}

criterion_group!(skills, bare, in_process, in_a_child);
criterion_main!(skills);
