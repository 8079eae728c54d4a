//! Recorded cases, played natively: what follows the recording passes, and nothing else does.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
};

use casemate_plugin::{Context, Failure, MAX_READ, Readable, path, plugin, testing::Recorded, tool};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// No arguments.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Nothing {}

/// A count.
#[derive(Serialize, Deserialize, JsonSchema)]
pub struct Report {
    count: u32,
}

impl Readable for Report {
    fn text(&self) -> String {
        format!("{} of them", self.count)
    }
}

/// Ask one upstream, and tell another.
#[tool(effect = write)]
pub fn carry(_: Nothing, cx: &Context) -> Result<Report, Failure> {
    let report: Report = cx.upstream("from").get(path!("/count")).query("of", "a b").send()?.json()?;
    let answer = cx.upstream("to").post(path!("/count")).json(&report).send()?;
    if answer.is_success() { Ok(report) } else { Err(Failure::from_status("to", answer.status()).with_code("Nope")) }
}

/// Say how many bytes the log holds.
#[tool(effect = read)]
pub fn measure(_: Nothing, cx: &Context) -> Result<Report, Failure> {
    let log = cx.source("log")?;
    let read = log.read(0, MAX_READ)?;
    assert_eq!(log.size()?, read.len() as u64);
    Ok(Report { count: u32::try_from(read.len()).unwrap() })
}

plugin!(carry, measure);

fn case() -> Value {
    json!({
        "about": "three of them",
        "tool": "carry",
        "arguments": {},
        "execute": true,
        "exchanges": [
            { "request": { "upstream": "from", "method": "GET", "path": "/count?of=a%20b" }, "response": { "status": 200, "body": { "text": "{ \"count\": 3 }" } } },
            { "request": { "upstream": "to", "method": "POST", "path": "/count", "headers": { "content-type": "application/json" }, "body": { "json": { "count": 3 } } }, "response": { "status": 204 } },
        ],
        "expect": { "outcome": "returned", "structured": { "count": 3 }, "text": "3 of" },
    })
}

/// What replaying a case says against it; nothing where it passes.
fn replay(case: &Value) -> Option<String> {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("case.json"), case.to_string()).unwrap();
    let played = catch_unwind(AssertUnwindSafe(|| {
        for case in Recorded::all(folder.path()) {
            case.replay(TOOLS);
        }
    }));
    played.err().map(|panic| panic.downcast_ref::<String>().cloned().unwrap_or_default())
}

/// A case with one value changed does not pass, and says why.
#[track_caller]
fn fails(pointer: &str, value: Value, why: &str) {
    let mut case = case();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    match case.pointer_mut(parent).unwrap() {
        Value::Array(items) => *items.get_mut(key.parse::<usize>().unwrap()).unwrap() = value,
        other => drop(other.as_object_mut().unwrap().insert(key.to_owned(), value)),
    }
    let said = replay(&case).unwrap_or_else(|| "it passed".to_owned());
    assert!(said.contains(why), "{pointer}: {said}");
}

#[test]
fn what_follows_the_recording_passes() {
    assert_eq!(replay(&case()), None);
    let mut part = case();
    part["expect"] = json!({ "outcome": "returned", "includes": {} });
    assert_eq!(replay(&part), None);
}

#[test]
fn another_request_answer_or_ending_fails() {
    fails("/exchanges/0/request/path", json!("/count?of=a+b"), "was not followed");
    fails("/exchanges/1/request/body", json!({ "json": { "count": 4 } }), "the body is another one");
    fails("/exchanges/1/request/headers/accept", json!("text/html"), "is not among");
    fails("/exchanges/1/request/upstream", json!("elsewhere"), "was never sent");
    fails("/exchanges/0/response/body", json!({ "json": { "count": 2 } }), "the body is another one");
    fails("/exchanges/1/response/status", json!(404), "it failed as `not-found`");
    fails("/expect/structured", json!({ "count": 4 }), "the structured result is another");
    fails("/expect/includes", json!({ "count": 3, "more": 1 }), "the structured result is another");
    fails("/expect/text", json!("4 of"), "the text does not hold `4 of`");
    fails("/expect", json!({ "outcome": "failed", "kind": "not-found" }), "it returned");
}

#[test]
fn a_failure_is_held_to_its_kind_and_words() {
    let mut refused = case();
    refused["exchanges"][1]["response"]["status"] = json!(404);
    refused["expect"] = json!({ "outcome": "failed", "kind": "not-found", "text": "(Nope)" });
    assert_eq!(replay(&refused), None);
    refused["expect"]["kind"] = json!("unavailable");
    assert!(replay(&refused).is_some_and(|said| said.contains("it failed as `not-found`")));
}

#[test]
fn a_plan_is_the_request_that_is_made_next() {
    let mut planned = case();
    planned["execute"] = json!(false);
    let request = planned["exchanges"].as_array_mut().unwrap().pop().unwrap()["request"].clone();
    planned["expect"] = json!({ "outcome": "planned", "plan": [request] });
    assert_eq!(replay(&planned), None);
    planned["expect"]["plan"][0]["path"] = json!("/other");
    assert!(replay(&planned).is_some_and(|said| said.contains("was not followed")));
}

#[test]
fn byte_sources_are_played_too() {
    let measure =
        |sources: Value, expect: Value| json!({ "tool": "measure", "arguments": {}, "sources": sources, "expect": expect });
    let three = json!({ "outcome": "returned", "structured": { "count": 3 } });
    assert_eq!(replay(&measure(json!({ "log": { "text": "abc" } }), three.clone())), None);
    assert_eq!(replay(&measure(json!({ "log": { "base64": "AP8K" } }), three)), None);
    let missing = json!({ "outcome": "failed", "kind": "not-found", "text": "no source of that name" });
    assert_eq!(replay(&measure(json!({ "other": { "text": "abc" } }), missing)), None);
}

#[test]
fn what_is_no_case_or_not_for_here_is_said() {
    fails("/exchange", json!([]), "unknown field `exchange`");
    fails("/expect/reason", json!("x"), "unknown field `reason`");
    fails("/exchanges/0/request/method", json!("CONNECT"), "there is no method `CONNECT`");
    fails("/exchanges/0/response/body", json!({ "base64": "%" }), "is not base64");
    fails("/expect", json!({ "outcome": "refused", "reason": "no-contract" }), "only `casemate test` can play it");
    fails("/sources", json!({ "log": { "base64": "%" } }), "is not base64");
    assert!(catch_unwind(|| Recorded::read("/nowhere.json")).is_err());
    let folder = tempfile::tempdir().unwrap();
    let mut refused = case();
    refused["expect"] = json!({ "outcome": "refused", "reason": "no-contract" });
    for (name, case) in [("a", case()), ("b", refused)] {
        fs::write(folder.path().join(name).with_extension("json"), case.to_string()).unwrap();
    }
    let natively: Vec<bool> = Recorded::all(folder.path()).iter().map(Recorded::plays_natively).collect();
    assert_eq!(natively, [true, false]);
}
