//! The schema of the operator's settings. Bounds, enumerations and what is required are understood; of all else, equality.

use serde_json::{Map, Value};

use super::{Verdict, found::Found};

pub(super) fn compare(before: Option<&Value>, after: Option<&Value>, found: &mut Found) {
    match (before, after) {
        (Some(before), Some(after)) => node("settings", before, after, found),
        // No settings: the component is told less.
        (Some(before), None) => found.change("settings", Some(before), None::<&Value>, Verdict::Narrowed),
        (before, after) => found.equal_option("settings", before, after),
    }
}

/// One schema and those directly below it. What stands in alternatives or references is compared by equality, since a bound
/// there can mean its opposite.
fn node(at: &str, before: &Value, after: &Value, found: &mut Found) {
    let (Value::Object(before), Value::Object(after)) = (before, after) else {
        found.equal(at, before, after);
        return;
    };
    let mut keywords: Vec<&String> = before.keys().chain(after.keys().filter(|key| !before.contains_key(*key))).collect();
    keywords.sort();
    for keyword in keywords {
        let (old, new) = (before.get(keyword), after.get(keyword));
        if old == new {
            continue;
        }
        let place = format!("{at}.{keyword}");
        match (keyword.as_str(), old, new) {
            ("properties", Some(Value::Object(old)), Some(Value::Object(new))) => properties(&place, before, old, new, found),
            ("items", Some(old @ Value::Object(_)), Some(new @ Value::Object(_))) => node(&place, old, new, found),
            _ => {
                let verdict = if is_narrower(keyword, old, new) { Verdict::Narrowed } else { Verdict::Widened };
                found.change(place, old, new, verdict);
            }
        }
    }
}

fn properties(at: &str, parent: &Map<String, Value>, before: &Map<String, Value>, after: &Map<String, Value>, found: &mut Found) {
    for (name, new) in after {
        match before.get(name) {
            Some(old) => node(&format!("{at}.{name}"), old, new, found),
            None => found.change(format!("{at}.{name}"), None::<&Value>, Some(new), Verdict::Widened),
        }
    }
    // In a closed object, a property that is not described cannot be given.
    let closed = parent.get("additionalProperties") == Some(&Value::Bool(false));
    let verdict = if closed { Verdict::Narrowed } else { Verdict::Widened };
    for (name, old) in before.iter().filter(|(name, _)| !after.contains_key(*name)) {
        found.change(format!("{at}.{name}"), Some(old), None::<&Value>, verdict);
    }
}

/// Whether a keyword's new value lets through nothing that its old one did not.
fn is_narrower(keyword: &str, old: Option<&Value>, new: Option<&Value>) -> bool {
    match keyword {
        "maximum" | "exclusiveMaximum" | "maxLength" | "maxItems" | "maxProperties" => {
            number(new).is_some_and(|new| old.is_none() || number(old).is_some_and(|old| new < old))
        }
        "minimum" | "exclusiveMinimum" | "minLength" | "minItems" | "minProperties" => {
            number(new).is_some_and(|new| old.is_none() || number(old).is_some_and(|old| new > old))
        }
        "enum" => match (old, new) {
            (Some(Value::Array(old)), Some(Value::Array(new))) => new.iter().all(|value| old.contains(value)),
            _ => false,
        },
        "required" => match (old, new) {
            (None, Some(Value::Array(_))) => true,
            (Some(Value::Array(old)), Some(Value::Array(new))) => old.iter().all(|name| new.contains(name)),
            _ => false,
        },
        _ => false,
    }
}

/// Integers of 64 bits, signed or not; there are no fractions in a manifest.
fn number(value: Option<&Value>) -> Option<i128> {
    let value = value?;
    value.as_i64().map(i128::from).or_else(|| value.as_u64().map(i128::from))
}
