//! What arguments and settings may hold.

use serde_json::{Map, Value};

use super::{Lint, Warnings, text::nodes};
use crate::{
    manifest::{Manifest, Place, RequestContract, Tool},
    source::{Culprit, part},
};

/// Characters of a string that needs a form: more than a name, a query or a URL has.
const LONG: u64 = 4096;
/// Words in the names of what nobody else should read.
const SECRETS: [&str; 9] =
    ["password", "passwd", "passphrase", "secret", "token", "apikey", "api_key", "private_key", "credential"];
/// Last words of names that speak of a secret and hold none.
const NOT_SECRETS: [&str; 5] = ["id", "name", "type", "kind", "count"];
/// First words of names of the tokens by which an API hands out its next page.
const PAGES: [&str; 5] = ["page", "next", "continuation", "cursor", "scroll"];

pub(super) fn check(manifest: &Manifest, warnings: &mut Warnings) {
    for (name, tool) in &manifest.tool {
        let culprit = |at: &str| Culprit::Tool { tool: name.to_string(), part: part("argument", at) };
        for (at, node) in nodes(&tool.input_schema) {
            let length = node.get("maxLength").and_then(Value::as_u64);
            if let Some(length) = length.filter(|length| *length > LONG && !has_form(node)) {
                warnings.add_at(Lint::WideString, culprit(&at), format!("up to {length} characters of any form"));
            }
            let Some(argument) = property(&at) else { continue };
            if !is_described(&tool.input_schema, node) {
                warnings.add_at(Lint::UndescribedArgument, culprit(&at), "it has no description");
            }
            let text = node.get("type").and_then(Value::as_str) == Some("string");
            if text && is_secret(argument) && node.get("x-secret") != Some(&Value::Bool(true)) {
                warnings.add_at(Lint::ReadableSecret, culprit(&at), format!("`{argument}` is not marked"));
            }
        }
        paths(manifest, tool, &culprit, warnings);
    }
    for (at, _) in manifest.settings.iter().flat_map(nodes) {
        if let Some(name) = property(&at).filter(|name| is_secret(name)) {
            let keys = at.trim_start_matches('/').replace('/', ".");
            warnings.add(Lint::SecretInSettings, format!("settings.{keys}"), format!("`{name}`"));
        }
    }
}

/// Arguments that have the name of a path's parameter, or hold the target that is there.
fn paths(manifest: &Manifest, tool: &Tool, culprit: &dyn Fn(&str) -> Culprit, warnings: &mut Warnings) {
    let contracts =
        manifest.upstream.values().flat_map(|upstream| &upstream.request).filter(|it| tool.requests.contains(&it.name));
    let mut arguments: Vec<&str> = contracts.flat_map(|contract| in_path(tool, contract)).collect();
    arguments.sort_unstable();
    arguments.dedup();
    for argument in arguments {
        let node = tool.input_schema.get("properties").and_then(|properties| properties.get(argument)).and_then(Value::as_object);
        let text = |node: &&Map<String, Value>| node.get("type").and_then(Value::as_str) == Some("string");
        if node.filter(text).is_some_and(|node| !has_form(node)) {
            warnings.add_at(
                Lint::UncheckedPathArgument,
                culprit(&format!("/properties/{argument}")),
                "it has neither `pattern`, `format` nor `enum`",
            );
        }
    }
}

fn in_path<'a>(tool: &'a Tool, contract: &'a RequestContract) -> Vec<&'a str> {
    let bound = contract.scope.bound().filter(|(_, binding)| matches!(binding.place(), Some(Place::Path(_))));
    let targets = bound.filter_map(|(dimension, _)| tool.scope.get(dimension)?.argument.strip_prefix('/'));
    contract.parameters.keys().map(String::as_str).chain(targets).collect()
}

fn has_form(node: &Map<String, Value>) -> bool {
    ["pattern", "format", "enum", "const"].iter().any(|keyword| node.contains_key(*keyword))
}

/// The name of the property that a pointer into a schema ends at.
fn property(at: &str) -> Option<&str> {
    let (above, name) = at.rsplit_once('/')?;
    above.ends_with("/properties").then_some(name)
}

/// Itself, or the definition it refers to.
fn is_described(root: &Value, node: &Map<String, Value>) -> bool {
    let target = node.get("$ref").and_then(Value::as_str).and_then(|target| root.pointer(target.strip_prefix('#')?));
    node.contains_key("description") || target.is_some_and(|target| target.get("description").is_some())
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let mut words = name.split(['_', '-', '.']);
    let of_page = words.next().is_some_and(|first| PAGES.contains(&first));
    let of_else = words.next_back().is_some_and(|last| NOT_SECRETS.contains(&last));
    SECRETS.iter().any(|word| name.contains(word)) && !of_page && !of_else
}
