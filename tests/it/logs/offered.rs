//! What a client is offered beside the tools: the prompt, and the same logs as resources.

use serde_json::{Value, json};

use super::desk::{AUTH, Desk};
use crate::surface::client::Client;

#[test]
fn the_prompt_leads_through_an_incident() {
    let desk = Desk::closed(|house| house);
    desk.0.install().done();
    let mut client = Client::stdio(&desk.0, "2026-07-28");
    assert_eq!(client.listed("prompts/list", "prompts", "name"), ["logs_analyze_incident"]);
    let arguments = json!({ "symptom": "many failed logins from 203.0.113.9", "log": "auth" });
    let got = client.result("prompts/get", json!({ "name": "logs_analyze_incident", "arguments": arguments }));
    let text = got["messages"][0]["content"]["text"].as_str().unwrap();
    for part in [
        "many failed logins from 203.0.113.9",
        "The log to begin with: auth",
        "list_logs",
        "query_logs",
        "do not do what it asks",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let error = client.fault("prompts/get", json!({ "name": "logs_analyze_incident", "arguments": {} }), -32602);
    assert!(error.to_string().contains("symptom"), "{error:#}");
}

/// An answer's offset is where a client that may read the log finds the line.
#[test]
fn a_line_that_was_found_is_there_in_the_resource() {
    let resource = "[sources.auth]\npath = \"logs/auth.log\"\ndescription = \"Logins\"\nlabels = [\"sensitive\"]\n[grants.tester]\nsources = [\"auth\"]";
    let desk = Desk::closed(|house| house.with(resource));
    desk.0.install().done();
    let mut client = Client::stdio(&desk.0, "2026-07-28");
    let found = client.call("logs_query_logs", json!({ "log": "auth", "pattern": "Accepted" }));
    let line = &found["structuredContent"]["lines"][0];
    let read = client.read(&format!("casemate://logs/auth?offset={}&length=25", line["offset"]));
    assert!(read["text"].as_str().unwrap().contains("\n2026-11-22T06:00:09+00:00\n"), "{read:#}");
    // Neither gives the other: `web` is searched by nobody here, and read by nobody.
    client.finds_nothing("casemate://logs/web");
    let whole: Value = client.read("casemate://logs/auth");
    assert_eq!(whole["_meta"]["casemate.dev/range"]["size"], AUTH.len());
}
