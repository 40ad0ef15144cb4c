//! `/tool <name> [args]`, `/skill <name> [args]` and what its arguments become.

use std::sync::{Arc, LazyLock};

use rusty_pinch_core::testing::VirtualClock;
use rusty_pinch_core::{Brain, CommandError, Hands, LocalBrain, MemoryStore, ToolCommand, ToolSpec, builtin};

static TOOLS: LazyLock<Arc<[ToolSpec]>> = LazyLock::new(|| {
    let brain = LocalBrain::default();
    builtin::toolbox(Arc::new(MemoryStore::new()), Arc::new(VirtualClock::default()), brain.info()).tools()
});

pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let begins =
        |prefix| text.strip_prefix(prefix).is_some_and(|rest: &str| !rest.starts_with(|c: char| !c.is_whitespace()));
    let has_prefix = begins("/tool") || begins("/skill");
    let command = match ToolCommand::parse(text) {
        None => return assert!(!has_prefix),
        Some(Err(error)) => return check_message(&error),
        Some(Ok(command)) => command,
    };
    assert!(has_prefix);
    assert!((1..=64).contains(&command.name.as_str().len()));
    assert!(command.args.chars().count() <= 512 && !command.args.contains(char::is_control));
    assert_eq!(ToolCommand::parse(&command.to_string()), Some(Ok(command.clone())));
    for spec in TOOLS.iter() {
        match command.arguments(spec) {
            Ok(arguments) => assert!(arguments.is_object()),
            Err(error) => check_message(&error),
        }
    }
}

/// Messages are for a terminal.
fn check_message(error: &CommandError) {
    let message = error.to_string();
    assert!(!message.contains(char::is_control), "{message:?}");
    assert!(message.len() < 4096, "{message}");
}
