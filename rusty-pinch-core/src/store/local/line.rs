//! One entry as one line of bytes, and back.
//!
//! A line is the entry's JSON with one more field at its end, `"sum"`: the first 16 hexadecimal digits of the SHA-256
//! of all bytes before `,"sum"`. A line without one is taken as it is, for people and other programs write such lines.

use std::sync::Arc;

use serde::Deserialize;
use serde::de::IgnoredAny;

use crate::data::Sha256Digest;
use crate::store::{Entry, Line, StoreError};

/// The longest line, in bytes, with its newline. A longer one is not written, and not read into memory.
pub(super) const LINE_BYTES_MAX: usize = 16 * 1024 * 1024;

const SUM_DIGITS: usize = 16;
const SUM_OPENS: &[u8] = br#","sum":""#;
const SUM_CLOSES: &[u8] = br#""}"#;

/// The lines of `entries`, each with its newline.
///
/// # Errors
/// [`StoreError::TooLarge`] when one is longer than [`LINE_BYTES_MAX`], [`StoreError::Failed`] when one could not be
/// read back (arguments nested deeper than JSON readers go).
pub(super) fn encode(entries: &[Entry]) -> Result<Vec<u8>, StoreError> {
    let mut lines = Vec::new();
    for entry in entries {
        let mut line = serde_json::to_vec(entry).map_err(unwritable)?;
        let bytes = line.len() + SUM_OPENS.len() + SUM_DIGITS + SUM_CLOSES.len();
        if bytes > LINE_BYTES_MAX {
            let what = format!("the entry of role `{}`", entry.event.role());
            return Err(StoreError::TooLarge { what, bytes, bytes_max: LINE_BYTES_MAX });
        }
        serde_json::from_slice::<Entry>(&line).map_err(unwritable)?;
        line.pop();
        let sum = sum(&line);
        line.extend_from_slice(SUM_OPENS);
        line.extend_from_slice(sum.as_bytes());
        line.extend_from_slice(SUM_CLOSES);
        line.push(b'\n');
        lines.append(&mut line);
    }
    Ok(lines)
}

fn unwritable(error: serde_json::Error) -> StoreError {
    StoreError::Failed { what: "putting an entry into a form that can be read again".into(), source: error.into() }
}

/// What a line says, its newline included or not.
pub(super) fn decode(line: &[u8]) -> Line {
    let line = line.trim_ascii_end();
    let summed = split_sum(line);
    if let Some((summed, found)) = summed
        && sum(summed).as_bytes() != found
    {
        return unreadable("its checksum does not match: it was damaged, or edited without taking `sum` out");
    }
    match serde_json::from_slice::<Entry>(line) {
        Ok(_) if summed.is_none() && has_sum(line) => {
            unreadable("its checksum is not where it was written: take `sum` out if the line was edited on purpose")
        }
        Ok(entry) => Line::Entry(Arc::new(entry)),
        Err(error) => unreadable(&error.to_string()),
    }
}

/// A line that is longer than [`LINE_BYTES_MAX`].
pub(super) fn oversize() -> Line {
    unreadable("it is longer than any line that is written here")
}

fn unreadable(why: &str) -> Line {
    Line::Unreadable { why: why.to_owned() }
}

fn sum(bytes: &[u8]) -> String {
    let mut digits = Sha256Digest::of(bytes).to_string();
    digits.truncate(SUM_DIGITS);
    digits
}

/// The bytes that the line's sum is of, and the sum, when it ends in one.
fn split_sum(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = line.strip_suffix(SUM_CLOSES)?;
    let (rest, sum) = open.split_at_checked(open.len().checked_sub(SUM_DIGITS)?)?;
    Some((rest.strip_suffix(SUM_OPENS)?, sum))
}

/// Whether the object has a field `sum` anywhere.
fn has_sum(line: &[u8]) -> bool {
    #[derive(Deserialize)]
    struct Row {
        #[serde(default)]
        sum: Option<IgnoredAny>,
    }
    // A repeated field is an error, and means that there is one.
    serde_json::from_slice::<Row>(line).map_or(true, |row| row.sum.is_some())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::data::{CallId, Timestamp, ToolCall};
    use crate::store::Event;

    fn said(content: &str) -> Entry {
        Event::User { content: content.into(), key: None }.at(Timestamp::from_millis(1))
    }

    fn is_readable(line: &[u8]) -> bool {
        matches!(decode(line), Line::Entry(_))
    }

    #[test]
    fn what_is_encoded_is_decoded() {
        for content in ["", "hi", "a\nb\u{0}\u{2028}\"\\", &"é".repeat(5_000)] {
            let line = encode(&[said(content)]).unwrap();
            assert_eq!(line.iter().filter(|b| **b == b'\n').count(), 1);
            assert_eq!(decode(&line), Line::Entry(Arc::new(said(content))));
        }
    }

    #[test]
    fn a_line_without_a_sum_is_taken_and_a_wrong_sum_is_not() {
        let plain = r#"{"role":"user","content":"hi","timestamp":"2026-01-01T00:00:00Z"}"#;
        assert!(is_readable(plain.as_bytes()) && is_readable(format!("{plain}\r\n").as_bytes()));
        let open = plain.strip_suffix('}').unwrap();
        let right = format!(r#"{open},"sum":"{}"}}"#, sum(open.as_bytes()));
        assert!(is_readable(right.as_bytes()));
        for wrong in [
            right.replace("hi", "ho"),
            right.replace(r#""sum":"#, r#""sum": "#),
            format!(r#"{open},"sum":"0"}}"#),
            format!(r#"{open},"sum":5}}"#),
            format!(r#"{{"sum":"0",{}"#, &plain[1..]),
        ] {
            assert!(!is_readable(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn whatever_byte_flips_the_entry_is_the_same_or_unreadable() {
        let entry = said("hello");
        let line = encode(std::slice::from_ref(&entry)).unwrap();
        for index in 0..line.len() {
            for bit in 0..8 {
                let mut damaged = line.clone();
                damaged[index] ^= 1 << bit;
                if let Line::Entry(found) = decode(&damaged) {
                    assert_eq!(*found, entry, "byte {index} bit {bit}");
                }
            }
        }
    }

    #[test]
    fn what_could_not_be_read_again_is_not_written() {
        let nested = (0..200).fold(json!(1), |value, _| json!([value]));
        let call = ToolCall { id: CallId::new("c").unwrap(), name: "t".into(), arguments: nested };
        let event =
            Event::Assistant { content: String::new(), calls: vec![call], brain: None, tried: vec![], usage: None };
        assert!(matches!(encode(&[event.at(Timestamp::EPOCH)]), Err(StoreError::Failed { .. })));
        let error = encode(&[said(&"x".repeat(LINE_BYTES_MAX))]).unwrap_err();
        assert!(matches!(error, StoreError::TooLarge { .. }), "{error}");
    }
}
