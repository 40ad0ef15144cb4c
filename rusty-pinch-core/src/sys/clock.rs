//! Wall time.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use async_trait::async_trait;

use crate::data::Timestamp;

/// Wall time and waiting for it.
///
/// # Contract
/// `now` may jump in both directions, as the clock of a computer does. `sleep_until` returns when `now` has reached
/// `at`, also when it got there by a jump, and at once when it already has. Dropping the future ends the wait.
#[async_trait]
pub trait Clock: Debug + Send + Sync + 'static {
    /// The present instant.
    fn now(&self) -> Timestamp;
    /// Waits until `at`.
    async fn sleep_until(&self, at: Timestamp);
}

#[async_trait]
impl<T: Clock + ?Sized> Clock for Arc<T> {
    fn now(&self) -> Timestamp {
        (**self).now()
    }
    async fn sleep_until(&self, at: Timestamp) {
        (**self).sleep_until(at).await;
    }
}

/// The longest that [`SystemClock`] sleeps before it looks at the wall clock again.
const JUMP_NOTICED_WITHIN: Duration = Duration::from_secs(30);

/// The computer's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the door to the clock")]
    fn now(&self) -> Timestamp {
        SystemTime::now().into()
    }

    async fn sleep_until(&self, at: Timestamp) {
        loop {
            let left = at.since(self.now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.min(JUMP_NOTICED_WITHIN)).await;
        }
    }
}
