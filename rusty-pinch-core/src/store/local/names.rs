//! Ids as file names, one to one.
//!
//! `a-z`, `0-9`, `_` and `-` stand for themselves; every other byte is written as `%` and two upper-case hexadecimal
//! digits. So no two ids share a name, not even where a file system ignores case or folds Unicode, and no name is
//! hidden, holds a separator, or leaves its folder.

use std::fmt::Write as _;

use crate::data::Sha256Digest;

/// The longest file name of the common file systems, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// How much of a name that is too long stays readable before its digest.
const READABLE_BYTES: usize = 100;

/// The name of the file with the ending `ending` that belongs to `id`.
///
/// `ending` is made of ASCII characters and begins with a dot, which no encoded id holds. A name over 255 bytes keeps
/// its start and ends in the digest of the whole id; `%-` marks it, which no encoding gives.
pub(super) fn file_name(id: &str, ending: &str) -> String {
    let mut name = encode(id);
    if name.len() + ending.len() > NAME_BYTES_MAX {
        name.truncate(READABLE_BYTES);
        let _ = write!(name, "%-{}", Sha256Digest::of(id.as_bytes()));
    }
    name + ending
}

fn encode(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for byte in id.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => name.push(char::from(byte)),
            other => {
                let _ = write!(name, "%{other:02X}");
            }
        }
    }
    name
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::data::{SESSION_ID_BYTES_MAX, SessionId};

    /// The id that `encode` made this name of, in any case of letters.
    fn decode(name: &str) -> String {
        let mut bytes = Vec::new();
        let mut rest = name.as_bytes();
        while let Some((&first, after)) = rest.split_first() {
            if first == b'%' {
                let digits = std::str::from_utf8(&after[..2]).unwrap();
                bytes.push(u8::from_str_radix(digits, 16).unwrap());
                rest = &after[2..];
            } else {
                bytes.push(first);
                rest = after;
            }
        }
        String::from_utf8(bytes).unwrap()
    }

    #[test]
    fn plain_ids_name_themselves_and_no_id_leaves_its_folder() {
        for (id, name) in [
            ("demo-1_x", "demo-1_x.jsonl"),
            ("Demo", "%44emo.jsonl"),
            ("..", "%2E%2E.jsonl"),
            ("a/b", "a%2Fb.jsonl"),
            ("a%2Fb", "a%252%46b.jsonl"),
            ("telegram:1", "telegram%3A1.jsonl"),
        ] {
            assert_eq!(file_name(id, ".jsonl"), name);
        }
    }

    #[test]
    fn the_longest_ids_and_names_of_any_length_fit() {
        let longest = "é".repeat(SESSION_ID_BYTES_MAX / 2);
        assert_eq!(decode(file_name(&longest, ".jsonl").strip_suffix(".jsonl").unwrap()), longest);
        assert!(!file_name(&format!("session:{longest}"), ".lock").contains("%-"));
        let (one, other) = ("X".repeat(2_000), "X".repeat(1_999) + "Y");
        assert!(file_name(&one, ".lock").len() <= NAME_BYTES_MAX);
        assert_ne!(file_name(&one, ".lock"), file_name(&other, ".lock"));
    }

    proptest! {
        #[test]
        fn any_id_can_be_told_from_its_name_even_in_lower_case(id in "\\PC{1,80}") {
            prop_assume!(SessionId::new(&id).is_ok());
            let name = file_name(&id, ".jsonl");
            prop_assert!(name.len() <= NAME_BYTES_MAX);
            prop_assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"%_-.".contains(&b)));
            let stem = name.strip_suffix(".jsonl").unwrap();
            prop_assert!(!stem.contains('.'));
            prop_assert_eq!(decode(stem), id.clone());
            prop_assert_eq!(decode(&stem.to_ascii_lowercase()), id);
        }
    }
}
