//! JSON Schemas of tools and settings: a closed and bounded part of draft 2020-12.
//!
//! What a model or an operator hands in must be described completely: every object says that it holds nothing else,
//! every string, array and integer has a bound, and every keyword is one that is understood here. A keyword that is
//! not known is refused, since ignoring it would accept what the author meant to forbid. References are local and
//! lead to an end, so a schema is a finite tree. Results ([`output`]) may be open, for upstreams grow; their
//! references and texts are held to the same rules. An argument may be marked `x-secret`: what it holds is neither logged
//! nor repeated in an error.

mod node;
mod rule;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

pub use rule::{SchemaError, SchemaRule};

use super::pointer::Pointer;
use node::Walk;

/// Bytes of one schema, written compactly. All of a tool's schema is read by every client that lists it.
pub const MAX_SCHEMA: usize = 32 * 1024;
/// The longest string an input may hold; a file of 4 MiB in base64 fits.
pub const MAX_STRING: u64 = 8 * 1024 * 1024;
/// The most elements of one array of an input.
pub const MAX_ITEMS: u64 = 10_000;
/// Properties of one object.
pub const MAX_PROPERTIES: usize = 128;
/// The one dialect.
pub const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

const DEFINITIONS: &str = "#/$defs/";

/// Whether values come from outside the host's trust, or from an upstream by way of the plugin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// Arguments and settings: closed and bounded.
    Closed,
    /// Results: well formed.
    Open,
}

/// Check the schema of a tool's arguments.
pub fn input(schema: &Value) -> Result<(), Vec<SchemaError>> {
    check(schema, Walk::new(Strictness::Closed).with_secrets())
}

/// Check the schema of a plugin's settings; the same rules as for arguments, but none is secret: those are declared
/// as secrets.
pub fn settings(schema: &Value) -> Result<(), Vec<SchemaError>> {
    check(schema, Walk::new(Strictness::Closed))
}

/// Check the schema of a tool's structured result.
pub fn output(schema: &Value) -> Result<(), Vec<SchemaError>> {
    check(schema, Walk::new(Strictness::Open))
}

/// Whether arguments that fit `schema` can have something at `pointer`.
pub fn has_place(schema: &Value, pointer: &Pointer) -> bool {
    reaches(schema, schema, pointer.tokens(), crate::strict_json::MAX_DEPTH)
}

fn reaches(root: &Value, node: &Value, tokens: &[String], hops: usize) -> bool {
    let Some(hops) = hops.checked_sub(1) else { return false };
    if let Some(target) = node.get("$ref").and_then(Value::as_str) {
        return definition(root, target).is_some_and(|node| reaches(root, node, tokens, hops));
    }
    for alternatives in ["anyOf", "oneOf"] {
        if let Some(nodes) = node.get(alternatives).and_then(Value::as_array) {
            return nodes.iter().any(|node| reaches(root, node, tokens, hops));
        }
    }
    let Some((first, rest)) = tokens.split_first() else { return true };
    let property = node.get("properties").and_then(|properties| properties.get(first));
    let item = || node.get("items").filter(|_| first.parse::<u32>().is_ok());
    property.or_else(item).is_some_and(|node| reaches(root, node, rest, hops))
}

fn definition<'a>(root: &'a Value, reference: &str) -> Option<&'a Value> {
    root.get("$defs")?.get(reference.strip_prefix(DEFINITIONS)?)
}

fn check(schema: &Value, mut walk: Walk) -> Result<(), Vec<SchemaError>> {
    let size = schema.to_string().len();
    if size > MAX_SCHEMA {
        walk.refuse("", SchemaRule::TooLarge { size, max: MAX_SCHEMA });
    }
    let Some(root) = schema.as_object() else {
        walk.refuse("", SchemaRule::RootNotObject);
        return Err(walk.errors);
    };
    if root.get("type").and_then(Value::as_str) != Some("object") {
        walk.refuse("", SchemaRule::RootNotObject);
    }
    if let Some(dialect) = root.get("$schema").filter(|dialect| dialect.as_str() != Some(DIALECT)) {
        walk.refuse("/$schema", SchemaRule::Dialect(dialect.to_string()));
    }
    let definitions = match root.get("$defs") {
        None => Map::new(),
        Some(Value::Object(definitions)) => definitions.clone(),
        Some(_) => {
            walk.refuse("/$defs", SchemaRule::KeywordValue("$defs".to_owned()));
            Map::new()
        }
    };
    let mut body = root.clone();
    body.retain(|keyword, _| keyword != "$schema" && keyword != "$defs");
    walk.node(&Value::Object(body), "");
    let mut edges = BTreeMap::new();
    check_references(&mut walk, &definitions);
    for (name, node) in &definitions {
        let at = format!("/$defs/{name}");
        if !is_definition_name(name) {
            walk.refuse(&at, SchemaRule::PropertyName(name.clone()));
        }
        walk.node(node, &at);
        edges.insert(name.clone(), check_references(&mut walk, &definitions));
    }
    for name in cycles(&edges) {
        walk.refuse(&format!("/$defs/{name}"), SchemaRule::Cycle(name));
    }
    if walk.errors.is_empty() { Ok(()) } else { Err(walk.errors) }
}

/// Names that need no escaping in a reference.
fn is_definition_name(name: &str) -> bool {
    (1..=128).contains(&name.len()) && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'))
}

/// Take the references found since the last call; those that count towards a cycle are returned.
fn check_references(walk: &mut Walk, definitions: &Map<String, Value>) -> BTreeSet<String> {
    let mut targets = BTreeSet::new();
    for reference in std::mem::take(&mut walk.references) {
        match reference.target.strip_prefix(DEFINITIONS).filter(|name| definitions.contains_key(*name)) {
            // A result may hold results of its own kind, for each is one level further in.
            Some(name) if !(reference.inside && walk.strictness == Strictness::Open) => {
                targets.insert(name.to_owned());
            }
            Some(_) => {}
            None => walk.refuse(&reference.at, SchemaRule::Reference(reference.target)),
        }
    }
    targets
}

/// The definitions that lead back to themselves.
fn cycles(edges: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    // Take away what leads to an end, until nothing more does.
    let mut left = edges.clone();
    loop {
        let ends: BTreeSet<String> = left
            .iter()
            .filter(|(_, targets)| !targets.iter().any(|target| left.contains_key(target)))
            .map(|(name, _)| name.clone())
            .collect();
        if ends.is_empty() {
            return left.into_keys().collect();
        }
        left.retain(|name, _| !ends.contains(name));
    }
}

#[cfg(test)]
mod tests;
