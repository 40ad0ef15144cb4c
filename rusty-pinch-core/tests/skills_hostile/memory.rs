//! Scripts that pile up memory within every limit of Rhai's own.

use crate::setup::{assert_unharmed, child};

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

#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pile_of_memory_ends_at_the_cap() {
    let watch = watch::Watch::start();
    let error = child().run(PILE, "").await.unwrap_err().to_string();
    assert!(error.contains("256 MiB of memory"), "{error}");
    let peak = watch.stop();
    // It grew, and never over the cap.
    assert!((100..=256).contains(&(peak / 1024)), "{peak} KiB");
    assert_unharmed(&child()).await;
}

#[cfg(target_os = "linux")]
mod watch {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread::JoinHandle;
    use std::time::Duration;

    /// Watches the most memory that any child of this process had.
    pub(super) struct Watch {
        is_over: Arc<AtomicBool>,
        thread: JoinHandle<u64>,
    }

    impl Watch {
        pub(super) fn start() -> Self {
            let is_over = Arc::new(AtomicBool::new(false));
            let stop = Arc::clone(&is_over);
            let thread = std::thread::spawn(move || {
                let mut peak = 0;
                while !stop.load(Ordering::Relaxed) {
                    peak = crate::endings::children().into_iter().map(peak_kib).max().unwrap_or(0).max(peak);
                    std::thread::sleep(Duration::from_millis(1));
                }
                peak
            });
            Self { is_over, thread }
        }

        /// The most, in KiB.
        pub(super) fn stop(self) -> u64 {
            self.is_over.store(true, Ordering::Relaxed);
            self.thread.join().unwrap()
        }
    }

    /// The kernel's own mark of the most memory that a process had resident.
    fn peak_kib(pid: u32) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
    }
}
