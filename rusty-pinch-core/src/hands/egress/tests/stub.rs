//! A small internet: names with the addresses they are given, and servers on loopback that play all of them.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use super::super::http::{HttpEgress, HttpEgressBuilder};
use super::super::resolve::{Dial, Resolve};
use super::super::{Egress, EgressError, EgressSettings, Fetch, FetchMethod, Fetched};
use super::addresses::oracle;
use crate::data::Timestamp;
use crate::sys::Clock;
use crate::testing::VirtualClock;

/// What every name resolves to unless the test says otherwise: a public address.
pub(super) const PUBLIC: IpAddr = IpAddr::V4(Ipv4Addr::new(93, 184, 215, 14));

/// A request as a server saw it.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) headers: BTreeMap<String, String>,
    pub(super) body: Vec<u8>,
}

impl Seen {
    pub(super) fn host(&self) -> &str {
        self.headers.get("host").map_or("", String::as_str)
    }

    pub(super) fn path(&self) -> &str {
        self.line.split(' ').nth(1).unwrap_or_default()
    }
}

type Serve = dyn Fn(&Seen) -> Vec<u8> + Send + Sync;

/// What happened on the network.
#[derive(Debug, Default)]
pub(super) struct Log {
    pub(super) lookups: Vec<String>,
    pub(super) dials: Vec<SocketAddr>,
    pub(super) requests: Vec<Seen>,
}

/// The internet.
#[derive(Clone, Debug)]
pub(super) struct Internet {
    names: Arc<BTreeMap<String, Vec<Answer>>>,
    log: Arc<Mutex<Log>>,
    plain: SocketAddr,
    encrypted: SocketAddr,
    trusted: ClientConfig,
}

/// What a resolver answers; the last answer is repeated.
pub(super) type Answer = Result<Vec<IpAddr>, String>;

impl Internet {
    /// Servers that answer with `serve`, under `names`; every other name is [`PUBLIC`].
    pub(super) async fn new(
        names: BTreeMap<String, Vec<Answer>>,
        encrypted: &[&str],
        serve: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static,
    ) -> Self {
        crate::sys::choose_cryptography();
        let (acceptor, trusted) = tls(encrypted);
        let log = Arc::new(Mutex::new(Log::default()));
        let serve: Arc<Serve> = Arc::new(serve);
        let plain = listen(None, Arc::clone(&serve), Arc::clone(&log)).await;
        let encrypted = listen(Some(acceptor), serve, Arc::clone(&log)).await;
        Self { names: Arc::new(names), log, plain, encrypted, trusted }
    }

    pub(super) async fn of(serve: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::new(BTreeMap::new(), &["example.com"], serve).await
    }

    pub(super) fn builder(&self, settings: &EgressSettings) -> HttpEgressBuilder {
        HttpEgress::builder(settings)
            .resolve(self.clone())
            .dial(self.clone())
            .tls(self.trusted.clone())
            .clock(VirtualClock::default())
    }

    pub(super) fn egress(&self) -> HttpEgress {
        self.builder(&EgressSettings::default()).build()
    }

    pub(super) fn log(&self) -> std::sync::MutexGuard<'_, Log> {
        self.log.lock().unwrap()
    }

    /// Addresses that were connected to and must not have been.
    pub(super) fn trespasses(&self) -> Vec<SocketAddr> {
        self.log().dials.iter().filter(|dialed| oracle(dialed.ip())).copied().collect()
    }

    pub(super) fn dialed(&self) -> BTreeSet<IpAddr> {
        self.log().dials.iter().map(SocketAddr::ip).collect()
    }
}

#[async_trait]
impl Resolve for Internet {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        let asked = {
            let mut log = self.log();
            log.lookups.push(host.to_owned());
            log.lookups.iter().filter(|name| *name == host).count()
        };
        let Some(answers) = self.names.get(host) else { return Ok(vec![PUBLIC]) };
        answers[(asked - 1).min(answers.len() - 1)].clone().map_err(io::Error::other)
    }
}

#[async_trait]
impl Dial for Internet {
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        self.log().dials.push(address);
        if oracle(address.ip()) {
            return Err(io::Error::other("the test's network does not go there"));
        }
        TcpStream::connect(if address.port() == 443 { self.encrypted } else { self.plain }).await
    }
}

fn tls(names: &[&str]) -> (TlsAcceptor, ClientConfig) {
    let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
    let made = rcgen::generate_simple_self_signed(names).unwrap();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let certificate = made.cert.der().clone();
    let server =
        ServerConfig::builder().with_no_client_auth().with_single_cert(vec![certificate.clone()], key).unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (TlsAcceptor::from(Arc::new(server)), client)
}

async fn listen(tls: Option<TlsAcceptor>, serve: Arc<Serve>, log: Arc<Mutex<Log>>) -> SocketAddr {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (tls, serve, log) = (tls.clone(), Arc::clone(&serve), Arc::clone(&log));
            tokio::spawn(async move {
                match tls {
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            talk(stream, serve.as_ref(), &log).await;
                        }
                    }
                    None => talk(stream, serve.as_ref(), &log).await,
                }
            });
        }
    });
    address
}

async fn talk(mut stream: impl AsyncRead + AsyncWrite + Unpin, serve: &Serve, log: &Mutex<Log>) {
    while let Some(seen) = read_request(&mut stream).await {
        log.lock().unwrap().requests.push(seen.clone());
        let answer = serve(&seen);
        if stream.write_all(&answer).await.is_err() || stream.flush().await.is_err() {
            return;
        }
    }
}

/// Reads one request; none when the client is gone.
pub(super) async fn read_request(stream: &mut (impl AsyncRead + Unpin)) -> Option<Seen> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let line = lines.next()?.to_owned();
    let headers: BTreeMap<_, _> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Seen { line, headers, body })
}

/// An answer with `body`.
pub(super) fn answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut answer = format!("HTTP/1.1 {status} X\r\ncontent-length: {}\r\n", body.len());
    for (name, value) in headers {
        answer.push_str(&format!("{name}: {value}\r\n"));
    }
    let mut answer = (answer + "\r\n").into_bytes();
    answer.extend_from_slice(body);
    answer
}

pub(super) fn ok() -> Vec<u8> {
    answer(200, &[], b"hello")
}

pub(super) fn deadline() -> Timestamp {
    VirtualClock::default().now() + Duration::from_secs(60)
}

pub(super) fn get(url: &str) -> Fetch {
    Fetch {
        method: FetchMethod::Get,
        url: url.to_owned(),
        headers: Vec::new(),
        body: Vec::new(),
        hosts: None,
        bytes_max: 1024 * 1024,
        deadline: deadline(),
    }
}

pub(super) fn post(url: &str, body: &[u8]) -> Fetch {
    Fetch { method: FetchMethod::Post, body: body.to_vec(), ..get(url) }
}

/// The egress over `internet` gets `request`.
pub(super) async fn fetch(internet: &Internet, request: &Fetch) -> Result<Fetched, EgressError> {
    internet.egress().fetch(request).await
}
