//! The children of this process, as the kernel lists them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

/// The living processes that were started with the argument `mark`. One that ended and is not reaped yet is not listed.
pub(crate) fn marked_as(mark: &str) -> Vec<u32> {
    let is_marked = |pid: &u32| {
        let line = std::fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split(|byte| *byte == 0).any(|argument| argument == mark.as_bytes())
    };
    let pids = std::fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(is_marked).collect()
}

/// Whether none of them is left within a second.
pub(crate) async fn are_gone(mark: &str) -> bool {
    for _ in 0..100 {
        if marked_as(mark).is_empty() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

/// The kernel's own mark of the most memory that a process had resident.
pub(crate) fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.trim().parse().ok()).unwrap_or(0)
}

/// Watches the most memory that children with a mark have.
pub(crate) struct Watch {
    is_over: Arc<AtomicBool>,
    thread: JoinHandle<u64>,
}

impl Watch {
    pub(crate) fn start(mark: &'static str) -> Self {
        let is_over = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&is_over);
        let thread = std::thread::spawn(move || {
            let mut peak = 0;
            while !stop.load(Ordering::Relaxed) {
                peak = marked_as(mark).into_iter().map(peak_kib).max().unwrap_or(0).max(peak);
                std::thread::sleep(Duration::from_millis(1));
            }
            peak
        });
        Self { is_over, thread }
    }

    /// The most, in KiB.
    pub(crate) fn stop(self) -> u64 {
        self.is_over.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}
