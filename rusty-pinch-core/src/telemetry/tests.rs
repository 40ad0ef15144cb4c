//! Counters under faults and in a crowd.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::*;
use crate::data::{RequestId, Secret, Timestamp};

fn record(status: TurnStatus, path: TurnPath) -> TurnRecord {
    TurnRecord {
        timestamp: Timestamp::from_millis(1_000),
        request_id: RequestId::mint(Timestamp::from_millis(1_000), [1; 4]),
        session_id: "demo".into(),
        path,
        status,
        provider: "local".into(),
        model: "m".into(),
        tried: vec![],
        provider_reason: None,
        tool_name: None,
        attempts: Some(2),
        latency_ms: Some(3),
        user_chars: 4,
        response_chars: 5,
        prompt_cache_hits: 1,
        prompt_cache_misses: 2,
        error: None,
    }
}

fn ok() -> TurnRecord {
    record(TurnStatus::Ok, TurnPath::Provider)
}

/// A file in a folder that does not exist yet, an observer of it, and what that reports.
struct Fixture {
    _dir: tempfile::TempDir,
    file: TelemetryFile,
    observer: CountingObserver,
    reports: Arc<Mutex<Vec<String>>>,
}

fn fixture() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let file = TelemetryFile::new(dir.path().join("telemetry/latest.json"));
    let reports = Arc::new(Mutex::new(Vec::new()));
    let redactor = Redactor::new(&[Secret::new("sk-12345678".to_owned())]);
    let heard = Arc::clone(&reports);
    let report = move |error: &TelemetryError| heard.lock().unwrap().push(error.to_string());
    Fixture { observer: CountingObserver::new(file.clone(), redactor, report), _dir: dir, file, reports }
}

impl Fixture {
    fn reports(&self) -> Vec<String> {
        self.reports.lock().unwrap().clone()
    }

    fn write(&self, text: &str) {
        std::fs::create_dir_all(self.file.path().parent().unwrap()).unwrap();
        std::fs::write(self.file.path(), text).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.file.path().parent().unwrap()).unwrap();
        let mut names: Vec<_> = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }
}

#[test]
fn turns_are_counted_by_status_and_path() {
    let fixture = fixture();
    for (status, path) in [
        (TurnStatus::Ok, TurnPath::Provider),
        (TurnStatus::Error, TurnPath::Provider),
        (TurnStatus::NeedsApproval, TurnPath::Tool),
        (TurnStatus::Ok, TurnPath::Skill),
    ] {
        fixture.observer.turn(&record(status, path));
    }
    let snapshot = fixture.file.read().unwrap();
    assert_eq!((snapshot.total_turns, snapshot.ok_turns, snapshot.error_turns), (4, 3, 1));
    assert_eq!((snapshot.provider_turns, snapshot.tool_turns, snapshot.skill_turns), (2, 1, 1));
    assert_eq!((snapshot.total_provider_attempts, snapshot.prompt_cache), (8, PromptCache { hits: 4, misses: 8 }));
    assert_eq!(snapshot.last_turn.unwrap()["path"], "skill");
    assert_eq!(fixture.names(), ["latest.json", "latest.json.lock"], "no temporary file stays");
    assert!(fixture.reports().is_empty());
}

#[test]
fn the_line_has_sorted_keys_and_says_what_it_is() {
    let line = record(TurnStatus::NeedsApproval, TurnPath::Tool).to_line();
    assert!(!line.contains('\n'));
    let Value::Object(fields) = serde_json::from_str(&line).unwrap() else { panic!("{line}") };
    assert_eq!(fields["event"], "turn");
    assert_eq!((&fields["status"], &fields["path"]), (&json!("needs_approval"), &json!("tool")));
    assert_eq!(fields["error"], Value::Null);
    let at = |key: &str| line.find(&format!("\"{key}\":")).unwrap();
    let order: Vec<_> = ["attempts", "error", "event", "latency_ms", "model", "path", "user_chars"].map(at).into();
    assert!(order.is_sorted(), "{line}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_may_read_what_is_made() {
    use std::os::unix::fs::PermissionsExt;
    let fixture = fixture();
    fixture.observer.turn(&ok());
    let mode = |path: &std::path::Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    let folder = fixture.file.path().parent().unwrap();
    assert_eq!((mode(fixture.file.path()), mode(folder)), (0o600, 0o700));
}

#[test]
fn fields_of_another_version_are_kept() {
    let fixture = fixture();
    fixture.write(r#"{"schema_version":1,"total_turns":41,"pulse":{"jobs_total":3},"codex":null}"#);
    fixture.observer.turn(&ok());
    let text = std::fs::read_to_string(fixture.file.path()).unwrap();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((&value["total_turns"], &value["pulse"]["jobs_total"]), (&json!(42), &json!(3)));
    assert!(value.as_object().unwrap().contains_key("codex"));
}

#[test]
fn a_damaged_file_is_set_aside_and_said_once() {
    for damage in ["", "{\"total_turns\":", "[]", "{\"total_turns\":\"many\"}", "\u{0}\u{0}"] {
        let fixture = fixture();
        fixture.write(damage);
        assert!(fixture.file.read().is_err(), "{damage:?}");
        fixture.observer.turn(&ok());
        fixture.observer.turn(&ok());
        assert_eq!(fixture.file.read().unwrap().total_turns, 2, "{damage:?}");
        assert_eq!(fixture.reports().len(), 1, "{damage:?}");
        let aside = fixture.file.path().with_extension("json.damaged");
        assert_eq!(std::fs::read_to_string(aside).unwrap(), damage);
    }
}

#[test]
fn a_newer_file_is_left_alone() {
    let fixture = fixture();
    let newer = r#"{"schema_version":2,"total_turns":{"by":"day"}}"#;
    fixture.write(&newer.replace("{\"by\":\"day\"}", "7"));
    fixture.observer.turn(&ok());
    assert!(fixture.reports()[0].contains("version 2"), "{:?}", fixture.reports());
    assert!(std::fs::read_to_string(fixture.file.path()).unwrap().contains("\"schema_version\":2"));
}

#[test]
fn what_could_not_be_written_is_counted_later_and_reported_once() {
    let fixture = fixture();
    // A file where the folder should be.
    let folder = fixture.file.path().parent().unwrap();
    std::fs::write(folder, "").unwrap();
    for _ in 0..3 {
        fixture.observer.turn(&ok());
    }
    assert_eq!(fixture.reports().len(), 1, "{:?}", fixture.reports());
    std::fs::remove_file(folder).unwrap();
    fixture.observer.turn(&ok());
    assert_eq!(fixture.file.read().unwrap().total_turns, 4);
}

#[test]
fn a_lock_that_nobody_lets_go_of_costs_a_second_and_no_count() {
    let fixture = fixture();
    fixture.write("{}");
    let lock = std::fs::File::create(fixture.file.path().with_extension("json.lock")).unwrap();
    lock.lock().unwrap();
    fixture.observer.turn(&ok());
    assert!(fixture.reports()[0].contains("locked"), "{:?}", fixture.reports());
    drop(lock);
    fixture.observer.turn(&ok());
    assert_eq!(fixture.file.read().unwrap().total_turns, 2);
}

#[test]
fn secrets_and_endless_errors_stay_out_of_line_and_file() {
    let fixture = fixture();
    let error = format!("refused key sk-12345678 {}", "x".repeat(5_000));
    let record = TurnRecord { error: Some(error), ..ok() };
    fixture.observer.turn(&record);
    let text = std::fs::read_to_string(fixture.file.path()).unwrap();
    assert!(text.contains("refused key [secret]") && !text.contains("12345678") && text.len() < 3_000, "{text}");
}

#[test]
fn eight_writers_with_handles_of_their_own_lose_no_count() {
    let fixture = fixture();
    let before_and_after = (|| fixture.file.read().unwrap().total_turns, 8 * 150);
    std::thread::scope(|scope| {
        let mut writers = Vec::new();
        for _ in 0..8 {
            // A lock belongs to the open file, so that writers in one process exclude each other as processes do.
            let file = TelemetryFile::new(fixture.file.path());
            writers.push(scope.spawn(move || {
                let mut one = Snapshot::default();
                one.count(&ok());
                for _ in 0..150 {
                    // On a busy machine one of them may wait in vain for a second; it says so, and nothing is counted.
                    while let Err(error) = file.add(&one) {
                        assert!(matches!(error, TelemetryError::Busy { .. }), "{error}");
                    }
                }
            }));
        }
        let mut last = 0;
        // A writer that fails must fail the test, and not leave its reader waiting for ever.
        while !writers.iter().all(|writer| writer.is_finished()) {
            let now = before_and_after.0();
            assert!(now >= last, "a reader saw {now} after {last}");
            last = now;
            std::thread::yield_now();
        }
    });
    assert_eq!(before_and_after.0(), before_and_after.1);
}
