//! The command line of Rusty Pinch: arguments in, text or JSON out, an exit code.
//!
//! Everything that thinks, acts or remembers is in `rusty-pinch-core`. Results go to standard output and nothing else
//! does; logs, turn lines and errors go to standard error. `docs/CLI.md` has the verbs and the exit codes.

mod arguments;
mod environment;
mod failure;
mod log;
mod message;
mod output;
mod preview;
mod program;
mod sandbox;
mod turn;
mod verbs;
mod when;

fn main() -> std::process::ExitCode {
    // Before anything else: as the child that runs a skill, this program has no settings, no logs and one thread.
    if sandbox::is_child() {
        return rusty_pinch_core::skill_child_main();
    }
    program::main()
}
