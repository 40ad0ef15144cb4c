//! How a journal's file ends, and where its last lines begin.

use std::io::{self, Read, Seek, SeekFrom};

use super::line::{LINE_BYTES_MAX, decode};
use crate::store::Line;

/// How much is read at once on the way back from the end.
const BLOCK_BYTES: usize = 16 * 1024;

/// How a journal's file ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tail {
    /// The file's length.
    pub(super) len: u64,
    /// What its last line is like.
    pub(super) form: Form,
}

/// What a journal's last line is like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// It ends in a newline, or there is none.
    Ended,
    /// It lacks its newline only: a cut that lost nothing, or a line that a person wrote.
    Unended,
    /// It is no entry: a write that was cut off.
    Torn {
        /// Where it begins.
        at: u64,
    },
}

impl Tail {
    /// Looks at the end of `file`.
    pub(super) fn of(file: &mut (impl Read + Seek)) -> io::Result<Self> {
        let len = file.seek(SeekFrom::End(0))?;
        if len == 0 || read_at(file, len - 1, 1)? == b"\n" {
            return Ok(Self { len, form: Form::Ended });
        }
        let at = start_of_last(file, len, 1)?;
        let size = usize::try_from(len - at).unwrap_or(usize::MAX);
        let is_entry = size <= LINE_BYTES_MAX && matches!(decode(&read_at(file, at, size)?), Line::Entry(_));
        Ok(Self { len, form: if is_entry { Form::Unended } else { Form::Torn { at } } })
    }

    /// Where the next line goes. The newline that an unended line lacks counts as if it were there.
    pub(super) fn end(self) -> u64 {
        match self.form {
            Form::Ended => self.len,
            Form::Unended => self.len + 1,
            Form::Torn { at } => at,
        }
    }
}

/// Where the last `lines` of the lines that begin before `before` begin.
pub(super) fn start_of_last(file: &mut (impl Read + Seek), before: u64, lines: usize) -> io::Result<u64> {
    if lines == 0 {
        return Ok(before);
    }
    // A newline right before `before` ends the last line and begins none.
    let mut until = before.saturating_sub(1);
    let mut left = lines;
    while until > 0 {
        let from = until.saturating_sub(BLOCK_BYTES as u64);
        let mut block = read_at(file, from, BLOCK_BYTES.min(usize::try_from(until - from).unwrap_or(BLOCK_BYTES)))?;
        while let Some(newline) = block.iter().rposition(|byte| *byte == b'\n') {
            left -= 1;
            if left == 0 {
                return Ok(from + newline as u64 + 1);
            }
            block.truncate(newline);
        }
        until = from;
    }
    Ok(0)
}

/// The `size` bytes at `at`, or fewer when the file ends before.
fn read_at(file: &mut (impl Read + Seek), at: u64, size: usize) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(at))?;
    let mut bytes = Vec::with_capacity(size);
    file.take(size as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use proptest::prelude::*;

    use super::*;

    const LINE: &str = r#"{"role":"user","content":"hi","timestamp":"2026-01-01T00:00:00Z"}"#;

    #[test]
    fn a_last_line_without_its_newline_counts_when_it_is_whole() {
        let whole = LINE.len() as u64;
        for (text, form, end) in [
            (String::new(), Form::Ended, 0),
            (format!("{LINE}\n"), Form::Ended, whole + 1),
            (LINE.to_owned(), Form::Unended, whole + 1),
            (format!("{LINE}\n{LINE}"), Form::Unended, 2 * whole + 2),
            (LINE[..20].to_owned(), Form::Torn { at: 0 }, 0),
            (format!("{LINE}\n{{"), Form::Torn { at: whole + 1 }, whole + 1),
            ("\n\0\0\0".to_owned(), Form::Torn { at: 1 }, 1),
        ] {
            let tail = Tail::of(&mut Cursor::new(text.as_bytes())).unwrap();
            assert_eq!((tail.form, tail.end()), (form, end), "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn the_way_back_finds_the_same_starts_as_the_way_forward(
            text in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'x')], 0..60),
            before in 0_u64..70,
            lines in 0_usize..10,
        ) {
            let before = before.min(text.len() as u64);
            let starts: Vec<u64> = (0..text.len() as u64)
                .filter(|at| *at < before && (*at == 0 || text[*at as usize - 1] == b'\n'))
                .collect();
            let expected = match lines {
                0 => before,
                n => starts.get(starts.len().saturating_sub(n)).copied().unwrap_or(0),
            };
            prop_assert_eq!(start_of_last(&mut Cursor::new(&text), before, lines).unwrap(), expected);
        }
    }
}
