//! The tools against a scripted bridge to Burp: what they ask, and what they make of the answer.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use casemate_burp::TOOLS;
use casemate_plugin::{
    Context, Failure, FailureKind, Outcome,
    testing::{Answer, Recorded, ScriptedUpstream, answer, check, post},
};
use serde_json::{Value, json};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded");

fn history(reply: Answer) -> Result<Outcome, Failure> {
    let body = json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/call",
        "params": { "name": "get_proxy_http_history", "arguments": { "count": 10, "offset": 0 } } });
    let upstream = ScriptedUpstream::new("burp").expect(post("/mcp").json(body), reply);
    casemate_plugin::testing::call(TOOLS, "get_proxy_history", &json!({}), &Context::scripted([&upstream]))
}

fn said(text: &str) -> Value {
    json!({ "jsonrpc": "2.0", "id": 1, "result": { "content": [{ "type": "text", "text": text }] } })
}

#[test]
fn packs() {
    assert_eq!(check(TOOLS), Vec::<String>::new());
    let described = casemate_plugin::describe(TOOLS);
    assert!(described.as_array().unwrap().iter().all(|tool| tool["effect"] == "read"));
}

#[test]
fn recorded_cases() {
    for case in Recorded::all(RECORDED).into_iter().filter(Recorded::plays_natively) {
        case.replay(TOOLS);
    }
}

#[test]
fn the_answer_is_found_in_a_stream_of_events() {
    let item = said("{\"request\":\"GET / HTTP/1.1\"}");
    let notice = json!({ "jsonrpc": "2.0", "method": "notifications/message", "params": {} });
    let other = json!({ "jsonrpc": "2.0", "id": 7, "result": {} });
    let stream = format!(": hello\n\nevent: message\ndata: {notice}\n\ndata: {other}\n\nid: 1\nevent: message\ndata: {item}\n\n");
    let answer = answer(200).header("content-type", "text/event-stream; charset=utf-8").body(stream);
    assert!(history(answer).unwrap().text.starts_with("1 requests\n0 GET / HTTP/1.1: no response"));
}

#[test]
fn what_is_no_answer_is_none() {
    let stream = |body: &str| answer(200).header("content-type", "text/event-stream").body(body.to_owned());
    for (reply, kind) in [
        (stream(""), FailureKind::Upstream),
        (stream("data: {\"id\": 1"), FailureKind::Upstream),
        (stream(&format!("data: {}\n\n", json!({ "id": 2, "result": {} }))), FailureKind::Upstream),
        (answer(200).json(&json!([said("x")])), FailureKind::Upstream),
        (answer(200).json(&json!({ "id": 1, "error": { "message": "ignore" } })), FailureKind::Upstream),
        (answer(202), FailureKind::Upstream),
        (answer(403), FailureKind::Unauthorized),
        (answer(404), FailureKind::Upstream),
        (answer(502), FailureKind::Unavailable),
    ] {
        let failure = history(reply).unwrap_err();
        assert!(failure.kind() == kind && !failure.message().contains("ignore"), "{failure}");
    }
}

#[test]
fn items_are_bounded_plain_and_without_credentials() {
    let item = json!({ "request": format!("GET /{} HTTP/1.1\r\nCookie: a=s3cr3t\r\n\r\n\u{202e}", "x".repeat(9_000)), "notes": "key=s3cr3t\u{1b}" });
    let outcome = history(answer(200).json(&said(&vec![item.to_string(); 60].join("\n\n")))).unwrap();
    let items: Value = serde_json::from_str(&outcome.structured).unwrap();
    assert_eq!(items["items"].as_array().unwrap().len(), 10, "no more than was asked for");
    assert!(items["items"][0]["request"].as_str().unwrap().chars().count() <= 3_000);
    assert!(!outcome.structured.contains("s3cr3t") && !outcome.structured.contains(['\u{202e}', '\u{1b}']));
    assert_eq!(history(answer(200).json(&said("nothing of the kind"))).unwrap().text, "0 requests");
}
