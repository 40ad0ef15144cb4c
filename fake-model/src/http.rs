//! Reading HTTP/1.1 requests, bounded.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

/// The longest request line and headers, in bytes.
pub const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The longest request body, in bytes.
pub const REQUEST_BODY_BYTES_MAX: usize = 64 * 1024 * 1024;
const READ_BYTES: usize = 16 * 1024;

/// A request as it came.
#[derive(Clone, Debug)]
pub struct Request {
    /// How many requests came before it.
    pub number: usize,
    /// Which connection it came on, counted from 0.
    pub connection: usize,
    /// The method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// The headers in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, chunks joined.
    pub body: Vec<u8>,
    /// When it was complete.
    pub at: Instant,
}

impl Request {
    /// The first header of that (lower-case) name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// The body as JSON; null when it is not JSON.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The value at `pointer` in the JSON body; null when there is none.
    pub fn field(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or(Value::Null)
    }

    pub(crate) fn wants_close(&self) -> bool {
        self.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"))
    }
}

/// Bytes that were read and not used yet.
#[derive(Debug, Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    /// Reads more; false at the end of the stream.
    pub(crate) async fn fill(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<bool> {
        let mut chunk = [0; READ_BYTES];
        let count = stream.read(&mut chunk).await?;
        self.bytes.extend_from_slice(&chunk[..count]);
        Ok(count > 0)
    }

    /// Reads until the peer closes. A client that sends the next request early keeps it in the buffer.
    pub(crate) async fn until_closed(&mut self, stream: &mut (impl AsyncRead + Unpin)) {
        while self.bytes.len() <= REQUEST_BODY_BYTES_MAX && matches!(self.fill(stream).await, Ok(true)) {}
    }

    async fn need(&mut self, stream: &mut (impl AsyncRead + Unpin), count: usize) -> io::Result<()> {
        while self.bytes.len() < count {
            if !self.fill(stream).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    }

    fn take(&mut self, count: usize) -> Vec<u8> {
        let rest = self.bytes.split_off(count);
        std::mem::replace(&mut self.bytes, rest)
    }

    /// Everything up to and without `end`, which is consumed too.
    async fn until(&mut self, stream: &mut (impl AsyncRead + Unpin), end: &[u8]) -> io::Result<Vec<u8>> {
        let mut looked = 0;
        loop {
            if let Some(at) = self.bytes[looked..].windows(end.len()).position(|window| window == end) {
                let mut taken = self.take(looked + at + end.len());
                taken.truncate(looked + at);
                return Ok(taken);
            }
            looked = self.bytes.len().saturating_sub(end.len() - 1);
            if self.bytes.len() > HEAD_BYTES_MAX {
                return Err(bad("the head is too long"));
            }
            if !self.fill(stream).await? {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
        }
    }
}

fn bad(what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what.to_owned())
}

/// The next request, or none when the client is done. `number` and `connection` are for the caller to fill.
pub(crate) async fn read_request(
    reader: &mut (impl AsyncRead + Unpin),
    writer: &mut (impl AsyncWrite + Unpin),
    buffer: &mut Buffer,
) -> io::Result<Option<Request>> {
    if buffer.bytes.is_empty() && !buffer.fill(reader).await? {
        return Ok(None);
    }
    let head = buffer.until(reader, b"\r\n\r\n").await?;
    let head = String::from_utf8(head).map_err(|_| bad("the head is not UTF-8"))?;
    let mut lines = head.split("\r\n");
    let mut start = lines.next().unwrap_or_default().split(' ');
    let (Some(method), Some(path)) = (start.next(), start.next()) else { return Err(bad("no request line")) };
    let headers: Vec<_> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.trim().to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let mut request = Request {
        number: 0,
        connection: 0,
        method: method.to_owned(),
        path: path.to_owned(),
        headers,
        body: Vec::new(),
        at: Instant::now(),
    };
    if request.header("expect").is_some_and(|value| value.eq_ignore_ascii_case("100-continue")) {
        writer.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
    }
    request.body = read_body(reader, buffer, &request).await?;
    request.at = Instant::now();
    Ok(Some(request))
}

async fn read_body(
    reader: &mut (impl AsyncRead + Unpin),
    buffer: &mut Buffer,
    request: &Request,
) -> io::Result<Vec<u8>> {
    if request.header("transfer-encoding").is_some_and(|value| value.to_ascii_lowercase().contains("chunked")) {
        return read_chunks(reader, buffer).await;
    }
    let Some(length) = request.header("content-length") else { return Ok(Vec::new()) };
    let length: usize = length.parse().map_err(|_| bad("the content-length is not a number"))?;
    if length > REQUEST_BODY_BYTES_MAX {
        return Err(bad("the body is too long"));
    }
    buffer.need(reader, length).await?;
    Ok(buffer.take(length))
}

async fn read_chunks(reader: &mut (impl AsyncRead + Unpin), buffer: &mut Buffer) -> io::Result<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let line = buffer.until(reader, b"\r\n").await?;
        let line = String::from_utf8_lossy(&line);
        let size = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).map_err(|_| bad("the chunk size is not hexadecimal"))?;
        if size > REQUEST_BODY_BYTES_MAX.saturating_sub(body.len()) {
            return Err(bad("the body is too long"));
        }
        if size == 0 {
            while !buffer.until(reader, b"\r\n").await?.is_empty() {}
            return Ok(body);
        }
        buffer.need(reader, size + 2).await?;
        body.extend_from_slice(&buffer.take(size));
        buffer.take(2);
    }
}
