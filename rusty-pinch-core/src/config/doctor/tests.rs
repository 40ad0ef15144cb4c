use std::path::Path;

use super::*;

fn report(dir: &Path, pairs: &[(&str, &str)], codex: Option<&CodexReadiness>) -> Report {
    let folder = |name: &str| dir.join(name).to_str().unwrap().to_owned();
    let (data, workspace) = (folder("data"), folder("workspace"));
    let own = [("RUSTY_PINCH_DATA_DIR", data.as_str()), ("RUSTY_PINCH_WORKSPACE", workspace.as_str())];
    // What `pairs` says comes later and wins.
    let settings = Settings::from_vars(&own.iter().chain(pairs).copied().collect());
    Report::new(settings.as_ref(), codex)
}

fn missing() -> CodexReadiness {
    CodexReadiness::NotReady { why: "the Codex CLI is not installed".into(), fix: "install it".into() }
}

fn fact<'a>(report: &'a Report, name: &str) -> &'a str {
    &report.facts.iter().find(|fact| fact.name == name).unwrap().value
}

/// The message of the worst check.
fn worst(report: &Report) -> String {
    let check = report.checks.iter().max_by_key(|check| check.status).unwrap();
    format!("{}: {} ({})", check.name, check.message, check.fix.as_deref().unwrap_or_default())
}

#[test]
fn an_untouched_default_is_ok_and_nothing_is_left_behind() {
    let dir = tempfile::tempdir().unwrap();
    let report = report(dir.path(), &[], Some(&missing()));
    assert_eq!(report.status(), CheckStatus::Ok, "{}", worst(&report));
    assert_eq!(fact(&report, "provider"), "local");
    assert!(fact(&report, "provider_reason").contains("not installed"));
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    assert_eq!(report.to_json()["status"], "ok");
}

#[test]
fn the_provider_that_nobody_chose_is_codex_when_it_is_ready() {
    let dir = tempfile::tempdir().unwrap();
    let ready = CodexReadiness::Ready { how: "codex is logged in".into() };
    let found = report(dir.path(), &[], Some(&ready));
    assert_eq!((fact(&found, "provider"), found.status()), ("codex", CheckStatus::Ok));
    let disabled = report(dir.path(), &[("RUSTY_PINCH_CODEX_ENABLED", "no")], Some(&ready));
    assert_eq!(fact(&disabled, "provider"), "local");
    let chosen = report(dir.path(), &[("RUSTY_PINCH_PROVIDER", "codex")], Some(&missing()));
    assert_eq!(chosen.status(), CheckStatus::Error);
    assert!(worst(&chosen).contains("install it"));
}

#[test]
fn whatever_must_be_fixed_is_an_error_with_its_fix() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("file");
    std::fs::write(&file, "").unwrap();
    let under_file = file.join("data").to_str().unwrap().to_owned();
    for (name, value, part) in [
        ("RUSTY_PINCH_PROVIDER", "openai", "set RUSTY_PINCH_OPENAI_API_KEY or RUSTY_PINCH_API_KEY"),
        ("RUSTY_PINCH_PROVIDER", "openia", "one of `local`"),
        ("RUSTY_PINCH_REQUEST_RETRIES", "-1", "a whole number from 0 to 20"),
        ("RUSTY_PINCH_MODLE", "x", "did you mean RUSTY_PINCH_MODEL"),
        ("RUSTY_PINCH_DATA_DIR", &under_file, "set RUSTY_PINCH_DATA_DIR to another folder"),
    ] {
        let report = report(dir.path(), &[(name, value)], Some(&missing()));
        assert_eq!(report.status(), CheckStatus::Error, "{name}={value}");
        assert!(worst(&report).contains(part), "{}", worst(&report));
    }
}

#[test]
fn what_works_and_is_odd_is_a_warning_or_a_note() {
    let dir = tempfile::tempdir().unwrap();
    let telemetry = dir.path().join("latest.json");
    std::fs::write(&telemetry, "{").unwrap();
    let server = [("RUSTY_PINCH_PROVIDER", "compatible"), ("RUSTY_PINCH_MODEL", "m"), ("RUSTY_PINCH_API_KEY", "k")];
    for (pairs, status) in [
        (vec![("RUSTY_PINCH_XYZZY", "x")], CheckStatus::Warning),
        (vec![("RUSTY_PINCH_TELEMETRY_FILE", telemetry.to_str().unwrap())], CheckStatus::Warning),
        ([server.as_slice(), &[("RUSTY_PINCH_API_BASE", "http://10.0.0.1/v1")]].concat(), CheckStatus::Warning),
        ([server.as_slice(), &[("RUSTY_PINCH_API_BASE", "http://127.0.0.1:80/v1")]].concat(), CheckStatus::Ok),
        (vec![("RUSTY_PINCH_BUS_CAPACITY", "x")], CheckStatus::Ok),
        (vec![("OPENAI_API_KEY", "x")], CheckStatus::Ok),
    ] {
        let report = report(dir.path(), &pairs, Some(&missing()));
        assert_eq!(report.status(), status, "{pairs:?}: {}", worst(&report));
        let is_noted = report.checks.iter().any(|check| check.status == CheckStatus::Note);
        assert_eq!(is_noted, pairs.iter().any(|(name, _)| name.contains("BUS") || *name == "OPENAI_API_KEY"));
    }
}

#[test]
fn no_secret_is_in_a_report() {
    let dir = tempfile::tempdir().unwrap();
    let pairs = [("RUSTY_PINCH_PROVIDER", "openai"), ("OPENAI_API_KEY", "sk-very-secret")];
    let report = report(dir.path(), &pairs, None);
    assert_eq!(fact(&report, "api_key_loaded"), "true");
    assert!(!format!("{report:?}{}", report.to_json()).contains("very-secret"));
}

#[test]
fn every_opened_target_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let name = "RUSTY_PINCH_EGRESS_ALLOW";
    let found = report(dir.path(), &[(name, "nas.local:5000, 10.0.0.0/8")], Some(&missing()));
    assert_eq!((found.status(), fact(&found, "egress_allow")), (CheckStatus::Ok, "nas.local:5000,10.0.0.0/8"));
    let notes = found.checks.iter().filter(|check| check.name == "egress" && check.status == CheckStatus::Note);
    assert_eq!(notes.count(), 2);
    let wide = report(dir.path(), &[(name, "128.0.0.0/1")], Some(&missing()));
    assert!(wide.status() == CheckStatus::Warning && worst(&wide).contains("128.0.0.0/1"), "{}", worst(&wide));
    for metadata in ["169.254.169.254:80", "fd00::/8"] {
        let found = report(dir.path(), &[(name, metadata)], Some(&missing()));
        assert!(worst(&found).contains(metadata) && worst(&found).contains("credentials"), "{}", worst(&found));
        assert_eq!(found.status(), CheckStatus::Warning);
    }
    let single = report(dir.path(), &[(name, "127.0.0.1:18081,[::1]:1")], Some(&missing()));
    assert_eq!((single.status(), fact(&single, "egress_allow")), (CheckStatus::Ok, "127.0.0.1:18081,[::1]:1"));
    let closed = report(dir.path(), &[], Some(&missing()));
    assert_eq!((fact(&closed, "egress_allow"), fact(&closed, "skill_http_timeout_secs")), ("<none>", "20"));
    for (name, value, part) in [
        (name, "nas.local", "`nas.local` is none: a name needs its port, such as nas.local:443"),
        (name, "0.0.0.0/0", "it holds every address"),
        (
            name,
            "127.1:18081",
            "`host:port`, `address:port` or `range/bits:port`, separated by commas; `127.1:18081` is",
        ),
        ("RUSTY_PINCH_SKILL_HTTP_TIMEOUT_SECS", "0", "a whole number from 1 to 600"),
    ] {
        let wrong = report(dir.path(), &[(name, value)], Some(&missing()));
        assert!(wrong.status() == CheckStatus::Error && worst(&wrong).contains(part), "{}", worst(&wrong));
    }
}
