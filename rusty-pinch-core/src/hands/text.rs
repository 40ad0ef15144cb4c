//! Text as people may safely see it: bounded, quoted, with nothing hidden in it.

use super::bounds::QUOTED_CHARS_MAX;

/// `text` up to `bytes_max`, cut at a character's start, with a last line that says how much was left out.
pub(crate) fn bounded(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        let end = floor_char_boundary(&text, bytes_max);
        let left_out = text.len() - end;
        text.truncate(end);
        text.push_str(&format!("\n[cut here: {left_out} of {} bytes left out]", end + left_out));
    }
    text
}

/// The largest index up to `index` at which a character of `text` begins or the text ends.
pub(crate) fn floor_char_boundary(text: &str, index: usize) -> usize {
    text.floor_char_boundary(index)
}

/// The start of a foreign text, in quotes, on one line.
pub(crate) fn quoted(text: &str) -> String {
    let mut shown: String = text.chars().take(QUOTED_CHARS_MAX).collect();
    if shown.len() < text.len() {
        shown.push('…');
    }
    format!("\"{}\"", visible(&shown).replace('\n', "\\n"))
}

/// `text` with whatever hides or disguises other text spelled out.
///
/// Control characters but line breaks, characters without width, direction changes, tags and private characters become
/// `⟨U+202E⟩`. A letter of another script inside a Latin word is followed by its code, for `раypal` must not look like
/// `paypal`.
pub(crate) fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        if first.is_alphabetic() {
            let end = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            show_word(word, &mut shown);
            rest = after;
        } else {
            if is_hidden(first) {
                push_code(first, &mut shown)
            } else {
                shown.push(first)
            }
            rest = &rest[first.len_utf8()..];
        }
    }
    shown
}

/// A word that mixes Latin with letters that imitate it gets the codes of the imitations.
fn show_word(word: &str, shown: &mut String) {
    let mixed = word.chars().any(|c| c.is_ascii_alphabetic()) && word.chars().any(imitates_latin);
    for c in word.chars() {
        if is_hidden(c) {
            push_code(c, shown);
            continue;
        }
        shown.push(c);
        if mixed && imitates_latin(c) {
            push_code(c, shown);
        }
    }
}

fn push_code(c: char, shown: &mut String) {
    shown.push_str(&format!("⟨U+{:04X}⟩", u32::from(c)));
}

/// Whether `c` shows nothing, or changes how other characters show. Blocks are those of Unicode 17.
fn is_hidden(c: char) -> bool {
    if matches!(c, ' '..='~') {
        return false;
    }
    (c.is_control() && c != '\n')
        || matches!(u32::from(c),
            0x00AD | 0x034F | 0x061C | 0x115F | 0x1160 | 0x17B4 | 0x17B5 | 0x180B..=0x180F
            | 0x200B..=0x200F | 0x2028..=0x202E | 0x2060..=0x206F | 0x2800 | 0x3164
            | 0xE000..=0xF8FF | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFFB
            | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF | 0xF0000..=0x10FFFF)
}

/// Whether `c` hides or disguises text, and is nothing that ordinary text needs: tabs, and what joins and colours emoji.
#[cfg(any(feature = "http", feature = "skills"))]
pub(crate) fn disguises(c: char) -> bool {
    is_hidden(c) && !matches!(c, '\t' | '\u{200c}' | '\u{200d}' | '\u{fe0e}' | '\u{fe0f}')
}

/// Whether `c` belongs to a script or block whose letters are mistaken for Latin ones.
fn imitates_latin(c: char) -> bool {
    matches!(u32::from(c),
        0x0251 | 0x0261 | 0x0370..=0x03FF | 0x0400..=0x052F | 0x0530..=0x058F | 0x13A0..=0x13FF | 0x1C80..=0x1C8F
        | 0x1D00..=0x1D7F | 0x1F00..=0x1FFF | 0x2C60..=0x2C7F | 0x2C80..=0x2CFF | 0xA640..=0xA69F | 0xA4D0..=0xA4FF
        | 0xAB70..=0xABBF | 0xFF21..=0xFF5A | 0x1D400..=0x1D7FF)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_cut_falls_on_a_characters_start_and_says_what_is_missing() {
        assert_eq!(bounded("short".into(), 5), "short");
        assert_eq!(bounded("aéz".into(), 2), "a\n[cut here: 3 of 4 bytes left out]");
    }

    #[test]
    fn what_hides_is_spelled_out_and_plain_text_stays() {
        for plain in ["mail to bob@example.com\nnow", "Grüße, 日本語, Привет, 😀", "naïve"] {
            assert_eq!(visible(plain), plain);
        }
        assert_eq!(visible("a\u{202e}b"), "a⟨U+202E⟩b");
        assert_eq!(visible("rm\r\u{1b}[2K"), "rm⟨U+000D⟩⟨U+001B⟩[2K");
        assert_eq!(visible("pay\u{200b}pal"), "pay⟨U+200B⟩pal");
        assert_eq!(visible("p\u{430}ypal"), "pа⟨U+0430⟩ypal");
    }

    proptest! {
        #[test]
        fn nothing_hidden_survives(text in any::<String>()) {
            prop_assert!(!visible(&text).chars().any(is_hidden));
            prop_assert!(!quoted(&text).chars().any(char::is_control));
        }

        #[test]
        fn what_is_kept_is_a_start_of_the_text(text in any::<String>(), bytes_max in 0_usize..64) {
            let cut = bounded(text.clone(), bytes_max);
            let kept = cut.rsplit_once("\n[cut here").map_or(cut.as_str(), |(kept, _)| kept);
            prop_assert!(text.starts_with(kept) && kept.len() <= bytes_max.max(text.len().min(bytes_max)));
        }
    }
}
