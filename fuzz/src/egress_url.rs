//! URLs that anybody may have written, and what the rules of the egress make of them.

use std::net::IpAddr;

use rusty_pinch_core::{EgressRules, EgressSettings, OpenedTarget};

pub fn check(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let rules = EgressRules::new(&EgressSettings::default());
    match rules.check(text) {
        Ok(target) => {
            let url = target.url();
            assert!(url.starts_with("http://") || url.starts_with("https://"), "{url}");
            assert!(!url.contains(|c: char| c.is_whitespace() || c.is_control() || c == '#'), "{url}");
            assert!(url.is_ascii() && matches!(target.port(), 80 | 443), "{url}");
            match target.host().parse::<IpAddr>() {
                Ok(IpAddr::V4(v4)) => assert!(!v4.is_private() && !v4.is_loopback() && !v4.is_link_local(), "{url}"),
                Ok(IpAddr::V6(v6)) => assert!(!v6.is_loopback() && !v6.is_unspecified() && !v6.is_multicast(), "{url}"),
                Err(_) => assert!(target.host().contains('.') && !target.host().ends_with('.'), "{url}"),
            }
            // Judging what is sent once more changes nothing.
            let again = rules.check(url);
            assert!(again.as_ref().is_ok_and(|again| *again == target), "{url}: {again:?}");
        }
        Err(error) => {
            let message = error.to_string();
            assert!(!message.contains(char::is_control) && message.len() < 4096, "{message:?}");
        }
    }
    if let Ok(opened) = text.parse::<OpenedTarget>() {
        let shown = opened.to_string();
        assert_eq!(shown.parse::<OpenedTarget>().as_ref(), Ok(&opened), "{shown}");
    }
}
