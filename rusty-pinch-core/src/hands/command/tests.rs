//! What counts as a tool command, what it refuses, and what its words mean.

use proptest::prelude::*;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

use super::*;
use crate::hands::{Hands, Tool, Toolbox};

fn parsed(message: &str) -> Option<(String, String)> {
    let command = ToolCommand::parse(message)?.unwrap();
    Some((command.name.to_string(), command.args))
}

fn refused(message: &str) -> String {
    ToolCommand::parse(message).unwrap().unwrap_err().to_string()
}

#[test]
fn only_the_exact_prefix_makes_a_command() {
    for chat in [
        "",
        "hello",
        "/toolbox",
        "/tools list",
        "/TOOL time_now",
        " /tool time_now",
        "say /tool x",
        "/tool:x",
        "/skills list",
        "/skill:x",
    ] {
        assert_eq!(ToolCommand::parse(chat), None, "{chat}");
    }
    let command = |name: &str, args: &str| Some((name.to_owned(), args.to_owned()));
    assert_eq!(parsed("/tool time_now"), command("time_now", ""));
    assert_eq!(parsed("/tool session_tail 5\n"), command("session_tail", "5"));
    assert_eq!(parsed("/skill weather rain|Oslo"), command("weather", "rain|Oslo"));
    assert_eq!(parsed("/skill weather.rhai"), command("weather", ""));
    let kind = |message: &str| ToolCommand::parse(message).unwrap().unwrap().kind;
    assert_eq!((kind("/skill a"), kind("/tool a")), (ToolKind::Skill, ToolKind::Tool));
    assert!(refused("/skill").contains("`/skill <name> [args]`") && refused("/skill").contains("`skills list`"));
    assert_eq!(parsed("/tool   note   add  buy  milk "), command("note", "add  buy  milk"));
}

#[test]
fn names_and_arguments_have_bounds_and_errors_say_which() {
    assert!(refused("/tool").contains("<name>"));
    assert!(refused("/tool  ").contains("<name>"));
    assert!(refused("/tool Time").contains("'T'"));
    assert!(refused("/tool ../x").contains("a-z"));
    assert!(parsed(&format!("/tool {}", "a".repeat(64))).is_some());
    assert!(refused(&format!("/tool {}", "a".repeat(65))).contains("65 bytes"));
    assert!(parsed(&format!("/tool a {}", "é".repeat(512))).is_some());
    assert!(refused(&format!("/tool a {}", "é".repeat(513))).contains("513 characters"));
    for control in ['\u{0}', '\u{7}', '\t', '\n', '\r', '\u{1b}', '\u{7f}', '\u{85}'] {
        let said = refused(&format!("/tool a x{control}y"));
        assert!(said.contains("control characters") && !said.contains(control), "{said:?}");
        assert!(refused(&format!("/tool a{}{control}y", ' ')).contains("control characters"));
    }
    assert!(refused("/tool a\nb").contains("control characters"));
}

#[derive(Deserialize, JsonSchema)]
#[expect(dead_code, reason = "only the schema is used")]
struct Args {
    count: u8,
    #[serde(default)]
    ratio: f64,
    mode: Option<Mode>,
    loud: Option<bool>,
    text: Option<String>,
}
#[derive(Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Mode {
    Fast,
    Slow,
}

fn spec(positional: &[&str]) -> ToolSpec {
    let tool = Tool::new("t", "T").once().positional(positional.to_vec()).run(|_: Args| async { Ok(()) });
    Toolbox::new().tool(tool).check().unwrap().tools()[0].clone()
}

fn arguments(args: &str) -> Result<Value, String> {
    let command = ToolCommand::new(ToolName::new("t").unwrap(), args).unwrap();
    let spec = spec(&["count", "ratio", "mode", "loud", "text"]);
    command.arguments(&spec).map_err(|error| error.to_string())
}

#[test]
fn words_fill_the_parameters_in_order_and_the_last_takes_the_rest() {
    assert_eq!(arguments("5"), Ok(json!({"count": 5})));
    assert_eq!(
        arguments("5  0.5 FAST  true two  words"),
        Ok(json!({"count": 5, "ratio": 0.5, "mode": "fast", "loud": true, "text": "two  words"}))
    );
    assert_eq!(arguments(r#"{"count": 1, "text": "{"}"#), Ok(json!({"count": 1, "text": "{"})));
    let lines = json!({"count": 1, "loud": null, "text": "a\nb\tc"});
    assert_eq!(arguments(r#"{"count": 1, "loud": null, "text": "a\nb\tc"}"#), Ok(lines));
}

#[test]
fn words_that_do_not_fit_are_named_with_the_usage() {
    for (args, says) in [
        ("", "`count` is missing, which must be a whole number; write `/tool t <count> [ratio] [mode] [loud] [text]`"),
        ("many", "`count` must be a whole number, but it is \"many\""),
        ("5.5", "`count` must be a whole number"),
        ("NaN", "`count` must be a whole number"),
        ("-5", "`count` must be a whole number of at least 0, but it is the number -5"),
        ("5 NaN", "`ratio` must be a number"),
        ("5 inf", "`ratio` must be a number"),
        ("5 1 warp", "`mode` must be one of \"fast\", \"slow\""),
        ("5 1 fast maybe", "`loud` must be true or false"),
        ("{count: 1}", "not a JSON object"),
        ("{count: 1}", "correct them, or write `/tool t <count> "),
        (
            r#"{"count": "1"}"#,
            "the arguments of `t` don't fit: `count` must be a whole number, but it is the text \"1\"",
        ),
        (r#"{"count": 1, "colour": 2}"#, "\"colour\" is not an argument of it"),
        (r#"{"mode": "fast"}"#, "`count` is missing"),
    ] {
        let said = arguments(args).unwrap_err();
        assert!(said.contains(says), "{args}: {said}");
    }
    let none = Toolbox::new().tool(Tool::new("t", "T").once().run(|()| async { Ok(()) })).tools()[0].clone();
    let command = ToolCommand::parse("/tool t 1 2").unwrap().unwrap();
    assert!(command.arguments(&none).unwrap_err().to_string().starts_with("\"1 2\" is more than `/tool t` takes"));
}

proptest! {
    #[test]
    fn every_text_is_a_command_only_by_the_rules(text in "\\PC{0,40}|(/tool[ \\t\\n]?)?[a-zA-Z0-9_ -]{0,80}.{0,8}|/tool [a-z]{1,3} \\PC{0,600}") {
        match ToolCommand::parse(&text) {
            None => prop_assert!(!text.starts_with("/tool") || text[5..].chars().next().is_some_and(|c| !c.is_whitespace())),
            Some(Ok(command)) => {
                prop_assert!(text.starts_with("/tool"));
                prop_assert!(command.name.as_str().len() <= 64 && command.args.chars().count() <= 512);
                prop_assert!(!command.args.chars().any(char::is_control));
                prop_assert_eq!(command.args.trim(), command.args.as_str());
                prop_assert_eq!(ToolCommand::parse(&command.to_string()), Some(Ok(command.clone())));
                let _ = command.arguments(&spec(&["count", "text"]));
            }
            Some(Err(error)) => prop_assert!(!error.to_string().chars().any(char::is_control)),
        }
    }
}
