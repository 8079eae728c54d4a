//! Each rule of schemas, broken once.

#![expect(clippy::unwrap_used, reason = "tests")]

use serde_json::{Value, json};

use super::*;

/// An input schema with one property.
fn with(property: Value) -> Value {
    json!({ "type": "object", "additionalProperties": false, "properties": { "x": property } })
}

fn rules(result: Result<(), Vec<SchemaError>>) -> Vec<SchemaRule> {
    result.err().unwrap_or_default().into_iter().map(|error| error.rule).collect()
}

fn check_property(property: Value, expected: &[SchemaRule]) {
    assert_eq!(rules(input(&with(property.clone()))), expected, "{property}");
}

fn keyword(name: &str) -> SchemaRule {
    SchemaRule::Keyword(name.to_owned())
}

fn keyword_value(name: &str) -> SchemaRule {
    SchemaRule::KeywordValue(name.to_owned())
}

#[test]
fn bounded_properties_pass() {
    for property in [
        json!({ "type": "string", "maxLength": 64, "pattern": "^[0-9a-f]+$", "title": "Hash", "description": "two\nlines" }),
        json!({ "type": ["string", "null"], "maxLength": 64, "format": "uuid", "default": "" }),
        json!({ "type": "integer", "minimum": 0, "maximum": 10, "format": "uint32" }),
        json!({ "type": "integer", "exclusiveMinimum": -5, "exclusiveMaximum": 5 }),
        json!({ "type": "boolean", "default": false }),
        json!({ "enum": ["a", "b", 3, null] }),
        json!({ "type": "string", "const": "a" }),
        json!({ "oneOf": [{ "const": "a", "description": "the first" }, { "const": "b" }] }),
        json!({ "type": "array", "maxItems": 5, "uniqueItems": true, "items": { "type": "string", "maxLength": 5 } }),
        json!({ "type": "object", "additionalProperties": false }),
    ] {
        check_property(property, &[]);
    }
}

#[test]
fn each_rule_of_inputs_has_its_own_error() {
    let string = SchemaRule::UnboundedString { max: MAX_STRING };
    let array = SchemaRule::UnboundedArray { max: MAX_ITEMS };
    let text = |code| SchemaRule::Text(crate::manifest::text::TextError::Hidden { code });
    let cases = [
        (json!({ "type": "string" }), string.clone()),
        (json!({ "type": "string", "maxLength": MAX_STRING + 1 }), string.clone()),
        (json!({ "type": ["null", "string"], "pattern": "^a$" }), string.clone()),
        (json!({ "type": "string", "format": "date-time" }), string),
        (json!({ "type": "array", "items": { "type": "boolean" } }), array.clone()),
        (json!({ "type": "array", "maxItems": MAX_ITEMS + 1, "items": { "type": "boolean" } }), array),
        (json!({ "type": "array", "maxItems": 1 }), SchemaRule::UntypedItems),
        (json!({ "type": "array", "maxItems": 1, "items": true }), SchemaRule::NotASchema),
        (json!({ "type": "integer", "minimum": 0 }), SchemaRule::UnboundedInteger),
        (json!({ "type": "integer", "maximum": 0 }), SchemaRule::UnboundedInteger),
        (json!({ "type": "integer", "minimum": 0.5, "maximum": 1 }), SchemaRule::UnboundedInteger),
        (json!({ "type": "number", "minimum": 0, "maximum": 1 }), SchemaRule::Float),
        (json!({ "type": "object" }), SchemaRule::OpenObject),
        (json!({ "type": "object", "additionalProperties": true }), SchemaRule::OpenObject),
        (json!({ "type": "object", "additionalProperties": { "type": "boolean" } }), SchemaRule::OpenObject),
        (json!({}), SchemaRule::Untyped),
        (json!({ "description": "anything" }), SchemaRule::Untyped),
        (json!(true), SchemaRule::NotASchema),
        (json!("string"), SchemaRule::NotASchema),
        (json!({ "type": "uuid" }), SchemaRule::UnknownType("\"uuid\"".to_owned())),
        (json!({ "type": 1 }), keyword_value("type")),
        (json!({ "type": [] }), keyword_value("type")),
        (json!({ "enum": [] }), keyword_value("enum")),
        (json!({ "enum": [1], "const": 1 }), keyword_value("enum")),
        (json!({ "const": { "a": 1 } }), keyword_value("const")),
        (json!({ "enum": ["a\u{200B}"] }), text(0x200B)),
        (json!({ "anyOf": [] }), keyword_value("anyOf")),
        (json!({ "oneOf": [{ "const": 1 }], "anyOf": [{ "const": 1 }] }), keyword("oneOf")),
        (json!({ "oneOf": [{ "const": 1 }], "properties": {} }), keyword("properties")),
        (json!({ "type": "boolean", "allOf": [] }), keyword("allOf")),
        (json!({ "type": "boolean", "not": {} }), keyword("not")),
        (json!({ "type": "boolean", "$id": "https://example.com/" }), keyword("$id")),
        (json!({ "type": "boolean", "$defs": {} }), keyword("$defs")),
        (json!({ "type": "boolean", "$comment": "hidden" }), keyword("$comment")),
        (json!({ "type": "boolean", "patternProperties": {} }), keyword("patternProperties")),
        (json!({ "type": "boolean", "$dynamicRef": "#x" }), keyword("$dynamicRef")),
        (json!({ "type": "boolean", "minLength": -1 }), keyword_value("minLength")),
        (json!({ "type": "boolean", "multipleOf": 0 }), keyword_value("multipleOf")),
        (json!({ "type": "boolean", "required": [1] }), keyword_value("required")),
        (json!({ "type": "boolean", "description": 1 }), keyword_value("description")),
        (json!({ "type": "boolean", "required": ["y"] }), SchemaRule::RequiredUnknown("y".to_owned())),
        (json!({ "type": "boolean", "description": "a\u{E0041}" }), text(0xE0041)),
        (json!({ "type": "boolean", "title": "a\nb" }), text(0x0A)),
        (json!({ "type": "boolean", "examples": [{ "a": ["\u{202E}"] }] }), text(0x202E)),
        (
            json!({ "type": "object", "additionalProperties": false, "properties": { "a b": { "const": 1 } } }),
            SchemaRule::PropertyName("a b".to_owned()),
        ),
        (
            json!({ "type": "string", "maxLength": 5, "pattern": "a" }),
            SchemaRule::Pattern(crate::manifest::pattern::PatternError::Unanchored("a".to_owned())),
        ),
        (json!({ "$ref": "https://example.com/s.json" }), SchemaRule::Reference("https://example.com/s.json".to_owned())),
        (json!({ "$ref": "#/$defs/gone" }), SchemaRule::Reference("#/$defs/gone".to_owned())),
        (json!({ "$ref": "#" }), SchemaRule::Reference("#".to_owned())),
        (json!({ "$ref": "#/properties/x" }), SchemaRule::Reference("#/properties/x".to_owned())),
    ];
    for (property, expected) in cases {
        check_property(property, &[expected]);
    }
}

#[test]
fn an_argument_may_be_marked_secret_and_nothing_else_may() {
    for property in [
        json!({ "type": "string", "maxLength": 64, "x-secret": true }),
        json!({ "enum": ["a", "b"], "x-secret": true }),
        json!({ "anyOf": [{ "const": 1, "x-secret": true }, { "const": 2 }] }),
        json!({ "type": "array", "maxItems": 5, "items": { "type": "string", "maxLength": 5, "x-secret": true } }),
    ] {
        check_property(property, &[]);
    }
    let referred = json!({
        "type": "object", "additionalProperties": false,
        "properties": { "x": { "$ref": "#/$defs/a", "x-secret": true } },
        "$defs": { "a": { "type": "string", "maxLength": 5, "x-secret": true } },
    });
    assert_eq!(rules(input(&referred)), []);
    // Marked or not marked: nothing that one reader takes for the one and another for the other.
    for value in [json!(false), json!(1), json!("true"), json!(null), json!({})] {
        check_property(json!({ "const": 1, "x-secret": value }), &[keyword_value("x-secret")]);
    }
    check_property(json!({ "const": 1, "x-other": true }), &[keyword("x-other")]);
    check_property(json!({ "const": 1, "X-Secret": true }), &[keyword("X-Secret")]);
    // Settings are shown and results are served: nothing would heed the mark there.
    let marked = with(json!({ "const": 1, "x-secret": true }));
    assert_eq!(rules(settings(&marked)), [keyword("x-secret")]);
    assert_eq!(rules(output(&marked)), [keyword("x-secret")]);
}

#[test]
fn an_argument_may_be_repeated_in_a_header_of_its_own() {
    let marked = |header: Value| json!({ "type": "string", "maxLength": 8, "x-mcp-header": header });
    for property in [marked(json!("Region")), json!({ "type": "integer", "minimum": 0, "maximum": 9, "x-mcp-header": "n" })] {
        check_property(property, &[]);
    }
    for header in
        [json!(""), json!("a b"), json!("a:b"), json!("a\r\nb"), json!("é"), json!("a".repeat(65)), json!(true), json!(null)]
    {
        check_property(marked(header), &[keyword_value("x-mcp-header")]);
    }
    let secret = json!({ "type": "string", "maxLength": 8, "x-mcp-header": "Key", "x-secret": true });
    check_property(secret, &[keyword_value("x-mcp-header")]);
    check_property(json!({ "type": "array", "maxItems": 5, "items": marked(json!("a")) }), &[keyword_value("x-mcp-header")]);
    check_property(json!({ "const": 1, "x-mcp-header": "a" }), &[keyword_value("x-mcp-header")]);
    let properties = json!({ "x": marked(json!("Region")), "y": marked(json!("region")) });
    let twice = json!({ "type": "object", "additionalProperties": false, "properties": properties });
    assert_eq!(rules(input(&twice)), [keyword_value("x-mcp-header")]);
    // Settings and results are in no header.
    assert_eq!(rules(settings(&with(marked(json!("a"))))), [keyword("x-mcp-header")]);
    assert_eq!(rules(output(&with(marked(json!("a"))))), [keyword("x-mcp-header")]);
}

#[test]
fn the_root_is_a_closed_object_of_one_dialect() {
    let closed = json!({ "type": "object", "additionalProperties": false, "$schema": DIALECT });
    assert_eq!(rules(input(&closed)), []);
    for (schema, expected) in [
        (json!(true), SchemaRule::RootNotObject),
        (json!({ "oneOf": [{ "const": 1 }] }), SchemaRule::RootNotObject),
        (json!({ "type": ["object"], "additionalProperties": false }), SchemaRule::RootNotObject),
        (json!({ "type": "object" }), SchemaRule::OpenObject),
        (json!({ "type": "object", "additionalProperties": false, "$defs": 1 }), keyword_value("$defs")),
        (
            json!({ "type": "object", "additionalProperties": false, "$schema": "http://json-schema.org/draft-07/schema#" }),
            SchemaRule::Dialect("\"http://json-schema.org/draft-07/schema#\"".to_owned()),
        ),
    ] {
        assert_eq!(rules(input(&schema)), [expected], "{schema}");
    }
    let long = with(json!({ "enum": (0..MAX_SCHEMA).collect::<Vec<_>>() }));
    assert!(matches!(rules(input(&long))[..], [SchemaRule::TooLarge { .. }]));
    let many: Map<String, Value> = (0..=MAX_PROPERTIES).map(|n| (format!("p{n}"), json!({ "const": 1 }))).collect();
    let wide = json!({ "type": "object", "additionalProperties": false, "properties": many });
    assert_eq!(rules(input(&wide)), [SchemaRule::TooManyProperties { count: MAX_PROPERTIES + 1, max: MAX_PROPERTIES }]);
}

#[test]
fn references_lead_to_an_end() {
    let schema = |definitions: Value| json!({ "type": "object", "additionalProperties": false, "properties": { "x": { "$ref": "#/$defs/a" } }, "$defs": definitions });
    let object = |property: Value| json!({ "type": "object", "additionalProperties": false, "properties": { "y": property } });
    let a = json!({ "$ref": "#/$defs/a" });
    let b = json!({ "$ref": "#/$defs/b", "description": "siblings that only describe are fine" });
    assert_eq!(rules(input(&schema(json!({ "a": b, "b": { "const": 1 } })))), []);
    let cycle = |names: &[&str]| names.iter().map(|name| SchemaRule::Cycle((*name).to_owned())).collect::<Vec<_>>();
    assert_eq!(rules(input(&schema(json!({ "a": a })))), cycle(&["a"]));
    assert_eq!(rules(input(&schema(json!({ "a": b, "b": a })))), cycle(&["a", "b"]));
    assert_eq!(rules(input(&schema(json!({ "a": object(b.clone()), "b": { "anyOf": [a] } })))), cycle(&["a", "b"]));
    // Unused definitions are checked too: they are served.
    assert_eq!(rules(input(&schema(json!({ "a": { "const": 1 }, "b": {} })))), [SchemaRule::Untyped]);
    // A result may be a tree of its own kind, but must not be only itself.
    assert_eq!(rules(output(&schema(json!({ "a": object(a.clone()) })))), []);
    assert_eq!(rules(output(&schema(json!({ "a": a })))), cycle(&["a"]));
}

#[test]
fn results_may_be_open_and_not_malformed() {
    let open =
        json!({ "type": "object", "properties": { "@score": { "type": "number" }, "any": true, "list": { "items": {} } } });
    assert_eq!(rules(output(&open)), []);
    for (schema, expected) in [
        (json!({ "type": "array" }), SchemaRule::RootNotObject),
        (
            json!({ "type": "object", "properties": { "a": { "$ref": "https://x/" } } }),
            SchemaRule::Reference("https://x/".to_owned()),
        ),
        (json!({ "type": "object", "properties": [] }), keyword_value("properties")),
        (json!({ "type": "object", "contains": {} }), keyword("contains")),
        (json!({ "type": "object", "properties": { "\u{200B}": {} } }), SchemaRule::PropertyName("\u{200B}".to_owned())),
    ] {
        assert_eq!(rules(output(&schema)), [expected], "{schema}");
    }
}

#[test]
fn places_are_found_through_references() {
    let schema = json!({
        "type": "object",
        "properties": { "x": { "$ref": "#/$defs/a" }, "list": { "type": "array", "items": { "type": "string" } } },
        "$defs": { "a": { "anyOf": [{ "type": "null" }, { "type": "object", "properties": { "y": { "type": "string" } } }] } },
    });
    let found = |text| has_place(&schema, &Pointer::parse(text).unwrap());
    assert!(found("/x") && found("/x/y") && found("/list") && found("/list/0"));
    assert!(!found("/y") && !found("/x/z") && !found("/x/y/z") && !found("/list/a"));
    // An endless schema is not followed for ever.
    let endless = json!({ "$ref": "#/$defs/a", "$defs": { "a": { "$ref": "#/$defs/a" } } });
    assert!(!has_place(&endless, &Pointer::parse("/a").unwrap()));
}
