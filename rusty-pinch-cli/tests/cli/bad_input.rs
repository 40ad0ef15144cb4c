use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;

use crate::world::{World, finish};

#[test]
fn messages_that_break_a_rule_are_refused_with_it_and_nothing_is_stored() {
    let world = World::new();
    world.run(&["run", "--message", ""]).failed(2, &["empty", "fix:"]);
    world.run(&["run", "--message", " \n "]).failed(2, &["empty"]);
    world.run(&["run", "--message", "a\u{1b}[31mb"]).failed(2, &["control character", "\\u{1b}"]);
    world.run(&["run"]).failed(2, &["empty"]);
    world.run_with_input(&["run", "--message", "-"], b"a\xff\xfe").failed(2, &["not valid UTF-8", "byte 1"]);
    world.run_with_input(&["run"], &vec![b'x'; 10 * 1024 * 1024]).failed(2, &["longer than 262144 bytes"]);
    assert_eq!(world.ok(&["session"]).stdout, "[]\n");
}

#[test]
fn an_argument_that_is_no_text_is_refused() {
    let world = World::new();
    let mut command = world.command(&["run", "--message"]);
    command.arg(OsStr::from_bytes(b"a\xff"));
    finish(command.spawn().unwrap(), None).failed(2, &["UTF-8"]);
}

#[test]
fn names_that_break_a_rule_are_refused_with_it() {
    let world = World::new();
    let long = "x".repeat(100);
    world.run(&["run", "--session", "", "--message", "x"]).failed(2, &["session id is empty"]);
    world.run(&["run", "--session", "a\nb", "--message", "x"]).failed(2, &["control characters"]);
    world.run(&["session", "--session", &long]).failed(2, &["at most 80"]);
    world.run(&["tools", "run", "--name", "No Such"]).failed(2, &["a-z, 0-9"]);
    world.run(&["approvals", "approve", "--token", "yes"]).failed(2, &["ap-", "32"]);
    // No id leaves its folder.
    world.ok(&["run", "--session", "../../up", "--message", "hello"]);
    let found =
        std::fs::read_dir(world.dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(found.collect::<std::collections::BTreeSet<_>>(), ["data".to_owned()].into());
}

#[test]
fn an_unknown_tool_is_named_with_those_that_there_are() {
    let world = World::new();
    world.run(&["tools", "run", "--name", "nope"]).failed(2, &["nope", "model_info", "request", "fix:"]);
    world.run(&["run", "--message", "/tool nope"]).failed(2, &["nope"]);
}

#[test]
fn a_journal_that_cannot_be_read_fails_its_session_and_no_other() {
    let world = World::new();
    std::fs::create_dir_all(world.path("data/sessions/bad.jsonl")).unwrap();
    world.run(&["run", "--session", "bad", "--message", "hello"]).failed(1, &["bad", "fix:", "request_id"]);
    world.run(&["session", "--session", "bad"]).failed(1, &["bad.jsonl"]);
    world.ok(&["run", "--session", "good", "--message", "hello"]);
}

#[test]
fn a_torn_journal_is_read_as_far_as_it_is_whole_and_goes_on() {
    let world = World::new();
    world.ok(&["run", "--session", "s", "--message", "first"]);
    let path = world.path("data/sessions/s.jsonl");
    let mut bytes = std::fs::read(&path).unwrap();
    bytes.extend_from_slice(br#"{"role":"assistant","content":"torn li"#);
    std::fs::write(&path, bytes).unwrap();
    let torn = world.ok(&["session", "--session", "s"]);
    assert_eq!(torn.json().as_array().unwrap().last().unwrap()["role"], "unreadable");
    assert!(torn.stderr.contains("1 damaged line"), "{torn:?}");
    world.ok(&["run", "--session", "s", "--message", "second"]);
    let after = world.ok(&["session", "--session", "s"]).json();
    assert!(after.as_array().unwrap().iter().any(|entry| entry["content"] == "second"), "{after}");
}

#[test]
fn a_data_folder_that_is_a_file_is_named_and_nothing_is_lost() {
    let world = World::new();
    world.write("data", "precious");
    for verb in [
        "run --message hello",
        "resume",
        "session",
        "stats",
        "tools list",
        "tools run --name calc",
        "approvals list",
        "repl",
    ] {
        let arguments: Vec<_> = verb.split(' ').collect();
        world.run(&arguments).failed(3, &["data", "RUSTY_PINCH_DATA_DIR"]);
    }
    world.run(&["doctor"]).failed(3, &[]);
    assert_eq!(std::fs::read_to_string(world.path("data")).unwrap(), "precious");
}
