//! The command line of the Codex CLI. Pure: from values to a [`Command`].

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::app_server::MESSAGE_LINE_BYTES_MAX;
use super::config::{CodexConfig, OwnInvocation};
use super::events::EVENT_LINE_BYTES_MAX;
use crate::data::Timestamp;
use crate::sys::{Command, Input, OutputLimits};

/// The longest prompt that is passed as an argument; Linux allows 128 KiB for one.
pub(super) const PROMPT_ARGUMENT_BYTES_MAX: usize = 120 * 1024;
/// The most that is kept of what the CLI prints to standard error.
const STDERR_BYTES_MAX: usize = 16 * 1024;
/// The CLI's catalogue of models is 0.75 MB in version 0.169.
const CATALOGUE_BYTES_MAX: usize = 8 * 1024 * 1024;
/// Our own definition of the provider, because the built-in one can't be told to leave retrying to us.
const PROVIDER: &str = "rusty_pinch";

/// Everything of Codex's own that is switched off: tools, instructions about them, chatter with servers, retries.
///
/// The tools that a model's catalogue entry brings (patches, scripts) are not here: `catalogue` takes those away.
const SWITCHED_OFF: [&str; 28] = [
    "features.shell_tool=false",
    "features.unified_exec=false",
    "features.view_image=false",
    "features.sleep_tool=false",
    "features.skill_search=false",
    "features.image_generation=false",
    "features.tool_suggest=false",
    "features.multi_agent=false",
    "features.code_mode_host=false",
    "features.hooks=false",
    "features.plugins=false",
    "features.apps=false",
    "features.browser_use=false",
    "features.computer_use=false",
    "features.shell_snapshot=false",
    "features.goals=false",
    "features.unbounded_connection_retries=false",
    "agents.enabled=false",
    "analytics.enabled=false",
    "history.persistence=\"none\"",
    "check_for_update_on_startup=false",
    "web_search=\"disabled\"",
    "shell_environment_policy.inherit=\"core\"",
    "skills.include_instructions=false",
    "include_permissions_instructions=false",
    "include_apps_instructions=false",
    "include_collaboration_mode_instructions=false",
    "include_environment_context=false",
];

/// What is overridden for the server only: the program that the account's configuration runs after a turn, what it sends
/// to others, and threads that stay in memory after their only turn, a megabyte each.
const APP_SERVER_ONLY: [&str; 5] = [
    "notify=[]",
    "otel.exporter=\"none\"",
    "otel.trace_exporter=\"none\"",
    "otel.metrics_exporter=\"none\"",
    "thread_unload_delay_secs=0",
];

/// The files of one run.
#[derive(Debug)]
pub(super) struct Files {
    /// The empty directory that Codex works in.
    pub(super) directory: PathBuf,
    /// The catalogue of models, their tools taken away.
    pub(super) catalogue: PathBuf,
    /// The schema of a structured reply, when one is wanted.
    pub(super) schema: Option<PathBuf>,
}

impl Files {
    /// Their names in `room`.
    pub(super) fn in_room(room: &Path, directory: PathBuf, is_structured: bool) -> Self {
        let schema = is_structured.then(|| room.join("reply-schema.json"));
        Self { directory, catalogue: room.join("models.json"), schema }
    }
}

/// The built-in invocation: a brain without hands.
pub(super) fn built_in(
    config: &CodexConfig,
    overrides: &[String],
    files: &Files,
    prompt: String,
    deadline: Timestamp,
) -> Command {
    let mut arguments: Vec<OsString> =
        ["exec", "--json", "--skip-git-repo-check", "--ephemeral", "--ignore-user-config", "--ignore-rules"]
            .iter()
            .chain(&["--color", "never", "-s", "read-only"])
            .map(OsString::from)
            .collect();
    arguments.extend(settings(config, &files.catalogue, &provider(config, "requires_openai_auth=true"), overrides));
    if let Some(schema) = &files.schema {
        arguments.extend([OsString::from("--output-schema"), schema.into()]);
    }
    arguments.push("-".into());
    Command {
        program: config.program.clone(),
        arguments,
        environment: environment(config),
        directory: files.directory.clone(),
        input: prompt.into_bytes().into(),
        limits: limits(),
        deadline,
    }
}

/// The long-lived server. It has no flag for leaving the account's configuration out, so what is in there is overridden
/// one by one: here what is known beforehand, and in `app_server` the servers that it names.
pub(super) fn app_server(
    config: &CodexConfig,
    overrides: &[String],
    files: &Files,
    input: Input,
    deadline: Timestamp,
) -> Command {
    // The server does not look for a key in the environment by itself.
    let login = if config.api_key.is_some() { "env_key=\"CODEX_API_KEY\"" } else { "requires_openai_auth=true" };
    let mut arguments = vec![OsString::from("app-server")];
    for own in APP_SERVER_ONLY {
        arguments.extend([OsString::from("-c"), own.into()]);
    }
    arguments.extend(settings(config, &files.catalogue, &provider(config, login), overrides));
    Command {
        program: config.program.clone(),
        arguments,
        environment: environment(config),
        directory: files.directory.clone(),
        input,
        limits: OutputLimits {
            stdout_bytes_max: STDERR_BYTES_MAX,
            stderr_bytes_max: STDERR_BYTES_MAX,
            line_bytes_max: MESSAGE_LINE_BYTES_MAX,
        },
        deadline,
    }
}

/// The settings that make a brain without hands, as arguments; the operator's own come last and win.
fn settings(config: &CodexConfig, catalogue: &Path, provider: &str, overrides: &[String]) -> Vec<OsString> {
    let ours = [
        format!("model_catalog_json={}", quoted(&catalogue.to_string_lossy())),
        format!("model_provider={}", quoted(PROVIDER)),
        format!("model_providers.{PROVIDER}={provider}"),
    ];
    let model = config.model.iter().map(|model| format!("model={}", quoted(model)));
    let off = SWITCHED_OFF.iter().map(ToString::to_string);
    let all = off.chain(ours).chain(model).chain(overrides.iter().cloned());
    all.flat_map(|setting| [OsString::from("-c"), setting.into()]).collect()
}

/// Asks the CLI for the catalogue that it was built with. It makes no request for it.
pub(super) fn catalogue(config: &CodexConfig, directory: &Path, deadline: Timestamp) -> Command {
    Command {
        program: config.program.clone(),
        arguments: ["debug", "models", "--bundled"].map(OsString::from).into(),
        environment: environment(config),
        directory: directory.to_owned(),
        input: Input::from([]),
        limits: OutputLimits {
            stdout_bytes_max: CATALOGUE_BYTES_MAX,
            stderr_bytes_max: STDERR_BYTES_MAX,
            ..OutputLimits::default()
        },
        deadline,
    }
}

/// Runs the program with `arguments`, to see whether it works.
pub(super) fn check(config: &CodexConfig, arguments: &[String], directory: &Path, deadline: Timestamp) -> Command {
    Command {
        program: config.program.clone(),
        arguments: arguments.iter().map(OsString::from).collect(),
        environment: environment(config),
        directory: directory.to_owned(),
        input: Input::from([]),
        limits: OutputLimits {
            stdout_bytes_max: STDERR_BYTES_MAX,
            stderr_bytes_max: STDERR_BYTES_MAX,
            ..OutputLimits::default()
        },
        deadline,
    }
}

/// Why an invocation of one's own can't be.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum OwnError {
    #[error(
        "over {PROMPT_ARGUMENT_BYTES_MAX} bytes, which is the most for an argument; a prompt flag `-` sends it to standard input"
    )]
    PromptTooLong,
    #[error("its model begins with a dash, which makes it a flag")]
    ModelIsFlag,
}

/// The operator's invocation. A prompt never looks like a flag: it begins with a word of ours.
pub(super) fn own(
    config: &CodexConfig,
    own: &OwnInvocation,
    directory: &Path,
    prompt: String,
    deadline: Timestamp,
) -> Result<Command, OwnError> {
    let mut arguments = own.arguments.clone();
    let on_stdin = own.prompt_flag == "-" || arguments.iter().any(|argument| argument == "-");
    if let Some(model) = &config.model {
        if model.starts_with('-') {
            return Err(OwnError::ModelIsFlag);
        }
        let flag = Some(&own.model_flag).filter(|flag| !flag.is_empty());
        let at = before_dash(&arguments);
        arguments.splice(at..at, flag.into_iter().chain([model]).cloned());
    }
    arguments.extend(Some(&own.prompt_flag).filter(|flag| !flag.is_empty()).cloned());
    let input = if on_stdin {
        prompt.into_bytes()
    } else if prompt.len() > PROMPT_ARGUMENT_BYTES_MAX {
        return Err(OwnError::PromptTooLong);
    } else {
        arguments.push(prompt);
        Vec::new()
    };
    Ok(Command {
        program: config.program.clone(),
        arguments: arguments.into_iter().map(OsString::from).collect(),
        environment: environment(config),
        directory: directory.to_owned(),
        input: input.into(),
        limits: limits(),
        deadline,
    })
}

/// Where the model goes: before a lone `-`, which is the prompt.
fn before_dash(arguments: &[String]) -> usize {
    arguments.iter().position(|argument| argument == "-").unwrap_or(arguments.len())
}

fn limits() -> OutputLimits {
    OutputLimits {
        stdout_bytes_max: EVENT_LINE_BYTES_MAX,
        stderr_bytes_max: STDERR_BYTES_MAX,
        line_bytes_max: EVENT_LINE_BYTES_MAX,
    }
}

fn environment(config: &CodexConfig) -> BTreeMap<OsString, OsString> {
    let mut environment = config.environment.variables().clone();
    environment.entry("HOME".into()).or_insert_with(|| config.home.clone().into());
    environment.insert("CODEX_HOME".into(), config.home.clone().into());
    // The CLI names reset times on a local clock; this makes it one that `failure` can read.
    environment.insert("TZ".into(), "UTC".into());
    if let Some(key) = &config.api_key {
        environment.insert("CODEX_API_KEY".into(), key.expose().into());
    }
    environment
}

/// `login` says how the CLI proves who it is.
fn provider(config: &CodexConfig, login: &str) -> String {
    let base_url = config.base_url.as_ref().map(|url| format!("base_url={},", quoted(url))).unwrap_or_default();
    let idle_ms = config.idle_timeout.as_millis();
    format!(
        "{{name=\"OpenAI\",{base_url}wire_api=\"responses\",{login},request_max_retries=0,\
         stream_max_retries=0,stream_idle_timeout_ms={idle_ms}}}"
    )
}

/// `text` as a TOML string, whose escapes are those of JSON.
fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
