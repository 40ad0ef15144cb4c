//! What can be typed behind `brain`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Brain {
    /// Show the chain of providers: breakers, last errors and last answers. Nobody is asked.
    Status,
    /// Close breakers and let go of Codex's accounts that are skipped, so that what was repaired is asked at once.
    Reset(Reset),
}

#[derive(Debug, Args)]
pub(crate) struct Reset {
    /// Only this provider of the chain.
    #[arg(long, value_name = "NAME")]
    pub(crate) provider: Option<String>,
}
