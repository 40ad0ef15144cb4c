//! Writes the pages that are made from the code's tables: `docs/CONFIGURATION.md` and `.env.example`.
//!
//! `cargo run -p rusty-pinch-core --example reference`; `cargo xtask docs` runs it.

use std::path::Path;

use rusty_pinch_core::config::{env_example, reference_markdown};

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    std::fs::create_dir_all(root.join("docs"))?;
    std::fs::write(root.join("docs/CONFIGURATION.md"), reference_markdown())?;
    std::fs::write(root.join(".env.example"), env_example())
}
