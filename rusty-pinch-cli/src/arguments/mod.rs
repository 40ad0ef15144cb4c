//! What can be typed.

mod brain;
mod codex;
mod skills;

use clap::{Args, Parser, Subcommand};
use rusty_pinch_core::{ApprovalToken, SessionId, ToolName};

pub(crate) use brain::{Brain, Reset};
pub(crate) use codex::{Codex, Generate, Pulse};
pub(crate) use skills::{RunSkill, Skills};

const EXIT_CODES: &str = "\
Exit codes:
  0  done
  1  failed
  2  the command line, the message or the arguments of a tool or skill are wrong
  3  the settings are wrong or incomplete
  4  refused by policy, or by a cap on spending
  5  waits for an approval
  130  interrupted

Examples:
  rusty-pinch run --session demo --message \"what is 17 * 23?\"
  git diff | rusty-pinch run --session review --message -
  rusty-pinch tools run --name time_now
  rusty-pinch session --session demo | jq '.[-1].content'
  rusty-pinch doctor --json

Settings come from RUSTY_PINCH_… variables and from .env; `doctor` shows what is wrong with them.";

/// An agent on your own computer: it thinks, acts with tools, and remembers.
#[derive(Debug, Parser)]
#[command(name = "rusty-pinch", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Arguments {
    /// Print the result as JSON, also on a terminal.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(subcommand)]
    pub(crate) verb: Option<Verb>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    /// Show what is set up and what must be fixed (also without any verb).
    Doctor,
    /// Answer one message.
    Run(Run),
    /// Go on with a turn that was interrupted.
    Resume(InSession),
    /// Talk, line by line.
    Repl(InSession),
    /// Show a session.
    Session(Session),
    /// Show or run tools.
    #[command(subcommand)]
    Tools(Tools),
    /// Show, write, try or run skills.
    #[command(subcommand)]
    Skills(Skills),
    /// Show counters and the last turn.
    Stats,
    /// Show and repair the chain of providers.
    #[command(subcommand)]
    Brain(Brain),
    /// Show and decide calls that wait for an approval.
    #[command(subcommand)]
    Approvals(Approvals),
    /// Show and use Codex's accounts and queue.
    #[command(subcommand)]
    Codex(Codex),
    /// Do what is due.
    #[command(subcommand)]
    Pulse(Pulse),
}

#[derive(Debug, Args)]
pub(crate) struct InSession {
    /// The conversation.
    #[arg(long, default_value = "default", value_name = "ID")]
    pub(crate) session: SessionId,
}

#[derive(Debug, Args)]
pub(crate) struct Run {
    #[command(flatten)]
    pub(crate) to: InSession,
    /// The message; `-`, or leaving it out with piped input, reads it from standard input.
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) message: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct Session {
    #[command(flatten)]
    pub(crate) of: InSession,
    /// Only the last N entries.
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<u32>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Tools {
    /// Show the tools and how to call them.
    List,
    /// Run one tool, as the message `/tool <name> [args]` does.
    Run(RunTool),
}

#[derive(Debug, Args)]
pub(crate) struct RunTool {
    #[command(flatten)]
    pub(crate) to: InSession,
    /// The tool.
    #[arg(long, value_name = "TOOL")]
    pub(crate) name: ToolName,
    /// Its arguments, as one text.
    #[arg(long, default_value = "", value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) args: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Approvals {
    /// Show the calls that wait.
    List,
    /// Allow a call to run once, and run it.
    Approve(Approve),
    /// Refuse a call, and tell the brain.
    Reject(Reject),
    /// Carry out a verdict that was given with --later, or that was interrupted.
    Settle(WithToken),
}

#[derive(Debug, Args)]
pub(crate) struct WithToken {
    /// The approval's token, as `approvals list` shows it.
    #[arg(long, value_name = "TOKEN")]
    pub(crate) token: ApprovalToken,
}

#[derive(Debug, Args)]
pub(crate) struct Approve {
    #[command(flatten)]
    pub(crate) of: WithToken,
    /// Only give the verdict; `approvals settle` or a worker carries it out.
    #[arg(long)]
    pub(crate) later: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Reject {
    #[command(flatten)]
    pub(crate) of: WithToken,
    /// Why; the brain is told.
    #[arg(long, default_value = "rejected by the operator", value_name = "TEXT")]
    pub(crate) reason: String,
    /// Only give the verdict; `approvals settle` or a worker carries it out.
    #[arg(long)]
    pub(crate) later: bool,
}
