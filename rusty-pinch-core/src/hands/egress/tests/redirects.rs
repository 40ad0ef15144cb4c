//! What goes along on a redirect, and what does not.

use std::sync::Arc;

use super::super::bounds::REDIRECTS_MAX;
use super::super::{Egress, EgressError, Fetch, Fetched};
use super::stub::{Internet, PUBLIC, Seen, answer, fetch, get, ok, post};

/// A server that redirects `/from` with `status` to `location`, and answers everything else.
async fn redirecting(status: u16, location: &'static str) -> Internet {
    let serve = move |seen: &Seen| {
        if seen.path() == "/from" { answer(status, &[("location", location)], b"moved") } else { ok() }
    };
    Internet::new([].into(), &["example.com", "other.example"], serve).await
}

fn with_headers(mut request: Fetch) -> Fetch {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    request.headers = vec![
        header("authorization", "Bearer s3cret"),
        header("cookie", "id=s3cret"),
        header("x-api-key", "s3cret"),
        header("accept-language", "de"),
    ];
    request
}

fn refused(fetched: Result<Fetched, EgressError>, part: &str) {
    match fetched {
        Err(EgressError::Refused { rule, .. }) => assert!(rule.contains(part), "{rule}"),
        other => panic!("{part}: {other:?}"),
    }
}

#[tokio::test]
async fn whatever_may_be_a_secret_stays_with_the_host_it_was_meant_for() {
    for (location, goes_along) in [
        ("/there", true),
        ("https://example.com/there", true),
        ("https://other.example/there", false),
        ("//other.example/there", false),
    ] {
        let internet = redirecting(302, location).await;
        let fetched = fetch(&internet, &with_headers(get("https://example.com/from"))).await.unwrap();
        assert_eq!(fetched.body, b"hello");
        let log = internet.log();
        assert_eq!(log.requests.len(), 2, "{location}");
        assert_eq!(log.requests[0].headers["authorization"], "Bearer s3cret");
        for name in ["authorization", "cookie", "x-api-key"] {
            assert_eq!(log.requests[1].headers.contains_key(name), goes_along, "{location}: {name}");
        }
        assert_eq!(log.requests[1].headers["accept-language"], "de");
    }
    // Another port or scheme is another server, and it stays dropped on the way back.
    let internet = redirecting(302, "https://example.com/there").await;
    fetch(&internet, &with_headers(get("http://example.com/from"))).await.unwrap();
    assert!(!internet.log().requests[1].headers.contains_key("authorization"));
    let serve = |seen: &Seen| match (seen.host(), seen.path()) {
        ("example.com", "/from") => answer(302, &[("location", "http://other.example/back")], b""),
        ("other.example", _) => answer(302, &[("location", "http://example.com/end")], b""),
        _ => ok(),
    };
    let internet = Internet::of(serve).await;
    fetch(&internet, &with_headers(get("http://example.com/from"))).await.unwrap();
    let log = internet.log();
    assert_eq!((log.requests.len(), log.requests[2].host()), (3, "example.com"));
    assert!(!log.requests[2].headers.contains_key("authorization"));
}

#[tokio::test]
async fn a_post_becomes_a_get_or_stays_as_its_status_says() {
    for (status, line, body) in [
        (301, "GET /there HTTP/1.1", &b""[..]),
        (302, "GET /there HTTP/1.1", b""),
        (303, "GET /there HTTP/1.1", b""),
        (307, "POST /there HTTP/1.1", b"body"),
        (308, "POST /there HTTP/1.1", b"body"),
    ] {
        let internet = redirecting(status, "/there").await;
        let mut request = post("http://example.com/from", b"body");
        request.headers = vec![("content-type".into(), "text/plain".into())];
        let fetched = fetch(&internet, &request).await.unwrap();
        assert_eq!((fetched.status, fetched.url.as_str()), (200, "http://example.com/there"));
        let log = internet.log();
        assert_eq!((log.requests[1].line.as_str(), &log.requests[1].body[..]), (line, body), "{status}");
        assert_eq!(log.requests[1].headers.contains_key("content-type"), !body.is_empty());
    }
    // A body goes to nobody else.
    for status in [307, 308] {
        let internet = redirecting(status, "http://other.example/there").await;
        refused(fetch(&internet, &post("http://example.com/from", b"body")).await, "send the body to another host");
        assert_eq!(internet.log().requests.len(), 1);
    }
    // These are answers, with a location or without.
    for status in [300, 304, 305, 306, 201] {
        let internet = redirecting(status, "http://other.example/").await;
        assert_eq!(fetch(&internet, &get("http://example.com/from")).await.unwrap().status, status);
    }
}

#[tokio::test]
async fn a_redirect_must_keep_every_rule_afresh() {
    for (from, location, part) in [
        ("https://example.com/from", "http://example.com/there", "from https to http"),
        ("http://example.com/from", "http://user:s3cret@example.com/", "a user or a password"),
        ("http://example.com/from", "http://example.com:22/", "port 22 is not open"),
        ("http://example.com/from", "http://localhost/", "a private network"),
        ("http://example.com/from", "//[::ffff:10.0.0.1]/", "a private address"),
        ("http://example.com/from", "http://0x7f.1/", "a loopback address"),
        ("http://example.com/from", "javascript:alert(1)", "its scheme is `javascript`"),
        ("http://example.com/from", "http://[", "no URL"),
        ("http://example.com/from", "http://a b/", "blanks"),
    ] {
        let internet = redirecting(302, location).await;
        let error = fetch(&internet, &get(from)).await;
        assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        refused(error, part);
        assert_eq!(internet.dialed(), [PUBLIC].into(), "{location}");
        assert_eq!(internet.log().requests.len(), 1, "{location}");
    }
}

#[tokio::test]
async fn hosts_confine_the_first_request_and_every_redirect() {
    let confined = |hosts: &[&str]| Fetch {
        hosts: Some(Arc::from(hosts.iter().map(|host| (*host).to_owned()).collect::<Vec<_>>())),
        ..get("http://example.com/from")
    };
    let internet = redirecting(302, "http://other.example/there").await;
    refused(fetch(&internet, &confined(&["example.com"])).await, "`other.example` is not among the declared hosts");
    assert_eq!(internet.log().requests.len(), 1);
    for hosts in [&[][..], &["other.example"], &["*.example.com"], &["example.com:8080"], &["ample.com"], &["*."]] {
        let internet = redirecting(302, "/there").await;
        refused(fetch(&internet, &confined(hosts)).await, "`example.com` is not among the declared hosts");
        assert_eq!(internet.log().lookups, Vec::<String>::new());
    }
    for hosts in [&["example.com", "other.example"][..], &["EXAMPLE.com.", "*.example"], &["*.com", "other.example:80"]]
    {
        let internet = redirecting(302, "http://other.example/there").await;
        assert_eq!(fetch(&internet, &confined(hosts)).await.unwrap().url, "http://other.example/there", "{hosts:?}");
    }
    let internet = redirecting(302, "/there").await;
    let request = Fetch { url: "http://bücher.example/".into(), ..confined(&["bücher.example"]) };
    assert_eq!(fetch(&internet, &request).await.unwrap().url, "http://xn--bcher-kva.example/");
}

#[tokio::test]
async fn as_many_redirects_as_allowed_are_followed_and_no_more() {
    for (hops, fits) in [(REDIRECTS_MAX, true), (REDIRECTS_MAX + 1, false)] {
        let serve = move |seen: &Seen| {
            let at: usize = seen.path().trim_start_matches('/').parse().unwrap();
            if at < hops { answer(302, &[("location", &format!("/{}", at + 1))], b"") } else { ok() }
        };
        let internet = Internet::of(serve).await;
        let fetched = fetch(&internet, &get("http://example.com/0")).await;
        assert_eq!(internet.log().requests.len(), REDIRECTS_MAX + 1);
        match fetched {
            Ok(fetched) => assert!(fits && fetched.url.ends_with(&format!("/{hops}"))),
            other => {
                assert!(!fits);
                refused(other, "more than 5 redirects");
            }
        }
    }
}

#[tokio::test]
async fn a_kept_connection_goes_to_the_address_that_was_checked() {
    let loopback = "127.0.0.1".parse().unwrap();
    let names = [("turning.example".to_owned(), vec![Ok(vec![PUBLIC]), Ok(vec![loopback])])].into();
    let internet = Internet::new(names, &["example.com"], |_| ok()).await;
    let egress = internet.egress();
    for _ in 0..3 {
        assert_eq!(egress.fetch(&get("http://turning.example/")).await.unwrap().body, b"hello");
    }
    {
        let log = internet.log();
        assert_eq!((log.lookups.len(), log.dials.len(), log.requests.len()), (1, 1, 3));
    }
    // Another name at the same address has a connection of its own.
    egress.fetch(&get("http://example.com/")).await.unwrap();
    assert_eq!(internet.log().dials.len(), 2);
    // And a new connection is checked again.
    refused(internet.egress().fetch(&get("http://turning.example/")).await, "a loopback address");
    assert_eq!((internet.trespasses(), internet.log().dials.len()), (vec![], 2));
}
