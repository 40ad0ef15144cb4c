//! What went wrong with a script, before anybody said whose script it was.

use rhai::{Dynamic, EvalAltResult, ParseError, ParseErrorType, Position};
use serde::{Deserialize, Serialize};

use super::bounds::{
    ARRAY_ITEMS_MAX, CALL_LEVELS_MAX, MAP_ENTRIES_MAX, OPERATIONS_MAX, STRING_BYTES_MAX, VARIABLES_MAX, WHY_BYTES_MAX,
};
use super::values::with_article;
use super::{SkillError, engine};
use crate::data::ToolName;
use crate::hands::floor_char_boundary;

/// Why a script gave no output.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ScriptFailure {
    pub(super) kind: FailureKind,
    /// Line and column, from 1.
    pub(super) at: Option<(usize, usize)>,
    /// What is wrong, or which bound it went over.
    pub(super) why: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum FailureKind {
    /// It is no script.
    Syntax,
    /// It failed.
    Failed,
    /// It went over a bound.
    OverBound,
}

impl ScriptFailure {
    pub(super) fn failed(why: impl Into<String>) -> Self {
        Self { kind: FailureKind::Failed, at: None, why: cut(why.into()) }
    }

    pub(super) fn over(bound: impl Into<String>) -> Self {
        Self { kind: FailureKind::OverBound, at: None, why: cut(bound.into()) }
    }

    /// The error of the skill `skill`.
    pub(super) fn of(self, skill: &ToolName) -> SkillError {
        let skill = skill.clone();
        // What a child says is cut here as well: it may not have kept to its own bounds.
        let (at, why) = (self.at, cut(self.why));
        match self.kind {
            FailureKind::Syntax => SkillError::Syntax { skill, at, why },
            FailureKind::Failed => SkillError::Failed { skill, at, why },
            FailureKind::OverBound => SkillError::OverBound { skill, at, bound: why },
        }
    }

    fn at(mut self, position: Position) -> Self {
        self.at = place(position);
        self
    }
}

impl From<ParseError> for ScriptFailure {
    fn from(ParseError(kind, position): ParseError) -> Self {
        let why = match *kind {
            ParseErrorType::ExprTooDeep => "an expression is nested too deeply".to_owned(),
            kind => kind.to_string(),
        };
        Self { kind: FailureKind::Syntax, at: place(position), why: cut(why) }
    }
}

impl From<Box<EvalAltResult>> for ScriptFailure {
    fn from(error: Box<EvalAltResult>) -> Self {
        let (error, position) = innermost(*error);
        match error {
            EvalAltResult::ErrorParsing(kind, _) => ParseError(Box::new(kind), position).into(),
            EvalAltResult::ErrorTooManyOperations(_) => Self::over(format!("{OPERATIONS_MAX} operations")),
            EvalAltResult::ErrorStackOverflow(_) => Self::over(format!("{CALL_LEVELS_MAX} calls within calls")),
            EvalAltResult::ErrorTooManyVariables(_) => Self::over(format!("{VARIABLES_MAX} variables")),
            EvalAltResult::ErrorDataTooLarge(what, _) => Self::over(size_of(&what)),
            EvalAltResult::ErrorTerminated(bound, _) => Self::over(bound.into_string().unwrap_or_default()),
            EvalAltResult::ErrorRuntime(thrown, _) => Self::failed(thrown_text(&thrown)),
            other => Self::failed(other.to_string()),
        }
        .at(position)
    }
}

/// The error inside those that say which functions were called, with the most exact place that is known.
fn innermost(mut error: EvalAltResult) -> (EvalAltResult, Position) {
    let mut position = error.take_position();
    loop {
        match error {
            EvalAltResult::ErrorInFunctionCall(_, _, inner, _) | EvalAltResult::ErrorInModule(_, inner, _) => {
                error = *inner;
                let inner = error.take_position();
                if !inner.is_none() {
                    position = inner;
                }
            }
            error => return (error, position),
        }
    }
}

/// The bound that a value of this kind went over; Rhai says only its kind.
fn size_of(what: &str) -> String {
    let what = what.to_lowercase();
    if what.contains("string") {
        format!("{} KiB of text in one value", STRING_BYTES_MAX / 1024)
    } else if what.contains("map") {
        format!("{MAP_ENTRIES_MAX} entries of one map")
    } else {
        format!("{ARRAY_ITEMS_MAX} items of one array")
    }
}

fn thrown_text(thrown: &Dynamic) -> String {
    match engine::text_of(thrown, "error") {
        Ok(text) if text.is_empty() => "it threw an error without a text".to_owned(),
        Ok(text) => text,
        Err(why) => format!("it threw {} that can't be shown: {}", with_article(thrown.type_name()), why.why),
    }
}

fn place(position: Position) -> Option<(usize, usize)> {
    Some((position.line()?, position.position().unwrap_or(1)))
}

fn cut(mut why: String) -> String {
    if why.len() > WHY_BYTES_MAX {
        why.truncate(floor_char_boundary(&why, WHY_BYTES_MAX));
        why.push('…');
    }
    why
}
