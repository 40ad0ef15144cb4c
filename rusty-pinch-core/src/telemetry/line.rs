//! The line that a turn leaves in the log.

use serde_json::{Map, Value};

use super::record::TurnRecord;

impl TurnRecord {
    /// The record as one line of JSON with its keys in alphabetical order and `"event":"turn"` among them.
    ///
    /// Whoever has a terminal or a log writes it there; this library doesn't print.
    pub fn to_line(&self) -> String {
        // A record is plain data, which always becomes a JSON object.
        let mut fields = match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        fields.insert("event".to_owned(), "turn".into());
        // Sorted here, for the order in a `Map` depends on a feature that any crate of the build may switch on.
        let sorted: std::collections::BTreeMap<_, _> = fields.into_iter().collect();
        serde_json::to_string(&sorted).unwrap_or_default()
    }
}
