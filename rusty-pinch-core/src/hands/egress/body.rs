//! A body, read and decoded under its bounds.
//!
//! Only gzip is asked for and decoded, once: it is what servers speak, and every further format is a parser more for
//! whoever is hostile. What comes in another encoding is refused before a byte of it is read.

use std::io::{self, Write};
use std::time::Duration;

use flate2::write::MultiGzDecoder;
use http::HeaderMap;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use tokio::time::timeout;

use super::EgressError;
use super::bounds::{DECODE_BYTES, RATIO_FREE_BYTES, RATIO_MAX};
use super::cause;
use super::rules::brief;

/// Reads the body of an answer of `host`.
pub(super) async fn read(
    host: &str,
    headers: &HeaderMap,
    mut body: Incoming,
    bytes_max: usize,
    idle: Duration,
) -> Result<Vec<u8>, EgressError> {
    let mut reader = BodyReader::new(host, headers, bytes_max)?;
    loop {
        let frame = timeout(idle, body.frame())
            .await
            .map_err(|_| EgressError::TimedOut { host: host.to_owned(), what: format!("{idle:?} of silence") })?;
        match frame {
            None => return reader.finish(),
            Some(Ok(frame)) => frame.data_ref().map_or(Ok(()), |data| reader.feed(data))?,
            Some(Err(error)) => return Err(cause::meaning(host, &error)),
        }
    }
}

/// Collects a body that comes in pieces.
#[derive(Debug)]
pub(super) struct BodyReader {
    host: String,
    bytes_max: usize,
    received: usize,
    form: Form,
}

#[derive(Debug)]
enum Form {
    Plain(Vec<u8>),
    Gzip(Box<MultiGzDecoder<Decoded>>),
}

impl BodyReader {
    pub(super) fn new(host: &str, headers: &HeaderMap, bytes_max: usize) -> Result<Self, EgressError> {
        let mut reader = Self { host: host.to_owned(), bytes_max, received: 0, form: Form::Plain(Vec::new()) };
        let encodings: Vec<_> = headers.get_all(CONTENT_ENCODING).iter().map(|value| value.as_bytes()).collect();
        match encodings.as_slice() {
            [] | [b"" | b"identity"] => {
                // A server may lie about the length; it is believed only when it says too much.
                let length = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
                if length.is_some_and(|length| length > bytes_max) {
                    return Err(reader.too_large());
                }
            }
            [one] if one.eq_ignore_ascii_case(b"gzip") || one.eq_ignore_ascii_case(b"x-gzip") => {
                let decoded = Decoded { bytes: Vec::new(), bytes_max, received: 0, over: None };
                reader.form = Form::Gzip(Box::new(MultiGzDecoder::new(decoded)));
            }
            other => {
                let names = brief(&String::from_utf8_lossy(&other.join(&b", "[..])));
                return Err(reader.broken(&format!("it is encoded as `{names}`, and only gzip was asked for")));
            }
        }
        Ok(reader)
    }

    /// Takes the next piece.
    pub(super) fn feed(&mut self, data: &[u8]) -> Result<(), EgressError> {
        self.received = self.received.saturating_add(data.len());
        // What was received is never more than what may come of it, apart from the frames of gzip.
        if self.received > self.bytes_max.saturating_add(RATIO_FREE_BYTES) {
            return Err(self.too_large());
        }
        match &mut self.form {
            Form::Plain(bytes) if bytes.len() + data.len() > self.bytes_max => Err(self.too_large()),
            Form::Plain(bytes) => {
                bytes.extend_from_slice(data);
                Ok(())
            }
            Form::Gzip(decoder) => {
                for piece in data.chunks(DECODE_BYTES) {
                    decoder.get_mut().received += piece.len();
                    if let Err(error) = decoder.write_all(piece) {
                        return Err(self.undecodable(&error));
                    }
                }
                Ok(())
            }
        }
    }

    /// The whole body.
    pub(super) fn finish(mut self) -> Result<Vec<u8>, EgressError> {
        match &mut self.form {
            Form::Plain(bytes) => Ok(std::mem::take(bytes)),
            Form::Gzip(_) if self.received == 0 => Ok(Vec::new()),
            Form::Gzip(decoder) => match decoder.try_finish() {
                Ok(()) => Ok(std::mem::take(&mut decoder.get_mut().bytes)),
                Err(error) => Err(self.undecodable(&error)),
            },
        }
    }

    /// How much memory the body takes.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        match &self.form {
            Form::Plain(bytes) => bytes.capacity(),
            Form::Gzip(decoder) => decoder.get_ref().bytes.capacity(),
        }
    }

    fn undecodable(&self, error: &io::Error) -> EgressError {
        let over = match &self.form {
            Form::Gzip(decoder) => decoder.get_ref().over,
            Form::Plain(_) => None,
        };
        match over {
            Some(Over::Bytes) => self.too_large(),
            Some(Over::Ratio) => EgressError::TooLarge {
                host: self.host.clone(),
                what: format!("{RATIO_MAX} times what was sent, which is how bombs are packed"),
            },
            None => self.broken(&format!("its gzip can't be decoded: {error}")),
        }
    }

    fn too_large(&self) -> EgressError {
        EgressError::TooLarge { host: self.host.clone(), what: format!("{} bytes", self.bytes_max) }
    }

    fn broken(&self, detail: &str) -> EgressError {
        EgressError::Broken { host: self.host.clone(), detail: detail.to_owned() }
    }
}

/// What was decoded: it takes no byte beyond its bounds.
#[derive(Debug)]
struct Decoded {
    bytes: Vec<u8>,
    bytes_max: usize,
    received: usize,
    over: Option<Over>,
}

#[derive(Clone, Copy, Debug)]
enum Over {
    Bytes,
    Ratio,
}

impl Write for Decoded {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        let after = self.bytes.len().saturating_add(piece.len());
        if after > self.bytes_max {
            self.over = Some(Over::Bytes);
        } else if after > RATIO_FREE_BYTES && after > self.received.saturating_mul(RATIO_MAX) {
            self.over = Some(Over::Ratio);
        }
        if self.over.is_some() {
            return Err(io::Error::other("over its bound"));
        }
        self.bytes.extend_from_slice(piece);
        Ok(piece.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
