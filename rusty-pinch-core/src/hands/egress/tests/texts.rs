//! What a refusal says: the input without its secrets, the rule, and the fix.

use super::super::{EgressError, EgressRules, EgressSettings, Fetch, FetchMethod};
use super::stub::{Internet, fetch, get, ok};

fn told(url: &str) -> String {
    EgressRules::new(&EgressSettings::default()).check(url).unwrap_err().to_string()
}

#[test]
fn refusals_name_the_input_the_rule_and_the_fix() {
    for (url, text) in [
        (
            "",
            "the URL is refused: it is no URL (relative URL without a base); give one such as https://example.com/page",
        ),
        (
            "example.com",
            "example.com is refused: it is no URL (relative URL without a base); give one such as https://example.com/page",
        ),
        (
            "ftp://example.com/x",
            "ftp://example.com/x is refused: its scheme is `ftp`; only http and https can be fetched",
        ),
        (
            "http://localhost/",
            "http://localhost/ is refused: `localhost` is a name of a private network: it has no dot; to open it, set RUSTY_PINCH_EGRESS_ALLOW=localhost:80",
        ),
        (
            "https://nas.local:5001/x",
            "https://nas.local:5001/x is refused: `nas.local` is a name of a private network: it ends in `.local`; to open it, set RUSTY_PINCH_EGRESS_ALLOW=nas.local:5001",
        ),
        (
            "http://192.168.1.1/",
            "192.168.1.1:80 is refused: 192.168.1.1 is a private address (192.168.0.0/16); to open it, set RUSTY_PINCH_EGRESS_ALLOW=192.168.1.1:80",
        ),
        (
            "http://[::1]/",
            "[::1]:80 is refused: ::1 is the loopback address (::1); to open it, set RUSTY_PINCH_EGRESS_ALLOW=[::1]:80",
        ),
        (
            "http://169.254.169.254/x",
            "169.254.169.254:80 is refused: 169.254.169.254 is a link-local or cloud metadata address; if you are sure, set RUSTY_PINCH_EGRESS_ALLOW=169.254.169.254:80",
        ),
        (
            "http://example.com:22/",
            "http://example.com:22/ is refused: port 22 is not open, only 80 and 443 are; to open it, set RUSTY_PINCH_EGRESS_ALLOW=example.com:22",
        ),
        (
            "http://exa mple.com/",
            "http://exa mple.com/ is refused: it has blanks or control characters in it; write them as %20 and the like",
        ),
    ] {
        assert_eq!(told(url), text);
    }
}

#[test]
fn what_a_refusal_advises_works() {
    for url in
        ["http://localhost:81/", "https://nas.local/", "http://192.168.1.1/", "http://[::1]:8/", "http://x.example:22/"]
    {
        let text = told(url);
        let advice = text.split_once("RUSTY_PINCH_EGRESS_ALLOW=").unwrap().1;
        let settings = EgressSettings { opened: vec![advice.parse().unwrap()], ..EgressSettings::default() };
        EgressRules::new(&settings).check(url).unwrap();
    }
}

#[test]
fn no_refusal_shows_a_secret() {
    for url in [
        "http://user:s3cret@example.com/",
        "http://s3cret@10.0.0.1/",
        "ftp://user:s3cret@example.com/",
        "http://10.0.0.1/?token=s3cret",
        "http://localhost/#s3cret",
        "http://user:s3/s3cret@example.com:x/",
        "http://user:s3?s3cret@example.com:x/",
        "http:user:s3cret@example.com/",
        "user:s3cret@example.com",
        "http://user:s3cret@exa mple.com/",
        "http://[x]/?s3cret",
        &format!("http://example.com/?s3cret={}", "a".repeat(3000)),
    ] {
        let text = told(url);
        assert!(!text.contains("s3cret") && text.len() < 500, "{url}: {text}");
    }
    // Nothing in a refusal can steer a terminal or disguise a host.
    let text = told("http://example.com/\u{1b}[2J\u{202e}\n");
    assert!(!text.contains(['\u{1b}', '\u{202e}', '\n']), "{text:?}");
}

#[tokio::test]
async fn a_request_that_can_not_be_sent_is_refused_before_anything_is() {
    let internet = Internet::of(|_| ok()).await;
    let header =
        |name: &str, value: &str| Fetch { headers: vec![(name.into(), value.into())], ..get("http://example.com/") };
    for (request, part) in [
        (header("host", "127.0.0.1"), "the header `host` is set by the client itself"),
        (header("Content-Length", "1"), "`content-length` is set by the client itself"),
        (header("transfer-encoding", "chunked"), "`transfer-encoding` is set by the client itself"),
        (header("proxy-authorization", "x"), "`proxy-authorization` is set by the client itself"),
        (header("x y", "1"), "`x y` is no name of a header"),
        (header("x", "a\r\nhost: b"), "the header `x` has control characters in it"),
        (Fetch { headers: vec![("x".into(), "1".into()); 200], ..get("http://example.com/") }, "more than 128 headers"),
        (Fetch { method: FetchMethod::Get, body: b"x".to_vec(), ..get("http://example.com/") }, "a GET with a body"),
    ] {
        match fetch(&internet, &request).await {
            Err(EgressError::Refused { rule, .. }) => assert!(rule.contains(part), "{rule}"),
            other => panic!("{part}: {other:?}"),
        }
    }
    let log = internet.log();
    assert_eq!((log.dials.len(), log.lookups.len()), (0, 0));
}
