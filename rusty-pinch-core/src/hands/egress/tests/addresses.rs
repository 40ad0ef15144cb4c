//! No special address is ever connected to, whatever the URL looks like.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::LazyLock;

use proptest::prelude::*;

use super::super::address::{Standing, standing};
use super::super::{Egress, EgressSettings};
use super::stub::{Internet, get, ok};

/// The ranges that are refused, as the registries print them; nothing of the program's own table is used here.
const REFUSED: &str = "
    0.0.0.0/8 10.0.0.0/8 100.64.0.0/10 127.0.0.0/8 168.63.129.16/32 169.254.0.0/16 172.16.0.0/12 192.0.0.0/24
    192.0.2.0/24 192.88.99.0/24 192.168.0.0/16 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 224.0.0.0/4 240.0.0.0/4
    ::/3 4000::/2 8000::/1 2001::/23 2001:db8::/32 2002::/16 3fff::/20";
/// Ranges that carry an IPv4 address in their last 32 bits and are judged by it.
const CARRYING: &str = "::ffff:0.0.0.0/96 64:ff9b::/96";

struct Range {
    bits: String,
    v4: bool,
}

fn parsed(text: &str) -> Vec<Range> {
    let range = |text: &str| {
        let (base, length) = text.split_once('/').unwrap();
        let base: IpAddr = base.parse().unwrap();
        Range { bits: bits(base)[..length.parse::<usize>().unwrap()].to_owned(), v4: base.is_ipv4() }
    };
    text.split_whitespace().map(range).collect()
}

/// An address as a text of zeros and ones: slow, and nothing like what is tested.
fn bits(address: IpAddr) -> String {
    match address {
        IpAddr::V4(v4) => v4.octets().iter().map(|byte| format!("{byte:08b}")).collect(),
        IpAddr::V6(v6) => v6.octets().iter().map(|byte| format!("{byte:08b}")).collect(),
    }
}

static TABLE: LazyLock<(Vec<Range>, Vec<Range>)> = LazyLock::new(|| (parsed(REFUSED), parsed(CARRYING)));

/// Whether an address must never be connected to.
pub(super) fn oracle(address: IpAddr) -> bool {
    let (refused, carrying) = &*TABLE;
    let digits = bits(address);
    let is_in = |range: &Range| range.v4 == address.is_ipv4() && digits.starts_with(&range.bits);
    if carrying.iter().any(is_in) {
        let carried = u32::from_str_radix(&digits[96..], 2).unwrap();
        return oracle(Ipv4Addr::from_bits(carried).into());
    }
    refused.iter().any(is_in)
}

fn v4() -> impl Strategy<Value = Ipv4Addr> {
    let edges = parsed(REFUSED).into_iter().filter(|range| range.v4).flat_map(|range| {
        let first = u32::from_str_radix(&format!("{:0<32}", range.bits), 2).unwrap();
        let last = u32::from_str_radix(&format!("{:1<32}", range.bits), 2).unwrap();
        [first.wrapping_sub(1), first, last, last.wrapping_add(1)]
    });
    prop_oneof![prop::sample::select(edges.collect::<Vec<_>>()), any::<u32>()].prop_map(Ipv4Addr::from_bits)
}

fn v6() -> impl Strategy<Value = Ipv6Addr> {
    let heads =
        [0, 0x64, 0x100, 0x2001, 0x2002, 0x2606, 0x3fff, 0x4000, 0x5f00, 0xfc00, 0xfd00, 0xfe80, 0xfec0, 0xff02];
    let near = (prop::sample::select(heads.to_vec()), prop::collection::vec(prop_oneof![Just(0), any::<u16>()], 7))
        .prop_map(|(head, rest)| {
            let mut segments = [head; 8];
            segments[1..].copy_from_slice(&rest);
            Ipv6Addr::from(segments)
        });
    let prefixes = ["::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::", "64:ff9b:1::", "2001::", "2002::"];
    let carrying = (prop::sample::select(prefixes.to_vec()), v4()).prop_map(|(prefix, v4)| {
        Ipv6Addr::from_bits(prefix.parse::<Ipv6Addr>().unwrap().to_bits() | u128::from(v4.to_bits()))
    });
    prop_oneof![near, carrying, any::<u128>().prop_map(Ipv6Addr::from_bits)]
}

fn address() -> impl Strategy<Value = IpAddr> {
    prop_oneof![v4().prop_map(IpAddr::V4), v6().prop_map(IpAddr::V6)]
}

/// An address as somebody writes it who hopes that nobody sees what it is.
fn spelled(address: IpAddr, how: u8) -> String {
    let v4 = match address {
        IpAddr::V6(v6) => return if how == 0 { format!("[{v6}]") } else { format!("[{}]", long(v6)) },
        IpAddr::V4(v4) => v4,
    };
    let [a, b, c, d] = v4.octets();
    let number = v4.to_bits();
    match how {
        0 => v4.to_string(),
        1 => number.to_string(),
        2 => format!("{number:#x}"),
        3 => format!("0{number:o}"),
        4 => format!("{a:#x}.{b}.0{c:o}.{d}"),
        5 => format!("{a}.{}", number & 0xff_ffff),
        6 => format!("{v4}."),
        7 => v4.to_string().replace('.', "%2e"),
        8 => v4.to_string().chars().map(|c| if c == '.' { '。' } else { c }).collect(),
        9 => format!("[::ffff:{v4}]"),
        _ => format!("[64:ff9b::{v4}]"),
    }
}

fn long(v6: Ipv6Addr) -> String {
    v6.segments().map(|segment| format!("{segment:04X}")).join(":")
}

fn run(future: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4096))]

    #[test]
    fn the_table_says_what_the_registries_say(address in address()) {
        prop_assert_eq!(standing(address) != Standing::Public, oracle(address), "{}", address);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_spelling_of_an_address_gets_past(address in address(), how in 0..11_u8, scheme in 0..4_usize, port in prop::option::of(any::<u16>())) {
        let scheme = ["http://", "https://", "HTTP:\\\\", "http:/"][scheme];
        let port = port.map_or_else(String::new, |port| format!(":{port}"));
        let url = format!("{scheme}{}{port}/", spelled(address, how));
        run(async {
            let internet = Internet::of(|_| ok()).await;
            let _ = internet.egress().fetch(&get(&url)).await;
            assert_eq!(internet.trespasses(), [], "{url}");
        });
    }

    #[test]
    fn no_answer_of_a_resolver_gets_past(addresses in prop::collection::vec(address(), 0..4)) {
        run(async {
            let names = [("host.example".to_owned(), vec![Ok(addresses.clone())])].into();
            let internet = Internet::new(names, &["example.com"], |_| ok()).await;
            let fetched = internet.egress().fetch(&get("http://host.example/")).await;
            assert_eq!(internet.trespasses(), []);
            // One address that is not public refuses the name, and where all are public it is reached.
            let reachable = !addresses.is_empty() && !addresses.iter().any(|address| oracle(*address));
            assert_eq!(fetched.is_ok(), reachable, "{addresses:?}: {fetched:?}");
            assert_eq!(internet.log().dials.is_empty(), !reachable);
        });
    }

    #[test]
    fn no_text_gets_past(text in "(http|https|ftp)?:?/{0,3}[a-z0-9.@:%\\[\\]\\\\/?#_\u{ff10}-\u{ff19}\u{3002}-]{0,40}") {
        run(async {
            let internet = Internet::of(|_| ok()).await;
            let _ = internet.egress().fetch(&get(&text)).await;
            assert_eq!(internet.trespasses(), []);
        });
    }
}

#[tokio::test]
async fn what_the_operator_opened_is_reached_and_nothing_beside_it() {
    let allowed = |settings: &str, url: &str| {
        let opened = settings.split(',').map(|item| item.parse().unwrap()).collect();
        let egress = EgressSettings { opened, ..EgressSettings::default() };
        let rules = super::super::EgressRules::new(&egress);
        let target = rules.check(url);
        target.and_then(|target| match target.host().parse() {
            Ok(literal) => rules.admit_on_port(target.host(), target.port(), literal),
            // Names resolve to a private address here.
            Err(_) => rules.admit_on_port(target.host(), target.port(), "10.1.2.3".parse().unwrap()),
        })
    };
    for (settings, url, open) in [
        ("nas.local:5000", "http://nas.local:5000/x", true),
        ("nas.local:5000", "http://NAS.local.:5000/x", true),
        ("nas.local:5000", "http://nas.local/", false),
        ("nas.local:5000", "http://other.local:5000/", false),
        ("nas.local:5000", "http://10.1.2.3:5000/", false),
        ("10.0.0.0/8", "http://10.1.2.3/", true),
        ("10.0.0.0/8", "https://10.1.2.3/", true),
        ("10.0.0.0/8", "http://10.1.2.3:8080/", false),
        ("10.0.0.0/8", "http://11.1.2.3:8080/", false),
        ("10.0.0.0/8", "http://[::ffff:10.1.2.3]/", true),
        ("10.0.0.0/8", "http://intranet.example/", true),
        ("10.0.0.0/8", "http://nas.local/", false),
        ("10.0.0.0/8:8080", "http://intranet.example:8080/", true),
        ("11.0.0.0/8:8080", "http://intranet.example:8080/", false),
        ("127.0.0.1:8080", "http://127.0.0.1:8080/", true),
        ("127.0.0.1:8080", "http://0x7f000001:8080/", true),
        ("127.0.0.1:8080", "http://127.0.0.2:8080/", false),
        ("127.0.0.1:8080", "http://localhost:8080/", false),
        ("[::1]:8080", "http://[::1]:8080/", true),
        ("example.com:8443", "https://example.com:8443/", true),
        ("example.com:8443", "https://example.org:8443/", false),
        ("169.254.169.254/32", "http://169.254.169.254/", true),
    ] {
        let judged = allowed(settings, url);
        assert_eq!(judged.is_ok(), open, "{settings} {url}: {judged:?}");
    }
    // A name never opens the address of a cloud's metadata; its address does.
    let egress = EgressSettings { opened: vec!["meta.local:80".parse().unwrap()], ..EgressSettings::default() };
    let rules = super::super::EgressRules::new(&egress);
    for (address, open) in
        [("10.0.0.1", true), ("127.0.0.1", true), ("169.254.169.254", false), ("100.100.100.200", false)]
    {
        assert_eq!(rules.admit("meta.local", 80, address.parse().unwrap()).is_ok(), open, "{address}");
    }
}
