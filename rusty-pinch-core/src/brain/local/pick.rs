//! Which tool a message asks for, if any.

use serde_json::Value;

use super::template::{Fit, all_of};
use super::words::{Said, Word, has_content, without_politeness, words};
use crate::hands::{Repeat, ToolKind, ToolSpec, required_parameters};

/// From this score on a message is taken for a request. Of the phrasings in the tests, those that ask for something
/// score 0.70 and more, and those that don't 0.63 and less.
const SCORE_MIN: f64 = 0.65;
/// The score of a message that only shares words with a tool's description. Below that of any good example.
const DESCRIPTION_SCORE: f64 = 0.66;

/// The tool that `message` asks for, with its arguments.
pub(super) fn pick<'a>(message: &str, tools: &'a [ToolSpec]) -> Option<(&'a ToolSpec, Value)> {
    let all = words(message);
    let (polite, requested) = without_politeness(&all);
    let is_question = message.trim_end().ends_with('?') && !requested;
    let mut best: Option<(&ToolSpec, Fit)> = None;
    // Tools first, so that no name of a skill wins a tie.
    let of_kind = |kind| tools.iter().filter(move |spec| spec.kind == kind);
    for spec in of_kind(ToolKind::Tool).chain(of_kind(ToolKind::Skill)) {
        for template in all_of(spec) {
            let words = if template.is_whole { &all } else { polite };
            let Some(fit) = template.fit(spec, Said::new(message, &all, words), SCORE_MIN) else { continue };
            // To change something takes an order: neither a question about it nor a sentence that only contains one.
            let is_order = template.asks || !(is_question || fit.begins_otherwise);
            if is_order || spec.repeat == Repeat::ReadOnly {
                best = better(best, spec, fit);
            }
        }
        if let Some(fit) = described(spec, polite) {
            best = better(best, spec, fit);
        }
    }
    best.filter(|(_, fit)| fit.score >= SCORE_MIN).map(|(spec, fit)| (spec, fit.arguments))
}

/// The higher score wins, then whoever is no skill with a sentence without values, then the one with more in common, then
/// the one that came first. So a skill whose example is `what is 17 * 23?`, word for word, has no more of it than `calc`.
fn better<'a>(best: Option<(&'a ToolSpec, Fit)>, spec: &'a ToolSpec, fit: Fit) -> Option<(&'a ToolSpec, Fit)> {
    let rank = |spec: &ToolSpec, fit: &Fit| {
        let has_values = fit.arguments.as_object().is_some_and(|arguments| !arguments.is_empty());
        (fit.score, spec.kind == ToolKind::Tool || has_values, fit.shared)
    };
    match best {
        Some((old, ref old_fit)) if rank(old, old_fit) >= rank(spec, &fit) => best,
        _ => Some((spec, fit)),
    }
}

/// A tool that only reads and needs no arguments fits when everything that is said is in its name and description.
fn described(spec: &ToolSpec, said: &[Word<'_>]) -> Option<Fit> {
    if spec.repeat != Repeat::ReadOnly || required_parameters(&spec.parameters).next().is_some() {
        return None;
    }
    let content: Vec<_> = said.iter().filter(|word| has_content(word)).collect();
    if content.len() < 2 {
        return None;
    }
    let (name, description) = (spec.name.as_str().replace(['_', '-'], " "), words(&spec.description));
    let name = words(&name);
    let is_known = |word: &&Word<'_>| name.iter().chain(&description).any(|known| known.is(word));
    let fits = content.iter().all(is_known);
    let arguments = Value::Object(serde_json::Map::new());
    fits.then_some(Fit { arguments, score: DESCRIPTION_SCORE, shared: 0.0, begins_otherwise: false })
}
