//! `codex exec`: what it is asked, what comes back, and what it may not do.

use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use fake_model::{Answer, Reply, Request, always, responses, sequence};
use rusty_pinch_core::{
    BrainError, CallId, Clock, CodexEnvironment, CodexInvocation, Delta, Deltas, Message, OwnInvocation, SystemClock,
    ToolCall,
};
use serde_json::json;

use crate::rig::{
    self, KEY, Rig, Transport, carries_the_conversation_and_no_tools, processes_with, request, with_tools,
};

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
        let completion = rig.brain(Transport::Exec).complete(&request("what is 17 * 23?"), &deltas).await.unwrap();
        assert_eq!((completion.content.as_str(), completion.attempts), ("391, by the way", 1));
        assert_eq!(*previewed.lock().unwrap(), "391, by the way");
        let usage = completion.usage.unwrap();
        assert_eq!((usage.input_tokens, usage.output_tokens), (11, 7));

        let requests = rig.model.requests();
        assert_eq!(requests.len(), 1);
        carries_the_conversation_and_no_tools(&requests[0], "what is 17 * 23?");
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
    let completion = rig.ask(Transport::Exec, &request).await.unwrap();
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
    let completion = rig.ask(Transport::Exec, &request).await.unwrap();
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
    rig.ask(Transport::Exec, &request("hello")).await.unwrap();
    let sent = &rig.model.requests()[0];
    assert_eq!(sent.header("authorization"), Some("Bearer sk-login"));
    assert_ne!(sent.field("/model"), json!("x"));
    assert!(!ran.exists(), "the operator's server was started");
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
    let brain = rig.brain(Transport::Exec);
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
    rig::no_tool_of_codexs_own_is_there(Transport::Exec).await;
}

#[tokio::test]
async fn a_tool_of_codexs_own_that_runs_all_the_same_fails_the_attempt() {
    let shell = responses::tool_call("exec_command", &json!({ "cmd": "echo hi; sleep 20.4711" }));
    let Some(mut rig) = Rig::new(sequence([shell, responses::message("done")])) else { return };
    // An invocation of the operator's own, with everything on.
    rig.config.invocation = CodexInvocation::Own(own_json(&rig, &[]));
    let start = SystemClock.now();
    let error = rig.ask(Transport::Exec, &request("hello")).await.unwrap_err();
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
        let completion = rig.ask(Transport::Exec, &request("--version")).await.unwrap();
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
    let brain = rig.brain(Transport::Exec);
    let runs = (0..4).map(|_| {
        let brain = Arc::clone(&brain);
        tokio::spawn(async move { brain.complete(&request("hello"), &Deltas::none()).await.unwrap().content })
    });
    for run in runs.collect::<Vec<_>>() {
        assert_eq!(run.await.unwrap(), "ok");
    }
    assert_eq!(rig.processes(), Vec::<String>::new());
}
