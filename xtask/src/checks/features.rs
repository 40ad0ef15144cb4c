//! Core with none of its features, and with each alone.

use crate::run::{Failed, Notes, Outcome, Program, root};

pub(crate) fn check() -> Outcome {
    let manifest = root().join("rusty-pinch-core/Cargo.toml");
    let manifest = std::fs::read_to_string(&manifest).map_err(|error| Failed::new(manifest.display(), error))?;
    let features = names(&manifest);
    lint("")?;
    for feature in &features {
        lint(feature)?;
    }
    Ok(Notes::detail(format!("none, and each alone of {}", features.join(", "))))
}

/// A lint run also is a check that it compiles. The library alone: the tests bring the feature `testing` with them.
fn lint(feature: &str) -> Result<(), Failed> {
    let arguments =
        ["clippy", "--package", "rusty-pinch-core", "--lib", "--no-default-features", "--features", feature];
    Program::cargo(&[&arguments[..], &["--", "-D", "warnings"]].concat()).show()
}

/// The names in the section `[features]`, without `default`.
fn names(manifest: &str) -> Vec<&str> {
    let section = manifest.lines().skip_while(|line| line.trim() != "[features]").skip(1);
    let section = section.take_while(|line| !line.starts_with('['));
    let names = section.filter_map(|line| Some(line.split_once('=')?.0.trim()));
    names.filter(|name| *name != "default" && !name.starts_with('#')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_found_in_their_section_only() {
        let manifest = "[package]\nname = \"x\"\n\n[features]\ndefault = [\"a\"]\n# why = so\na = []\nb = [\"dep:c\"]\n\n[lib]\nd = 1\n";
        assert_eq!(names(manifest), ["a", "b"]);
    }
}
