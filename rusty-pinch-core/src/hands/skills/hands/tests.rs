//! Skills as tools: the contract of hands, what is denied, and what happens to a file while its skill runs.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::*;
use crate::agent::Grants;
use crate::data::{CallId, OutcomeStatus, SessionId, Timestamp};
use crate::hands::{EgressError, Fetch, Fetched, Tool, Toolbox};
use crate::store::MemoryStore;
use crate::sys::SystemClock;
use crate::testing::conformance::hands::{HandsUnderTest, check as keeps_contract};

/// Answers every request, and keeps them.
#[derive(Debug, Default)]
struct Web(Mutex<Vec<Fetch>>);

#[async_trait]
impl Egress for Web {
    async fn fetch(&self, request: &Fetch) -> Result<Fetched, EgressError> {
        self.0.lock().unwrap().push(request.clone());
        if request.url.ends_with("/never") {
            std::future::pending::<()>().await;
        }
        let (status, body) = match request.url.rsplit_once('/').map(|(_, path)| path) {
            Some("missing") => (404, b"not here".to_vec()),
            Some("binary") => (200, vec![0xff, 0xfe]),
            _ => (200, b"{\"n\": 7}".to_vec()),
        };
        Ok(Fetched { status, url: request.url.clone(), content_type: None, body })
    }
}

struct World {
    dir: tempfile::TempDir,
    web: Arc<Web>,
    effects: Arc<AtomicU64>,
    hands: SkillHands,
}

impl World {
    async fn new(skills: &[(&str, &str)], grants: Grants) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (web, effects) = (Arc::new(Web::default()), Arc::new(AtomicU64::new(0)));
        let counter = Arc::clone(&effects);
        let count = move |risk, name: &str| {
            let counter = Arc::clone(&counter);
            Tool::new(name, "Counts").once().risk(risk).run(move |()| {
                let counter = Arc::clone(&counter);
                async move { Ok(counter.fetch_add(1, Ordering::SeqCst)) }
            })
        };
        let tools = Toolbox::new().tool(count(Risk::Low, "count")).tool(count(Risk::Medium, "pay"));
        let context = SkillContext {
            clock: Arc::new(SystemClock),
            store: Arc::new(MemoryStore::new()),
            egress: Some(Arc::clone(&web) as Arc<dyn Egress>),
            hands: Arc::new(tools),
            policy: Arc::new(grants),
        };
        let library = SkillLibrary::new(dir.path());
        let hands = SkillHands::new(Skills::new(library, Sandbox::InProcess), context);
        let world = Self { dir, web, effects, hands };
        for (name, script) in skills {
            world.write(name, script);
        }
        world.hands.refresh().await;
        world
    }

    fn write(&self, name: &str, script: &str) {
        std::fs::write(self.dir.path().join(format!("{name}.rhai")), script).unwrap();
    }

    fn invocation(call: ToolCall, bound: Vec<Bound>) -> Invocation {
        let session = SessionId::new("s").unwrap();
        Invocation { session, call, bound, deadline: Timestamp::from_nanos(i64::MAX) }
    }

    async fn run(&self, name: &str, arguments: Value) -> CallOutcome {
        let call = call(name, arguments);
        let assessment = self.hands.assess(&call).await.unwrap();
        self.hands.invoke(&Self::invocation(call, assessment.bound)).await.unwrap()
    }
}

fn call(name: &str, arguments: Value) -> ToolCall {
    ToolCall { id: CallId::new("c1").unwrap(), name: name.to_owned(), arguments }
}

const HELLO: &str = "//! description: Greets.\n//! argument: who text - Who\nfn main(who) { `hello ${who}` }";
const POST: &str = "//! description: Posts.\n//! hosts: a.example\n//! methods: POST\n\
                    fn main() { http_post(\"https://a.example/\", \"{}\") }";

#[tokio::test]
async fn skills_keep_the_contract_of_hands() {
    let count = "//! description: Counts.\n//! argument: n integer optional - N\n//! tools: count\nfn main(n) { main() }\n\
                 fn main() { tool(\"count\") }";
    let World { dir: _dir, effects, hands, .. } =
        World::new(&[("counts", count), ("hello", HELLO)], Grants::default()).await;
    keeps_contract(&HandsUnderTest {
        hands: Arc::new(hands),
        good: vec![
            ("counts".into(), json!({})),
            ("skill_run".into(), json!({"name": "counts"})),
            ("skill_list".into(), json!({})),
        ],
        bad: vec![("counts".into(), json!({"n": "one"})), ("skill_run".into(), json!({"args": "x"}))],
        endless: None,
        effects,
        under_way: Arc::default(),
    })
    .await;
}

#[tokio::test]
async fn nothing_is_reached_that_a_header_does_not_declare() {
    let get = "http_get(\"https://a.example/\")";
    let declared = "//! description: D\n//! hosts: b.example\n";
    for (header, script, part) in [
        ("", get, "it declares no hosts"),
        (declared, get, "`a.example` is not declared"),
        (declared, "http_post(\"https://b.example/\", \"x\")", "the method POST is not declared"),
        ("", "tool(\"count\")", "it is not declared"),
        ("//! description: D\n//! tools: pay\n", "tool(\"count\")", "it is not declared"),
        ("//! description: D\n//! tools: pay\n", "tool(\"pay\")", "a running script can't wait for a person"),
        ("//! description: D\n", "state_set(\"k\", 1)", "state: yes"),
        ("//! description: D\n", "state_get(\"k\")", "state: yes"),
    ] {
        let world = World::new(&[("x", &format!("{header}fn main() {{ {script} }}"))], Grants::default()).await;
        let outcome = world.run("x", json!({})).await;
        assert_eq!(outcome.status, OutcomeStatus::Failed, "{header}{script}: {outcome:?}");
        assert!(outcome.content.contains(part) && outcome.content.contains("`x`"), "{header}{script}: {outcome:?}");
        assert!(world.web.0.lock().unwrap().is_empty() && world.effects.load(Ordering::SeqCst) == 0);
    }
}

#[tokio::test]
async fn what_is_declared_works_and_is_confined_on_the_way() {
    let script = "//! description: D\n//! hosts: a.example, *.b.example\n//! methods: GET, POST\n\
                  fn main() { let n = http_json(\"https://a.example/x\").n; http_post(\"https://c.b.example/\", \"body\"); n }";
    let world = World::new(&[("x", script)], Grants::default()).await;
    assert_eq!(world.run("x", json!({})).await, CallOutcome::ok("7"));
    let requests = world.web.0.lock().unwrap();
    let hosts = requests.iter().map(|request| request.hosts.as_deref().unwrap().to_vec());
    assert!(hosts.into_iter().all(|hosts| hosts == ["a.example", "*.b.example"]));
    assert_eq!((requests[1].method.name(), requests[1].body.as_slice()), ("POST", b"body".as_slice()));
}

#[tokio::test]
async fn a_bad_answer_is_an_error_that_a_script_can_catch() {
    let get = |path: &str| {
        format!(
            "//! description: D\n//! hosts: a.example\n\
             fn main() {{ try {{ http_get(\"https://a.example/{path}\"); }} catch (e) {{ return `caught ${{e}}`; }} }}"
        )
    };
    let world = World::new(&[("missing", &get("missing")), ("binary", &get("binary"))], Grants::default()).await;
    let missing = world.run("missing", json!({})).await.content;
    assert!(missing.starts_with("caught") && missing.contains("status 404: not here"), "{missing}");
    assert!(world.run("binary", json!({})).await.content.contains("no UTF-8 text"));
}

#[tokio::test]
async fn requests_and_calls_of_tools_are_bounded() {
    let script = "//! description: D\n//! hosts: a.example\n//! tools: count\nfn main() { let n = 0; let m = 0;\n\
                  try { loop { http_get(\"https://a.example/\"); n += 1; } } catch {}\n\
                  try { loop { tool(\"count\"); m += 1; } } catch {}\n`${n} ${m}` }";
    let world = World::new(&[("x", script)], Grants::default()).await;
    assert_eq!(world.run("x", json!({})).await, CallOutcome::ok("32 16"));
    assert_eq!(world.web.0.lock().unwrap().len(), 32);
}

#[tokio::test]
async fn a_skill_keeps_a_few_small_values_of_its_own() {
    let keep = |body: &str| format!("//! description: D\n//! state: yes\nfn main() {{ {body} }}");
    let skills = [
        ("counts", keep("let n = state_get(\"n\"); if n == () { n = 0; } state_set(\"n\", n + 1); state_get(\"n\")")),
        ("reads", keep("state_get(\"n\") == ()")),
        ("many", keep("for i in 0..65 { state_set(`k${i}`, i); }")),
        ("large", keep("let s = \"x\"; s.pad(17000, \"x\"); state_set(\"k\", s)")),
        ("name", keep("let s = \"x\"; s.pad(65, \"x\"); state_set(s, 1)")),
    ];
    let skills: Vec<_> = skills.iter().map(|(name, script)| (*name, script.as_str())).collect();
    let world = World::new(&skills, Grants::default()).await;
    assert_eq!(world.run("counts", json!({})).await, CallOutcome::ok("1"));
    assert_eq!(world.run("counts", json!({})).await, CallOutcome::ok("2"));
    assert_eq!(world.run("reads", json!({})).await, CallOutcome::ok("true"));
    for (name, part) in [("many", "at most 64 values"), ("large", "at most 16384 bytes"), ("name", "1 to 64 bytes")] {
        let outcome = world.run(name, json!({})).await;
        assert!(outcome.status == OutcomeStatus::Failed && outcome.content.contains(part), "{outcome:?}");
    }
}

#[tokio::test]
async fn what_was_assessed_is_what_runs() {
    let world = World::new(&[("hello", HELLO)], Grants::default()).await;
    let call = call("hello", json!({"who": "Ada"}));
    let bound = world.hands.assess(&call).await.unwrap().bound;
    let invocation = World::invocation(call.clone(), bound);
    // Edited on disk and not looked at again: what was assessed runs.
    world.write("hello", &HELLO.replace("hello", "goodbye"));
    assert_eq!(world.hands.invoke(&invocation).await.unwrap(), CallOutcome::ok("hello Ada"));
    // Looked at again: what was assessed is no more, and nothing runs.
    world.hands.refresh().await;
    let refused = world.hands.invoke(&invocation).await.unwrap_err();
    assert!(matches!(refused, HandsError::NotStarted { .. }), "{refused}");
    let never = world.hands.invoke(&World::invocation(call.clone(), vec![])).await.unwrap_err();
    assert!(matches!(never, HandsError::NotStarted { .. }), "{never}");
    assert_eq!(world.run("hello", json!({"who": "Ada"})).await, CallOutcome::ok("goodbye Ada"));
    std::fs::remove_file(world.dir.path().join("hello.rhai")).unwrap();
    world.hands.refresh().await;
    assert!(world.hands.invoke(&invocation).await.is_err());
}

#[tokio::test]
async fn a_skill_edited_while_it_runs_ends_as_it_began() {
    let slow = "//! description: D\n//! hosts: a.example\nfn main() { http_get(\"https://a.example/\"); \"first\" }";
    let world = World::new(&[("x", slow)], Grants::default()).await;
    let call = call("x", json!({}));
    let bound = world.hands.assess(&call).await.unwrap().bound;
    let invocation = World::invocation(call, bound);
    let edit = async {
        // The run has begun when its request is there.
        while world.web.0.lock().unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
        world.write("x", &slow.replace("first", "second"));
        world.hands.refresh().await;
    };
    let (outcome, ()) = tokio::join!(world.hands.invoke(&invocation), edit);
    assert_eq!(outcome.unwrap(), CallOutcome::ok("first"));
    assert_eq!(world.run("x", json!({})).await, CallOutcome::ok("second"));
}

#[tokio::test]
async fn skills_are_listed_and_run_by_name_under_the_rules_for_their_names() {
    let skills = [
        ("hello", HELLO),
        ("post", POST),
        ("plain", "fn main(x) { x }\nfn main() { \"bare\" }"),
        ("broken", "//! x: y"),
    ];
    let world = World::new(&skills, Grants::default()).await;
    let listing: Value = serde_json::from_str(&world.run("skill_list", json!({})).await.content).unwrap();
    assert_eq!(listing["skills"], json!(["hello", "plain", "post"]));
    assert!(listing["broken"]["broken"].as_str().unwrap().contains("line 1"));
    assert_eq!(world.run("skill_run", json!({"name": "plain", "args": " a  b "})).await, CallOutcome::ok("a  b"));
    assert_eq!(world.run("skill_run", json!({"name": "plain.rhai"})).await, CallOutcome::ok("bare"));
    assert_eq!(world.run("plain", json!({"args": "x"})).await, CallOutcome::ok("x"));
    for (arguments, part) in [
        (json!({"name": "hello"}), "`who` is missing"),
        (json!({"name": "helo"}), "Did you mean `hello`?"),
        (json!({"name": "broken"}), "can't be used: line 1"),
        (json!({"name": "../hello"}), "no skill"),
    ] {
        let outcome = world.run("skill_run", arguments.clone()).await;
        assert!(outcome.status == OutcomeStatus::Failed && outcome.content.contains(part), "{arguments}: {outcome:?}");
    }
    // By whichever name: the operator's lists, its risk and its bytes are those of the skill that runs.
    let by_name = world.hands.assess(&call("skill_run", json!({"name": "post"}))).await.unwrap();
    let itself = world.hands.assess(&call("post", json!({}))).await.unwrap();
    assert_eq!(by_name.stands_for.as_ref().map(ToolName::as_str), Some("post"));
    assert_eq!((by_name.risk, &by_name.bound, None), (itself.risk, &itself.bound, itself.stands_for));
    let shown = world.hands.assess(&call("post", json!({}))).await.unwrap();
    assert!(shown.risk == Risk::Medium && shown.summary.contains("POST to a.example"), "{shown:?}");
}

#[tokio::test]
async fn a_skill_can_take_no_tools_name_and_name_no_missing_tool() {
    let lost = "//! description: D\n//! tools: nowhere\nfn main() {}";
    let skills = [
        ("count", HELLO),
        ("skill_run", HELLO),
        ("lost", lost),
        ("other", "//! description: D\n//! tools: hello\nfn main() {}"),
        ("hello", HELLO),
    ];
    let world = World::new(&skills, Grants::default()).await;
    let names: Vec<_> = world.hands.tools().iter().map(|spec| spec.name.to_string()).collect();
    assert_eq!(names, ["hello", "skill_list", "skill_run"], "a skill may not call a skill either");
    assert!(Arc::ptr_eq(&world.hands.tools(), &world.hands.tools()));
    let before = world.hands.tools();
    world.hands.refresh().await;
    assert!(Arc::ptr_eq(&before, &world.hands.tools()), "an unchanged folder makes another list");
}

#[tokio::test]
async fn a_failing_skill_is_an_outcome_that_names_skill_line_and_what_was_done() {
    let fails = "//! description: D\n//! hosts: a.example\nfn main() {\n  http_get(\"https://a.example/\");\n  throw \"oh no\";\n}";
    let world = World::new(&[("fails", fails), ("torn", "fn main() {")], Grants::default()).await;
    let outcome = world.run("fails", json!({})).await;
    for part in ["`fails`", "line 5", "oh no", "Before that: GET https://a.example/"] {
        assert!(outcome.content.contains(part), "{part}: {outcome:?}");
    }
    let reaches = "//! description: D\n//! hosts: a.example\nfn main() { http_get(\"https://b.example/\") }";
    let refused = World::new(&[("reaches", reaches)], Grants::default()).await.run("reaches", json!({})).await;
    assert_eq!(refused.content.matches("not declared").count(), 1, "a refusal is told once: {refused:?}");
    assert!(refused.content.ends_with("\nThat was: GET https://b.example/"), "{refused:?}");
    let torn = world.run("torn", json!({})).await;
    assert!(torn.status == OutcomeStatus::Failed && torn.content.contains("line 1"), "{torn:?}");
}

#[tokio::test]
async fn what_was_under_way_when_a_run_ended_is_told_and_never_called_not_done() {
    let post = POST.replace("a.example/\"", "a.example/never\"");
    let get = "//! description: D\n//! hosts: a.example\nfn main() { http_get(\"https://a.example/never\") }";
    let world = World::new(&[("post", &post), ("get", get)], Grants::default()).await;
    for (name, told) in
        [("post", "POST https://a.example/never: outcome unknown"), ("get", "GET https://a.example/never")]
    {
        let call = call(name, json!({}));
        let bound = world.hands.assess(&call).await.unwrap().bound;
        let deadline = SystemClock.now() + Duration::from_millis(300);
        let ended = world.hands.invoke(&Invocation { deadline, ..World::invocation(call, bound) }).await;
        // What only reads has failed, and nothing is lost with it.
        let why = match (name, ended) {
            ("post", Err(HandsError::Lost { why, .. })) => why,
            ("get", Ok(outcome)) if outcome.status == OutcomeStatus::Failed => outcome.content,
            (_, other) => panic!("{name}: {other:?}"),
        };
        assert!(why.contains(told) && why.contains("went over its time"), "{why}");
    }
}

#[tokio::test]
async fn a_number_that_is_not_finite_has_no_form_in_json() {
    let declared = "//! description: D\n//! state: yes\n//! tools: count\n";
    for script in [
        "state_set(\"k\", 1e308 * 10)",
        "state_set(\"k\", [1, #{a: 0.0 / 0.0}])",
        "to_json(1e308 * 10)",
        "to_json(#{a: -1e308 * 10})",
        "tool(\"count\", #{n: 1e308 * 10})",
        "[1e308 * 10]",
    ] {
        let world = World::new(&[("x", &format!("{declared}fn main() {{ {script} }}"))], Grants::default()).await;
        let outcome = world.run("x", json!({})).await;
        assert_eq!(outcome.status, OutcomeStatus::Failed, "{script}: {outcome:?}");
        assert!(outcome.content.contains("a number that is not finite"), "{script}: {outcome:?}");
        assert_eq!(world.effects.load(Ordering::SeqCst), 0);
    }
    let alone = World::new(&[("x", "fn main() { 1e308 * 10 }")], Grants::default()).await;
    assert_eq!(alone.run("x", json!({})).await, CallOutcome::ok("inf"));
}

#[tokio::test]
async fn a_tool_that_no_skill_can_call_is_told_with_its_place() {
    let names = |tools: &str| format!("//! description: D\n//! tools: {tools}\nfn main() {{}}");
    let skills = [
        ("lost", names("count, nowhere")),
        ("other", names("hello")),
        ("runs", names("skill_run")),
        ("lists", names("count,  skill_list")),
    ];
    let mut skills: Vec<_> = skills.iter().map(|(name, script)| (*name, script.as_str())).collect();
    skills.push(("hello", HELLO));
    let world = World::new(&skills, Grants::default()).await;
    let listing: Value = serde_json::from_str(&world.run("skill_list", json!({})).await.content).unwrap();
    for (name, place, part) in [
        ("lost", "line 2, column 19: ", "there is no tool `nowhere`"),
        ("other", "line 2, column 12: ", "a skill may not call skills, and `hello` is one"),
        ("runs", "line 2, column 12: ", "a skill may not call skills, and `skill_run` is"),
        ("lists", "line 2, column 20: ", "a skill may not call skills, and `skill_list` is"),
    ] {
        let told = listing["broken"][name].as_str().unwrap();
        assert!(told.starts_with(place) && told.contains(part), "{name}: {told}");
    }
}
