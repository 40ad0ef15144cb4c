//! Scripts that pile up memory within every limit of Rhai's own.

use rusty_pinch_core::Sandbox;
use rusty_pinch_core::testing::ScriptRunner;

use crate::children::{Watch, peak_kib};
use crate::setup::{assert_unharmed, marked};

/// Piles up texts in maps, which no limit of Rhai's adds up.
const PILE: &str = r#"
    fn main() {
        let pile = #{};
        let half = "x";
        for i in 0..18 { half += half; }
        for i in 0..2000 {
            pile[`k${i}`] = half + i;
        }
        pile.len()
    }
"#;

/// Ends the same way with one value that is cloned again and again.
const CLONES: &str = r#"
    fn main() {
        let text = "x";
        for i in 0..18 { text += text; }
        let kept = #{};
        for i in 0..2000 {
            kept[`${i}`] = [text + i];
        }
    }
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn piles_of_memory_end_at_the_cap() {
    for (mark, script) in [("pile", PILE), ("clones", CLONES)] {
        let watch = Watch::start(mark);
        let runner = ScriptRunner::new(Sandbox::Child(marked(mark)));
        let error = runner.run(script, "").await.unwrap_err().to_string();
        assert!(error.contains("went over 256 MiB of memory"), "{error}");
        let peak = watch.stop();
        // It grew, and never over the cap.
        assert!((100..=256).contains(&(peak / 1024)), "{peak} KiB");
        assert_unharmed(&runner).await;
    }
}

/// Within every limit of Rhai's, in the sandbox that has no cap: what one value can hold stays small.
#[tokio::test]
async fn one_native_call_does_not_pile_up_memory() {
    let before = own_peak_kib();
    let runner = ScriptRunner::new(Sandbox::InProcess);
    let script = r#"fn main() { let s = "a"; s.pad(60000, "a"); s.replace("a", s); s.len() }"#;
    assert!(runner.run(script, "").await.unwrap_err().to_string().contains("KiB of text"));
    let grown = own_peak_kib() - before;
    assert!(grown < 512 * 1024, "{grown} KiB");
}

fn own_peak_kib() -> u64 {
    peak_kib(std::process::id())
}
