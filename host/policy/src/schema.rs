//! JSON Schema 2020-12: compiled once, without anything remote, and errors that say where and what without repeating
//! what was sent.

mod secret;

use jsonschema::{
    Draft, PatternOptions, ValidationError, Validator,
    error::{TypeKind, ValidationErrorKind as Kind},
};
use serde_json::Value;

use crate::text::quote;
use secret::Place;
pub use secret::without_secrets;

/// How many faults one answer names. A model corrects a few at a time; a hostile call must not buy a long answer.
const MAX_FAULTS: usize = 3;
/// Characters of a value that an error repeats.
const MAX_ECHO: usize = 80;
/// Characters of a JSON Pointer that an error repeats: keys in it can be the caller's.
const MAX_POINTER: usize = 120;
/// Bytes of one compiled pattern.
const PATTERN_BYTES: usize = 1 << 20;

const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// Why a schema cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum SchemaError {
    /// It refers to something outside itself.
    #[error("`{keyword}` points outside the schema")]
    Outside { keyword: &'static str },
    /// It is not a valid schema.
    #[error("it does not compile at {pointer}: {fault}")]
    Invalid { pointer: String, fault: String },
}

/// Whether the operator's settings fit a plugin's signed schema; if not, where and what was expected.
///
/// # Errors
/// One fault a line. A schema that does not compile fits nothing.
pub fn check_settings(schema: &Value, settings: &Value) -> Result<(), String> {
    Schema::compile(schema).map_err(|error| error.to_string())?.check(settings)
}

/// A compiled schema.
#[derive(Debug)]
pub(crate) struct Schema {
    validator: Validator,
    /// The schema itself, where it marks something `x-secret`: then an error must look up what it may repeat.
    marked: Option<Value>,
}

impl Schema {
    /// Compile. Patterns are run by an engine that takes linear time; one it cannot run is refused here.
    pub(crate) fn compile(schema: &Value) -> Result<Self, SchemaError> {
        refuse_outside(schema)?;
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .with_pattern_options(PatternOptions::regex().size_limit(PATTERN_BYTES))
            .should_validate_formats(true)
            .offline()
            .build(schema)
            .map(|validator| Self { validator, marked: secret::marks(schema).then(|| schema.clone()) })
            .map_err(|error| SchemaError::Invalid { pointer: pointer(&error), fault: expectation(error.kind()) })
    }

    /// Whether a value fits; if not, where and what was expected, one fault a line.
    pub(crate) fn check(&self, value: &Value) -> Result<(), String> {
        if self.validator.is_valid(value) {
            return Ok(());
        }
        let faults = self.validator.iter_errors(value).take(MAX_FAULTS + 1);
        let mut faults: Vec<String> = faults.map(|error| describe(&error, self.marked.as_ref())).collect();
        if faults.len() > MAX_FAULTS {
            faults.truncate(MAX_FAULTS);
            faults.push("and more".to_owned());
        }
        Err(faults.join("\n"))
    }
}

fn refuse_outside(schema: &Value) -> Result<(), SchemaError> {
    match schema {
        Value::Object(map) => {
            for (keyword, inside) in [("$ref", "#"), ("$dynamicRef", "#"), ("$schema", DIALECT)] {
                let fits = map.get(keyword).and_then(Value::as_str).is_none_or(|text| text.starts_with(inside));
                if !fits {
                    return Err(SchemaError::Outside { keyword });
                }
            }
            if map.get("$id").is_some_and(Value::is_string) {
                return Err(SchemaError::Outside { keyword: "$id" });
            }
            map.values().try_for_each(refuse_outside)
        }
        Value::Array(items) => items.iter().try_for_each(refuse_outside),
        _ => Ok(()),
    }
}

/// Where and what; of the value itself nothing where the schema marks it `x-secret`, or does not say what it is.
fn describe(error: &ValidationError<'_>, marked: Option<&Value>) -> String {
    let place = marked.map(|schema| Place::at(schema, error.instance_path().as_str()));
    let secret = place.as_ref().is_some_and(Place::is_secret);
    let got = match error.instance().as_ref() {
        _ if secret => String::new(),
        Value::Array(items) => format!(", got an array of {}", items.len()),
        Value::Object(_) => String::new(),
        // It may be a whole object with a secret in it, written as text.
        _ if place.is_some_and(|place| place.holds_secret()) => String::new(),
        Value::String(text) => format!(", got {}", quote(text, MAX_ECHO)),
        scalar => format!(", got {}", quote(&scalar.to_string(), MAX_ECHO)),
    };
    let expected = match error.kind() {
        // Names inside of what is secret are the caller's.
        Kind::AdditionalProperties { .. } | Kind::UnevaluatedProperties { .. } if secret => "unknown properties".to_owned(),
        kind => expectation(kind),
    };
    format!("at {}: {expected}{got}", pointer(error))
}

fn pointer(error: &ValidationError<'_>) -> String {
    match error.instance_path().as_str() {
        "" => "the top".to_owned(),
        path => quote(path, MAX_POINTER),
    }
}

/// What was expected, from the signed schema; of the caller's text only quoted, bounded key names.
fn expectation(kind: &Kind) -> String {
    match kind {
        Kind::Type { kind: TypeKind::Single(kind) } => format!("expected {kind}"),
        Kind::Type { kind: TypeKind::Multiple(kinds) } => {
            format!("expected one of {}", kinds.iter().map(|kind| kind.to_string()).collect::<Vec<_>>().join(", "))
        }
        Kind::Required { property } => format!("{} is required", quote(property.as_str().unwrap_or_default(), MAX_ECHO)),
        Kind::AdditionalProperties { unexpected } | Kind::UnevaluatedProperties { unexpected } => {
            let names: Vec<String> = unexpected.iter().take(MAX_FAULTS).map(|name| quote(name, 40)).collect();
            format!("unknown {}{}", names.join(", "), if unexpected.len() > MAX_FAULTS { " and more" } else { "" })
        }
        Kind::Pattern { pattern } => format!("expected a text that matches {}", quote(pattern, 200)),
        Kind::Format { format } => format!("expected the format {}", quote(format, 40)),
        Kind::Enum { options } => format!("expected one of {}", quote(&options.to_string(), 200)),
        Kind::Constant { expected_value } => format!("expected {}", quote(&expected_value.to_string(), 200)),
        Kind::MinLength { limit } => format!("expected at least {limit} characters"),
        Kind::MaxLength { limit } => format!("expected at most {limit} characters"),
        Kind::MinItems { limit } => format!("expected at least {limit} items"),
        Kind::MaxItems { limit } => format!("expected at most {limit} items"),
        Kind::AdditionalItems { limit } => format!("expected at most {limit} items"),
        Kind::MinProperties { limit } => format!("expected at least {limit} properties"),
        Kind::MaxProperties { limit } => format!("expected at most {limit} properties"),
        Kind::Minimum { limit } => format!("expected at least {limit}"),
        Kind::Maximum { limit } => format!("expected at most {limit}"),
        Kind::ExclusiveMinimum { limit } => format!("expected more than {limit}"),
        Kind::ExclusiveMaximum { limit } => format!("expected less than {limit}"),
        Kind::MultipleOf { multiple_of } => format!("expected a multiple of {multiple_of}"),
        Kind::UniqueItems => "expected no item twice".to_owned(),
        Kind::FalseSchema => "nothing is allowed here".to_owned(),
        Kind::AnyOf { .. } | Kind::OneOfNotValid { .. } => "it fits none of the allowed forms".to_owned(),
        Kind::OneOfMultipleValid { .. } => "it fits more than one of the forms, and one is allowed".to_owned(),
        other => format!("it does not satisfy `{}`", other.keyword()),
    }
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::{Schema, SchemaError};
    use serde_json::json;

    fn fault(schema: serde_json::Value, value: serde_json::Value) -> String {
        Schema::compile(&schema).unwrap().check(&value).unwrap_err()
    }

    #[test]
    fn faults_say_where_and_what() {
        let schema = json!({
            "type": "object", "additionalProperties": false, "required": ["hash"],
            "properties": { "hash": { "type": "string", "pattern": "^[0-9a-f]{32}$" }, "n": { "type": "integer", "maximum": 5 } },
        });
        assert_eq!(fault(schema.clone(), json!({})), "at the top: `hash` is required");
        assert_eq!(
            fault(schema.clone(), json!({"hash": "nope\u{202e}", "n": 6})),
            "at `/hash`: expected a text that matches `^[0-9a-f]{32}$`, got `nope\\u{202e}`\nat `/n`: expected at most 5, got `6`"
        );
        assert_eq!(fault(schema, json!({"hash": 1})), "at `/hash`: expected string, got `1`");
    }

    #[test]
    fn faults_repeat_nothing_of_what_is_secret() {
        let schema = json!({
            "type": "object",
            "properties": {
                "open": { "type": "string", "maxLength": 3 },
                "password": { "type": "string", "maxLength": 3, "x-secret": true },
                "login": { "$ref": "#/$defs/login" },
                "logins": { "type": "array", "maxItems": 1, "items": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/login" }] } },
                "all": { "allOf": [{ "$ref": "#/$defs/token" }] },
                "one": { "oneOf": [{ "const": "none" }, { "$ref": "#/$defs/token" }] },
                "keys": { "type": "object", "properties": { "a": {} }, "additionalProperties": false, "x-secret": true },
            },
            "patternProperties": { "^x": { "type": "integer" } },
            "$defs": {
                "login": { "type": "object", "properties": { "token": { "$ref": "#/$defs/token" } } },
                "token": { "type": "string", "maxLength": 3, "x-secret": true },
            },
        });
        assert_eq!(fault(schema.clone(), json!({ "open": "shown" })), "at `/open`: expected at most 3 characters, got `shown`");
        for (value, told) in [
            (json!({ "password": "s3cr3t" }), "at `/password`: expected at most 3 characters"),
            (json!({ "password": 5311 }), "at `/password`: expected string"),
            (json!({ "login": { "token": "s3cr3t" } }), "at `/login/token`: expected at most 3 characters"),
            (json!({ "login": "{\"token\":\"s3cr3t\"}" }), "at `/login`: expected object"),
            (json!({ "logins": ["s3cr3t"] }), "at `/logins/0`: it fits none of the allowed forms"),
            (json!({ "logins": [null, null] }), "at `/logins`: expected at most 1 items, got an array of 2"),
            (json!({ "all": "s3cr3t" }), "at `/all`: expected at most 3 characters"),
            (json!({ "one": "s3cr3t" }), "at `/one`: it fits none of the allowed forms"),
            (json!({ "keys": { "s3cr3t": 1 } }), "at `/keys`: unknown properties"),
            (json!({ "xyz": "s3cr3t" }), "at `/xyz`: expected integer"),
            (json!("{\"password\":\"s3cr3t\"}"), "at the top: expected object"),
        ] {
            assert_eq!(fault(schema.clone(), value.clone()), told, "{value}");
        }
    }

    #[test]
    fn faults_are_bounded() {
        let schema = json!({"type": "object", "additionalProperties": {"type": "string", "maxLength": 3}});
        let hostile: serde_json::Map<_, _> =
            (0..100).map(|n| (format!("{n}{}", "k".repeat(10_000)), json!("v".repeat(10_000)))).collect();
        assert!(fault(schema, hostile.into()).len() < 1500);
        let closed = json!({"type": "object", "additionalProperties": false});
        let hostile: serde_json::Map<_, _> = (0..100).map(|n| (format!("{n}{}", "k".repeat(10_000)), json!(1))).collect();
        assert!(fault(closed, hostile.into()).len() < 500);
    }

    #[test]
    fn nothing_outside_the_schema_is_followed() {
        for schema in [
            json!({"$ref": "https://evil.example/schema.json"}),
            json!({"properties": {"a": {"$ref": "file:///etc/passwd"}}}),
            json!({"$dynamicRef": "other.json#x"}),
            json!({"$schema": "http://json-schema.org/draft-04/schema#"}),
            json!({"allOf": [{"$id": "https://evil.example/"}]}),
        ] {
            assert!(matches!(Schema::compile(&schema), Err(SchemaError::Outside { .. })), "{schema}");
        }
        assert!(Schema::compile(&json!({"$defs": {"a": {"type": "string"}}, "$ref": "#/$defs/a"})).is_ok());
    }

    #[test]
    fn what_does_not_compile_is_refused() {
        for schema in [json!({"type": "strnig"}), json!({"pattern": "(?=look)"}), json!({"pattern": "("}), json!(5)] {
            assert!(Schema::compile(&schema).is_err(), "{schema}");
        }
    }

    #[test]
    fn a_pattern_takes_linear_time() {
        let schema = Schema::compile(&json!({"pattern": "^(a+)+$"})).unwrap();
        assert!(schema.check(&json!(format!("{}!", "a".repeat(50_000)))).is_err());
    }
}
