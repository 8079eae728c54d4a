//! GitHub's plugin as it is packed: it reads granted folders, and pushes to a branch that was made for it.

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    approvals::{enrol, say, shown, waits},
    harness::House,
};

const FILE: &str = "GET /repos/acme/detections/contents/rules/windows/whoami.yml";
const FOLDER: &str = "GET /repos/acme/detections/contents/rules";
const REPOSITORY: &str = "GET /repos/acme/detections";
const PUT: &str = "PUT /repos/acme/detections/contents/rules/windows/new.yml";
const RULE: &str = "title: certutil\nstatus: test\n";

/// One folder of one repository, and two branches; pushing is on and for real.
const CONFIG: &str = r#"
environment = "dev"

[plugins.@]
secret.token.file = "secrets/api_key"

[plugins.@.tools.push_file]
enabled = true
dry_run = false

[grants.tester]
principals = ["local"]
tools = ["@_*"]
max_effect = "write"
scope.owner = ["acme"]
scope.repository = ["detections"]
scope.folder = ["rules", "docs"]
scope.branch = ["casemate-rules", "casemate-protected", "casemate-gone"]
"#;

fn house() -> House {
    House::beside("github", CONFIG)
}

fn place(path: &str) -> Value {
    json!({ "owner": "acme", "repository": "detections", "folder": "rules", "path": path })
}

fn with(mut arguments: Value, name: &str, value: Value) -> Value {
    arguments[name] = value;
    arguments
}

fn rule() -> Value {
    let mut arguments = place("windows/new.yml");
    let push = json!({ "branch": "casemate-rules", "content": RULE, "message": "Detect certutil" });
    arguments.as_object_mut().unwrap().extend(push.as_object().unwrap().clone());
    arguments
}

#[test]
fn folders_and_files_are_read() {
    let house = house().serve();
    house
        .call("list_folder", json!({ "owner": "acme", "repository": "detections", "folder": "rules" }))
        .done(&["readme.txt", "windows (dir)"]);
    house.call("list_folder", place("windows")).done(&["whoami.yml (27 bytes)"]);
    house.call("get_file", place("windows/whoami.yml")).done(&["title: whoami"]);
    house.call("get_file", with(place("windows/whoami.yml"), "ref", json!("casemate-rules"))).done(&["title: whoami"]);
    for (arguments, reason, part) in [
        (place("windows"), "invalid-arguments", "look with list_folder"),
        (place("windows/logo.png"), "invalid-arguments", "not text"),
        (with(place("large.txt"), "folder", json!("docs")), "invalid-arguments", "larger than a megabyte"),
        (place("windows/nothing.yml"), "not-found", "no such file"),
        (with(place("windows/whoami.yml"), "ref", json!("nowhere")), "not-found", "no such file"),
    ] {
        house.call("get_file", arguments).ended("error", reason, &[part]);
    }
    let sent = house.upstreams().received_by("github");
    let token = format!("Bearer {}", house.secret().value());
    assert!(sent.iter().all(|request| request.headers("authorization") == [token.as_str()]), "{sent:?}");
}

#[test]
fn a_file_is_pushed_to_its_branch_and_replaced_by_whoever_names_it() {
    let house = house().serve();
    let pushed = house.call_fresh("push_file", rule()).done(&["pushed rules/windows/new.yml to casemate-rules"]);
    let body = json!({ "message": "Detect certutil", "content": STANDARD.encode(RULE), "branch": "casemate-rules" });
    assert_eq!(house.changes(), [body]);
    house.call("get_file", with(place("windows/new.yml"), "ref", json!("casemate-rules"))).done(&["certutil"]);
    house.call("get_file", place("windows/new.yml")).ended("error", "not-found", &[]);

    // It is there now.
    let other = with(rule(), "content", json!("title: something else\n"));
    house.call_fresh("push_file", other.clone()).ended("error", "invalid-arguments", &["does not accept"]);
    house.call_fresh("push_file", with(other.clone(), "replaces", json!("0".repeat(40)))).ended(
        "error",
        "invalid-arguments",
        &["read it again"],
    );
    house.call_fresh("push_file", with(other, "replaces", pushed.structured()["sha"].clone())).done(&[]);
}

/// Not by leaving it out, not by its name, and not where GitHub says that it is the default.
#[test]
fn the_default_branch_is_never_pushed_to() {
    let house = house().set("grants.tester.scope.branch", vec!["main", "casemate-rules"]).serve();
    let mut without = rule();
    without.as_object_mut().unwrap().remove("branch");
    for arguments in [without, with(rule(), "branch", json!("main")), with(rule(), "branch", json!("refs/heads/main"))] {
        house.call_fresh("push_file", arguments).ended("denied", "arguments-invalid", &[]);
        assert!(house.reached().is_empty());
    }
    house.answers(REPOSITORY, &json!({ "body": { "default_branch": "casemate-rules" } }));
    house.call_fresh("push_file", rule()).ended("error", "invalid-arguments", &["default branch"]);
    assert_eq!(house.changes(), Vec::<Value>::new());
}

#[test]
fn what_is_outside_the_grant_reaches_nobody() {
    let house = house().serve();
    for (name, value, reason) in [
        ("owner", json!("globex"), "out-of-scope"),
        ("repository", json!("other"), "out-of-scope"),
        ("folder", json!("src"), "out-of-scope"),
        ("branch", json!("casemate-other"), "out-of-scope"),
        ("folder", json!(".github"), "arguments-invalid"),
        ("path", json!("../.github/workflows/ci.yml"), "arguments-invalid"),
        ("path", json!("a/.hidden"), "arguments-invalid"),
        ("path", json!("a%2F..%2Fb"), "arguments-invalid"),
        ("committer", json!({ "name": "CEO", "email": "ceo@example.com" }), "arguments-invalid"),
    ] {
        house.call_fresh("push_file", with(rule(), name, value.clone())).ended("denied", reason, &[]);
        assert!(house.reached().is_empty(), "{name} {value}");
        if name != "branch" && name != "committer" {
            house.call_fresh("get_file", with(place("x.yml"), name, value.clone())).ended("denied", reason, &[]);
            assert!(house.reached().is_empty(), "{name} {value}");
        }
    }
}

#[test]
fn pushing_is_off_and_dry_until_somebody_says_otherwise() {
    let off = house().set("plugins.@.tools.push_file.enabled", false).serve();
    off.call("push_file", rule()).ended("denied", "disabled", &[]);
    let low = house().set("grants.tester.max_effect", "read").serve();
    low.call("push_file", rule()).ended("denied", "effect-above-grant", &[]);
    let dry = house().without("plugins.@.tools.push_file.dry_run").serve();
    let planned = dry.call("push_file", rule()).done(&["‹secret token›"]);
    assert_eq!(planned.decision(), "planned");
    let request = &planned.structured()["plan"]["requests"][0];
    let targets = json!({ "owner": ["acme"], "repository": ["detections"], "folder": ["rules"], "branch": ["casemate-rules"] });
    assert_eq!((&request["method"], &request["targets"]), (&json!("PUT"), &targets));
    assert!(off.reached().is_empty() && low.reached().is_empty() && dry.changes().is_empty());
}

#[test]
fn a_commit_can_be_made_to_wait_for_a_person() {
    let house = enrol(house().set("plugins.@.tools.push_file.approval", "operator"), "alice").serve();
    let id = waits(house.call_fresh("push_file", rule()));
    assert!(house.changes().is_empty());
    let seen = shown(&house, &id).to_string();
    for part in ["title: certutil", "casemate-rules", "rules/windows/new.yml", "Detect certutil"] {
        assert!(seen.contains(part), "`{part}` is not in {seen}");
    }
    say(&house, "approve", &id, "alice").done();
    house.call("push_file", rule()).done(&["pushed"]);
    assert_eq!(house.changes().len(), 1);
}

#[test]
fn what_github_declines_is_told() {
    let house = house().serve();
    house.call_fresh("push_file", with(rule(), "branch", json!("casemate-gone"))).ended(
        "error",
        "not-found",
        &["no such file or branch"],
    );
    house.call_fresh("push_file", with(rule(), "branch", json!("casemate-protected"))).ended(
        "error",
        "invalid-arguments",
        &["protected"],
    );
    let key = format!("ghp_{}", "A1b2".repeat(9));
    house.call_fresh("push_file", with(rule(), "content", json!(key))).ended("error", "invalid-arguments", &["a GitHub token"]);
    for (error, reason) in [
        ("unauthorized", "unauthorized"),
        ("forbidden", "unauthorized"),
        ("exhausted", "rate-limited"),
        ("secondary", "rate-limited"),
        ("moved", "not-found"),
    ] {
        house.scripted(FILE, json!({ "error": error }));
        house.call_fresh("get_file", place("windows/whoami.yml")).ended("error", reason, &[]);
        house.scripted(PUT, json!({ "error": error }));
        house.call_fresh("push_file", rule()).ended("error", reason, &[]);
        house.scripted(REPOSITORY, json!({ "error": error }));
        house.call_fresh("push_file", rule()).ended("error", reason, &[]);
        assert!(house.changes().is_empty(), "{error}");
    }
    for (script, reason) in [
        (json!({ "error": "broken" }), "outcome-unknown"),
        (json!({ "misbehave": { "kind": "close" } }), "outcome-unknown"),
        (json!({ "answer": { "status": 201, "body": {} } }), "upstream"),
    ] {
        house.scripted(PUT, script);
        house.call_fresh("push_file", rule()).ended("error", reason, &["outcome unknown", "get_file"]);
        assert_eq!(house.changes().len(), 1, "it is not tried again");
    }
}

#[test]
fn a_github_that_lies_gets_nothing_past() {
    let house = house().serve();
    house.bears("list_folder", &json!({ "owner": "acme", "repository": "detections", "folder": "rules" }), FOLDER);
    house.bears("get_file", &place("windows/whoami.yml"), FILE);
}
