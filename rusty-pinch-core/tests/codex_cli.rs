//! `CodexBrain` with the real Codex CLI against a fake Responses server on a real socket.
//!
//! `scripts/install-codex` installs the CLI; `RUSTY_PINCH_TEST_CODEX_BIN` names another. Without one every test here says
//! that it was skipped.
#![cfg(all(unix, feature = "codex"))]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failed check of a test panics")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_model::{Answer, FakeModel, Reply, Request, always, responses, sequence};
use rusty_pinch_core::{
    Brain, BrainError, CallId, Clock, CodexBrain, CodexConfig, CodexEnvironment, CodexInvocation, Completion,
    CompletionRequest, Delta, Deltas, ErrorClass, Lane, Message, OwnInvocation, Repeat, Risk, SystemClock, SystemSpawn,
    ToolCall, ToolName, ToolSpec, find_codex,
};
use serde_json::json;

const KEY: &str = "sk-test-4711";

/// The CLI, or `None` after saying so loudly.
fn cli() -> Option<PathBuf> {
    #[expect(clippy::disallowed_methods, reason = "a test is told by its environment where the CLI is")]
    let given = std::env::var_os("RUSTY_PINCH_TEST_CODEX_BIN").map(PathBuf::from);
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/codex-cli/node_modules/.bin/codex");
    let found = find_codex(&given.unwrap_or(installed), None);
    if found.is_none() {
        eprintln!("SKIPPED: there is no Codex CLI; run scripts/install-codex first");
    }
    found
}

/// A fake model and the account that thinks with it.
struct Rig {
    model: FakeModel,
    config: CodexConfig,
}

impl Rig {
    fn new(script: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> Option<Self> {
        let model = FakeModel::start(script);
        // One home for all tests, kept between runs: a new one costs the CLI half a second. The first run makes it.
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("codex-home");
        let mut config = CodexConfig::new(cli()?, home);
        config.base_url = Some(model.base_url());
        config.api_key = Some(KEY.to_owned().into());
        config.environment = CodexEnvironment::default().with("PATH", "/usr/bin:/bin");
        Some(Self { model, config })
    }

    fn brain(&self) -> CodexBrain {
        let clock = Arc::new(SystemClock);
        CodexBrain::new(self.config.clone(), Arc::new(SystemSpawn::new(clock.clone())), clock)
    }

    async fn ask(&self, request: &CompletionRequest) -> Result<Completion, BrainError> {
        let outcome = self.brain().complete(request, &Deltas::none()).await;
        // An attempt that is given up is killed and not waited for, and a busy machine takes its time.
        for _ in 0..50 {
            if self.processes().is_empty() {
                return outcome;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a process is left: {:?}", self.processes());
    }

    /// The processes that were started for this rig: the address of its model is on their command line.
    fn processes(&self) -> Vec<String> {
        processes_with(&self.model.base_url())
    }
}

/// The processes with `word` on their command line, which zombies have no more.
fn processes_with(word: &str) -> Vec<String> {
    let proc = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let matching = proc.filter(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    });
    matching.map(|process| process.file_name().to_string_lossy().into_owned()).collect()
}

fn request(text: &str) -> CompletionRequest {
    CompletionRequest {
        messages: vec![
            Message::System { content: "Be brief.".into() },
            Message::User { content: "first".into() },
            Message::Assistant { content: "second".into(), calls: Vec::new() },
            Message::User { content: text.into() },
        ],
        tools: Arc::from([]),
        deadline: SystemClock.now() + Duration::from_secs(30),
        lane: Lane::Interactive,
        turn: None,
    }
}

fn with_tools(mut request: CompletionRequest) -> CompletionRequest {
    request.tools = Arc::from([ToolSpec {
        name: ToolName::new("calc").unwrap(),
        description: "Calculates".into(),
        parameters: json!({ "type": "object", "properties": { "expression": { "type": "string" } } }),
        positional: vec!["expression".into()],
        repeat: Repeat::ReadOnly,
        risk: Risk::Low,
        examples: Vec::new(),
        kind: Default::default(),
        output: Default::default(),
    }]);
    request
}

#[tokio::test]
async fn an_answer_comes_back_and_the_request_carries_the_conversation_and_no_tools() {
    for model in [None, Some("gpt-5.5"), Some("my-own-model")] {
        let Some(mut rig) = Rig::new(always(responses::message("391, by the way"))) else { return };
        rig.config.model = model.map(str::to_owned);
        let previewed = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&previewed);
        let deltas = Deltas::new(move |delta| {
            assert_ne!(delta, Delta::Restarted);
            sink.lock().unwrap().push_str(&delta.to_string());
        });
        let completion = rig.brain().complete(&request("what is 17 * 23?"), &deltas).await.unwrap();
        assert_eq!((completion.content.as_str(), completion.attempts), ("391, by the way", 1));
        assert_eq!(*previewed.lock().unwrap(), "391, by the way");
        let usage = completion.usage.unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (11, 7));

        let requests = rig.model.requests();
        assert_eq!(requests.len(), 1);
        let sent = &requests[0];
        assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/v1/responses"));
        assert_eq!(sent.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
        assert_eq!(responses::foreign_tools(sent), ["request_user_input"], "{model:?}: a tool of Codex's own is on");
        assert!(sent.body.len() < 8 * 1024, "{model:?}: {} bytes for one sentence", sent.body.len());
        let prompt = responses::prompt(sent);
        for line in [
            r#"{"content":"Be brief.","role":"system"}"#,
            r#"{"content":"second","role":"assistant"}"#,
            r#"{"content":"what is 17 * 23?","role":"user"}"#,
        ] {
            assert!(prompt.lines().any(|l| l == line), "{line} is not in {prompt}");
        }
    }
}

#[tokio::test]
async fn a_tool_call_and_its_result_make_the_round() {
    let Some(rig) = Rig::new(|_, request: &Request| {
        let answer = match responses::last_tool_result(request) {
            Some(result) => Answer::text(format!("it is {result}")),
            None => Answer::call("calc", &json!({ "expression": "17*23" })),
        };
        responses::reply(request, &answer)
    }) else {
        return;
    };
    let mut request = with_tools(request("what is 17 * 23?"));
    let completion = rig.ask(&request).await.unwrap();
    assert_eq!(completion.calls.len(), 1);
    assert_eq!((completion.content.as_str(), completion.calls[0].name.as_str()), ("", "calc"));
    assert_eq!(completion.calls[0].arguments, json!({ "expression": "17*23" }));
    let format = rig.model.requests()[0].field("/text/format");
    assert_eq!((&format["type"], &format["strict"]), (&json!("json_schema"), &json!(true)));
    assert_eq!(format["schema"]["properties"]["calls"]["items"]["properties"]["tool"]["enum"], json!(["calc"]));

    let id = CallId::new("c1").unwrap();
    let proposed = &completion.calls[0];
    let call = ToolCall { id: id.clone(), name: proposed.name.clone(), arguments: proposed.arguments.clone() };
    request.messages.push(Message::Assistant { content: String::new(), calls: vec![call] });
    request.messages.push(Message::Tool { call: id, name: "calc".into(), content: "391".into() });
    let completion = rig.ask(&request).await.unwrap();
    assert_eq!((completion.content.as_str(), completion.calls.len()), ("it is 391", 0));
    assert_eq!(rig.model.request_count(), 2);
}

#[tokio::test]
async fn the_accounts_login_is_used_and_its_configuration_is_not() {
    let Some(mut rig) = Rig::new(always(responses::message("ok"))) else { return };
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let write = |name: &str, text: &str| std::fs::write(home.path().join(name), text).unwrap();
    write("auth.json", r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-login"}"#);
    let ran = home.path().join("a-server-ran");
    write("config.toml", &format!("model = \"x\"\n[mcp_servers.a]\ncommand = \"touch\"\nargs = [{ran:?}]\n"));
    rig.config.home = home.path().to_owned();
    rig.config.api_key = None;
    rig.ask(&request("hello")).await.unwrap();
    let sent = &rig.model.requests()[0];
    assert_eq!(sent.header("authorization"), Some("Bearer sk-login"));
    assert_ne!(sent.field("/model"), json!("x"));
    assert!(!ran.exists(), "the operator's server was started");
}

/// What a failure of the server becomes: the variant's name and whether it says when to come back.
fn meaning(error: &BrainError) -> (&'static str, bool) {
    let name = match error {
        BrainError::Unauthorized { .. } => "unauthorized",
        BrainError::Rejected { .. } => "rejected",
        BrainError::RateLimited { .. } => "rate limited",
        BrainError::QuotaExhausted { .. } => "quota",
        BrainError::Overloaded { .. } => "overloaded",
        BrainError::ContextTooLong { .. } => "context",
        BrainError::Cut { .. } => "cut",
        BrainError::Unreachable { .. } => "unreachable",
        BrainError::TooLarge { .. } => "too large",
        other => panic!("{other}"),
    };
    (name, error.retry_at().is_some())
}

#[tokio::test]
async fn every_failure_has_its_meaning_and_is_asked_for_once() {
    let status = |status: u16| responses::error(status, "fake_error", "no");
    let failed = |code: &str, message: &str| responses::failed(code, message);
    let now = SystemClock.now();
    let resets = now + Duration::from_secs(3 * 3600);
    let resets_at = u64::try_from(resets.as_millis() / 1000).unwrap();
    let usage_limit = responses::usage_limit(resets_at, Duration::from_secs(3 * 3600));
    let cases: Vec<(&str, Reply, (&str, bool))> = vec![
        ("400", status(400), ("rejected", false)),
        ("401", status(401), ("unauthorized", false)),
        ("403", status(403), ("unauthorized", false)),
        ("404", status(404), ("rejected", false)),
        ("429", status(429).header("retry-after", "7"), ("rate limited", false)),
        ("500", status(500), ("overloaded", false)),
        ("503", status(503), ("overloaded", false)),
        ("quota", responses::error(429, "insufficient_quota", "no money"), ("quota", false)),
        ("usage limit", usage_limit, ("quota", true)),
        ("rate", failed("rate_limit_exceeded", "Please try again in 1.5s."), ("rate limited", true)),
        ("context", failed("context_length_exceeded", "too long"), ("context", false)),
        ("overloaded", failed("server_is_overloaded", "busy"), ("overloaded", false)),
        ("odd", failed("something_else", "what?"), ("cut", false)),
        ("cut", responses::begun().closing(), ("cut", false)),
        ("html", Reply::html(200), ("cut", false)),
        ("closed", Reply::close(), ("unreachable", false)),
    ];
    for (name, reply, expected) in cases {
        let Some(rig) = Rig::new(always(reply)) else { return };
        let error = rig.ask(&request("hello")).await.unwrap_err();
        assert_eq!(meaning(&error), expected, "{name}: {error}");
        assert_eq!(rig.model.request_count(), 1, "{name}: the CLI tried again behind our back");
        if name == "usage limit" {
            let at = error.retry_at().unwrap();
            assert!(at >= resets && at <= resets + Duration::from_secs(61), "{at} instead of {resets}");
        }
        if expected.0 == "unauthorized" {
            assert!(error.to_string().contains("check the key"), "{error}");
            assert_eq!(error.class(), ErrorClass::FailOver);
        }
    }
}

#[tokio::test]
async fn a_stream_that_falls_silent_is_cut() {
    let Some(mut rig) = Rig::new(always(responses::begun().holding())) else { return };
    rig.config.idle_timeout = Duration::from_millis(300);
    assert_eq!(meaning(&rig.ask(&request("hello")).await.unwrap_err()), ("cut", false));
    assert_eq!(rig.model.request_count(), 1);
}

#[tokio::test]
async fn a_server_that_is_not_there_is_unreachable_at_once() {
    let Some(mut rig) = Rig::new(always(Reply::close())) else { return };
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    rig.config.base_url = Some(format!("http://{closed}/v1"));
    let start = SystemClock.now();
    let error = rig.ask(&request("hello")).await.unwrap_err();
    assert_eq!(meaning(&error), ("unreachable", false));
    assert!(error.to_string().contains(&closed.to_string()), "{error}");
    assert!(SystemClock.now().since(start) < Duration::from_secs(5));
}

#[tokio::test]
async fn large_prompts_and_answers_pass_and_an_endless_one_is_refused() {
    let Some(rig) = Rig::new(always(responses::message(&"y".repeat(500 * 1024)))) else { return };
    let completion = rig.ask(&request(&"x".repeat(1000 * 1024))).await.unwrap();
    assert_eq!(completion.content.len(), 500 * 1024);
    assert!(responses::prompt(&rig.model.requests()[0]).len() > 1000 * 1024);

    let error = rig.ask(&request(&"x".repeat(1024 * 1024))).await.unwrap_err();
    assert_eq!((meaning(&error), rig.model.request_count()), (("context", false), 1));

    let Some(rig) = Rig::new(always(responses::message(&"z".repeat(10 * 1024 * 1024)))) else { return };
    let error = rig.ask(&request("hello")).await.unwrap_err();
    assert_eq!(meaning(&error), ("too large", false));
}

#[tokio::test]
async fn the_deadline_kills_the_cli_and_whoever_it_started() {
    let Some(rig) = Rig::new(always(Reply::silence())) else { return };
    let mut request = request("hello");
    request.deadline = SystemClock.now() + Duration::from_millis(1500);
    let error = rig.ask(&request).await.unwrap_err();
    let late = SystemClock.now().since(request.deadline);
    assert!(matches!(error, BrainError::DeadlineExceeded { .. }), "{error}");
    // 100 ms are promised; a busy machine may take longer to run this test's own code.
    assert!(late < Duration::from_millis(500), "{late:?} late");
    assert_eq!(rig.model.request_count(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_future_takes_the_cli_with_it_and_its_environment_held_nothing_of_ours() {
    let Some(mut rig) = Rig::new(always(Reply::silence())) else { return };
    let ours = [
        ("PATH", "/usr/bin:/bin"),
        ("RUSTY_PINCH_CHANNELS_TELEGRAM_TOKEN", "123:secret"),
        ("OPENAI_API_KEY", "sk-other"),
        ("SSL_CERT_FILE", "/etc/ssl/cert.pem"),
    ];
    rig.config.environment = CodexEnvironment::pick(ours.map(|(name, value)| (name.into(), value.into())));
    let brain = rig.brain();
    let running = tokio::spawn(async move { brain.complete(&request("hello"), &Deltas::none()).await });
    rig.model.until_requests(1).await;
    let processes = rig.processes();
    assert_eq!(processes.len(), 1);
    let environment = std::fs::read(Path::new("/proc").join(&processes[0]).join("environ")).unwrap();
    let environment = String::from_utf8(environment).unwrap();
    let mut names: Vec<_> = environment.split('\0').filter_map(|line| line.split('=').next()).collect();
    names.retain(|name| !name.is_empty());
    assert_eq!(names, ["CODEX_API_KEY", "CODEX_HOME", "HOME", "PATH", "SSL_CERT_FILE", "TZ"]);
    let command_line = std::fs::read(Path::new("/proc").join(&processes[0]).join("cmdline")).unwrap();
    assert!(!String::from_utf8_lossy(&command_line).contains(KEY), "the key is on the command line");

    running.abort();
    assert!(running.await.unwrap_err().is_cancelled());
    tokio::time::timeout(Duration::from_millis(500), rig.model.until_disconnects(1)).await.expect("it lives on");
    assert_eq!(rig.processes(), Vec::<String>::new());
}

#[tokio::test]
async fn a_tool_of_codexs_own_is_not_there_to_be_called() {
    let marker = Path::new(env!("CARGO_TARGET_TMPDIR")).join("codex-used-a-tool");
    let shell = json!({ "cmd": format!("touch {}", marker.display()) });
    let patch = format!("tools.apply_patch(`*** Begin Patch\n*** Add File: {}\n+x\n*** End Patch`)", marker.display());
    for call in [
        responses::tool_call("exec_command", &shell),
        responses::script_call("text(1 + 1)"),
        responses::script_call(&format!("await {patch}")),
    ] {
        let Some(rig) = Rig::new(sequence([call, responses::message("done")])) else { return };
        // It is told so, and answers.
        assert_eq!(rig.ask(&request("hello")).await.unwrap().content, "done");
        let input = rig.model.requests()[1].field("/input");
        let output = input.as_array().unwrap().last().unwrap()["output"].to_string();
        assert!(output.contains("unsupported"), "it ran: {output}");
        assert!(!marker.exists());
    }
}

#[tokio::test]
async fn a_tool_of_codexs_own_that_runs_all_the_same_fails_the_attempt() {
    let shell = responses::tool_call("exec_command", &json!({ "cmd": "echo hi; sleep 20.4711" }));
    let Some(mut rig) = Rig::new(sequence([shell, responses::message("done")])) else { return };
    // An invocation of the operator's own, with everything on.
    rig.config.invocation = CodexInvocation::Own(own_json(&rig, &[]));
    let start = SystemClock.now();
    let error = rig.ask(&request("hello")).await.unwrap_err();
    assert!(matches!(&error, BrainError::ForeignTool { detail, .. } if detail == "command_execution"), "{error}");
    assert!(SystemClock.now().since(start) < Duration::from_secs(10), "it was not stopped");
    // Codex runs its tools in a session of their own, out of our reach; they die with it.
    for _ in 0..100 {
        if processes_with("20.4711").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("its tool lives on");
}

/// An operator's own invocation that reaches the rig's model: with Codex's tools on, and no retries.
fn own_json(rig: &Rig, more: &[&str]) -> OwnInvocation {
    let provider = format!(
        "model_providers.own={{name=\"own\",base_url=\"{}\",env_key=\"CODEX_API_KEY\",request_max_retries=0,\
         stream_max_retries=0}}",
        rig.model.base_url()
    );
    let mut arguments = vec!["exec", "--json", "--skip-git-repo-check", "--ephemeral", "-s", "read-only"];
    arguments.extend(["-c", "model_provider=\"own\"", "-c", &provider, "-c", "features.plugins=false"]);
    arguments.extend(["-c", "features.apps=false", "-c", "analytics.enabled=false"]);
    arguments.extend(more);
    OwnInvocation {
        arguments: arguments.into_iter().map(str::to_owned).collect(),
        model_flag: "--model".to_owned(),
        prompt_flag: String::new(),
    }
}

#[tokio::test]
async fn an_invocation_of_ones_own_is_used_as_given() {
    for (more, prompt_flag, without_json) in [(&[][..], "", false), (&[], "-", false), (&["-"], "", true)] {
        let Some(mut rig) = Rig::new(always(responses::message("hello to you"))) else { return };
        rig.config.model = Some("gpt-5.5".to_owned());
        let mut own = own_json(&rig, more);
        own.prompt_flag = prompt_flag.to_owned();
        if without_json {
            own.arguments.retain(|argument| argument != "--json");
        }
        rig.config.invocation = CodexInvocation::Own(own);
        let completion = rig.ask(&request("--version")).await.unwrap();
        assert_eq!(completion.content, "hello to you");
        assert_eq!(completion.usage.is_some(), !without_json);
        let sent = &rig.model.requests()[0];
        assert_eq!(sent.field("/model"), json!("gpt-5.5"));
        assert!(responses::prompt(sent).starts_with("You are the assistant"), "{}", responses::prompt(sent));
    }
}

#[tokio::test]
async fn runs_of_one_account_may_overlap() {
    let Some(rig) = Rig::new(always(responses::message("ok"))) else { return };
    let brain = Arc::new(rig.brain());
    let runs = (0..4).map(|_| {
        let brain = Arc::clone(&brain);
        tokio::spawn(async move { brain.complete(&request("hello"), &Deltas::none()).await.unwrap().content })
    });
    for run in runs.collect::<Vec<_>>() {
        assert_eq!(run.await.unwrap(), "ok");
    }
    assert_eq!(rig.processes(), Vec::<String>::new());
}
