//! A message as words: where each stands, and how much it says.

use std::borrow::Cow;

use crate::hands::floor_char_boundary;

/// How much of a message is looked at word by word, in bytes. A value that goes to the message's end is taken whole.
const LOOKED_AT_BYTES_MAX: usize = 4 * 1024;
/// The most words of a message that are looked at.
const WORDS_MAX: usize = 128;
/// A word and the blank behind it are about so long, in bytes.
const WORD_BYTES_USUAL: usize = 5;
/// How much of a word is compared, in bytes.
const WORD_BYTES_MAX: usize = 256;

/// A word of a text.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Word<'a> {
    /// Lower case, without punctuation around it; the signs themselves when it is nothing but signs.
    pub(super) text: Cow<'a, str>,
    /// Where it begins in the text, punctuation included.
    pub(super) start: usize,
    /// Where it ends, punctuation included.
    pub(super) end: usize,
    /// How much of the text is compared with other words.
    stem_bytes: usize,
    /// How much it says that it is in a sentence.
    pub(super) weight: f64,
}

impl<'a> Word<'a> {
    fn new(text: Cow<'a, str>, start: usize, end: usize) -> Self {
        let (stem_bytes, weight) = (stem(&text).len(), weight(&text));
        Self { text, start, end, stem_bytes, weight }
    }

    fn stem(&self) -> &str {
        match self.text.as_ref() {
            "which" => "what",
            text => text.get(..self.stem_bytes).unwrap_or(text),
        }
    }

    /// Whether it is the same word as `other`, leaving a plural's `s` and the choice between `what` and `which`
    /// aside.
    pub(super) fn is(&self, other: &Word<'_>) -> bool {
        self.stem() == other.stem()
    }

    /// The same without the text that it was read from.
    pub(super) fn into_owned(self) -> Word<'static> {
        Word { text: Cow::Owned(self.text.into_owned()), ..self }
    }
}

/// A message, or what is left of it when politeness is set aside.
#[derive(Clone, Copy, Debug)]
pub(super) struct Said<'a> {
    /// The whole message.
    pub(super) text: &'a str,
    /// The words that count.
    pub(super) words: &'a [Word<'a>],
    /// Where a value ends that goes on to the end: behind the last word that counts, or at the message's end when
    /// nothing but what was not looked at follows.
    pub(super) end: usize,
}

impl<'a> Said<'a> {
    /// The message `text` with `all` its words, of which `words` count.
    pub(super) fn new(text: &'a str, all: &[Word<'_>], words: &'a [Word<'a>]) -> Self {
        let last = |words: &[Word<'_>]| words.last().map_or(0, |word| word.end);
        let end = if last(words) == last(all) { text.len() } else { last(words) };
        Self { text, words, end }
    }
}

/// The words of `text`. Scripts that are written without blanks give a word for each character.
pub(super) fn words(text: &str) -> Vec<Word<'_>> {
    let mut words = Vec::with_capacity((text.len() / WORD_BYTES_USUAL + 1).min(WORDS_MAX));
    let mut start = None;
    for (at, c) in text.char_indices().take_while(|(at, _)| *at < LOOKED_AT_BYTES_MAX) {
        if words.len() >= WORDS_MAX {
            return words;
        }
        if c.is_whitespace() || stands_alone(c) {
            if let Some(start) = start.take() {
                push(text, start, at, &mut words);
            }
            if stands_alone(c) {
                push(text, at, at + c.len_utf8(), &mut words);
            }
        } else if start.is_none() {
            start = Some(at);
        }
    }
    if let Some(start) = start {
        // A word that the limit cuts goes on to its own end, so that no value is cut in the middle.
        let end = text.get(start..).and_then(|rest| rest.find(char::is_whitespace)).map_or(text.len(), |at| start + at);
        push(text, start, end, &mut words);
    }
    words
}

fn push<'a>(text: &'a str, start: usize, end: usize, words: &mut Vec<Word<'a>>) {
    let raw = text.get(start..floor_char_boundary(text, end.min(start + WORD_BYTES_MAX))).unwrap_or_default();
    let is_folded = raw.bytes().all(|byte| byte.is_ascii() && !byte.is_ascii_uppercase());
    let (core, is_contracted) = if is_folded {
        let (core, is_contracted) = core_of(raw);
        (Cow::Borrowed(core), is_contracted)
    } else {
        let folded = raw.to_lowercase().replace('’', "'");
        let (core, is_contracted) = core_of(&folded);
        (Cow::Owned(core.to_owned()), is_contracted)
    };
    words.push(Word::new(core, start, end));
    if is_contracted {
        words.push(Word::new(Cow::Borrowed("is"), start, end));
    }
}

/// What counts of a word in lower case, and whether an `is` hangs on it.
fn core_of(word: &str) -> (&str, bool) {
    let core = word.trim_matches(|c: char| !c.is_alphanumeric());
    let core = if core.is_empty() { word } else { core };
    let core = if core == "whats" { "what's" } else { core };
    match core.strip_suffix("'s").filter(|asks| ASKING.contains(asks) || *asks == "it" || *asks == "that") {
        Some(asks) => (asks, true),
        None => (core, false),
    }
}

/// Han, kana, Thai, Lao and Khmer are written without blanks between words.
fn stands_alone(c: char) -> bool {
    matches!(u32::from(c), 0x0E00..=0x0EFF | 0x1780..=0x17FF | 0x3040..=0x30FF | 0x3400..=0x9FFF | 0xF900..=0xFAFF
        | 0x20000..=0x3FFFF)
}

fn stem(word: &str) -> &str {
    match word.strip_suffix('s') {
        Some(stem) if stem.len() >= 3 && !stem.ends_with('s') => stem,
        _ => word,
    }
}

const ASKING: [&str; 9] = ["what", "which", "who", "where", "when", "how", "why", "whose", "whom"];
const ASKING_VERBS: [&str; 12] =
    ["do", "does", "did", "is", "are", "was", "were", "can", "could", "should", "have", "has"];
const NOT: [&str; 8] = ["not", "never", "no", "don't", "dont", "without", "didn't", "won't"];
const SUBJECTS: [&str; 6] = ["i", "we", "he", "she", "they", "who"];
const BEING: [&str; 7] = ["is", "are", "was", "were", "am", "be", "will"];
/// Words that say little about what is wanted, sorted.
const FILLERS: [&str; 48] = [
    "a", "about", "all", "am", "an", "and", "any", "are", "at", "be", "by", "did", "do", "does", "for", "from", "here",
    "i", "in", "is", "it", "its", "just", "know", "me", "mine", "my", "of", "on", "or", "our", "please", "so", "some",
    "that", "the", "there", "these", "this", "those", "to", "us", "was", "we", "were", "with", "you", "your",
];

/// Whether the word begins a question.
pub(super) fn asks(word: &Word<'_>) -> bool {
    ASKING.contains(&word.text.as_ref()) || ASKING_VERBS.contains(&word.text.as_ref())
}

/// Whether the word can't stand in a short name, such as that of a city.
pub(super) fn breaks_a_name(word: &Word<'_>) -> bool {
    let text = word.text.as_ref();
    ASKING.contains(&text) || BEING.contains(&text) || SUBJECTS.contains(&text) || NOT.contains(&text)
}

/// Whether it says something by itself.
pub(super) fn has_content(word: &Word<'_>) -> bool {
    word.weight >= 1.0
}

fn weight(word: &str) -> f64 {
    if ASKING.contains(&word) {
        0.3
    } else if FILLERS.binary_search(&word).is_ok() {
        0.2
    } else {
        1.0
    }
}

/// How much it says against an example that a word of the message is not in it. A subject makes a statement of a
/// command (`I remember that…`), a negation turns it
/// round, a question is about something else, and a number that is left over is a value nobody took.
pub(super) fn cost(word: &Word<'_>) -> f64 {
    let text = word.text.as_ref();
    if NOT.contains(&text) {
        8.0
    } else if text.contains(|c: char| c.is_ascii_digit()) {
        3.0
    } else if SUBJECTS.contains(&text) {
        1.5
    } else if ASKING.contains(&text) {
        1.0
    } else {
        word.weight
    }
}

/// Words before a request that say nothing about it. Those in the second list make a request of a question.
const BEFORE: [&[&str]; 22] = [
    &["please"],
    &["hey"],
    &["hi"],
    &["hello"],
    &["ok"],
    &["okay"],
    &["so"],
    &["well"],
    &["and"],
    &["just"],
    &["kindly"],
    &["tell", "me"],
    &["let", "me", "know"],
    &["do", "you", "know"],
    &["i", "want", "to", "know"],
    &["i", "would", "like", "to", "know"],
    &["i'd", "like", "to", "know"],
    &["i", "need", "to", "know"],
    &["go", "ahead", "and"],
    &["i", "wonder"],
    &["quickly"],
    &["any", "idea"],
];
const REQUESTING: [&[&str]; 8] = [
    &["can", "you"],
    &["could", "you"],
    &["would", "you"],
    &["will", "you"],
    &["i", "want", "you", "to"],
    &["i", "need", "you", "to"],
    &["i'd", "like", "you", "to"],
    &["can", "you", "please"],
];
const AFTER: [&[&str]; 6] = [&["please"], &["for", "me"], &["thanks"], &["thank", "you"], &["right", "now"], &["then"]];

/// `words` without politeness around them, and whether that asks for something to be done.
pub(super) fn without_politeness<'a, 'w>(mut words: &'a [Word<'w>]) -> (&'a [Word<'w>], bool) {
    let mut requested = false;
    loop {
        if let Some(rest) = REQUESTING.iter().find_map(|phrase| after(words, phrase)) {
            (words, requested) = (rest, true);
        } else if let Some(rest) = BEFORE.iter().find_map(|phrase| after(words, phrase)) {
            words = rest;
        } else if let Some(rest) = AFTER.iter().find_map(|phrase| before(words, phrase)) {
            words = rest;
        } else {
            return (words, requested);
        }
    }
}

fn after<'a, 'w>(words: &'a [Word<'w>], phrase: &[&str]) -> Option<&'a [Word<'w>]> {
    let (head, rest) = words.split_at_checked(phrase.len())?;
    is_phrase(head, phrase).then_some(rest)
}

fn before<'a, 'w>(words: &'a [Word<'w>], phrase: &[&str]) -> Option<&'a [Word<'w>]> {
    let (rest, tail) = words.split_at_checked(words.len().checked_sub(phrase.len())?)?;
    is_phrase(tail, phrase).then_some(rest)
}

/// Whether `words`, as many as those of `phrase`, are these.
fn is_phrase(words: &[Word<'_>], phrase: &[&str]) -> bool {
    // Nearly all differ in the first word already.
    words.first().zip(phrase.first()).is_some_and(|(word, first)| word.text == *first)
        && words.iter().zip(phrase).all(|(word, of_phrase)| word.text == *of_phrase)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(text: &str) -> Vec<String> {
        words(text).into_iter().map(|word| word.text.into_owned()).collect()
    }

    #[test]
    fn words_are_folded_and_know_where_they_stand() {
        assert_eq!(texts("What’s the TIME, please?"), ["what", "is", "the", "time", "please"]);
        assert_eq!(texts("17 * 23?"), ["17", "*", "23"]);
        assert_eq!(texts("ÜBER 河内的 ok"), ["über", "河", "内", "的", "ok"]);
        let text = "say (3+4)*2!";
        let last = words(text).pop().unwrap();
        assert_eq!((&text[last.start..last.end], last.text.as_ref()), ("(3+4)*2!", "3+4)*2"));
    }

    #[test]
    fn fillers_are_sorted_so_that_each_is_found() {
        assert!(FILLERS.is_sorted());
        assert!(!has_content(&words("the")[0]) && has_content(&words("theory")[0]));
    }

    #[test]
    fn politeness_is_left_aside_on_both_sides() {
        let all = words("Hey, could you please tell me the time, thanks");
        let (rest, requested) = without_politeness(&all);
        assert!(requested);
        assert_eq!(rest.iter().map(|word| word.text.as_ref()).collect::<Vec<_>>(), ["the", "time"]);
        assert!(without_politeness(&words("hello")).0.is_empty());
    }

    #[test]
    fn long_texts_are_looked_at_in_part() {
        assert_eq!(words(&"a ".repeat(1 << 20)).len(), WORDS_MAX);
        let one = "x".repeat(1 << 20);
        let all = words(&one);
        assert!(all.len() == 1 && all[0].end == one.len());
    }
}
