//! What CI checks besides what cargo checks by itself.

pub(crate) mod crates;
pub(crate) mod features;
pub(crate) mod licences;
pub(crate) mod msrv;
pub(crate) mod sources;
mod spdx;
