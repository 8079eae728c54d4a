//! The tool, natively, against the exchanges in tests/recorded. `casemate test` plays the same files to the packed component, in the
//! real sandbox and through the real gate.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "tests"
)]

use casemate_plugin::{
    Context, FailureKind,
    testing::{self, ScriptedUpstream, answer, get},
};
use serde_json::{Value, json};

use @lib@::TOOLS;

/// An upstream that follows a recorded case with one exchange.
fn upstream(case: &Value) -> ScriptedUpstream {
    let response = &case["exchanges"][0]["response"];
    let (name, kind) = (&case["arguments"]["name"], &case["arguments"]["kind"]);
    let request = get("/resolve")
        .query("name", name.as_str().unwrap())
        .query("type", kind.as_str().unwrap());
    ScriptedUpstream::new("resolver").expect(
        request,
        answer(response["status"].as_u64().unwrap().try_into().unwrap())
            .json(&response["body"]["json"]),
    )
}

#[test]
fn what_packs() {
    assert_eq!(testing::check(TOOLS), Vec::<String>::new());
}

#[test]
fn records_are_read() {
    let case: Value = serde_json::from_str(include_str!("recorded/addresses.json")).unwrap();
    let upstream = upstream(&case);
    let outcome = testing::call(
        TOOLS,
        "resolve",
        &case["arguments"],
        &Context::scripted([&upstream]),
    )
    .unwrap();
    assert_eq!(
        serde_json::from_str::<Value>(&outcome.structured).unwrap(),
        case["expect"]["structured"]
    );
    assert!(
        outcome.text.starts_with("www.example.com A: 2 records\n"),
        "{}",
        outcome.text
    );
}

#[test]
fn a_name_that_does_not_exist_is_not_found() {
    let case: Value = serde_json::from_str(include_str!("recorded/no-such-name.json")).unwrap();
    let upstream = upstream(&case);
    let failure = testing::call(
        TOOLS,
        "resolve",
        &case["arguments"],
        &Context::scripted([&upstream]),
    )
    .unwrap_err();
    assert_eq!(failure.kind(), FailureKind::NotFound);
}

#[test]
fn internal_names_are_not_sent() {
    // Nothing is expected: any request would fail the test.
    let upstream = ScriptedUpstream::new("resolver");
    for name in ["server.corp", "printer.local", "intranet"] {
        let arguments = json!({ "name": name, "kind": "A" });
        let failure = testing::call(
            TOOLS,
            "resolve",
            &arguments,
            &Context::scripted([&upstream]),
        )
        .unwrap_err();
        assert_eq!(failure.kind(), FailureKind::InvalidArguments, "{name}");
    }
}

#[test]
fn an_answer_that_makes_no_sense_is_the_upstreams_fault() {
    let request = || {
        get("/resolve")
            .query("name", "example.com")
            .query("type", "MX")
    };
    for (reply, kind) in [
        (answer(200).body("<html>"), FailureKind::Upstream),
        (
            answer(200).json(&json!({ "Status": 2 })),
            FailureKind::Upstream,
        ),
        (answer(503), FailureKind::Unavailable),
    ] {
        let upstream = ScriptedUpstream::new("resolver").expect(request(), reply);
        let arguments = json!({ "name": "example.com", "kind": "MX" });
        let failure = testing::call(
            TOOLS,
            "resolve",
            &arguments,
            &Context::scripted([&upstream]),
        )
        .unwrap_err();
        assert_eq!(failure.kind(), kind);
    }
}
