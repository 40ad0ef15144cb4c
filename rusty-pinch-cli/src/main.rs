//! The command line of Rusty Pinch.
fn main() {}
