//! What can be typed behind `skills`.

use clap::{Args, Subcommand};
use rusty_pinch_core::ToolName;

use super::InSession;

#[derive(Debug, Subcommand)]
pub(crate) enum Skills {
    /// Show the skills, and what is wrong with those that can't be used.
    List,
    /// Show what one skill takes and what it may reach.
    Show(OneSkill),
    /// Compile a skill, look it through, and run its cases against recorded answers. Nothing leaves this computer.
    DryRun(OneSkill),
    /// Run one skill, as the message `/skill <name> [args]` does.
    Run(RunSkill),
    /// Write a new skill of ten lines to begin with.
    New(OneSkill),
    /// Check every skill; the exit code is 1 when one can't be used.
    Check,
}

#[derive(Debug, Args)]
pub(crate) struct OneSkill {
    /// The skill.
    #[arg(long, value_name = "SKILL", value_parser = skill_name)]
    pub(crate) name: ToolName,
}

#[derive(Debug, Args)]
pub(crate) struct RunSkill {
    #[command(flatten)]
    pub(crate) to: InSession,
    #[command(flatten)]
    pub(crate) which: OneSkill,
    /// Its arguments, as one text.
    #[arg(long, default_value = "", value_name = "TEXT", allow_hyphen_values = true)]
    pub(crate) args: String,
}

/// A skill's name; the ending of its file may be written behind it.
fn skill_name(text: &str) -> Result<ToolName, rusty_pinch_core::IdError> {
    let text = text.trim();
    ToolName::for_skill(text.strip_suffix(".rhai").unwrap_or(text))
}
