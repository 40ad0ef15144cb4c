//! How many retries a chain may make: a few at once, and then a share of its requests.

use std::sync::{Mutex, PoisonError};

use super::limits::{RETRIES_BURST_TENTHS, RETRIES_PER_REQUEST_TENTHS};

const ONE: u32 = 10;

/// A token bucket, filled by requests and not by time: an idle chain saves nothing up beyond its burst.
#[derive(Debug)]
pub(super) struct RetryBudget {
    tenths: Mutex<u32>,
}

impl RetryBudget {
    pub(super) fn full() -> Self {
        Self { tenths: Mutex::new(RETRIES_BURST_TENTHS) }
    }

    /// A request came.
    pub(super) fn request(&self) {
        self.with(|tenths| *tenths = (*tenths + RETRIES_PER_REQUEST_TENTHS).min(RETRIES_BURST_TENTHS));
    }

    /// Takes a retry, where there is one.
    pub(super) fn take(&self) -> bool {
        self.with(|tenths| match tenths.checked_sub(ONE) {
            Some(left) => {
                *tenths = left;
                true
            }
            None => false,
        })
    }

    fn with<T>(&self, change: impl FnOnce(&mut u32) -> T) -> T {
        change(&mut self.tenths.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_at_once_and_then_one_in_ten() {
        let budget = RetryBudget::full();
        assert_eq!((0..100).filter(|_| budget.take()).count(), 10);
        let taken = (0..1000).filter(|_| {
            budget.request();
            budget.take()
        });
        assert_eq!(taken.count(), 100);
    }
}
