//! Every dependency may be used as `deny.toml` allows.
//!
//! The list in `deny.toml` is the only one. It is checked here without any other program; cargo-deny checks it too,
//! and which registries the crates come from, where it is installed.

use std::collections::BTreeSet;

use super::spdx;
use crate::run::{Failed, Notes, Outcome, Program, root};

pub(crate) fn check() -> Outcome {
    let path = root().join("deny.toml");
    let rules = std::fs::read_to_string(&path).map_err(|error| Failed::new(path.display(), error))?;
    let allowed = allowed(&rules);
    let crates = dependencies()?;
    let refused: Vec<&str> = crates.iter().filter(|line| !may_use(line, &allowed)).map(String::as_str).collect();
    if !refused.is_empty() {
        return Err(Failed::new("deny.toml does not allow the licences of", refused.join(", ")));
    }
    let detail = format!("{} crates", crates.len());
    if !Program::cargo(&["deny", "--version"]).works() {
        let why = "cargo-deny is not installed: licences were checked, but not registries and bans";
        return Ok(Notes { detail, ..Notes::skipped(why) });
    }
    Program::cargo(&["deny", "check", "bans", "licenses", "sources"]).show()?;
    Ok(Notes::detail(detail))
}

/// Every crate that any target or feature needs, as `name version|licence`.
fn dependencies() -> Result<BTreeSet<String>, Failed> {
    let arguments = ["tree", "--workspace", "--all-features", "--target", "all", "--edges", "normal,build,dev"];
    let tree = Program::cargo(&[&arguments[..], &["--prefix", "none", "--format", "{p}|{l}"]].concat()).read()?;
    Ok(tree.lines().map(|line| line.trim_end_matches(" (*)").to_owned()).filter(|line| !line.is_empty()).collect())
}

fn may_use(line: &str, allowed: &[&str]) -> bool {
    line.rsplit_once('|').is_some_and(|(_, licence)| spdx::is_allowed(licence, allowed))
}

/// The names in the list `allow` of deny.toml.
fn allowed(rules: &str) -> Vec<&str> {
    let list = rules.lines().skip_while(|line| !line.starts_with("allow = [")).skip(1);
    let list = list.take_while(|line| !line.starts_with(']'));
    list.filter_map(|line| line.trim().strip_prefix('"')?.split('"').next()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crate_without_a_licence_or_with_another_one_is_refused() {
        let rules = "[licenses]\nallow = [\n    \"MIT\", # plain\n    \"ISC\",\n]\nother = [\n  \"GPL-3.0\",\n]\n";
        let allowed = allowed(rules);
        assert_eq!(allowed, ["MIT", "ISC"]);
        assert!(may_use("a v1.0.0|MIT OR GPL-3.0", &allowed));
        assert!(!may_use("a v1.0.0|GPL-3.0", &allowed));
        assert!(!may_use("a v1.0.0|", &allowed));
        assert!(!may_use("a v1.0.0", &allowed));
    }
}
