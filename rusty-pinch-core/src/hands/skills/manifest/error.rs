//! What can be wrong with a header.

use super::KEYS;
use crate::data::ToolName;

/// A header that breaks a rule, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {fault}")]
#[non_exhaustive]
pub struct ManifestError {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong there.
    pub fault: ManifestFault,
}

/// Which rule a header breaks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ManifestFault {
    /// A line is no `key: value`.
    #[error("a header line is `//! key: value`; write a remark as `//` behind the header")]
    NoKey,
    /// There is no such key.
    #[error("`{key}` is no key of a header{}; the keys are {}", hint(.nearest), KEYS.join(", "))]
    UnknownKey {
        /// The key.
        key: String,
        /// The key that was probably meant.
        nearest: Option<&'static str>,
    },
    /// A key stands there twice.
    #[error("`{key}` stands on line {first} already; keep one of them")]
    Repeated {
        /// The key.
        key: String,
        /// The line that has it first.
        first: usize,
    },
    /// A key that every header needs is not there.
    #[error("the header has no `{key}`; add a line `//! {key}: …`, or take the whole header away")]
    Missing {
        /// The key.
        key: &'static str,
    },
    /// The name is another one than the file's.
    #[error("the name is {given:?}, but the file is `{file}.rhai`; rename one of them, or leave the line out")]
    NotTheFile {
        /// The name in the header.
        given: String,
        /// The name of the file.
        file: String,
    },
    /// A value breaks its rule.
    #[error("{given:?} can't be the `{key}` of a skill: {rule}")]
    Value {
        /// The key.
        key: String,
        /// The value, shortened.
        given: String,
        /// What it must be.
        rule: String,
    },
    /// There are methods but no hosts to use them on.
    #[error("`methods` without `hosts` allows nothing; add a line `//! hosts: …`, or leave it out")]
    MethodsWithoutHosts,
    /// A tool is named that there is not.
    #[error("there is no tool `{tool}`; `rusty-pinch tools list` has the names")]
    NoSuchTool {
        /// The name.
        tool: ToolName,
    },
    /// A skill, or a tool for skills, is named as a tool.
    #[error("a skill may not call skills, and `{tool}` is one or is there for them; leave it out")]
    CallsSkills {
        /// The name.
        tool: ToolName,
    },
    /// A header line stands behind the header.
    #[error(
        "a line that begins with `//!` stands behind the header's end and would not count; move it to the start, or write `//`"
    )]
    Stray,
    /// There is more than a header may have.
    #[error("a header has at most {max} {what}; leave some out")]
    TooMany {
        /// Of what.
        what: String,
        /// The bound.
        max: usize,
    },
}

fn hint(nearest: &Option<&'static str>) -> String {
    nearest.map_or_else(String::new, |nearest| format!(" (did you mean `{nearest}`?)"))
}
