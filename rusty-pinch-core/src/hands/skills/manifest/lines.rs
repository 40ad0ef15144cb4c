//! The lines of a header, told apart and placed.

use super::{KEYS, ManifestError, ManifestFault};
use crate::hands::skills::bounds::{HEADER_LINE_CHARS_MAX, HEADER_LINES_MAX};
use crate::hands::text::disguises;

const MARK: &str = "//!";
/// From this Jaro-Winkler likeness on, a wrong key is taken for a slip.
const LIKENESS_MIN: f64 = 0.8;
/// How much of a bad value an error quotes, in characters.
const QUOTED_CHARS_MAX: usize = 80;

/// One `key: value` of a header.
#[derive(Clone, Copy, Debug)]
pub(super) struct HeaderLine<'a> {
    /// From 1.
    pub(super) number: usize,
    pub(super) key: &'a str,
    pub(super) value: &'a str,
    key_column: usize,
    value_column: usize,
}

impl HeaderLine<'_> {
    pub(super) fn at_key(&self, fault: ManifestFault) -> ManifestError {
        ManifestError { line: self.number, column: self.key_column, fault }
    }

    pub(super) fn at_value(&self, fault: ManifestFault) -> ManifestError {
        ManifestError { line: self.number, column: self.value_column, fault }
    }

    /// The value breaks this rule.
    pub(super) fn bad(&self, rule: impl Into<String>) -> ManifestError {
        self.bad_item(self.value, rule)
    }

    /// `item`, which is a part of the value, breaks this rule.
    pub(super) fn bad_item(&self, item: &str, rule: impl Into<String>) -> ManifestError {
        let given = item.chars().take(QUOTED_CHARS_MAX).collect();
        self.at_item(item, ManifestFault::Value { key: self.key.to_owned(), given, rule: rule.into() })
    }

    /// `item` is a part of the value.
    pub(super) fn at_item(&self, item: &str, fault: ManifestFault) -> ManifestError {
        let column = self.value_column + chars_before(item, self.value);
        ManifestError { line: self.number, column, fault }
    }

    /// One more of this key may come behind `count` of them.
    pub(super) fn at_most(&self, count: usize, max: usize) -> Result<(), ManifestError> {
        if count < max {
            return Ok(());
        }
        Err(self.at_key(ManifestFault::TooMany { what: format!("lines `{}`", self.key), max }))
    }
}

/// The header's lines; none where the script begins with something else.
pub(super) fn header_lines(source: &str) -> Result<Vec<HeaderLine<'_>>, ManifestError> {
    let mut lines = Vec::new();
    let mut is_over = false;
    for (index, raw) in source.lines().enumerate() {
        let number = index + 1;
        let text = raw.trim_start();
        let Some(content) = text.strip_prefix(MARK) else {
            is_over = is_over || !lines.is_empty() || !text.is_empty();
            continue;
        };
        let column = raw.chars().count() - text.chars().count() + 1;
        let fault = |fault| ManifestError { line: number, column, fault };
        if is_over {
            return Err(fault(ManifestFault::Stray));
        }
        if lines.len() >= HEADER_LINES_MAX {
            return Err(fault(ManifestFault::TooMany { what: "lines".to_owned(), max: HEADER_LINES_MAX }));
        }
        if raw.chars().count() > HEADER_LINE_CHARS_MAX {
            let what = "characters on a line".to_owned();
            return Err(fault(ManifestFault::TooMany { what, max: HEADER_LINE_CHARS_MAX }));
        }
        if !content.trim().is_empty() {
            lines.push(split(number, raw, content)?);
        }
    }
    Ok(lines)
}

/// How many characters of `whole` stand before `part`, which is a part of it.
fn chars_before(part: &str, whole: &str) -> usize {
    let before = (part.as_ptr() as usize).saturating_sub(whole.as_ptr() as usize);
    whole.get(..before).map_or(0, |before| before.chars().count())
}

fn split<'a>(number: usize, raw: &'a str, content: &'a str) -> Result<HeaderLine<'a>, ManifestError> {
    let (key, value) = content.split_once(':').unwrap_or((content, ""));
    let (key, value) = (key.trim(), value.trim());
    let column = |part: &str| chars_before(part, raw) + 1;
    let line = HeaderLine { number, key, value, key_column: column(key), value_column: column(value) };
    if !content.contains(':') || key.is_empty() || key.chars().any(char::is_whitespace) {
        return Err(line.at_key(ManifestFault::NoKey));
    }
    if !KEYS.contains(&key) {
        let short: String = key.chars().take(QUOTED_CHARS_MAX).collect();
        let likeness = |known: &str| strsim::jaro_winkler(&short.to_ascii_lowercase(), known);
        let nearest = KEYS.iter().copied().max_by(|a, b| likeness(a).total_cmp(&likeness(b)));
        let nearest = nearest.filter(|known| likeness(known) >= LIKENESS_MIN);
        return Err(line.at_key(ManifestFault::UnknownKey { key: short, nearest }));
    }
    let rule = if value.is_empty() {
        "it must not be empty"
    } else if value.chars().any(|c| c.is_control() || disguises(c)) {
        "it must not hold control characters, nor others that hide text"
    } else {
        return Ok(line);
    };
    Err(line.bad(rule))
}
