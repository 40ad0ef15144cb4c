//! What a skill keeps from run to run: a few small values, in one record of the store.

use serde_json::{Map, Value};

use super::bounds::{STATE_BYTES_MAX, STATE_KEY_BYTES_MAX, STATE_KEYS_MAX};
use crate::data::ToolName;
use crate::store::{Change, Key, Precondition, Store, StoreError};

/// How often a change that another run overtook is tried again.
const RACES_MAX: usize = 8;

fn key_of(skill: &ToolName) -> Key {
    Key::new(["skill", "state", skill.as_str()])
}

fn unread(error: &StoreError) -> String {
    format!("its values can't be read or written: {error}")
}

/// The value under `key`; null when there is none.
pub(super) async fn get(store: &dyn Store, skill: &ToolName, key: &str) -> Result<Value, String> {
    let record = store.get(&key_of(skill)).await.map_err(|error| unread(&error))?;
    let Some(record) = record else { return Ok(Value::Null) };
    let mut values: Map<String, Value> = record.parse().map_err(|error| unread(&error))?;
    Ok(values.remove(key).unwrap_or_default())
}

/// Puts `value` under `key`; null takes it away. Of runs at the same time, none undoes what another put elsewhere.
pub(super) async fn set(store: &dyn Store, skill: &ToolName, key: &str, value: &Value) -> Result<(), String> {
    if key.is_empty() || key.len() > STATE_KEY_BYTES_MAX {
        return Err(format!("a key has 1 to {STATE_KEY_BYTES_MAX} bytes; shorten it"));
    }
    for _ in 0..RACES_MAX {
        let record = store.get(&key_of(skill)).await.map_err(|error| unread(&error))?;
        let (mut values, when) = match &record {
            Some(record) => {
                let values: Map<String, Value> = record.parse().map_err(|error| unread(&error))?;
                (values, Precondition::Revision(record.revision))
            }
            None => (Map::new(), Precondition::Absent),
        };
        if value.is_null() {
            values.remove(key);
        } else {
            values.insert(key.to_owned(), value.clone());
        }
        bounded(&values)?;
        match store.commit(&[Change::put(key_of(skill), when, Value::Object(values))]).await {
            Ok(_) => return Ok(()),
            Err(StoreError::Conflict { .. }) => {}
            Err(error) => return Err(unread(&error)),
        }
    }
    Err("other runs change its values all the time; try again".to_owned())
}

fn bounded(values: &Map<String, Value>) -> Result<(), String> {
    if values.len() > STATE_KEYS_MAX {
        return Err(format!("a skill keeps at most {STATE_KEYS_MAX} values; take one away with `state_set(key, ())`"));
    }
    let bytes = serde_json::to_string(values).map_or(usize::MAX, |text| text.len());
    if bytes > STATE_BYTES_MAX {
        return Err(format!("a skill keeps at most {STATE_BYTES_MAX} bytes, and this makes {bytes}; keep less"));
    }
    Ok(())
}
