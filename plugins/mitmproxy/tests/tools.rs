//! The tools against a scripted mitmweb: what they ask, what they make of the answer, and what they never ask.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::time::Duration;

use casemate_mitmproxy::TOOLS;
use casemate_plugin::{
    Context, Failure, FailureKind, Outcome, SendError,
    testing::{Answer, Recorded, ScriptedUpstream, answer, check, fault, get, post},
};
use serde_json::{Value, json};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded");
const FLOW: &str = "6c386939-a24c-4072-b140-869b3b664eb3";
const COPY: &str = "7cd8abd3-8a87-44c7-afd2-af4df7b50882";

fn run(tool: &str, arguments: &Value, upstream: &ScriptedUpstream) -> Result<Outcome, Failure> {
    casemate_plugin::testing::call(TOOLS, tool, arguments, &Context::scripted([upstream]))
}

fn structured(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.structured).unwrap()
}

fn described(method: &str) -> Answer {
    let target = "https://app.test";
    answer(200).json(
        &json!({ "id": FLOW, "method": method, "target": target, "targets": [target], "has_body": false, "obstacle": null }),
    )
}

fn replaying(method: &str, arguments: &Value, order: Value, reply: Answer) -> ScriptedUpstream {
    let path = format!("/casemate/flows/{FLOW}");
    assert_eq!(arguments["flow_id"], FLOW);
    let asked = post(&format!("{path}/replay")).json(order).timeout(Duration::from_secs(15));
    ScriptedUpstream::new("mitmproxy").expect(get(&path), described(method)).expect(asked, reply)
}

#[test]
fn packs() {
    assert_eq!(check(TOOLS), Vec::<String>::new());
    let described = casemate_plugin::describe(TOOLS);
    let effects: Vec<_> =
        described.as_array().unwrap().iter().map(|it| (it["name"].as_str().unwrap(), it["effect"].as_str().unwrap())).collect();
    assert_eq!(effects, [("get_requests", "read"), ("get_request", "read"), ("replay_request", "execute")]);
}

#[test]
fn recorded_cases() {
    for case in Recorded::all(RECORDED).into_iter().filter(Recorded::plays_natively) {
        case.replay(TOOLS);
    }
}

#[test]
fn a_body_is_for_methods_that_have_one() {
    let arguments = json!({ "flow_id": FLOW, "body": "a=1" });
    let order = json!({ "method": "POST", "target": "https://app.test", "body": "a=1" });
    let upstream =
        replaying("POST", &arguments, order, answer(200).json(&json!({ "id": COPY, "status": null, "error": "refused" })));
    let report = structured(&run("replay_request", &arguments, &upstream).unwrap());
    assert_eq!((&report["error"], report.get("status")), (&json!("refused"), None));
    let upstream = ScriptedUpstream::new("mitmproxy").expect(get(&format!("/casemate/flows/{FLOW}")), described("GET"));
    assert!(run("replay_request", &arguments, &upstream).unwrap_err().message().contains("without a body"));
}

#[test]
fn what_is_no_argument_is_refused() {
    let query = |name: &str| json!([{ "name": name, "value": "x" }]);
    for (name, value) in [
        ("flow_id", json!("../options")),
        ("path", json!("//evil.example/")),
        ("path", json!("https://evil.example/")),
        ("path", json!("/a?b")),
        ("query", query("a&b")),
        ("query", query("Session")),
        ("query", query("x-api-key")),
        ("query", json!([{ "name": "a", "value": "x\r\ny" }])),
        ("headers", json!({ "cookie": "a=b" })),
        ("headers", json!({ "Accept": "a" })),
        ("headers", json!({ "accept": "a\r\nhost: evil.example" })),
        ("headers", json!({ "user-agent": "é" })),
        ("host", json!("evil.example")),
        ("body", json!("")),
    ] {
        let mut arguments = json!({ "flow_id": FLOW });
        arguments[name] = value;
        let failure = run("replay_request", &arguments, &ScriptedUpstream::new("mitmproxy")).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::InvalidArguments, "{arguments}");
    }
}

#[test]
fn a_replay_of_which_nobody_knows_is_not_sent_again() {
    let arguments = json!({ "flow_id": FLOW });
    let order = || json!({ "method": "GET", "target": "https://app.test" });
    for reply in [
        answer(500),
        answer(200).body("<html>"),
        answer(200).json(&json!({ "status": 200 })),
        answer(200).json(&json!({ "id": "../x", "status": 200 })),
        fault(SendError::TimedOut("mitmproxy")),
        fault(SendError::Broken("mitmproxy")),
    ] {
        let failure = run("replay_request", &arguments, &replaying("GET", &arguments, order(), reply)).unwrap_err();
        assert_eq!((failure.kind(), failure.code()), (FailureKind::Upstream, Some("outcome-unknown")), "{failure}");
    }
    let itself = answer(200).json(&json!({ "id": FLOW, "status": 200 }));
    let failure = run("replay_request", &arguments, &replaying("GET", &arguments, order(), itself)).unwrap_err();
    assert!(failure.message().contains("not a copy"), "{failure}");
}

#[test]
fn a_body_that_cannot_be_had_does_not_hide_the_rest() {
    let arguments = json!({ "flow_id": FLOW });
    let order = json!({ "method": "GET", "target": "https://app.test" });
    let reply = || answer(200).json(&json!({ "id": COPY, "status": 204, "headers": [["content-type", "text/plain"]] }));
    for body in
        [answer(404), answer(200).body("").header("content-type", "application/text"), fault(SendError::TooLarge("mitmproxy"))]
    {
        let upstream = replaying("GET", &arguments, order.clone(), reply())
            .expect(get(&format!("/flows/{COPY}/response/content.data")), body);
        let report = structured(&run("replay_request", &arguments, &upstream).unwrap());
        assert_eq!((&report["status"], report.get("response_body")), (&json!(204), None));
    }
}

#[test]
fn what_mitmproxy_recorded_is_bounded_plain_and_without_credentials() {
    let many: Vec<Value> = (0..120).map(|_| json!(["X-Note", "a\u{202e}b".repeat(2_000)])).collect();
    let long = format!("/{}?token=s3cr3t&q={}", "x".repeat(3_000), "y".repeat(3_000));
    let flows = json!([7, null, { "type": "tcp", "id": COPY }, { "type": "http", "id": "no id" }, { "type": "http", "id": FLOW,
        "timestamp_created": -1.5, "error": { "msg": "cannot reach http://u:s3cr3t@app.test/" },
        "request": { "method": "GET\u{1b}", "scheme": "http", "host": "::1", "port": 80, "path": long, "headers": many } }]);
    let list = || ScriptedUpstream::new("mitmproxy").expect(get("/flows"), answer(200).json(&flows));
    let listed = structured(&run("get_requests", &json!({}), &list()).unwrap());
    let line = &listed["requests"][0];
    assert_eq!(
        (listed["requests"].as_array().unwrap().len(), line.get("recorded"), line.get("status")),
        (1, None, None),
        "{listed}"
    );
    assert!(
        line["url"].as_str().unwrap().starts_with("http://[::1]/xxx") && line["url"].as_str().unwrap().chars().count() <= 1_000
    );
    let report = run("get_request", &json!({ "flow_id": FLOW }), &list()).unwrap();
    let shown = structured(&report);
    assert_eq!(shown["request_headers"].as_array().unwrap().len(), 60);
    assert_eq!(shown["request_headers"][0]["value"].as_str().unwrap().chars().count(), 500);
    for text in [&report.text, &report.structured] {
        assert!(!text.contains(['\u{202e}', '\u{1b}']) && !text.contains("s3cr3t"), "{text}");
    }
}
