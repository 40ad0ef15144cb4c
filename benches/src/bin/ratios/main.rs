//! Prints each hot path beside its floor, measured in turns in one run.
//!
//! `ratios [--enforce] [part]...`; `cargo xtask ratios` builds what it needs and runs it. With `--enforce` a promise that was
//! missed is a failure; without, the table is only shown, for another program's work on the same machine makes any
//! single figure worse. Without a part, all of them are measured.

mod disk;
mod failover;
mod memory;
mod process;
mod skills;
mod table;

use std::error::Error;
use std::process::ExitCode;

use table::Table;

type Part = fn(&mut Table) -> Result<(), Box<dyn Error>>;

const PARTS: [(&str, Part); 5] = [
    ("memory", memory::measure),
    ("failover", failover::measure),
    ("skills", skills::measure),
    ("disk", disk::measure),
    ("process", process::measure),
];

fn main() -> ExitCode {
    let (flags, parts): (Vec<_>, Vec<_>) = std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    if let Some(unknown) = flags.iter().find(|flag| *flag != "--enforce") {
        eprintln!("ratios: `{unknown}` is not known; only --enforce is");
        return ExitCode::from(2);
    }
    match measure(&parts) {
        Ok(table) => {
            print!("{table}");
            if !flags.is_empty() && table.missed() > 0 { ExitCode::FAILURE } else { ExitCode::SUCCESS }
        }
        Err(error) => {
            eprintln!("ratios: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(wanted: &[String]) -> Result<Table, Box<dyn Error>> {
    let names = PARTS.map(|(name, _)| name);
    if let Some(unknown) = wanted.iter().find(|wanted| !names.contains(&wanted.as_str())) {
        return Err(format!("there is no part `{unknown}`; there are {}", names.join(", ")).into());
    }
    let mut table = Table::default();
    for (name, part) in PARTS {
        if wanted.is_empty() || wanted.iter().any(|wanted| wanted == name) {
            part(&mut table)?;
        }
    }
    Ok(table)
}
