//! Which addresses are public: the special-purpose registries of IANA (IPv4 and IPv6, as of 2025), multicast, what is
//! not allocated, and the addresses at which clouds answer with credentials.
//!
//! The tables here and in `settings` (metadata of clouds) say what is refused. Ranges that the registries call globally reachable (AS112, AMT) are public.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::settings::{in_range, is_metadata};

/// What an address is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// Anybody's.
    Public,
    /// Of this machine or a private network; an operator can open it by the name of a host.
    Private(&'static str),
    /// Of no host that a name should lead to; only a range of addresses opens it.
    Special(&'static str),
}

use Standing::{Private, Public, Special};

struct Row<A>(A, u8, Standing);

const V4: &[Row<[u8; 4]>] = &[
    Row([0, 0, 0, 0], 8, Special("an address of \"this network\" (0.0.0.0/8)")),
    Row([10, 0, 0, 0], 8, Private("a private address (10.0.0.0/8)")),
    Row([100, 64, 0, 0], 10, Private("a shared address (100.64.0.0/10)")),
    Row([127, 0, 0, 0], 8, Private("a loopback address (127.0.0.0/8)")),
    Row([172, 16, 0, 0], 12, Private("a private address (172.16.0.0/12)")),
    Row([192, 0, 0, 0], 24, Special("an address for protocols (192.0.0.0/24)")),
    Row([192, 0, 2, 0], 24, Special("a documentation address (192.0.2.0/24)")),
    Row([192, 88, 99, 0], 24, Special("a 6to4 relay (192.88.99.0/24)")),
    Row([192, 168, 0, 0], 16, Private("a private address (192.168.0.0/16)")),
    Row([198, 18, 0, 0], 15, Special("a benchmarking address (198.18.0.0/15)")),
    Row([198, 51, 100, 0], 24, Special("a documentation address (198.51.100.0/24)")),
    Row([203, 0, 113, 0], 24, Special("a documentation address (203.0.113.0/24)")),
    Row([224, 0, 0, 0], 4, Special("a multicast address (224.0.0.0/4)")),
    Row([240, 0, 0, 0], 4, Special("a reserved address (240.0.0.0/4)")),
];

const V6: &[Row<[u16; 8]>] = &[
    Row([0, 0, 0, 0, 0, 0, 0, 1], 128, Private("the loopback address (::1)")),
    Row([0, 0, 0, 0, 0, 0, 0, 0], 128, Special("the unspecified address (::)")),
    Row([0, 0, 0, 0, 0, 0, 0, 0], 96, Special("an IPv4-compatible address (::/96)")),
    Row([0, 0, 0, 0, 0xffff, 0, 0, 0], 96, Special("an IPv4-translated address (::ffff:0:0:0/96)")),
    Row([0x64, 0xff9b, 1, 0, 0, 0, 0, 0], 48, Special("a local NAT64 address (64:ff9b:1::/48)")),
    Row([0x100, 0, 0, 0, 0, 0, 0, 0], 64, Special("a discard-only address (100::/64)")),
    Row([0x100, 0, 0, 1, 0, 0, 0, 0], 64, Special("a dummy address (100:0:0:1::/64)")),
    // Teredo, benchmarking and ORCHID are inside.
    Row([0x2001, 0, 0, 0, 0, 0, 0, 0], 23, Special("an address for protocols (2001::/23)")),
    Row([0x2001, 0xdb8, 0, 0, 0, 0, 0, 0], 32, Special("a documentation address (2001:db8::/32)")),
    Row([0x2002, 0, 0, 0, 0, 0, 0, 0], 16, Special("a 6to4 address (2002::/16)")),
    Row([0x3fff, 0, 0, 0, 0, 0, 0, 0], 20, Special("a documentation address (3fff::/20)")),
    Row([0x5f00, 0, 0, 0, 0, 0, 0, 0], 16, Special("a segment-routing address (5f00::/16)")),
    Row([0xfc00, 0, 0, 0, 0, 0, 0, 0], 7, Private("a unique local address (fc00::/7)")),
    Row([0xfec0, 0, 0, 0, 0, 0, 0, 0], 10, Special("a site-local address (fec0::/10)")),
    Row([0xff00, 0, 0, 0, 0, 0, 0, 0], 8, Special("a multicast address (ff00::/8)")),
    Row([0x2000, 0, 0, 0, 0, 0, 0, 0], 3, Public),
];

/// What those addresses are that [`is_metadata`] knows.
const OF_METADATA: Standing = Special("a link-local or cloud metadata address");

/// What `address` is.
pub(super) fn standing(address: IpAddr) -> Standing {
    match address {
        IpAddr::V4(v4) => of_v4(v4),
        IpAddr::V6(v6) => match embedded(v6) {
            Some(v4) => of_v4(v4),
            None => of_v6(v6),
        },
    }
}

/// The IPv4 address that packets to `address` go to: IPv4-mapped (`::ffff:0:0/96`), and NAT64 with its well-known
/// prefix (`64:ff9b::/96`). The other forms that hold one are refused whole.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let nat64 = Ipv6Addr::new(0x64, 0xff9b, 0, 0, 0, 0, 0, 0);
    let is_nat64 = in_range(address.into(), nat64.into(), 96);
    let [.., a, b, c, d] = address.octets();
    address.to_ipv4_mapped().or(is_nat64.then_some(Ipv4Addr::new(a, b, c, d)))
}

fn of_v4(address: Ipv4Addr) -> Standing {
    // They lie in larger ranges or among public ones, so they come first.
    if is_metadata(address.into()) {
        return OF_METADATA;
    }
    let found = V4.iter().find(|Row(base, bits, _)| in_range(address.into(), Ipv4Addr::from(*base).into(), *bits));
    found.map_or(Public, |Row(_, _, standing)| *standing)
}

fn of_v6(address: Ipv6Addr) -> Standing {
    if is_metadata(address.into()) {
        return OF_METADATA;
    }
    let found = V6.iter().find(|Row(base, bits, _)| in_range(address.into(), Ipv6Addr::from(*base).into(), *bits));
    found.map_or(Special("an address that is not allocated"), |Row(_, _, standing)| *standing)
}
