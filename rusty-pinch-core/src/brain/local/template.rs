//! An example with holes where its values stand, and how well a message fits it.

use std::sync::Arc;

use serde_json::{Map, Value};

use super::kind::{Kind, Kinds, property};
use super::words::{Said, Word, asks, cost, has_content, without_politeness, words};
use crate::hands::{ToolExample, ToolSpec, argument_misfit, required_parameters};

/// The most words and holes of a template.
const PARTS_MAX: usize = 48;

/// A sentence that asks for a tool, with holes for values.
#[derive(Debug)]
pub(super) struct Template<'a> {
    parts: Vec<Part<'a>>,
    /// Arguments whose values are not in the sentence.
    constants: Map<String, Value>,
    /// Politeness is all it has, so it is compared with whole messages.
    pub(super) is_whole: bool,
    /// It is a question itself.
    pub(super) asks: bool,
}

#[derive(Debug)]
enum Part<'a> {
    Word(Word<'a>),
    Hole { parameter: &'a str, kind: Arc<Kind> },
}

/// How a message fits a template.
#[derive(Debug)]
pub(super) struct Fit {
    /// The arguments.
    pub(super) arguments: Value,
    /// From 0, nothing in common, to 1, the same sentence.
    pub(super) score: f64,
    /// How much of that are words and values that the message and the example share.
    pub(super) shared: f64,
    /// Whether words that the template does not have come before those that it has.
    pub(super) begins_otherwise: bool,
}

impl<'s> Template<'s> {
    /// The template of an example.
    fn of_example(spec: &ToolSpec, kinds: &Kinds, example: &'s ToolExample) -> Option<Self> {
        let all = words(&example.message);
        let (polite, _) = without_politeness(&all);
        let asks = all.first().is_some_and(asks) || example.message.trim_end().ends_with('?');
        let without = Self { asks, ..Self::with_holes(spec, kinds, example, polite) };
        if without.is_usable() {
            return Some(without);
        }
        let known = without.with_known_names(kinds);
        let whole = Self { is_whole: true, asks, ..Self::with_holes(spec, kinds, example, &all) };
        known.or_else(|| whole.is_usable().then_some(whole))
    }

    /// The same with the names of examples alone where any name could stand, as in `5 km to mi`: several values of which
    /// one is a known name are a request, though no word is. None where that does not help.
    fn with_known_names(&self, kinds: &Kinds) -> Option<Self> {
        let known = Arc::new(kinds.known());
        let (mut values, mut names) = (0, 0);
        let mut parts = Vec::new();
        for part in &self.parts {
            parts.push(match part {
                Part::Word(word) => Part::Word(word.clone()),
                Part::Hole { parameter, kind } => {
                    let is_name = match **kind {
                        Kind::Name { .. } => true,
                        Kind::Text => return None,
                        _ => false,
                    };
                    values += 1;
                    names += usize::from(is_name);
                    Part::Hole { parameter, kind: Arc::clone(if is_name { &known } else { kind }) }
                }
            });
        }
        let is_telling = names >= 1 && values >= 2;
        is_telling.then(|| Self { parts, constants: self.constants.clone(), is_whole: false, asks: self.asks })
    }

    fn with_holes(spec: &ToolSpec, kinds: &Kinds, example: &'s ToolExample, words: &[Word<'s>]) -> Self {
        let mut parts: Vec<_> = words.iter().take(PARTS_MAX).cloned().map(Part::Word).collect();
        let arguments = example.arguments.as_object();
        let mut values: Vec<_> = arguments
            .into_iter()
            .flatten()
            .filter(|(name, _)| kinds.is_hole(spec, name))
            .filter_map(|(name, value)| Some((name.as_str(), kinds.get(name)?, sought(value)?)))
            .collect();
        // Longer values first, or a short one could take its place inside a longer one.
        values.sort_by_key(|(_, _, value)| std::cmp::Reverse(value.len()));
        let mut holes = Vec::new();
        for (parameter, kind, value) in values {
            if let Some(at) = position(&parts, &value) {
                holes.push(parameter);
                parts.splice(at..at + value.len(), [Part::Hole { parameter, kind: Arc::clone(kind) }]);
            }
        }
        let rest = arguments.into_iter().flatten().filter(|(name, _)| !holes.contains(&name.as_str()));
        let constants = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
        Self { parts, constants, is_whole: false, asks: false }
    }

    /// The tool's own name as a request, followed by `parameters`.
    fn of_name(spec: &ToolSpec, kinds: &Kinds, parameters: impl Iterator<Item = &'s str>) -> Self {
        let name = spec.name.as_str().replace(['_', '-'], " ");
        let mut parts: Vec<_> = words(&name).into_iter().map(|word| Part::Word(word.into_owned())).collect();
        parts.extend(
            parameters.filter_map(|parameter| Some(Part::Hole { parameter, kind: Arc::clone(kinds.get(parameter)?) })),
        );
        Self { parts, constants: Map::new(), is_whole: false, asks: false }
    }

    /// Whether it can be told from any other sentence: by a word with content, or by the looks of a value.
    fn is_usable(&self) -> bool {
        let telling = |part: &Part<'_>| match part {
            Part::Word(word) => has_content(word),
            Part::Hole { kind, .. } => kind.is_distinct(),
        };
        let words = self.parts.iter().filter(|part| matches!(part, Part::Word(_))).count();
        let several_fillers = words >= 2 && !self.parts.iter().any(|part| matches!(part, Part::Hole { .. }));
        self.parts.iter().any(telling) || several_fillers
    }

    /// How a message fits; none when a value is missing or of another kind, or when it can't score `score_min`.
    pub(super) fn fit(&self, spec: &ToolSpec, said: Said<'_>, score_min: f64) -> Option<Fit> {
        let (mut all, mut found) = (0.0, 0.0);
        for part in &self.parts {
            let (weight, may_be_there) = match part {
                Part::Word(own) => (own.weight, said.words.iter().any(|word| word.is(own))),
                Part::Hole { kind, .. } => (kind.weight(), true),
            };
            all += weight;
            found += if may_be_there { weight } else { 0.0 };
        }
        // Aligning costs much more than this look, which most templates don't pass.
        if found < score_min * all {
            return None;
        }
        let alignment = Table::filled(self, spec, said).best()?;
        let mut arguments = self.constants.clone();
        arguments.extend(alignment.values);
        let arguments = Value::Object(arguments);
        if argument_misfit(&spec.parameters, &arguments).is_some() {
            return None;
        }
        let score = alignment.shared / (all + alignment.left_over);
        Some(Fit { arguments, score, shared: alignment.shared, begins_otherwise: alignment.begins_otherwise })
    }

    fn is_hole(&self, at: usize) -> bool {
        matches!(self.parts.get(at), Some(Part::Hole { .. }))
    }

    /// Whether the word before the hole at `at` means the tool, and not just the sentence.
    fn is_led(&self, at: usize) -> bool {
        let before = at.checked_sub(1).and_then(|before| self.parts.get(before));
        matches!(before, Some(Part::Word(word)) if has_content(word))
    }
}

/// The words to look for in the message; none for values that are not looked for.
fn sought(value: &Value) -> Option<Vec<Word<'_>>> {
    let words = match value {
        Value::String(text) => words(text),
        Value::Number(number) => words(&number.to_string()).into_iter().map(Word::into_owned).collect(),
        _ => return None,
    };
    Some(words).filter(|words| !words.is_empty())
}

fn position(parts: &[Part<'_>], value: &[Word<'_>]) -> Option<usize> {
    parts.windows(value.len()).position(|window| {
        window.iter().zip(value).all(|(part, word)| matches!(part, Part::Word(own) if own.text == word.text))
    })
}

/// Which words of a message stand for which parts of a template.
#[derive(Debug)]
struct Alignment {
    values: Vec<(String, Value)>,
    shared: f64,
    left_over: f64,
    begins_otherwise: bool,
}

/// What happens at a part and a word on the best way.
#[derive(Clone, Copy, Debug)]
enum Step {
    Match,
    SkipWord,
    SkipPart,
    Take(usize),
    End,
}

#[derive(Clone, Copy, Debug)]
struct Best {
    value: f64,
    step: Step,
}

/// The best ways from each part and word to the end, those with the most weight in common and the least left over, by
/// dynamic programming from the end: `free` when words and parts may be skipped first, `tied` when the part must stand
/// right there, because a value ends before it or its anchor does.
struct Table<'a> {
    template: &'a Template<'a>,
    spec: &'a ToolSpec,
    said: Said<'a>,
    free: Vec<Option<Best>>,
    tied: Vec<Option<Best>>,
}

impl<'a> Table<'a> {
    fn filled(template: &'a Template<'a>, spec: &'a ToolSpec, said: Said<'a>) -> Self {
        let width = said.words.len() + 1;
        let cells = (template.parts.len() + 1) * width;
        let mut table = Self { template, spec, said, free: vec![None; cells], tied: vec![None; cells] };
        for part in (0..=template.parts.len()).rev() {
            for word in (0..width).rev() {
                let tied = table.tied_step(part, word);
                let free = table.free_step(part, word, tied);
                let cell = part * width + word;
                if let (Some(at_tied), Some(at_free)) = (table.tied.get_mut(cell), table.free.get_mut(cell)) {
                    (*at_tied, *at_free) = (tied, free);
                }
            }
        }
        table
    }

    fn at(&self, is_tied: bool, part: usize, word: usize) -> Option<Best> {
        let width = self.said.words.len() + 1;
        let ways = if is_tied { &self.tied } else { &self.free };
        if word < width { ways.get(part * width + word).copied().flatten() } else { None }
    }

    /// The best way when `part` begins right at `word`.
    fn tied_step(&self, part: usize, word: usize) -> Option<Best> {
        match self.template.parts.get(part) {
            None => Some(Best { value: 0.0, step: Step::End }),
            Some(Part::Word(own)) => {
                let is_anchor = self.template.is_hole(part + 1);
                let said = self.said.words.get(word).filter(|said| fits(said, own, is_anchor))?;
                // After its anchor a value begins at once.
                let rest = self.at(is_anchor, part + 1, word + 1)?;
                Some(Best { value: rest.value + own.weight + cost(said), step: Step::Match })
            }
            Some(Part::Hole { kind, .. }) => self.take_step(part, word, kind),
        }
    }

    /// The best number of words for the value at `part`.
    fn take_step(&self, part: usize, word: usize, kind: &Kind) -> Option<Best> {
        if !self.may_begin(part, word, kind) {
            return None;
        }
        let left = self.said.words.get(word..)?;
        let is_last = part + 1 == self.template.parts.len();
        let lengths = match kind {
            Kind::Text if is_last => left.len()..=left.len(),
            _ => 1..=kind.reach(left, self.template.is_led(part)),
        };
        let mut best: Option<Best> = None;
        for length in lengths.rev() {
            let Some(rest) = self.at(!kind.ends_itself(), part + 1, word + length) else { continue };
            let taken = left.get(..length)?;
            let value = rest.value + taken.iter().map(cost).sum::<f64>();
            if best.is_none_or(|best| value > best.value) && self.read(part, taken).is_some() {
                best = Some(Best { value, step: Step::Take(length) });
            }
        }
        best
    }

    /// Whether a value can begin at `word`: right after its anchor or, where the example has none, at the message's
    /// start or wherever its looks give it away.
    fn may_begin(&self, part: usize, word: usize, kind: &Kind) -> bool {
        match part.checked_sub(1).and_then(|before| self.template.parts.get(before)) {
            None => word == 0 || kind.is_distinct(),
            Some(Part::Hole { .. }) => word > 0,
            Some(Part::Word(anchor)) => {
                let before = word.checked_sub(1).and_then(|before| self.said.words.get(before));
                before.is_some_and(|said| fits(said, anchor, true))
            }
        }
    }

    /// The best way when words before `part`, or `part` itself, may be skipped.
    fn free_step(&self, part: usize, word: usize, tied: Option<Best>) -> Option<Best> {
        let is_hole = self.template.is_hole(part);
        let is_end = part == self.template.parts.len();
        let skip_word = !is_end && (!is_hole || part == 0);
        // The word before a value holds it in place and can't be skipped.
        let skip_part = !is_end && !is_hole && !self.template.is_hole(part + 1);
        let ways = [
            (skip_word.then(|| self.at(false, part, word + 1)).flatten(), Step::SkipWord),
            (skip_part.then(|| self.at(false, part + 1, word)).flatten(), Step::SkipPart),
        ];
        let skipping = ways.into_iter().filter_map(|(way, step)| way.map(|way| Best { value: way.value, step }));
        skipping.fold(tied, |best, way| match best {
            Some(best) if best.value >= way.value => Some(best),
            _ => Some(way),
        })
    }

    /// The argument that the words `taken` stand for at `part`.
    fn read(&self, part: usize, taken: &[Word<'_>]) -> Option<Value> {
        let Some(Part::Hole { parameter, kind }) = self.template.parts.get(part) else { return None };
        let (first, last) = (taken.first()?, taken.last()?);
        let goes_on = matches!(**kind, Kind::Text) && self.said.words.last().is_some_and(|word| word.end == last.end);
        let text = self.said.text.get(first.start..if goes_on { self.said.end } else { last.end })?;
        kind.read(property(self.spec, parameter), text, taken, self.template.is_led(part))
    }

    /// The best way from the start, with what it takes.
    fn best(&self) -> Option<Alignment> {
        let mut found = Alignment { values: Vec::new(), shared: 0.0, left_over: 0.0, begins_otherwise: false };
        let (mut part, mut word, mut is_tied) = (0, 0, false);
        loop {
            match (self.at(is_tied, part, word)?.step, self.template.parts.get(part)) {
                (Step::Match, Some(Part::Word(own))) => {
                    found.shared += own.weight;
                    is_tied = self.template.is_hole(part + 1);
                    (part, word) = (part + 1, word + 1);
                }
                (Step::SkipWord, _) => {
                    found.begins_otherwise |= found.shared == 0.0;
                    found.left_over += self.said.words.get(word).map_or(0.0, cost);
                    word += 1;
                }
                (Step::SkipPart, _) => part += 1,
                (Step::Take(length), Some(Part::Hole { parameter, kind })) => {
                    let taken = self.said.words.get(word..word + length)?;
                    found.values.push(((*parameter).to_owned(), self.read(part, taken)?));
                    found.shared += kind.weight();
                    (part, word, is_tied) = (part + 1, word + length, !kind.ends_itself());
                }
                _ => {
                    found.left_over += self.said.words.get(word..)?.iter().map(cost).sum::<f64>();
                    return Some(found);
                }
            }
        }
    }
}

/// Whether a word of the message is that of the template. An anchor must be the very word: `notes` asks for something
/// else than `note` does.
fn fits(said: &Word<'_>, own: &Word<'_>, is_anchor: bool) -> bool {
    if is_anchor { said.text == own.text } else { said.is(own) }
}

/// Every template of a tool: its examples, and its own name with what it needs.
pub(super) fn all_of(spec: &ToolSpec) -> Vec<Template<'_>> {
    let kinds = Kinds::of(spec);
    let examples = spec.examples.iter().filter_map(|example| Template::of_example(spec, &kinds, example));
    let mut templates: Vec<_> = examples.collect();
    let required: Vec<_> = required_parameters(&spec.parameters).collect();
    let positional = || spec.positional.iter().map(String::as_str);
    if required.iter().all(|name| positional().any(|positional| positional == *name)) {
        templates.push(Template::of_name(spec, &kinds, positional().filter(|name| required.contains(name))));
        if positional().count() > required.len() {
            templates.push(Template::of_name(spec, &kinds, positional()));
        }
    }
    templates
}
