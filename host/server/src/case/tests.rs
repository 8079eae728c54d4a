//! What is a case, and what is none.
#![expect(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests")]

use serde_json::{Value, json};

use super::{Case, CaseError};

/// A plugin with a read tool, two tools that change things, an upstream, dimensions and a source.
fn manifest() -> casemate_signing::manifest::Manifest {
    let request_on = |name: &str, method: &str, effect: &str, scope: Value| json!({ "name": name, "method": method, "path": "/x", "effect": effect, "scope": scope, "reason": "a test" });
    let request = |name: &str, method: &str, effect: &str| request_on(name, method, effect, json!("none"));
    let tool = |effect: &str, requests: &[&str]| json!({ "title": "T", "description": "D", "effect": effect, "requests": requests, "input_schema": { "type": "object" } });
    serde_json::from_value(json!({
        "plugin": { "name": "api", "publisher": "acme", "version": "0.1.0", "release": 1, "description": "A", "license": "MIT", "source": "https://acme.example" },
        "wit": "casemate:plugin@0.1.0",
        "component": { "sha256": "00", "size": 1 },
        "imports": [],
        "sources": { "auth-log": { "description": "S" } },
        "scope": { "group": { "kind": "name", "description": "G" }, "host": { "kind": "host", "description": "H" } },
        "upstream": { "api": { "origin": "operator", "request": [
            request("get", "GET", "read"),
            request("put", "PUT", "write"),
            request_on("get-agent", "GET", "read", json!("none")),
            request_on("run", "POST", "execute", json!({
                "group": { "from": "get-agent", "key": { "id": { "body": "/agent" } }, "value": "/group" },
                "host": { "body": "/host" },
            })),
        ] } },
        "tool": { "lookup": tool("read", &["get"]), "change": tool("write", &["put"]), "run": tool("execute", &["get-agent", "run"]) },
    }))
    .unwrap()
}

fn case() -> Value {
    json!({
        "tool": "lookup",
        "arguments": {},
        "exchanges": [{ "request": { "upstream": "api", "method": "GET", "path": "/x" }, "response": { "status": 200 } }],
        "expect": { "outcome": "returned" },
    })
}

fn parse(case: &Value) -> Result<Case, CaseError> {
    Case::parse("name", case.to_string().as_bytes(), &manifest())
}

/// A case with one value changed is refused, in words that hold `part`.
#[track_caller]
fn refused(pointer: &str, value: Value, part: &str) {
    let mut case = case();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    case.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert(key.to_owned(), value);
    let error = parse(&case).err().expect("it was taken").to_string();
    assert!(error.contains(part), "{error}");
}

#[test]
fn a_case_is_read() {
    let read = parse(&case()).map_err(|error| error.to_string());
    assert_eq!(read.map(|case| (case.exchanges.len(), case.plan.len(), case.file.execute)), Ok((1, 0, false)));
}

#[test]
fn unknown_words_are_refused_wherever_they_are() {
    for at in ["/x", "/expect/x", "/exchanges/0/x", "/exchanges/0/request/x", "/exchanges/0/response/x"] {
        let mut case = case();
        let (parent, _) = at.rsplit_once('/').unwrap();
        case.pointer_mut(parent).unwrap().as_object_mut().unwrap().insert("x".to_owned(), json!(1));
        let error = parse(&case).err().expect(at).to_string();
        assert!(error.contains("unknown field `x`"), "{at}: {error}");
    }
    refused("/expect/outcome", json!("worked"), "unknown variant `worked`");
    refused("/expect", json!({ "outcome": "refused", "reason": "x", "structured": {} }), "unknown field `structured`");
    refused("/exchanges/0/response/body", json!({ "xml": "" }), "unknown variant `xml`");
    refused("/exchanges/0/response/body", json!({ "text": "", "json": {} }), "");
    refused("/exchanges/0/request/method", json!("CONNECT"), "unknown variant `CONNECT`");
}

#[test]
fn a_key_twice_is_refused_also_inside_a_body() {
    for text in [
        r#"{"tool":"lookup","tool":"change","arguments":{},"expect":{"outcome":"returned"}}"#,
        r#"{"tool":"lookup","arguments":{"a":1,"a":2},"expect":{"outcome":"returned"}}"#,
    ] {
        let error = Case::parse("name", text.as_bytes(), &manifest()).err().expect(text).to_string();
        assert!(error.contains("appears twice"), "{error}");
    }
}

#[test]
fn names_are_the_plugins_own() {
    refused("/tool", json!("lookp"), "plugin `api` has no tool `lookp`\nhelp: did you mean `lookup`?");
    refused("/tool", json!("other_lookup_of_another"), "has no tool `other_lookup_of_another`");
    refused("/exchanges/0/request/upstream", json!("elsewhere"), "has no upstream `elsewhere`");
    refused("/origins", json!({ "elsewhere": "https://x.example" }), "has no upstream `elsewhere`");
    refused("/scope", json!({ "site": ["x"] }), "has no scope for this tool `site`");
    refused("/scope", json!({ "group": ["lab"] }), "has no scope for this tool `group`\nhelp: its manifest declares none");
    refused("/sources", json!({ "syslog": { "text": "x" } }), "has no source `syslog`");
}

#[test]
fn a_target_that_only_a_request_has_is_granted_too() {
    let scoped = |tool: &str, dimension: &str| {
        let mut case = case();
        case["tool"] = json!(tool);
        case["scope"] = json!({ dimension: ["lab"] });
        parse(&case).map(|case| case.file.scope.len()).map_err(|error| error.to_string())
    };
    assert_eq!(scoped("run", "group"), Ok(1), "what a read establishes");
    assert_eq!(scoped("run", "host"), Ok(1), "what is in the request");
    let error = scoped("run", "site").unwrap_err();
    assert!(error.contains("no scope for this tool `site`\nhelp: group, host"), "{error}");
    assert!(scoped("change", "group").is_err(), "another tool's target limits nothing here");
}

#[test]
fn values_are_what_they_say() {
    refused("/exchanges/0/request/path", json!("https://api.example/x"), "does not begin with `/`");
    refused("/exchanges/0/response/body", json!({ "base64": "%%" }), "is not base64");
    for status in [0, 100, 199, 600] {
        refused("/exchanges/0/response/status", json!(status), "which HTTP does not have");
    }
    refused("/expect", json!({ "outcome": "failed", "kind": "broken" }), "there is no kind of failure `broken`");
    refused("/execute", json!(true), "`lookup` only reads");
    refused("/expect", json!({ "outcome": "planned", "plan": [] }), "`lookup` only reads");
}

#[test]
fn a_plan_is_not_executed() {
    let mut case = case();
    case["tool"] = json!("change");
    case["expect"] =
        json!({ "outcome": "planned", "plan": [{ "upstream": "api", "method": "PUT", "path": "/x", "body": { "json": {} } }] });
    assert_eq!(parse(&case).map(|case| case.plan.len()).map_err(|error| error.to_string()), Ok(1));
    case["execute"] = json!(true);
    assert!(matches!(parse(&case), Err(CaseError::PlanExecuted)));
    case["execute"] = json!(false);
    case["expect"]["plan"][0]["upstream"] = json!("elsewhere");
    assert!(matches!(parse(&case), Err(CaseError::Unknown { what: "upstream", .. })));
}
