use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use super::bounds::{HOST_CALLS_MAX, IN_PROCESS_RUNS_MAX};
use super::protocol::{Heard, Hearing, Word, line, read};
use super::report::Confinement;
use super::*;
use crate::data::ToolName;
use crate::sys::{Clock, SystemClock};

fn skill() -> ToolName {
    ToolName::new("s").unwrap()
}

// What is heard of a child.

fn confined() -> Word {
    Word::Confined(Confinement::default())
}

fn call() -> Word {
    Word::Call { want: HostCall::TimeNow }
}

fn done() -> Word {
    Word::Done { text: "t".to_owned(), printed: Vec::new() }
}

/// Hears `words`, answering each call at once when `answers`, and gives what the last of them was.
fn hear(words: &[Word], answers: bool) -> Heard {
    let mut hearing = Hearing::default();
    let mut heard = Heard::Nothing;
    for word in words {
        heard = hearing.take(Some(&line(word).unwrap()));
        if answers {
            hearing.answer();
        }
    }
    heard
}

#[test]
fn a_child_that_keeps_to_the_order_is_heard() {
    assert_eq!(hear(&[confined()], true), Heard::Nothing);
    assert_eq!(hear(&[confined(), call()], true), Heard::Call(HostCall::TimeNow));
    assert_eq!(hear(&[confined(), call(), call()], true), Heard::Call(HostCall::TimeNow));
    assert_eq!(hear(&[confined(), call(), done()], true), Heard::LastWord(Ok(("t".to_owned(), Vec::new()))));
}

#[test]
fn a_child_that_breaks_the_order_is_not_believed() {
    for (words, answers, why) in [
        (vec![done()], true, "it began before it was confined"),
        (vec![call()], true, "it began before it was confined"),
        (vec![confined(), confined()], true, "it said twice that it is confined"),
        (vec![confined(), call(), call()], false, "it spoke before its call was answered"),
        (vec![confined(), call(), done()], false, "it spoke before its call was answered"),
        (vec![confined(), done(), done()], true, "it spoke after its last word"),
        (vec![confined(), done(), call()], true, "it spoke after its last word"),
        ([vec![confined()], vec![call(); HOST_CALLS_MAX + 1]].concat(), true, "it called the host too often"),
    ] {
        assert_eq!(hear(&words, answers), Heard::Broken(why), "{words:?}");
    }
    let mut hearing = Hearing::default();
    assert_eq!(hearing.take(None), Heard::Broken("it said a line that is too long"));
    for garbage in
        [&b""[..], b"{}", b"null", b"\xff\xfe", br#"{"say":"sing"}"#, br#"{"say":"call","want":{"call":"exec"}}"#]
    {
        let mut hearing = Hearing::default();
        hearing.take(Some(&line(&confined()).unwrap()));
        assert_eq!(hearing.take(Some(garbage)), Heard::Broken("it said what nobody understands"));
        // From then on, nothing counts.
        assert!(matches!(hearing.take(Some(&line(&done()).unwrap())), Heard::Broken(_)));
    }
}

/// Two bytes of a line become dozens of memory, in the one process that all skills share.
#[test]
fn a_line_of_too_many_values_is_not_read() {
    let set = |value: &str| format!(r#"{{"say":"call","want":{{"call":"state_set","key":"k","value":{value}}}}}"#);
    let take = |line: &str| {
        let mut hearing = Hearing::default();
        hearing.take(Some(&line_of(&confined())));
        hearing.take(Some(line.as_bytes()))
    };
    let too_many = Heard::Broken("it said a line of too many values");
    for bomb in [
        format!("[{}0]", "0,".repeat(20_000)),
        format!("[{}0]", "[],".repeat(20_000)),
        format!("[{}[]]", "{},".repeat(20_000)),
        format!("{{{}\"k\":0}}", "\"k\":0,".repeat(10_000)),
        format!("[\"\\\\\",{}0]", "0,".repeat(20_000)),
    ] {
        assert_eq!(take(&set(&bomb)), too_many, "{:.40}", bomb);
    }
    for fine in [format!("[{}0]", "0,".repeat(8_000)), format!("\"{}\"", "[,{:\\\"".repeat(20_000))] {
        assert!(matches!(take(&set(&fine)), Heard::Call(HostCall::StateSet { .. })), "{:.40}", fine);
    }
}

fn line_of(word: &Word) -> Vec<u8> {
    line(word).unwrap()
}

#[test]
fn a_line_is_read_up_to_its_bound() {
    let read_value = |bytes: &[u8], bytes_max| read::<Value>(&mut &bytes[..], bytes_max);
    assert_eq!(read_value(b"[1]\n[2]\n", 64).unwrap(), Some(json!([1])));
    assert_eq!(read_value(b"", 64).unwrap(), None);
    assert!(read_value(b"[1, 2, 3]\n", 5).is_err());
    assert!(read_value(&[b'['; 100_000], 100_000).is_err());
}

// What is said of a script that does not run.

fn lints(source: &str) -> Vec<String> {
    let lints = check_script(&skill(), source).unwrap().lints;
    let place = |at: Option<(usize, usize)>| at.map_or_else(String::new, |(line, column)| format!("{line}:{column} "));
    lints.into_iter().map(|lint| format!("{}{}", place(lint.at), lint.message)).collect()
}

#[test]
fn a_script_is_described_without_running() {
    let shape = check_script(
        &skill(),
        "fn main(args) { helper(http_get(args)) }\nfn helper(x) { log_info(x); [1].map(|y| tool(\"t\", #{y})) }\nloop {}",
    );
    let shape = shape.unwrap_err();
    assert!(matches!(shape, SkillError::Syntax { at: Some((2, _)), .. }), "{shape}");
    let source =
        "fn main(args) { helper(http_get(args)) }\nfn helper(x) { log_info(x); [1].map(|y| tool(\"t\", y)) }\nloop {}";
    let shape = check_script(&skill(), source).unwrap();
    assert!(shape.main_with_text && !shape.main_bare);
    assert_eq!(shape.functions, [("helper".to_owned(), 1), ("main".to_owned(), 1)]);
    assert_eq!(shape.host_functions, ["http_get", "log_info", "tool"]);
    assert_eq!(shape.lints, []);
}

#[test]
fn what_is_probably_not_meant_is_told_with_its_place() {
    for (source, expected) in [
        ("fn main() { 1 }", &[][..]),
        ("fn main() { let a = [1]; a.push(2); print(a); debug(a); type_of(a); a.len() }", &[]),
        ("fn main() { let m = #{f: |x| x + 1}; m.f(1); let g = |x| x; g.call(1); Fn(\"main\"); }", &[]),
        ("fn main() { \"x\".to_upper() + `${1.5.round()}` + timestamp().elapsed }", &[]),
        ("fn main() {\n  fetch(\"x\")\n}", &["2:3 there is no function `fetch`"]),
        ("fn main() { http_get() }", &["1:13 `http_get` takes 1 arguments, not 0"]),
        ("fn main() { f(1) } fn f() {}", &["1:13 `f` takes 0 arguments, not 1"]),
        ("fn main() { sleep(1) }", &["1:13 `sleep` is switched off in a skill"]),
        ("let x = 1;", &["there is no `main(args)` and no `main()`, where a skill begins"]),
        (
            "fn main(a, b) {}",
            &[
                "there is no `main(args)` and no `main()`, where a skill begins",
                "`main` with 2 arguments is never called; it gets one or none",
            ],
        ),
        ("fn main() {} fn alone() {}", &["`alone` is never called by its name"]),
        (
            "fn main() { http_get(\"u\") } fn http_get(u) { u }",
            &["`http_get` hides the host function of that name; give it another"],
        ),
    ] {
        assert_eq!(lints(source), expected, "{source}");
    }
}

#[test]
fn what_is_told_of_a_script_is_bounded() {
    let calls: String = (0..1_000).map(|n| format!("f{n}();")).collect();
    let told = lints(&format!("fn main() {{ {calls} }}"));
    assert_eq!((told.len(), told.last().map(String::as_str)), (65, Some("and 936 more")), "{told:?}");
    assert!(told[0].ends_with("there is no function `f0`"), "{told:?}");
    let long = "x".repeat(100_000);
    for script in [format!("fn main() {{ {long}() }}"), format!("fn main() {{}} fn {long}() {{}}")] {
        let told = lints(&script);
        assert!(told.len() == 1 && told[0].chars().count() < 200 && told[0].contains("xxx…`"), "{told:?}");
    }
}

#[test]
fn every_host_function_is_there() {
    for (name, arity) in host::HOST_FUNCTIONS {
        let arguments = vec!["\"x\""; *arity].join(", ");
        assert_eq!(lints(&format!("fn main() {{ {name}({arguments}) }}")), [""; 0], "{name}");
    }
}

#[test]
fn what_is_no_script_is_refused_with_its_place() {
    for (source, expected) in [
        ("fn main( {", "the skill `s` can't be read at line 1, column 10"),
        ("fn main() {\n  x\n}", "the skill `s` can't be read at line 2, column 3: Undefined variable: x"),
        ("\u{7f}ELF\u{2}\u{1}", "the skill `s` can't be read at line 1, column 1"),
    ] {
        let error = check_script(&skill(), source).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
    let error = check_script(&skill(), &"x".repeat(10 * 1024 * 1024)).unwrap_err();
    assert_eq!(error.to_string(), "the skill `s` was stopped: it went over 128 KiB of script");
}

// A run on a thread.

#[derive(Debug)]
struct Refusing;

#[async_trait::async_trait]
impl SkillHost for Refusing {
    async fn call(&self, _: HostCall) -> HostReply {
        Err("refused".to_owned())
    }
}

/// A host that never answers, so that its script runs for as long as somebody waits for it.
#[derive(Debug)]
struct Silent;

#[async_trait::async_trait]
impl SkillHost for Silent {
    async fn call(&self, _: HostCall) -> HostReply {
        std::future::pending().await
    }
}

fn job(source: &str) -> SkillJob {
    let deadline = SystemClock.now() + Duration::from_secs(20);
    let work = SkillWork::Run { text: String::new(), named: Map::new() };
    SkillJob { skill: skill(), source: source.into(), work, deadline }
}

#[tokio::test]
async fn threads_are_bounded_and_end_with_their_callers() {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let sandbox = SkillSandbox::new(Sandbox::InProcess, clock);
    let endless = job("fn main() { time_now() }");
    let mut running = tokio::task::JoinSet::new();
    for _ in 0..IN_PROCESS_RUNS_MAX {
        let (sandbox, endless) = (sandbox.clone(), endless.clone());
        running.spawn(async move { sandbox.run(&endless, &Silent).await });
    }
    let small = job("fn main() { 1 }");
    // Each has its seat once it was polled, which is up to the runtime.
    let mut refused = None;
    for _ in 0..100 * IN_PROCESS_RUNS_MAX {
        tokio::task::yield_now().await;
        refused = sandbox.run(&small, &Refusing).await.err();
        if refused.is_some() {
            break;
        }
    }
    let error = refused.map(|error| error.to_string()).unwrap_or_default();
    assert!(error.contains("64 skills run already; wait until other skills have ended"), "{error}");
    running.shutdown().await;
    // The threads see that nobody waits any more, and leave.
    loop {
        match sandbox.run(&small, &Refusing).await {
            Ok(output) => break assert_eq!(output.text, "1"),
            Err(error) => assert!(error.to_string().contains("64 skills run already"), "{error}"),
        }
        tokio::task::yield_now().await;
    }
}

/// Nothing looks at a deadline while a script is read, and `skills list` reads all of them.
#[test]
fn a_switch_of_more_cases_than_can_be_read_in_time_is_refused() {
    let one_each: String = (0..10_000).map(|n| format!("{n}=>1,")).collect();
    let in_one: Vec<_> = (0..10_000).map(|n| n.to_string()).collect();
    for cases in [one_each, format!("{}=>1,", in_one.join("|"))] {
        let error = engine::compile(&format!("fn main(x) {{ switch x {{ {cases} _=>2 }} }}")).unwrap_err();
        assert!(error.why.contains("2048 cases of `switch`"), "{}", error.why);
    }
    let few: String = (0..200).map(|n| format!("{n} | {}=>1,", n + 1000)).collect();
    engine::compile(&format!("fn main(x) {{ switch x {{ {few} _=>2 }} }}")).unwrap();
}

/// Rhai's own `pad` never ends with an empty text, and no limit holds inside it. Found by random scripts.
#[test]
fn padding_with_nothing_is_refused_and_padding_is_bounded() {
    for (script, expected) in [
        ("fn main() { let x = `a`; x.pad(64, ``); x }", None),
        ("fn main() { let x = `a`; x.pad(1, ``); x }", Some("a")),
        ("fn main() { let x = `hello`; x.pad(15, `(!)`); x }", Some("hello(!)(!)(!)(")),
        ("fn main() { let x = `a`; x.pad(-5, `b`); x }", Some("a")),
        ("fn main() { let x = `a`; x.pad(1000000000, `bc`); x }", None),
    ] {
        let ended = run_briefly(script, "", 5_000).ok();
        assert_eq!(ended.as_deref(), expected, "{script}");
    }
}

/// Rhai loses the error that ends a run at some of its operations, and what it makes of it is caught here.
#[test]
fn a_run_that_is_over_stays_over() {
    for script in [
        "fn main() { let x = 1; try { loop { try { x ^= `${range(`t`, `t`, 1.5).a}`; } catch {} continue; } } catch {} }",
        "fn main() { loop { try { loop { try { print((+(1))); } catch { } } } catch { } } }",
        "fn main() { loop { try { time_now(); } catch { } } }",
    ] {
        // A run that goes on ends at the most operations of all, much later.
        let ended = run_briefly(script, "", 5_000).unwrap_err();
        assert!(ended == "its operations" || ended == "256 calls of the host", "{script}: {ended}");
    }
}

#[test]
fn a_panic_leaves_nothing_of_its_run_behind() {
    let world = || trial::Budget::of(2560);
    let panicked = std::panic::catch_unwind(|| running::Running::new(world(), Map::new()).enter(|| panic!("a fault")));
    assert!(panicked.is_err());
    // No run is entered any more, so there is no host.
    assert!(running::call(HostCall::TimeNow).unwrap_err().to_string().contains("there is no host here"));
}

#[test]
fn a_script_that_was_read_is_found_again() {
    let first = engine::compile_once("fn main() { 1 }").unwrap();
    assert!(Arc::ptr_eq(&first, &engine::compile_once("fn main() { 1 }").unwrap()));
    for n in 0..2 * bounds::COMPILED_MAX {
        engine::compile_once(&format!("fn main() {{ {n} }}")).unwrap();
    }
    assert!(!Arc::ptr_eq(&first, &engine::compile_once("fn main() { 1 }").unwrap()));
}

#[test]
fn a_bound_of_time_is_told_as_it_was_set() {
    for (ms, expected) in
        [(2_999, "3 s"), (3_000, "3 s"), (1_499, "1.5 s"), (60_000, "60 s"), (298, "300 ms"), (0, "0 ms")]
    {
        assert_eq!(time_bound(Duration::from_millis(ms)), format!("its time of {expected}"));
    }
    assert_eq!(time_bound(Duration::from_micros(2_999_900)), "its time of 3 s");
}

#[test]
fn a_type_is_told_with_its_article() {
    for (script, expected) in [
        ("fn main() { throw [Fn(`f`)] }", "it threw an array that can't be shown: its error holds a Fn,"),
        ("fn main() { throw #{a: Fn(`f`)} }", "it threw a map that can't be shown: its error holds a Fn,"),
        ("fn main() { to_json(Fn(`f`)) }", "a Fn has no form in JSON"),
    ] {
        let failed = run_briefly(script, "", 5_000).unwrap_err();
        assert!(failed.contains(expected), "{script}: {failed}");
    }
}
