//! One request of a chain, and the one that an answer's `Location` asks for. Pure.
//!
//! As browsers do: 301, 302 and 303 turn a `POST` into a `GET`, 307 and 308 keep it. Stricter than browsers: to another
//! origin no header of the caller goes along but those that describe what is wanted, and no body goes at all.

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_LANGUAGE, CONTENT_TYPE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::bounds::HEADERS_MAX;
use super::rules::{EgressRules, Target, brief, refused};
use super::{EgressError, Fetch, FetchMethod};

/// What follows on an answer.
#[derive(Debug)]
pub(super) enum Next {
    /// Another request.
    Follow(Hop),
    /// Nothing: the answer to this request is the answer.
    End(Hop),
}

/// A request that keeps the rules.
#[derive(Clone, Debug)]
pub(super) struct Hop {
    pub(super) target: Target,
    pub(super) method: FetchMethod,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Hop {
    /// The first request.
    pub(super) fn first(rules: &EgressRules, fetch: &Fetch) -> Result<Self, EgressError> {
        let target = rules.check(&fetch.url)?;
        let headers = headers(&target, fetch)?;
        Ok(Self { target, method: fetch.method, headers, body: fetch.body.clone().into() })
    }

    /// What an answer asks for.
    ///
    /// # Errors
    /// [`EgressError::Refused`] when it would break a rule.
    pub(super) fn next(
        self,
        rules: &EgressRules,
        status: StatusCode,
        location: Option<&HeaderValue>,
    ) -> Result<Next, EgressError> {
        let (keeps_method, Some(location)) = (matches!(status.as_u16(), 307 | 308), location) else {
            return Ok(Next::End(self));
        };
        if !keeps_method && !matches!(status.as_u16(), 301..=303) {
            return Ok(Next::End(self));
        }
        let target = self.destination(rules, location)?;
        let from = self.target.shown();
        if self.target.is_encrypted() && !target.is_encrypted() {
            let rule = format!("{from} redirects from https to http");
            return Err(refused(target.url(), rule, "fetch the http URL itself if that is what you want"));
        }
        let same_origin = self.target.is_same_origin(&target);
        let method = if keeps_method { self.method } else { FetchMethod::Get };
        let body = if method == FetchMethod::Post { self.body } else { Bytes::new() };
        if !same_origin && !body.is_empty() {
            let rule = format!("{from} asks to send the body to another host");
            return Err(refused(target.url(), rule, "send it there yourself if you trust that host"));
        }
        let mut headers = self.headers;
        if !same_origin {
            let kept = [ACCEPT, ACCEPT_LANGUAGE].into_iter();
            headers = kept.filter_map(|name| headers.remove(&name).map(|value| (name, value))).collect();
        }
        if method == FetchMethod::Get {
            headers.remove(CONTENT_TYPE);
        }
        Ok(Next::Follow(Self { target, method, headers, body }))
    }

    fn destination(&self, rules: &EgressRules, location: &HeaderValue) -> Result<Target, EgressError> {
        let from = self.target.shown();
        let bad = |what: &str| refused(&from, format!("it redirects to {what}"), "there is nothing to fetch there");
        let location = std::str::from_utf8(location.as_bytes()).map_err(|_| bad("something that is no text"))?;
        if location.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(bad("a URL with blanks or control characters in it"));
        }
        let url = self.target.join(location).map_err(|why| bad(&format!("what is no URL ({why})")))?;
        rules.judge(url).map_err(|error| match error {
            EgressError::Refused { url, rule, fix } => {
                EgressError::Refused { url, rule: format!("{rule} ({from} redirects to it)"), fix }
            }
            other => other,
        })
    }
}

/// Headers that say how a message is carried, or to whom: they are the client's own business.
const OWN_HEADERS: &[&str] = &[
    "accept-encoding",
    "connection",
    "content-length",
    "expect",
    "host",
    "keep-alive",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

fn headers(target: &Target, fetch: &Fetch) -> Result<HeaderMap, EgressError> {
    let bad = |rule: String, fix: &str| refused(target.url(), rule, fix);
    if fetch.headers.len() > HEADERS_MAX {
        return Err(bad(format!("it has more than {HEADERS_MAX} headers"), "send fewer"));
    }
    if fetch.method == FetchMethod::Get && !fetch.body.is_empty() {
        return Err(bad("it is a GET with a body".into(), "use POST, or leave the body out"));
    }
    let mut headers = HeaderMap::new();
    for (name, value) in &fetch.headers {
        let header = HeaderName::try_from(name.as_str())
            .map_err(|_| bad(format!("`{}` is no name of a header", brief(name)), "use letters, digits and `-`"))?;
        if OWN_HEADERS.contains(&header.as_str()) || header.as_str().starts_with("proxy-") {
            return Err(bad(format!("the header `{header}` is set by the client itself"), "leave it out"));
        }
        let value = HeaderValue::try_from(value.as_str())
            .map_err(|_| bad(format!("the header `{header}` has control characters in it"), "leave them out"))?;
        headers.append(header, value);
    }
    Ok(headers)
}
