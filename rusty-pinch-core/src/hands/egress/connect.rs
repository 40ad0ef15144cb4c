//! Connections: each is made to an address that was checked at the moment it is made, and to nothing else.
//!
//! This is below the pool and below TLS, so there is no way around it: literal addresses, names, redirects and new
//! connections to known hosts all pass here. A pooled connection leads to an address that was checked when it was made,
//! whatever its name resolves to by now.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Uri;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tower_service::Service;

use super::EgressError;
use super::bounds::ADDRESS_MAX;
use super::cause::BoxError;
use super::http::Limits;
use super::resolve::{Dial, Resolve};
use super::rules::{EgressRules, refused};

type Connecting<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

/// What a connection is made with.
#[derive(Debug)]
pub(super) struct Door {
    pub(super) rules: EgressRules,
    pub(super) resolve: Arc<dyn Resolve>,
    pub(super) dial: Arc<dyn Dial>,
}

impl Door {
    /// A connection to `host`.
    async fn open(&self, host: &str, port: u16) -> Result<TcpStream, EgressError> {
        let addresses = match host.parse::<IpAddr>() {
            Ok(literal) => vec![literal],
            Err(_) => self.resolve.resolve(host).await.map_err(|why| unreachable(host, &why.to_string()))?,
        };
        for address in &addresses {
            self.rules.admit_on_port(host, port, *address)?;
        }
        let mut why = "its name has no address".to_owned();
        for address in addresses {
            let address = SocketAddr::new(address, port);
            match timeout(ADDRESS_MAX, self.dial.dial(address)).await {
                Ok(Ok(stream)) => return Ok(stream),
                Ok(Err(error)) => why = error.to_string(),
                Err(_) => why = format!("no connection within {ADDRESS_MAX:?}"),
            }
        }
        Err(unreachable(host, &why))
    }
}

fn unreachable(host: &str, why: &str) -> EgressError {
    EgressError::Unreachable { host: host.to_owned(), detail: why.to_owned() }
}

/// Connects for the pool.
#[derive(Clone, Debug)]
pub(super) struct Connector(pub(super) Arc<Door>);

impl Service<Uri> for Connector {
    type Response = TokioIo<TcpStream>;
    type Error = EgressError;
    type Future = Connecting<Self::Response, Self::Error>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let door = Arc::clone(&self.0);
        Box::pin(async move {
            let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']');
            let port = match (uri.port_u16(), uri.scheme_str()) {
                (Some(port), _) => port,
                (None, Some("https")) => 443,
                (None, Some("http")) => 80,
                (None, _) => return Err(refused(&uri.to_string(), "it is not http or https", "fetch something else")),
            };
            door.open(host, port).await.map(TokioIo::new)
        })
    }
}

/// A connector whose connections, TLS included, must be there in time.
#[derive(Clone, Debug)]
pub(super) struct InTime<C> {
    pub(super) inner: C,
    pub(super) limits: Limits,
}

impl<C> Service<Uri> for InTime<C>
where
    C: Service<Uri, Error = BoxError>,
    C::Future: Send + 'static,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Connecting<C::Response, BoxError>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (host, bound) = (uri.host().unwrap_or_default().to_owned(), self.limits.connect);
        let connecting = self.inner.call(uri);
        Box::pin(async move {
            timeout(bound, connecting).await.unwrap_or_else(|_| {
                Err(Box::new(EgressError::TimedOut { host, what: format!("the {bound:?} that a connection may take") }))
            })
        })
    }
}
