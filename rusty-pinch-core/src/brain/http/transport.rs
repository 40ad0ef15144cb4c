//! The HTTP client: how it is made, and what its failures mean.

use std::error::Error;
use std::time::Duration;

use reqwest::header::{ACCEPT, AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;

use super::config::HttpBrainConfig;
use super::upstream::Upstream;
use crate::brain::BrainError;
use crate::data::Secret;

const USER_AGENT: &str = concat!("rusty-pinch/", env!("CARGO_PKG_VERSION"));

/// How far an exchange had come when it failed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Stage {
    /// No answer had begun.
    Before,
    /// The answer had begun, and so many characters of its text were there.
    Within(usize),
}

/// Makes the client.
///
/// No proxy from the environment, no redirects (a redirected POST is a GET, or a key sent to somebody else), and no
/// repetitions of its own: trying again is the business of `FailoverBrain`.
pub(super) fn client(config: &HttpBrainConfig, key: Option<&Secret>) -> Result<reqwest::Client, BrainError> {
    crate::sys::choose_cryptography();
    reqwest::Client::builder()
        .user_agent(USER_AGENT)
        .default_headers(headers(config, key)?)
        .connect_timeout(config.connect_timeout)
        .redirect(Policy::none())
        .retry(reqwest::retry::never())
        .no_proxy()
        .build()
        .map_err(|error| {
            config.not_configured(
                format!("its HTTPS client can't be made ({})", chain(&error.without_url())),
                "install the system's certificates (the package is often called ca-certificates)",
            )
        })
}

fn headers(config: &HttpBrainConfig, key: Option<&Secret>) -> Result<HeaderMap, BrainError> {
    let mut headers = HeaderMap::new();
    headers.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
    for (name, value) in config.preset.headers() {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    if let Some(key) = key {
        let mut value = HeaderValue::try_from(format!("Bearer {}", key.expose()))
            .map_err(|_| config.not_configured("its key can't be sent", &config.key_fix))?;
        value.set_sensitive(true);
        headers.insert(AUTHORIZATION, value);
    }
    Ok(headers)
}

impl Upstream {
    /// What a failure of the transport means.
    pub(super) fn broken(&self, error: reqwest::Error, stage: Stage) -> BrainError {
        let error = error.without_url();
        if hyper_error(&error).is_some_and(hyper::Error::is_parse) {
            return self.malformed(&format!("not HTTP as it should be: {}", chain(&error)));
        }
        match stage {
            _ if error.is_builder() => self.rejected(&chain(&error)),
            Stage::Before => self.unreachable(Box::new(error)),
            Stage::Within(chars) => self.cut(&format!("after {chars} characters: {}", chain(&error))),
        }
    }

    /// What silence means.
    pub(super) fn silent(&self, idle: Duration, stage: Stage) -> BrainError {
        match stage {
            Stage::Before => BrainError::Overloaded {
                brain: self.name.clone(),
                detail: format!("it said nothing for {idle:?}"),
                retry_at: None,
            },
            Stage::Within(chars) => self.cut(&format!("after {chars} characters: nothing more came for {idle:?}")),
        }
    }
}

/// The parser's own error, wherever it hides in the chain.
fn hyper_error(error: &reqwest::Error) -> Option<&hyper::Error> {
    let mut source = error.source();
    while let Some(error) = source {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        source = error.source();
    }
    None
}

/// The error with its causes, in one line.
fn chain(error: &reqwest::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text.push_str(": ");
        text.push_str(&error.to_string());
        source = error.source();
    }
    text
}
