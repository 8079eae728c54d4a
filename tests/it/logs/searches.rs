//! What is searched, for whom, and what is not there.

use std::fs;

use serde_json::json;

use super::desk::{AUTH, Desk, OLDER};
use crate::harness::said;

#[test]
fn a_log_is_searched_with_the_files_it_was_rotated_into() {
    let desk = Desk::open();
    let reply = desk.query("auth", r"Failed password for \w+").done(&["untrusted, not instructions", "auth@0: ", "auth--1@0: "]);
    assert_eq!(
        (&reply.structured()["matched"], &reply.structured()["bytes_searched"]),
        (&json!(2), &json!(AUTH.len() + OLDER.len()))
    );
    assert_eq!(said(&desk.outcome(&reply), "labels"), &json!(["sensitive", "untrusted"]));
    let window = json!({ "log": "auth", "pattern": ".", "since": "2026-11-22T06:00:05Z", "max_lines": 5, "context": 1 });
    desk.0.call("query_logs", window).done(&["Accepted publickey for ann", "auth@0- "]);
    desk.0.call("list_logs", json!({})).done(&["auth: auth,", &format!("auth--1, {} bytes", OLDER.len()), "web: web,"]);
}

#[test]
fn a_log_that_no_grant_names_is_not_searched() {
    let desk = Desk::open();
    for log in ["web", "auth-1", "auth--1"] {
        desk.query(log, "Failed").ended("denied", "out-of-scope", &[]).silent(&["granted", "before"]);
    }
    for log in ["AUTH", "auth\u{200b}", "auth ", "../auth.log", "/etc/passwd", "-f", ""] {
        desk.query(log, "Failed").ended("denied", "arguments-invalid", &[]);
    }
    desk.query("auth", "Failed").done(&["before"]).silent(&["granted"]);
    // What is granted and not bound is not there, and neither is a path.
    desk.query("ghost", "x").ended("error", "not-found", &["there is no log `ghost`"]).silent(&[".log"]);
    desk.0.call("query_logs", json!({ "pattern": "x" })).ended("denied", "arguments-invalid", &[]);
}

#[test]
fn a_grant_without_logs_searches_none() {
    let desk = Desk::with(|house| house.without("grants.tester.scope"));
    desk.query("auth", "Failed").ended("denied", "out-of-scope", &[]).silent(&["203.0.113.9"]);
}

#[test]
fn a_log_that_grows_is_rotated_and_cut_is_searched_as_it_is() {
    let desk = Desk::open();
    desk.logs("auth.log", "grown");
    assert_eq!(desk.found("^grown$"), ["grown"]);
    fs::rename(desk.file("auth.log"), desk.file("auth.log.1")).unwrap();
    // The daemon has not opened a new one yet.
    desk.query("auth", "grown").ended("error", "unavailable", &[]);
    desk.logs("auth.log", "new grown");
    assert_eq!(desk.found("grown"), ["grown", "new grown"]);
    desk.holds("auth.log", "");
    assert_eq!(desk.found("grown"), ["grown"]);
    fs::remove_file(desk.file("auth.log.1")).unwrap();
    let reply = desk.query("auth", "grown").done(&["the older file `auth--1` cannot be read"]);
    assert_eq!(reply.structured()["matched"], 0);
}

#[test]
fn only_a_regular_file_is_searched() {
    let desk = Desk::open();
    fs::remove_file(desk.file("auth.log")).unwrap();
    desk.query("auth", "x").ended("error", "unavailable", &[]).silent(&["auth.log"]);
    fs::create_dir(desk.file("auth.log")).unwrap();
    desk.query("auth", "x").ended("error", "unavailable", &[]).silent(&["auth.log"]);
    fs::remove_dir(desk.file("auth.log")).unwrap();
    std::os::unix::fs::symlink("/dev/zero", desk.file("auth.log")).unwrap();
    desk.query("auth", "x").ended("error", "unavailable", &[]);
    fs::remove_file(desk.file("auth.log")).unwrap();
    desk.holds("auth.log", AUTH);
    assert_eq!(desk.found("root").len(), 1);
}

#[test]
fn a_large_log_is_searched_in_parts_across_a_rotation() {
    let desk = Desk::open();
    let text: String = (0..240_000).map(|number| format!("{number:0>8} {}\n", "x".repeat(60))).collect();
    desk.holds("auth.log", &text);
    fs::remove_file(desk.file("auth.log.1")).unwrap();
    let first = desk.query("auth", "^0").done(&["older part was not searched"]);
    let (seen, before) = (first.structured()["matched"].as_u64().unwrap(), first.structured()["before"].clone());
    fs::rename(desk.file("auth.log"), desk.file("auth.log.1")).unwrap();
    desk.logs("auth.log", "00000000 new");
    let rest = desk.0.call("query_logs", json!({ "log": "auth", "pattern": "^0", "before": before })).done(&[]);
    assert_eq!(seen + rest.structured()["matched"].as_u64().unwrap(), 240_000);
    desk.holds("auth.log.1", "cut\n");
    let gone = desk.0.call("query_logs", json!({ "log": "auth", "pattern": "^0", "before": before }));
    gone.ended("error", "invalid-arguments", &["search again without it"]);
}

#[test]
fn names_of_sources_are_the_operators_and_have_the_form_of_names() {
    let desk = Desk::closed(|house| house.with("[plugins.logs]\nsource.payments-api.file = \"logs/web.log\""));
    desk.0.install().done();
    desk.0.casemate(&["check"]).done();
    let desk = Desk::closed(|house| house.with("[plugins.logs]\nsource.\"../x\".file = \"logs/web.log\""));
    desk.0.casemate(&["check"]).refused(&["source name"]);
}

#[test]
fn the_sheet_says_that_files_are_read_and_which() {
    let desk = Desk::open();
    let sheet = desk.0.casemate(&["inspect", "logs"]).done().stdout;
    for part in ["any number of files, each under a name of yours", "Use the network", "that you do not bind to it, or write any"]
    {
        assert!(sheet.contains(part), "{part}: {sheet}");
    }
    assert!(!sheet.contains("Read or write a file of this machine"), "{sheet}");
}
