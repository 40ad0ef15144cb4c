//! What can be typed after `codex` and `pulse`.

use clap::{Args, Subcommand};

#[derive(Debug, Subcommand)]
pub(crate) enum Codex {
    /// Show the accounts, their quota, and the queue.
    Status,
    /// Look whether each account can be used. It makes no request to a model.
    Healthcheck,
    /// Ask Codex now, or queue the prompt when what is left of the quota is kept for people.
    Generate(Generate),
    /// Ask Codex for the task that is next in the queue.
    DrainOne,
    /// Show what the tasks that are over came to, the newest first.
    Results,
    /// Show which accounts have a key or a login. It runs nothing.
    LoginStatus,
}

#[derive(Debug, Args)]
pub(crate) struct Generate {
    /// The prompt; `-`, or leaving it out with piped input, reads it from standard input.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) prompt: Option<String>,
    /// What it is for; shown in the queue.
    #[arg(long, default_value = "general", value_name = "TEXT")]
    pub(crate) purpose: String,
    /// A person waits: use what is kept for people, and come first in the queue.
    #[arg(long)]
    pub(crate) interactive: bool,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Pulse {
    /// Do once what is due: end and carry out approvals, look at Codex's accounts, ask for one task of its queue.
    Tick,
}
