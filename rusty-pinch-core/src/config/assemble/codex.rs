//! The Codex CLI as the settings say: its accounts, and the pool of them.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::brain::{
    AccountId, BrainError, CODEX_MODEL_FLAG, CodexAccount, CodexAccountSettings, CodexConfig, CodexInvocation,
    CodexLogin, CodexPool, CodexWork, CodexWorkConfig, OwnInvocation, PoolPolicy, Provider, TimedBrain, codex_brain,
    codex_login, codex_login_of, find_codex,
};
use crate::config::doctor::{Check, Fact, Report};
use crate::config::{CodexReadiness, Settings};
use crate::store::Store;
use crate::sys::{Clock, SystemClock, SystemSpawn};

/// The arguments of an invocation of one's own where only its flags are given.
const USUAL_ARGUMENTS: [&str; 2] = ["exec", "--skip-git-repo-check"];
const INSTALL: &str = "install it (`npm install -g @openai/codex`) and run `codex login`, or choose another provider";

/// Whether the program and the login of an account are there.
pub(super) fn readiness(settings: &Settings) -> CodexReadiness {
    let not_ready = |why: String, fix: &str| CodexReadiness::NotReady { why, fix: fix.to_owned() };
    let accounts = match program(settings).and_then(|program| accounts(settings, &program)) {
        Ok(accounts) => accounts,
        Err(BrainError::NotConfigured { detail, fix, .. }) => {
            return not_ready(format!("Codex can't be used: {detail}"), &fix);
        }
        Err(error) => return not_ready(format!("Codex can't be used: {error}"), INSTALL),
    };
    let several = accounts.len() > 1;
    let ready = accounts.iter().find_map(|account| {
        let program = account.config.program.display();
        let login = codex_login_of(account)?;
        let who = if several { format!(", account `{}`,", account.id) } else { String::new() };
        Some(format!("{program}{who} {login}"))
    });
    if let Some(how) = ready {
        return CodexReadiness::Ready { how };
    }
    let first = accounts.first();
    let program = first.map(|account| account.config.program.display().to_string()).unwrap_or_default();
    let home = first.map(|account| account.config.home.display().to_string()).unwrap_or_default();
    not_ready(
        format!("the Codex CLI {program} is not logged in ({home})"),
        "run `codex login`, set RUSTY_PINCH_CODEX_API_KEY, or choose another provider",
    )
}

/// Adds how each account proves who it is, and which ones can't.
pub(super) fn report(report: &mut Report, settings: &Settings) {
    let Ok(accounts) = program(settings).and_then(|program| accounts(settings, &program)) else { return };
    let how = |account: &CodexAccount| {
        let how = codex_login_of(account).unwrap_or("is not logged in");
        let env = account.api_key_env.as_ref().map_or_else(String::new, |env| format!(" in {env}"));
        format!("{} {how}{env}", account.id)
    };
    let value = accounts.iter().map(how).collect::<Vec<_>>().join("; ");
    report.facts.push(Fact { name: "codex_accounts", value });
    if accounts.iter().all(|account| codex_login_of(account).is_none()) {
        // The error about Codex says so.
        return;
    }
    for account in accounts.iter().filter(|account| codex_login_of(account).is_none()) {
        let (id, home) = (&account.id, account.config.home.display());
        let message = format!("the account `{id}` of Codex has no key and is not logged in ({home})");
        let fix = format!(
            "make that folder and run `CODEX_HOME={home} codex login`, or name the variable with its key in \
             RUSTY_PINCH_CODEX_ACCOUNTS"
        );
        report.check(Check::warning("codex", message, fix));
    }
}

/// The accounts that are used with a key, which is billed by the token, and not with a login.
pub(super) fn with_key(settings: &Settings) -> BTreeSet<String> {
    // Who is billed does not depend on the program, which may be missing.
    let accounts = accounts(settings, &settings.codex.program).unwrap_or_default();
    let has_key = |account: &CodexAccount| {
        account.config.api_key.is_some() || codex_login(&account.config.home) == CodexLogin::StoredKey
    };
    accounts.iter().filter(|account| has_key(account)).map(|account| account.id.to_string()).collect()
}

/// The pool of the accounts that the settings name.
///
/// # Errors
/// [`BrainError::NotConfigured`] when the program is missing or has nowhere to be at home.
pub(super) fn pool(settings: &Settings, store: Arc<dyn Store>) -> Result<CodexPool, BrainError> {
    Ok(joined(settings, accounts(settings, &program(settings)?)?, store))
}

fn joined(settings: &Settings, accounts: Vec<CodexAccount>, store: Arc<dyn Store>) -> CodexPool {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let spawn = Arc::new(SystemSpawn::new(Arc::clone(&clock)));
    let policy = PoolPolicy { window: settings.codex.rate_window, reserve_percent: settings.codex.reserve_percent };
    let (timeout, of_pool) = (settings.codex.timeout, Arc::clone(&clock));
    let transport = settings.codex.transport;
    CodexPool::new(accounts, policy, store, of_pool, |account, quota| {
        let brain = codex_brain(transport, account.config.clone(), spawn.clone(), Arc::clone(&clock), quota);
        Arc::new(TimedBrain::new(brain, timeout, Arc::clone(&clock)))
    })
}

/// What Codex does when nobody waits, with the pool of the accounts that the settings name. A program that is missing is
/// for the health check to report.
///
/// # Errors
/// [`BrainError::NotConfigured`] when it has nowhere to be at home.
pub(super) fn work(settings: &Settings, store: &Arc<dyn Store>) -> Result<CodexWork, BrainError> {
    let codex = &settings.codex;
    let program = program(settings).unwrap_or_else(|_| codex.program.clone());
    let pool = Arc::new(joined(settings, accounts(settings, &program)?, Arc::clone(store)));
    let config = CodexWorkConfig {
        queue_capacity: codex.queue_capacity,
        check_every: codex.healthcheck_interval,
        check_arguments: codex.healthcheck_arguments.clone(),
    };
    Ok(CodexWork::new(pool, config, Arc::clone(store), Arc::new(SystemSpawn::new(Arc::new(SystemClock)))))
}

/// The accounts that the settings name. The first is at home where the operator's Codex is, the others in the data
/// folder; each has its own login or key, and nobody else's.
fn accounts(settings: &Settings, program: &Path) -> Result<Vec<CodexAccount>, BrainError> {
    let codex = &settings.codex;
    let home = home(settings).ok_or_else(|| missing("it has no home folder", "set RUSTY_PINCH_CODEX_HOME"))?;
    let account = |(index, own): (usize, &CodexAccountSettings)| {
        let id = AccountId::new(own.id.clone()).map_err(|error| {
            missing(&format!("its account `{}`: {error}", own.id), "correct RUSTY_PINCH_CODEX_ACCOUNTS")
        })?;
        let is_first = index == 0;
        let home = if is_first { home.clone() } else { settings.store.data_dir.join("codex").join(id.folder()) };
        let mut config = CodexConfig::new(program, absolute(home));
        configure(&mut config, settings);
        config.model = own.model.clone().or(config.model);
        config.api_key = own.api_key.clone().or_else(|| codex.api_key.clone().filter(|_| is_first));
        let mut account = CodexAccount::new(id, config, own.requests_max);
        account.api_key_env.clone_from(&own.api_key_env);
        account.makes_home = !is_first;
        account.login_seed = codex.login_seed.clone().filter(|_| is_first && account.config.api_key.is_none());
        Ok(account)
    };
    codex.accounts.iter().enumerate().map(account).collect()
}

/// What all accounts have in common.
fn configure(config: &mut CodexConfig, settings: &Settings) {
    let codex = &settings.codex;
    config.model = codex.model.clone().or_else(|| settings.brain.chosen_model(Provider::Codex).map(str::to_owned));
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
}

/// A run works in a folder of its own, where a relative path would name something else.
fn absolute(path: PathBuf) -> PathBuf {
    std::path::absolute(&path).unwrap_or(path)
}

fn missing(detail: &str, fix: &str) -> BrainError {
    BrainError::NotConfigured { brain: "codex".to_owned(), detail: detail.to_owned(), fix: fix.to_owned() }
}

fn program(settings: &Settings) -> Result<PathBuf, BrainError> {
    let wanted = &settings.codex.program;
    find_codex(wanted, settings.surroundings.path.as_deref()).ok_or_else(|| {
        missing(&format!("its program `{}` was not found, or may not be run", wanted.display()), INSTALL)
    })
}

/// Codex's own folder.
fn home(settings: &Settings) -> Option<PathBuf> {
    let usual = settings.surroundings.home.as_deref().map(OsStr::new);
    settings.codex.home.clone().or_else(|| usual.map(|home| PathBuf::from(home).join(".codex")))
}
