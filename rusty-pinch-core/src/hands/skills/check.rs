//! What can be said of a script without running it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use rhai::{AST, ASTNode, Expr, FnCallExpr, Position, Stmt};
use serde::{Deserialize, Serialize};

use super::SkillError;
use super::bounds::{LINT_NAME_CHARS_MAX, LINTS_MAX};
use super::engine::{ENGINE, compile};
use super::failure::ScriptFailure;
use super::host::HOST_FUNCTIONS;
use super::natives::SWITCHED_OFF;
use crate::data::ToolName;

/// What a script defines and calls.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ScriptShape {
    /// Whether it has `main(args)`.
    pub main_with_text: bool,
    /// Whether it has `main()`.
    pub main_bare: bool,
    /// Its functions, with their numbers of arguments, sorted.
    pub functions: Vec<(String, usize)>,
    /// The host functions that it calls, sorted.
    pub host_functions: Vec<String>,
    /// What is probably not meant, in the order of the script. Of more than 64, the last says how many are left out.
    pub lints: Vec<ScriptLint>,
}

/// Something in a script that is probably not meant.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ScriptLint {
    /// Line and column, from 1, where there is a place.
    pub at: Option<(usize, usize)>,
    /// What, and what to do.
    pub message: String,
}

/// Reads a script in this process and says what it defines and calls, without running any of it.
///
/// Reading looks at no deadline, and a script can be written so that it takes seconds: one of a stranger is read in a
/// sandbox, as [`examine_skill`](super::examine_skill) does.
///
/// # Errors
/// [`SkillError::Syntax`] with the place, or [`SkillError::OverBound`] when it is too long.
pub fn check_script(skill: &ToolName, source: &str) -> Result<ScriptShape, SkillError> {
    compile(source).map(|ast| shape(&ast)).map_err(|failure| failure.of(skill))
}

/// The shape of a script as JSON, as a sandbox says it.
pub(super) fn shape_text(source: &str) -> Result<String, ScriptFailure> {
    let shape = shape(&compile(source)?);
    serde_json::to_string(&shape).map_err(|error| ScriptFailure::failed(error.to_string()))
}

fn shape(ast: &AST) -> ScriptShape {
    let mut own: BTreeMap<&str, BTreeSet<usize>> = BTreeMap::new();
    for function in ast.iter_functions() {
        own.entry(function.name).or_default().insert(function.params.len());
    }
    let named: Vec<(&str, usize)> =
        own.iter().flat_map(|(name, arities)| arities.iter().map(|arity| (*name, *arity))).collect();
    let has_main = |arity| own.get("main").is_some_and(|arities| arities.contains(&arity));
    let mut shape = ScriptShape {
        main_with_text: has_main(1),
        main_bare: has_main(0),
        // A closure is a function with a name that nobody can write.
        functions: named.iter().filter(|(name, _)| is_name(name)).map(|(name, n)| ((*name).to_owned(), *n)).collect(),
        ..ScriptShape::default()
    };
    let calls = calls(ast);
    let hosts: BTreeSet<&str> = calls.iter().map(|call| call.name.as_str()).filter(|name| is_host(name)).collect();
    shape.host_functions = hosts.into_iter().map(str::to_owned).collect();
    shape.lints = lints(&shape, &own, &calls);
    shape
}

/// A call of a function by its name.
struct Call {
    name: String,
    arguments: usize,
    is_method: bool,
    at: Option<(usize, usize)>,
}

fn calls(ast: &AST) -> Vec<Call> {
    let mut calls = Vec::new();
    ast.walk(&mut |nodes: &[ASTNode<'_>]| {
        match nodes.last() {
            Some(ASTNode::Expr(Expr::FnCall(call, at)) | ASTNode::Stmt(Stmt::FnCall(call, at))) => {
                calls.extend(call_of(call, *at, false));
            }
            Some(ASTNode::Expr(Expr::MethodCall(call, at))) => calls.extend(call_of(call, *at, true)),
            _ => {}
        }
        true
    });
    calls
}

fn call_of(call: &FnCallExpr, at: Position, is_method: bool) -> Option<Call> {
    if call.is_operator_call() || call.is_qualified() || !is_name(&call.name) {
        return None;
    }
    let at = at.line().map(|line| (line, at.position().unwrap_or(1)));
    Some(Call { name: call.name.to_string(), arguments: call.args.len() + usize::from(is_method), is_method, at })
}

fn lints(shape: &ScriptShape, own: &BTreeMap<&str, BTreeSet<usize>>, calls: &[Call]) -> Vec<ScriptLint> {
    let mut lints: Vec<ScriptLint> = calls.iter().filter_map(|call| lint(own, call)).collect();
    lints.sort();
    if !shape.main_with_text && !shape.main_bare {
        let message = "there is no `main(args)` and no `main()`, where a skill begins".to_owned();
        lints.push(ScriptLint { at: None, message });
    }
    let called: BTreeSet<&str> = calls.iter().map(|call| call.name.as_str()).collect();
    for (name, arity) in &shape.functions {
        let message = match name.as_str() {
            "main" if *arity > 1 => format!("`main` with {arity} arguments is never called; it gets one or none"),
            "main" => continue,
            name if is_host(name) => format!("`{name}` hides the host function of that name; give it another"),
            name if !called.contains(name) => format!("{} is never called by its name", shown(name)),
            _ => continue,
        };
        lints.push(ScriptLint { at: None, message });
    }
    bounded(lints)
}

fn bounded(mut lints: Vec<ScriptLint>) -> Vec<ScriptLint> {
    let left_out = lints.len().saturating_sub(LINTS_MAX);
    if left_out > 0 {
        lints.truncate(LINTS_MAX);
        lints.push(ScriptLint { at: None, message: format!("and {left_out} more") });
    }
    lints
}

/// A name as a lint shows it; a script's may be as long as the script.
fn shown(name: &str) -> String {
    match name.char_indices().nth(LINT_NAME_CHARS_MAX) {
        Some((end, _)) => format!("`{}…`", name.get(..end).unwrap_or_default()),
        None => format!("`{name}`"),
    }
}

fn lint(own: &BTreeMap<&str, BTreeSet<usize>>, call: &Call) -> Option<ScriptLint> {
    let name = call.name.as_str();
    let at = call.at;
    if SWITCHED_OFF.contains(&name) {
        return Some(ScriptLint { at, message: format!("`{name}` is switched off in a skill") });
    }
    let known = |arities: &BTreeSet<usize>| arities.contains(&call.arguments);
    match (own.get(name), NATIVES.get(name)) {
        (Some(mine), _) if known(mine) || call.is_method => None,
        (_, Some(natives)) if known(natives) || natives.is_empty() => None,
        // A method may be a function that a map holds.
        (None, None) if call.is_method => None,
        (None, None) => Some(ScriptLint { at, message: format!("there is no function {}", shown(name)) }),
        (mine, natives) => {
            let arities: BTreeSet<_> = mine.into_iter().chain(natives).flatten().map(usize::to_string).collect();
            let takes = arities.into_iter().collect::<Vec<_>>().join(" or ");
            let message = format!("{} takes {takes} arguments, not {}", shown(name), call.arguments);
            Some(ScriptLint { at, message })
        }
    }
}

/// What the language itself takes for a function, with any number of arguments.
const LANGUAGE: &[&str] =
    &["print", "debug", "type_of", "call", "curry", "Fn", "is_shared", "is_def_var", "is_def_fn", "this"];

/// Every native function with its numbers of arguments.
static NATIVES: LazyLock<BTreeMap<String, BTreeSet<usize>>> = LazyLock::new(|| {
    let mut natives: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    let all = |info: rhai::FuncInfo<'_>| Some((info.metadata.name.to_string(), info.metadata.num_params));
    for (name, arity) in ENGINE.collect_fn_metadata(None, all, true) {
        natives.entry(name).or_default().insert(arity);
    }
    for name in LANGUAGE {
        natives.insert((*name).to_owned(), BTreeSet::new());
    }
    natives
});

fn is_host(name: &str) -> bool {
    HOST_FUNCTIONS.iter().any(|(host, _)| *host == name)
}

/// Whether somebody can have written it: operators begin otherwise, and closures have a `$` within.
fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_alphabetic() || c == '_') && !name.contains('$')
}
