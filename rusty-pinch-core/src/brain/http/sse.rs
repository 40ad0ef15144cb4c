//! Server-sent events: bytes in, events out.
//!
//! A pure parser of the `text/event-stream` format: lines end in LF, CR or CRLF, bytes may be split anywhere, and
//! whatever a server sends, memory stays within [`EVENT_BYTES_MAX`] for a line and for an event.

/// The longest line, and the most data in one event, in bytes.
pub(crate) const EVENT_BYTES_MAX: usize = 1024 * 1024;
const BOM: &[u8] = b"\xef\xbb\xbf";

/// Bytes that are no event stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SseError {
    /// A line is longer than its bound, or the data of an event is.
    #[error("an event is longer than {EVENT_BYTES_MAX} bytes")]
    TooLong,
    /// A line is not UTF-8.
    #[error("the event stream is not UTF-8")]
    NotUtf8,
}

/// One event. Its name does not matter to anyone here.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SseEvent {
    /// The `data` lines, joined by LF.
    pub(crate) data: String,
    /// The `id` that came with this very event.
    pub(crate) id: Option<String>,
}

/// The parser's memory between two pieces of bytes.
#[derive(Debug, Default)]
pub(crate) struct SseReader {
    line: Vec<u8>,
    event: SseEvent,
    has_data: bool,
    past_first_line: bool,
    after_cr: bool,
}

impl SseReader {
    /// Reads `bytes` and adds the events that they complete to `events`, also those before an error: what a stream
    /// means must not depend on where the network cut it.
    pub(crate) fn push(&mut self, bytes: &[u8], events: &mut Vec<SseEvent>) -> Result<(), SseError> {
        let mut rest = bytes;
        if self.after_cr && !rest.is_empty() {
            self.after_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            let (line, after) = rest.split_at(end);
            self.extend_line(line)?;
            rest = match after {
                [b'\r', b'\n', rest @ ..] => rest,
                [b'\r'] => {
                    self.after_cr = true;
                    &[]
                }
                [_, rest @ ..] => rest,
                [] => &[],
            };
            self.end_line(events)?;
        }
        self.extend_line(rest)
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), SseError> {
        if self.line.len() + bytes.len() > EVENT_BYTES_MAX {
            return Err(SseError::TooLong);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<SseEvent>) -> Result<(), SseError> {
        let bytes = std::mem::take(&mut self.line);
        let mut bytes = bytes.as_slice();
        if !std::mem::replace(&mut self.past_first_line, true) {
            bytes = bytes.strip_prefix(BOM).unwrap_or(bytes);
        }
        let line = std::str::from_utf8(bytes).map_err(|_| SseError::NotUtf8)?;
        if line.is_empty() {
            let event = std::mem::take(&mut self.event);
            if std::mem::take(&mut self.has_data) {
                events.push(event);
            }
            return Ok(());
        }
        // A line that begins with a colon is a comment: its field has an empty name.
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => self.add_data(value),
            "id" if !value.contains('\0') => {
                self.event.id = Some(value.to_owned());
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn add_data(&mut self, value: &str) -> Result<(), SseError> {
        if std::mem::replace(&mut self.has_data, true) {
            self.event.data.push('\n');
        }
        if self.event.data.len() + value.len() > EVENT_BYTES_MAX {
            return Err(SseError::TooLong);
        }
        self.event.data.push_str(value);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(pieces: &[&[u8]]) -> Result<Vec<String>, SseError> {
        let mut reader = SseReader::default();
        let mut events = Vec::new();
        for piece in pieces {
            reader.push(piece, &mut events)?;
        }
        Ok(events.into_iter().map(|event| event.data).collect())
    }

    #[track_caller]
    fn check(stream: &[u8], expected: &[&str]) {
        assert_eq!(read(&[stream]).unwrap(), expected, "in one piece");
        let bytes: Vec<&[u8]> = stream.chunks(1).collect();
        assert_eq!(read(&bytes).unwrap(), expected, "byte by byte");
        for cut in 0..stream.len() {
            assert_eq!(read(&[&stream[..cut], &stream[cut..]]).unwrap(), expected, "cut at {cut}");
        }
    }

    #[test]
    fn reads_every_kind_of_line_end_and_any_split() {
        for end in ["\n", "\r", "\r\n"] {
            let stream = "data: one\n\ndata:two\ndata: 2½🦀\n\n: comment\n\nevent: x\ndata\n\n".replace('\n', end);
            check(stream.as_bytes(), &["one", "two\n2½🦀", ""]);
        }
        check(b"data: mixed\r\rdata: ends\n\r\ndata: here\r\n\n", &["mixed", "ends", "here"]);
    }

    #[test]
    fn ignores_bom_comments_unknown_fields_and_an_unfinished_event() {
        check(b"\xef\xbb\xbfdata: x\n\n", &["x"]);
        check(b"retry: 10\nfoo: bar\n:ping\n\ndata:  two spaces\n\ndata: unfinished\n", &[" two spaces"]);
        check(b"", &[]);
    }

    #[test]
    fn keeps_the_id_of_its_own_event_only() {
        let mut events = Vec::new();
        SseReader::default().push(b"id: 7\ndata: a\n\ndata: b\n\n", &mut events).unwrap();
        assert_eq!(events[0].id.as_deref(), Some("7"));
        assert_eq!(events[1].id, None);
    }

    #[test]
    fn refuses_bytes_that_are_not_utf8_but_only_once_the_line_is_whole() {
        assert_eq!(read(&[b"data: \xf0\x9f\xa6", b"\x80\n\n"]).unwrap(), ["🦀"]);
        assert_eq!(read(&[b"data: \xff\n"]), Err(SseError::NotUtf8));
    }

    #[test]
    fn bounds_a_line_and_an_event() {
        let filler = vec![b'x'; EVENT_BYTES_MAX / 2];
        assert_eq!(read(&[b"data: ", &filler, &filler]), Err(SseError::TooLong));
        let line = [b"data: ".as_slice(), &filler, b"\n"].concat();
        assert_eq!(read(&[&line, &line, &line]), Err(SseError::TooLong));
    }

    proptest! {
        #[test]
        fn gives_the_same_events_however_the_bytes_are_split(
            stream in proptest::collection::vec(prop_oneof![Just(b'\n'), Just(b'\r'), Just(b':'), Just(b'd'), any::<u8>()], 0..200),
            cuts in proptest::collection::vec(0usize..200, 0..6),
        ) {
            let mut cuts: Vec<usize> = cuts.into_iter().map(|cut| cut.min(stream.len())).collect();
            cuts.extend([0, stream.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|ends| &stream[ends[0]..ends[1]]).collect();
            prop_assert_eq!(read(&pieces), read(&[&stream]));
        }
    }
}
