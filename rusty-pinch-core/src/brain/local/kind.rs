//! What a value looks like, learned from a tool's schema and from the values in its examples.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::Value;

use super::words::{self, Word, breaks_a_name, has_content};
use crate::hands::{ToolSpec, schema_types, value_of};

/// The most words of a value that does not go to the message's end.
pub(super) const VALUE_WORDS_MAX: usize = 24;
/// How many more words than any example's value a name may have.
const NAME_WORDS_MORE: usize = 2;
/// Values of up to so many words are taken for names, longer ones for free text.
const NAME_WORDS_MAX: usize = 3;

/// What a value looks like.
#[derive(Debug)]
pub(super) enum Kind {
    /// A number or one of several options: whatever the schema can read.
    Typed,
    /// Arithmetic: digits with signs, and words that examples have among them.
    Formula {
        /// Those words.
        vocabulary: Vec<String>,
    },
    /// One word that holds these signs, such as the `/` of `Europe/Berlin`.
    Shaped {
        /// The signs.
        signs: Vec<char>,
    },
    /// One word that names a host or is a URL, such as `example.com`.
    Address,
    /// A few words.
    Name {
        /// At most so many.
        words_max: usize,
    },
    /// One of the words that examples have for names, in lower case: for sentences that nothing else tells from talk.
    Known {
        /// Those words.
        values: Arc<[String]>,
    },
    /// Any words, to the end.
    Text,
}

/// The kinds of a tool's values.
#[derive(Debug)]
pub(super) struct Kinds {
    by_parameter: BTreeMap<String, Arc<Kind>>,
    /// The names of one word in all examples.
    known: Arc<[String]>,
    /// Every example has the same arguments.
    alike: bool,
}

impl Kinds {
    /// Those of `spec`.
    pub(super) fn of(spec: &ToolSpec) -> Self {
        let properties = spec.parameters.get("properties").and_then(Value::as_object);
        let names = properties.into_iter().flat_map(|properties| properties.keys());
        let by_parameter: BTreeMap<_, _> = names.map(|name| (name.clone(), Arc::new(Kind::of(spec, name)))).collect();
        let is_name = |name: &String| by_parameter.get(name).is_some_and(|kind| matches!(**kind, Kind::Name { .. }));
        let known = spec
            .examples
            .iter()
            .filter_map(|example| example.arguments.as_object())
            .flatten()
            .filter(|(name, _)| is_name(name))
            .filter_map(|(_, value)| value.as_str().map(str::to_lowercase))
            .filter(|value| !value.contains(char::is_whitespace))
            .collect();
        let mut arguments = spec.examples.iter().map(|example| {
            example.arguments.as_object().map(|fields| fields.keys().collect::<Vec<_>>()).unwrap_or_default()
        });
        let first = arguments.next();
        Self { by_parameter, known, alike: arguments.all(|other| Some(other) == first) }
    }

    /// The kind of a parameter's values.
    pub(super) fn get(&self, parameter: &str) -> Option<&Arc<Kind>> {
        self.by_parameter.get(parameter)
    }

    /// The names of one word that the examples have.
    pub(super) fn known(&self) -> Kind {
        Kind::Known { values: Arc::clone(&self.known) }
    }

    /// Whether an example's value of `parameter` is a hole.
    ///
    /// One of several options is one only where every option takes the same arguments, as a lamp's `on` and `off` do.
    /// Otherwise it stays a word: `list my notes` does not teach `pin my notes`.
    pub(super) fn is_hole(&self, spec: &ToolSpec, parameter: &str) -> bool {
        self.alike || property(spec, parameter).get("enum").is_none()
    }
}

impl Kind {
    /// The kind of the values of `parameter`.
    fn of(spec: &ToolSpec, parameter: &str) -> Self {
        let property = property(spec, parameter);
        let types = schema_types(property);
        if property.get("enum").is_some() || (!types.is_empty() && !types.contains(&"string")) {
            return Self::Typed;
        }
        let values: Vec<&str> = spec
            .examples
            .iter()
            .filter_map(|example| example.arguments.get(parameter).and_then(Value::as_str))
            .collect();
        Self::learned(&values)
    }

    fn learned(values: &[&str]) -> Self {
        if values.is_empty() {
            return Self::Text;
        }
        let plain = values.iter().filter(|value| is_plain_formula(value)).count();
        if plain * 3 >= values.len() && values.iter().all(|value| value.contains(|c: char| c.is_ascii_digit())) {
            let vocabulary = values.iter().flat_map(|value| letters(value)).collect();
            return Self::Formula { vocabulary };
        }
        let sign = |c: &char| c.is_ascii_punctuation() && *c != '.' && *c != '\'';
        let signs: Vec<char> = values.first().map(|value| value.chars().filter(sign).collect()).unwrap_or_default();
        let signs: Vec<char> = signs.into_iter().filter(|sign| values.iter().all(|v| v.contains(*sign))).collect();
        let words_max = values.iter().map(|value| words::words(value).len()).max().unwrap_or_default();
        if words_max == 1 && !signs.is_empty() {
            return Self::Shaped { signs };
        }
        if words_max == 1 && values.iter().all(|value| is_address(value)) {
            return Self::Address;
        }
        if words_max <= NAME_WORDS_MAX { Self::Name { words_max: words_max + NAME_WORDS_MORE } } else { Self::Text }
    }

    /// Whether a value is recognised by its looks alone, without a word of an example beside it.
    pub(super) fn is_distinct(&self) -> bool {
        matches!(self, Self::Formula { .. } | Self::Shaped { .. } | Self::Address)
    }

    /// Whether it says by itself where a value ends, so that words may be between it and the next of the example.
    pub(super) fn ends_itself(&self) -> bool {
        !matches!(self, Self::Name { .. } | Self::Text)
    }

    /// How much it says that such a value is there.
    pub(super) fn weight(&self) -> f64 {
        match self {
            Self::Formula { .. } | Self::Shaped { .. } | Self::Address | Self::Known { .. } | Self::Typed => 1.0,
            Self::Name { .. } | Self::Text => 0.5,
        }
    }

    /// How many of `words` a value that begins with them can have at the most.
    pub(super) fn reach(&self, words: &[Word<'_>], led: bool) -> usize {
        let reach = match self {
            Self::Typed => 3,
            Self::Shaped { .. } | Self::Address | Self::Known { .. } => 1,
            Self::Name { words_max } => *words_max,
            Self::Text => VALUE_WORDS_MAX,
            Self::Formula { vocabulary } => {
                let fits = |word: &&Word<'_>| led || letters(&word.text).iter().all(|run| vocabulary.contains(run));
                words.iter().take(VALUE_WORDS_MAX).take_while(fits).count()
            }
        };
        reach.min(words.len())
    }

    /// The argument that `text`, made of `words`, stands for; none when it does not look like one. `led` says that a
    /// word that means the tool stands right before it, so that it may look less typical.
    pub(super) fn read(&self, property: &Value, text: &str, words: &[Word<'_>], led: bool) -> Option<Value> {
        let plain = text.trim_end_matches(['?', '.', '!', ',', ';', ':']).trim();
        let plain = unquoted(plain);
        match self {
            Self::Typed => value_of(property, plain.trim_start_matches('#')),
            Self::Formula { vocabulary } => {
                let formula = text.trim().trim_end_matches(|c: char| c.is_whitespace() || "?.,;:=".contains(c));
                is_formula(formula, vocabulary, led).then(|| Value::from(formula))
            }
            Self::Shaped { signs } => {
                let fits = signs.iter().all(|sign| plain.contains(*sign)) && plain.contains(char::is_alphanumeric);
                fits.then(|| Value::from(plain))
            }
            Self::Address => is_address(plain).then(|| Value::from(plain)),
            Self::Known { values } => values.contains(&plain.to_lowercase()).then(|| Value::from(plain)),
            Self::Name { .. } => {
                let fits = words.iter().any(has_content) && !words.iter().any(breaks_a_name);
                (fits && plain.contains(char::is_alphanumeric)).then(|| Value::from(plain))
            }
            Self::Text => {
                let says = |word: &Word<'_>| has_content(word) && word.text.contains(char::is_alphabetic);
                words.iter().any(says).then(|| Value::from(plain))
            }
        }
    }
}

/// The schema of `parameter`.
pub(super) fn property<'a>(spec: &'a ToolSpec, parameter: &str) -> &'a Value {
    spec.parameters.get("properties").and_then(|all| all.get(parameter)).unwrap_or(&Value::Null)
}

fn unquoted(text: &str) -> &str {
    for (open, close) in [('"', '"'), ('“', '”'), ('„', '“'), ('«', '»'), ('`', '`')] {
        if let Some(inner) = text.strip_prefix(open).and_then(|rest| rest.strip_suffix(close)) {
            return inner.trim();
        }
    }
    text
}

/// Whether it is a URL, or a dot stands before a letter inside it as in the name of a host, or it has four numbers; `3.5` is
/// none.
fn is_address(text: &str) -> bool {
    let mut dots = text.match_indices('.').filter_map(|(at, _)| text.split_at_checked(at));
    let is_name = dots.any(|(before, behind)| {
        before.ends_with(char::is_alphanumeric) && behind.chars().nth(1).is_some_and(char::is_alphabetic)
    });
    let host = text.split([':', '/']).next().unwrap_or_default();
    is_name || text.contains("://") || host.parse::<std::net::Ipv4Addr>().is_ok()
}

fn is_operator(c: char) -> bool {
    "+-*/^%!×÷−·".contains(c)
}

fn is_plain_formula(text: &str) -> bool {
    let allowed = |c: char| c.is_ascii_digit() || c.is_whitespace() || is_operator(c) || "().,".contains(c);
    text.chars().all(allowed) && text.contains(|c: char| c.is_ascii_digit()) && text.contains(is_operator)
}

/// The runs of letters in `text`, in lower case.
fn letters(text: &str) -> Vec<String> {
    let lower = text.to_lowercase();
    lower.split(|c: char| !c.is_alphabetic()).filter(|run| !run.is_empty()).map(str::to_owned).collect()
}

fn is_formula(text: &str, vocabulary: &[String], led: bool) -> bool {
    let allowed = |c: char| c.is_alphanumeric() || c.is_whitespace() || is_operator(c) || "().,<>=°".contains(c);
    let begins = text.starts_with(|c: char| c.is_alphanumeric() || "(-+.√".contains(c));
    let has_digit = text.contains(|c: char| c.is_ascii_digit());
    if !begins || !has_digit || !text.chars().all(allowed) || has_code(text) {
        return false;
    }
    let runs = letters(text);
    let known = runs.iter().filter(|run| vocabulary.contains(run)).count();
    // `calculate` or `convert` before it vouches for units and functions that no example has.
    let vouched = known == runs.len() || led;
    vouched && (text.contains(is_operator) || known > 0 || (led && !runs.is_empty()))
}

/// Numbers that begin with a zero are codes, dates or telephone numbers.
fn has_code(text: &str) -> bool {
    text.split(|c: char| !(c.is_alphanumeric() || c == '.' || c == ',')).any(|number| {
        let mut chars = number.chars();
        chars.next() == Some('0') && chars.next().is_some_and(|c| c.is_ascii_digit())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_learned_from_values() {
        assert!(matches!(Kind::learned(&["17 * 23", "(3+4)*2", "5 km to miles"]), Kind::Formula { .. }));
        assert!(matches!(Kind::learned(&["Europe/Berlin", "Asia/Tokyo"]), Kind::Shaped { signs } if signs == ['/']));
        assert!(matches!(Kind::learned(&["example.com", "https://example.org/"]), Kind::Address));
        assert!(matches!(Kind::learned(&["3.5", "Hanoi"]), Kind::Name { .. }));
        assert!(matches!(Kind::learned(&["Hanoi", "New York"]), Kind::Name { words_max: 4 }));
        assert!(matches!(Kind::learned(&["the bins go out on Tuesday"]), Kind::Text));
        assert!(matches!(Kind::learned(&[]), Kind::Text));
    }

    #[test]
    fn formulas_are_told_from_other_numbers() {
        let vocabulary = vec!["of".to_owned(), "sqrt".to_owned()];
        for good in ["17*23", "(3 + 4) * 2", "15% of 80", "sqrt(2)", "5!", "-3 + 1", "1,000 / 3"] {
            assert!(is_formula(good, &vocabulary, false), "{good}");
        }
        for bad in ["5", "", "2026-01-05", "0171-555", "a + b", "2 + love", "* 3", "3 lb to kg", "1; 2"] {
            assert!(!is_formula(bad, &vocabulary, false), "{bad}");
        }
        assert!(is_formula("3 lb to kg", &vocabulary, true));
    }
}
