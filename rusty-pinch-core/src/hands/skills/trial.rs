//! For fuzzers and tests: parts of the sandbox without a sandbox.

use std::cell::Cell;
use std::time::Duration;

use serde_json::Map;

use super::bounds::OPERATIONS_PER_LOOK;
use super::protocol::{Heard, Hearing};
use super::running::{Running, World};
use super::{HostCall, HostReply, engine};
use crate::data::Timestamp;
use crate::sys::{Clock, SystemClock};

/// Runs a script on this thread for about `operations`, with a host that answers every call with its own words.
pub(crate) fn run_briefly(source: &str, text: &str, operations: u64) -> Result<String, String> {
    let world = Budget::of(operations);
    let script = || engine::run(&engine::compile(source)?, text);
    let (outcome, _) = Running::new(world, Map::new()).enter(script);
    outcome.map_err(|failure| failure.why)
}

/// How long a script may take however few its operations are: an operator on two closures' shared variable, which Rhai
/// takes for a data race, costs 50 ms.
const BRIEF: Duration = Duration::from_millis(500);

/// Time, counted in looks at the clock.
pub(super) struct Budget {
    looks_left: Cell<u64>,
    deadline: Timestamp,
}

impl Budget {
    pub(super) fn of(operations: u64) -> Self {
        Self { looks_left: Cell::new(operations / OPERATIONS_PER_LOOK), deadline: SystemClock.now() + BRIEF }
    }
}

impl World for Budget {
    fn call(&self, call: HostCall) -> Option<HostReply> {
        Some(serde_json::to_value(&call).map_err(|error| error.to_string()))
    }

    fn is_over(&self) -> Option<String> {
        let left = self.looks_left.get().checked_sub(1);
        self.looks_left.set(left.unwrap_or(0));
        (left.is_none() || SystemClock.now() >= self.deadline).then(|| "its operations".to_owned())
    }
}

/// Listens to `bytes` as to a child whose calls are answered at once. Gives the number of calls, and whether anything
/// after the child's last word, or after it broke the order, was taken for a word.
pub(crate) fn hear_child(bytes: &[u8]) -> (usize, bool) {
    let mut hearing = Hearing::default();
    let (mut calls, mut is_over, mut spoke_after) = (0, false, false);
    for line in bytes.split(|byte| *byte == b'\n') {
        match hearing.take(Some(line)) {
            Heard::Call(_) => {
                spoke_after |= is_over;
                calls += 1;
                hearing.answer();
            }
            Heard::LastWord(_) => {
                spoke_after |= is_over;
                is_over = true;
            }
            Heard::Broken(_) => is_over = true,
            Heard::Nothing => spoke_after |= is_over,
        }
    }
    (calls, spoke_after)
}
