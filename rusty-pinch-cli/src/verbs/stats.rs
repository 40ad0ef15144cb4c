//! `stats`: counters and the last turn.

use std::fmt::Write;

use rusty_pinch_core::{Snapshot, TelemetryFile};
use serde_json::{Value, json};

use crate::failure::{Code, Failure};
use crate::program::Program;

pub(crate) fn run(program: &Program) -> Result<Code, Failure> {
    let file = TelemetryFile::new(&program.settings.telemetry.file);
    let snapshot = file.read()?;
    if program.output.data_as_json() {
        program.output.json(&to_json(&file, &snapshot))?;
    } else {
        program.output.text(&page(&snapshot))?;
    }
    Ok(Code::Done)
}

fn to_json(file: &TelemetryFile, snapshot: &Snapshot) -> Value {
    let mut telemetry = serde_json::to_value(snapshot).unwrap_or_default();
    let mut taken = |name| telemetry.as_object_mut().and_then(|fields| fields.remove(name)).unwrap_or_default();
    let (last_turn, prompt_cache) = (taken("last_turn"), taken("prompt_cache"));
    if let Some(fields) = telemetry.as_object_mut() {
        fields.insert("file".to_owned(), file.path().display().to_string().into());
    }
    json!({"last_turn": last_turn, "prompt_cache": prompt_cache, "telemetry": telemetry})
}

fn page(snapshot: &Snapshot) -> String {
    let mut page = String::new();
    let cache = snapshot.prompt_cache;
    for (name, count) in [
        ("turns", snapshot.total_turns),
        ("  answered", snapshot.ok_turns),
        ("  failed", snapshot.error_turns),
        ("  by a brain", snapshot.provider_turns),
        ("  by a tool", snapshot.tool_turns),
        ("  by a skill", snapshot.skill_turns),
        ("requests to providers", snapshot.total_provider_attempts),
        ("prompt cache hits", cache.hits),
        ("prompt cache misses", cache.misses),
    ] {
        // Writing to a string can't fail.
        let _ = writeln!(page, "{name:<22} {count:>10}");
    }
    if let Some(Value::Object(turn)) = &snapshot.last_turn {
        page.push_str("last turn\n");
        for (name, value) in turn.iter().filter(|(_, value)| !value.is_null()) {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(page, "  {name:<20} {value}");
        }
    }
    page
}
