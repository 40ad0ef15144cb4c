//! Prints each hot path beside its floor, measured in turns in one run.
//!
//! `ratios [--enforce]`; `cargo xtask ratios` builds what it needs and runs it. With `--enforce` a promise that was
//! missed is a failure; without, the table is only shown, for another program's work on the same machine makes any
//! single figure worse.

mod disk;
mod failover;
mod memory;
mod process;
mod skills;
mod table;

use std::error::Error;
use std::process::ExitCode;

use table::Table;

fn main() -> ExitCode {
    let enforced = match std::env::args().skip(1).collect::<Vec<_>>().as_slice() {
        [] => false,
        [flag] if flag == "--enforce" => true,
        other => {
            eprintln!("ratios: `{}` is not known; only --enforce is", other.join(" "));
            return ExitCode::from(2);
        }
    };
    match measure() {
        Ok(table) => {
            print!("{table}");
            if enforced && table.missed() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("ratios: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Result<Table, Box<dyn Error>> {
    let mut table = Table::default();
    memory::measure(&mut table)?;
    failover::measure(&mut table)?;
    skills::measure(&mut table)?;
    disk::measure(&mut table)?;
    process::measure(&mut table)?;
    Ok(table)
}
