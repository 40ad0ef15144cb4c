//! Reading part of a journal's file, at the cost of that part.

use std::io::{self, BufRead, BufReader, Read, Seek, SeekFrom};

use super::line::{LINE_BYTES_MAX, decode, oversize};
use super::tail::{Form, Tail, start_of_last};
use crate::store::{Line, Located, Page, Position, Span};

/// How much is read at once on the way forward.
const BLOCK_BYTES: u64 = 16 * 1024;

/// The lines of `span`.
///
/// A span's position need not be the start of a line: a line belongs to a span by where it begins. A torn tail is a
/// line too, at the journal's end.
pub(super) fn read(file: &mut (impl Read + Seek), span: Span) -> io::Result<Page> {
    let tail = Tail::of(file)?;
    let (from, before, lines_max) = match span {
        Span::Last(n) => (start_of_last(file, tail.len, n)?, tail.len, n),
        Span::Before(at, n) => {
            let before = at.number().min(tail.len);
            (start_of_last(file, before, n)?, before, n)
        }
        Span::From(at, n) => (start_from(file, at.number().min(tail.len))?, tail.len, n),
    };
    let mut lines = Vec::new();
    let mut forward = Forward::new(file, from, tail)?;
    while lines.len() < lines_max && forward.at < before {
        match forward.next()? {
            Some(line) => lines.push(line),
            None => break,
        }
    }
    Ok(Page { lines, end: Position::new(tail.end()) })
}

/// Where the first line that begins at `at` or after it begins.
fn start_from(file: &mut (impl Read + Seek), at: u64) -> io::Result<u64> {
    let Some(before) = at.checked_sub(1) else { return Ok(0) };
    file.seek(SeekFrom::Start(before))?;
    let skipped = BufReader::new(file).skip_until(b'\n')?;
    Ok(before + skipped as u64)
}

/// Reads line after line.
struct Forward<R> {
    reader: BufReader<io::Take<R>>,
    at: u64,
    tail: Tail,
    line: Vec<u8>,
}

impl<R: Read + Seek> Forward<R> {
    fn new(mut file: R, from: u64, tail: Tail) -> io::Result<Self> {
        file.seek(SeekFrom::Start(from))?;
        let left = tail.len.saturating_sub(from);
        let block = usize::try_from(left.min(BLOCK_BYTES)).unwrap_or_default();
        Ok(Self { reader: BufReader::with_capacity(block, file.take(left)), at: from, tail, line: Vec::new() })
    }

    fn next(&mut self) -> io::Result<Option<Located>> {
        self.line.clear();
        let bound = LINE_BYTES_MAX as u64 + 1;
        let mut size = (&mut self.reader).take(bound).read_until(b'\n', &mut self.line)?;
        if size == 0 {
            return Ok(None);
        }
        let fits = self.line.ends_with(b"\n") || size <= LINE_BYTES_MAX;
        if !fits {
            self.line = Vec::new();
            size += self.reader.skip_until(b'\n')?;
        }
        let at = self.at;
        self.at += size as u64;
        let line = match self.tail.form {
            Form::Torn { at: torn } if torn == at => Line::Unreadable { why: "its write was cut off".into() },
            _ if fits => decode(&self.line),
            _ => oversize(),
        };
        Ok(Some(Located { at: Position::new(at), line }))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;

    const LINE: &str = r#"{"role":"user","content":"hi","timestamp":"2026-01-01T00:00:00Z"}"#;

    fn starts(text: &str, span: Span) -> Vec<u64> {
        let page = read(&mut Cursor::new(text.as_bytes()), span).unwrap();
        page.lines.iter().map(|line| line.at.number()).collect()
    }

    #[test]
    fn spans_select_lines_by_where_they_begin() {
        let text = "aa\nbb\ncc\ndd";
        for (span, expected) in [
            (Span::Last(2), vec![6, 9]),
            (Span::Last(0), vec![]),
            (Span::Last(usize::MAX), vec![0, 3, 6, 9]),
            (Span::From(Position::START, 2), vec![0, 3]),
            (Span::From(Position::new(1), 2), vec![3, 6]),
            (Span::From(Position::new(3), 1), vec![3]),
            (Span::From(Position::new(9), 9), vec![9]),
            (Span::From(Position::new(10), 9), vec![]),
            (Span::From(Position::new(99), 9), vec![]),
            (Span::Before(Position::START, 9), vec![]),
            (Span::Before(Position::new(4), 9), vec![0, 3]),
            (Span::Before(Position::new(6), 1), vec![3]),
            (Span::Before(Position::new(9), 2), vec![3, 6]),
            (Span::Before(Position::new(99), 1), vec![9]),
        ] {
            assert_eq!(starts(text, span), expected, "{span:?}");
        }
    }

    #[test]
    fn a_torn_tail_is_reported_where_the_journal_ends() {
        let text = format!("{LINE}\n{}", &LINE[..30]);
        let page = read(&mut Cursor::new(text.as_bytes()), Span::Last(9)).unwrap();
        let [first, torn] = &page.lines[..] else { panic!("{page:?}") };
        assert!(matches!(first.line, Line::Entry(_)));
        assert!(matches!(&torn.line, Line::Unreadable { why } if why.contains("cut off")), "{torn:?}");
        assert_eq!((torn.at, page.end.number()), (page.end, LINE.len() as u64 + 1));
    }

    #[test]
    fn a_line_over_the_bound_is_passed_by_without_being_kept() {
        let long = "x".repeat(LINE_BYTES_MAX + 10);
        let text = format!("{LINE}\n{long}\n{LINE}\n");
        let page = read(&mut Cursor::new(text.as_bytes()), Span::Last(9)).unwrap();
        let readable: Vec<_> = page.lines.iter().map(|line| matches!(line.line, Line::Entry(_))).collect();
        assert_eq!(readable, [true, false, true]);
        assert_eq!(page.end.number(), text.len() as u64);
    }

    /// Counts the bytes that are read through it.
    struct Counting<R>(R, u64);

    impl<R: Read> Read for Counting<R> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let size = self.0.read(buffer)?;
            self.1 += size as u64;
            Ok(size)
        }
    }

    impl<R: Seek> Seek for Counting<R> {
        fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
            self.0.seek(to)
        }
    }

    #[test]
    fn the_tail_of_a_million_lines_costs_no_more_bytes_than_the_tail_of_a_hundred() {
        let cost = |lines: usize| {
            let text = format!("{LINE}\n").repeat(lines);
            let mut file = Counting(Cursor::new(text.into_bytes()), 0);
            assert_eq!(read(&mut file, Span::Last(50)).unwrap().lines.len(), 50);
            let last = file.1;
            let end = file.0.get_ref().len() as u64;
            read(&mut file, Span::Before(Position::new(end / 2), 50)).unwrap();
            read(&mut file, Span::From(Position::new(end / 2), 50)).unwrap();
            (last, file.1 - last)
        };
        let (small, large) = (cost(1_000), cost(1_000_000));
        assert_eq!(small.0, large.0);
        // The middle is not at the same place of a block.
        assert!(large.1 <= small.1 + 2 * BLOCK_BYTES, "{small:?} {large:?}");
        assert!(large.0 <= 4 * BLOCK_BYTES, "{large:?}");
    }
}
