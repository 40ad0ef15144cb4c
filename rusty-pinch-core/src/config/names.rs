//! Which names are known, and what an unknown one was probably meant to be.

use serde::Serialize;

use super::no_effect::NO_EFFECT;
use super::variable::{Section, Variable};
use super::vars::{ENV_FILE_VARIABLE, Vars};

/// What every variable of the program begins with.
const PREFIX: &str = "RUSTY_PINCH_";
/// Below this Jaro-Winkler similarity, a known name is no help (found by trying typical slips of the pen).
const SIMILAR_ENOUGH: f64 = 0.9;

/// Every room's table, in the order in which they are documented.
pub(crate) const SECTIONS: &[Section] = &[
    crate::brain::settings::SECTION,
    crate::brain::settings::codex::SECTION,
    crate::brain::settings::budget::SECTION,
    crate::agent::settings::SECTION,
    crate::hands::egress::settings::SECTION,
    crate::hands::skill_settings::SECTION,
    crate::store::settings::SECTION,
    crate::telemetry::settings::SECTION,
    super::settings::SECTION,
];

/// A variable that begins like ours and is none of ours.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct UnknownName {
    /// The name.
    pub name: String,
    /// The known name that it was probably meant to be.
    pub nearest: Option<&'static str>,
}

/// Every variable of every table.
pub(crate) fn variables() -> impl Iterator<Item = &'static Variable> {
    SECTIONS.iter().flat_map(|section| section.variables)
}

fn known_names() -> impl Iterator<Item = &'static str> {
    variables().flat_map(Variable::names).chain(NO_EFFECT.iter().map(|(name, _)| *name))
}

/// Whether the program looks at a variable of this name at all.
pub(crate) fn is_ours(name: &str) -> bool {
    name.starts_with(PREFIX) || name == ENV_FILE_VARIABLE || known_names().any(|known| known == name)
}

/// Names in `vars` that begin like ours and are in no table.
pub(crate) fn unknown(vars: &Vars) -> Vec<UnknownName> {
    let named = vars.key_variables();
    vars.names()
        .filter(|name| name.starts_with(PREFIX) && !named.contains(*name) && !known_names().any(|known| known == *name))
        .map(|name| UnknownName { name: name.to_owned(), nearest: nearest(name) })
        .collect()
}

fn nearest(name: &str) -> Option<&'static str> {
    // The prefix is the same in all and would make everything similar.
    let tail = |name: &'static str| name.strip_prefix(PREFIX);
    let wanted = name.strip_prefix(PREFIX).unwrap_or(name).to_ascii_uppercase();
    known_names()
        .filter_map(|known| tail(known).map(|tail| (strsim::jaro_winkler(&wanted, tail), known)))
        .filter(|(similarity, _)| *similarity >= SIMILAR_ENOUGH)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known)
}

/// Names in `vars` that the previous program read and this version does not, each with what it belongs to.
pub(crate) fn without_effect(vars: &Vars) -> Vec<(&'static str, &'static str)> {
    NO_EFFECT
        .iter()
        .filter(|(name, _)| vars.get(name).is_some_and(|given| !given.value.trim().is_empty()))
        .copied()
        .collect()
}
