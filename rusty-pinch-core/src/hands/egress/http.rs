//! `HttpEgress`: the egress over HTTP/1.1.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, LOCATION, USER_AGENT};
use http::{HeaderValue, Method, Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::{CaptureConnection, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::ClientConfig;
use rustls_platform_verifier::ConfigVerifierExt;
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::bounds::{
    CONNECT_MAX, CONNECTION_KEPT, HEAD_BYTES_MAX, HEADERS_MAX, IDLE_CONNECTIONS_MAX, IDLE_MAX, REDIRECTS_MAX,
};
use super::connect::{Connector, Door, InTime};
use super::redirect::{Hop, Next};
use super::resolve::{Dial, Resolve, SystemDial, SystemResolve};
use super::rules::{EgressRules, brief, refused};
use super::settings::EgressSettings;
use super::{Egress, EgressError, Fetch, FetchMethod, Fetched, body, cause};
use crate::sys::{Clock, SystemClock};

type Pool = Client<InTime<HttpsConnector<Connector>>, Full<Bytes>>;

const AGENT: &str = concat!("rusty-pinch/", env!("CARGO_PKG_VERSION"));

/// How long things may take.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    pub(super) total: Duration,
    pub(super) connect: Duration,
    pub(super) idle: Duration,
}

/// The egress over HTTP/1.1 and TLS with the certificates of the system.
///
/// It keeps connections for the next request, takes no proxy from the environment and reads no file. Nothing is set up
/// before the first request. A request on a kept connection that the server had closed already, of which no byte was
/// written, goes out on a new one; nothing else is repeated.
#[derive(Clone, Debug)]
pub struct HttpEgress {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    rules: EgressRules,
    limits: Limits,
    clock: Arc<dyn Clock>,
    resolve: Arc<dyn Resolve>,
    dial: Arc<dyn Dial>,
    tls: Option<ClientConfig>,
    pool: OnceCell<Pool>,
}

/// Chooses the parts of an [`HttpEgress`].
#[derive(Debug)]
#[must_use]
pub struct HttpEgressBuilder {
    parts: Parts,
}

impl HttpEgressBuilder {
    /// Replaces the resolver. Its answers are checked like any other's.
    pub fn resolve(mut self, resolve: impl Resolve) -> Self {
        self.parts.resolve = Arc::new(resolve);
        self
    }

    /// Replaces the clock, by which deadlines are read.
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.parts.clock = Arc::new(clock);
        self
    }

    #[cfg(test)]
    pub(super) fn dial(mut self, dial: impl Dial) -> Self {
        self.parts.dial = Arc::new(dial);
        self
    }

    #[cfg(test)]
    pub(super) fn tls(mut self, config: ClientConfig) -> Self {
        self.parts.tls = Some(config);
        self
    }

    #[cfg(test)]
    pub(super) fn ports(mut self, ports: &[u16]) -> Self {
        self.parts.rules = self.parts.rules.on_ports(ports);
        self
    }

    /// The egress.
    pub fn build(self) -> HttpEgress {
        HttpEgress { parts: Arc::new(self.parts) }
    }
}

impl HttpEgress {
    /// The egress that `settings` describe, with the resolver and the clock of this computer.
    pub fn new(settings: &EgressSettings) -> Self {
        Self::builder(settings).build()
    }

    /// The same, with parts to choose.
    pub fn builder(settings: &EgressSettings) -> HttpEgressBuilder {
        let parts = Parts {
            rules: EgressRules::new(settings),
            limits: Limits { total: settings.timeout, connect: CONNECT_MAX, idle: IDLE_MAX },
            clock: Arc::new(SystemClock),
            resolve: Arc::new(SystemResolve),
            dial: Arc::new(SystemDial),
            tls: None,
            pool: OnceCell::new(),
        };
        HttpEgressBuilder { parts }
    }

    /// The rules, to judge a URL without fetching it.
    pub fn rules(&self) -> &EgressRules {
        &self.parts.rules
    }
}

#[async_trait]
impl Egress for HttpEgress {
    async fn fetch(&self, request: &Fetch) -> Result<Fetched, EgressError> {
        let parts = &self.parts;
        let hop = Hop::first(&parts.rules, request)?;
        let host = hop.target.host().to_owned();
        let left = request.deadline.since(parts.clock.now());
        let what = if left < parts.limits.total {
            // A caller's own limit and the end of its work look the same from here.
            format!("{:?}, all the time that this request had", to_the_millisecond(left))
        } else {
            format!("{:?} in all", parts.limits.total)
        };
        let bound = left.min(parts.limits.total);
        timeout(bound, parts.follow(hop, request)).await.unwrap_or(Err(EgressError::TimedOut { host, what }))
    }
}

impl Parts {
    async fn follow(&self, mut hop: Hop, request: &Fetch) -> Result<Fetched, EgressError> {
        for _ in 0..=REDIRECTS_MAX {
            if let Some(hosts) = &request.hosts {
                self.rules.confine(&hop.target, hosts)?;
            }
            let response = self.send(&hop).await?;
            hop = match hop.next(&self.rules, response.status(), response.headers().get(LOCATION))? {
                Next::Follow(next) => next,
                Next::End(last) => return self.take(&last, response, request.bytes_max).await,
            };
        }
        let rule = format!("it is behind more than {REDIRECTS_MAX} redirects");
        Err(refused(&request.url, rule, "fetch the URL that they lead to, if there is one"))
    }

    /// Sends one request and waits for the head of its answer.
    async fn send(&self, hop: &Hop) -> Result<Response<Incoming>, EgressError> {
        let host = hop.target.host();
        let mut request = encoded(hop)?;
        let captured = capture_connection(&mut request);
        let pool = self.pool.get_or_try_init(|| async { self.pool() }).await?;
        let response = tokio::select! {
            biased;
            response = pool.request(request) => response.map_err(|error| cause::meaning(host, &error))?,
            () = silence(captured, self.limits.idle) => {
                let what = format!("{:?} of silence", self.limits.idle);
                return Err(EgressError::TimedOut { host: host.to_owned(), what });
            }
        };
        // The client's own bound is a buffer, which the last read may pass.
        let size = |(name, value): (&http::HeaderName, &HeaderValue)| name.as_str().len() + value.len() + 4;
        if response.headers().iter().map(size).sum::<usize>() > HEAD_BYTES_MAX {
            return Err(cause::head_too_large(host));
        }
        Ok(response)
    }

    /// The answer, with its body.
    async fn take(&self, hop: &Hop, response: Response<Incoming>, bytes_max: usize) -> Result<Fetched, EgressError> {
        let (head, incoming) = response.into_parts();
        let body = body::read(hop.target.host(), &head.headers, incoming, bytes_max, self.limits.idle).await?;
        let content_type = head.headers.get(CONTENT_TYPE).map(|value| String::from_utf8_lossy(value.as_bytes()));
        Ok(Fetched {
            status: head.status.as_u16(),
            url: hop.target.url().to_owned(),
            content_type: content_type.map(|text| brief(&text)),
            body,
        })
    }

    fn pool(&self) -> Result<Pool, EgressError> {
        crate::sys::choose_cryptography();
        let tls = match &self.tls {
            Some(config) => config.clone(),
            None => ClientConfig::with_platform_verifier().map_err(|why| EgressError::Unreachable {
                host: "the network".to_owned(),
                detail: format!(
                    "HTTPS can't be set up: {why}; install the system's certificates, often called ca-certificates"
                ),
            })?,
        };
        let door = Door { rules: self.rules.clone(), resolve: Arc::clone(&self.resolve), dial: Arc::clone(&self.dial) };
        let https = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
        let connector = InTime { inner: https.wrap_connector(Connector(Arc::new(door))), limits: self.limits };
        Ok(Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(CONNECTION_KEPT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS_MAX)
            .http1_max_buf_size(HEAD_BYTES_MAX)
            .http1_max_headers(HEADERS_MAX)
            .build(connector))
    }
}

/// The request as it is sent.
fn encoded(hop: &Hop) -> Result<Request<Full<Bytes>>, EgressError> {
    let method = match hop.method {
        FetchMethod::Get => Method::GET,
        FetchMethod::Post => Method::POST,
    };
    let mut request =
        Request::builder().method(method).uri(hop.target.url()).body(Full::new(hop.body.clone())).map_err(|why| {
            refused(hop.target.url(), format!("it can't be sent by HTTP ({why})"), "encode it with %")
        })?;
    let headers = request.headers_mut();
    *headers = hop.headers.clone();
    headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
    headers.entry(ACCEPT).or_insert(HeaderValue::from_static("*/*"));
    headers.entry(USER_AGENT).or_insert(HeaderValue::from_static(AGENT));
    Ok(request)
}

/// `time` rounded up: what is left of a limit is a little less than the limit.
fn to_the_millisecond(time: Duration) -> Duration {
    let millis = time.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

/// Ends when a server that was reached has been silent for too long.
async fn silence(mut captured: CaptureConnection, idle: Duration) {
    let _ = captured.wait_for_connection_metadata().await;
    tokio::time::sleep(idle).await;
}
