//! What the local brain says: the results of its calls, or what it can do.

use crate::data::Message;
use crate::hands::ToolSpec;

/// The most tools that are listed; the rest is counted.
const TOOLS_LISTED_MAX: usize = 24;

/// The results at the end of `messages` as they came: each tool says for itself what it did, or why it did not.
pub(super) fn from_results(messages: &[Message]) -> String {
    let mut results: Vec<_> = messages
        .iter()
        .rev()
        .filter(|message| !matches!(message, Message::System { .. }))
        .map_while(|message| match message {
            Message::Tool { name, content, .. } => Some((name.as_str(), content.trim())),
            _ => None,
        })
        .collect();
    results.reverse();
    match results.as_slice() {
        [(name, "")] => format!("`{name}` ran and gave no output."),
        [(_, content)] => (*content).to_owned(),
        several => {
            let lines: Vec<_> = several.iter().map(|(name, content)| format!("{name}: {content}")).collect();
            lines.join("\n")
        }
    }
}

/// What this brain is, what its tools do and how to ask for them.
pub(super) fn abilities(tools: &[ToolSpec]) -> String {
    let mut text = String::from("I work offline, without a language model, so I can only pass what you say to a tool");
    if tools.is_empty() {
        text.push_str(", and there are no tools here.");
    } else {
        text.push_str(":\n");
        for tool in tools.iter().take(TOOLS_LISTED_MAX) {
            text.push_str(&format!("- {}: {}", tool.name, tool.description.trim_end_matches('.')));
            if let Some(example) = tool.examples.first() {
                text.push_str(&format!(" (say: \"{}\")", example.message));
            }
            text.push('\n');
        }
        if tools.len() > TOOLS_LISTED_MAX {
            text.push_str(&format!("- and {} more\n", tools.len() - TOOLS_LISTED_MAX));
        }
    }
    text.push_str(
        "\nTo talk to a language model, set RUSTY_PINCH_PROVIDER to codex, openrouter, openai or groq together with its \
         key; `rusty-pinch doctor` says what is missing.",
    );
    text
}
