//! The one way out: HTTP for everything that a skill, a job or a model can influence.
//!
//! It owns which addresses may be reached and how much may come back. It must never reach an address that was not
//! checked, use a proxy of the environment, or read a file. A request comes in as plain data, a bounded body goes out.
//!
//! Pure: `rules` (URLs, names, addresses), `address` (the table), `hosts` (what is declared), `redirect`. With effects: `connect` (every connection
//! is checked there), `body` (reading under bounds), `http` (the pool, and the loop over redirects).

#[cfg(feature = "http")]
mod address;
#[cfg(feature = "http")]
mod body;
mod bounds;
#[cfg(feature = "http")]
mod cause;
#[cfg(feature = "http")]
mod connect;
mod error;
#[cfg(any(feature = "http", feature = "skills"))]
pub(crate) mod hosts;
#[cfg(feature = "http")]
mod http;
#[cfg(feature = "http")]
mod redirect;
#[cfg(feature = "http")]
mod resolve;
#[cfg(feature = "http")]
mod rules;
pub(crate) mod settings;
#[cfg(test)]
#[cfg(feature = "http")]
mod tests;

use std::fmt::Debug;
use std::sync::Arc;

use async_trait::async_trait;

use crate::data::Timestamp;

#[cfg(feature = "http")]
pub use self::http::{HttpEgress, HttpEgressBuilder};
pub use bounds::{FETCH_BYTES_MAX, FETCH_TIME_MAX};
pub use error::EgressError;
#[cfg(feature = "http")]
pub use resolve::{Resolve, SystemResolve};
#[cfg(feature = "http")]
pub use rules::{EgressRules, Target};
pub use settings::{EgressSettings, OpenedTarget, OpenedTargetError};

/// Fetches what a URL names.
///
/// # Contract
/// - **What was parsed is what is sent.** The URL is parsed once, by the WHATWG rules.
/// - **Only checked addresses** are connected to; a name that has a single special-purpose address is refused. Every
///   redirect is checked afresh, and against [`Fetch::hosts`] too.
/// - **Bounds.** No more than [`Fetch::bytes_max`] bytes after decoding, and nothing after the deadline.
/// - **One request**, and those that redirects ask for; no hidden retry. Dropping the future ends it.
/// - An answer with any status is an answer, not an error.
#[async_trait]
pub trait Egress: Debug + Send + Sync + 'static {
    /// Makes the request.
    async fn fetch(&self, request: &Fetch) -> Result<Fetched, EgressError>;
}

#[async_trait]
impl<T: Egress + ?Sized> Egress for Arc<T> {
    async fn fetch(&self, request: &Fetch) -> Result<Fetched, EgressError> {
        (**self).fetch(request).await
    }
}

/// How a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FetchMethod {
    /// Reads.
    #[default]
    Get,
    /// Sends a body.
    Post,
}

impl FetchMethod {
    /// Its name in a request.
    pub fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
        }
    }
}

/// A request.
#[derive(Clone, Debug)]
pub struct Fetch {
    /// How.
    pub method: FetchMethod,
    /// What, as somebody wrote it.
    pub url: String,
    /// Headers beside those that every request has.
    pub headers: Vec<(String, String)>,
    /// The body: bytes, never the name of a file.
    pub body: Vec<u8>,
    /// The hosts that it may reach, redirects included: `name`, `name:port`, or `*.zone` for the names below a zone. None
    /// means any that the rules allow.
    pub hosts: Option<Arc<[String]>>,
    /// The most of the body that is read, in bytes after decoding.
    pub bytes_max: usize,
    /// When the caller stops waiting.
    pub deadline: Timestamp,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Its status.
    pub status: u16,
    /// Where it came from, after redirects.
    pub url: String,
    /// What its body is, as its sender says.
    pub content_type: Option<String>,
    /// Its body, decoded.
    pub body: Vec<u8>,
}
