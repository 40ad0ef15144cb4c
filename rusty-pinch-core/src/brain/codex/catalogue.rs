//! The catalogue of models with their tools taken away. Pure.
//!
//! Which tools Codex offers to a model is for the larger part not a matter of its settings but of the model's entry in
//! the catalogue that the CLI was built with: its present models bring a script interpreter and a patch tool, and what
//! runs inside the interpreter does not even show in the events. The CLI takes a catalogue of one's own
//! (`model_catalog_json`). So its own is asked for, stripped here, and handed back.

use serde_json::{Map, Value, json};

/// What the model is told about itself, instead of some 20 KB about editing code in a terminal.
pub(super) const INSTRUCTIONS: &str = "You are the thinking part of an agent. The message describes a conversation, and perhaps \
                            tools that the program around you runs for you. You have no other tools, no shell and no \
                            files: answer in the form that the message asks for, and do nothing else.";

/// Takes the tools away from each model of `catalogue`, and keeps only `model` where one is given. A model that is not
/// in it gets an entry that asks for nothing special.
///
/// `None` means that this is no catalogue.
pub(super) fn without_tools(catalogue: &[u8], model: Option<&str>, context_tokens: usize) -> Option<Vec<u8>> {
    let catalogue: Value = serde_json::from_slice(catalogue).ok()?;
    let mut models: Vec<Map<String, Value>> =
        catalogue.get("models")?.as_array()?.iter().filter_map(|model| model.as_object().cloned()).collect();
    if let Some(slug) = model {
        let known = models.iter().find(|model| model.get("slug").and_then(Value::as_str) == Some(slug));
        models = vec![known.cloned().unwrap_or_else(|| plain(slug, models.first(), context_tokens))];
    }
    models.iter_mut().for_each(strip);
    (!models.is_empty()).then(|| json!({ "models": models }).to_string().into_bytes())
}

/// Takes away what brings tools and the instructions about them.
fn strip(model: &mut Map<String, Value>) {
    for field in ["tool_mode", "apply_patch_tool_type", "multi_agent_version", "model_messages", "prefer_websockets"] {
        model.remove(field);
    }
    for (field, value) in [
        ("shell_type", json!("disabled")),
        ("experimental_supported_tools", json!([])),
        ("supports_search_tool", json!(false)),
        ("base_instructions", json!(INSTRUCTIONS)),
    ] {
        model.insert(field.to_owned(), value);
    }
}

/// An entry for a model that the catalogue does not know. It begins as a copy of one that it knows, so that fields
/// which other versions of the CLI insist on are there.
fn plain(slug: &str, like: Option<&Map<String, Value>>, context_tokens: usize) -> Map<String, Value> {
    let mut model = like.cloned().unwrap_or_default();
    for field in ["comp_hash", "max_context_window", "default_verbosity", "default_reasoning_summary"] {
        model.remove(field);
    }
    for (field, value) in [
        ("slug", json!(slug)),
        ("display_name", json!(slug)),
        ("description", Value::Null),
        ("default_reasoning_level", Value::Null),
        ("supported_reasoning_levels", json!([])),
        ("support_verbosity", json!(false)),
        ("use_responses_lite", json!(false)),
        ("supports_reasoning_effort_updates", json!(false)),
        ("additional_speed_tiers", json!([])),
        ("service_tiers", json!([])),
        ("upgrade", Value::Null),
        ("availability_nux", Value::Null),
        ("context_window", json!(context_tokens)),
    ] {
        model.insert(field.to_owned(), value);
    }
    model
}

#[cfg(test)]
mod tests {
    use super::*;

    const CATALOGUE: &[u8] = br#"{"models":[
        {"slug":"a","tool_mode":"code_mode_only","apply_patch_tool_type":"freeform","shell_type":"unified_exec",
         "experimental_supported_tools":["clock"],"base_instructions":"edit code","new_field":1,"use_responses_lite":true},
        {"slug":"b","default_reasoning_level":"low"}]}"#;

    fn stripped(model: Option<&str>) -> Vec<Value> {
        let catalogue = without_tools(CATALOGUE, model, 1000).unwrap();
        serde_json::from_slice::<Value>(&catalogue).unwrap()["models"].as_array().unwrap().clone()
    }

    #[test]
    fn every_model_loses_its_tools_and_keeps_the_rest() {
        let models = stripped(None);
        assert_eq!(models.len(), 2);
        let a = &models[0];
        assert!(a.get("tool_mode").is_none() && a.get("apply_patch_tool_type").is_none());
        assert_eq!((&a["shell_type"], &a["experimental_supported_tools"]), (&json!("disabled"), &json!([])));
        assert_eq!((&a["new_field"], &a["use_responses_lite"]), (&json!(1), &json!(true)));
        assert!(a["base_instructions"].as_str().unwrap().contains("thinking part"));
    }

    #[test]
    fn one_model_is_enough_and_an_unknown_one_asks_for_nothing_special() {
        let known = stripped(Some("b"));
        assert_eq!((known.len(), &known[0]["default_reasoning_level"]), (1, &json!("low")));
        let unknown = stripped(Some("mine"));
        assert_eq!((unknown.len(), &unknown[0]["slug"], &unknown[0]["new_field"]), (1, &json!("mine"), &json!(1)));
        assert_eq!((&unknown[0]["use_responses_lite"], &unknown[0]["context_window"]), (&json!(false), &json!(1000)));
        assert!(unknown[0].get("tool_mode").is_none());
    }

    #[test]
    fn what_is_no_catalogue_is_none() {
        for bad in ["", "not json", "[]", "{}", r#"{"models":7}"#, r#"{"models":[]}"#, r#"{"models":[7]}"#] {
            assert_eq!(without_tools(bad.as_bytes(), None, 1), None, "{bad}");
        }
    }
}
