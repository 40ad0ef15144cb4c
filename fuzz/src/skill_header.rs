//! A skill's header: whatever it is, it is read or refused at a place inside it, and grants only hosts that are names.

use rusty_pinch_core::{Manifest, SkillHosts, ToolName};

pub fn check(bytes: &[u8]) {
    let source = String::from_utf8_lossy(bytes);
    let name = ToolName::new("fuzzed").expect("a name");
    match Manifest::parse(&name, &source) {
        Ok(manifest) => {
            assert!(!manifest.description.is_empty(), "a tool needs a description");
            if let SkillHosts::Named(hosts) = &manifest.hosts {
                let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "*.-_:".contains(c);
                assert!(hosts.iter().all(|host| host.chars().all(is_plain) && host != "*"), "{hosts:?}");
            }
        }
        Err(error) => {
            let line = source.lines().nth(error.line - 1).expect("the line is there");
            assert!((1..=line.chars().count() + 1).contains(&error.column), "{error}");
        }
    }
}
