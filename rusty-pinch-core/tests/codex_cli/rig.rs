//! The real CLI, a fake model, and what both transports are asked.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use fake_model::{FakeModel, Reply, Request, responses, sequence};
use rusty_pinch_core::{
    Brain, BrainError, Clock, CodexAppServerBrain, CodexBrain, CodexConfig, CodexEnvironment, Completion,
    CompletionRequest, Deltas, Lane, Message, QuotaGauge, Repeat, Risk, SystemClock, SystemSpawn, ToolName, ToolSpec,
    find_codex,
};
use serde_json::json;

pub(crate) const KEY: &str = "sk-test-4711";

/// How the CLI is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Transport {
    Exec,
    AppServer,
}

pub(crate) const BOTH: [Transport; 2] = [Transport::Exec, Transport::AppServer];

/// The CLI, or `None` after saying so loudly.
pub(crate) fn cli() -> Option<PathBuf> {
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
#[derive(Debug)]
pub(crate) struct Rig {
    pub(crate) model: FakeModel,
    pub(crate) config: CodexConfig,
    pub(crate) quota: Arc<QuotaGauge>,
}

impl Rig {
    pub(crate) fn new(script: impl FnMut(usize, &Request) -> Reply + Send + 'static) -> Option<Self> {
        let program = cli()?;
        Some(Self::with(program, script))
    }

    /// The same with another program.
    pub(crate) fn with(
        program: impl Into<PathBuf>,
        script: impl FnMut(usize, &Request) -> Reply + Send + 'static,
    ) -> Self {
        let model = FakeModel::start(script);
        // One home for all tests, kept between runs: a new one costs the CLI half a second. The first run makes it.
        let home = Path::new(env!("CARGO_TARGET_TMPDIR")).join("codex-home");
        let mut config = CodexConfig::new(program, home);
        config.base_url = Some(model.base_url());
        config.api_key = Some(KEY.to_owned().into());
        config.environment = CodexEnvironment::default().with("PATH", "/usr/bin:/bin");
        Self { model, config, quota: Arc::default() }
    }

    pub(crate) fn brain(&self, transport: Transport) -> Arc<dyn Brain> {
        let (config, clock) = (self.config.clone(), Arc::new(SystemClock));
        let spawn = Arc::new(SystemSpawn::new(clock.clone()));
        match transport {
            Transport::Exec => Arc::new(CodexBrain::new(config, spawn, clock)),
            Transport::AppServer => {
                Arc::new(CodexAppServerBrain::new(config, spawn, clock, Arc::clone(&self.quota)).unwrap())
            }
        }
    }

    /// Asks a brain of its own, and makes sure that nothing is left of it.
    pub(crate) async fn ask(
        &self,
        transport: Transport,
        request: &CompletionRequest,
    ) -> Result<Completion, BrainError> {
        let brain = self.brain(transport);
        let outcome = brain.complete(request, &Deltas::none()).await;
        drop(brain);
        self.no_process_is_left().await;
        outcome
    }

    pub(crate) async fn no_process_is_left(&self) {
        // What is given up is killed and not waited for, and a busy machine takes its time.
        for _ in 0..1000 {
            if self.processes().is_empty() {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("a process is left: {:?}", self.processes());
    }

    /// The processes that were started for this rig: the address of its model is on their command line.
    pub(crate) fn processes(&self) -> Vec<String> {
        processes_with(&self.model.base_url())
    }
}

/// The processes with `word` on their command line, which zombies have no more.
pub(crate) fn processes_with(word: &str) -> Vec<String> {
    let proc = std::fs::read_dir("/proc").unwrap().filter_map(Result::ok);
    let matching = proc.filter(|process| {
        let line = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(word)
    });
    matching.map(|process| process.file_name().to_string_lossy().into_owned()).collect()
}

pub(crate) fn request(text: &str) -> CompletionRequest {
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

pub(crate) fn calc() -> ToolSpec {
    ToolSpec {
        name: ToolName::new("calc").unwrap(),
        description: "Calculates".into(),
        parameters: json!({ "type": "object", "properties": { "expression": { "type": "string" } } }),
        positional: vec!["expression".into()],
        repeat: Repeat::ReadOnly,
        risk: Risk::Low,
        examples: Vec::new(),
        kind: Default::default(),
        output: Default::default(),
    }
}

pub(crate) fn with_tools(mut request: CompletionRequest) -> CompletionRequest {
    request.tools = Arc::from([calc()]);
    request
}

/// Checks what was sent upstream for [`request`]: all of it, with the key, and no tool of Codex's own.
pub(crate) fn carries_the_conversation_and_no_tools(sent: &Request, text: &str) {
    assert_eq!((sent.method.as_str(), sent.path.as_str()), ("POST", "/v1/responses"));
    assert_eq!(sent.header("authorization"), Some(format!("Bearer {KEY}").as_str()));
    assert_eq!(responses::foreign_tools(sent), ["request_user_input"], "a tool of Codex's own is on");
    assert!(sent.body.len() < 8 * 1024, "{} bytes for one sentence", sent.body.len());
    let prompt = responses::prompt(sent);
    for (role, content) in [("system", "Be brief."), ("assistant", "second"), ("user", text)] {
        let line = json!({ "content": content, "role": role }).to_string();
        assert!(prompt.lines().any(|l| l == line), "{line} is not in {prompt}");
    }
}

/// What a failure becomes: the variant's name and whether it says when to come back.
pub(crate) fn meaning(error: &BrainError) -> (&'static str, bool) {
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
        BrainError::Program { .. } => "program",
        BrainError::DeadlineExceeded { .. } => "deadline",
        BrainError::ForeignTool { .. } => "foreign tool",
        other => panic!("{other}"),
    };
    (name, error.retry_at().is_some())
}

/// Whatever tool of its own a model asks for, Codex says that there is none, and goes on.
pub(crate) async fn no_tool_of_codexs_own_is_there(transport: Transport) {
    let marker = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("codex-used-a-tool-{transport:?}"));
    let shell = json!({ "cmd": format!("touch {}", marker.display()) });
    let patch = format!("tools.apply_patch(`*** Begin Patch\n*** Add File: {}\n+x\n*** End Patch`)", marker.display());
    for call in [
        responses::tool_call("exec_command", &shell),
        responses::script_call("text(1 + 1)"),
        responses::script_call(&format!("await {patch}")),
    ] {
        let Some(rig) = Rig::new(sequence([call, responses::message("done")])) else { return };
        // It is told so, and answers.
        assert_eq!(rig.ask(transport, &request("hello")).await.unwrap().content, "done");
        let input = rig.model.requests()[1].field("/input");
        let output = input.as_array().unwrap().last().unwrap()["output"].to_string();
        assert!(output.contains("unsupported"), "it ran: {output}");
        assert!(!marker.exists());
    }
}
