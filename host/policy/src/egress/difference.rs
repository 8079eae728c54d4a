//! Differences between a planned request and the one that is made: the first part that is not the same, by its name.
//!
//! No value is ever told, neither the planned nor the other: a plan shows no secret, and this says less than a plan.

use std::collections::BTreeSet;

use serde_json::Value;
use sha2::{Digest as _, Sha256};

use crate::{call::hex, json::Json, text::quote};

/// Characters of a name that is told. It may be the guest's.
const MAX_NAME: usize = 120;

/// How a request is held to the planned one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Held {
    /// In every part.
    Exactly,
    /// In upstream, contract, effect, method and targets: its bytes rested on an answer that nobody had given.
    InKind,
}

/// The first part in which a request is not the planned one; none where it is. Both as [`super::plan::request`] writes them.
pub(super) fn between(planned: &Value, made: &Value, how: Held) -> Option<String> {
    for name in ["upstream", "contract", "effect", "method"] {
        if planned.get(name) != made.get(name) {
            return Some(format!("the {name} differs"));
        }
    }
    let name = entry(planned, made, "targets").map(|name| format!("the targets differ in {name}"));
    if name.is_some() || how == Held::InKind {
        return name;
    }
    url(planned, made)
        .or_else(|| entry(planned, made, "headers").map(|name| format!("the header {name} differs")))
        .or_else(|| body(planned.get("body"), made.get("body")))
        // Whatever is shown besides.
        .or_else(|| (planned != made).then(|| "what is volatile in it differs".to_owned()))
}

/// The first name of an object's entries whose values are not the same.
fn entry(planned: &Value, made: &Value, object: &str) -> Option<String> {
    let of = |value: &'_ Value, name: &str| value.get(object).and_then(|entries| entries.get(name)).cloned();
    let names = |value: &Value| value.get(object).and_then(Value::as_object).map(|it| it.keys().cloned().collect::<Vec<_>>());
    let all: BTreeSet<String> = [planned, made].into_iter().filter_map(names).flatten().collect();
    all.into_iter().find(|name| of(planned, name) != of(made, name)).map(|name| quote(&name, MAX_NAME))
}

fn url(planned: &Value, made: &Value) -> Option<String> {
    let text = |value: &'_ Value| value.get("url").and_then(Value::as_str).unwrap_or_default().to_owned();
    let (planned, made) = (text(planned), text(made));
    if planned == made {
        return None;
    }
    let split = |url: &str| match url.split_once('?') {
        Some((path, query)) => (path.to_owned(), pairs(query)),
        None => (url.to_owned(), Vec::new()),
    };
    let ((planned_path, planned), (made_path, made)) = (split(&planned), split(&made));
    if planned_path != made_path {
        return Some("the URL differs before its query".to_owned());
    }
    let differs = |name: &&String| {
        let value = |pairs: &[(String, String)]| pairs.iter().find(|(other, _)| other == *name).map(|(_, value)| value.clone());
        value(&planned) != value(&made)
    };
    let names: BTreeSet<&String> = planned.iter().chain(&made).map(|(name, _)| name).collect();
    let name = names.into_iter().find(differs);
    Some(name.map_or_else(
        || "the order of the query parameters differs".to_owned(),
        |name| format!("the query parameter {} differs", quote(name, MAX_NAME)),
    ))
}

/// As they are written: names in the one spelling that is sent.
fn pairs(query: &str) -> Vec<(String, String)> {
    let pair = |pair: &str| pair.split_once('=').map_or((pair.to_owned(), String::new()), |(n, v)| (n.to_owned(), v.to_owned()));
    query.split('&').map(pair).collect()
}

fn body(planned: Option<&Value>, made: Option<&Value>) -> Option<String> {
    if planned == made {
        return None;
    }
    Some(match (planned, made) {
        (None, _) => "it has a body".to_owned(),
        (_, None) => "it has no body".to_owned(),
        (Some(planned), Some(made)) => match (json(planned), json(made)) {
            (Some(planned), Some(made)) => match inside(&planned, &made, &mut String::new()) {
                Some(pointer) => format!("the body differs at {}", quote(&pointer, MAX_NAME)),
                None => "the body has the same values in another order".to_owned(),
            },
            _ => "the body differs".to_owned(),
        },
    })
}

/// A body's JSON; none where its text is not all of it, byte for byte, or is no JSON.
fn json(body: &Value) -> Option<Json> {
    let text = body.get("text")?.as_str()?;
    let digest = body.get("sha256")?.as_str()?;
    if hex(&Sha256::digest(text)) != digest {
        return None;
    }
    Json::parse(text.as_bytes()).ok()
}

/// Where two values first differ, as a JSON Pointer; none where they differ in the order of keys alone, or not at all.
fn inside(planned: &Json, made: &Json, pointer: &mut String) -> Option<String> {
    let mut step = |token: &str, planned: &Json, made: &Json| {
        let length = pointer.len();
        pointer.push('/');
        pointer.push_str(&token.replace('~', "~0").replace('/', "~1"));
        let found = inside(planned, made, pointer);
        pointer.truncate(length);
        found
    };
    let beside = |pointer: &str, token: &str| format!("{pointer}/{}", token.replace('~', "~0").replace('/', "~1"));
    match (planned, made) {
        (Json::Object(planned), Json::Object(made)) => {
            for (key, value) in planned {
                match made.iter().find(|(other, _)| other == key) {
                    None => return Some(beside(pointer, key)),
                    Some((_, other)) => {
                        if let Some(found) = step(key, value, other) {
                            return Some(found);
                        }
                    }
                }
            }
            let added = made.iter().find(|(key, _)| !planned.iter().any(|(other, _)| other == key));
            added.map(|(key, _)| beside(pointer, key))
        }
        (Json::Array(planned), Json::Array(made)) => {
            for (at, (one, other)) in planned.iter().zip(made).enumerate() {
                if let Some(found) = step(&at.to_string(), one, other) {
                    return Some(found);
                }
            }
            (planned.len() != made.len()).then(|| beside(pointer, &planned.len().min(made.len()).to_string()))
        }
        (planned, made) => (planned != made).then(|| pointer.clone()),
    }
}

#[cfg(test)]
#[path = "difference/tests.rs"]
mod tests;
