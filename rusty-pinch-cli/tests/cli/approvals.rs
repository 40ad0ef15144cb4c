use rusty_pinch_core::testing::ScriptedBrain;
use rusty_pinch_core::{Agent, Approval, Completion, LocalStore, Message, Reply, Risk, Tool, Toolbox};
use serde_json::{Value, json};

use crate::world::World;

/// A call that waits for an approval in `world`, left there by another program on the same data folder.
fn waiting(world: &World) -> Approval {
    let brain = ScriptedBrain::new(|request| {
        Ok(match request.messages.last() {
            Some(Message::Tool { content, .. }) => Completion::text(content),
            _ => Completion::call("send", json!({"to": "ann"})),
        })
    });
    let send = Tool::new("send", "Sends a letter").once().risk(Risk::High);
    let tools = Toolbox::new().tool(send.run(|_: std::collections::BTreeMap<String, String>| async { Ok("sent") }));
    let store = LocalStore::open(world.path("data")).unwrap();
    let agent = Agent::builder(brain).store(store).hands(tools).build();
    let tokio = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    match tokio.block_on(async { agent.turn("letters", "write to ann").await }).unwrap() {
        Reply::NeedsApproval(approval) => *approval,
        other => panic!("{other:?}"),
    }
}

#[test]
fn calls_that_wait_are_listed_and_a_verdict_works_once() {
    let world = World::new();
    assert_eq!(world.ok(&["approvals", "list"]).json(), json!({"approvals": []}));
    let approval = waiting(&world);
    let token = approval.token.as_str();
    let list = world.ok(&["approvals", "list"]).json();
    assert_eq!((&list["approvals"][0]["token"], &list["approvals"][0]["session"]), (&json!(token), &json!("letters")));
    world.run(&["approvals", "settle", "--token", token]).failed(1, &["still waits"]);

    let reject = ["approvals", "reject", "--token", token, "--reason", "not today"];
    let rejected = world.ok(&[&reject[..], &["--later"]].concat()).json();
    assert_eq!((&rejected["status"], &rejected["approval"]["token"]), (&json!("rejected"), &json!(token)));
    world.run(&reject).failed(1, &["works once"]);
    world.run(&["approvals", "approve", "--token", token]).failed(1, &["works once"]);
    assert_eq!(world.ok(&["approvals", "list"]).json(), json!({"approvals": []}));

    let settled = world.ok(&["approvals", "settle", "--token", token]);
    assert!(!settled.stdout.is_empty());
    // Again: the same reply, and nothing happens twice.
    assert_eq!(world.ok(&["approvals", "settle", "--token", token]).stdout, settled.stdout);
    let roles = |session: &Value| session.as_array().unwrap().iter().filter(|entry| entry["role"] == "decided").count();
    let session = world.ok(&["session", "--session", "letters"]).json();
    assert_eq!(roles(&session), 1, "{session}");
    assert!(session.to_string().contains("not today"));
}

#[test]
fn a_verdict_is_carried_out_at_once_unless_it_is_for_later() {
    let world = World::new();
    let approval = waiting(&world);
    let ran = world.ok(&["approvals", "reject", "--token", approval.token.as_str()]);
    let json = ran.json();
    assert_eq!((&json["status"], &json["settled"]["status"]), (&json!("rejected"), &json!("ok")), "{json}");
    assert_eq!(ran.turns().len(), 1);
}

#[test]
fn an_unknown_token_is_named() {
    let token = format!("ap-{}", "0".repeat(32));
    World::new().run(&["approvals", "approve", "--token", &token]).failed(1, &[&token, "approvals list"]);
}

#[test]
fn a_conversation_can_decide_the_call_that_waits_in_its_session() {
    let world = World::new();
    let first = waiting(&world);
    let talk = |session: &str, lines: &str| world.run_with_input(&["repl", "--session", session], lines.as_bytes());
    let elsewhere = talk("other", "/approve\n");
    assert!(elsewhere.stderr.contains("Nothing waits") && elsewhere.turns().is_empty(), "{elsewhere:?}");
    let second = waiting(&world);
    let both = talk("letters", "/reject not now\n");
    assert!(both.stderr.contains(first.token.as_str()) && both.stderr.contains(second.token.as_str()), "{both:?}");
    let named = talk("letters", &format!("/reject {} not now\n/reject nor this\n/approve\n", first.token));
    assert_eq!((named.code, named.turns().len()), (0, 2), "{named:?}");
    let session = world.ok(&["session", "--session", "letters"]).json().to_string();
    assert!(session.contains("\"not now\"") && session.contains("\"nor this\""), "{session}");
    assert_eq!(world.ok(&["approvals", "list"]).json(), json!({"approvals": []}));
}

#[test]
fn a_call_that_is_asked_about_waits_runs_once_when_approved_and_never_when_denied() {
    let world = World::new().with("RUSTY_PINCH_TOOLS_ASKED", "calc");
    let asked = world.run(&["tools", "run", "--name", "calc", "--args", "6 * 7", "--json"]).failed(5, &["hint: "]);
    let json = asked.json();
    assert_eq!((&json["status"], &json["turn"]["status"]), (&json!("needs_approval"), &json!("needs_approval")));
    let token = json["approval"]["token"].as_str().unwrap().to_owned();
    assert!(json["approval"]["summary"].as_str().unwrap().contains("6 * 7"), "{json}");
    let approved = world.ok(&["approvals", "approve", "--token", &token]).json();
    assert_eq!(approved["status"], "approved");
    assert!(approved["settled"]["reply"].as_str().unwrap().contains("42"), "{approved}");
    world.run(&["approvals", "approve", "--token", &token]).failed(1, &["works once"]);

    let talk = world.run_with_input(&["repl", "--session", "talk"], b"/tool calc 2 + 3\n/approve\n");
    assert!(talk.code == 0 && talk.stdout.contains("needs your approval") && talk.stdout.contains('5'), "{talk:?}");

    let denied = World::new().with("RUSTY_PINCH_TOOLS_DENIED", "calc");
    let ran = denied
        .run(&["tools", "run", "--name", "calc", "--args", "6 * 7"])
        .failed(4, &["error: the tool `calc` was refused", "RUSTY_PINCH_TOOLS_DENIED"]);
    assert!(ran.stdout.contains("denied") && !ran.stdout.contains("42"), "{ran:?}");
    assert_eq!(denied.run(&["run", "--message", "/tool calc 1 +", "--json"]).json()["status"], "refused");
}

/// The token of a call of the skill `held`, which waits with this script.
fn held(world: &World, script: &str) -> String {
    world.write("workspace/skills/held.rhai", script);
    let asked = world.run(&["run", "--message", "/skill held", "--json"]).failed(5, &[]);
    asked.json()["approval"]["token"].as_str().unwrap().to_owned()
}

#[test]
fn a_call_that_is_refused_or_fails_once_it_is_approved_says_so_and_has_its_code() {
    let world = World::new().with("RUSTY_PINCH_TOOLS_ASKED", "held");
    let changed = held(&world, "fn main() { 1 }");
    world.write("workspace/skills/held.rhai", "fn main() { 2 }");
    let approve = |token: &str| world.run(&["approvals", "approve", "--token", token]);
    let parts = ["error: the approved call of `held` was refused: what it would do is no longer what was approved"];
    let refused = approve(&changed).failed(4, &parts);
    let json = refused.json();
    assert_eq!((&json["status"], &json["settled"]["status"]), (&json!("approved"), &json!("refused")), "{json}");
    // Carried out again, it comes to the same.
    world.run(&["approvals", "settle", "--token", &changed]).failed(4, &parts);

    let throws = held(&world, "fn main() { throw \"no\" }");
    let failed =
        approve(&throws).failed(1, &["error: the approved call of `held` failed: the skill `held` failed at line 1"]);
    assert_eq!(failed.json()["settled"]["status"], "failed");

    let talked = held(&world, "fn main() { throw \"no\" }");
    let talk = world.run_with_input(&["repl"], format!("/approve {talked}\n").as_bytes());
    assert!(talk.stderr.contains("error: the approved call of `held` failed: "), "{talk:?}");
    let good = held(&world, "fn main() { 3 }");
    let ran = world.ok(&["approvals", "approve", "--token", &good]);
    assert_eq!(ran.json()["settled"]["status"], "ok");
    assert!(!ran.stderr.contains("error: "), "{ran:?}");
    let rejected = held(&world, "fn main() { 4 }");
    world.ok(&["approvals", "reject", "--token", &rejected]);
}
