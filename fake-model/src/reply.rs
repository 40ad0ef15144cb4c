//! What the server sends: honest replies, and every kind of broken one.

use std::io;
use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// A piece of a body.
#[derive(Clone, Debug)]
pub enum Part {
    /// Bytes, sent and flushed on their own; one chunk in a chunked body.
    Bytes(Vec<u8>),
    /// Nothing, for this long.
    Pause(Duration),
    /// The same bytes many times over.
    Repeat {
        /// The bytes.
        bytes: Vec<u8>,
        /// How many times.
        times: u64,
    },
}

#[derive(Clone, Debug)]
enum Framing {
    /// `content-length`, as it is.
    Length,
    /// `content-length`, as claimed.
    Claimed(u64),
    /// `transfer-encoding: chunked`.
    Chunked,
    /// The end of the connection ends the body.
    UntilClose,
    /// No head at all: the body is all that is sent.
    Raw,
}

/// What happens after the last byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The connection serves the next request.
    Keep,
    /// The connection is closed.
    Close,
    /// Nothing more is sent, and the connection stays open.
    Hold,
}

/// What the server sends for one request.
#[derive(Clone, Debug)]
pub struct Reply {
    delay: Duration,
    status: u16,
    headers: Vec<(String, String)>,
    framing: Framing,
    parts: Vec<Part>,
    end: End,
}

/// One server-sent event with nothing but data.
pub fn sse_data(data: &str) -> Vec<u8> {
    format!("data: {data}\n\n").into_bytes()
}

/// One server-sent event with a name.
pub fn sse_event(name: &str, data: &str) -> Vec<u8> {
    format!("event: {name}\ndata: {data}\n\n").into_bytes()
}

impl Reply {
    fn new(status: u16, framing: Framing, parts: Vec<Part>) -> Self {
        Self { delay: Duration::ZERO, status, headers: Vec::new(), framing, parts, end: End::Keep }
    }

    /// A body of that content type, with its true length.
    pub fn body(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self::new(status, Framing::Length, vec![Part::Bytes(body.into())]).header("content-type", content_type)
    }

    /// A JSON body.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::body(status, "application/json", body.to_string())
    }

    /// A page, as a misconfigured proxy sends it.
    pub fn html(status: u16) -> Self {
        let page = "<!doctype html><html><body><h1>Welcome</h1><p>This is not the API.</p></body></html>";
        Self::body(status, "text/html; charset=utf-8", page)
    }

    /// A stream of server-sent events with status 200, each given whole (see [`sse_data`], [`sse_event`]).
    pub fn event_stream(events: impl IntoIterator<Item = Vec<u8>>) -> Self {
        let parts = events.into_iter().map(Part::Bytes).collect();
        Self::new(200, Framing::Chunked, parts).header("content-type", "text/event-stream")
    }

    /// Bytes that are no HTTP, then the connection is closed.
    pub fn garbage() -> Self {
        Self::raw(b"\x16\x03\x01\xff\xfe this is not HTTP \x00\x01\x02\r\n\r\n".to_vec())
    }

    /// These bytes and nothing else, then the connection is closed.
    pub fn raw(bytes: Vec<u8>) -> Self {
        Self::new(200, Framing::Raw, vec![Part::Bytes(bytes)]).closing()
    }

    /// Nothing at all: the connection is closed at once.
    pub fn close() -> Self {
        Self::raw(Vec::new())
    }

    /// Nothing at all: the connection stays open until the client leaves.
    pub fn silence() -> Self {
        Self::raw(Vec::new()).holding()
    }

    /// Headers without end.
    pub fn endless_headers() -> Self {
        let line = format!("x-filler: {}\r\n", "f".repeat(1000)).into_bytes();
        let parts = vec![Part::Bytes(b"HTTP/1.1 200 OK\r\n".to_vec()), Part::Repeat { bytes: line, times: u64::MAX }];
        Self::new(200, Framing::Raw, parts)
    }

    /// A body of that content type which repeats `bytes` that many times.
    pub fn repeating(content_type: &str, bytes: Vec<u8>, times: u64) -> Self {
        Self::new(200, Framing::Chunked, vec![Part::Repeat { bytes, times }]).header("content-type", content_type)
    }

    /// The same reply with one more header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same reply with another status.
    #[must_use]
    pub fn status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// The same reply, after a while.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// The same reply with a `content-length` that is a lie.
    #[must_use]
    pub fn claiming(mut self, length: u64) -> Self {
        self.framing = Framing::Claimed(length);
        self.end = End::Close;
        self
    }

    /// The same reply without a length: the end of the connection ends it.
    #[must_use]
    pub fn until_close(mut self) -> Self {
        self.framing = Framing::UntilClose;
        self.end = End::Close;
        self
    }

    /// The same reply, and the connection is closed after it. A chunked body lacks its last chunk.
    #[must_use]
    pub fn closing(mut self) -> Self {
        self.end = End::Close;
        self
    }

    /// The same reply, and then silence. A chunked body lacks its last chunk.
    #[must_use]
    pub fn holding(mut self) -> Self {
        self.end = End::Hold;
        self
    }

    /// How many bytes the body has, as far as it is finite.
    pub fn body_len(&self) -> u64 {
        let length = |part: &Part| match part {
            Part::Bytes(bytes) => bytes.len() as u64,
            Part::Pause(_) => 0,
            Part::Repeat { bytes, times } => times.saturating_mul(bytes.len() as u64),
        };
        self.parts.iter().map(length).fold(0, u64::saturating_add)
    }

    /// The same head, then only the first `count` bytes of the body, then the connection is closed.
    #[must_use]
    pub fn cut_at(mut self, mut count: usize) -> Self {
        if matches!(self.framing, Framing::Length) {
            self.framing = Framing::Claimed(self.body_len());
        }
        for part in &mut self.parts {
            if let Part::Bytes(bytes) = part {
                bytes.truncate(count);
                count -= bytes.len();
            }
        }
        self.closing()
    }

    /// The same reply with its body in pieces of `bytes` bytes, each sent on its own after a pause.
    #[must_use]
    pub fn dripping(mut self, bytes: usize, pause: Duration) -> Self {
        let drip = |part: Part| match part {
            Part::Bytes(whole) => {
                whole.chunks(bytes.max(1)).flat_map(|piece| [Part::Pause(pause), Part::Bytes(piece.to_vec())]).collect()
            }
            other => vec![other],
        };
        self.parts = self.parts.into_iter().flat_map(drip).collect();
        self
    }

    /// The body's parts, to be changed at will.
    pub fn parts_mut(&mut self) -> &mut Vec<Part> {
        &mut self.parts
    }

    fn head(&self) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, reason(self.status));
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        match self.framing {
            Framing::Length => head.push_str(&format!("content-length: {}\r\n", self.body_len())),
            Framing::Claimed(length) => head.push_str(&format!("content-length: {length}\r\n")),
            Framing::Chunked => head.push_str("transfer-encoding: chunked\r\n"),
            Framing::UntilClose => head.push_str("connection: close\r\n"),
            Framing::Raw => return Vec::new(),
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    /// Sends everything and says what becomes of the connection. Never returns while it holds the connection open.
    pub(crate) async fn send(self, writer: &mut (impl AsyncWrite + Unpin)) -> io::Result<End> {
        if !self.delay.is_zero() {
            tokio::time::sleep(self.delay).await;
        }
        writer.write_all(&self.head()).await?;
        let chunked = matches!(self.framing, Framing::Chunked);
        for part in &self.parts {
            match part {
                Part::Bytes(bytes) => send_bytes(writer, bytes, chunked).await?,
                // Sleeping takes a millisecond at least, also for no time at all.
                Part::Pause(Duration::ZERO) => tokio::task::yield_now().await,
                Part::Pause(pause) => tokio::time::sleep(*pause).await,
                Part::Repeat { bytes, times } => {
                    for _ in 0..*times {
                        send_bytes(writer, bytes, chunked).await?;
                    }
                }
            }
        }
        match self.end {
            End::Hold => std::future::pending().await,
            End::Keep if chunked => writer.write_all(b"0\r\n\r\n").await?,
            End::Keep | End::Close => {}
        }
        writer.flush().await?;
        Ok(self.end)
    }
}

async fn send_bytes(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8], chunked: bool) -> io::Result<()> {
    if bytes.is_empty() {
        return Ok(());
    }
    if !chunked {
        return writer.write_all(bytes).await;
    }
    let mut chunk = format!("{:x}\r\n", bytes.len()).into_bytes();
    chunk.extend_from_slice(bytes);
    chunk.extend_from_slice(b"\r\n");
    writer.write_all(&chunk).await
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
