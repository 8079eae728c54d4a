//! Sigma's plugin as it is packed: it reads the collections that are granted, and commits rules for people to review.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use toml::Table;

use crate::{
    approvals::{enrol, say, shown, waits},
    harness::House,
};

const ID: &str = "5c9b5f0e-8a0f-4a55-b3b6-6c6a0a6e2d11";
const RULE: &str = "\
title: Whoami
id: 5c9b5f0e-8a0f-4a55-b3b6-6c6a0a6e2d11
status: test
tags: [attack.t1033]
logsource: {category: process_creation, product: windows}
detection:
  selection: {Image|endswith: '\\whoami.exe'}
  condition: selection
level: low
";
const REPOSITORY: &str = "/repos/acme/detections";
const FILE: &str = "/repos/acme/detections/contents/rules/windows/new.yml";

/// Two collections, of which one is granted; committing is on and for real.
const CONFIG: &str = r#"
environment = "dev"

[plugins.sigma]
secret.token.file = "secrets/api_key"
source.windows.file = "rules/windows.yml"
source.linux.file = "rules/linux.yml"
upstream.github.allow_private = ["127.0.0.1/32"]

[plugins.sigma.tools.commit_rule]
enabled = true
dry_run = false

[grants.tester]
principals = ["local"]
tools = ["sigma_*"]
max_effect = "write"
scope.rules = ["windows", "gone"]
scope.owner = ["acme"]
scope.repository = ["detections"]
scope.folder = ["rules"]
scope.branch = ["casemate-rules", "casemate-protected", "casemate-gone"]
"#;

fn house() -> House {
    let house = House::of_plugin("sigma", |upstreams| {
        let mut config: Table = CONFIG.parse().unwrap();
        config["plugins"]["sigma"]["upstream"]["github"]
            .as_table_mut()
            .unwrap()
            .insert("origin".to_owned(), upstreams.origin("github").into());
        config
    });
    house.upstreams().order("github", &json!({ "key": house.secret().value() }));
    let folder = house.folder().join("rules");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("windows.yml"), format!("{RULE}---\ntitle: &a broken\n---\n{}", RULE.replace("5c9b5f0e", "6c9b5f0e")))
        .unwrap();
    fs::write(folder.join("linux.yml"), RULE).unwrap();
    house
}

fn with(mut arguments: Value, name: &str, value: Value) -> Value {
    arguments[name] = value;
    arguments
}

fn committing() -> Value {
    json!({ "owner": "acme", "repository": "detections", "branch": "casemate-rules", "folder": "rules", "path": "windows/new.yml",
        "rule": RULE, "message": "Detect whoami" })
}

/// What has reached GitHub since.
fn reached(house: &House) -> Vec<String> {
    let received = house.upstreams().received_by("github");
    received.iter().map(|request| format!("{} {}", request.method(), request.target())).collect()
}

fn changes(house: &House) -> usize {
    reached(house).iter().filter(|request| !request.starts_with("GET ")).count()
}

/// How the next such request is answered.
fn scripted(house: &House, method: &str, path: &str, mut script: Value) {
    (script["method"], script["path"]) = (json!(method), json!(path));
    house.upstreams().script_for("github", script);
}

#[test]
fn rules_are_found_shown_checked_and_converted() {
    let house = house().serve();
    house.call("search", json!({ "rules": "windows", "technique": "T1033" })).done(&["2 rules", ID, "windows process_creation"]);
    let reply = house.call("show", json!({ "rules": "windows", "id": ID })).done(&["title: Whoami"]);
    let rule = reply.structured()["rule"].clone();
    house.call("validate", json!({ "rule": rule })).done(&["a rule without errors"]);
    house.call("convert", json!({ "rule": rule, "target": "splunk" })).done(&[r#"Image="*\\whoami.exe""#]);
    house
        .call("convert", json!({ "rule": rule, "target": "kusto", "table": "DeviceProcessEvents" }))
        .done(&["DeviceProcessEvents", r#"| where Image endswith "\\whoami.exe""#]);
    house.call("validate", json!({ "rule": "a: &a [x]\nb: [*a, *a]" })).done(&["no valid rule", "an anchor"]);
    for (arguments, part) in [
        (json!({ "rule": RULE.replace("endswith", "cased"), "target": "splunk" }), "not supported for splunk"),
        (json!({ "rule": RULE.replace("condition: selection", "condition: other"), "target": "splunk" }), "no selection `other`"),
    ] {
        house.call("convert", arguments).ended("error", "invalid-arguments", &[part]);
    }
    assert!(reached(&house).is_empty());
}

#[test]
fn a_collection_is_read_where_it_is_granted_and_bound() {
    let house = house().serve();
    for (tool, arguments) in [
        ("search", json!({ "rules": "linux" })),
        ("show", json!({ "rules": "linux", "id": ID })),
        ("search", json!({ "rules": "other" })),
    ] {
        house.call(tool, arguments).ended("denied", "out-of-scope", &[]);
    }
    house.call("search", json!({ "rules": "../secrets" })).ended("denied", "arguments-invalid", &[]);
    house.call("search", json!({ "rules": "gone" })).ended("error", "not-found", &["there is no collection `gone`"]);
    house.call("convert", json!({ "rule": RULE, "target": "elastic" })).ended("denied", "arguments-invalid", &[]);
    fs::write(house.folder().join("rules/windows.yml"), [0xff, 0xfe]).unwrap();
    house.call("search", json!({ "rules": "windows" })).ended("error", "invalid-arguments", &["not text"]);
}

#[test]
fn a_rule_is_committed_and_replaced_by_whoever_names_it() {
    let house = house().serve();
    let pushed = house.call_fresh("commit_rule", committing()).done(&["pushed rules/windows/new.yml to casemate-rules"]);
    let received = house.upstreams().received_by("github");
    let put = received.iter().find(|request| request.method() == "PUT").unwrap();
    let body: Value = serde_json::from_slice(&STANDARD.decode(put.0["body_base64"].as_str().unwrap()).unwrap()).unwrap();
    assert_eq!(body, json!({ "message": "Detect whoami", "content": STANDARD.encode(RULE), "branch": "casemate-rules" }));
    let token = format!("Bearer {}", house.secret().value());
    assert!(received.iter().all(|request| request.headers("authorization") == [token.as_str()]), "{received:?}");

    // It is there now.
    let other = with(committing(), "rule", json!(RULE.replace("level: low", "level: high")));
    house.call_fresh("commit_rule", other.clone()).ended("error", "invalid-arguments", &["does not accept"]);
    house.call_fresh("commit_rule", with(other.clone(), "replaces", json!("0".repeat(40)))).ended(
        "error",
        "invalid-arguments",
        &["look at it again"],
    );
    let replacing = with(other, "replaces", pushed.structured()["sha"].clone());
    let stranger = with(replacing.clone(), "rule", json!(RULE.replace("5c9b5f0e", "7c9b5f0e")));
    house.call_fresh("commit_rule", stranger).ended("error", "invalid-arguments", &["another rule"]);
    assert_eq!(changes(&house), 0);
    house.call_fresh("commit_rule", replacing).done(&["pushed"]);
}

#[test]
fn what_is_outside_the_grant_reaches_nobody() {
    let house = house().serve();
    for (name, value, reason) in [
        ("owner", json!("globex"), "out-of-scope"),
        ("repository", json!("other"), "out-of-scope"),
        ("folder", json!("src"), "out-of-scope"),
        ("branch", json!("casemate-other"), "out-of-scope"),
        ("branch", json!("main"), "arguments-invalid"),
        ("folder", json!(".github"), "arguments-invalid"),
        ("path", json!("../.github/workflows/ci.yml"), "arguments-invalid"),
        ("committer", json!({ "name": "CEO", "email": "ceo@example.com" }), "arguments-invalid"),
    ] {
        house.call_fresh("commit_rule", with(committing(), name, value.clone())).ended("denied", reason, &[]);
        assert!(reached(&house).is_empty(), "{name} {value}");
    }
    for (name, value, part) in [
        ("path", json!("windows/new.py"), "ends with .yml"),
        ("rule", json!(RULE.replace("status: test", "status: stable")), "its status is `stable`"),
        ("rule", json!(RULE.replace("id: 5c", "id: zz")), "no UUID"),
    ] {
        house.call_fresh("commit_rule", with(committing(), name, value.clone())).ended("error", "invalid-arguments", &[part]);
        assert!(reached(&house).is_empty(), "{name} {value}");
    }
}

#[test]
fn committing_is_off_and_dry_until_somebody_says_otherwise() {
    let off = house().set("plugins.@.tools.commit_rule.enabled", false).serve();
    off.call("commit_rule", committing()).ended("denied", "disabled", &[]);
    let low = house().set("grants.tester.max_effect", "read").serve();
    low.call("commit_rule", committing()).ended("denied", "effect-above-grant", &[]);
    let dry = house().without("plugins.@.tools.commit_rule.dry_run").serve();
    let planned = dry.call("commit_rule", committing()).done(&["‹secret token›"]);
    assert_eq!(planned.decision(), "planned");
    let request = &planned.structured()["plan"]["requests"][0];
    let targets = json!({ "owner": ["acme"], "repository": ["detections"], "folder": ["rules"], "branch": ["casemate-rules"] });
    assert_eq!((&request["method"], &request["targets"]), (&json!("PUT"), &targets));
    assert!(reached(&off).is_empty() && reached(&low).is_empty() && changes(&dry) == 0);
}

#[test]
fn a_commit_can_be_made_to_wait_for_a_person() {
    let house = enrol(house().set("plugins.@.tools.commit_rule.approval", "operator"), "alice").serve();
    let id = waits(house.call_fresh("commit_rule", committing()));
    assert_eq!(changes(&house), 0);
    let seen = shown(&house, &id).to_string();
    for part in ["title: Whoami", "whoami.exe", "casemate-rules", "rules/windows/new.yml", "Detect whoami"] {
        assert!(seen.contains(part), "`{part}` is not in {seen}");
    }
    say(&house, "approve", &id, "alice").done();
    house.call("commit_rule", committing()).done(&["pushed"]);
    assert_eq!(changes(&house), 1);
}

#[test]
fn what_github_declines_is_told() {
    let house = house().serve();
    for (branch, reason, part) in
        [("casemate-gone", "not-found", "no such file or branch"), ("casemate-protected", "invalid-arguments", "protected")]
    {
        house.call_fresh("commit_rule", with(committing(), "branch", json!(branch))).ended("error", reason, &[part]);
    }
    for (error, reason) in
        [("unauthorized", "unauthorized"), ("forbidden", "unauthorized"), ("exhausted", "rate-limited"), ("moved", "not-found")]
    {
        for (method, path) in [("GET", REPOSITORY), ("PUT", FILE)] {
            scripted(&house, method, path, json!({ "error": error }));
            house.call_fresh("commit_rule", committing()).ended("error", reason, &[]);
        }
    }
    scripted(&house, "GET", REPOSITORY, json!({ "answer": { "body": { "default_branch": "casemate-rules" } } }));
    house.call_fresh("commit_rule", committing()).ended("error", "invalid-arguments", &["default branch"]);
    assert_eq!(changes(&house), 0);
    for (script, reason) in [
        (json!({ "error": "broken" }), "outcome-unknown"),
        (json!({ "misbehave": { "kind": "close" } }), "outcome-unknown"),
        (json!({ "answer": { "status": 201, "body": {} } }), "upstream"),
    ] {
        scripted(&house, "PUT", FILE, script);
        house.call_fresh("commit_rule", committing()).ended("error", reason, &["outcome unknown"]);
        assert_eq!(changes(&house), 1, "it is not tried again");
    }
}

#[test]
fn a_github_that_lies_gets_nothing_past() {
    let house = house().serve();
    for kind in [
        "huge-body",
        "gzip-bomb",
        "wrong-shape",
        "html",
        "invalid-json",
        "empty-body",
        "deep-json",
        "redirect",
        "not-http",
        "two-lengths",
    ] {
        scripted(&house, "GET", REPOSITORY, json!({ "misbehave": { "kind": kind } }));
        let reply = house.call_fresh("commit_rule", committing());
        assert!(reply.is_error() && changes(&house) == 0, "{kind}: {reply:#?}");
        assert!(!reply.0.to_string().contains(['\u{200b}', '\u{202e}', '\u{feff}', '\u{1b}']), "{kind}: {reply:#?}");
    }
    house.call_fresh("commit_rule", committing()).done(&["pushed"]);
    // Well-formed, and meant for whoever reads it: nothing of it is told.
    scripted(&house, "GET", REPOSITORY, json!({ "misbehave": { "kind": "hostile-text" } }));
    let reply = house.call_fresh("commit_rule", committing());
    assert!(!reply.0.to_string().contains(['\u{200b}', '\u{202e}', '\u{feff}', '\u{1b}']), "{reply:#?}");
}
