//! A skill's header: what it is, what it takes, and what it may reach. Pure: text in, [`Manifest`] out.
//!
//! The header is the run of `//!` lines at the start of the script, blank lines before it aside. Each is `key: value`;
//! `docs/SKILLS.md` has the keys. A script without a header is a skill without capabilities. A header that breaks a rule
//! is refused as a whole: half a header would be one that lies.

mod error;
mod lines;
mod values;

use std::collections::BTreeSet;
use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::bounds::{HEADER_ARGUMENTS_MAX, HEADER_EXAMPLES_MAX};
use crate::data::ToolName;
use crate::hands::{Material, Repeat, Risk, ToolExample, ToolKind, ToolSpec};

pub use error::{ManifestError, ManifestFault};
use lines::{HeaderLine, header_lines};

/// The keys of a header, in the order in which a template lists them.
pub(super) const KEYS: &[&str] =
    &["name", "description", "version", "argument", "example", "hosts", "methods", "tools", "state"];

/// What a skill says about itself.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Manifest {
    /// Whether there is a header at all.
    pub has_header: bool,
    /// What it does, in one sentence.
    pub description: String,
    /// Its version, as its author counts.
    pub version: Option<String>,
    /// What it takes, in the order in which a command fills it.
    pub arguments: Vec<SkillArgument>,
    /// Sentences that ask for it.
    pub examples: Vec<ToolExample>,
    /// The hosts that it may reach.
    pub hosts: SkillHosts,
    /// The methods that it may use there: `GET`, `POST`.
    pub methods: BTreeSet<&'static str>,
    /// The tools that it may call.
    pub tools: BTreeSet<ToolName>,
    /// Whether it may keep values from run to run.
    pub keeps_state: bool,
}

/// One argument of a skill.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SkillArgument {
    /// Its name.
    pub name: String,
    /// `text`, `number`, `integer` or `boolean`.
    pub kind: ArgumentKind,
    /// Whether it may be left out.
    pub is_optional: bool,
    /// What it is.
    pub description: String,
}

/// What an argument's value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum ArgumentKind {
    /// Text.
    Text,
    /// A number.
    Number,
    /// A whole number.
    Integer,
    /// `true` or `false`.
    Boolean,
}

impl ArgumentKind {
    pub(super) const ALL: [(&'static str, Self); 4] =
        [("text", Self::Text), ("number", Self::Number), ("integer", Self::Integer), ("boolean", Self::Boolean)];

    fn schema_name(self) -> &'static str {
        match self {
            Self::Text => "string",
            Self::Number => "number",
            Self::Integer => "integer",
            Self::Boolean => "boolean",
        }
    }
}

/// Which hosts a skill may reach.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum SkillHosts {
    /// None.
    #[default]
    None,
    /// These: a name, a name with a port, or `*.zone` for every name below a zone.
    Named(Arc<[String]>),
    /// Any that the egress allows. Written `any`, for skills that are given a URL.
    Any,
}

impl Manifest {
    /// Reads the header of the script of the skill `name`.
    ///
    /// # Errors
    /// [`ManifestError`] with the line and the column of the first rule that is broken.
    pub fn parse(name: &ToolName, source: &str) -> Result<Self, ManifestError> {
        let lines = header_lines(source)?;
        let mut manifest = Self { has_header: !lines.is_empty(), ..Self::default() };
        let mut seen: Vec<(&str, usize)> = Vec::new();
        for line in &lines {
            let repeats = matches!(line.key, "argument" | "example");
            if let Some((_, first)) = seen.iter().find(|(key, _)| *key == line.key && !repeats) {
                return Err(line.at_key(ManifestFault::Repeated { key: line.key.to_owned(), first: *first }));
            }
            seen.push((line.key, line.number));
            manifest.take(name, line)?;
        }
        manifest.settle(name, &lines)?;
        Ok(manifest)
    }

    fn take(&mut self, name: &ToolName, line: &HeaderLine<'_>) -> Result<(), ManifestError> {
        match line.key {
            "name" if line.value != name.as_str() => {
                return Err(line.at_value(ManifestFault::NotTheFile {
                    given: line.value.chars().take(64).collect(),
                    file: name.as_str().to_owned(),
                }));
            }
            "name" => {}
            "description" => self.description = values::sentence(line)?,
            "version" => self.version = Some(values::version(line)?),
            "argument" => {
                line.at_most(self.arguments.len(), HEADER_ARGUMENTS_MAX)?;
                let argument = values::argument(line)?;
                if self.arguments.iter().any(|other| other.name == argument.name) {
                    let rule = "each argument has a name of its own";
                    return Err(line.bad(rule));
                }
                if !argument.is_optional && self.arguments.last().is_some_and(|last| last.is_optional) {
                    return Err(line.bad("an argument that must be given stands before those that may be left out"));
                }
                self.arguments.push(argument);
            }
            "example" => {
                line.at_most(self.examples.len(), HEADER_EXAMPLES_MAX)?;
                self.examples.push(values::example(line)?);
            }
            "hosts" => self.hosts = values::hosts(line)?,
            "methods" => self.methods = values::methods(line)?,
            "tools" => self.tools = values::tools(line)?,
            _ => self.keeps_state = values::yes_or_no(line)?,
        }
        Ok(())
    }

    /// Judges what no line can be blamed for alone.
    fn settle(&mut self, name: &ToolName, lines: &[HeaderLine<'_>]) -> Result<(), ManifestError> {
        let Some(first) = lines.first() else {
            self.description = format!("Runs the skill `{name}`, which says nothing about itself");
            return Ok(());
        };
        if self.description.is_empty() {
            return Err(first.at_key(ManifestFault::Missing { key: "description" }));
        }
        match (&self.hosts, lines.iter().find(|line| line.key == "methods")) {
            (SkillHosts::None, Some(methods)) => return Err(methods.at_key(ManifestFault::MethodsWithoutHosts)),
            (SkillHosts::None, None) | (_, Some(_)) => {}
            (_, None) => {
                self.methods.insert("GET");
            }
        }
        let parameters = self.parameters();
        let examples = lines.iter().filter(|line| line.key == "example");
        for (example, line) in self.examples.iter().zip(examples) {
            if let Some(why) = crate::hands::argument_misfit(&parameters, &example.arguments) {
                return Err(line.bad(format!("its arguments fit the skill's own, but {why}")));
            }
        }
        Ok(())
    }

    /// Blames the name `tool` in the header of `source`, which was read before.
    pub(super) fn blame_tool(source: &str, tool: &ToolName, fault: ManifestFault) -> ManifestError {
        let lines = header_lines(source).unwrap_or_default();
        let line = lines.iter().find(|line| line.key == "tools");
        let item = line.and_then(|line| values::items_of(line).find(|item| *item == tool.as_str()));
        match (line, item) {
            (Some(line), Some(item)) => line.at_item(item, fault),
            _ => ManifestError { line: 1, column: 1, fault },
        }
    }

    /// A JSON Schema of the arguments. A skill without a header takes one text, if its caller has any.
    pub fn parameters(&self) -> Value {
        let mut properties = Map::new();
        let mut required = Vec::new();
        for argument in &self.arguments {
            let schema = json!({"type": argument.kind.schema_name(), "description": argument.description});
            properties.insert(argument.name.clone(), schema);
            if !argument.is_optional {
                required.push(argument.name.clone());
            }
        }
        if !self.has_header {
            properties.insert("args".to_owned(), json!({"type": "string", "description": "What its `main` is given"}));
        }
        json!({
            "type": "object", "properties": properties, "required": required, "additionalProperties": false,
        })
    }

    /// The names of the arguments, in the order in which a command fills them.
    pub fn positional(&self) -> Vec<String> {
        match self.has_header {
            true => self.arguments.iter().map(|argument| argument.name.clone()).collect(),
            false => vec!["args".to_owned()],
        }
    }

    /// What happens when it runs twice: whoever only reads may.
    pub fn repeat(&self) -> Repeat {
        let acts = self.methods.contains("POST") || !self.tools.is_empty() || self.keeps_state;
        if acts { Repeat::Once } else { Repeat::ReadOnly }
    }

    /// How much harm it can do. Sending bodies, calling tools and naming any host are more than reading from hosts that
    /// the header names: a URL can carry words out of the house.
    pub fn risk(&self) -> Risk {
        let acts = self.methods.contains("POST") || !self.tools.is_empty() || self.hosts == SkillHosts::Any;
        if acts { Risk::Medium } else { Risk::Low }
    }

    /// Whether what it says may be other people's words: those that it fetched now, or kept when it was called before.
    pub fn output(&self) -> Material {
        let is_alone = self.hosts == SkillHosts::None && self.tools.is_empty() && !self.keeps_state;
        if is_alone { Material::Own } else { Material::Foreign }
    }

    /// What it may reach, in words; a skill without capabilities says so.
    pub fn capabilities(&self) -> String {
        let mut parts = Vec::new();
        let methods = self.methods.iter().copied().collect::<Vec<_>>().join(" and ");
        match &self.hosts {
            SkillHosts::None => {}
            SkillHosts::Named(hosts) => parts.push(format!("{methods} to {}", hosts.join(", "))),
            SkillHosts::Any => parts.push(format!("{methods} to any public host")),
        }
        if !self.tools.is_empty() {
            let tools: Vec<_> = self.tools.iter().map(ToolName::as_str).collect();
            parts.push(format!("the tools {}", tools.join(", ")));
        }
        if self.keeps_state {
            parts.push("values of its own".to_owned());
        }
        if parts.is_empty() { "nothing outside itself".to_owned() } else { parts.join("; ") }
    }

    /// The skill as a tool.
    pub fn spec(&self, name: &ToolName) -> ToolSpec {
        ToolSpec {
            name: name.clone(),
            description: self.description.clone(),
            parameters: self.parameters(),
            positional: self.positional(),
            repeat: self.repeat(),
            risk: self.risk(),
            examples: self.examples.clone(),
            kind: ToolKind::Skill,
            output: self.output(),
        }
    }
}

#[cfg(test)]
mod tests;
