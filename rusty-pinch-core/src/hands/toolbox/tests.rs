//! What a toolbox does with good calls, bad calls and bad tools.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::*;
use crate::data::{CallId, OutcomeStatus, SessionId, Sha256Digest, Timestamp};
use crate::hands::{Bound, ToolError};

#[derive(Deserialize, JsonSchema)]
struct Add {
    a: f64,
    b: f64,
}

#[derive(Deserialize, JsonSchema)]
struct Text {
    text: String,
    times: Option<usize>,
}

fn add() -> Tool {
    Tool::new("add", "Adds two numbers").read_only().run(|x: Add| async move { Ok(x.a + x.b) })
}

fn repeat() -> Tool {
    Tool::new("repeat", "Repeats a text")
        .read_only()
        .run(|x: Text| async move { Ok(x.text.repeat(x.times.unwrap_or(1))) })
}

fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall { id: CallId::new("c1").unwrap(), name: name.into(), arguments }
}

fn invocation(name: &str, arguments: Value) -> Invocation {
    Invocation {
        session: SessionId::new("demo").unwrap(),
        call: call(name, arguments),
        bound: vec![],
        deadline: Timestamp::EPOCH,
    }
}

async fn run(toolbox: &Toolbox, name: &str, arguments: Value) -> CallOutcome {
    toolbox.invoke(&invocation(name, arguments)).await.unwrap()
}

async fn fails(toolbox: &Toolbox, name: &str, arguments: Value, says: &[&str]) {
    let outcome = run(toolbox, name, arguments).await;
    assert_eq!(outcome.status, OutcomeStatus::Failed);
    for part in says {
        assert!(outcome.content.contains(part), "{} does not say {part:?}", outcome.content);
    }
}

#[tokio::test]
async fn a_closure_becomes_a_tool_whose_output_is_text_or_json() {
    #[derive(serde::Serialize)]
    struct Pair {
        left: i64,
    }
    let toolbox = Toolbox::new()
        .tool(repeat())
        .tool(add())
        .tool(Tool::new("pair", "A pair").read_only().run(|()| async { Ok(Pair { left: 1 }) }))
        .tool(Tool::new("unit", "Nothing").once().run(|()| async { Ok(()) }))
        .check()
        .unwrap();
    let names: Vec<_> = toolbox.tools().iter().map(|spec| spec.name.to_string()).collect();
    assert_eq!(names, ["add", "pair", "repeat", "unit"]);
    assert_eq!(run(&toolbox, "add", json!({"a": 1.5, "b": 2})).await, CallOutcome::ok("3.5"));
    assert_eq!(run(&toolbox, "repeat", json!({"text": "a\"", "times": 2})).await, CallOutcome::ok("a\"a\""));
    assert_eq!(run(&toolbox, "repeat", json!({"text": "a", "times": null})).await, CallOutcome::ok("a"));
    assert_eq!(run(&toolbox, "pair", json!({})).await, CallOutcome::ok(r#"{"left":1}"#));
    assert_eq!(run(&toolbox, "unit", json!({})).await, CallOutcome::ok("(no output)"));
}

#[tokio::test]
async fn arguments_that_do_not_fit_are_told_by_tool_field_and_form() {
    let toolbox = Toolbox::new().tool(add()).tool(repeat());
    fails(&toolbox, "add", json!({"a": "x", "b": 1}), &["`add` did not run", "`a` must be a number", "\"x\""]).await;
    fails(&toolbox, "add", json!({"a": 1}), &["`b` is missing"]).await;
    fails(&toolbox, "add", json!("a=1"), &["not valid JSON"]).await;
    fails(&toolbox, "repeat", json!({"text": "a", "times": -1}), &["did not run", "-1"]).await;
    fails(&toolbox, "repeat", json!({"text": "a", "tims": 1}), &["\"tims\" is not an argument"]).await;
}

#[tokio::test]
async fn an_unknown_tool_is_an_outcome_that_names_the_nearest_one() {
    let toolbox = Toolbox::new().tool(add()).tool(repeat());
    fails(&toolbox, "repaet", json!({}), &["Did you mean `repeat`?", "`add`, `repeat`"]).await;
    fails(&toolbox, "ADD\u{1b}[2K", json!({}), &["There is no tool \"ADD⟨U+001B⟩[2K\""]).await;
    fails(&toolbox, &"x".repeat(1 << 20), json!({}), &["The tools are"]).await;
    fails(&Toolbox::new(), "add", json!({}), &["there are no tools here"]).await;
    let assessment = toolbox.assess(&call("nope", json!({}))).await.unwrap();
    assert_eq!(assessment.risk, Risk::Low);
}

#[tokio::test]
async fn errors_keep_their_meaning() {
    let with = |error: fn() -> ToolError| {
        Toolbox::new().tool(Tool::new("t", "T").once().run(move |()| async move { Err::<(), _>(error()) }))
    };
    assert_eq!(run(&with(|| "no such city".into()), "t", json!({})).await, CallOutcome::failed("no such city"));
    let parsed = with(|| "x".parse::<u8>().unwrap_err().into());
    assert!(run(&parsed, "t", json!({})).await.content.contains("invalid digit"));
    let lost = with(|| ToolError::lost("half way")).invoke(&invocation("t", json!({}))).await;
    assert!(matches!(lost, Err(HandsError::Lost { why, .. }) if why == "half way"));
    let not_started = with(|| ToolError::not_started("no key")).invoke(&invocation("t", json!({}))).await;
    assert!(matches!(not_started, Err(HandsError::NotStarted { why, .. }) if why == "no key"));
}

#[tokio::test]
async fn a_panic_is_a_lost_call_and_nothing_more() {
    let toolbox = Toolbox::new()
        .tool(Tool::new("early", "Panics before its future").once().run(|x: Text| {
            assert!(x.text.is_empty(), "early {}", x.text);
            async { Ok(()) }
        }))
        .tool(Tool::new("late", "Panics inside").once().run(|()| async {
            tokio::task::yield_now().await;
            panic!("late");
            #[expect(unreachable_code, reason = "gives the block its type")]
            Ok(())
        }))
        .tool(add());
    for (name, arguments) in [("early", json!({"text": "x"})), ("late", json!({}))] {
        let ran = toolbox.invoke(&invocation(name, arguments)).await;
        assert!(matches!(&ran, Err(HandsError::Lost { why, .. }) if why.contains(name)), "{ran:?}");
    }
    assert_eq!(run(&toolbox, "add", json!({"a": 1, "b": 1})).await, CallOutcome::ok("2.0"));
}

#[tokio::test]
async fn dropping_the_call_drops_the_tool() {
    struct Dropped(Arc<AtomicBool>);
    impl Drop for Dropped {
        fn drop(&mut self) {
            self.0.store(true, Ordering::SeqCst);
        }
    }
    let dropped = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&dropped);
    let toolbox = Toolbox::new().tool(Tool::new("wait", "Waits").once().run(move |()| {
        let held = Dropped(Arc::clone(&flag));
        async move {
            std::future::pending::<()>().await;
            drop(held);
            Ok(())
        }
    }));
    let invocation = invocation("wait", json!({}));
    let mut running = Box::pin(toolbox.invoke(&invocation));
    assert!(poll_fn(|cx| std::task::Poll::Ready(running.as_mut().poll(cx))).await.is_pending());
    drop(running);
    assert!(dropped.load(Ordering::SeqCst));
}

#[tokio::test]
async fn output_and_errors_are_bounded() {
    let toolbox = Toolbox::new().tool(repeat());
    let outcome = run(&toolbox, "repeat", json!({"text": "é", "times": TOOL_OUTPUT_BYTES_MAX})).await;
    assert!(outcome.content.len() < TOOL_OUTPUT_BYTES_MAX + 100);
    assert!(outcome.content.ends_with("32768 of 65536 bytes left out]"), "{}", outcome.content.len());
}

#[tokio::test]
async fn a_tool_sees_its_session_call_and_deadline() {
    let seen = Arc::new(Mutex::new(None));
    let sink = Arc::clone(&seen);
    let toolbox = Toolbox::new().tool(Tool::new("see", "Sees").idempotent().run_with(move |context, ()| {
        *sink.lock().unwrap() = Some(context);
        async { Ok(()) }
    }));
    run(&toolbox, "see", json!({})).await;
    let context = seen.lock().unwrap().clone().unwrap();
    assert_eq!((context.session.as_str(), context.call.as_str(), context.deadline), ("demo", "c1", Timestamp::EPOCH));
}

#[tokio::test]
async fn the_summary_shows_the_real_arguments_and_hides_nothing() {
    let toolbox = Toolbox::new()
        .tool(
            Tool::new("mail", "Mails")
                .once()
                .risk(Risk::High)
                .summary(|x| format!("Mail to {}", x["to"]))
                .run(|x: Value| async move { Ok(x) }),
        )
        .tool(repeat());
    let assessment = toolbox.assess(&call("repeat", json!({"text": "a\u{202e}b", "times": 2}))).await.unwrap();
    assert_eq!(assessment.summary, r#"repeat {"text":"a⟨U+202E⟩b","times":2}"#);
    assert!(assessment.bound.is_empty());
    assert!(toolbox.check().is_err(), "a tool that takes any JSON value has no object schema");

    let mail = Tool::new("mail", "Mails").once().risk(Risk::High).summary(|x| format!("Mail {}", x["text"]));
    let toolbox = Toolbox::new().tool(mail.run(|_: Text| async { Ok(()) })).check().unwrap();
    let assessment = toolbox.assess(&call("mail", json!({"text": "hi"}))).await.unwrap();
    assert_eq!((assessment.risk, assessment.summary.as_str()), (Risk::High, "mail {\"text\":\"hi\"}\nMail \"hi\""));
}

#[tokio::test]
async fn a_content_that_no_tool_here_uses_is_refused() {
    let mut invocation = invocation("add", json!({"a": 1, "b": 2}));
    invocation.bound = vec![Bound { what: "/etc/passwd".into(), sha256: Sha256Digest::of(b"") }];
    let refused = Toolbox::new().tool(add()).invoke(&invocation).await;
    assert!(matches!(refused, Err(HandsError::NotStarted { .. })));
}

#[tokio::test]
async fn a_bad_tool_is_left_out_reported_and_told_to_its_caller() {
    let check = |tool: Tool, says: &str| {
        let error = Toolbox::new().tool(add()).tool(tool).check().unwrap_err().to_string();
        assert!(error.contains(says), "{error}");
    };
    check(Tool::new("Add One", "").once().run(|()| async { Ok(()) }), "a-z");
    check(add(), "two tools named `add`");
    check(Tool::new("n", "").once().run(|_: f64| async { Ok(()) }), "not an object");
    check(Tool::new("p", "").once().positional(["c"]).run(|_: Add| async { Ok(()) }), "no argument `c`");
    check(Tool::new("e", "").once().example("add", json!({"a": 1})).run(|_: Add| async { Ok(()) }), "`b` is missing");

    let toolbox = Toolbox::new().tool(Tool::new("Bad", "").once().run(|()| async { Ok(()) })).tool(add());
    assert_eq!(toolbox.tools().len(), 1);
    fails(&toolbox, "Bad", json!({}), &["A tool was left out", "\"Bad\""]).await;
    let joined = Toolbox::new().tool(repeat()).tools_of(toolbox);
    assert!(joined.tools().len() == 2 && joined.check().is_err());
}
