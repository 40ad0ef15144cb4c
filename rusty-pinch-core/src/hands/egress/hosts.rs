//! Whether a host is among those that somebody declared. Pure.

use std::net::IpAddr;

use url::Host;

/// Whether an entry (`name`, `name:port`, `*.zone`) means `host` on `port`. The host is a name in ASCII and lower case
/// without a dot at its end, or an address without brackets.
pub(crate) fn covers(entry: &str, host: &str, port: u16) -> bool {
    let entry = entry.trim().to_ascii_lowercase();
    let suffix = format!(":{port}");
    let bare = entry.strip_suffix(&suffix).filter(|rest| !rest.is_empty() && !rest.ends_with(':')).unwrap_or(&entry);
    let bare = bare.trim_start_matches('[').trim_end_matches(']').trim_end_matches('.');
    match bare.strip_prefix("*.") {
        // Addresses have no zones.
        Some(zone) => {
            let below = host.strip_suffix(zone).is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'));
            !zone.is_empty() && below && host.parse::<IpAddr>().is_err()
        }
        None => !bare.is_empty() && (bare == host || ascii(bare).is_some_and(|name| name == host)),
    }
}

/// A name as URLs have it: `bücher.example` becomes `xn--bcher-kva.example`.
fn ascii(name: &str) -> Option<String> {
    Host::parse(name).ok().map(|host| shown(&host))
}

/// A host as [`covers`] takes it.
pub(crate) fn shown<S: AsRef<str>>(host: &Host<S>) -> String {
    match host {
        Host::Domain(name) => {
            let name = name.as_ref();
            name.strip_suffix('.').unwrap_or(name).to_owned()
        }
        Host::Ipv4(address) => address.to_string(),
        Host::Ipv6(address) => address.to_string(),
    }
}
