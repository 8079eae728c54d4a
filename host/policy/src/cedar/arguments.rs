//! What policies know of a tool's arguments: the part of its signed JSON Schema that Cedar can say.
//!
//! Left out are numbers with fractions, alternatives, mixed types, and whatever is marked `x-secret`: a policy's fault
//! may be told, and a secret may not.

use std::collections::BTreeSet;

use serde_json::Value;

use super::kind::{Field, Kind, Record, Words};

/// Schemas inside one another that are followed.
const MAX_DEPTH: usize = 32;
/// Schemas of one tool that are looked at. References multiply: a small text can spell a tree without end.
const MAX_NODES: usize = 4096;

/// The arguments of a tool with this input schema.
pub(super) fn record(schema: &Value) -> Record {
    let mut reader = Reader { root: schema, left: MAX_NODES };
    match reader.kind(schema, 0) {
        Some((Kind::Record(record), false)) => record,
        _ => Record::default(),
    }
}

struct Reader<'a> {
    root: &'a Value,
    left: usize,
}

impl Reader<'_> {
    /// The kind of what fits a schema, and whether `null` fits too; none where Cedar cannot say it.
    fn kind(&mut self, node: &Value, depth: usize) -> Option<(Kind, bool)> {
        self.left = self.left.checked_sub(1)?;
        let object = node.as_object().filter(|_| depth < MAX_DEPTH)?;
        if object.contains_key("x-secret") {
            return None;
        }
        if let Some(target) = object.get("$ref") {
            let name = target.as_str()?.strip_prefix("#/$defs/")?;
            let root = self.root;
            return self.kind(root.get("$defs")?.get(name)?, depth + 1);
        }
        for keyword in ["anyOf", "oneOf"] {
            if let Some(alternatives) = object.get(keyword) {
                return self.perhaps(alternatives.as_array()?, depth);
            }
        }
        if let Some(value) = object.get("const") {
            return enumeration(std::slice::from_ref(value));
        }
        if let Some(values) = object.get("enum") {
            return enumeration(values.as_array()?);
        }
        let (name, nullable) = single_type(object.get("type")?)?;
        let kind = match name {
            "string" => Kind::TEXT,
            "integer" => Kind::Whole,
            "boolean" => Kind::Flag,
            "array" => match self.kind(object.get("items")?, depth + 1)? {
                (kind, false) => Kind::list(kind),
                (_, true) => return None,
            },
            "object" => Kind::Record(self.properties(node, depth)),
            _ => return None,
        };
        Some((kind, nullable))
    }

    /// Of alternatives, only `null` or one other thing.
    fn perhaps(&mut self, alternatives: &[Value], depth: usize) -> Option<(Kind, bool)> {
        let is_null = |node: &&Value| node.get("type").and_then(Value::as_str) == Some("null");
        let mut others = alternatives.iter().filter(|node| !is_null(node));
        let (kind, nullable) = self.kind(others.next()?, depth + 1)?;
        match others.next() {
            Some(_) => None,
            None => Some((kind, nullable || alternatives.iter().any(|node| is_null(&node)))),
        }
    }

    fn properties(&mut self, node: &Value, depth: usize) -> Record {
        let required: BTreeSet<&str> =
            node.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        let mut record = Record::default();
        for (name, schema) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if let Some((kind, nullable)) = self.kind(schema, depth + 1) {
                record.0.insert(name.clone(), Field { kind, required: required.contains(name.as_str()), nullable });
            }
        }
        record
    }
}

/// A named type, and whether `null` is named beside it.
fn single_type(named: &Value) -> Option<(&str, bool)> {
    let names: Vec<&str> = match named {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().map(Value::as_str).collect::<Option<_>>()?,
        _ => return None,
    };
    let mut others = names.iter().filter(|name| **name != "null");
    let name = others.next()?;
    others.next().is_none().then_some((*name, names.contains(&"null")))
}

/// Values of one kind, and perhaps `null`.
fn enumeration(values: &[Value]) -> Option<(Kind, bool)> {
    let nullable = values.iter().any(Value::is_null);
    let mut others = values.iter().filter(|value| !value.is_null()).peekable();
    let kind = match others.peek()? {
        Value::String(_) => {
            let words: Option<BTreeSet<String>> = others.map(|value| value.as_str().map(str::to_owned)).collect();
            Kind::Text(Words::Of(words?))
        }
        Value::Bool(_) => others.all(Value::is_boolean).then_some(Kind::Flag)?,
        Value::Number(_) => others.all(Value::is_i64).then_some(Kind::Whole)?,
        _ => return None,
    };
    Some((kind, nullable))
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use serde_json::{Value, json};

    use super::{Record, record};

    /// A schema with one required property `a`, as Cedar's schema writes it.
    fn of(schema: Value) -> Record {
        record(&json!({ "type": "object", "additionalProperties": false, "required": ["a"], "properties": { "a": schema } }))
    }

    fn check(schema: Value, expected: &str) {
        let mut out = String::new();
        of(schema.clone()).write(&mut out, 0);
        assert_eq!(out, expected, "{schema}");
    }

    #[test]
    fn what_cedar_can_say_is_known() {
        check(json!({ "type": "string" }), "{\n  \"a\": String,\n}");
        check(json!({ "type": "integer" }), "{\n  \"a\": Long,\n}");
        check(json!({ "type": "boolean" }), "{\n  \"a\": Bool,\n}");
        check(json!({ "type": "array", "items": { "type": "string" } }), "{\n  \"a\": Set<String>,\n}");
        check(json!({ "enum": ["low", "high"] }), "{\n  \"a\": String, // \"high\", \"low\"\n}");
        check(json!({ "const": 5 }), "{\n  \"a\": Long,\n}");
        check(json!({ "type": ["string", "null"] }), "{\n  \"a\"?: String,\n}");
        check(json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }] }), "{\n  \"a\"?: Long,\n}");
        check(
            json!({ "type": "object", "properties": { "b": { "type": "string" }, "c": { "type": "number" } } }),
            "{\n  \"a\": {\n    \"b\"?: String,\n  },\n}",
        );
    }

    #[test]
    fn what_cedar_cannot_say_is_not_known() {
        for schema in [
            json!({ "type": "number" }),
            json!({ "type": ["string", "integer"] }),
            json!({ "type": "null" }),
            json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }),
            json!({ "anyOf": [] }),
            json!({ "enum": ["a", 1] }),
            json!({ "enum": [1.5] }),
            json!({ "enum": [null] }),
            json!({ "type": "array", "items": { "type": "number" } }),
            json!({ "type": "array", "items": { "type": ["string", "null"] } }),
            json!({ "type": "array" }),
            json!({ "$ref": "#/$defs/nowhere" }),
            json!({ "$ref": "https://evil.example/" }),
            json!({ "type": "string", "x-secret": true }),
            json!({ "type": "array", "items": { "type": "string", "x-secret": true } }),
            json!({}),
            json!(true),
            json!("string"),
        ] {
            check(schema, "{}");
        }
    }

    #[test]
    fn references_are_followed_and_never_for_ever() {
        let schema = json!({
            "type": "object", "properties": { "a": { "$ref": "#/$defs/a" } },
            "$defs": { "a": { "type": "object", "properties": { "b": { "$ref": "#/$defs/b" } } }, "b": { "type": "boolean" } },
        });
        let mut out = String::new();
        record(&schema).write(&mut out, 0);
        assert_eq!(out, "{\n  \"a\"?: {\n    \"b\"?: Bool,\n  },\n}");
        let endless = json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/a" } }, "$defs": { "a": { "$ref": "#/$defs/a" } } });
        assert_eq!(record(&endless), Record::default());
    }

    #[test]
    fn references_that_multiply_are_not_followed_to_the_end() {
        let mut definitions = serde_json::Map::new();
        for n in 0..30 {
            let next = json!({ "$ref": format!("#/$defs/d{}", n + 1) });
            definitions.insert(format!("d{n}"), json!({ "type": "object", "properties": { "l": next, "r": next } }));
        }
        definitions.insert("d30".to_owned(), json!({ "type": "string" }));
        let mut out = String::new();
        record(&json!({ "type": "object", "properties": { "a": { "$ref": "#/$defs/d0" } }, "$defs": definitions }))
            .write(&mut out, 0);
        assert!(out.len() < 1 << 20, "{}", out.len());
    }

    #[test]
    fn a_value_fits_its_kind_or_is_none() {
        let fits = |schema: Value, value: Value| of(schema).express(&json!({ "a": value })).map(|_| ());
        let integer = || json!({ "type": "integer" });
        for value in [json!(0), json!(-1), json!(5.0), json!(i64::MIN), json!(i64::MAX), json!(-0.0)] {
            fits(integer(), value).unwrap();
        }
        for value in [json!(u64::MAX), json!(1u64 << 63), json!(0.5), json!(1e300), json!(9.3e18), json!("1"), json!(null)] {
            let fault = fits(integer(), value.clone()).unwrap_err().to_string();
            assert_eq!(fault, "the argument at `/a` is not a whole number of 64 bits", "{value}");
        }
        let list = json!({ "type": "array", "items": { "type": "string" } });
        fits(list.clone(), json!(["x", "x"])).unwrap();
        assert_eq!(fits(list, json!(["x", 1])).unwrap_err().to_string(), "the argument at `/a/1` is not a text");
        fits(json!({ "type": ["string", "null"] }), json!(null)).unwrap();
        assert!(of(json!({ "type": "string" })).express(&json!({})).is_err(), "it is required");
        assert!(of(json!({ "type": "string" })).express(&json!([])).is_err(), "arguments are an object");
    }
}
