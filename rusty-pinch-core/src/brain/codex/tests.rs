//! `CodexBrain` with a door to processes that a test scripts: what the real CLI can't be made to do.

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use super::account::origin;
use super::*;
use crate::brain::{Delta, Lane};
use crate::data::{Message, Timestamp, ToolName};
use crate::hands::{Repeat, Risk};
use crate::sys::{Captured, SpawnError, SystemClock, SystemSpawn};
use crate::testing::VirtualClock;

const CATALOGUE: &str = r#"{"models":[{"slug":"a","tool_mode":"code_mode_only"}]}"#;
const MESSAGE: &str = r#"{"type":"item.completed","item":{"type":"agent_message","text":"pong"}}"#;
const COMPLETED: &str = r#"{"type":"turn.completed","usage":{"input_tokens":1,"output_tokens":2}}"#;

/// A program that prints what the test says; asked for its catalogue, it gives one.
#[derive(Debug, Default)]
struct FakeCodex {
    stdout: String,
    stderr: String,
    ending: Option<Ending>,
    /// Never ends after printing.
    hangs: bool,
    is_missing: bool,
    catalogue: Option<&'static str>,
    commands: Mutex<Vec<Command>>,
}

impl FakeCodex {
    fn printing(lines: &[&str]) -> Self {
        Self { stdout: lines.join("\n"), ..Self::default() }
    }

    fn commands(&self) -> Vec<Command> {
        lock(&self.commands).clone()
    }
}

#[async_trait]
impl Spawn for FakeCodex {
    async fn run(&self, command: &Command, lines: &Lines) -> Result<Exit, SpawnError> {
        lock(&self.commands).push(command.clone());
        if self.is_missing {
            return Err(SpawnError::NotFound { program: command.program.clone() });
        }
        let captured = |text: &str| Captured { bytes: text.as_bytes().to_vec(), truncated: false };
        if command.arguments.first().is_some_and(|first| first == "debug") {
            let stdout = captured(self.catalogue.unwrap_or(CATALOGUE));
            return Ok(Exit { ending: Ending::Code(0), stdout, stderr: Captured::default() });
        }
        for line in self.stdout.lines() {
            let is_cut = line.len() > command.limits.line_bytes_max;
            lines.send(if is_cut { OutputLine::Cut(b"{") } else { OutputLine::Whole(line.as_bytes()) });
        }
        if self.hangs {
            std::future::pending::<()>().await;
        }
        let ending = self.ending.unwrap_or(Ending::Code(0));
        Ok(Exit { ending, stdout: captured(&self.stdout), stderr: captured(&self.stderr) })
    }
}

fn brain(config: CodexConfig, fake: FakeCodex) -> (CodexBrain, Arc<FakeCodex>) {
    let fake = Arc::new(fake);
    (CodexBrain::new(config, fake.clone(), Arc::new(VirtualClock::default())), fake)
}

fn config() -> CodexConfig {
    CodexConfig::new("/opt/codex", "/home/me/.codex")
}

fn own(arguments: &[&str], model_flag: &str, prompt_flag: &str) -> CodexConfig {
    let mut config = config();
    config.invocation = CodexInvocation::Own(OwnInvocation {
        arguments: arguments.iter().map(ToString::to_string).collect(),
        model_flag: model_flag.to_owned(),
        prompt_flag: prompt_flag.to_owned(),
    });
    config
}

fn request(text: &str) -> CompletionRequest {
    CompletionRequest {
        messages: vec![Message::User { content: text.to_owned() }],
        tools: Arc::from([]),
        deadline: Timestamp::from_millis(1_767_225_600_000) + Duration::from_secs(30),
        lane: Lane::Interactive,
        turn: None,
    }
}

fn with_a_tool(mut request: CompletionRequest) -> CompletionRequest {
    request.tools = Arc::from([ToolSpec {
        name: ToolName::new("calc").unwrap(),
        description: String::new(),
        parameters: json!({ "type": "object" }),
        positional: Vec::new(),
        repeat: Repeat::ReadOnly,
        risk: Risk::Low,
        examples: Vec::new(),
        kind: Default::default(),
        output: Default::default(),
    }]);
    request
}

async fn ask(config: CodexConfig, fake: FakeCodex) -> Result<Completion, BrainError> {
    brain(config, fake).0.complete(&request("hi"), &Deltas::none()).await
}

/// Asserts that what `fake` prints becomes an error whose text holds `expected`.
async fn fails(fake: FakeCodex, expected: &str) {
    let shown = format!("{fake:?}").chars().take(300).collect::<String>();
    let error = ask(config(), fake).await.unwrap_err();
    let debugged = format!("{error:?} {error}");
    assert!(debugged.contains(expected), "{debugged} from {shown}");
}

#[tokio::test]
async fn only_a_turn_that_is_over_and_went_well_is_an_answer() {
    assert_eq!(ask(config(), FakeCodex::printing(&[MESSAGE, COMPLETED])).await.unwrap().content, "pong");
    let cut_line = "x".repeat(EVENT_LINE_BYTES_MAX + 1);
    let empty = r#"{"type":"item.completed","item":{"type":"agent_message","text":" "}}"#;
    let ending = |ending: Ending| FakeCodex { ending: Some(ending), ..FakeCodex::printing(&[MESSAGE, COMPLETED]) };
    for (fake, expected) in [
        (FakeCodex::printing(&[]), "Program"),
        (FakeCodex::printing(&["usage: something else"]), "usage: something else"),
        (FakeCodex::printing(&[MESSAGE]), "exit code 0"),
        (FakeCodex::printing(&[COMPLETED]), "the reply is empty"),
        (FakeCodex::printing(&[empty, COMPLETED]), "the reply is empty"),
        (FakeCodex::printing(&[&cut_line, COMPLETED]), "TooLarge"),
        (FakeCodex::printing(&[r#"{"type":"error","message":"it is late"}"#]), "it is late"),
        (ending(Ending::Code(1)), "exit code 1"),
        (ending(Ending::Signal(9)), "killed by signal 9"),
        (ending(Ending::Deadline), "DeadlineExceeded"),
        (FakeCodex { stderr: "WARNING: proceeding, x\nboom".into(), ..ending(Ending::Code(2)) }, "exit code 2: boom"),
        (FakeCodex { is_missing: true, ..FakeCodex::default() }, "there is no program `/opt/codex`"),
        (
            FakeCodex { catalogue: Some("Error: unknown command"), ..FakeCodex::default() },
            "did not give them as the Codex CLI does",
        ),
    ] {
        fails(fake, expected).await;
    }
}

#[tokio::test]
async fn a_run_that_shows_a_foreign_tool_is_stopped_at_once_and_its_answer_thrown_away() {
    let tool = r#"{"type":"item.started","item":{"type":"mcp_tool_call"}}"#;
    fails(FakeCodex { hangs: true, ..FakeCodex::printing(&[MESSAGE, tool]) }, "mcp_tool_call").await;
    fails(FakeCodex::printing(&[tool, MESSAGE, COMPLETED]), "ForeignTool").await;
}

#[tokio::test]
async fn the_key_is_in_the_environment_and_nowhere_else() {
    let mut config = config();
    config.api_key = Some("sk-123".to_owned().into());
    config.environment = CodexEnvironment::pick([
        (OsString::from("HOME"), OsString::from("/home/me")),
        ("RUSTY_PINCH_API_KEY".into(), "sk-ours".into()),
        ("TELEGRAM_TOKEN".into(), "1:2".into()),
        ("HTTPS_PROXY".into(), "http://me:secret@proxy".into()),
    ]);
    let failed = r#"{"type":"turn.failed","error":{"message":"unexpected status 401 Unauthorized: bad key sk-123"}}"#;
    let (brain, fake) = brain(config, FakeCodex::printing(&[failed]));
    let error = brain.complete(&request("hi"), &Deltas::none()).await.unwrap_err();
    assert!(error.to_string().contains("bad key [secret]"), "{error}");
    for command in fake.commands() {
        let names: Vec<_> = command.environment.keys().map(|name| name.to_str().unwrap()).collect();
        assert_eq!(names, ["CODEX_API_KEY", "CODEX_HOME", "HOME", "HTTPS_PROXY", "TZ"]);
        assert!(!command.arguments.iter().any(|argument| argument.to_string_lossy().contains("sk-123")));
    }
    let shown = format!("{brain:?} {:?}", fake.commands());
    assert!(!shown.contains("sk-123") && !shown.contains("secret@proxy"), "{shown}");
}

#[test]
fn an_unreachable_server_is_named_without_a_password() {
    for (url, expected) in [
        ("http://127.0.0.1:8080/v1", "127.0.0.1:8080"),
        ("https://me:secret@host/v1?x", "host"),
        ("host", "host"),
        ("", ""),
    ] {
        assert_eq!(origin(url), expected);
    }
}

#[tokio::test]
async fn the_catalogue_is_asked_for_once_and_again_after_the_program_failed() {
    let (brain, fake) = brain(config(), FakeCodex::printing(&[MESSAGE, COMPLETED]));
    for _ in 0..3 {
        brain.complete(&request("hi"), &Deltas::none()).await.unwrap();
    }
    let asked = |fake: &FakeCodex| fake.commands().iter().filter(|command| command.arguments[0] == "debug").count();
    assert_eq!((asked(&fake), fake.commands().len()), (1, 4));

    let (brain, fake) = self::brain(config(), FakeCodex::printing(&["no events"]));
    for _ in 0..2 {
        brain.complete(&request("hi"), &Deltas::none()).await.unwrap_err();
    }
    assert_eq!(asked(&fake), 2);
}

#[tokio::test]
async fn each_run_has_an_empty_directory_that_is_gone_afterwards() {
    let (brain, fake) = brain(config(), FakeCodex::printing(&[MESSAGE, COMPLETED]));
    brain.complete(&with_a_tool(request("hi")), &Deltas::none()).await.unwrap();
    let commands = fake.commands();
    let run = commands.last().unwrap();
    assert!(run.directory.ends_with("work") && !run.directory.exists());
    let arguments: Vec<_> = run.arguments.iter().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let schema = arguments.iter().position(|argument| argument == "--output-schema").unwrap();
    assert!(!PathBuf::from(&arguments[schema + 1]).exists());
    assert_eq!(arguments.last().unwrap(), "-");
    assert!(String::from_utf8_lossy(run.input.bytes().unwrap()).contains(r#"{"content":"hi","role":"user"}"#));
}

#[tokio::test]
async fn plain_answers_are_previewed_as_they_come_and_calls_never() {
    async fn previews(request: CompletionRequest, text: &str) -> String {
        let seen = Arc::new(Mutex::new(String::new()));
        let sink = Arc::clone(&seen);
        let deltas = Deltas::new(move |delta| match delta {
            Delta::Text(text) => lock(&sink).push_str(text),
            _ => lock(&sink).push_str("<restart>"),
        });
        let message =
            json!({ "type": "item.completed", "item": { "type": "agent_message", "text": text } }).to_string();
        let fake = FakeCodex::printing(&[MESSAGE, &message, COMPLETED]);
        brain(config(), fake).0.complete(&request, &deltas).await.unwrap();
        lock(&seen).clone()
    }
    assert_eq!(previews(request("hi"), "hello").await, "pong<restart>hello");
    assert_eq!(previews(with_a_tool(request("hi")), r#"{"calls":[],"answer":"hello"}"#).await, "hello");
    let call = r#"{"calls":[{"tool":"calc","arguments":"{}"}],"answer":""}"#;
    assert_eq!(previews(with_a_tool(request("hi")), call).await, "");
}

/// What an invocation of one's own becomes: its arguments, with the prompt shortened to `PROMPT`, and whether the prompt
/// is on standard input.
async fn own_arguments(mut config: CodexConfig, model: Option<&str>) -> (Vec<String>, bool) {
    config.model = model.map(str::to_owned);
    let (brain, fake) = brain(config, FakeCodex::printing(&["hello"]));
    brain.complete(&request("hi"), &Deltas::none()).await.unwrap();
    let command = fake.commands().pop().unwrap();
    let short = |argument: &OsString| {
        let argument = argument.to_str().unwrap().to_owned();
        if argument.starts_with("You are") { "PROMPT".to_owned() } else { argument }
    };
    (command.arguments.iter().map(short).collect(), command.input.bytes().is_some_and(|input| !input.is_empty()))
}

#[tokio::test]
async fn an_invocation_of_ones_own_has_its_parts_in_the_documented_order() {
    for (config, model, expected, on_stdin) in [
        (own(&["exec"], "--model", ""), Some("m"), &["exec", "--model", "m", "PROMPT"][..], false),
        (own(&["exec"], "", "-p"), Some("m"), &["exec", "m", "-p", "PROMPT"], false),
        (own(&[], "--model", ""), None, &["PROMPT"], false),
        (own(&["exec"], "-m", "-"), Some("m"), &["exec", "-m", "m", "-"], true),
        (own(&["exec", "-"], "-m", ""), Some("m"), &["exec", "-m", "m", "-"], true),
    ] {
        assert_eq!(own_arguments(config, model).await, (expected.iter().map(ToString::to_string).collect(), on_stdin));
    }
}

#[tokio::test]
async fn an_invocation_of_ones_own_may_print_events_or_text() {
    let own = || own(&["exec"], "", "");
    assert_eq!(ask(own(), FakeCodex::printing(&[MESSAGE, COMPLETED])).await.unwrap().content, "pong");
    assert_eq!(ask(own(), FakeCodex::printing(&[" two", "lines\n"])).await.unwrap().content, "two\nlines");
    for (fake, expected) in [
        (FakeCodex::printing(&[]), "the reply is empty"),
        (FakeCodex { ending: Some(Ending::Code(3)), ..FakeCodex::printing(&["no such model"]) }, "no such model"),
        (FakeCodex::printing(&[r#"{"type":"item.started","item":{"type":"file_change"}}"#, COMPLETED]), "ForeignTool"),
    ] {
        let error = ask(own(), fake).await.unwrap_err();
        assert!(format!("{error:?}").contains(expected), "{error:?}");
    }
}

#[tokio::test]
async fn calls_come_out_of_the_text_of_an_invocation_of_ones_own() {
    let reply = r#"{"calls":[{"tool":"calc","arguments":"{\"a\":1}"}],"answer":""}"#;
    let (brain, _) = brain(own(&[], "", ""), FakeCodex::printing(&[reply]));
    let completion = brain.complete(&with_a_tool(request("hi")), &Deltas::none()).await.unwrap();
    assert_eq!((completion.calls[0].name.as_str(), &completion.calls[0].arguments), ("calc", &json!({ "a": 1 })));
}

#[tokio::test]
async fn what_does_not_fit_on_a_command_line_never_gets_there() {
    let (long, fake) = brain(own(&[], "", ""), FakeCodex::printing(&["x"]));
    let error = long.complete(&request(&"x".repeat(121 * 1024)), &Deltas::none()).await.unwrap_err();
    assert!(matches!(error, BrainError::ContextTooLong { .. }) && error.to_string().contains("prompt flag `-`"));
    assert!(fake.commands().is_empty());

    let mut flag = own(&[], "--model", "");
    flag.model = Some("--dangerously-bypass-approvals-and-sandbox".to_owned());
    assert!(matches!(ask(flag, FakeCodex::printing(&["x"])).await, Err(BrainError::NotConfigured { .. })));
}

#[cfg(unix)]
#[tokio::test]
async fn a_program_that_is_not_codex_is_told_apart() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    for program in ["/bin/true", "/bin/cat", "/bin/false"] {
        let config = CodexConfig::new(program, "/nowhere/home");
        let brain = CodexBrain::new(config, Arc::new(SystemSpawn::new(clock.clone())), clock.clone());
        let mut request = request("hi");
        request.deadline = clock.now() + Duration::from_secs(10);
        let error = brain.complete(&request, &Deltas::none()).await.unwrap_err();
        assert!(error.to_string().contains("did not give them as the Codex CLI does"), "{error}");
    }
}

#[cfg(unix)]
mod detection {
    use std::os::unix::fs::{PermissionsExt, symlink};
    use std::path::Path;

    use super::super::*;

    fn file(path: &Path, text: &str, mode: u32) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    }

    #[test]
    fn the_first_executable_file_in_the_path_is_found() {
        let root = tempfile::tempdir().unwrap();
        let at = |name: &str| root.path().join(name);
        file(&at("a/codex"), "not executable", 0o644);
        file(&at("b/codex"), "", 0o755);
        file(&at("c/codex"), "", 0o755);
        let path = std::env::join_paths([at("none"), at("a"), at("b"), at("c")]).unwrap();
        assert_eq!(find_codex(Path::new("codex"), Some(&path)), Some(at("b/codex")));
        assert_eq!(find_codex(Path::new("other"), Some(&path)), None);
        assert_eq!(find_codex(Path::new("codex"), None), None);
        assert_eq!(find_codex(&at("c/codex"), None), Some(at("c/codex")));
        assert_eq!(find_codex(&at("a/codex"), Some(&path)), None);
    }

    #[test]
    fn behind_the_wrapper_the_native_binary_is_found() {
        let root = tempfile::tempdir().unwrap();
        let packages = root.path().canonicalize().unwrap().join("node_modules/@openai");
        let script = packages.join("codex/bin/codex.js");
        file(&script, "#!/usr/bin/env node", 0o755);
        let link = root.path().join("codex");
        symlink(&script, &link).unwrap();
        assert_eq!(find_codex(&link, None), Some(link.clone()), "without a binary the wrapper will do");

        let cpu = if cfg!(target_arch = "x86_64") { "x64" } else { "arm64" };
        let os = if cfg!(target_os = "macos") { "darwin" } else { "linux" };
        let inside = packages.join(format!("codex/node_modules/@openai/codex-{os}-{cpu}/vendor/t/bin/codex"));
        file(&inside, "", 0o755);
        assert_eq!(find_codex(&link, None), Some(inside));
        let beside = packages.join(format!("codex-{os}-{cpu}/vendor/t/bin/codex"));
        file(&beside, "", 0o755);
        assert_eq!(find_codex(&link, None), Some(beside));
    }

    #[test]
    fn a_login_is_what_its_file_says() {
        let home = tempfile::tempdir().unwrap();
        assert_eq!(codex_login(home.path()), CodexLogin::None);
        for (auth, expected) in [
            (r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-x"}"#, CodexLogin::StoredKey),
            (r#"{"OPENAI_API_KEY":null,"tokens":{"access_token":"a","refresh_token":"r"}}"#, CodexLogin::ChatGpt),
            (r#"{"OPENAI_API_KEY":"","tokens":null}"#, CodexLogin::None),
            ("{}", CodexLogin::None),
            ("not json", CodexLogin::None),
            ("", CodexLogin::None),
        ] {
            std::fs::write(home.path().join("auth.json"), auth).unwrap();
            assert_eq!(codex_login(home.path()), expected, "{auth}");
        }
    }
}
