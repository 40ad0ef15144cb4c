//! What an operator can set, and what that makes of the program.
//!
//! Each room has a table of its own variables and reads its own settings; this room joins the tables, reads the
//! environment (nobody else does), and reports everything that is wrong at once. A value that does not parse is an
//! error, never a silent default, and no message shows a secret. The documentation of the variables is made from the
//! same tables.

#[cfg(feature = "sqlite")]
mod assemble;
mod doctor;
mod env_file;
mod error;
mod names;
mod no_effect;
mod provider;
mod reader;
mod reference;
mod settings;
#[cfg(all(feature = "codex", feature = "sqlite"))]
mod surroundings;
mod variable;
mod vars;

#[cfg(test)]
mod tests;

#[cfg(all(feature = "codex", feature = "sqlite"))]
pub use assemble::codex_work;
#[cfg(all(feature = "skills", feature = "sqlite"))]
pub use assemble::skill_library;
#[cfg(feature = "sqlite")]
pub use assemble::{
    AssembleError, Assembled, BrainStatus, BreakerState, LeftOut, MemberStatus, SpendError, assemble, assemble_hands,
    brain_status, codex_readiness, examine, examine_records, open_store, provider_choice, reset_breakers, spend_today,
};
#[cfg(feature = "skills")]
pub use doctor::examine_sandbox;
pub use doctor::{Check, CheckStatus, Fact, Report};
pub use error::{SettingsError, SettingsProblem};
pub use names::UnknownName;
pub use provider::{CodexReadiness, ProviderChoice};
pub(crate) use reader::Reader;
pub use reference::{env_example, reference_markdown};
pub use settings::{Settings, Sources};
pub(crate) use variable::{Kind, Section, Variable};
pub use vars::{Origin, Vars};
