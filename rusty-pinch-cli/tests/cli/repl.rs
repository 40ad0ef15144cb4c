use crate::world::World;

fn talk(world: &World, lines: &str) -> crate::world::Ran {
    world.run_with_input(&["repl", "--session", "talk"], lines.as_bytes())
}

#[test]
fn a_piped_conversation_is_answered_line_by_line_and_ends_with_its_input() {
    let world = World::new();
    let ran = talk(&world, "/tool model_info\n\n/tool model_info");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_eq!(ran.stdout.matches("local").count(), 2, "{ran:?}");
    assert_eq!((ran.turns().len(), ran.stderr.contains("Bye.")), (2, true));
    assert_eq!(talk(&world, "").code, 0);
}

#[test]
fn the_tools_of_a_conversation_have_the_skills_before_its_first_message() {
    let ran = talk(&World::new(), "/tools\n");
    assert!(ran.stderr.contains("usage: /skill weather [request]"), "{ran:?}");
}

#[test]
fn leaving_in_words_leaves_the_rest_unsaid() {
    for word in ["exit", "QUIT", "/quit"] {
        let ran = talk(&World::new(), &format!("{word}\n/tool model_info\n"));
        assert_eq!((ran.code, ran.stdout.as_str(), ran.turns().len()), (0, "", 0), "{ran:?}");
        assert!(ran.stderr.ends_with("Bye.\n"), "{ran:?}");
    }
}

#[test]
fn a_turn_that_fails_is_said_and_the_conversation_goes_on() {
    let world = World::new();
    let mut input = b"/tool nope\na\x1bb\n\xff\n".to_vec();
    input.extend(vec![b'x'; 1024 * 1024]);
    input.extend(b"\n/tool model_info\n");
    let ran = world.run_with_input(&["repl"], &input);
    assert_eq!((ran.code, ran.stderr.matches("error: ").count()), (0, 4), "{ran:?}");
    assert_eq!(ran.stdout.matches("local").count(), 1, "{ran:?}");
}

#[test]
fn commands_of_the_conversation_are_no_messages() {
    let world = World::new();
    let ran = talk(&world, "/help\n/tools\n/session\n/approve\n/approve yes do it\n/reject ap-12\n/reject no\n");
    assert_eq!((ran.code, ran.stdout.as_str(), ran.turns().len()), (0, "", 0), "{ran:?}");
    for part in [
        "Ctrl-D",
        "/skill NAME [ARGS]",
        "model_info - ",
        "Nothing waits",
        "\"yes\" is not an approval token",
        "\"ap-12\" is not",
    ] {
        assert!(ran.stderr.contains(part), "{part}: {ran:?}");
    }
}

#[test]
fn with_json_every_reply_is_a_line() {
    let world = World::new();
    let ran = world.run_with_input(&["repl", "--json"], b"/tool model_info\n/tool nope\nhello\n");
    let replies: Vec<serde_json::Value> = ran.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let statuses: Vec<_> = replies.iter().map(|reply| reply["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, ["ok", "error", "ok"], "{ran:?}");
}

/// With `script`, which runs it on a terminal of its own.
#[cfg(target_os = "linux")]
#[test]
fn a_person_on_a_terminal_sees_the_answer_and_no_line_for_machines() {
    let world = World::new();
    let mut command = std::process::Command::new("script");
    let line = format!("'{}' run --message 'what is 17 * 23?'", env!("CARGO_BIN_EXE_rusty-pinch"));
    command.args(["-qec", &line, "/dev/null"]).env_clear().env("RUSTY_PINCH_PROVIDER", "local");
    command.current_dir(world.dir.path()).stdin(std::process::Stdio::null()).stdout(std::process::Stdio::piped());
    let ran = crate::world::finish(command.spawn().unwrap(), None);
    assert_eq!((ran.code, ran.stdout.as_str()), (0, "17 * 23 = 391\r\n"));
}
