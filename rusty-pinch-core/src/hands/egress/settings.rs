//! What the operator can set: which private targets are open, and how long a request may take.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::time::Duration;

use super::bounds::FETCH_TIME_MAX;
use crate::config::{Kind, Reader, Section, Variable};

/// The variable that opens private targets; refusals name it.
pub(super) const ALLOW_NAME: &str = "RUSTY_PINCH_EGRESS_ALLOW";

const ALLOW: Variable = Variable::new(
    ALLOW_NAME,
    Kind::Targets,
    "Targets in private networks, or on other ports than 80 and 443, that skills and `web_fetch` may reach: \
     `host:port`, `address:port` (`[::1]:8080` for IPv6), or a range of addresses such as `192.168.1.0/24` (ports 80 and \
     443), `10.0.0.0/8:8080` or `[fd00::/8]:8080`. A name opens private and loopback addresses, never link-local or \
     cloud metadata ones.",
)
.otherwise("none");

const TIMEOUT: Variable = Variable::new(
    "RUSTY_PINCH_SKILL_HTTP_TIMEOUT_SECS",
    Kind::Integer { min: 1, max: 600 },
    "How long one request of a skill or of `web_fetch` may take, in seconds, redirects included. Five seconds of \
     silence end it earlier.",
)
.default("20");

pub(crate) const SECTION: Section = Section {
    title: "Egress",
    doc: "What skills and tools may reach by HTTP. Model servers are the operator's own choice and are not bound by this.",
    variables: &[ALLOW, TIMEOUT],
};

/// What skills and tools may reach.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EgressSettings {
    /// Targets that are open beside the public ones.
    pub opened: Vec<OpenedTarget>,
    /// How long one request may take, redirects included.
    pub timeout: Duration,
}

impl Default for EgressSettings {
    /// The public internet on ports 80 and 443.
    fn default() -> Self {
        Self { opened: Vec::new(), timeout: FETCH_TIME_MAX }
    }
}

impl EgressSettings {
    pub(crate) fn read(reader: &mut Reader<'_>) -> Self {
        Self {
            opened: reader.list(&ALLOW, |text| text.parse().map_err(|why: OpenedTargetError| why.to_string())),
            timeout: Duration::from_secs(reader.integer(&TIMEOUT)),
        }
    }
}

/// A target that the operator opened.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum OpenedTarget {
    /// A host by its name, on one port.
    Name {
        /// The name, in lower case and without a dot at its end.
        host: String,
        /// The port.
        port: u16,
    },
    /// A range of addresses.
    Range {
        /// Its first address.
        base: IpAddr,
        /// How many leading bits all its addresses share.
        bits: u8,
        /// The port; none means 80 and 443.
        port: Option<u16>,
    },
}

/// A target that can't be opened.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{item}` is none: {why}")]
pub struct OpenedTargetError {
    item: String,
    why: &'static str,
}

/// Ranges with the addresses at which clouds answer with credentials: link-local ones, and those of single clouds.
const METADATA_V4: [(Ipv4Addr, u8); 3] = [
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(100, 100, 100, 200), 32),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
];
const METADATA_V6: [(Ipv6Addr, u8); 3] = [
    (Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254), 128),
    (Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254), 128),
    (Ipv6Addr::new(0xfe80, 0, 0, 0, 0, 0, 0, 0), 10),
];
/// Behind it, with 96 bits, lies every IPv4 address.
const NAT64: u128 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0).to_bits();

/// All of them, those of IPv4 behind NAT64 too.
fn metadata() -> impl Iterator<Item = (IpAddr, u8)> {
    let v4 = METADATA_V4.into_iter().map(|(base, bits)| (base.into(), bits));
    let behind = METADATA_V4.into_iter().map(|(base, bits)| {
        let base = Ipv6Addr::from_bits(NAT64 | u128::from(base.to_bits()));
        (base.into(), bits + 96)
    });
    let v6 = METADATA_V6.into_iter().map(|(base, bits)| (base.into(), bits));
    v4.chain(v6).chain(behind)
}

/// Whether clouds may answer with credentials at `address`.
#[cfg(any(test, feature = "http"))]
pub(super) fn is_metadata(address: IpAddr) -> bool {
    metadata().any(|(base, bits)| in_range(address, base, bits))
}

impl OpenedTarget {
    /// Whether `address` on `port` is in this range. A name holds no addresses.
    #[cfg(any(test, feature = "http"))]
    pub(super) fn holds(&self, address: IpAddr, on: u16) -> bool {
        let Self::Range { base, bits, port } = self else { return false };
        let fits = port.map_or(matches!(on, 80 | 443), |port| port == on);
        fits && in_range(address, *base, *bits)
    }

    /// Whether this is a range with an address at which clouds answer with credentials. A name never opens those.
    pub(crate) fn holds_metadata(&self) -> bool {
        let Self::Range { base, bits, .. } = self else { return false };
        // Of two ranges that overlap, one is in the other.
        metadata().any(|(metadata, shared)| in_range(*base, metadata, (*bits).min(shared)))
    }

    /// Whether this is `host` on `port`.
    #[cfg(any(test, feature = "http"))]
    pub(super) fn names(&self, name: &str, on: u16) -> bool {
        matches!(self, Self::Name { host, port } if host == name && *port == on)
    }
}

/// Whether the first `bits` of both addresses are the same.
pub(super) fn in_range(address: IpAddr, base: IpAddr, bits: u8) -> bool {
    let (address, base, width) = match (address, base) {
        (IpAddr::V4(address), IpAddr::V4(base)) => (address.to_bits().into(), base.to_bits().into(), 32),
        (IpAddr::V6(address), IpAddr::V6(base)) => (address.to_bits(), base.to_bits(), 128),
        _ => return false,
    };
    let differing: u128 = address ^ base;
    differing.checked_shr(width - u32::from(bits).min(width)).unwrap_or(0) == 0
}

impl FromStr for OpenedTarget {
    type Err = OpenedTargetError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let fail = |why| OpenedTargetError { item: text.to_owned(), why };
        if text.contains("://") || text.contains('@') {
            return Err(fail("give host:port or a range, not a URL"));
        }
        let brackets = "an IPv6 address with a port stands in brackets, with its bits: `[::1]:8080`, `[fd00::/8]:8080`";
        let (place, port) = split(text).ok_or_else(|| {
            let is_open = text.starts_with('[') && !text.contains("]:");
            fail(if is_open { brackets } else { "its port must be a number from 1 to 65535" })
        })?;
        let (host, bits) = match place.split_once('/') {
            Some((host, bits)) => (host, Some(bits)),
            None => (place, None),
        };
        match (host.parse::<IpAddr>(), bits) {
            (Ok(IpAddr::V6(_)), Some(bits)) if bits.contains(':') => Err(fail(brackets)),
            (Ok(base), bits) => range(base, bits, port).map_err(fail),
            (Err(_), _) if host.contains(':') => Err(fail(brackets)),
            (Err(_), Some(_)) => Err(fail("a range begins with an address, such as 192.168.1.0/24")),
            (Err(_), None) => {
                let host = name(host).map_err(fail)?;
                let port = port.ok_or_else(|| fail("a name needs its port, such as nas.local:443"))?;
                Ok(Self::Name { host, port })
            }
        }
    }
}

/// The place and the port behind it: `h:1`, `1.2.3.0/24:1`, `[::1]:1`, `[fd00::/8]:1`, `fd00::/8`.
fn split(text: &str) -> Option<(&str, Option<u16>)> {
    let port = |text: &str| text.parse::<u16>().ok().filter(|port| *port > 0);
    if let Some(inner) = text.strip_prefix('[') {
        let (place, rest) = inner.split_once(']')?;
        return match rest.strip_prefix(':') {
            Some(rest) => Some((place, Some(port(rest)?))),
            None => rest.is_empty().then_some((place, None)),
        };
    }
    match text.split_once(':') {
        Some((place, rest)) if !rest.contains(':') => Some((place, Some(port(rest)?))),
        _ => Some((text, None)),
    }
}

fn range(base: IpAddr, bits: Option<&str>, port: Option<u16>) -> Result<OpenedTarget, &'static str> {
    let width = width(base);
    let bits = match bits {
        Some(bits) => bits.parse::<u8>().ok().filter(|bits| *bits <= width).ok_or("its bits don't fit its address")?,
        None => width,
    };
    if bits == 0 {
        return Err("it holds every address; name the network that you mean");
    }
    if matches!(base, IpAddr::V6(base) if base.to_ipv4_mapped().is_some()) {
        return Err("write it as an IPv4 address");
    }
    if network(base, bits) != base {
        return Err("bits behind its prefix are set; give the first address of the range");
    }
    Ok(OpenedTarget::Range { base, bits, port })
}

/// How many bits an address like `address` has.
fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// The first address of the range that `address` is in.
fn network(address: IpAddr, bits: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32_u32.saturating_sub(bits.into())).unwrap_or(0);
            Ipv4Addr::from_bits(v4.to_bits() & mask).into()
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128_u32.saturating_sub(bits.into())).unwrap_or(0);
            Ipv6Addr::from_bits(v6.to_bits() & mask).into()
        }
    }
}

/// `text` as a host's name, in lower case and without a dot at its end.
fn name(text: &str) -> Result<String, &'static str> {
    let text = text.strip_suffix('.').unwrap_or(text).to_ascii_lowercase();
    let is_label = |label: &str| {
        let plain = label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        plain && (1..=63).contains(&label.len())
    };
    if text.len() > 253 || !text.split('.').all(is_label) {
        return Err("a host is a name of letters, digits, `-` and dots");
    }
    // It would be read as an address: `127.1` is 127.0.0.1 to many programs.
    if text.rsplit('.').next().is_some_and(|last| last.bytes().all(|byte| byte.is_ascii_digit())) {
        return Err("a host that ends in a number is an IPv4 address, and that is written whole, such as 127.0.0.1");
    }
    Ok(text)
}

impl fmt::Display for OpenedTarget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (base, bits, port) = match self {
            Self::Name { host, port } => return write!(f, "{host}:{port}"),
            Self::Range { base, bits, port } => (base, bits, port),
        };
        let is_single = *bits == width(*base);
        let place = if is_single { base.to_string() } else { format!("{base}/{bits}") };
        match port {
            Some(port) if base.is_ipv6() => write!(f, "[{place}]:{port}"),
            Some(port) => write!(f, "{place}:{port}"),
            None => f.write_str(&place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_are_names_with_a_port_or_ranges() {
        for (text, shown) in [
            ("localhost:8080", "localhost:8080"),
            ("NAS.local.:443", "nas.local:443"),
            ("127.0.0.1:9", "127.0.0.1:9"),
            ("10.0.0.0/8", "10.0.0.0/8"),
            ("10.0.0.0/8:8080", "10.0.0.0/8:8080"),
            ("192.168.1.7", "192.168.1.7"),
            ("[::1]:8080", "[::1]:8080"),
            ("[fd00::/8]:1", "[fd00::/8]:1"),
            ("[::1/128]:1", "[::1]:1"),
            ("fd00::/8", "fd00::/8"),
            ("::1/128", "::1"),
        ] {
            let target: OpenedTarget = text.parse().unwrap();
            assert_eq!(target.to_string(), shown);
            assert_eq!(shown.parse::<OpenedTarget>().unwrap(), target);
        }
        for (text, part) in [
            ("nas.local", "needs its port"),
            ("nas.local:0", "from 1 to 65535"),
            ("nas.local:65536", "from 1 to 65535"),
            ("nas.local:http", "from 1 to 65535"),
            ("http://nas.local:80", "not a URL"),
            ("me@nas.local:80", "not a URL"),
            ("0.0.0.0/0", "every address"),
            ("::/0", "every address"),
            ("10.0.0.5/8", "first address"),
            ("10.0.0.0/33", "don't fit"),
            ("nas.local/24", "begins with an address"),
            ("256.1.1.1:80", "written whole"),
            ("127.1:18081", "an IPv4 address, and that is written whole"),
            ("2130706433:80", "written whole"),
            ("::1/128:18081", "in brackets, with its bits"),
            ("::1:18081", "in brackets"),
            ("[::1]/128:18081", "in brackets, with its bits"),
            ("[::1]:0", "from 1 to 65535"),
            ("na s:80", "letters, digits"),
            (":80", "letters, digits"),
            ("::ffff:10.0.0.0/104", "as an IPv4"),
            ("[::1:80", "in brackets"),
            ("*:80", "letters, digits"),
        ] {
            let error = text.parse::<OpenedTarget>().unwrap_err().to_string();
            assert!(error.contains(part) && error.contains(text), "{text}: {error}");
        }
    }

    #[test]
    fn ranges_with_addresses_of_cloud_metadata_are_known() {
        let holds = |text: &str| text.parse::<OpenedTarget>().unwrap().holds_metadata();
        for text in [
            "169.254.169.254:80",
            "169.254.0.0/16",
            "169.254.169.0/24:8080",
            "168.0.0.0/7",
            "100.64.0.0/10",
            "[fd00:ec2::254]:80",
            "fd00::/8",
            "fe80::/64",
            "64:ff9b::/96",
            "[64:ff9b::6464:64c8]:80",
            "64:ff9b::a83f:8110",
        ] {
            assert!(holds(text), "{text}");
        }
        for text in ["metadata.internal:80", "127.0.0.1:80", "10.0.0.0/8", "192.168.0.0/16", "fd12::/16", "[::1]:80"] {
            assert!(!holds(text), "{text}");
        }
    }

    #[test]
    fn a_range_ends_where_its_bits_say() {
        let holds = |range: &str, address: &str, port| {
            range.parse::<OpenedTarget>().unwrap().holds(address.parse().unwrap(), port)
        };
        assert!(holds("10.0.0.0/8", "10.255.255.255", 80) && holds("10.0.0.0/8", "10.0.0.0", 443));
        assert!(!holds("10.0.0.0/8", "11.0.0.0", 80) && !holds("10.0.0.0/8", "9.255.255.255", 80));
        assert!(!holds("10.0.0.0/8", "10.0.0.1", 8080) && holds("10.0.0.0/8:8080", "10.0.0.1", 8080));
        assert!(!holds("10.0.0.0/8:8080", "10.0.0.1", 80) && !holds("10.0.0.0/8", "::1", 80));
        assert!(holds("127.0.0.1:1", "127.0.0.1", 1) && !holds("127.0.0.1:1", "127.0.0.2", 1));
        assert!(holds("[fd00::/8]:1", "fdff::1", 1) && !holds("[fd00::/8]:1", "fe00::1", 1));
    }
}
