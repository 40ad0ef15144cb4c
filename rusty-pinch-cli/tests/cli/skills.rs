//! Skills from the command line: as a new user meets them.

use std::process::Command as Program;
use std::time::Duration;

use serde_json::json;

use crate::world::{World, finish};

/// The ten lines of `docs/SKILLS.md`.
const DICE: &str = "//! name: coffee\n//! description: Says how much coffee to grind\n//! version: 1\n\
                    //! argument: cups integer - How many cups\n\
                    //! example: how much coffee for 4 cups => {\"cups\": 4}\n\
                    // Sixty grams make a litre, and a cup holds a quarter of one.\n\
                    fn main(cups) {\n    let grams = args().cups * 15;\n    `${grams} g of coffee`\n}\n";

#[test]
fn a_new_user_writes_a_skill_tries_it_runs_it_and_asks_for_it_in_plain_words() {
    let world = World::new();
    world.write("workspace/skills/coffee.rhai", DICE);
    let tried = world.ok(&["skills", "dry-run", "--name", "coffee"]).json();
    assert_eq!(
        (&tried["skill"], &tried["status"], &tried["lints"]),
        (&json!("coffee"), &json!("ok"), &json!([])),
        "{tried}"
    );
    assert!(tried["proven"].as_str().unwrap().starts_with("only that it compiles"), "{tried}");
    let ran = world.ok(&["skills", "run", "--name", "coffee", "--args", "3"]);
    assert_eq!(ran.json(), json!({"output": "45 g of coffee", "skill": "coffee", "status": "ok"}));
    assert_eq!((&ran.turns()[0]["path"], &ran.turns()[0]["tool_name"]), (&json!("skill"), &json!("coffee")));
    let asked = world.ok(&["run", "--message", "how much coffee for 6 cups"]);
    assert!(asked.stdout.contains("90 g of coffee"), "{asked:?}");
    let typed = world.ok(&["run", "--message", "/skill coffee 2"]);
    assert_eq!(typed.stdout, "[skill:coffee]\n30 g of coffee\n");
    assert_eq!(world.ok(&["stats"]).json()["telemetry"]["skill_turns"], 2);
    // It reaches for a host that it does not declare.
    let reaches = DICE.replace("    let grams", "    http_get(\"https://example.com/price\");\n    let grams");
    world.write("workspace/skills/coffee.rhai", reaches);
    let refused = world.run(&["skills", "run", "--name", "coffee", "--args", "3"]);
    refused.failed(1, &["the skill `coffee` failed", "line 8", "it declares no hosts", "adds `example.com`"]);
    let linted = world.ok(&["skills", "dry-run", "--name", "coffee"]).json();
    assert!(linted["lints"][0].as_str().unwrap().contains("declares no `hosts`"), "{linted}");
}

#[test]
fn starter_skills_come_with_the_first_use_work_offline_and_stay_away_once_deleted() {
    let world = World::new();
    let list = world.ok(&["skills", "list"]).json();
    let names: Vec<_> = list["skills"].as_array().unwrap().iter().map(|skill| skill["name"].clone()).collect();
    assert_eq!(names, ["feed", "site_status", "textstat", "units", "weather"]);
    assert!(list["skills_dir"].as_str().unwrap().ends_with("workspace/skills"), "{list}");
    let first = &list["skills"][0];
    assert!(first["modified_at"].is_string() && first["path"].is_string() && first["size_bytes"].is_u64(), "{first}");
    for name in ["feed", "site_status", "textstat", "units", "weather"] {
        let tried = world.ok(&["skills", "dry-run", "--name", name]).json();
        assert_eq!(tried["lints"], json!([]), "{tried}");
    }
    let asked = world.ok(&["run", "--message", "convert 10 km to mi"]);
    assert!(asked.stdout.contains("6.2137 mi"), "{asked:?}");
    let in_words = world.ok(&["run", "--message", "convert 5 km to miles"]);
    assert!(in_words.stdout.contains("5 km = 3.1069 miles"), "{in_words:?}");
    std::fs::remove_file(world.path("workspace/skills/weather.rhai")).unwrap();
    world.run(&["skills", "run", "--name", "weather"]).failed(2, &["there is no skill `weather`", "skills list"]);
    assert!(!world.path("workspace/skills/weather.rhai").exists());
    let tools = world.ok(&["tools", "list"]).stdout;
    assert!(tools.contains("usage: /skill units <amount> <from> <to>") && tools.contains("skill_run"), "{tools}");
}

#[test]
fn broken_skills_are_named_and_take_nothing_down() {
    let world = World::new();
    world.ok(&["skills", "check"]);
    world.write("workspace/skills/Bad.rhai", "fn main() {}");
    world.write("workspace/skills/torn.rhai", "fn main() {");
    world.write("workspace/skills/lies.rhai", "//! description: D\n//! hosts: https://a.b\nfn main() {}");
    world.write("workspace/skills/binary.rhai", [0u8; 64]);
    let checked = world.run(&["skills", "check"]);
    let parts = ["\"Bad\"", "\"torn\"", "line 1", "\"lies\"", "line 2, column 12", "\"binary\""];
    assert_eq!(checked.json()["broken"].as_array().unwrap().len(), 4);
    checked.failed(1, &parts);
    assert!(world.ok(&["run", "--message", "what is 6 * 7?"]).stdout.contains("42"));
    let doctor = world.ok(&["doctor"]).stdout;
    assert!(doctor.contains("the skill \"lies\" can't be used") && doctor.contains("status: warning"), "{doctor}");
    let torn = world.run(&["skills", "run", "--name", "torn"]);
    assert_eq!(
        torn.stderr.matches("the skill `torn` can't be read").count(),
        2,
        "the turn's line and the error: {torn:?}"
    );
    torn.failed(1, &["`torn`", "line 1"]);
    world.write("workspace/skills/throws.rhai", "fn main() { throw \"no\" }");
    let thrown = world.run(&["skills", "run", "--name", "throws"]);
    assert_eq!(
        thrown.stderr.matches("the skill `throws` failed").count(),
        2,
        "the error and the turn's line: {thrown:?}"
    );
    thrown.failed(1, &["error: the skill `throws` failed at line 1"]);
    world.run(&["skills", "show", "--name", "lies"]).failed(1, &["line 2, column 12", "a host is a name"]);
    for name in ["../x", "Upper", "", "weаther", &"x".repeat(65)] {
        world.run(&["skills", "run", "--name", name]).failed(2, &["--name", "skill name"]);
    }
}

#[test]
fn a_new_skill_keeps_the_rules_and_replaces_nothing() {
    let world = World::new();
    world.ok(&["skills", "new", "--name", "mine"]);
    assert_eq!(world.ok(&["skills", "run", "--name", "mine.rhai", "--args", "Ada"]).json()["output"], "Hello, Ada!");
    assert_eq!(world.ok(&["skills", "run", "--name", "mine"]).json()["output"], "Hello, you!");
    assert_eq!(world.ok(&["skills", "show", "--name", "mine"]).json()["may_reach"], "nothing outside itself");
    world.run(&["skills", "new", "--name", "mine"]).failed(2, &["is there already"]);
    world.run(&["skills", "new", "--name", "weather"]).failed(2, &["is there already"]);
    for tool in ["calc", "skill_run"] {
        world.run(&["skills", "new", "--name", tool]).failed(2, &["a tool is named", tool, "another --name"]);
    }
    world.ok(&["skills", "check"]);
}

#[test]
fn what_the_operator_denies_does_not_run_under_any_name() {
    let world = World::new().with("RUSTY_PINCH_TOOLS_DENIED", "textstat");
    for arguments in [
        ["skills", "run", "--name", "textstat", "--args", "a b"],
        ["tools", "run", "--name", "textstat", "--args", "a b"],
        ["tools", "run", "--name", "skill_run", "--args", "textstat a b"],
    ] {
        world.run(&arguments).failed(4, &["RUSTY_PINCH_TOOLS_DENIED"]);
    }
    let by_name = world.run(&["tools", "run", "--name", "skill_run", "--args", "textstat a b"]);
    by_name.failed(4, &["RUSTY_PINCH_TOOLS_DENIED"]);
}

#[test]
fn a_turn_has_the_starter_skills_and_makes_no_folder_for_them() {
    let world = World::new();
    assert!(world.ok(&["run", "--message", "convert 10 km to mi"]).stdout.contains("6.2137 mi"));
    assert!(world.ok(&["--json", "doctor"]).stdout.contains("5 in "), "doctor counts them");
    assert!(!world.path("workspace/skills").exists(), "a turn waits for no copies");
    world.ok(&["skills", "check"]);
    assert!(world.path("workspace/skills/units.rhai").exists());
}

#[test]
fn arguments_that_do_not_fit_are_bad_usage_in_every_form_and_nothing_runs() {
    let world = World::new();
    world.write("workspace/skills/coffee.rhai", DICE);
    for args in ["abc", "", "3.5", r#"{"cups": "9"}"#, r#"{"cup": 9}"#, "{}", "{cups: 9}"] {
        world
            .run(&["skills", "run", "--name", "coffee", "--args", args])
            .failed(2, &["error: ", "/skill coffee <cups>"]);
        for kind in ["skill", "tool"] {
            let message = format!("/{kind} coffee {args}");
            world.run(&["run", "--message", &message]).failed(2, &["/skill coffee <cups>"]);
        }
    }
    world
        .run(&["run", "--message", r#"/tool calc {"expression": 5}"#])
        .failed(2, &["must be text, but it is the number 5"]);
    assert_eq!(world.ok(&["session"]).json(), json!([]), "nothing is stored, so nothing ran");
    let lines = world.ok(&["skills", "run", "--name", "textstat", "--args", r#"{"text": "a\nb\tc"}"#]).json();
    assert!(lines["output"].as_str().unwrap().contains("2 lines"), "{lines}");
}

#[test]
fn a_fix_is_told_for_wrong_names_and_not_for_scripts_that_fail() {
    let world = World::new().with("RUSTY_PINCH_TOOLS_DENIED", "units");
    world.write("workspace/skills/throws.rhai", "fn main() { throw \"no\" }");
    world.write("workspace/skills/reaches.rhai", "//! description: D\nfn main() { http_get(\"https://a.example/\") }");
    for (name, args, code) in [("throws", "", 1), ("reaches", "", 1), ("units", "1 km mi", 4), ("weather", "{", 2)] {
        let ran = world.run(&["skills", "run", "--name", name, "--args", args]).failed(code, &["error: "]);
        assert!(!ran.stderr.contains("fix: "), "{ran:?}");
    }
    let page = world.run(&["run", "--message", "/tool web_fetch http://127.0.0.1:9/"]).failed(1, &["to open it, set"]);
    assert!(!page.stderr.contains("fix: "), "{page:?}");
    world.run(&["run", "--message", "/skill nope"]).failed(2, &["fix: `rusty-pinch skills list`"]);
    world.run(&["run", "--message", "/tool nope"]).failed(2, &["fix: `rusty-pinch tools list`"]);
}

#[test]
fn a_script_without_a_header_is_told_the_header_that_it_needs() {
    let world = World::new();
    for (script, line) in [
        ("fn main() { http_get(\"http://127.0.0.1:9/\") }", "`//! hosts: 127.0.0.1`"),
        ("fn main() { tool(\"calc\", #{}) }", "`//! tools: calc`"),
        ("fn main() { state_get(\"x\") }", "`//! state: yes`"),
    ] {
        world.write("workspace/skills/bare.rhai", script);
        let parts = ["the file, which has no header", "`//! description: ", line];
        world.run(&["skills", "run", "--name", "bare"]).failed(1, &parts);
        world.write("workspace/skills/bare.rhai", format!("//! description: D\n{script}"));
        let ran = world.run(&["skills", "run", "--name", "bare"]).failed(1, &[" its header"]);
        assert!(!ran.stderr.contains("no header"), "{ran:?}");
    }
}

#[test]
fn a_skill_beyond_the_first_256_files_is_refused_with_that_bound() {
    let world = World::new();
    for number in 0..260 {
        world.write(&format!("workspace/skills/s{number:03}.rhai"), "fn main() { 1 }");
    }
    world.ok(&["run", "--message", "/skill s255"]);
    let typed = world.run(&["run", "--message", "/skill s256"]);
    let run = world.run(&["skills", "run", "--name", "s256"]);
    for ran in [typed, run] {
        let ran = ran.failed(1, &["the skill `s256` can't be used", "more than 256 skills"]);
        assert!(ran.stderr.len() < 2_000, "it names them all: {}", ran.stderr);
    }
}

#[test]
fn a_file_whose_ending_is_written_in_capitals_is_named() {
    let world = World::new();
    world.write("workspace/skills/cap.RHAI", "fn main() { 1 }");
    world.run(&["skills", "check"]).failed(1, &["\"cap.RHAI\"", "a skill's in `.rhai`; rename the file"]);
    assert!(world.ok(&["skills", "list"]).stdout.contains("a skill's in `.rhai`"));
}

#[test]
fn a_header_that_names_a_skill_as_a_tool_is_refused_with_the_place() {
    let world = World::new();
    for tool in ["skill_run", "textstat"] {
        world.write(
            "workspace/skills/calls.rhai",
            format!("//! description: D\n//! tools: calc, {tool}\nfn main() {{}}"),
        );
        world.run(&["skills", "check"]).failed(1, &["line 2, column 18", tool, "a skill may not call skills"]);
    }
}

#[test]
fn a_bad_note_of_starters_and_a_folder_that_is_none_are_told_with_cause_and_fix() {
    let world = World::new();
    world.write("workspace/skills/ok.rhai", "fn main() { \"fine\" }");
    std::fs::create_dir(world.path("workspace/skills/.starter-skills")).unwrap();
    assert_eq!(world.ok(&["run", "--message", "/skill ok"]).stdout, "[skill:ok]\nfine\n");
    let listed = world.ok(&["skills", "list"]);
    assert_eq!(listed.json()["skills"].as_array().unwrap().len(), 1, "{listed:?}");
    let doctor = world.run(&["doctor"]).stdout;
    for told in [&listed.stderr, &doctor] {
        for part in ["skills/.starter-skills", "it is a folder", "move it away"] {
            assert!(told.contains(part), "{part}: {told}");
        }
    }
    assert!(doctor.contains("1 in "), "the others are counted: {doctor}");
    world.run(&["run", "--message", "/skill weather"]).failed(1, &["it is a folder", ".starter-skills"]);
    world.run(&["run", "--message", "/skill nothing"]).failed(2, &["there is no skill `nothing`; there are ok"]);
    let world = World::new();
    world.write("workspace/skills", "a file");
    let doctor = world.run(&["doctor"]);
    for told in [doctor.stdout, world.run(&["skills", "list"]).stderr] {
        assert!(told.contains("Not a directory") && told.contains("move it away"), "{told}");
    }
    world.run(&["run", "--message", "/skill ok"]).failed(1, &["`ok`", "Not a directory", "move it away"]);
}

#[test]
fn a_command_for_a_broken_skill_says_what_is_wrong_with_it() {
    let world = World::new();
    world.write("workspace/skills/brk.rhai", "//! description: D\n//! state: maybe\nfn main() {}");
    let refused = world.run(&["run", "--message", "/skill brk"]);
    refused.failed(1, &["the skill `brk` can't be used: line 2, column 12", "skills check", "docs/SKILLS.md"]);
    world
        .run(&["run", "--message", "/skill brks"])
        .failed(2, &["there is no skill `brks`; there are feed", "skills list"]);
    let world = World::new();
    world.write("workspace/skills/.starter-skills", "feed\nsite_status\ntextstat\nunits\nweather\n");
    world.run(&["run", "--message", "/skill brk"]).failed(2, &["there is no skill `brk`; there are none"]);
}

/// Each script here takes up to three seconds to be read, in a child.
#[cfg(target_os = "linux")]
#[test]
fn ctrl_c_ends_a_check_while_a_script_is_read() {
    let world = World::new();
    let slow = format!("fn main() {{ let z = 1; {} {} }}", "let a;".repeat(10_400), "z;".repeat(31_000));
    for number in 0..8 {
        world.write(&format!("workspace/skills/slow{number}.rhai"), &slow);
    }
    let child = world.command(&["skills", "check"]).spawn().unwrap();
    let children = format!("/proc/{0}/task/{0}/children", child.id());
    while std::fs::read_to_string(&children).unwrap().trim().is_empty() {
        std::thread::sleep(Duration::from_millis(5));
    }
    assert!(Program::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let ended = finish(child, None).failed(130, &["error: interrupted"]);
    assert!(!ended.stderr.contains("can't be used"), "it went on: {ended:?}");
}
