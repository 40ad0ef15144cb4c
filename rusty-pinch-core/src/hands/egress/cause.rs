//! What lies behind the errors of the HTTP client.

use std::error::Error;

use super::EgressError;
use super::bounds::{HEAD_BYTES_MAX, HEADERS_MAX};

pub(super) type BoxError = Box<dyn Error + Send + Sync>;

/// What a failure of the client means for a request to `host`.
pub(super) fn meaning(host: &str, error: &(dyn Error + 'static)) -> EgressError {
    if let Some(own) = find::<EgressError>(error) {
        return own.clone();
    }
    let hyper = find::<hyper::Error>(error);
    if hyper.is_some_and(is_too_large) {
        return head_too_large(host);
    }
    let (host, detail) = (host.to_owned(), told(error));
    match hyper {
        Some(_) => EgressError::Broken { host, detail },
        None => EgressError::Unreachable { host, detail },
    }
}

/// The answer's head goes over its bounds.
pub(super) fn head_too_large(host: &str) -> EgressError {
    let what = format!("{HEADERS_MAX} headers or {HEAD_BYTES_MAX} bytes of them");
    EgressError::TooLarge { host: host.to_owned(), what }
}

/// hyper tells this case apart only for servers, so its text has to do; a test holds it fast.
fn is_too_large(error: &hyper::Error) -> bool {
    error.is_parse() && error.to_string() == "message head is too large"
}

fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref() {
            return Some(found);
        }
        next = error.source();
    }
    None
}

/// The error with its causes, in one line.
fn told(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        let cause = error.to_string();
        if !text.ends_with(&cause) {
            text.push_str(": ");
            text.push_str(&cause);
        }
        next = error.source();
    }
    text
}
