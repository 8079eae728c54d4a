//! Which places of a value its schema marks `x-secret`.
//!
//! Arguments are logged, and errors repeated, before it is known whether they fit their schema: in a schema that marks
//! something, a value is shown only where the schema says what stands there.

use serde_json::{Map, Value};

use crate::call::MAX_DEPTH;

/// A value with `hidden` for what its schema marks `x-secret` or does not describe.
///
/// Properties that the schema does not name are always hidden: a secret under a name that was mistyped is one too. What
/// is not described otherwise, like the elements of an array without `items`, is hidden if anything in the schema is
/// secret. So is a value that stands where an object or array with a secret in it should: it may be that, as text.
pub fn without_secrets(value: &Value, schema: &Value, hidden: &str) -> Value {
    shown(value, &Place::top(schema), hidden, 0)
}

fn shown(value: &Value, place: &Place<'_>, hidden: &str, depth: usize) -> Value {
    if place.is_secret() || depth > MAX_DEPTH {
        return Value::String(hidden.to_owned());
    }
    match value {
        Value::Object(map) => {
            let field = |(name, value): (&String, &Value)| (name.clone(), shown(value, &place.property(name), hidden, depth + 1));
            Value::Object(map.iter().map(field).collect::<Map<_, _>>())
        }
        Value::Array(items) => {
            let place = place.item();
            items.iter().map(|item| shown(item, &place, hidden, depth + 1)).collect()
        }
        Value::Null => Value::Null,
        _ if place.holds_secret() => Value::String(hidden.to_owned()),
        scalar => scalar.clone(),
    }
}

/// Whether anything in a schema is marked.
pub(super) fn marks(schema: &Value) -> bool {
    is_marked(schema)
        || match schema {
            Value::Object(map) => map.values().any(marks),
            Value::Array(items) => items.iter().any(marks),
            _ => false,
        }
}

fn is_marked(schema: &Value) -> bool {
    schema.get("x-secret") == Some(&Value::Bool(true))
}

/// A place in a value, and every schema that may speak of it.
pub(super) struct Place<'s> {
    root: &'s Value,
    /// Whether anything in the root is marked.
    marked: bool,
    /// References and alternatives are followed; all alternatives count, for which one is meant is not known.
    forms: Vec<&'s Value>,
    secret: bool,
}

impl<'s> Place<'s> {
    /// All of a value.
    pub(super) fn top(schema: &'s Value) -> Self {
        Self::new(schema, marks(schema), vec![schema], false)
    }

    /// The place a JSON Pointer leads to.
    pub(super) fn at(schema: &'s Value, pointer: &str) -> Self {
        pointer.split('/').skip(1).fold(Self::top(schema), |place, token| {
            let mut direct = place.properties(&token.replace("~1", "/").replace("~0", "~"));
            // A number is an index or a name; the value that would tell is not here.
            if token.parse::<usize>().is_ok() {
                direct.extend(place.items());
            }
            place.deeper(direct, place.marked)
        })
    }

    fn new(root: &'s Value, marked: bool, direct: Vec<&'s Value>, secret: bool) -> Self {
        let (forms, resolved) = forms(root, direct);
        let secret = secret || (marked && !resolved) || forms.iter().any(|form| is_marked(form));
        Self { root, marked, forms, secret }
    }

    fn property(&self, name: &str) -> Self {
        let named = self.forms.iter().any(|form| form.get("properties").is_some());
        self.deeper(self.properties(name), self.marked || named)
    }

    fn item(&self) -> Self {
        self.deeper(self.items(), self.marked)
    }

    fn properties(&self, name: &str) -> Vec<&'s Value> {
        let of = |form: &&'s Value| {
            let named = form.get("properties").and_then(|properties| properties.get(name));
            named.or_else(|| form.get("additionalProperties").filter(|schema| schema.is_object()))
        };
        self.forms.iter().filter_map(of).collect()
    }

    fn items(&self) -> Vec<&'s Value> {
        self.forms.iter().filter_map(|form| form.get("items")).collect()
    }

    /// A place further in, which these schemas describe. Where there is none, whether it is secret.
    fn deeper(&self, direct: Vec<&'s Value>, undescribed: bool) -> Self {
        let secret = self.secret || (direct.is_empty() && undescribed);
        Self::new(self.root, self.marked, direct, secret)
    }

    /// Whether what stands here is secret: marked here or further out, or not described.
    pub(super) fn is_secret(&self) -> bool {
        self.secret
    }

    /// Whether something that is marked may stand here or further in.
    pub(super) fn holds_secret(&self) -> bool {
        if !self.marked || self.secret {
            return self.secret;
        }
        let (mut left, mut followed) = (self.forms.clone(), Vec::<&Value>::new());
        while let Some(node) = left.pop() {
            if is_marked(node) {
                return true;
            }
            match (node, reference(node, self.root)) {
                (_, Some(None)) => return true,
                (_, Some(Some(target))) if !followed.iter().any(|known| std::ptr::eq(*known, target)) => {
                    followed.push(target);
                    left.push(target);
                }
                _ => {}
            }
            match node {
                Value::Object(map) => left.extend(map.values()),
                Value::Array(items) => left.extend(items),
                _ => {}
            }
        }
        false
    }
}

/// What a schema refers to, if it does; the inner `None` if that is not found.
fn reference<'s>(schema: &Value, root: &'s Value) -> Option<Option<&'s Value>> {
    let target = schema.get("$ref")?.as_str()?;
    Some(target.strip_prefix('#').and_then(|pointer| root.pointer(pointer)))
}

/// Schemas with all that they refer to and offer, each once; and whether every reference led somewhere.
fn forms<'s>(root: &'s Value, direct: Vec<&'s Value>) -> (Vec<&'s Value>, bool) {
    let (mut found, mut left, mut resolved) = (Vec::<&Value>::new(), direct, true);
    while let Some(form) = left.pop() {
        if found.iter().any(|known| std::ptr::eq(*known, form)) {
            continue;
        }
        found.push(form);
        match reference(form, root) {
            Some(Some(target)) => left.push(target),
            Some(None) => resolved = false,
            None => {}
        }
        left.extend(["allOf", "anyOf", "oneOf"].into_iter().filter_map(|key| form.get(key)?.as_array()).flatten());
    }
    (found, resolved)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Place, without_secrets};

    #[track_caller]
    fn check(schema: &Value, value: &Value, expected: &Value) {
        assert_eq!(&without_secrets(value, schema, "-"), expected);
    }

    fn login() -> Value {
        json!({
            "properties": {
                "open": { "type": "string" },
                "password": { "type": "string", "x-secret": true },
                "nested": { "$ref": "#/$defs/login" },
                "list": { "type": "array", "items": { "$ref": "#/$defs/login" } },
                "either": { "anyOf": [{ "type": "null" }, { "$ref": "#/$defs/login" }] },
                "all": { "allOf": [{ "$ref": "#/$defs/login" }, { "properties": { "name": {} } }] },
                "any": {},
                "map": { "additionalProperties": { "$ref": "#/$defs/login" } },
            },
            "$defs": { "login": { "properties": { "token": { "x-secret": true }, "user": { "type": "string" } } } },
        })
    }

    #[test]
    fn marked_places_are_hidden_wherever_they_are() {
        check(&login(), &json!({ "open": "a", "password": "s" }), &json!({ "open": "a", "password": "-" }));
        check(&login(), &json!({ "password": { "deep": ["s"] } }), &json!({ "password": "-" }));
        let (given, hidden) = (json!({ "token": "s", "user": "u" }), json!({ "token": "-", "user": "u" }));
        check(&login(), &json!({ "nested": given }), &json!({ "nested": hidden }));
        check(&login(), &json!({ "list": [given] }), &json!({ "list": [hidden] }));
        check(&login(), &json!({ "either": given }), &json!({ "either": hidden }));
        check(&login(), &json!({ "either": null }), &json!({ "either": null }));
        check(&login(), &json!({ "map": { "x": given } }), &json!({ "map": { "x": hidden } }));
        check(&login(), &json!({ "all": { "token": "s", "name": 1 } }), &json!({ "all": { "token": "-", "name": 1 } }));
        check(&json!({ "x-secret": true }), &json!({ "a": 1 }), &json!("-"));
    }

    #[test]
    fn what_the_schema_does_not_describe_is_hidden() {
        check(&login(), &json!({ "passwrd": "s" }), &json!({ "passwrd": "-" }));
        check(&login(), &json!({ "nested": { "tokn": "s" } }), &json!({ "nested": { "tokn": "-" } }));
        check(&login(), &json!({ "any": { "a": "s" }, "open": ["s"] }), &json!({ "any": { "a": "-" }, "open": ["-"] }));
        // An object as text, or one element in place of the list.
        check(&login(), &json!({ "nested": "{\"token\":\"s\"}" }), &json!({ "nested": "-" }));
        check(&login(), &json!({ "list": 1234 }), &json!({ "list": "-" }));
        check(&login(), &json!("{\"password\":\"s\"}"), &json!("-"));
        let lost = json!({ "properties": { "a": { "$ref": "#/$defs/gone" }, "b": { "x-secret": true } } });
        check(&lost, &json!({ "a": "s" }), &json!({ "a": "-" }));
    }

    #[test]
    fn without_a_mark_only_unknown_properties_are_hidden() {
        let schema = json!({ "properties": { "a": { "type": "string" }, "list": {}, "free": { "type": "object" } } });
        let value = json!({ "a": "x", "list": [1, { "b": 2 }], "free": { "c": "d" } });
        check(&schema, &value, &value);
        check(&schema, &json!({ "a": { "b": 1 }, "z": "s" }), &json!({ "a": { "b": 1 }, "z": "-" }));
        check(&json!({ "type": "object" }), &json!({ "z": 1 }), &json!({ "z": 1 }));
        // The alternatives of a tagged enumeration name each other's properties.
        let tagged = json!({ "oneOf": [{ "properties": { "a": {} } }, { "properties": { "b": {} } }] });
        check(&tagged, &json!({ "a": 1, "b": 2, "c": 3 }), &json!({ "a": 1, "b": 2, "c": "-" }));
    }

    #[test]
    fn schemas_and_values_without_end_do_not_loop() {
        let schema = json!({
            "$ref": "#/$defs/a",
            "$defs": { "a": { "$ref": "#/$defs/a", "properties": { "next": { "$ref": "#/$defs/a" }, "s": { "x-secret": true } } } },
        });
        check(&schema, &json!("s"), &json!("-"));
        check(&schema, &json!({ "next": { "next": { "s": 1 } } }), &json!({ "next": { "next": { "s": "-" } } }));
        let deep = (0..100).fold(json!("deepest"), |value, _| json!([value]));
        assert!(!without_secrets(&deep, &json!({}), "-").to_string().contains("deepest"));
    }

    #[test]
    fn places_are_found_by_pointer() {
        let schema = login();
        let place = |pointer: &str| Place::at(&schema, pointer);
        for secret in ["/password", "/password/0", "/nested/token", "/list/0/token", "/map/0/token", "/map/a~1b/token", "/gone"] {
            assert!(place(secret).is_secret() && place(secret).holds_secret(), "{secret}");
        }
        for holder in ["", "/nested", "/list", "/list/7", "/either", "/map", "/map/0"] {
            assert!(!place(holder).is_secret() && place(holder).holds_secret(), "{holder}");
        }
        for open in ["/open", "/nested/user", "/list/0/user", "/any"] {
            assert!(!place(open).holds_secret(), "{open}");
        }
    }
}
