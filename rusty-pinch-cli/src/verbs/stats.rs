//! `stats`: counters, the last turn, and what was spent today.

use std::fmt::Write;

use rusty_pinch_core::config::spend_today;
use rusty_pinch_core::{BudgetReport, CapStatus, CapUnit, Lane, LaneSpend, ModelSpend, Snapshot, TelemetryFile};
use serde_json::{Value, json};

use crate::failure::{Code, Failure, with_causes};
use crate::program::Program;

pub(crate) async fn run(program: &Program) -> Result<Code, Failure> {
    let file = TelemetryFile::new(&program.settings.telemetry.file);
    let snapshot = file.read()?;
    // Counters are worth showing also where the records can't be read.
    let spend = spend_today(&program.settings).await;
    let spend = spend.inspect_err(|error| program.output.warning(&with_causes(error))).ok();
    if program.output.data_as_json() {
        program.output.json(&to_json(&file, &snapshot, spend.as_ref()))?;
    } else {
        let spend = spend.as_ref().map(spend_page).unwrap_or_default();
        program.output.text(&(page(&snapshot) + spend.as_str()))?;
    }
    Ok(Code::Done)
}

fn to_json(file: &TelemetryFile, snapshot: &Snapshot, spend: Option<&BudgetReport>) -> Value {
    let mut telemetry = serde_json::to_value(snapshot).unwrap_or_default();
    let mut taken = |name| telemetry.as_object_mut().and_then(|fields| fields.remove(name)).unwrap_or_default();
    let (last_turn, prompt_cache) = (taken("last_turn"), taken("prompt_cache"));
    if let Some(fields) = telemetry.as_object_mut() {
        fields.insert("file".to_owned(), file.path().display().to_string().into());
    }
    json!({"last_turn": last_turn, "prompt_cache": prompt_cache, "telemetry": telemetry, "spend": spend})
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
            if name == "tried" {
                page.push_str(&tried(value));
                continue;
            }
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            let _ = writeln!(page, "  {name:<20} {value}");
        }
    }
    page
}

/// Who was asked in vain, a line each.
fn tried(value: &Value) -> String {
    let each = value.as_array().into_iter().flatten();
    each.fold(String::new(), |mut page, tried| {
        let field = |name| tried.get(name).and_then(Value::as_str).unwrap_or("?");
        // Writing to a string can't fail.
        let _ = writeln!(page, "  {:<20} {}: {}", "tried in vain", field("brain"), field("why"));
        page
    })
}

/// What was spent today, and the caps.
pub(crate) fn spend_page(spend: &BudgetReport) -> String {
    let mut page = format!("spent on {} (until {})\n", spend.day, spend.resets_at);
    for (name, lane) in [("people", &spend.interactive), ("background work", &spend.background)] {
        // Writing to a string can't fail.
        let _ = writeln!(page, "  {name:<20} {}", lane_text(lane));
    }
    for model in &spend.models {
        let _ = writeln!(page, "  {}", model_text(model));
    }
    for CapStatus { scope, unit, limit, used, .. } in &spend.caps {
        let unit = if *unit == CapUnit::Usd { "US dollars" } else { "tokens" };
        let used = used.as_ref().map_or_else(String::new, |used| format!(", {used} used"));
        let _ = writeln!(page, "  cap for a {:<11} {limit} {unit}{used}", scope.name());
    }
    page
}

fn lane_text(lane: &LaneSpend) -> String {
    let mut text = format!("{} calls, {} tokens, ${}", lane.calls, lane.tokens, lane.usd);
    if lane.unpriced_tokens > 0 {
        let _ = write!(text, " and {} tokens without a known price", lane.unpriced_tokens);
    }
    if lane.open_calls > 0 {
        let _ = write!(text, "; {} calls under way", lane.open_calls);
    }
    text
}

fn model_text(model: &ModelSpend) -> String {
    let ModelSpend { provider, model: name, calls, input_tokens, output_tokens, usd, .. } = model;
    let lane = if model.lane == Lane::Background { " in the background" } else { "" };
    let price = match model.unpriced_tokens {
        0 => format!("${usd}"),
        _ => "no known price".to_owned(),
    };
    let estimated = match model.estimated_calls {
        0 => String::new(),
        calls => format!(", {calls} of the calls estimated"),
    };
    format!("{provider} {name}{lane}: {calls} calls, {input_tokens} tokens in, {output_tokens} out, {price}{estimated}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rusty_pinch_core::testing::ScriptedBrain;
    use rusty_pinch_core::{
        Billing, Brain, Budget, BudgetConfig, CapLimit, Caps, Clock, CompletionRequest, Deltas, MemoryStore,
        SystemClock,
    };

    use super::*;

    #[tokio::test]
    async fn a_person_sees_lanes_models_and_caps() {
        let day = CapLimit { tokens: Some(100_000), money: "1.5".parse().ok() };
        let (store, caps) = (MemoryStore::new(), Caps { day, turn: day, ..Caps::default() });
        let brain =
            Budget::new(store.clone(), BudgetConfig::new(caps)).around(ScriptedBrain::saying("fine"), Billing::ByToken);
        let now = SystemClock.now();
        let deadline = now + Duration::from_secs(60);
        let request =
            CompletionRequest { messages: vec![], tools: [].into(), deadline, lane: Lane::Interactive, turn: None };
        brain.complete(&request, &Deltas::none()).await.expect("an answer");
        let page = spend_page(&BudgetReport::read(store, &caps, now).await.expect("a report"));
        for part in [
            "people               1 calls, 4096 tokens, $0.00 and 4096 tokens without a known price",
            "background work      0 calls, 0 tokens, $0.00\n",
            "scripted scripted: 1 calls, 0 tokens in, 4096 out, no known price, 1 of the calls estimated",
            "cap for a turn        100000 tokens\n",
            "cap for a day         100000 tokens, 4096 used",
            "cap for a day         1.50 US dollars, 0.00 used",
        ] {
            assert!(page.contains(part), "{part:?} is not in {page}");
        }
    }
}
