//! The Codex CLI as the settings say.

use std::ffi::OsStr;
use std::path::PathBuf;
use std::sync::Arc;

use crate::brain::{
    BrainError, CODEX_MODEL_FLAG, CodexBrain, CodexConfig, CodexInvocation, CodexLogin, OwnInvocation, Provider,
    TimedBrain, codex_login, find_codex,
};
use crate::config::{CodexReadiness, Settings};
use crate::sys::{Clock, SystemClock, SystemSpawn};

/// The arguments of an invocation of one's own where only its flags are given.
const USUAL_ARGUMENTS: [&str; 2] = ["exec", "--skip-git-repo-check"];
const INSTALL: &str = "install it (`npm install -g @openai/codex`) and run `codex login`, or choose another provider";

/// Whether program and login are there.
pub(super) fn readiness(settings: &Settings) -> CodexReadiness {
    let codex = &settings.codex;
    let not_ready = |why: String, fix: &str| CodexReadiness::NotReady { why, fix: fix.to_owned() };
    let Some(program) = program(settings) else {
        return not_ready(format!("the Codex CLI `{}` was not found", codex.program.display()), INSTALL);
    };
    let program = program.display();
    let home = home(settings);
    match (&codex.api_key, home.as_deref().map_or(CodexLogin::None, codex_login)) {
        (Some(_), _) => CodexReadiness::Ready { how: format!("{program} has a key") },
        (None, CodexLogin::StoredKey) => CodexReadiness::Ready { how: format!("{program} is logged in with a key") },
        (None, CodexLogin::ChatGpt) => CodexReadiness::Ready { how: format!("{program} is logged in with ChatGPT") },
        (None, _) => {
            let place = home.map_or_else(|| "no home folder".to_owned(), |home| home.display().to_string());
            not_ready(
                format!("the Codex CLI {program} is not logged in ({place})"),
                "run `codex login`, set RUSTY_PINCH_CODEX_API_KEY, or choose another provider",
            )
        }
    }
}

/// Whether Codex is used with a key, which is billed by the token, and not with a login.
pub(super) fn has_key(settings: &Settings) -> bool {
    let stored = || home(settings).is_some_and(|home| codex_login(&home) == CodexLogin::StoredKey);
    settings.codex.api_key.is_some() || stored()
}

pub(super) fn brain(settings: &Settings) -> Result<TimedBrain<CodexBrain>, BrainError> {
    let codex = &settings.codex;
    let missing = |detail: String, fix: &str| BrainError::NotConfigured {
        brain: "codex".to_owned(),
        detail,
        fix: fix.to_owned(),
    };
    let Some(program) = program(settings) else {
        return Err(missing(format!("its program `{}` was not found", codex.program.display()), INSTALL));
    };
    let Some(home) = home(settings) else {
        return Err(missing("it has no home folder".to_owned(), "set RUSTY_PINCH_CODEX_HOME"));
    };
    let mut config = CodexConfig::new(program, home);
    config.model = codex.model.clone().or_else(|| settings.brain.chosen_model(Provider::Codex).map(str::to_owned));
    config.api_key.clone_from(&codex.api_key);
    config.base_url.clone_from(&codex.api_base);
    config.environment = settings.surroundings.codex.clone();
    config.idle_timeout = codex.timeout;
    config.context_tokens = settings.brain.context_tokens.unwrap_or(config.context_tokens);
    if codex.has_own_invocation() {
        let usual = || USUAL_ARGUMENTS.map(str::to_owned).to_vec();
        config.invocation = CodexInvocation::Own(OwnInvocation {
            arguments: codex.arguments.clone().unwrap_or_else(usual),
            model_flag: codex.model_flag.clone().unwrap_or_else(|| CODEX_MODEL_FLAG.to_owned()),
            prompt_flag: codex.prompt_flag.clone().unwrap_or_default(),
        });
    }
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let brain = CodexBrain::new(config, Arc::new(SystemSpawn::new(Arc::clone(&clock))), Arc::clone(&clock));
    Ok(TimedBrain::new(brain, codex.timeout, clock))
}

fn program(settings: &Settings) -> Option<PathBuf> {
    find_codex(&settings.codex.program, settings.surroundings.path.as_deref())
}

/// Codex's own folder.
fn home(settings: &Settings) -> Option<PathBuf> {
    let usual = settings.surroundings.home.as_deref().map(OsStr::new);
    settings.codex.home.clone().or_else(|| usual.map(|home| PathBuf::from(home).join(".codex")))
}
