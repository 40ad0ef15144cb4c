//! JSON Schemas of arguments: made from types, cleaned for providers, and read to say what does not fit.

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value, json};

use super::text::quoted;

/// The schema of `Args` in the form that the strictest servers take: an object, nothing by reference (but recursive
/// types), no titles, no formats that only Rust knows. None when `Args` is not an object.
pub(crate) fn of<Args: JsonSchema>() -> Option<Value> {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.meta_schema = None;
        settings.inline_subschemas = true;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<Args>();
    Clean.transform(&mut schema);
    let Value::Object(mut fields) = schema.to_value() else { return None };
    fields.remove("description");
    if fields.get("type").and_then(Value::as_str) == Some("null") {
        return Some(json!({"type": "object", "properties": {}, "additionalProperties": false}));
    }
    if fields.get("type").is_none() && every_branch_is_object(&fields) {
        fields.insert("type".into(), "object".into());
    }
    if fields.get("type").and_then(Value::as_str) != Some("object") {
        return None;
    }
    if !["oneOf", "anyOf", "allOf", "additionalProperties", "$ref"].iter().any(|key| fields.contains_key(*key)) {
        fields.entry("properties").or_insert_with(|| json!({}));
        fields.insert("additionalProperties".into(), false.into());
    }
    Some(Value::Object(fields))
}

fn every_branch_is_object(fields: &Map<String, Value>) -> bool {
    ["oneOf", "anyOf"].iter().any(|key| {
        let branches = fields.get(*key).and_then(Value::as_array);
        branches.is_some_and(|b| !b.is_empty() && b.iter().all(|b| b.get("type") == Some(&json!("object"))))
    })
}

struct Clean;

impl Transform for Clean {
    fn transform(&mut self, schema: &mut schemars::Schema) {
        schema.remove("title");
        let rusty = |format: &str| {
            format.starts_with("int") || format.starts_with("uint") || format == "double" || format == "float"
        };
        if schema.get("format").and_then(Value::as_str).is_some_and(rusty) {
            schema.remove("format");
        }
        transform_subschemas(self, schema);
        if let Some(fields) = schema.as_object_mut() {
            flatten_constants(fields);
            flatten_nullable(fields);
        }
    }
}

/// `oneOf` texts that each have their own description, as enums with documented variants give, become one `enum`.
fn flatten_constants(fields: &mut Map<String, Value>) {
    let Some(branches) = fields.get("oneOf").and_then(Value::as_array) else { return };
    let constants: Option<Vec<_>> =
        branches.iter().map(|branch| branch.get("const").filter(|constant| constant.is_string()).cloned()).collect();
    if let Some(constants) = constants {
        fields.remove("oneOf");
        fields.insert("type".into(), "string".into());
        fields.insert("enum".into(), constants.into());
    }
}

/// `anyOf` a plain type and null, as an `Option` of an enum gives, becomes that type or null.
fn flatten_nullable(fields: &mut Map<String, Value>) {
    let Some(Value::Array(branches)) = fields.get("anyOf") else { return };
    let [Value::Object(value), null] = branches.as_slice() else { return };
    let Some(plain) = value.get("type").and_then(Value::as_str).filter(|name| *name != "object") else { return };
    if null.get("type").and_then(Value::as_str) != Some("null") {
        return;
    }
    let mut flat = value.clone();
    flat.insert("type".into(), json!([plain, "null"]));
    if let Some(Value::Array(options)) = flat.get_mut("enum") {
        options.push(Value::Null);
    }
    fields.remove("anyOf");
    for (key, value) in flat {
        fields.entry(key).or_insert(value);
    }
}

/// Why `arguments` don't fit `schema`, as far as its first level says; names the argument, what is expected and what
/// came. What lies deeper is left to serde.
pub(crate) fn misfit(schema: &Value, arguments: &Value) -> Option<String> {
    let Value::Object(given) = arguments else {
        return Some(match arguments {
            Value::String(text) => format!(
                "the arguments must be a JSON object, but they came as text, which means that they were not valid \
                 JSON: {}",
                quoted(text)
            ),
            other => format!("the arguments must be a JSON object, but they are {}", described(other)),
        });
    };
    let none = Map::new();
    let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&none);
    let closed = schema.get("additionalProperties") == Some(&Value::Bool(false));
    for (name, value) in given {
        match properties.get(name) {
            Some(property) => {
                if let Some(expected) = mismatch(property, value) {
                    return Some(format!("`{name}` must be {expected}, but it is {}", described(value)));
                }
            }
            None if closed => return Some(unknown_argument(name, properties)),
            None => {}
        }
    }
    let missing = required(schema).find(|name| !given.contains_key(*name))?;
    let expected = properties.get(missing).map_or_else(|| "a value".to_owned(), expected);
    Some(format!("`{missing}` is missing; it must be {expected}"))
}

/// The names of the parameters that can't be left out.
pub(crate) fn required(schema: &Value) -> impl Iterator<Item = &str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str)
}

fn unknown_argument(name: &str, properties: &Map<String, Value>) -> String {
    let known: Vec<_> = properties.keys().map(|known| format!("`{known}`")).collect();
    if known.is_empty() {
        return format!("{} is not an argument of it: it takes none", quoted(name));
    }
    format!("{} is not an argument of it; its arguments are {}", quoted(name), known.join(", "))
}

/// What a value of `property` must be, when `value` is not that.
fn mismatch(property: &Value, value: &Value) -> Option<String> {
    let types = types(property);
    let right_type = types.is_empty() || types.iter().any(|name| is_a(value, name));
    let options = property.get("enum").and_then(Value::as_array);
    let right_option = options.is_none_or(|options| options.contains(value));
    if !right_type || !right_option {
        return Some(expected(property));
    }
    let (number, bound) = (value.as_f64()?, |key: &str| property.get(key).and_then(Value::as_f64));
    if let Some(least) = bound("minimum").filter(|least| number < *least) {
        return Some(format!("{} of at least {least}", expected(property)));
    }
    let most = bound("maximum").filter(|most| number > *most)?;
    Some(format!("{} of at most {most}", expected(property)))
}

/// The JSON types that `property` takes; none when it does not say.
pub(crate) fn types(property: &Value) -> Vec<&str> {
    match property.get("type") {
        Some(Value::String(name)) => vec![name],
        Some(Value::Array(names)) => names.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    }
}

fn is_a(value: &Value, name: &str) -> bool {
    match name {
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

/// What a value of `property` must be, in words.
pub(crate) fn expected(property: &Value) -> String {
    if let Some(options) = property.get("enum").and_then(Value::as_array) {
        let options: Vec<_> = options.iter().filter(|o| !o.is_null()).map(ToString::to_string).collect();
        return format!("one of {}", options.join(", "));
    }
    let words: Vec<_> = types(property).into_iter().filter(|name| *name != "null").map(in_words).collect();
    if words.is_empty() { "a value of another form".to_owned() } else { words.join(" or ") }
}

fn in_words(name: &str) -> &str {
    match name {
        "string" => "text",
        "number" => "a number",
        "integer" => "a whole number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "an object",
        other => other,
    }
}

fn described(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Bool(value) => format!("{value}"),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text {}", quoted(text)),
        Value::Array(_) => "a list".into(),
        Value::Object(_) => "an object".into(),
    }
}

/// `arguments` without the nulls of parameters that may be left out: strict servers make models send every parameter.
pub(crate) fn without_nulls(schema: &Value, arguments: &Value) -> Value {
    let Value::Object(fields) = arguments else { return arguments.clone() };
    let optional = |name: &str| !required(schema).any(|required| required == name);
    let kept = fields.iter().filter(|(name, value)| !(value.is_null() && optional(name)));
    Value::Object(kept.map(|(name, value)| (name.clone(), value.clone())).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Args {
        /// A title.
        title: String,
        count: Option<u32>,
        inner: Vec<Inner>,
        mode: Mode,
        tone: Option<Tone>,
    }
    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Tone {
        /// Hard to hear.
        Low,
        /// Hard to bear.
        High,
    }
    #[derive(Deserialize, JsonSchema)]
    #[expect(dead_code, reason = "only its schema is looked at")]
    struct Inner {
        x: f64,
    }
    #[derive(Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Mode {
        Fast,
        Slow,
    }

    #[test]
    fn schemas_hold_no_reference_no_title_and_no_format_of_rust() {
        let schema = of::<Args>().unwrap();
        assert_eq!(
            schema,
            json!({
                "type": "object",
                "properties": {
                    "title": {"type": "string", "description": "A title."},
                    "count": {"type": ["integer", "null"], "minimum": 0},
                    "inner": {"type": "array", "items": {
                        "type": "object", "properties": {"x": {"type": "number"}}, "required": ["x"]
                    }},
                    "mode": {"type": "string", "enum": ["fast", "slow"]},
                    "tone": {"type": ["string", "null"], "enum": ["low", "high", null]},
                },
                "required": ["title", "inner", "mode"],
                "additionalProperties": false,
            })
        );
        assert_eq!(of::<()>().unwrap()["type"], "object");
        assert!(of::<f64>().is_none() && of::<Vec<Args>>().is_none() && of::<Mode>().is_none());
    }

    #[test]
    fn misfits_name_the_argument_what_is_expected_and_what_came() {
        let schema = of::<Args>().unwrap();
        let good = json!({"title": "t", "count": 1, "inner": [], "mode": "fast"});
        assert_eq!(misfit(&schema, &good), None);
        for (field, value, says) in [
            ("title", json!(5), "`title` must be text, but it is the number 5"),
            ("count", json!("x"), "`count` must be a whole number, but it is the text \"x\""),
            ("count", json!(1.5), "`count` must be a whole number, but it is the number 1.5"),
            ("count", json!(-1), "`count` must be a whole number of at least 0, but it is the number -1"),
            ("mode", json!("warp"), "`mode` must be one of \"fast\", \"slow\", but it is the text \"warp\""),
            ("colour", json!(1), "\"colour\" is not an argument of it; its arguments are"),
        ] {
            let mut arguments = good.clone();
            arguments[field] = value;
            let said = misfit(&schema, &arguments).unwrap();
            assert!(said.starts_with(says), "{said}");
        }
        assert!(misfit(&schema, &json!({"title": "t"})).unwrap().contains("is missing"));
        let small = json!({"properties": {"n": {"type": "number", "maximum": 3}}});
        assert_eq!(misfit(&small, &json!({"n": 3})), None);
        assert!(misfit(&small, &json!({"n": 3.5})).unwrap().starts_with("`n` must be a number of at most 3,"));
        assert!(misfit(&schema, &json!("{bad json")).unwrap().contains("not valid JSON"));
        assert!(misfit(&schema, &json!([1])).unwrap().contains("a list"));
    }

    #[test]
    fn nulls_count_as_left_out_only_where_leaving_out_is_allowed() {
        let schema = of::<Args>().unwrap();
        let cleaned = without_nulls(&schema, &json!({"title": null, "count": null}));
        assert_eq!(cleaned, json!({"title": null}));
    }
}
