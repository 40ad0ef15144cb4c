//! What a header says, and where and why one is refused.

use proptest::prelude::*;

use super::*;

fn parse(source: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(&ToolName::new("trial").unwrap(), source)
}

#[test]
fn a_header_says_what_a_skill_is_and_may_reach() {
    let source = "\n  //! name: trial\r\n\t//!description:  Tries: things \n//!\n//! version: 1.2-a\n\
                  //! argument: place text - Where\n//! argument: days integer optional - How many\n\
                  //! example: try Oslo for 3 days => {\"place\": \"Oslo\", \"days\": 3}\n\
                  //! hosts: API.example.org, *.example.com:8443\n//! methods: GET, POST\n//! tools: calc\n//! state: yes\n\
                  // a remark: not a key\nfn main() {}\n// //! neither: this";
    let manifest = parse(source).unwrap();
    assert_eq!((manifest.description.as_str(), manifest.version.as_deref()), ("Tries: things", Some("1.2-a")));
    assert_eq!(manifest.positional(), ["place", "days"]);
    assert_eq!(manifest.parameters()["required"], json!(["place"]));
    assert_eq!(
        manifest.hosts,
        SkillHosts::Named(Arc::from(["api.example.org".to_owned(), "*.example.com:8443".into()]))
    );
    assert_eq!(
        manifest.capabilities(),
        "GET and POST to api.example.org, *.example.com:8443; the tools calc; values of its own"
    );
    assert_eq!(
        (manifest.repeat(), manifest.risk(), manifest.output()),
        (Repeat::Once, Risk::Medium, Material::Foreign)
    );
}

#[test]
fn without_a_header_there_are_no_capabilities() {
    for source in ["fn main() {}", "", "// description: no header\nfn main() {}"] {
        let manifest = parse(source).unwrap();
        assert!(!manifest.has_header && manifest.hosts == SkillHosts::None && manifest.tools.is_empty());
        assert_eq!(
            (manifest.repeat(), manifest.risk(), manifest.output()),
            (Repeat::ReadOnly, Risk::Low, Material::Own)
        );
        assert_eq!(manifest.capabilities(), "nothing outside itself");
        assert_eq!(manifest.positional(), ["args"]);
    }
}

#[test]
fn what_a_skill_may_do_decides_how_it_is_judged() {
    for (line, repeat, risk, output) in [
        ("hosts: a.example", Repeat::ReadOnly, Risk::Low, Material::Foreign),
        ("hosts: any", Repeat::ReadOnly, Risk::Medium, Material::Foreign),
        ("tools: calc", Repeat::Once, Risk::Medium, Material::Foreign),
        ("state: yes", Repeat::Once, Risk::Low, Material::Foreign),
        ("state: no", Repeat::ReadOnly, Risk::Low, Material::Own),
    ] {
        let manifest = parse(&format!("//! description: D\n//! {line}\n")).unwrap();
        assert_eq!((manifest.repeat(), manifest.risk(), manifest.output()), (repeat, risk, output), "{line}");
    }
}

#[test]
fn a_header_that_lies_is_refused_with_its_place() {
    let long = "x".repeat(600);
    for (header, line, column, part) in [
        ("//! name: other", 1, 11, "`trial.rhai`"),
        ("//! description", 1, 5, "key: value"),
        ("//! version: 1", 1, 5, "no `description`"),
        ("//! description: D\n//! decription: D", 2, 5, "did you mean `description`?"),
        ("//! description: D\n  //! Hosts: a.b", 2, 7, "`Hosts` is no key"),
        ("//! description: D\n//! hosts: a.b\n//! hosts: c.d", 3, 5, "stands on line 2 already"),
        ("//! description: D\n//! methods: GET", 2, 5, "without `hosts`"),
        ("//! description: D\n//! hosts: a.b\n//! methods: GET, PUT", 3, 19, "\"PUT\" can't be"),
        ("//! description: D\n//! hosts: a.b\n//! methods: get", 3, 14, "`GET` and `POST`"),
        ("//! description: D\n//! hosts: a.b,", 2, 12, "commas"),
        ("//! description: D\n//! hosts: a.b, A.B", 2, 12, "each once"),
        ("//! description: D\n//! hosts: a.com:0, b.com:99999", 2, 12, "\"a.com:0\" can't be"),
        ("//! description: D\n//! hosts: a.com,  b.com:99999", 2, 20, "\"b.com:99999\" can't be"),
        ("//! description: D\n//! hosts: 10.0.0.1, any", 2, 22, "stands alone"),
        ("//! description: D\n//! hosts: ANY, a.b", 2, 12, "stands alone"),
        ("//! description: D\n//! tools: calc, ../x", 2, 18, "\"../x\" can't be"),
        ("//! description: D\n//! state: maybe", 2, 12, "`yes` or `no`"),
        ("//! description: D\n//! version: 1 2", 2, 14, "letters, digits"),
        ("//! description: D\n//! tools: ../x", 2, 12, "a-z"),
        ("//! description: D\n//! argument: x", 2, 15, "text|number|integer|boolean"),
        ("//! description: D\n//! argument: x string - X", 2, 15, "text|number|integer|boolean"),
        ("//! description: D\n//! argument: X text - X", 2, 15, "a-z"),
        ("//! description: D\n//! argument: a text optional - A\n//! argument: b text - B", 3, 15, "stands before"),
        ("//! description: D\n//! argument: a text - A\n//! argument: a text - A", 3, 15, "name of its own"),
        ("//! description: D\n//! example: x => [1]", 2, 14, "JSON object"),
        ("//! description: D\n//! example: x => {", 2, 14, "EOF"),
        ("//! description: D\n//! example: x => {\"a\": 1}", 2, 14, "fit the skill's own"),
        ("//! description:", 1, 17, "must not be empty"),
        ("//! description: a\u{202e}b", 1, 18, "control"),
        ("//! description: a\u{2066}b", 1, 18, "hide text"),
        ("//! description: a\u{200b}b", 1, 18, "hide text"),
        ("//! description: a\u{e0041}b", 1, 18, "hide text"),
        ("//! description: a\u{2028}//! hosts: any", 1, 18, "hide text"),
        ("//! description: D\nfn main() {}\n//! hosts: a.b", 3, 1, "behind the header's end"),
        ("// remark\n//! description: D", 2, 1, "behind the header's end"),
        (&format!("//! description: {long}"), 1, 1, "at most 512"),
        (&"//! example: x\n".repeat(33), 33, 5, "at most 32"),
        (&"//! example: x\n".repeat(65), 65, 1, "at most 64 lines"),
    ] {
        let error = parse(header).unwrap_err();
        assert_eq!((error.line, error.column), (line, column), "{header}: {error}");
        assert!(error.to_string().contains(part), "{header}: {error}");
    }
}

#[test]
fn a_host_is_a_name_and_nothing_that_hides_another() {
    for good in [
        "a.b",
        "localhost",
        "127.0.0.1",
        "10.0.0.1:80",
        "1.2.3.com",
        "a1.b2",
        "a.b:1",
        "a.b:65535",
        "*.b.c",
        "*.b.c:443",
        "xn--bcher-kva.example",
    ] {
        assert!(parse(&format!("//! description: D\n//! hosts: {good}")).is_ok(), "{good}");
    }
    for bad in [
        "https://a.b",
        "a.b/",
        "a.b/c",
        "u@a.b",
        "*",
        "*.",
        "*.com",
        "a.*.b",
        "*a.b",
        "**.a.b",
        "a.b:",
        "a.b:0",
        "a.b:99999",
        "a.b:+1",
        "a b",
        "a..b",
        ".a",
        "a.",
        "-a.b",
        "a-.b",
        "bücher.example",
        "аpple.com",
        "[::1]",
        "a.b?c",
        "a.b#c",
        "a.b\\c",
        "any.*",
        "ANY",
        "any:80",
        "0x7f.1",
        "127.1",
        "127",
        "0x7f000001",
        "a.0x7f",
        "a.0x",
        "127.0.0.01",
        "1.2.3.256",
        "1.2.3.4.5",
        "*.0.1",
        "a%2eb",
    ] {
        let error = parse(&format!("//! description: D\n//! hosts: {bad}")).unwrap_err();
        assert!(error.line == 2 && error.to_string().contains("a host is a name"), "{bad}: {error}");
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused_inside_itself(source in "(\\s|//!|: |[a-z]{1,8}|hosts|argument|[\u{1}-\u{ffff}]|=>|\\{\\}){0,60}") {
        if let Err(error) = parse(&source) {
            let line = source.lines().nth(error.line - 1).expect("the line is there");
            prop_assert!(error.column <= line.chars().count() + 1);
        }
    }

    #[test]
    fn what_is_accepted_grants_no_more_than_its_lines_say(hosts in "[a-z.*:0-9,/@ ]{0,24}") {
        if let Ok(manifest) = parse(&format!("//! description: D\n//! hosts: {hosts}\n")) {
            match manifest.hosts {
                SkillHosts::Named(named) => prop_assert!(named.iter().all(|host| hosts.contains(host.as_str()) && *host != "*")),
                SkillHosts::Any => prop_assert_eq!(hosts.trim(), "any"),
                SkillHosts::None => prop_assert!(false, "hosts were given"),
            }
        }
    }
}
