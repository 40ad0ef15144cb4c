//! What may be reached. Pure: the same URL, addresses and settings always give the same answer.

use std::net::IpAddr;
use std::sync::Arc;

use url::{Host, Url};

use super::EgressError;
use super::address::{Standing, standing};
use super::bounds::{SHOWN_CHARS_MAX, URL_BYTES_MAX};
use super::hosts::{covers, shown as shown_host};
use super::settings::{ALLOW_NAME, EgressSettings, OpenedTarget};
use crate::hands::text::visible;

/// Zones whose names mean something only inside a network, or nothing at all. `corp`, `home` and `lan` are in no
/// registry, yet networks use them and they will never be delegated.
const PRIVATE_ZONES: &[&str] = &[
    "alt",
    "arpa",
    "corp",
    "home",
    "internal",
    "intranet",
    "invalid",
    "lan",
    "local",
    "localdomain",
    "localhost",
    "onion",
    "private",
    "test",
];

/// Which URLs and addresses may be reached.
#[derive(Clone, Debug)]
pub struct EgressRules {
    opened: Arc<[OpenedTarget]>,
    /// The ports that are open everywhere.
    ports: Arc<[u16]>,
}

/// A URL that keeps the rules as far as it can be judged without asking for the addresses of its name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    url: Url,
    host: String,
    port: u16,
}

impl Target {
    /// The URL that is sent.
    pub fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The host's name in ASCII and lower case, or its address without brackets.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Whether a request to `self` and one to `other` go to the same server, encrypted alike.
    pub(super) fn is_same_origin(&self, other: &Self) -> bool {
        self.url.scheme() == other.url.scheme() && self.host == other.host && self.port == other.port
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.url.scheme() == "https"
    }

    /// The URL that `location` names, seen from here.
    pub(super) fn join(&self, location: &str) -> Result<Url, url::ParseError> {
        self.url.join(location)
    }

    /// The URL without what may be secret in it.
    pub(super) fn shown(&self) -> String {
        shown(self.url.as_str())
    }
}

impl EgressRules {
    /// The rules that `settings` make.
    pub fn new(settings: &EgressSettings) -> Self {
        Self { opened: settings.opened.clone().into(), ports: Arc::new([80, 443]) }
    }

    /// The same with other ports open everywhere.
    #[cfg(test)]
    pub(super) fn on_ports(mut self, ports: &[u16]) -> Self {
        self.ports = ports.into();
        self
    }

    /// Parses a URL by the WHATWG rules and judges everything but the addresses of its name.
    ///
    /// # Errors
    /// [`EgressError::Refused`] with the rule that it breaks.
    pub fn check(&self, url: &str) -> Result<Target, EgressError> {
        if url.len() > URL_BYTES_MAX {
            return Err(unread(url, format!("it is longer than {URL_BYTES_MAX} bytes"), "use a shorter one"));
        }
        if url.chars().any(|c| c.is_whitespace() || c.is_control()) {
            return Err(unread(url, "it has blanks or control characters in it", "write them as %20 and the like"));
        }
        let parsed = Url::parse(url)
            .map_err(|why| unread(url, format!("it is no URL ({why})"), "give one such as https://example.com/page"))?;
        self.judge(parsed)
    }

    /// Judges a URL that is parsed already.
    pub(super) fn judge(&self, mut url: Url) -> Result<Target, EgressError> {
        let refused = |rule: String, fix: &str| Err(refused(url.as_str(), rule, fix));
        if !matches!(url.scheme(), "http" | "https") {
            return refused(format!("its scheme is `{}`", url.scheme()), "only http and https can be fetched");
        }
        if url.as_str().len() > URL_BYTES_MAX {
            return refused(format!("it is longer than {URL_BYTES_MAX} bytes"), "use a shorter one");
        }
        if !url.username().is_empty() || url.password().is_some() {
            return refused("it has a user or a password in it".into(), "leave out what stands before the `@`");
        }
        let Some(port) = url.port_or_known_default() else {
            return refused("it has no port".into(), "give a URL with a host");
        };
        let Some(host) = url.host() else {
            return refused("it has no host".into(), "give a URL with a host");
        };
        let literal = match host {
            Host::Domain(_) => None,
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
        };
        let host = shown_host(&host);
        if literal.is_none() {
            if let Some(rule) = self.name_fault(&host, port) {
                return refused(rule, &opening(&host, port));
            }
            // A dot at the end would be another name to servers and certificates.
            if url.set_host(Some(&host)).is_err() {
                return Err(self::refused(url.as_str(), "its host is no name", "correct it"));
            }
        }
        url.set_fragment(None);
        let target = Target { url, host, port };
        if !self.port_is_open(&target, literal) {
            let rule = format!("port {port} is not open, only 80 and 443 are");
            return Err(self::refused(target.url(), rule, &opening(&target.host, port)));
        }
        if let Some(address) = literal {
            self.admit(&target.host, port, address)?;
        }
        Ok(target)
    }

    /// Judges an address of `host`: may it be connected to?
    ///
    /// # Errors
    /// [`EgressError::Refused`] when it is not public and not opened.
    pub fn admit(&self, host: &str, port: u16, address: IpAddr) -> Result<(), EgressError> {
        let opened = self.opened.iter().any(|opened| opened.holds(plain(address), port));
        let by_name = || self.opened.iter().any(|opened| opened.names(host, port));
        let what = match standing(address) {
            Standing::Public => return Ok(()),
            _ if opened => return Ok(()),
            Standing::Private(_) if by_name() => return Ok(()),
            Standing::Private(what) => what,
            Standing::Special(what) => {
                let fix = format!("if you are sure, set {ALLOW_NAME}={}", with_port(&address.to_string(), port));
                return Err(refused(&with_port(host, port), format!("{address} is {what}"), &fix));
            }
        };
        Err(refused(&with_port(host, port), format!("{address} is {what}"), &opening(host, port)))
    }

    /// Whether a request may go to `target` when it is confined to `hosts`.
    ///
    /// # Errors
    /// [`EgressError::Refused`] when none of them is its host.
    pub fn confine(&self, target: &Target, hosts: &[String]) -> Result<(), EgressError> {
        if hosts.iter().any(|host| covers(host, &target.host, target.port)) {
            return Ok(());
        }
        let names: Vec<_> = hosts.iter().map(|host| format!("`{}`", brief(host))).collect();
        let declared = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        let rule = format!("`{}` is not among the declared hosts ({declared})", target.host);
        Err(refused(target.url(), rule, &format!("declare the host `{}`", target.host)))
    }

    fn port_is_open(&self, target: &Target, literal: Option<IpAddr>) -> bool {
        let opened = |opened: &OpenedTarget| {
            opened.names(&target.host, target.port)
                || match literal {
                    Some(address) => opened.holds(plain(address), target.port),
                    // The addresses of a name come later; then this range must hold them all.
                    None => matches!(opened, OpenedTarget::Range { port: Some(port), .. } if *port == target.port),
                }
        };
        self.ports.contains(&target.port) || self.opened.iter().any(opened)
    }

    /// Why `name` must not even be looked up.
    fn name_fault(&self, name: &str, port: u16) -> Option<String> {
        let is_label = |label: &str| {
            let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
            plain && (1..=63).contains(&label.len())
        };
        if name.len() > 253 || !name.split('.').all(is_label) {
            return Some("its host is no name".to_owned());
        }
        if self.opened.iter().any(|opened| opened.names(name, port)) {
            return None;
        }
        let Some((_, zone)) = name.rsplit_once('.') else {
            return Some(format!("`{name}` is a name of a private network: it has no dot"));
        };
        PRIVATE_ZONES.contains(&zone).then(|| format!("`{name}` is a name of a private network: it ends in `.{zone}`"))
    }

    /// Whether an address of a name on a port that only ranges open is in one of them. Public addresses don't pass here.
    pub(super) fn admit_on_port(&self, host: &str, port: u16, address: IpAddr) -> Result<(), EgressError> {
        let by_name = self.opened.iter().any(|opened| opened.names(host, port) || opened.holds(plain(address), port));
        if self.ports.contains(&port) || by_name {
            return self.admit(host, port, address);
        }
        let rule = format!("port {port} is not open, only 80 and 443 are");
        Err(refused(&with_port(host, port), rule, &opening(host, port)))
    }
}

/// An IPv4 address that wears the clothes of IPv6 is an IPv4 address.
fn plain(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) => v6.to_ipv4_mapped().map_or(address, IpAddr::V4),
        v4 @ IpAddr::V4(_) => v4,
    }
}

pub(super) fn with_port(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

fn opening(host: &str, port: u16) -> String {
    format!("to open it, set {ALLOW_NAME}={}", with_port(host, port))
}

pub(super) fn refused(url: &str, rule: impl Into<String>, fix: &str) -> EgressError {
    EgressError::Refused { url: shown(url), rule: rule.into(), fix: fix.to_owned() }
}

/// A refusal of something that was not parsed, so nobody knows where in it a password is.
fn unread(url: &str, rule: impl Into<String>, fix: &str) -> EgressError {
    let shown = if url.contains('@') { "the URL".to_owned() } else { shown(url) };
    EgressError::Refused { url: shown, rule: rule.into(), fix: fix.to_owned() }
}

/// A URL without what may be secret in it (user, password, query, fragment), short and on one line.
pub(super) fn shown(url: &str) -> String {
    let url = url.split(['?', '#']).next().unwrap_or_default();
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find(['/', '\\']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or_default();
    let shown = if scheme.is_empty() { format!("{host}{path}") } else { format!("{scheme}://{host}{path}") };
    if shown.trim().is_empty() { "the URL".to_owned() } else { brief(&shown) }
}

/// The start of a foreign text, with nothing hidden in it.
pub(super) fn brief(text: &str) -> String {
    let mut short: String = text.chars().take(SHOWN_CHARS_MAX).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    visible(&short).replace('\n', "⟨U+000A⟩")
}
