//! The protocol of the installed version, as far as we use it. When Codex changes it, this says what.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use fake_model::{Reply, always};
use rusty_pinch_core::{Clock, Command, Input, Lines, OutputLimits, Spawn, SystemClock, SystemSpawn};
use serde_json::Value;

use crate::rig::Rig;

/// Runs the CLI with these arguments and gives what it printed.
pub(crate) async fn run(rig: &Rig, arguments: &[&str], directory: &Path) -> Vec<u8> {
    let command = Command {
        program: rig.config.program.clone(),
        arguments: arguments.iter().map(Into::into).collect(),
        environment: [("PATH", "/usr/bin:/bin".into()), ("CODEX_HOME", rig.config.home.clone().into_os_string())]
            .map(|(name, value)| (name.into(), value))
            .into(),
        directory: directory.to_owned(),
        input: Input::from([]),
        limits: OutputLimits { stdout_bytes_max: 8 * 1024 * 1024, ..OutputLimits::default() },
        deadline: SystemClock.now() + Duration::from_secs(30),
    };
    let exit = SystemSpawn::new(Arc::new(SystemClock)).run(&command, &Lines::none()).await.unwrap();
    assert!(exit.ending.is_success(), "{arguments:?}: {}: {}", exit.ending, exit.stderr.text());
    exit.stdout.bytes
}

/// The generated schema, and what is amiss with it.
struct Schema<'a> {
    folder: &'a Path,
    amiss: Vec<String>,
}

impl Schema<'_> {
    fn file(&mut self, name: &str) -> Value {
        let read = std::fs::read(self.folder.join(name)).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
        read.unwrap_or_else(|| {
            self.amiss.push(format!("{name} is not there"));
            Value::Null
        })
    }

    /// The methods that `file` lists have to be these, among others.
    fn has_methods(&mut self, file: &str, methods: &[&str]) {
        let listed = self.file(file);
        let all: Vec<&str> = listed["oneOf"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|one| one.pointer("/properties/method/enum/0").and_then(Value::as_str))
            .collect();
        for method in methods.iter().filter(|method| !all.contains(method)) {
            self.amiss.push(format!("{file} has no method `{method}`"));
        }
    }

    /// The type at `pointer` of `file` has to have these properties, and to require no others than `given`.
    fn has_fields(&mut self, file: &str, pointer: &str, used: &[&str], given: Option<&[&str]>) {
        let schema = self.file(file);
        let found = schema.pointer(pointer).unwrap_or(&Value::Null);
        for field in used.iter().filter(|field| found["properties"].get(field).is_none()) {
            self.amiss.push(format!("{file}{pointer} has no field `{field}`"));
        }
        let Some(given) = given else { return };
        for field in found["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            if !given.contains(&field) {
                self.amiss.push(format!("{file}{pointer} wants a field `{field}`, which we do not give"));
            }
        }
    }

    /// The enumeration at `pointer` of `file` has to have these words.
    fn has_words(&mut self, file: &str, pointer: &str, words: &[&str]) {
        let schema = self.file(file);
        let all = schema.pointer(pointer).map(Value::to_string).unwrap_or_default();
        for word in words.iter().filter(|word| !all.contains(&format!("\"{word}\""))) {
            self.amiss.push(format!("{file}{pointer} has no `{word}`"));
        }
    }
}

fn check(folder: &Path) -> Vec<String> {
    let mut schema = Schema { folder, amiss: Vec::new() };
    let methods = ["initialize", "config/read", "model/list", "thread/start", "turn/start", "turn/interrupt"];
    schema.has_methods("ClientRequest.json", &methods);
    schema.has_methods("ClientRequest.json", &["thread/unsubscribe"]);
    schema.has_methods("ClientNotification.json", &["initialized"]);
    schema.has_methods(
        "ServerNotification.json",
        &[
            "turn/started",
            "turn/completed",
            "item/started",
            "item/completed",
            "item/agentMessage/delta",
            "thread/tokenUsage/updated",
            "account/rateLimits/updated",
            "hook/started",
            "error",
        ],
    );
    let given = |fields: &'static [&'static str]| Some(fields);
    schema.has_fields("v1/InitializeParams.json", "", &["clientInfo"], given(&["clientInfo"]));
    schema.has_fields(
        "v1/InitializeParams.json",
        "/definitions/ClientInfo",
        &["name", "version"],
        given(&["name", "version"]),
    );
    schema.has_fields("v2/ConfigReadParams.json", "", &["includeLayers", "cwd"], given(&["includeLayers", "cwd"]));
    schema.has_fields("v2/ConfigReadResponse.json", "", &["config"], None);
    schema.has_fields("v2/ModelListParams.json", "", &[], given(&[]));
    schema.has_fields("v2/ModelListResponse.json", "", &["data"], None);
    schema.has_fields("v2/ModelListResponse.json", "/definitions/Model", &["model", "isDefault"], None);
    let thread = [
        "ephemeral",
        "cwd",
        "approvalPolicy",
        "sandbox",
        "baseInstructions",
        "developerInstructions",
        "config",
        "model",
    ];
    schema.has_fields("v2/ThreadStartParams.json", "", &thread, given(&[]));
    schema.has_words("v2/ThreadStartParams.json", "/definitions/AskForApproval", &["never"]);
    schema.has_words("v2/ThreadStartParams.json", "/definitions/SandboxMode", &["read-only"]);
    schema.has_fields("v2/ThreadStartResponse.json", "", &["thread"], None);
    schema.has_fields("v2/ThreadStartResponse.json", "/definitions/Thread", &["id"], None);
    let turn = ["threadId", "input", "outputSchema"];
    schema.has_fields("v2/TurnStartParams.json", "", &turn, given(&["threadId", "input"]));
    schema.has_words("v2/TurnStartParams.json", "/definitions/UserInput", &["text"]);
    schema.has_fields("v2/TurnStartResponse.json", "", &["turn"], None);
    schema.has_fields("v2/TurnInterruptParams.json", "", &["threadId", "turnId"], given(&["threadId", "turnId"]));
    schema.has_fields("v2/ThreadUnsubscribeParams.json", "", &["threadId"], given(&["threadId"]));
    notifications(&mut schema);
    schema.amiss
}

fn notifications(schema: &mut Schema<'_>) {
    let over = "v2/TurnCompletedNotification.json";
    schema.has_fields(over, "", &["threadId", "turn"], None);
    schema.has_fields(over, "/definitions/Turn", &["id", "status", "error"], None);
    schema.has_words(over, "/definitions/TurnStatus", &["completed", "interrupted", "failed"]);
    schema.has_fields(over, "/definitions/TurnError", &["message", "codexErrorInfo"], None);
    let codes = [
        "contextWindowExceeded",
        "usageLimitExceeded",
        "rateLimitExceeded",
        "serverOverloaded",
        "internalServerError",
        "unauthorized",
        "badRequest",
        "other",
        "httpConnectionFailed",
        "responseStreamConnectionFailed",
        "responseStreamDisconnected",
        "responseTooManyFailedAttempts",
        "httpStatusCode",
    ];
    let found = schema.file(over).pointer("/definitions/CodexErrorInfo").map(Value::to_string).unwrap_or_default();
    for code in codes.iter().filter(|code| !found.contains(&format!("\"{code}\""))) {
        schema.amiss.push(format!("{over} has no code `{code}`"));
    }
    schema.has_fields("v2/TurnStartedNotification.json", "", &["threadId", "turn"], None);
    schema.has_fields("v2/ErrorNotification.json", "", &["threadId", "error"], None);
    schema.has_fields("v2/AgentMessageDeltaNotification.json", "", &["threadId", "itemId", "delta"], None);
    for file in ["v2/ItemStartedNotification.json", "v2/ItemCompletedNotification.json"] {
        schema.has_fields(file, "", &["threadId", "item"], None);
        schema.has_words(
            file,
            "/definitions/ThreadItem",
            &["userMessage", "agentMessage", "reasoning", "plan", "text"],
        );
    }
    let usage = "v2/ThreadTokenUsageUpdatedNotification.json";
    schema.has_fields(usage, "", &["threadId", "tokenUsage"], None);
    schema.has_fields(usage, "/definitions/ThreadTokenUsage", &["total"], None);
    schema.has_fields(usage, "/definitions/TokenUsageBreakdown", &["inputTokens", "outputTokens"], None);
    let limits = "v2/AccountRateLimitsUpdatedNotification.json";
    schema.has_fields(limits, "", &["rateLimits"], None);
    schema.has_fields(limits, "/definitions/RateLimitSnapshot", &["primary", "secondary"], None);
    let window = ["usedPercent", "windowDurationMins", "resetsAt"];
    schema.has_fields(limits, "/definitions/RateLimitWindow", &window, None);
}

#[tokio::test]
async fn the_installed_version_speaks_the_protocol_that_we_use() {
    let Some(rig) = Rig::new(always(Reply::close())) else { return };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_string_lossy().into_owned();
    run(&rig, &["app-server", "generate-json-schema", "--out", &out], Path::new("/")).await;
    let version = run(&rig, &["--version"], Path::new("/")).await;
    let amiss = check(folder.path());
    assert!(
        amiss.is_empty(),
        "{} changed the app-server's protocol:\n  {}",
        String::from_utf8_lossy(&version).trim(),
        amiss.join("\n  ")
    );

    // And a change would be seen, by its name.
    let file = folder.path().join("v2/TurnStartParams.json");
    let changed = std::fs::read_to_string(&file).unwrap().replace("\"outputSchema\"", "\"answerSchema\"");
    std::fs::write(&file, changed).unwrap();
    std::fs::remove_file(folder.path().join("v2/TurnInterruptParams.json")).unwrap();
    let amiss = check(folder.path()).join("\n");
    assert!(amiss.contains("TurnStartParams.json has no field `outputSchema`"), "{amiss}");
    assert!(amiss.contains("TurnInterruptParams.json is not there"), "{amiss}");
}
