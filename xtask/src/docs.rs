//! `cargo xtask docs`: writes the pages that are made from the tables in the code, or says that they have drifted.

use std::fs;

use crate::run::{Failed, Notes, Outcome, Program, root};

const PAGES: [&str; 2] = ["docs/CONFIGURATION.md", ".env.example"];

pub(crate) fn write() -> Outcome {
    Program::cargo(&["run", "--quiet", "--package", "rusty-pinch-core", "--example", "reference"]).show()?;
    Ok(Notes::default())
}

/// Writes the pages, and puts back what stood there when it differs.
pub(crate) fn check() -> Outcome {
    let before: Vec<Option<String>> = PAGES.iter().map(|page| fs::read_to_string(root().join(page)).ok()).collect();
    write()?;
    let mut drifted = Vec::new();
    for (page, before) in PAGES.into_iter().zip(before) {
        let path = root().join(page);
        let after = fs::read_to_string(&path).map_err(|error| Failed::new(page, error))?;
        if before.as_deref() == Some(after.as_str()) {
            continue;
        }
        drifted.push(page);
        let put_back = before.map_or_else(|| fs::remove_file(&path), |before| fs::write(&path, before));
        put_back.map_err(|error| Failed::new(page, error))?;
    }
    if drifted.is_empty() {
        return Ok(Notes::detail(format!("{} pages", PAGES.len())));
    }
    Err(Failed(format!("{} no longer agree with the code; run `cargo xtask docs`", drifted.join(", "))))
}
