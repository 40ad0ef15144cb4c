//! The server's life, with programs that a test writes: what the real one can't be made to do.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use super::bounds::{IDLE_MAX, START_MAX};
use super::*;
use crate::brain::Lane;
use crate::data::Message;
use crate::sys::{Command, Exit, Lines, SpawnError, SystemClock, SystemSpawn};
use crate::testing::VirtualClock;

/// Answers the requests of a start, up to a thread.
const READY: &str = r#"
    read initialize; echo '{"id":1,"result":{}}'
    read initialized; read config; echo '{"id":2,"result":{"config":{"mcp_servers":{"a":{}}}}}'
    read models; echo '{"id":3,"result":{"data":[{"model":"m","isDefault":true}]}}'"#;
const THREAD: &str = r#"
    read thread; echo '{"id":4,"result":{"thread":{"id":"t"}}}'"#;
const TURN: &str = r#"
    read turn; echo '{"id":5,"result":{"turn":{"id":"u"}}}'"#;
const ANSWER: &str = r#"
    echo '{"method":"item/completed","params":{"threadId":"t","item":{"type":"agentMessage","id":"m","text":"pong"}}}'
    echo '{"method":"turn/completed","params":{"threadId":"t","turn":{"id":"u","status":"completed"}}}'"#;

/// Starts the children on the computer's clock, whatever the clock of the brain is.
#[derive(Debug)]
struct Shell(SystemSpawn);

#[async_trait]
impl Spawn for Shell {
    async fn run(&self, command: &Command, lines: &Lines) -> Result<Exit, SpawnError> {
        let mut command = command.clone();
        command.deadline = SystemClock.now() + Duration::from_secs(60);
        self.0.run(&command, lines).await
    }
}

/// A brain whose server is this script, which says its process id in the file beside it.
struct Scripted {
    folder: tempfile::TempDir,
    clock: Arc<VirtualClock>,
    brain: CodexAppServerBrain,
}

impl Scripted {
    fn new(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let program = folder.path().join("codex");
        let catalogue = r#"{"models":[{"slug":"a"}]}"#;
        let pid = folder.path().join("pid").display().to_string();
        let text = format!(
            "#!/bin/sh\nif [ \"$1\" = debug ]; then echo '{catalogue}'; exit 0; fi\necho $$ >> {pid}\n{script}\n"
        );
        std::fs::write(&program, text).unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut config = CodexConfig::new(program, folder.path().join("home"));
        config.environment = super::super::CodexEnvironment::default().with("PATH", "/usr/bin:/bin");
        let clock = Arc::new(VirtualClock::default());
        let spawn = Arc::new(Shell(SystemSpawn::new(Arc::new(SystemClock))));
        let brain = CodexAppServerBrain::new(config, spawn, clock.clone(), Arc::default()).unwrap();
        Self { folder, clock, brain }
    }

    fn request(&self) -> CompletionRequest {
        CompletionRequest {
            messages: vec![Message::User { content: "ping".to_owned() }],
            tools: Arc::from([]),
            deadline: self.clock.now() + Duration::from_secs(3600),
            lane: Lane::Interactive,
            turn: None,
        }
    }

    async fn ask(&self) -> Result<Completion, BrainError> {
        self.brain.complete(&self.request(), &Deltas::none()).await
    }

    /// The processes that were started, in order.
    fn started(&self) -> Vec<PathBuf> {
        let pids = std::fs::read_to_string(self.folder.path().join("pid")).unwrap_or_default();
        pids.lines().map(|pid| PathBuf::from("/proc").join(pid)).collect()
    }

    /// Waits until `count` servers were started, and the last of them is ready for its thread's request.
    async fn until_started(&self, count: usize) {
        until(|| self.started().len() >= count).await;
    }
}

/// Waits until `holds`, up to five seconds.
async fn until(holds: impl Fn() -> bool) {
    for _ in 0..500 {
        if holds() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it never came to that");
}

#[tokio::test]
async fn a_server_with_nothing_to_do_ends_and_the_next_request_starts_another() {
    let scripted = Scripted::new(&format!("{READY}{THREAD}{TURN}{ANSWER}\nexec sleep 60"));
    assert_eq!(scripted.ask().await.unwrap().content, "pong");
    let first = scripted.started().remove(0);
    scripted.clock.advance(IDLE_MAX - Duration::from_secs(1));
    for _ in 0..100 {
        tokio::task::yield_now().await;
        assert!(first.exists(), "it ended before its time");
    }
    // The thread is left shortly after the answer, and from then on nothing is done.
    until(|| {
        scripted.clock.advance(Duration::from_secs(60));
        !first.exists()
    })
    .await;
    assert_eq!(scripted.ask().await.unwrap().content, "pong");
    assert_eq!(scripted.started().len(), 2);
}

#[tokio::test]
async fn a_server_that_does_not_stop_a_turn_that_was_left_is_killed_and_takes_no_later_request_with_it() {
    let first = "if [ $(wc -l < \"${0%/*}/pid\") = 1 ]; then touch \"$0.turn\"; exec cat > /dev/null; fi";
    let script = format!("{READY}{THREAD}{TURN}\n{first}{ANSWER}\nexec sleep 60");
    let scripted = Arc::new(Scripted::new(&script));
    let asked = tokio::spawn({
        let scripted = Arc::clone(&scripted);
        async move { scripted.ask().await }
    });
    until(|| scripted.folder.path().join("codex.turn").exists()).await;
    asked.abort();
    assert!(asked.await.unwrap_err().is_cancelled());
    assert_eq!(scripted.ask().await.unwrap().content, "pong");
    until(|| !scripted.started()[0].exists()).await;
}

#[tokio::test]
async fn a_server_that_hangs_at_its_start_is_given_up_and_killed() {
    let scripted = Arc::new(Scripted::new("exec cat > /dev/null"));
    let asked = tokio::spawn({
        let scripted = Arc::clone(&scripted);
        async move { scripted.ask().await }
    });
    scripted.until_started(1).await;
    scripted.clock.advance(START_MAX);
    let error = asked.await.unwrap().unwrap_err();
    assert!(error.to_string().contains("did not get ready"), "{error}");
    until(|| !scripted.started()[0].exists()).await;
}

#[tokio::test]
async fn what_the_server_does_wrong_is_said() {
    let refused = format!(
        "{READY}\nread thread; echo '{{\"id\":4,\"error\":{{\"code\":-32600,\"message\":\"no such field\"}}}}'; cat"
    );
    let busy =
        format!("{READY}\nread thread; echo '{{\"id\":4,\"error\":{{\"code\":-32001,\"message\":\"later\"}}}}'; cat");
    let wants = r#"echo '{"id":0,"method":"item/commandExecution/requestApproval","params":{"threadId":"t"}}'"#;
    let interrupted =
        r#"echo '{"method":"turn/completed","params":{"threadId":"t","turn":{"id":"u","status":"interrupted"}}}'"#;
    for (script, expected) in [
        ("exit 0".to_owned(), "exit code 0"),
        (format!("{READY}\necho oops >&2; exit 3"), "exit code 3: oops"),
        (format!("{READY}{THREAD}{TURN}\nkill -9 $$"), "killed by signal 9"),
        (refused, "it refused a request: no such field"),
        (busy, "Overloaded"),
        ("yes hello".to_owned(), "does not speak the app-server's protocol: hello"),
        ("exec cat".to_owned(), "does not speak the app-server's protocol"),
        (format!("{READY}\nread thread; echo '{{\"id\":4,\"result\":{{}}}}'; cat"), "a thread without a name"),
        (format!("{READY}{THREAD}{TURN}\n{wants}; cat >/dev/null"), "ForeignTool"),
        (format!("{READY}{THREAD}{TURN}\n{interrupted}; cat >/dev/null"), "somebody interrupted it"),
        (format!("{READY}{THREAD}{TURN}\nhead -c 10485760 /dev/zero | tr '\\0' x; echo; cat >/dev/null"), "TooLarge"),
    ] {
        let error = Scripted::new(&script).ask().await.unwrap_err();
        let said = format!("{error:?} {error}");
        assert!(said.contains(expected), "{said} from {script}");
    }
}

#[tokio::test]
async fn odd_lines_among_messages_are_put_up_with() {
    let scripted =
        Scripted::new(&format!("echo hello{READY}{THREAD}\necho '[]'{TURN}\necho '{{'{ANSWER}\nexec sleep 60"));
    assert_eq!(scripted.ask().await.unwrap().content, "pong");
}

#[tokio::test]
async fn the_deadline_is_kept_while_others_wait_for_the_start() {
    let scripted = Arc::new(Scripted::new("exec cat > /dev/null"));
    let asked = [10, 5].map(|seconds| {
        let scripted = Arc::clone(&scripted);
        tokio::spawn(async move {
            let mut request = scripted.request();
            request.deadline = scripted.clock.now() + Duration::from_secs(seconds);
            scripted.brain.complete(&request, &Deltas::none()).await
        })
    });
    scripted.until_started(1).await;
    scripted.clock.advance(Duration::from_secs(10));
    for asked in asked {
        assert!(matches!(asked.await.unwrap(), Err(BrainError::DeadlineExceeded { .. })));
    }
}

#[test]
fn an_invocation_of_ones_own_is_refused() {
    let mut config = CodexConfig::new("codex", "home");
    config.invocation = CodexInvocation::Own(super::super::OwnInvocation {
        arguments: Vec::new(),
        model_flag: String::new(),
        prompt_flag: String::new(),
    });
    let clock = Arc::new(SystemClock);
    let refused = CodexAppServerBrain::new(config, Arc::new(SystemSpawn::new(clock.clone())), clock, Arc::default());
    assert!(matches!(refused, Err(BrainError::NotConfigured { .. })));
}
