//! Names to addresses, and addresses to connections: the two seams under the rules.

use std::fmt::Debug;
use std::io;
use std::net::{IpAddr, SocketAddr};

use async_trait::async_trait;
use tokio::net::{TcpStream, lookup_host};

/// Finds the addresses of a name.
///
/// # Contract
/// All addresses are given back, for one that is not public refuses the name; none is filtered, none is checked. An
/// error and an empty list both mean that the name can't be reached.
#[async_trait]
pub trait Resolve: Debug + Send + Sync + 'static {
    /// The addresses of `host`, in the order in which they should be tried.
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>>;
}

/// The resolver of the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemResolve;

#[async_trait]
impl Resolve for SystemResolve {
    async fn resolve(&self, host: &str) -> io::Result<Vec<IpAddr>> {
        Ok(lookup_host((host, 0)).await?.map(|address| address.ip()).collect())
    }
}

/// Opens a connection to an address that was checked.
#[async_trait]
pub(super) trait Dial: Debug + Send + Sync + 'static {
    /// The connection.
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream>;
}

/// The network of the operating system.
#[derive(Clone, Copy, Debug)]
pub(super) struct SystemDial;

#[async_trait]
impl Dial for SystemDial {
    async fn dial(&self, address: SocketAddr) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }
}
