//! The rules that `casemate pack` holds tools against, so that `cargo test` says it first.

use std::{collections::BTreeSet, fmt::Display};

use schemars::{JsonSchema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};

use super::fits;
use crate::{Entry, text::is_hidden};

/// Longest description.
const DESCRIPTION_CHARACTERS: usize = 2_000;
/// Longest title.
const TITLE_CHARACTERS: usize = 100;

/// Everything that would keep these tools from being packed, one line each; empty when nothing does.
///
/// ```text
/// #[test]
/// fn packs() {
///     assert_eq!(casemate_plugin::testing::check(crate::TOOLS), Vec::<String>::new());
/// }
/// ```
pub fn check(tools: &[Entry]) -> Vec<String> {
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    let described = crate::describe(tools);
    for (tool, entry) in described.as_array().into_iter().flatten().zip(tools) {
        let name = entry.name;
        if !names.insert(name) {
            faults.push(format!("{name}: two tools have this name"));
        }
        for (key, limit) in [("title", TITLE_CHARACTERS), ("description", DESCRIPTION_CHARACTERS)] {
            let text = tool.get(key).and_then(Value::as_str).unwrap_or_default();
            if text.is_empty() || text.chars().count() > limit {
                faults.push(format!("{name}: the {key} has 1 to {limit} characters"));
            }
            if text.chars().any(is_hidden) {
                faults.push(format!("{name}: the {key} holds characters that are not seen"));
            }
        }
        for (key, input) in [("inputSchema", true), ("outputSchema", false)] {
            let schema = tool.get(key).unwrap_or(&Value::Null);
            if schema.get("type").is_none_or(|kind| kind != "object") {
                faults.push(format!("{name}: {key} is not a struct's"));
            }
            walk(schema, &format!("{name}: {key}"), input, &mut faults);
        }
    }
    faults
}

fn walk(schema: &Value, at: &str, input: bool, faults: &mut Vec<String>) {
    let Value::Object(schema) = schema else {
        faults.push(format!("{at}: accepts anything"));
        return;
    };
    if schema.get("description").and_then(Value::as_str).is_some_and(|text| text.chars().any(is_hidden)) {
        faults.push(format!("{at}: the description holds characters that are not seen"));
    }
    if input {
        bounded(schema, at, faults);
    }
    if let Some(Value::Object(properties)) = schema.get("properties") {
        for (name, property) in properties {
            walk(property, &format!("{at}/{name}"), input, faults);
        }
    }
    if let Some(items) = schema.get("items") {
        walk(items, &format!("{at}/*"), input, faults);
    }
    for key in ["anyOf", "oneOf", "allOf"] {
        if let Some(Value::Array(choices)) = schema.get(key) {
            for choice in choices {
                walk(choice, &format!("{at}/{key}"), input, faults);
            }
        }
    }
}

/// Input is closed and bounded.
fn bounded(schema: &Map<String, Value>, at: &str, faults: &mut Vec<String>) {
    let has = |key: &str| schema.contains_key(key);
    let mut fault = |what: &str| faults.push(format!("{at}: {what}"));
    if has("$ref") {
        fault("a recursive type has no bound");
    }
    if has("enum") || has("const") || has("anyOf") || has("oneOf") {
        return;
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("string") if !has("maxLength") => fault("a string needs `maxLength`: use a type of `casemate_plugin::field`"),
        Some("array") if !has("maxItems") => {
            fault("an array needs `maxItems`: use `field::List` or #[schemars(length(max = …))]")
        }
        Some("integer") if !has("minimum") || !has("maximum") => {
            fault("an integer needs `minimum` and `maximum`: use `field::Whole` or #[schemars(range(min = …, max = …))]");
        }
        Some("number") => fault("floating-point numbers do not compare the same everywhere: use an integer"),
        Some("object") if schema.get("additionalProperties") != Some(&Value::Bool(false)) => fault("an object may not be a map"),
        Some("string" | "array" | "integer" | "object" | "boolean") => {}
        _ => fault("a field needs one type"),
    }
}

/// Test a field type: everything in `good` is read and written back (but for case), everything in `bad` is refused when
/// read, and what is read fits the schema. `exact` says that what is refused does not fit the schema either.
///
/// # Panics
/// When that is not so.
#[expect(clippy::panic, reason = "a test's failure is a panic")]
pub fn check_field<T: JsonSchema + DeserializeOwned + Display>(good: &[&str], bad: &[&str], exact: bool) {
    let schema = Value::from(T::json_schema(&mut SchemaGenerator::default()));
    let pattern = schema.get("pattern").and_then(Value::as_str).unwrap_or_default();
    assert!(pattern.starts_with('^') && pattern.ends_with('$'), "the pattern of {schema} is not anchored");
    for text in good {
        match serde_json::from_value::<T>(json!(text)) {
            Ok(value) => assert!(value.to_string().eq_ignore_ascii_case(text), "{text:?} became `{value}`"),
            Err(error) => panic!("{text:?} was refused: {error}"),
        }
        assert_eq!(fits(&schema, &json!(text)), Ok(()), "{text:?} was read and does not fit");
    }
    for text in bad {
        assert!(serde_json::from_value::<T>(json!(text)).is_err(), "{text:?} was read");
        assert!(!exact || fits(&schema, &json!(text)).is_err(), "{text:?} was refused and fits {schema}");
    }
    for other in [json!(1), json!(null), json!(["x"]), json!({})] {
        assert!(serde_json::from_value::<T>(other.clone()).is_err(), "{other} was read");
    }
}
