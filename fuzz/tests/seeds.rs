//! Every seed, and every input that once broke something, still holds. Needs no fuzzer.

use std::fs;
use std::path::Path;

fn check(target: &str, check: impl Fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let mut seeds = 0;
    for file in fs::read_dir(folder).expect("a folder of seeds") {
        let path = file.expect("an entry").path();
        println!("{}", path.display());
        check(&fs::read(path).expect("a seed"));
        seeds += 1;
    }
    assert!(seeds > 2, "{target} has {seeds} seeds");
}

#[test]
fn app_server() {
    check("app_server", fuzz::app_server::check);
}

#[test]
fn calc() {
    check("calc", fuzz::calc::check);
}

#[test]
fn journal() {
    check("journal", fuzz::journal::check);
}

#[test]
fn tool_command() {
    check("tool_command", fuzz::tool_command::check);
}

#[test]
fn codex_events() {
    check("codex_events", fuzz::codex_events::check);
}

#[test]
fn settings() {
    check("settings", fuzz::settings::check);
}

#[test]
fn stream() {
    check("stream", fuzz::stream::check);
}

#[test]
fn script() {
    check("script", fuzz::script::check);
}

#[test]
fn child() {
    check("child", fuzz::child::check);
}

/// The beginning of what `cargo xtask skills-fuzz` runs a million of.
#[test]
fn random_scripts() {
    fuzz::script::on_a_large_stack(|| {
        let mut scripts = 0;
        for seed in 1..=2_000 {
            println!("seed {seed}");
            let came = fuzz::script::run(&fuzz::random_script::generate(seed));
            scripts += usize::from(came != fuzz::script::Came::Refused);
        }
        assert!(scripts > 500, "only {scripts} of 2,000 are scripts");
    });
}

#[test]
fn skill_header() {
    check("skill_header", fuzz::skill_header::check);
}

#[test]
fn egress_url() {
    check("egress_url", fuzz::egress_url::check);
}
