//! The child that runs one skill, as a program of its own: for embedders whose program can't become it.
//!
//! Whatever it is started with, it is that child. Name it in a `SandboxCommand`.

use std::process::ExitCode;

fn main() -> ExitCode {
    rusty_pinch_core::skill_child_main()
}
