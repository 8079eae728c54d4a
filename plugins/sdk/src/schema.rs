//! JSON Schemas of arguments and answers: draft 2020-12, self-contained, closed.
//!
//! Objects are closed here, not by the author: `additionalProperties` is `false` unless a type is a map. What must be
//! bounded is the author's to bound, with the types of [`crate::field`] or schemars' own attributes;
//! [`crate::testing::check`] and `casemate pack` both refuse what is not.

use schemars::{
    JsonSchema, Schema,
    generate::SchemaSettings,
    transform::{Transform, transform_subschemas},
};
use serde_json::{Map, Value};

/// The schema of a tool's arguments.
pub(crate) fn input<T: JsonSchema>() -> Value {
    tidy(SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true).into_generator().into_root_schema_for::<T>(), true)
}

/// The schema of a tool's answer.
pub(crate) fn output<T: JsonSchema>() -> Value {
    let settings = SchemaSettings::draft2020_12().with(|it| it.inline_subschemas = true).for_serialize();
    tidy(settings.into_generator().into_root_schema_for::<T>(), false)
}

/// `input`: absent is the only way to leave an argument out, so that there is one way to write a call.
fn tidy(mut schema: Schema, input: bool) -> Value {
    // MCP takes 2020-12 where no dialect is named; a Rust type's name and its description mean nothing to a client.
    for key in ["$schema", "title", "description"] {
        schema.remove(key);
    }
    let mut each = Tidy { input };
    each.transform(&mut schema);
    schema.to_value()
}

struct Tidy {
    input: bool,
}

impl Transform for Tidy {
    fn transform(&mut self, schema: &mut Schema) {
        if let Some(object) = schema.as_object_mut() {
            close(object);
            bound_integer(object);
            if self.input {
                drop_null(object);
            }
            if let Some(Value::String(description)) = object.get_mut("description") {
                *description = description.split_whitespace().collect::<Vec<_>>().join(" ");
            }
        }
        transform_subschemas(self, schema);
    }
}

fn close(object: &mut Map<String, Value>) {
    let is_object = object.contains_key("properties") || object.get("type").is_some_and(|kind| kind == "object");
    if is_object && !object.contains_key("additionalProperties") {
        object.insert("additionalProperties".to_owned(), Value::Bool(false));
    }
}

/// schemars states the range of small integers only, and adds formats that no client knows.
fn bound_integer(object: &mut Map<String, Value>) {
    let bounds = match object.get("format").and_then(Value::as_str) {
        Some("int32") => Some((i64::from(i32::MIN), i64::from(i32::MAX))),
        Some("uint32") => Some((0, i64::from(u32::MAX))),
        Some("int8" | "int16" | "int64" | "int128" | "int" | "uint8" | "uint16" | "uint64" | "uint128" | "uint") => None,
        _ => return,
    };
    object.shift_remove("format");
    if let Some((minimum, maximum)) = bounds {
        object.entry("minimum").or_insert_with(|| minimum.into());
        object.entry("maximum").or_insert_with(|| maximum.into());
    }
}

/// An optional argument need not also accept `null`.
fn drop_null(object: &mut Map<String, Value>) {
    let required: Vec<String> = match object.get("required") {
        Some(Value::Array(names)) => names.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect(),
        _ => Vec::new(),
    };
    let Some(Value::Object(properties)) = object.get_mut("properties") else { return };
    for (name, property) in properties {
        let Value::Object(property) = property else { continue };
        if required.contains(name) {
            continue;
        }
        if property.get("default").is_some_and(Value::is_null) {
            property.shift_remove("default");
        }
        if let Some(Value::Array(kinds)) = property.get_mut("type") {
            kinds.retain(|kind| kind != "null");
            if let [only] = kinds.as_slice() {
                let only = only.clone();
                property.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(choices)) = property.get_mut("enum") {
            choices.retain(|choice| !choice.is_null());
        }
        if let Some(Value::Array(choices)) = property.get_mut("anyOf") {
            choices.retain(|choice| choice.get("type").is_none_or(|kind| kind != "null"));
            if let [Value::Object(only)] = choices.as_slice() {
                let only = only.clone();
                property.shift_remove("anyOf");
                for (key, value) in only {
                    property.entry(key).or_insert(value);
                }
            }
        }
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, reason = "tests")]
mod tests {
    use schemars::JsonSchema;
    use serde::{Deserialize, Serialize};
    use serde_json::json;

    use super::*;
    use crate::field::Sha256;

    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Inner {
        small: u8,
        count: u32,
    }

    #[derive(Serialize, Deserialize, JsonSchema)]
    #[serde(rename_all = "lowercase")]
    enum Choice {
        One,
        Two,
    }

    /// Says nothing to a client.
    #[derive(Serialize, Deserialize, JsonSchema)]
    struct Outer {
        /// Which
        /// file.
        hash: Sha256,
        inner: Inner,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        maybe: Option<Inner>,
        #[serde(default)]
        choice: Option<Choice>,
        #[serde(default)]
        number: Option<i32>,
    }

    #[test]
    fn input_is_closed_inline_and_tidy() {
        let inner = json!({
            "type": "object",
            "properties": {
                "small": { "type": "integer", "minimum": 0, "maximum": 255 },
                "count": { "type": "integer", "minimum": 0, "maximum": 4_294_967_295_u32 },
            },
            "required": ["small", "count"],
            "additionalProperties": false,
        });
        let expected = json!({
            "type": "object",
            "properties": {
                "hash": { "description": "Which file.", "type": "string", "minLength": 64, "maxLength": 64, "pattern": "^[0-9A-Fa-f]{64}$" },
                "inner": inner,
                "maybe": inner,
                "choice": { "type": "string", "enum": ["one", "two"] },
                "number": { "type": "integer", "minimum": i32::MIN, "maximum": i32::MAX },
            },
            "required": ["hash", "inner"],
            "additionalProperties": false,
        });
        assert_eq!(input::<Outer>(), expected);
    }

    #[test]
    fn output_says_what_is_written() {
        let schema = output::<Outer>();
        assert_eq!(schema["required"], json!(["hash", "inner", "choice", "number"]));
        assert_eq!(schema["properties"]["number"]["type"], json!(["integer", "null"]));
        assert_eq!(schema["additionalProperties"], json!(false));
    }
}
