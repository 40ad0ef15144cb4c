//! Brains behind HTTP: anything that speaks OpenAI-compatible chat completions.
//!
//! It owns one endpoint, one key and one client. It must never try again by itself (that is `FailoverBrain`), follow a
//! redirect, use a proxy from the environment, or let the key into an error, a log or a URL. Data goes
//! request → [`wire`] → socket → [`sse`] → [`assemble`] → completion; [`classify`] turns refusals into errors.

mod assemble;
mod classify;
mod config;
mod retry_after;
mod sse;
mod transport;
mod upstream;
mod wire;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use reqwest::header::{CONTENT_ENCODING, CONTENT_TYPE};
use reqwest::{Client, Response, StatusCode, Url};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use self::assemble::Assembler;
use self::sse::{EVENT_BYTES_MAX, SseError, SseReader};
use self::transport::Stage;
use self::upstream::Upstream;
use self::wire::WireRequest;
use super::{Brain, BrainError, BrainInfo, Completion, CompletionRequest, Deltas};
use crate::sys::{Clock, SystemClock};

pub use config::{
    CONNECT_TIMEOUT, CONTEXT_TOKENS_UNKNOWN, HttpBrainConfig, HttpPreset, IDLE_TIMEOUT, RESPONSE_BYTES_MAX,
};

/// The most of a refusal that is read, in bytes and in time: enough to say why.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;
const REFUSAL_TIME_MAX: Duration = Duration::from_secs(1);
/// How long the end of the transfer is waited for after the end of the answer, so that the connection can be used again.
const AFTERTHOUGHT_TIME_MAX: Duration = Duration::from_millis(20);
const DONE: &str = "[DONE]";

/// Thinks by asking an OpenAI-compatible server. One request per completion, always streamed.
pub struct HttpBrain {
    info: BrainInfo,
    config: HttpBrainConfig,
    upstream: Upstream,
    endpoint: Url,
    clock: Arc<dyn Clock>,
    client: OnceCell<Client>,
}

/// In which form an answer comes.
enum Form {
    Events,
    Json,
}

impl HttpBrain {
    /// Checks `config` and makes a brain of it. Nothing is sent, and no client is made before the first completion.
    ///
    /// # Errors
    /// [`BrainError::NotConfigured`] when key, model or base URL are missing or can't work.
    pub fn new(config: HttpBrainConfig) -> Result<Self, BrainError> {
        let endpoint = config.endpoint()?;
        let model = config.checked_model()?;
        let upstream = Upstream {
            name: config.name.clone(),
            target: config::target(&endpoint),
            model: model.clone(),
            key: config.checked_key()?,
            key_fix: config.key_fix.clone(),
        };
        let info = BrainInfo { name: config.name.clone(), model, context_tokens: config.context_tokens, free: false };
        Ok(Self { info, config, upstream, endpoint, clock: Arc::new(SystemClock), client: OnceCell::new() })
    }

    /// The same brain with another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    async fn attempt(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let client =
            self.client.get_or_try_init(async || transport::client(&self.config, self.upstream.key.as_ref())).await?;
        let body = WireRequest::new(&self.info.model, self.config.temperature, request);
        let sending = client.post(self.endpoint.clone()).json(&body).send();
        let response = match timeout(self.config.idle_timeout, sending).await {
            Ok(sent) => sent.map_err(|error| self.upstream.broken(error, Stage::Before))?,
            Err(_) => return Err(self.upstream.silent(self.config.idle_timeout, Stage::Before)),
        };
        if response.status() != StatusCode::OK {
            return Err(self.refusal(response).await);
        }
        self.answer(response, deltas).await
    }

    async fn refusal(&self, mut response: Response) -> BrainError {
        let mut body = Vec::new();
        let reading = async {
            while let Ok(Some(bytes)) = response.chunk().await {
                body.extend_from_slice(&bytes);
                if body.len() >= REFUSAL_BYTES_MAX {
                    break;
                }
            }
        };
        // A refusal that is slow or breaks off is a refusal all the same.
        let _ = timeout(REFUSAL_TIME_MAX, reading).await;
        body.truncate(REFUSAL_BYTES_MAX);
        let body = String::from_utf8_lossy(&body);
        self.upstream.refusal(response.status(), response.headers(), &body, self.clock.now())
    }

    async fn answer(&self, mut response: Response, deltas: &Deltas) -> Result<Completion, BrainError> {
        if let Some(encoding) = response.headers().get(CONTENT_ENCODING).filter(|value| *value != "identity") {
            return Err(self.upstream.malformed(&format!("the content encoding {encoding:?} was not asked for")));
        }
        if response.content_length().is_some_and(|length| length > self.config.response_bytes_max as u64) {
            return Err(self.too_large(self.config.response_bytes_max));
        }
        let mut body = Body { brain: self, bytes_left: self.config.response_bytes_max };
        let first = body.chunk(&mut response, Stage::Within(0)).await?.unwrap_or_default();
        match self.form(&response, &first)? {
            Form::Json => self.whole(body, response, first, deltas).await,
            Form::Events => self.stream(body, response, first, deltas).await,
        }
    }

    fn form(&self, response: &Response, first: &[u8]) -> Result<Form, BrainError> {
        let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
        let essence = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match (essence.as_str(), first.trim_ascii_start().first()) {
            ("text/event-stream", _) => Ok(Form::Events),
            (json, _) if json.ends_with("json") => Ok(Form::Json),
            // Some small servers don't say, or say it wrong.
            ("" | "text/plain" | "application/octet-stream", Some(b'{')) => Ok(Form::Json),
            ("" | "text/plain" | "application/octet-stream", Some(b'd' | b':' | b'e')) => Ok(Form::Events),
            _ => Err(self.upstream.malformed(&format!("200 OK with content type `{content_type}`"))),
        }
    }

    /// An answer in one piece, from a server that ignores that it was asked to stream.
    async fn whole(
        &self,
        mut body: Body<'_>,
        mut response: Response,
        first: Bytes,
        deltas: &Deltas,
    ) -> Result<Completion, BrainError> {
        let mut json = first.to_vec();
        while let Some(bytes) = body.chunk(&mut response, Stage::Within(0)).await? {
            json.extend_from_slice(&bytes);
        }
        let json = std::str::from_utf8(&json).map_err(|error| match error.error_len() {
            Some(_) => self.upstream.malformed("JSON that is not UTF-8"),
            None => self.upstream.cut("inside a character"),
        })?;
        let mut assembler = Assembler::default();
        deltas.text(&assembler.push(json).map_err(|fault| self.upstream.faulty(fault))?);
        assembler.finish().map_err(|fault| self.upstream.faulty(fault))
    }

    async fn stream(
        &self,
        mut body: Body<'_>,
        mut response: Response,
        first: Bytes,
        deltas: &Deltas,
    ) -> Result<Completion, BrainError> {
        let mut answer = Streamed::default();
        let mut next = Some(first);
        while let Some(bytes) = next {
            if answer.push(self, &bytes, deltas)? {
                break;
            }
            next = body.chunk(&mut response, Stage::Within(answer.assembler.text_chars())).await?;
        }
        let completion = answer.assembler.finish().map_err(|fault| self.upstream.faulty(fault))?;
        let _ = timeout(AFTERTHOUGHT_TIME_MAX, response.chunk()).await;
        Ok(completion)
    }

    fn unreadable(&self, error: SseError) -> BrainError {
        match error {
            SseError::TooLong => self.too_large(EVENT_BYTES_MAX),
            SseError::NotUtf8 => self.upstream.malformed(&error.to_string()),
        }
    }

    fn too_large(&self, bytes_max: usize) -> BrainError {
        BrainError::TooLarge { brain: self.info.name.clone(), bytes_max }
    }
}

/// An answer that comes as events.
#[derive(Default)]
struct Streamed {
    events: SseReader,
    assembler: Assembler,
    last_id: Option<String>,
}

impl Streamed {
    /// Takes the next bytes of the body, wherever they were cut; true when the answer is over.
    fn push(&mut self, brain: &HttpBrain, bytes: &[u8], deltas: &Deltas) -> Result<bool, BrainError> {
        let mut events = Vec::new();
        let read = self.events.push(bytes, &mut events);
        for event in events {
            // A numbered event that comes twice is the same event.
            if event.id.is_some() && std::mem::replace(&mut self.last_id, event.id.clone()) == event.id {
                continue;
            }
            match event.data.trim() {
                DONE => return Ok(true),
                "" => {}
                json => deltas.text(&self.assembler.push(json).map_err(|fault| brain.upstream.faulty(fault))?),
            }
        }
        read.map(|()| false).map_err(|error| brain.unreadable(error))
    }
}

/// For the fuzz targets, which have no server.
#[cfg(feature = "testing")]
impl HttpBrain {
    /// Reads a streamed answer whose body came in `pieces`.
    #[doc(hidden)]
    pub fn read_stream<'a>(
        &self,
        pieces: impl IntoIterator<Item = &'a [u8]>,
        deltas: &Deltas,
    ) -> Result<Completion, BrainError> {
        let mut answer = Streamed::default();
        for piece in pieces {
            if answer.push(self, piece, deltas)? {
                break;
            }
        }
        answer.assembler.finish().map_err(|fault| self.upstream.faulty(fault))
    }
}

/// Reads a body within its bounds.
struct Body<'a> {
    brain: &'a HttpBrain,
    bytes_left: usize,
}

impl Body<'_> {
    async fn chunk(&mut self, response: &mut Response, stage: Stage) -> Result<Option<Bytes>, BrainError> {
        let HttpBrain { config, upstream, .. } = self.brain;
        let chunk = match timeout(config.idle_timeout, response.chunk()).await {
            Ok(chunk) => chunk.map_err(|error| upstream.broken(error, stage))?,
            Err(_) => return Err(upstream.silent(config.idle_timeout, stage)),
        };
        let Some(bytes) = chunk else { return Ok(None) };
        match self.bytes_left.checked_sub(bytes.len()) {
            Some(left) => self.bytes_left = left,
            None => return Err(self.brain.too_large(config.response_bytes_max)),
        }
        Ok(Some(bytes))
    }
}

#[async_trait]
impl Brain for HttpBrain {
    fn info(&self) -> &BrainInfo {
        &self.info
    }

    async fn complete(&self, request: &CompletionRequest, deltas: &Deltas) -> Result<Completion, BrainError> {
        let too_late = || Err(BrainError::DeadlineExceeded { brain: self.info.name.clone() });
        if self.clock.now() >= request.deadline {
            return too_late();
        }
        tokio::select! {
            biased;
            done = self.attempt(request, deltas) => done,
            () = self.clock.sleep_until(request.deadline) => too_late(),
        }
    }
}

impl fmt::Debug for HttpBrain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Not the endpoint: its query may be secret.
        let Self { info, upstream, .. } = self;
        f.debug_struct("HttpBrain").field("info", info).field("target", &upstream.target).finish_non_exhaustive()
    }
}
