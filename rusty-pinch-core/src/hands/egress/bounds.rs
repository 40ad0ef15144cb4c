//! Every bound of the egress.

use std::time::Duration;

/// The most of a body that a caller asks for unless it says otherwise, in bytes after decoding.
pub const FETCH_BYTES_MAX: usize = 1024 * 1024;
/// How long a request takes at most, redirects included, unless the settings say otherwise.
pub const FETCH_TIME_MAX: Duration = Duration::from_secs(20);
/// How long a server may be silent.
#[cfg(feature = "http")]
pub(super) const IDLE_MAX: Duration = Duration::from_secs(5);
/// How long a connection may take to come about: name, address and TLS.
#[cfg(feature = "http")]
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(5);
/// How long one of several addresses is tried before the next: a dead route must not cost the whole of `CONNECT_MAX`.
#[cfg(feature = "http")]
pub(super) const ADDRESS_MAX: Duration = Duration::from_secs(2);
/// The longest URL, in bytes.
#[cfg(feature = "http")]
pub(super) const URL_BYTES_MAX: usize = 2048;
/// The most redirects that are followed.
#[cfg(feature = "http")]
pub(super) const REDIRECTS_MAX: usize = 5;
/// The most of an answer's head, in bytes.
#[cfg(feature = "http")]
pub(super) const HEAD_BYTES_MAX: usize = 64 * 1024;
/// The most headers of an answer, and of a request.
#[cfg(feature = "http")]
pub(super) const HEADERS_MAX: usize = 128;
/// How many bytes may come of one compressed byte.
#[cfg(feature = "http")]
pub(super) const RATIO_MAX: usize = 100;
/// Up to here the ratio does not matter, in bytes after decoding: a short page of blanks is no bomb.
#[cfg(feature = "http")]
pub(super) const RATIO_FREE_BYTES: usize = 64 * 1024;
/// How many bytes are decoded at a time.
#[cfg(feature = "http")]
pub(super) const DECODE_BYTES: usize = 1024;
/// The most of a foreign text (a URL, a header) that a message shows, in characters.
#[cfg(feature = "http")]
pub(super) const SHOWN_CHARS_MAX: usize = 100;
/// The most connections to one host that are kept for the next request.
#[cfg(feature = "http")]
pub(super) const IDLE_CONNECTIONS_MAX: usize = 4;
/// How long such a connection is kept.
#[cfg(feature = "http")]
pub(super) const CONNECTION_KEPT: Duration = Duration::from_secs(30);
