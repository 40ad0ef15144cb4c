//! `/tool <name> [args]` and `/skill <name> [args]`: how a person calls a tool without a model.

use std::fmt;

use serde_json::{Map, Number, Value};

use super::bounds::COMMAND_ARGS_CHARS_MAX;
use super::text::quoted;
use super::{ToolKind, ToolSpec, schema};
use crate::data::{IdError, ToolName};

/// The ending of a skill's file, which may be written behind its name.
const SKILL_ENDING: &str = ".rhai";

/// A tool command that breaks a rule. Nothing ran.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CommandError {
    /// No name follows `/tool`.
    #[error("`{prefix}` needs a name; write `{prefix} <name> [args]`, and see the names with `{}s list`", prefix.trim_start_matches('/'))]
    NoName {
        /// The command's first word.
        prefix: &'static str,
    },
    /// The name is against the rules.
    #[error("a command can't call that: {0}")]
    Name(IdError),
    /// The arguments are too long.
    #[error(
        "the arguments of `{tool}` are {chars} characters long; at most {COMMAND_ARGS_CHARS_MAX} are allowed, so \
         shorten them"
    )]
    TooLong {
        /// The tool.
        tool: ToolName,
        /// How long they are.
        chars: usize,
    },
    /// The command holds a control character, such as a line break or a tab.
    #[error("a command can't hold {character:?}; write it on one line, with spaces, without control characters")]
    ControlCharacter {
        /// The first one.
        character: char,
    },
    /// The arguments begin like JSON and are none.
    #[error(
        "the arguments of `{tool}` begin with `{{` but are not a JSON object: {why}; correct them, or write `{usage}`"
    )]
    NotJson {
        /// The tool.
        tool: ToolName,
        /// What the reader of JSON says.
        why: String,
        /// How the tool is called.
        usage: String,
    },
    /// The arguments are none that the tool takes.
    #[error("the arguments of `{tool}` don't fit: {why}; correct them, or write `{usage}`")]
    Unfit {
        /// The tool.
        tool: ToolName,
        /// What does not fit.
        why: String,
        /// How the tool is called.
        usage: String,
    },
    /// There are arguments, but the tool takes none this way.
    #[error("{given} is more than `{usage}` takes; leave it out, or give the arguments as a JSON object")]
    TooMany {
        /// What is left over.
        given: String,
        /// How it is called.
        usage: String,
    },
    /// A parameter that is needed is missing.
    #[error("`{parameter}` is missing, which must be {expected}; write `{usage}`")]
    Missing {
        /// The parameter.
        parameter: String,
        /// What it must be.
        expected: String,
        /// How the tool is called.
        usage: String,
    },
    /// A word is not what its parameter takes.
    #[error("`{parameter}` must be {expected}, but it is {given}; write `{usage}`")]
    Misfit {
        /// The parameter.
        parameter: String,
        /// What it must be.
        expected: String,
        /// What it is.
        given: String,
        /// How the tool is called.
        usage: String,
    },
}

/// A tool command: well formed, though there may be no such tool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolCommand {
    /// Whether it is `/tool` or `/skill`.
    pub kind: ToolKind,
    /// The tool's name.
    pub name: ToolName,
    /// The text after it, without blanks around it; may be empty.
    pub args: String,
}

impl ToolKind {
    fn prefix(self) -> &'static str {
        match self {
            Self::Tool => "/tool",
            Self::Skill => "/skill",
        }
    }

    /// The word for it.
    pub fn name(self) -> &'static str {
        self.prefix().trim_start_matches('/')
    }
}

impl fmt::Display for ToolCommand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.prefix(), self.name)?;
        if self.args.is_empty() { Ok(()) } else { write!(f, " {}", self.args) }
    }
}

impl ToolCommand {
    /// Reads `message` when it is a command: exactly `/tool` or `/skill` at its start, followed by a blank or nothing.
    /// None for every other message, such as `/toolbox` or `say /tool`.
    ///
    /// # Errors
    /// [`CommandError`] when it is one but breaks a rule: the name has 1 to 64 of `a-z`, `0-9`, `_`, `-`, the arguments
    /// have at most [`COMMAND_ARGS_CHARS_MAX`] characters, and nothing is a control character.
    pub fn parse(message: &str) -> Option<Result<Self, CommandError>> {
        let kinds = [ToolKind::Tool, ToolKind::Skill].into_iter();
        let (kind, rest) = kinds.filter_map(|kind| Some((kind, message.strip_prefix(kind.prefix())?))).next()?;
        if rest.chars().next().is_some_and(|c| !c.is_whitespace()) {
            return None;
        }
        Some(Self::parse_rest(kind, rest.trim_end()))
    }

    fn parse_rest(kind: ToolKind, rest: &str) -> Result<Self, CommandError> {
        let named = rest.trim_start();
        let (name, args) = named.split_once(char::is_whitespace).unwrap_or((named, ""));
        if name.is_empty() {
            return Err(CommandError::NoName { prefix: kind.prefix() });
        }
        let name = match kind {
            ToolKind::Skill => ToolName::for_skill(name.strip_suffix(SKILL_ENDING).unwrap_or(name)),
            ToolKind::Tool => ToolName::new(name),
        };
        let name = name.map_err(CommandError::Name)?;
        // Judged before blanks are cut off, for tabs and line breaks are blanks too.
        if let Some(character) = rest.chars().find(|c| c.is_control()) {
            return Err(CommandError::ControlCharacter { character });
        }
        Self::of(kind, name, args)
    }

    /// The command that calls the tool `name` with `args`, as `tools run --args` gives them.
    ///
    /// # Errors
    /// [`CommandError`] when the arguments are too long or hold a control character.
    pub fn new(name: ToolName, args: &str) -> Result<Self, CommandError> {
        Self::of(ToolKind::Tool, name, args)
    }

    /// The command that calls the skill `name` with `args`, as `skills run --args` gives them.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn for_skill(name: ToolName, args: &str) -> Result<Self, CommandError> {
        Self::of(ToolKind::Skill, name, args)
    }

    fn of(kind: ToolKind, name: ToolName, args: &str) -> Result<Self, CommandError> {
        let args = args.trim();
        let chars = args.chars().count();
        if chars > COMMAND_ARGS_CHARS_MAX {
            return Err(CommandError::TooLong { tool: name, chars });
        }
        if let Some(character) = args.chars().find(|c| c.is_control()) {
            return Err(CommandError::ControlCharacter { character });
        }
        Ok(Self { kind, name, args: args.to_owned() })
    }

    /// The call's arguments: the text as JSON when it begins with `{`, else its words in the order of
    /// [`ToolSpec::positional`], where the last parameter takes the rest.
    ///
    /// # Errors
    /// [`CommandError`] when the text is broken JSON, or a word or a field is missing, left over or not what its
    /// parameter takes.
    pub fn arguments(&self, spec: &ToolSpec) -> Result<Value, CommandError> {
        if self.args.starts_with('{') {
            return self.json_arguments(spec);
        }
        let mut arguments = Map::new();
        let mut rest = self.args.as_str();
        let last = spec.positional.len().saturating_sub(1);
        for (index, parameter) in spec.positional.iter().enumerate() {
            if rest.is_empty() {
                break;
            }
            let (word, after) = match rest.split_once(char::is_whitespace) {
                Some((word, after)) if index < last => (word, after.trim_start()),
                _ => (rest, ""),
            };
            arguments.insert(parameter.clone(), coerced(spec, parameter, word)?);
            rest = after;
        }
        if !rest.is_empty() {
            return Err(CommandError::TooMany { given: quoted(rest), usage: spec.usage() });
        }
        match schema::required(&spec.parameters).find(|name| !arguments.contains_key(*name)) {
            Some(parameter) => Err(CommandError::Missing {
                parameter: parameter.to_owned(),
                expected: schema::expected(property(spec, parameter)),
                usage: spec.usage(),
            }),
            None => self.fitted(spec, Value::Object(arguments)),
        }
    }

    fn json_arguments(&self, spec: &ToolSpec) -> Result<Value, CommandError> {
        match serde_json::from_str(&self.args) {
            Ok(arguments) => self.fitted(spec, arguments),
            Err(error) => {
                let (tool, usage) = (self.name.clone(), spec.usage());
                Err(CommandError::NotJson { tool, why: error.to_string(), usage })
            }
        }
    }

    /// `arguments`, when the tool takes them.
    fn fitted(&self, spec: &ToolSpec, arguments: Value) -> Result<Value, CommandError> {
        match schema::misfit(&spec.parameters, &schema::without_nulls(&spec.parameters, &arguments)) {
            Some(why) => Err(CommandError::Unfit { tool: self.name.clone(), why, usage: spec.usage() }),
            None => Ok(arguments),
        }
    }
}

fn property<'a>(spec: &'a ToolSpec, parameter: &str) -> &'a Value {
    spec.parameters.get("properties").and_then(|all| all.get(parameter)).unwrap_or(&Value::Null)
}

fn coerced(spec: &ToolSpec, parameter: &str, word: &str) -> Result<Value, CommandError> {
    let property = property(spec, parameter);
    value_of(property, word).ok_or_else(|| CommandError::Misfit {
        parameter: parameter.to_owned(),
        expected: schema::expected(property),
        given: quoted(word),
        usage: spec.usage(),
    })
}

/// `text` as a value of `property`: the first of its types that it can be read as; none when there is none, or it is
/// not one of the options.
pub(crate) fn value_of(property: &Value, text: &str) -> Option<Value> {
    let mut types = schema::types(property);
    if types.is_empty() {
        types.push("string");
    }
    // Text is anything, so it comes last.
    types.sort_by_key(|name| *name == "string");
    let value = types.into_iter().find_map(|name| match name {
        "integer" => integer(text),
        "number" => integer(text).or_else(|| text.parse().ok().and_then(Number::from_f64).map(Value::Number)),
        "boolean" => text.to_ascii_lowercase().parse().ok().map(Value::Bool),
        "string" => Some(Value::from(text)),
        _ => None,
    })?;
    match property.get("enum").and_then(Value::as_array) {
        Some(options) => options.iter().find(|option| same_option(option, &value)).cloned(),
        None => Some(value),
    }
}

fn integer(text: &str) -> Option<Value> {
    text.parse::<i64>().map(Value::from).or_else(|_| text.parse::<u64>().map(Value::from)).ok()
}

fn same_option(option: &Value, value: &Value) -> bool {
    match (option.as_str(), value.as_str()) {
        (Some(option), Some(value)) => option.eq_ignore_ascii_case(value),
        _ => option == value,
    }
}

#[cfg(test)]
#[path = "command/tests.rs"]
mod tests;
