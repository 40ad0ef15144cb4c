//! What a child says to its parent: whatever it is, its order is kept or it is not believed.

use rusty_pinch_core::testing::hear_child;

/// The most calls that a run may make of its host.
const CALLS_MAX: usize = 256;

pub fn check(bytes: &[u8]) {
    let (calls, spoke_after) = hear_child(bytes);
    assert!(calls <= CALLS_MAX, "{calls} calls of the host");
    assert!(!spoke_after, "something counted after the child's last word");
}
