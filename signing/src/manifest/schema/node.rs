//! One schema node at a time: which keywords it may have, and what they must say.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{
    MAX_ITEMS, MAX_PROPERTIES, MAX_STRING, SchemaError, SchemaRule,
    Strictness::{self, Closed, Open},
};
use crate::manifest::{pattern, text};

/// Characters of a title, an enumerated value or an example.
const MAX_VALUE: usize = 256;
/// Characters of a header's name, behind `Mcp-Param-`.
const MAX_HEADER: usize = 64;
/// Characters of a description.
const MAX_DESCRIPTION: usize = 1024;

/// A reference that was met.
pub(super) struct Reference {
    pub(super) at: String,
    pub(super) target: String,
    /// Whether it is in a property or an element, one level further into the value.
    pub(super) inside: bool,
}

/// What a walk over a schema has found.
pub(super) struct Walk {
    pub(super) strictness: Strictness,
    pub(super) errors: Vec<SchemaError>,
    pub(super) references: Vec<Reference>,
    /// Whether `x-secret` may stand here: only where the host heeds it.
    secrets: bool,
    /// The headers that arguments are repeated in, lower case: each is one argument's.
    headers: BTreeSet<String>,
    inside: bool,
}

impl Walk {
    pub(super) fn new(strictness: Strictness) -> Self {
        Self { strictness, errors: Vec::new(), references: Vec::new(), secrets: false, headers: BTreeSet::new(), inside: false }
    }

    /// Accept what is said of arguments alone: `x-secret` and `x-mcp-header`.
    pub(super) fn with_secrets(self) -> Self {
        Self { secrets: true, ..self }
    }

    pub(super) fn refuse(&mut self, at: &str, rule: SchemaRule) {
        self.errors.push(SchemaError { at: at.to_owned(), rule });
    }

    fn refuse_value(&mut self, at: &str, keyword: &str) {
        self.refuse(&format!("{at}/{keyword}"), SchemaRule::KeywordValue(keyword.to_owned()));
    }

    /// Check one schema.
    pub(super) fn node(&mut self, node: &Value, at: &str) {
        let Some(node) = node.as_object() else {
            if !(node.is_boolean() && self.strictness == Open) {
                self.refuse(at, SchemaRule::NotASchema);
            }
            return;
        };
        self.annotations(node, at);
        self.header(node, at);
        let allowed: &[&str] = if let Some(target) = node.get("$ref") {
            match target.as_str() {
                Some(target) => {
                    let reference = Reference { at: at.to_owned(), target: target.to_owned(), inside: self.inside };
                    self.references.push(reference);
                }
                None => self.refuse_value(at, "$ref"),
            }
            &["$ref"]
        } else if node.contains_key("anyOf") {
            self.alternatives(node, at, "anyOf");
            &["anyOf"]
        } else if node.contains_key("oneOf") {
            self.alternatives(node, at, "oneOf");
            &["oneOf"]
        } else if node.contains_key("const") || node.contains_key("enum") {
            self.enumeration(node, at);
            &["const", "enum", "type"]
        } else {
            self.typed(node, at);
            &[
                "type",
                "properties",
                "required",
                "additionalProperties",
                "minProperties",
                "maxProperties",
                "items",
                "minItems",
                "maxItems",
                "uniqueItems",
                "minLength",
                "maxLength",
                "pattern",
                "minimum",
                "maximum",
                "exclusiveMinimum",
                "exclusiveMaximum",
                "multipleOf",
            ]
        };
        for keyword in node.keys() {
            let annotation =
                matches!(keyword.as_str(), "title" | "description" | "default" | "examples" | "deprecated" | "format")
                    || (self.secrets && matches!(keyword.as_str(), "x-secret" | "x-mcp-header"));
            if !annotation && !allowed.contains(&keyword.as_str()) {
                self.refuse(at, SchemaRule::Keyword(keyword.chars().take(80).collect()));
            }
        }
    }

    /// What is shown but decides nothing; and `x-secret`, which decides what is never shown. It is `true` or absent, so
    /// that no two readers can differ on what it says.
    fn annotations(&mut self, node: &Map<String, Value>, at: &str) {
        for (keyword, value) in node {
            match (keyword.as_str(), value) {
                ("title", Value::String(title)) => self.text(text::line(title, MAX_VALUE), at, keyword),
                ("description", Value::String(prose)) => self.text(text::prose(prose, MAX_DESCRIPTION), at, keyword),
                ("format", Value::String(format)) => self.text(text::line(format, 40), at, keyword),
                ("default", value) => self.shown(value, at, keyword),
                ("examples", Value::Array(values)) => values.iter().for_each(|value| self.shown(value, at, keyword)),
                ("deprecated", Value::Bool(_)) | ("x-secret", Value::Bool(true)) => {}
                ("x-secret", _) if self.secrets => self.refuse_value(at, keyword),
                ("title" | "description" | "format" | "examples" | "deprecated", _) => self.refuse_value(at, keyword),
                _ => {}
            }
        }
    }

    /// `x-mcp-header`: a client repeats the argument in the header `Mcp-Param-NAME`, for what stands between it and the host (MCP 2026-07-28,
    /// SEP-2243). One header for one argument, of a type that has one spelling; never a secret, for headers are logged on the way.
    fn header(&mut self, node: &Map<String, Value>, at: &str) {
        let Some(header) = node.get("x-mcp-header").filter(|_| self.secrets) else { return };
        let argument = at.strip_prefix("/properties/").is_some_and(|name| !name.contains('/'));
        let plain = matches!(node.get("type").and_then(Value::as_str), Some("string" | "integer" | "boolean"));
        let own =
            header.as_str().filter(|name| is_header(name)).is_some_and(|name| self.headers.insert(name.to_ascii_lowercase()));
        if !(argument && plain && own) || node.contains_key("x-secret") {
            self.refuse_value(at, "x-mcp-header");
        }
    }

    fn text(&mut self, checked: Result<(), text::TextError>, at: &str, keyword: &str) {
        if let Err(error) = checked {
            self.refuse(&format!("{at}/{keyword}"), error.into());
        }
    }

    /// A value that clients show. The empty string is a fine default.
    fn shown(&mut self, value: &Value, at: &str, keyword: &str) {
        match value {
            Value::String(string) if !string.is_empty() => self.text(text::line(string, MAX_VALUE), at, keyword),
            Value::Array(values) => values.iter().for_each(|value| self.shown(value, at, keyword)),
            Value::Object(members) => members.iter().for_each(|(key, value)| {
                self.text(text::line(key, MAX_VALUE), at, keyword);
                self.shown(value, at, keyword);
            }),
            _ => {}
        }
    }

    fn alternatives(&mut self, node: &Map<String, Value>, at: &str, keyword: &str) {
        match node.get(keyword) {
            Some(Value::Array(nodes)) if !nodes.is_empty() => {
                for (index, node) in nodes.iter().enumerate() {
                    self.node(node, &format!("{at}/{keyword}/{index}"));
                }
            }
            _ => self.refuse_value(at, keyword),
        }
    }

    fn enumeration(&mut self, node: &Map<String, Value>, at: &str) {
        let of = |keyword| node.get(keyword).map(|value| (keyword, value));
        let values = match (of("const"), of("enum")) {
            (Some((keyword, value)), None) => (keyword, std::slice::from_ref(value)),
            (None, Some((keyword, Value::Array(values)))) if !values.is_empty() => (keyword, values.as_slice()),
            _ => return self.refuse_value(at, "enum"),
        };
        for value in values.1 {
            match value {
                Value::Array(_) | Value::Object(_) => self.refuse_value(at, values.0),
                scalar => self.shown(scalar, at, values.0),
            }
        }
        if node.contains_key("type") {
            self.types(node, at);
        }
    }

    /// The types a node names, those that are none left out.
    fn types<'a>(&mut self, node: &'a Map<String, Value>, at: &str) -> Vec<&'a str> {
        let named: Vec<&Value> = match node.get("type") {
            Some(Value::Array(types)) if !types.is_empty() => types.iter().collect(),
            Some(single @ Value::String(_)) => vec![single],
            Some(_) => {
                self.refuse_value(at, "type");
                vec![]
            }
            None => vec![],
        };
        let mut types = Vec::new();
        for name in named {
            match name.as_str() {
                Some(name @ ("object" | "array" | "string" | "integer" | "number" | "boolean" | "null")) => types.push(name),
                _ => self.refuse(at, SchemaRule::UnknownType(name.to_string())),
            }
        }
        types
    }

    fn typed(&mut self, node: &Map<String, Value>, at: &str) {
        let types = self.types(node, at);
        if self.strictness == Closed && !node.contains_key("type") {
            self.refuse(at, SchemaRule::Untyped);
        }
        self.keywords(node, at);
        if self.strictness == Open {
            return;
        }
        let at_most = |keyword, max| node.get(keyword).and_then(Value::as_u64).is_some_and(|bound| bound <= max);
        let integer = |keyword| node.get(keyword).is_some_and(|bound: &Value| bound.is_i64() || bound.is_u64());
        for name in types {
            match name {
                "object" if node.get("additionalProperties") != Some(&Value::Bool(false)) => {
                    self.refuse(at, SchemaRule::OpenObject)
                }
                "string" if !at_most("maxLength", MAX_STRING) => self.refuse(at, SchemaRule::UnboundedString { max: MAX_STRING }),
                "array" => {
                    if !at_most("maxItems", MAX_ITEMS) {
                        self.refuse(at, SchemaRule::UnboundedArray { max: MAX_ITEMS });
                    }
                    if !node.contains_key("items") {
                        self.refuse(at, SchemaRule::UntypedItems);
                    }
                }
                "number" => self.refuse(at, SchemaRule::Float),
                "integer" => {
                    let below = integer("minimum") || integer("exclusiveMinimum");
                    let above = integer("maximum") || integer("exclusiveMaximum");
                    if !(below && above) {
                        self.refuse(at, SchemaRule::UnboundedInteger);
                    }
                }
                _ => {}
            }
        }
    }

    /// Each keyword's value, whatever the type.
    fn keywords(&mut self, node: &Map<String, Value>, at: &str) {
        for (keyword, value) in node {
            match (keyword.as_str(), value) {
                ("properties", Value::Object(properties)) => self.properties(properties, at),
                ("required", Value::Array(names)) => self.required(names, node, at),
                ("additionalProperties", Value::Bool(_)) => {}
                ("additionalProperties" | "items", schema @ Value::Object(_)) => self.deeper(schema, &format!("{at}/{keyword}")),
                ("items", Value::Bool(_)) if self.strictness == Open => {}
                ("items", Value::Bool(_)) => self.refuse(&format!("{at}/items"), SchemaRule::NotASchema),
                ("pattern", Value::String(text)) => self.pattern(text, at),
                ("uniqueItems", Value::Bool(_)) => {}
                ("minProperties" | "maxProperties" | "minItems" | "maxItems" | "minLength" | "maxLength", value)
                    if value.is_u64() => {}
                ("minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum", Value::Number(_)) => {}
                ("multipleOf", value) if value.as_u64().is_some_and(|step| step > 0) => {}
                (
                    "properties"
                    | "required"
                    | "additionalProperties"
                    | "items"
                    | "pattern"
                    | "uniqueItems"
                    | "minProperties"
                    | "maxProperties"
                    | "minItems"
                    | "maxItems"
                    | "minLength"
                    | "maxLength"
                    | "minimum"
                    | "maximum"
                    | "exclusiveMinimum"
                    | "exclusiveMaximum"
                    | "multipleOf",
                    _,
                ) => self.refuse_value(at, keyword),
                _ => {}
            }
        }
    }

    fn deeper(&mut self, schema: &Value, at: &str) {
        let outer = std::mem::replace(&mut self.inside, true);
        self.node(schema, at);
        self.inside = outer;
    }

    fn properties(&mut self, properties: &Map<String, Value>, at: &str) {
        if properties.len() > MAX_PROPERTIES {
            self.refuse(at, SchemaRule::TooManyProperties { count: properties.len(), max: MAX_PROPERTIES });
        }
        for (name, schema) in properties {
            let fits = match self.strictness {
                Closed => is_argument_name(name),
                Open => text::line(name, 128).is_ok(),
            };
            if !fits {
                self.refuse(at, SchemaRule::PropertyName(name.chars().take(80).collect()));
            }
            self.deeper(schema, &format!("{at}/properties/{}", name.replace('~', "~0").replace('/', "~1")));
        }
    }

    fn required(&mut self, names: &[Value], node: &Map<String, Value>, at: &str) {
        let properties = node.get("properties").and_then(Value::as_object);
        for name in names {
            match name.as_str() {
                Some(name) if properties.is_some_and(|properties| properties.contains_key(name)) => {}
                Some(name) => self.refuse(at, SchemaRule::RequiredUnknown(name.chars().take(80).collect())),
                None => self.refuse_value(at, "required"),
            }
        }
    }

    fn pattern(&mut self, text: &str, at: &str) {
        if let Err(error) = pattern::compile(text) {
            self.refuse(&format!("{at}/pattern"), error.into());
        }
    }
}

/// `^[A-Za-z_][A-Za-z0-9_.-]{0,63}$`
fn is_argument_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().enumerate().all(|(at, byte)| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'_' => true,
            b'0'..=b'9' | b'.' | b'-' => at > 0,
            _ => false,
        })
}

fn is_header(name: &str) -> bool {
    (1..=MAX_HEADER).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
}
