//! Every row of the corpus, block and allow: tests/data/ssrf-cases.tsv.

use std::collections::BTreeMap;
use std::net::IpAddr;

use url::Url;

use super::super::{Egress, EgressError};
use super::stub::{Answer, Internet, PUBLIC, Seen, answer, get, ok};

const CORPUS: &str = include_str!("../../../../tests/data/ssrf-cases.tsv");
const REDIRECTOR: &str = "redir.ssrf.example";

struct Row {
    allow: bool,
    url: String,
    why: String,
}

fn rows() -> Vec<Row> {
    let row = |line: &str| {
        let mut fields = line.splitn(3, '\t');
        let verdict = fields.next().unwrap();
        assert!(matches!(verdict, "allow" | "block"), "{line}");
        let (url, why) = (fields.next().unwrap(), fields.next().unwrap().to_owned());
        Row { allow: verdict == "allow", url: unescaped(url), why }
    };
    CORPUS.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).map(row).collect()
}

fn unescaped(text: &str) -> String {
    let text = text.replace("{{a*70000}}", &"a".repeat(70_000));
    assert!(!text.contains("{{"), "{text}");
    let mut plain = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        plain.push(match c {
            '\\' => match chars.next() {
                Some('t') => '\t',
                Some('r') => '\r',
                Some('n') => '\n',
                Some('\\') => '\\',
                other => panic!("{text}: {other:?}"),
            },
            c => c,
        });
    }
    plain
}

/// The note `[kind …]` of a row.
fn note<'a>(row: &'a Row, kind: &str) -> Option<&'a str> {
    row.why.split('[').skip(1).find_map(|note| note.split(']').next()?.strip_prefix(kind).map(str::trim))
}

/// What `[dns …]` makes the resolver answer.
fn answers(note: &str) -> Vec<Answer> {
    match note {
        "NOERROR, no records" => return vec![Ok(vec![])],
        "SERVFAIL" => return vec![Err("SERVFAIL".to_owned())],
        _ => {}
    }
    let addresses: Vec<IpAddr> = note.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    assert!(!addresses.is_empty(), "{note}");
    if note.contains("2nd") {
        addresses.into_iter().map(|address| Ok(vec![address])).collect()
    } else {
        vec![Ok(addresses)]
    }
}

/// What the redirecting server answers.
fn redirected(seen: &Seen) -> Vec<u8> {
    let to = |status: u16, location: &str| answer(status, &[("location", location)], b"");
    match (seen.host(), seen.path()) {
        (REDIRECTOR, "/to-loop") => to(302, "http://127.0.0.1/"),
        (REDIRECTOR, "/to-meta") => to(307, "http://169.254.169.254/"),
        (REDIRECTOR, "/to-file") => to(302, "file:///etc/passwd"),
        (REDIRECTOR, "/to-gopher") => to(302, "gopher://127.0.0.1:6379/_x"),
        (REDIRECTOR, "/to-chain") => to(302, "/chain-1"),
        (REDIRECTOR, "/to-loopback-later") => to(302, "http://good.ssrf.example/later"),
        ("good.ssrf.example", "/later") => to(302, "http://[::1]/"),
        (REDIRECTOR, "/refresh") => answer(200, &[("refresh", "0;url=http://127.0.0.1/")], b"refresh"),
        (REDIRECTOR, "/to-good") => to(302, "http://good.ssrf.example/"),
        (REDIRECTOR, path) => match path.strip_prefix("/chain-").and_then(|hop| hop.parse::<u32>().ok()) {
            Some(6) => ok(),
            Some(hop) => to(302, &format!("/chain-{}", hop + 1)),
            None => panic!("the corpus has no answer for {path}"),
        },
        _ => ok(),
    }
}

async fn internet(rows: &[Row]) -> Internet {
    let mut names = BTreeMap::new();
    let mut encrypted = Vec::new();
    for row in rows {
        let Ok(url) = Url::parse(&row.url) else { continue };
        let Some(host) = url.host_str().map(str::to_owned) else { continue };
        if let Some(dns) = note(row, "dns") {
            names.insert(host.clone(), answers(dns));
        }
        if url.scheme() == "https" && row.allow {
            encrypted.push(host);
        }
    }
    let encrypted: Vec<_> = encrypted.iter().map(String::as_str).collect();
    Internet::new(names, &encrypted, redirected).await
}

#[tokio::test]
async fn every_row_of_the_corpus_holds() {
    let rows = rows();
    assert_eq!((rows.len(), rows.iter().filter(|row| row.allow).count()), (ROWS, ALLOWED));
    for row in &rows {
        // An internet of its own, so that nothing is pooled and everything is counted.
        let internet = internet(&rows).await;
        let egress = internet.egress();
        let fetched = egress.fetch(&get(&row.url)).await;
        assert_eq!(internet.trespasses(), [], "{} ({})", row.url, row.why);
        match (&fetched, row.allow) {
            (Ok(fetched), true) => allowed(row, &internet, fetched.status),
            (Err(error), false) => blocked(row, &internet, error),
            // These two are about where the second request does not go.
            (Ok(fetched), false) if row.url.ends_with("/refresh") => {
                assert_eq!((fetched.status, internet.log().requests.len()), (200, 1));
            }
            (Ok(_), false) if row.url.contains("rebind") => {
                let again = internet.egress().fetch(&get(&row.url)).await;
                assert!(matches!(again, Err(EgressError::Refused { .. })), "{again:?}");
                assert_eq!((internet.trespasses(), internet.dialed()), (vec![], [PUBLIC].into()));
            }
            _ => panic!("{} ({}): {fetched:?}", row.url, row.why),
        }
    }
}

/// The rows of the corpus, and those that allow.
const ROWS: usize = 170;
const ALLOWED: usize = 30;

fn allowed(row: &Row, internet: &Internet, status: u16) {
    assert_eq!(status, 200, "{}", row.url);
    let log = internet.log();
    let url = Url::parse(&row.url).unwrap();
    let literal = url.host_str().and_then(|host| host.trim_matches(['[', ']']).parse::<IpAddr>().ok());
    let hops = if url.path() == "/to-good" { 2 } else { 1 };
    assert_eq!((log.dials.len(), log.requests.len()), (hops, hops), "{}", row.url);
    assert_eq!(log.dials[0].ip(), literal.unwrap_or(PUBLIC), "{}", row.url);
    assert_eq!(log.dials[0].port(), url.port_or_known_default().unwrap());
    // What was parsed is what was sent.
    assert_eq!(log.requests[0].host(), url.host_str().unwrap());
    assert_eq!(log.requests[0].path(), &url[url::Position::BeforePath..url::Position::AfterQuery]);
}

fn blocked(row: &Row, internet: &Internet, error: &EgressError) {
    let text = error.to_string();
    assert!(!text.contains(['\n', '\r', '\t']) && text.len() < 600, "{text:?}");
    let resolver_failed = row.url.contains("servfail") || row.url.contains("empty.");
    match error {
        EgressError::Refused { .. } => assert!(!resolver_failed),
        EgressError::Unreachable { .. } => assert!(resolver_failed, "{} ({})", row.url, row.why),
        other => panic!("{}: {other:?}", row.url),
    }
    let log = internet.log();
    if row.url.contains(REDIRECTOR) {
        assert!(!log.requests.is_empty() && log.requests.len() <= 6, "{}", row.url);
    } else {
        assert_eq!((log.dials.len(), log.requests.len()), (0, 0), "{}", row.url);
    }
    // Where the URL itself is at fault, not even its name is looked up.
    if note(row, "dns").is_none() && !row.url.contains(REDIRECTOR) {
        assert_eq!(log.lookups, Vec::<String>::new(), "{}", row.url);
    }
}

/// The stub's own writing down could be wrong, so the literal forms of loopback are also tried at a real listener with
/// the network of the system.
#[tokio::test]
async fn no_form_of_loopback_reaches_a_real_listener() {
    use super::super::{EgressSettings, HttpEgress};
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let egress = HttpEgress::builder(&EgressSettings::default())
        .clock(crate::testing::VirtualClock::default())
        .ports(&[port])
        .build();
    for host in [
        "127.0.0.1",
        "127.1",
        "0x7f000001",
        "017700000001",
        "2130706433",
        "0.0.0.0",
        "0",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "localhost",
        "localhost.",
        "①②⑦.⓪.⓪.①",
        "127.0.0.%31",
    ] {
        let refused = egress.fetch(&get(&format!("http://{host}:{port}/"))).await;
        assert!(matches!(refused, Err(EgressError::Refused { .. })), "{host}: {refused:?}");
    }
    let waiting = tokio::time::timeout(std::time::Duration::ZERO, listener.accept()).await;
    assert!(waiting.is_err(), "somebody connected");
    // The listener itself works: opened, it is reached.
    let opened = vec![format!("127.0.0.1:{port}").parse().unwrap()];
    let settings = EgressSettings { opened, ..EgressSettings::default() };
    let open = HttpEgress::builder(&settings).clock(crate::testing::VirtualClock::default()).build();
    let request = get(&format!("http://127.0.0.1:{port}/"));
    let (fetched, ()) = tokio::join!(open.fetch(&request), async {
        let (mut stream, _) = listener.accept().await.unwrap();
        super::stub::read_request(&mut stream).await.unwrap();
        tokio::io::AsyncWriteExt::write_all(&mut stream, &ok()).await.unwrap();
    });
    assert_eq!(fetched.unwrap().body, b"hello");
}
