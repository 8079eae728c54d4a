//! What is shipped is what every client takes: names, descriptions, schemas. The rules and where they are from: docs/clients.md.

use std::fs;

use serde_json::{Map, Value};

use crate::harness::{Guest, House, packages, plugins};

/// A client, and what it does to a tool.
struct Client {
    name: &'static str,
    /// What it puts before a tool's name, where the server is configured as `casemate`.
    prefix: &'static str,
    /// Characters that a name may have then.
    longest: usize,
}

const CLIENTS: [Client; 4] = [
    Client { name: "Claude Code", prefix: "mcp__casemate__", longest: 64 },
    Client { name: "Codex", prefix: "mcp__casemate__", longest: 64 },
    Client { name: "Gemini CLI", prefix: "mcp_casemate_", longest: 63 },
    Client { name: "VS Code", prefix: "mcp_casemate_", longest: 64 },
];
/// Characters of a description.
const DESCRIPTION: usize = 1024;
/// Tools that one request to a model may have, all servers' together (VS Code).
const TOOLS: usize = 128;

/// What a client would not take of this tool.
fn faults(name: &str, description: &str, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let plain = |name: &str| name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b));
    if !plain(name) || !name.starts_with(|first: char| first.is_ascii_alphabetic()) {
        found.push(format!("`{name}` is no name"));
    }
    for Client { name: client, prefix, longest } in &CLIENTS {
        if prefix.len() + name.len() > *longest {
            found.push(format!("{client} cuts or refuses `{prefix}{name}`"));
        }
    }
    if description.is_empty() || description.chars().count() > DESCRIPTION {
        found.push("its description is empty or too long".to_owned());
    }
    let root = schema.as_object().cloned().unwrap_or_default();
    if root.get("type").and_then(Value::as_str) != Some("object") {
        found.push("its arguments are no object".to_owned());
    }
    walk(&root, "", &mut found);
    found
}

/// The rules of one schema, and of all in it.
fn walk(node: &Map<String, Value>, at: &str, found: &mut Vec<String>) {
    for keyword in ["$ref", "anyOf", "oneOf", "allOf", "not", "if", "patternProperties", "propertyNames", "prefixItems"] {
        if node.contains_key(keyword) {
            found.push(format!("{at} has `{keyword}`"));
        }
    }
    if node.get("type").is_some_and(Value::is_array) {
        found.push(format!("{at} has several types"));
    }
    if node.get("type").and_then(Value::as_str) == Some("array") && !node.get("items").is_some_and(Value::is_object) {
        found.push(format!("{at} is an array of anything"));
    }
    if node.get("enum").and_then(Value::as_array).is_some_and(|values| !values.iter().all(Value::is_string)) {
        found.push(format!("{at} enumerates what is no text"));
    }
    for (name, property) in node.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let plain = name.bytes().all(|b| b.is_ascii_alphanumeric() || b"_.-".contains(&b));
        if !plain || !(1..=64).contains(&name.len()) {
            found.push(format!("{at} has a property `{name}`"));
        }
        property.as_object().into_iter().for_each(|node| walk(node, &format!("{at}/{name}"), found));
    }
    node.get("items").and_then(Value::as_object).into_iter().for_each(|node| walk(node, &format!("{at}/items"), found));
}

#[test]
fn every_client_takes_every_shipped_tool() {
    let mut tools = 0;
    for plugin in plugins() {
        let file = packages().join(format!("{plugin}-0.1.0.wasm.statement.json"));
        let statement = fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}\nhelp: make plugins", file.display()));
        let statement: Value = serde_json::from_slice(&statement).unwrap();
        for (name, tool) in statement["predicate"]["tool"].as_object().unwrap() {
            let description = tool["description"].as_str().unwrap();
            let found = faults(&format!("{plugin}_{name}"), description, &tool["input_schema"]);
            assert_eq!(found, Vec::<String>::new(), "{plugin}_{name}");
            tools += 1;
        }
    }
    assert!((1..=TOOLS).contains(&tools), "{tools}");
}

/// What is listed is what was signed, so the rules hold for what a client sees.
#[test]
fn what_is_listed_keeps_the_rules_too() {
    let house = House::serving(&Guest::new("empty_answer"));
    let tools = house.runtime().block_on(house.server().tools());
    assert!(!tools.is_empty());
    for tool in tools {
        let (name, description) = (tool["name"].as_str().unwrap(), tool["description"].as_str().unwrap());
        assert_eq!(faults(name, description, &tool["inputSchema"]), Vec::<String>::new(), "{name}");
    }
}

#[test]
fn the_rules_find_what_they_are_for() {
    let fine = serde_json::json!({ "type": "object", "properties": { "a": { "type": "string", "enum": ["x"] } } });
    assert_eq!(faults("virustotal_file_report", "Looks.", &fine), Vec::<String>::new());
    let fits = "a".repeat(49);
    assert_eq!(faults(&fits, "Looks.", &fine), Vec::<String>::new());
    assert_eq!(faults(&"a".repeat(50), "Looks.", &fine).len(), 2);
    assert_eq!(faults(&"a".repeat(51), "Looks.", &fine).len(), 3);
    for (name, description, property) in [
        ("a.b", "Looks.", serde_json::json!({ "a": { "type": "string" } })),
        ("9a", "Looks.", serde_json::json!({})),
        ("a", "", serde_json::json!({})),
        ("a", "Looks.", serde_json::json!({ "a b": { "type": "string" } })),
        ("a", "Looks.", serde_json::json!({ "a": { "$ref": "#/$defs/a" } })),
        ("a", "Looks.", serde_json::json!({ "a": { "type": ["string", "null"] } })),
        ("a", "Looks.", serde_json::json!({ "a": { "type": "array" } })),
        ("a", "Looks.", serde_json::json!({ "a": { "type": "array", "items": { "anyOf": [] } } })),
        ("a", "Looks.", serde_json::json!({ "a": { "enum": [1] } })),
    ] {
        let schema = serde_json::json!({ "type": "object", "properties": property });
        assert_eq!(faults(name, description, &schema).len(), 1, "{name} {schema}");
    }
    assert_eq!(faults("a", "Looks.", &serde_json::json!({ "anyOf": [] })).len(), 2);
}
