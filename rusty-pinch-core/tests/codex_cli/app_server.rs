//! `codex app-server`: what it is asked, what comes back, what it may not do, and how long it lives.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_model::{Answer, Reply, Request, always, responses, sequence};
use rusty_pinch_core::testing::conformance::{self, BrainCase, StuckBrain};
use rusty_pinch_core::{Brain, BrainError, Clock, CodexInvocation, Delta, Deltas, Message, SystemClock};
use serde_json::json;

use crate::rig::{
    self, KEY, Rig, Transport, calc, carries_the_conversation_and_no_tools, meaning, processes_with, request,
    with_tools,
};

const APP_SERVER: Transport = Transport::AppServer;

#[tokio::test]
async fn an_answer_comes_back_and_the_request_carries_the_conversation_and_no_tools() {
    for model in [None, Some("gpt-5.5"), Some("my-own-model")] {
        let Some(mut rig) = Rig::new(always(responses::message("391, by the way, in several pieces"))) else { return };
        rig.config.model = model.map(str::to_owned);
        let previewed = Arc::new(Mutex::new(Vec::new()));
        let sink = Arc::clone(&previewed);
        let deltas = Deltas::new(move |delta| {
            assert_ne!(delta, Delta::Restarted);
            sink.lock().unwrap().push(delta.to_string());
        });
        let brain = rig.brain(APP_SERVER);
        let completion = brain.complete(&request("what is 17 * 23?"), &deltas).await.unwrap();
        assert_eq!((completion.content.as_str(), completion.attempts), ("391, by the way, in several pieces", 1));
        let previewed = previewed.lock().unwrap();
        assert_eq!(previewed.concat(), completion.content);
        assert!(previewed.len() > 1, "it does not stream");
        let usage = completion.usage.unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (11, 7));

        let requests = rig.model.requests();
        assert_eq!(requests.len(), 1);
        carries_the_conversation_and_no_tools(&requests[0], "what is 17 * 23?");
        if let Some(model) = model {
            assert_eq!(requests[0].field("/model"), json!(model));
        }
    }
}

#[tokio::test]
async fn calls_come_back_whole_and_in_order_and_arguments_that_are_no_json_come_as_text() {
    let Some(rig) = Rig::new(|_, request: &Request| {
        let call = Answer::call("calc", &json!({ "expression": "1" })).and_call("calc", "{broken");
        responses::reply(request, &call)
    }) else {
        return;
    };
    let completion = rig.ask(APP_SERVER, &with_tools(request("calculate"))).await.unwrap();
    let arguments: Vec<_> = completion.calls.iter().map(|call| call.arguments.clone()).collect();
    assert_eq!(arguments, [json!({ "expression": "1" }), json!("{broken")]);
    assert_eq!((completion.content.as_str(), rig.model.request_count()), ("", 1));
    let format = rig.model.requests()[0].field("/text/format");
    assert_eq!((&format["type"], &format["strict"]), (&json!("json_schema"), &json!(true)));
    assert_eq!(format["schema"]["properties"]["calls"]["items"]["properties"]["tool"]["enum"], json!(["calc"]));
}

/// A home whose configuration wants all kinds of things, among them to start programs that leave a mark.
fn greedy_home(home: &Path) {
    let mark = |name: &str| format!("command = \"touch\"\nargs = [{:?}]\n", home.join(name));
    let config = format!(
        "model = \"x\"\ndeveloper_instructions = \"OBEY-1\"\nmodel_instructions_file = {:?}\nnotify = [\"touch\", {:?}]\n\
         [mcp_servers.a]\n{}[mcp_servers.\"b.c\"]\n{}",
        home.join("instructions.md"),
        home.join("mark-notify"),
        mark("mark-a"),
        mark("mark-b"),
    );
    std::fs::write(home.join("config.toml"), config).unwrap();
    std::fs::write(home.join("instructions.md"), "OBEY-2").unwrap();
    std::fs::write(home.join("auth.json"), r#"{"auth_mode":"apikey","OPENAI_API_KEY":"sk-login"}"#).unwrap();
}

#[tokio::test]
async fn the_accounts_login_is_used_and_its_configuration_is_not() {
    let Some(mut rig) = Rig::new(always(responses::message("ok"))) else { return };
    let home = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    greedy_home(home.path());
    rig.config.home = home.path().to_owned();
    rig.config.api_key = None;
    rig.ask(APP_SERVER, &request("hello")).await.unwrap();
    let sent = &rig.model.requests()[0];
    assert_eq!(sent.header("authorization"), Some("Bearer sk-login"));
    assert_ne!(sent.field("/model"), json!("x"));
    let body = String::from_utf8_lossy(&sent.body);
    assert!(!body.contains("OBEY"), "instructions of the account's own: {body}");
    let left: Vec<_> = std::fs::read_dir(home.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().starts_with("mark")), "something was started: {left:?}");
}

#[tokio::test]
async fn one_server_answers_many_requests_and_is_gone_with_its_brain() {
    let Some(rig) = Rig::new(always(responses::message("ok"))) else { return };
    let brain = rig.brain(APP_SERVER);
    brain.complete(&request("hello"), &Deltas::none()).await.unwrap();
    let first = rig.processes();
    assert_eq!(first.len(), 1);
    let mut times = Vec::new();
    for _ in 0..40 {
        let start = SystemClock.now();
        brain.complete(&request("hello"), &Deltas::none()).await.unwrap();
        times.push(SystemClock.now().since(start));
    }
    times.sort();
    println!("app-server, a turn after the start: p50 {:?}, p95 {:?}", times[20], times[37]);
    assert_eq!(rig.processes(), first, "it was started again");
    drop(brain);
    rig.no_process_is_left().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_request_stops_its_turn_and_the_server_goes_on() {
    let replies = [responses::begun().holding(), responses::message("ok")];
    let Some(rig) = Rig::new(sequence(replies)) else { return };
    let brain = rig.brain(APP_SERVER);
    let left = tokio::spawn({
        let brain = Arc::clone(&brain);
        async move { brain.complete(&request("hello"), &Deltas::none()).await }
    });
    rig.model.until_requests(1).await;
    let server = rig.processes();
    let environment = std::fs::read(Path::new("/proc").join(&server[0]).join("environ")).unwrap();
    let environment = String::from_utf8(environment).unwrap();
    let mut names: Vec<_> = environment.split('\0').filter_map(|line| line.split('=').next()).collect();
    names.retain(|name| !name.is_empty());
    assert_eq!(names, ["CODEX_API_KEY", "CODEX_HOME", "HOME", "PATH", "TZ"]);
    let command_line = std::fs::read(Path::new("/proc").join(&server[0]).join("cmdline")).unwrap();
    assert!(!String::from_utf8_lossy(&command_line).contains(KEY), "the key is on the command line");

    left.abort();
    assert!(left.await.unwrap_err().is_cancelled());
    tokio::time::timeout(Duration::from_secs(5), rig.model.until_disconnects(1)).await.expect("it goes on");
    // On a busy machine it may be late with its word that it stopped. Then it is killed, which cuts what has begun there.
    let next = match brain.complete(&request("hello"), &Deltas::none()).await {
        Err(BrainError::Cut { .. }) => brain.complete(&request("hello"), &Deltas::none()).await,
        other => other,
    };
    assert_eq!(next.unwrap().content, "ok");
    drop(brain);
    rig.no_process_is_left().await;
}

#[tokio::test]
async fn a_server_that_was_killed_between_two_requests_is_started_again() {
    let Some(rig) = Rig::new(always(responses::message("ok"))) else { return };
    let brain = rig.brain(APP_SERVER);
    brain.complete(&request("hello"), &Deltas::none()).await.unwrap();
    let first = rig.processes();
    crate::failures::kill(&first[0]).await;
    rig.no_process_is_left().await;
    // Its end may not have been heard of yet: then this request fails, and the one after it does not.
    let outcome = brain.complete(&request("hello"), &Deltas::none()).await;
    assert!(matches!(outcome, Ok(_) | Err(BrainError::Program { .. })), "{outcome:?}");
    assert_eq!(brain.complete(&request("hello"), &Deltas::none()).await.unwrap().content, "ok");
    assert_ne!(rig.processes(), first);
}

#[tokio::test]
async fn a_tool_of_codexs_own_is_not_there_to_be_called() {
    rig::no_tool_of_codexs_own_is_there(APP_SERVER).await;
}

#[tokio::test]
async fn a_model_that_never_stops_asking_for_tools_that_are_not_there_is_stopped() {
    let Some(rig) = Rig::new(always(responses::tool_call("exec_command", &json!({ "cmd": "ls" })))) else { return };
    let error = rig.ask(APP_SERVER, &request("hello")).await.unwrap_err();
    assert_eq!(meaning(&error), ("foreign tool", false), "{error}");
    assert!(rig.model.request_count() <= 8, "{} requests", rig.model.request_count());
}

#[tokio::test]
async fn a_tool_of_codexs_own_that_runs_all_the_same_fails_the_attempt() {
    let shell = responses::tool_call("exec_command", &json!({ "cmd": "echo hi; sleep 20.4712" }));
    let Some(mut rig) = Rig::new(sequence([shell, responses::message("done")])) else { return };
    let bundled = tempfile::tempdir().unwrap();
    let catalogue = bundled.path().join("models.json");
    std::fs::write(&catalogue, with_a_shell(&rig).await).unwrap();
    let mut overrides = vec![format!("model_catalog_json={catalogue:?}")];
    overrides.extend(["features.shell_tool=true", "features.unified_exec=true"].map(str::to_owned));
    rig.config.invocation = CodexInvocation::BuiltIn { overrides };
    let start = SystemClock.now();
    let error = rig.ask(APP_SERVER, &request("hello")).await.unwrap_err();
    assert!(matches!(&error, BrainError::ForeignTool { detail, .. } if detail == "commandExecution"), "{error}");
    assert!(SystemClock.now().since(start) < Duration::from_secs(10), "it was not stopped");
    for _ in 0..100 {
        if processes_with("20.4712").is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("its tool lives on");
}

/// The CLI's own catalogue, as an operator might give it.
async fn with_a_shell(rig: &Rig) -> Vec<u8> {
    crate::contract::run(rig, &["debug", "models", "--bundled"], Path::new("/")).await
}

#[tokio::test]
async fn what_the_server_says_about_the_quota_reaches_the_gauge() {
    let reply = responses::message("ok")
        .header("x-codex-primary-used-percent", "42.5")
        .header("x-codex-primary-window-minutes", "300")
        .header("x-codex-primary-reset-at", "4102444800");
    let Some(rig) = Rig::new(always(reply)) else { return };
    rig.ask(APP_SERVER, &request("hello")).await.unwrap();
    let reading = rig.quota.take().expect("a reading");
    let window = &reading.windows[0];
    assert_eq!((window.used_percent, window.minutes), (43, Some(300)));
    assert_eq!(window.resets_at.unwrap().to_string(), "2100-01-01T00:00:00Z");
    assert_eq!(reading.remaining_percent(SystemClock.now()), Some(57));
}

#[derive(Debug)]
struct Stuck {
    rig: Rig,
    brain: Arc<dyn Brain>,
}

impl StuckBrain for Stuck {
    fn brain(&self) -> Arc<dyn Brain> {
        Arc::clone(&self.brain)
    }
    fn started(&self) -> usize {
        self.rig.model.request_count()
    }
    fn stopped(&self) -> usize {
        self.rig.model.disconnect_count()
    }
}

/// Calls the tool that is offered, and else says what was said.
fn echo(_: usize, request: &Request) -> Reply {
    let answer = if responses::offers_tools(request) {
        Answer::call("calc", &json!({ "expression": "1+1" }))
    } else {
        Answer::text(format!("You said: {}", responses::last_user_text(request).unwrap_or_default()))
    };
    responses::reply(request, &answer)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_contract_of_a_brain_is_kept() {
    let (Some(rig), Some(stuck)) = (Rig::new(echo), Rig::new(always(Reply::silence()))) else { return };
    let brain = stuck.brain(APP_SERVER);
    conformance::brain(&BrainCase {
        brain: rig.brain(APP_SERVER),
        prompts: ["one fish", "two birds", "red ☂"].map(|text| (text.to_owned(), text.to_owned())).to_vec(),
        call: Some(("what is 1+1?".into(), calc())),
        stuck: Some(Arc::new(Stuck { rig: stuck, brain })),
        time: Duration::from_secs(20),
    })
    .await;
    rig.no_process_is_left().await;
}

#[tokio::test]
async fn a_conversation_with_a_tools_result_goes_on() {
    let Some(rig) = Rig::new(|_, request: &Request| {
        let result = responses::last_tool_result(request).unwrap_or_default();
        responses::reply(request, &Answer::text(format!("it is {result}")))
    }) else {
        return;
    };
    let id = rusty_pinch_core::CallId::new("c1").unwrap();
    let mut request = with_tools(request("what is 17 * 23?"));
    request.messages.push(Message::Tool { call: id, name: "calc".into(), content: "391".into() });
    assert_eq!(rig.ask(APP_SERVER, &request).await.unwrap().content, "it is 391");
}
