//! HackerOne's plugin as it is packed: it reads, and it submits what a person has agreed to, and nothing else.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};

use crate::{
    approvals::{enrol, say, shown},
    harness::{House, Reply},
};

const LIST: &str = "GET /v1/hackers/me/reports";
const SUBMIT: &str = "POST /v1/hackers/reports";

/// One program may be submitted to; the tool is on, for real, and three calls an hour.
const CONFIG: &str = r#"
environment = "dev"

[plugins.@]
secret.api_token.file = "secrets/api_key"
secret.identifier.file = "secrets/identifier"

[plugins.@.tools.submit_report]
enabled = true
dry_run = false

[grants.tester]
principals = ["local"]
tools = ["@_*"]
max_effect = "destructive"
scope.program = ["acme"]
budget = [{ tools = "@_submit_report", calls = 3, per = "1h" }]
"#;

/// As it is configured above: nothing says who has to agree, so somebody has to.
fn house() -> House {
    let house = House::beside("hackerone", CONFIG);
    let identifier = house.folder().join("secrets/identifier");
    fs::write(&identifier, "casemate-tester").unwrap();
    fs::set_permissions(&identifier, fs::Permissions::from_mode(0o600)).unwrap();
    house
}

/// Where nobody is asked, by an operator who wants it so.
fn unguarded() -> House {
    house().set("plugins.@.tools.submit_report.approval", "none").without("grants.tester.budget")
}

fn report() -> Value {
    json!({
        "program": "acme",
        "title": "Invoices of other customers can be read",
        "vulnerability_information": "CWE-639 in /invoices.\n\n## Steps to reproduce\n1. Log in as A.\n2. GET /invoices/2 and see B's invoice.",
        "impact": "Anybody can read every customer's invoices.",
        "severity": "high",
    })
}

fn with(name: &str, value: Value) -> Value {
    let mut report = report();
    report[name] = value;
    report
}

/// The call waits for a person, whatever else there is to say about it; this is the approval.
#[track_caller]
fn waits(reply: Reply) -> String {
    assert_eq!((reply.is_error(), reply.decision()), (true, "deferred"), "{reply:#?}");
    reply.structured()["approval_id"].as_str().unwrap().to_owned()
}

#[test]
fn reports_are_read() {
    let house = house().serve();
    let listed = house.call("list_reports", json!({ "program": "acme" })).done(&["more: ask for page 2"]);
    let reports = listed.structured()["reports"].as_array().unwrap();
    assert!(reports.iter().all(|report| report["program"] == "acme") && reports.len() > 30, "{listed:#?}");
    let id = reports[0]["report_id"].as_str().unwrap();
    house.call("get_report", json!({ "report_id": id })).done(&["Stored XSS", "## Steps to reproduce", "(CWE-79)"]);
    house.call("get_report", json!({ "report_id": "1" })).ended("error", "not-found", &[]);
    let sent = house.upstreams().received_by("hackerone");
    assert!(sent.iter().all(|request| request.headers("authorization")[0].starts_with("Basic ")), "{sent:?}");
}

/// The one promise that matters: a call alone submits nothing. It waits, a person sees all of it, and one agreement is one report.
#[test]
fn a_report_waits_for_a_person_and_is_submitted_once() {
    let house = enrol(house().without("grants.tester.budget"), "alice").serve();
    let id = waits(house.call("submit_report", report()));
    assert!(house.reached().is_empty(), "{:?}", house.reached());
    assert_eq!(waits(house.call("submit_report", report())), id, "it waits once");

    let seen = shown(&house, &id).to_string();
    for part in [
        "hackerone_submit_report",
        "Invoices of other customers",
        "CWE-639",
        "see B's invoice",
        "every customer's invoices",
        SUBMIT.split_once(' ').unwrap().1,
    ] {
        assert!(seen.contains(part), "`{part}` is not in {seen}");
    }
    say(&house, "approve", &id, "alice").done();
    assert!(house.reached().is_empty(), "agreeing alone submits nothing either");
    // One word of it is another report.
    assert_ne!(waits(house.call("submit_report", with("severity", json!("critical")))), id);

    house.call("submit_report", report()).done(&["submitted to acme"]);
    let [sent] = house.changes().try_into().unwrap();
    let attributes = &sent["data"]["attributes"];
    assert_eq!((&attributes["team_handle"], &attributes["impact"]), (&json!("acme"), &report()["impact"]));
    assert_ne!(waits(house.call("submit_report", report())), id, "an agreement is good for one report");
    assert_eq!(house.changes().len(), 1);
}

#[test]
fn a_report_that_was_declined_is_not_submitted() {
    let house = enrol(house(), "alice").serve();
    let id = waits(house.call("submit_report", report()));
    say(&house, "deny", &id, "alice").done();
    assert_ne!(waits(house.call("submit_report", report())), id);
    assert!(house.reached().is_empty());
}

#[test]
fn nobody_is_bothered_with_an_incomplete_report() {
    let house = house().serve();
    for (name, value, part) in [
        (
            "vulnerability_information",
            json!("It is broken. Steps to reproduce: open it and look at the page for a while."),
            "names no weakness",
        ),
        ("vulnerability_information", json!("CWE-79, believe me."), "no section"),
        ("impact", json!("bad"), "impact"),
    ] {
        house.call_fresh("submit_report", with(name, value)).ended("error", "invalid-arguments", &["nothing was prepared", part]);
    }
    let waiting = house.casemate(&["approvals", "list"]).done();
    assert!(!waiting.stdout.contains("submit_report"), "{waiting:#?}");
    assert!(house.reached().is_empty());
}

#[test]
fn three_reports_an_hour_are_enough() {
    let house = house().serve();
    for at in 0..3 {
        waits(house.call("submit_report", with("title", json!(format!("finding {at}")))));
    }
    house.call("submit_report", with("title", json!("one more"))).ended("denied", "budget-exhausted", &[]);
    assert!(house.reached().is_empty());
}

#[test]
fn a_report_that_is_off_above_the_grant_or_elsewhere_reaches_nobody() {
    for (house, arguments, reason) in [
        (unguarded().set("plugins.@.tools.submit_report.enabled", false), report(), "disabled"),
        (unguarded().set("grants.tester.max_effect", "write"), report(), "effect-above-grant"),
        (unguarded(), with("program", json!("globex")), "out-of-scope"),
        (unguarded(), with("program", json!("Acme")), "out-of-scope"),
        (unguarded(), with("program", json!("../me")), "arguments-invalid"),
        (unguarded(), with("team_handle", json!("globex")), "arguments-invalid"),
    ] {
        let house = house.serve();
        house.call("submit_report", arguments).ended("denied", reason, &[]);
        assert!(house.reached().is_empty(), "{reason}");
    }
}

#[test]
fn a_dry_run_shows_the_report_and_sends_none() {
    let house = unguarded().set("plugins.@.tools.submit_report.dry_run", true).serve();
    let planned = house.call("submit_report", report()).done(&["‹secret api_token›"]);
    assert_eq!(planned.decision(), "planned");
    let request = &planned.structured()["plan"]["requests"][0];
    assert_eq!((&request["method"], &request["targets"]), (&json!("POST"), &json!({ "program": ["acme"] })));
    assert!(house.reached().is_empty());
}

/// Whoever has read reports may have read what somebody wants submitted.
#[test]
fn what_was_read_is_not_submitted_without_a_person() {
    let house = unguarded().serve();
    house.call("list_reports", json!({})).done(&[]);
    house.call("submit_report", report()).ended("deferred", "flow-needs-approval", &["it waits as approval"]);
    assert!(house.changes().is_empty());
}

#[test]
fn what_hackerone_says_of_a_report_is_told() {
    let house = unguarded().serve();
    house.call_fresh("submit_report", with("weakness_id", json!(9))).ended("error", "invalid-arguments", &["did not do it"]);
    for (error, reason) in [
        ("unauthorized", "unauthorized"),
        ("forbidden", "unauthorized"),
        ("too-many", "rate-limited"),
        ("invalid", "invalid-arguments"),
    ] {
        house.scripted(SUBMIT, json!({ "error": error }));
        house.call_fresh("submit_report", report()).ended("error", reason, &[]);
        house.scripted(LIST, json!({ "error": error }));
        house.call_fresh("list_reports", json!({})).ended("error", reason, &[]);
    }
    // Taken, where there is an answer that nobody can read.
    for (script, reason) in [
        (json!({ "error": "broken" }), "outcome-unknown"),
        (json!({ "misbehave": { "kind": "close" } }), "outcome-unknown"),
        (json!({ "misbehave": { "kind": "html" } }), "upstream"),
    ] {
        house.scripted(SUBMIT, script);
        house.call_fresh("submit_report", report()).ended("error", reason, &["outcome unknown", "list_reports"]);
        assert_eq!(house.changes().len(), 1, "it is not tried again");
    }
    let other = json!({ "data": { "id": "7", "type": "report", "attributes": { "title": "something else", "state": "new" } } });
    house.answers(SUBMIT, &json!({ "status": 201, "body": other }));
    house.call_fresh("submit_report", report()).ended("error", "upstream", &["the report `7` now exists"]);
}

#[test]
fn a_hackerone_that_lies_gets_nothing_past() {
    let house = house().serve();
    house.bears("list_reports", &json!({}), LIST);
    house.bears("get_report", &json!({ "report_id": "2871337" }), "GET /v1/hackers/reports/2871337");
    // An address for the next page is not asked for, wherever it leads.
    let links = json!({ "next": "http://169.254.169.254/latest/meta-data" });
    house.answers(LIST, &json!({ "body": { "data": [], "links": links } }));
    house.call_fresh("list_reports", json!({})).done(&["ask for page 2"]).silent(&["169.254"]);
}

#[test]
fn hackerone_answers_whatever_it_is_asked() {
    let house =
        house().with("breaker = { denials = false, variants = false, burst = false }").set("grants.tester.max_effect", "read");
    house.install().done();
    crate::arguments::every_call_is_answered(&house);
}
