use super::*;
use crate::hands::STARTER_SKILLS;
use crate::sys::SystemClock;

async fn tried(library: &SkillLibrary, name: &str) -> Result<DryRun, DryRunError> {
    dry_run(library, &ToolName::new(name).unwrap(), Sandbox::InProcess, Arc::new(SystemClock)).await
}

fn library() -> (tempfile::TempDir, SkillLibrary) {
    let dir = tempfile::tempdir().unwrap();
    let library = SkillLibrary::new(dir.path().join("skills"));
    (dir, library)
}

fn write(library: &SkillLibrary, file: &str, text: &str) {
    std::fs::create_dir_all(library.folder()).unwrap();
    std::fs::write(library.folder().join(file), text).unwrap();
}

#[tokio::test]
async fn every_starter_skill_passes_its_own_cases_without_a_lint() {
    let (_dir, library) = library();
    library.offer_starters().unwrap();
    for starter in STARTER_SKILLS {
        let ran = tried(&library, starter.name).await.unwrap();
        assert!(ran.cases.len() >= 2 && ran.lints.is_empty(), "{ran:#?}");
        assert!(ran.is_good(), "{ran:#?}");
    }
}

#[tokio::test]
async fn a_case_that_differs_in_anything_is_a_fault() {
    let (_dir, library) = library();
    let script = "//! description: Fetches.\n//! hosts: a.example\n\
                  fn main() { http_get(\"https://a.example/\") }";
    write(&library, "x.rhai", script);
    let answer = r#"{"url": "https://a.example/", "body": "b"}"#;
    for (case, fault) in [
        (format!(r#"{{"name": "n", "http": [{answer}], "output": "b"}}"#), None),
        (format!(r#"{{"name": "n", "http": [{answer}], "output": "c"}}"#), Some("not")),
        (format!(r#"{{"name": "n", "http": [{answer}], "contains": "c"}}"#), Some("without")),
        (format!(r#"{{"name": "n", "http": [{answer}], "error": "c"}}"#), Some("does not fail")),
        (format!(r#"{{"name": "n", "http": [{answer}, {answer}], "output": "b"}}"#), Some("did not ask for")),
        (r#"{"name": "n", "output": "b"}"#.to_owned(), Some("the case has no answer for it")),
        (r#"{"name": "n", "http": [{"url": "https://b.example/"}], "output": "b"}"#.to_owned(), Some("no answer")),
    ] {
        write(&library, "x.cases.json", &format!("[{case}]"));
        let ran = tried(&library, "x").await.unwrap();
        let found = ran.cases[0].fault.as_deref();
        assert_eq!(ran.is_good(), fault.is_none(), "{case}: {found:?}");
        assert!(fault.is_none_or(|part| found.unwrap().contains(part)), "{case}: {found:?}");
    }
}

#[tokio::test]
async fn cases_that_break_a_rule_are_refused_with_the_rule() {
    let (_dir, library) = library();
    write(&library, "x.rhai", "//! description: D.\n//! argument: n integer - N\nfn main(n) { n }");
    for (cases, part) in [
        ("[", "EOF"),
        (r#"[{"name": "n"}]"#, "output"),
        (r#"[{"name": "n", "output": "1", "argument": {}}]"#, "argument"),
        (r#"[{"name": "n", "output": "1"}]"#, "don't fit the header"),
        (r#"[{"name": "n", "arguments": {"n": "one"}, "output": "1"}]"#, "don't fit the header"),
    ] {
        write(&library, "x.cases.json", cases);
        let error = tried(&library, "x").await.unwrap_err();
        assert!(matches!(&error, DryRunError::Cases { why, .. } if why.contains(part)), "{cases}: {error}");
    }
}

#[tokio::test]
async fn without_cases_only_compiling_and_lints_are_there() {
    let (_dir, library) = library();
    write(&library, "x.rhai", "fn main() { http_get(\"https://a.example/\"); state_set(\"k\", 1); tool(\"t\") }");
    let ran = tried(&library, "x").await.unwrap();
    assert!(ran.cases.is_empty() && ran.capabilities == "nothing outside itself");
    for part in ["`hosts`", "state: yes", "`tools`"] {
        assert!(ran.lints.iter().any(|lint| lint.contains(part)), "{part}: {:?}", ran.lints);
    }
    for (script, part) in [("fn main() {", "line 1"), ("fn other() {}", "no `main`"), ("//! nonsense: x\n", "nonsense")]
    {
        write(&library, "x.rhai", script);
        let error = tried(&library, "x").await.unwrap_err().to_string();
        assert!(error.contains("`x`") && error.contains(part), "{error}");
    }
    assert!(matches!(tried(&library, "y").await.unwrap_err(), DryRunError::NoSuchSkill { .. }));
}

#[tokio::test]
async fn the_template_keeps_every_rule() {
    let (_dir, library) = library();
    let name = ToolName::new("greet").unwrap();
    let path = library.write_new(&name, &skill_template(&name)).unwrap();
    assert_eq!(std::fs::read_to_string(path).unwrap().lines().count(), 10);
    let ran = tried(&library, "greet").await.unwrap();
    assert!(ran.lints.is_empty(), "{ran:?}");
    assert!(matches!(library.write_new(&name, "other").unwrap_err(), crate::hands::LibraryError::Exists { .. }));
}

#[tokio::test]
async fn a_declared_tool_is_refused_because_a_dry_run_has_none() {
    let (_dir, library) = library();
    write(&library, "x.rhai", "//! description: D.\n//! tools: calc\nfn main() { tool(\"calc\") }");
    write(
        &library,
        "x.cases.json",
        r#"[{"name": "n", "error": "the tool `calc` is refused: a dry run has no tools"}]"#,
    );
    let ran = tried(&library, "x").await.unwrap();
    assert!(ran.is_good(), "{ran:?}");
}
