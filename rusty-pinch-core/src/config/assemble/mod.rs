//! From settings to an agent: the store on disk, the brain that was chosen, the built-in tools.
//!
//! It chooses among defaults that exist and makes nothing of its own; an embedder who wants other parts uses
//! [`Agent::builder`] instead.

mod absent;
mod budget;
mod chain;
#[cfg(feature = "codex")]
mod codex;
#[cfg(feature = "http")]
mod http;
mod records;
#[cfg(feature = "skills")]
mod skills;
mod status;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

pub use self::budget::{SpendError, spend_today};

use self::absent::AbsentBrain;
pub use self::chain::LeftOut;
use self::chain::{Chain, time_needed};
pub use self::records::examine_records;
pub use self::status::{BrainStatus, BreakerState, MemberStatus, brain_status, reset_breakers};
use super::doctor::{Check, Report};
use super::provider::{CodexReadiness, ProviderChoice};
use super::{Settings, SettingsError};
use crate::agent::{Agent, Grants, Limits};
#[cfg(feature = "codex")]
use crate::brain::CodexWork;
use crate::brain::{Brain, BrainError, LocalBrain, PricesError, Provider};
use crate::hands::{Hands, builtin};
use crate::store::{JournalSurvey, LocalStore, MemoryStore, Store, StoreError};
use crate::sys::SystemClock;
use crate::telemetry::TurnObserver;
#[cfg(feature = "skills")]
pub use skills::skill_library;

/// An agent as the settings say.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Assembled {
    /// The agent.
    pub agent: Agent,
    /// Which providers it has, and why.
    pub choice: ProviderChoice,
    /// Providers of the choice that can't be used and were left out.
    pub left_out: Vec<LeftOut>,
}

/// Why no agent could be made of the settings.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AssembleError {
    /// The store can't be opened.
    #[error("the data folder can't be used")]
    Store(#[from] StoreError),
    /// The brain can't be made.
    #[error("the provider can't be used")]
    Brain(#[from] BrainError),
    /// The price file can't be used.
    #[error(transparent)]
    Prices(#[from] PricesError),
    /// The provider was left out of this build.
    #[error("the provider `{provider}` is not in this build; build it with the feature `{feature}`, or choose another")]
    NotInThisBuild {
        /// The provider.
        provider: Provider,
        /// The feature that has it.
        feature: &'static str,
    },
}

/// The agent that `settings` describe. `observer` is told of every turn. Nothing is written before the first turn.
///
/// # Errors
/// [`AssembleError`] when a part can't be used: a key is missing, the data folder is a file. A provider of a chain is
/// left out instead where another one can be used.
pub fn assemble(settings: &Settings, observer: impl TurnObserver) -> Result<Assembled, AssembleError> {
    let choice = provider_choice(settings);
    let store = open_store(settings)?;
    let chain = Chain::new(settings, &choice, &store)?;
    Ok(join(settings, choice, chain, store, observer))
}

/// The same where only tools and approvals are wanted: a provider that can't be used is an error when it is asked, and
/// not before.
///
/// # Errors
/// [`AssembleError::Store`] when the data folder can't be used.
pub fn assemble_hands(settings: &Settings, observer: impl TurnObserver) -> Result<Assembled, AssembleError> {
    let choice = provider_choice(settings);
    let store = open_store(settings)?;
    let chain = Chain::new(settings, &choice, &store).unwrap_or_else(|why| {
        let brain = Arc::new(AbsentBrain::new(choice.provider, &why));
        Chain { brain, left_out: Vec::new() }
    });
    Ok(join(settings, choice, chain, store, observer))
}

/// Codex for work that can wait: its queue and its accounts, kept where `settings` say. It makes nothing on disk before
/// it is used.
///
/// # Errors
/// [`AssembleError`] when Codex is switched off, or its program or the data folder can't be used.
#[cfg(feature = "codex")]
pub fn codex_work(settings: &Settings) -> Result<CodexWork, AssembleError> {
    if !settings.codex.enabled {
        return Err(AssembleError::Brain(BrainError::NotConfigured {
            brain: Provider::Codex.to_string(),
            detail: "RUSTY_PINCH_CODEX_ENABLED is false".to_owned(),
            fix: "set it to true".to_owned(),
        }));
    }
    let store = open_store(settings)?;
    let work = codex::work(settings, &store)?;
    let budget = budget::open(settings, &store)?;
    let pool = budget.around(Arc::clone(work.pool()), budget::billing(settings, Provider::Codex));
    Ok(work.asking(pool))
}

/// Which providers `settings` come to, with Codex looked for where that matters. Nobody is asked.
pub fn provider_choice(settings: &Settings) -> ProviderChoice {
    let codex = ProviderChoice::depends_on_codex(settings).then(|| codex_readiness(settings));
    ProviderChoice::new(settings, codex.as_ref())
}

fn join(
    settings: &Settings,
    choice: ProviderChoice,
    chain: Chain,
    store: Arc<dyn Store>,
    observer: impl TurnObserver,
) -> Assembled {
    let Chain { brain, left_out } = chain;
    let builder = Agent::builder(brain).store(store).observer(observer);
    let builder = match &choice.why {
        Some(why) => builder.provider_reason(why.clone()),
        None => builder,
    };
    #[cfg(feature = "http")]
    let builder = builder.egress(crate::hands::HttpEgress::new(&settings.egress));
    #[cfg(feature = "skills")]
    let builder = match skills::of(settings) {
        Some(skills) => builder.skills(skills),
        None => builder,
    };
    let limits = limits(settings, &choice);
    Assembled { agent: builder.grants(settings.grants.clone()).limits(limits).build(), choice, left_out }
}

/// The store that `settings` describe. Nothing is made on disk before the first write.
///
/// # Errors
/// [`StoreError`] when the data folder is something else than a folder.
pub fn open_store(settings: &Settings) -> Result<Arc<dyn Store>, StoreError> {
    Ok(Arc::new(LocalStore::open(&settings.store.data_dir)?))
}

/// What is set up and what is wrong with it, with Codex and the stored sessions looked at.
pub fn examine(settings: Result<&Settings, &SettingsError>) -> Report {
    let Ok(found) = settings else { return Report::new(settings, None) };
    let codex_matters = ProviderChoice::depends_on_codex(found) || found.brain.providers.contains(&Provider::Codex);
    let codex = codex_matters.then(|| codex_readiness(found));
    let mut report = Report::new(settings, codex.as_ref());
    let chain = ProviderChoice::new(found, codex.as_ref()).chain;
    #[cfg(feature = "codex")]
    if chain.contains(&Provider::Codex) {
        codex::report(&mut report, found);
    }
    budget::report(&mut report, found, &chain);
    report.check(sessions(found));
    #[cfg(feature = "skills")]
    for check in skills::examine(found) {
        report.check(check);
    }
    for check in misnamed_tools(found) {
        report.check(check);
    }
    report
}

/// A rule for a tool that there is not protects nothing, which its author should know.
fn misnamed_tools(settings: &Settings) -> Vec<Check> {
    let info = LocalBrain::default();
    let tools = builtin::toolbox(Arc::new(MemoryStore::new()), Arc::new(SystemClock), info.info());
    #[cfg(feature = "http")]
    let tools = tools.tool(builtin::web_fetch(Arc::new(crate::hands::HttpEgress::new(&settings.egress))));
    #[cfg_attr(not(feature = "skills"), expect(unused_mut, reason = "only skills are added"))]
    let mut tools: BTreeSet<String> = tools.tools().iter().map(|tool| tool.name.to_string()).collect();
    #[cfg(feature = "skills")]
    tools.extend(skills::names(settings));
    let Grants { denied, asked, allowed, .. } = &settings.grants;
    let named: BTreeSet<_> = denied.iter().chain(asked).chain(allowed).collect();
    let missing = named.into_iter().filter(|name| !tools.contains(name.as_str()));
    missing
        .map(|name| {
            let message = format!("a rule names the tool `{name}`, which there is not");
            Check::warning("policy", message, "`rusty-pinch tools list` has the names; correct RUSTY_PINCH_TOOLS_…")
        })
        .collect()
}

fn sessions(settings: &Settings) -> Check {
    let survey = LocalStore::open(&settings.store.data_dir).and_then(|store| store.survey());
    let survey = match survey {
        Ok(survey) => survey,
        Err(error) => return Check::error("sessions", error.to_string(), "let this user read the data folder"),
    };
    let JournalSurvey { journals, unreadable, torn, complete } = survey;
    let more = if complete { "" } else { " (there are more, which were not looked at)" };
    match unreadable.first() {
        Some(path) => {
            let message =
                format!("{} of {journals} sessions can't be read{more}: {}", unreadable.len(), path.display());
            Check::error(
                "sessions",
                message,
                "let this user read it, or move it away; the other sessions are not affected",
            )
        }
        None if torn > 0 => {
            let message = format!(
                "{torn} of {journals} sessions end without a line end{more}; a torn line is set aside by the next turn there"
            );
            Check::note("sessions", message)
        }
        None => Check::ok("sessions", format!("{journals} can be read{more}")),
    }
}

/// Whether the Codex CLI can be used. Looks at files and runs nothing.
#[cfg(feature = "codex")]
pub fn codex_readiness(settings: &Settings) -> CodexReadiness {
    codex::readiness(settings)
}

/// Whether the Codex CLI can be used: it can't, for this build has none.
#[cfg(not(feature = "codex"))]
pub fn codex_readiness(_: &Settings) -> CodexReadiness {
    let fix = "build it with the feature `codex`, or choose another provider".to_owned();
    CodexReadiness::NotReady { why: "this build has no Codex".to_owned(), fix }
}

/// A turn must have the time for a request to each provider and its retries, however long the operator lets one be
/// silent.
fn limits(settings: &Settings, choice: &ProviderChoice) -> Limits {
    let needed = time_needed(settings, choice).min(TURN_TIME_MAX);
    let mut limits = Limits::default();
    limits.turn_time_max = limits.turn_time_max.max(needed);
    limits
}

/// The longest that any settings make a turn.
const TURN_TIME_MAX: Duration = Duration::from_secs(6 * 3600);
