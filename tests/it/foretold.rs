//! What the rules say of a call before anybody makes it: `casemate policy`.

use std::fs;

use serde_json::{Value, json};

use crate::harness::{Guest, House, Ran};

/// A house where `change` is on, for real, for group `lab`.
fn house() -> House {
    let house = House::new(&Guest::new("empty_answer"))
        .set("grants.tester.max_effect", "write")
        .set("plugins.@.tools.change.enabled", true)
        .set("plugins.@.tools.change.dry_run", false);
    house.install().done();
    house
}

fn ask(house: &House, command: &str, call: &Value) -> Ran {
    let file = house.folder().join("call.json");
    fs::write(&file, call.to_string()).unwrap();
    house.casemate(&["policy", command, "--fresh", &file.display().to_string()])
}

fn change(group: &str) -> Value {
    json!({ "tool": "empty-answer_change", "arguments": { "group": group } })
}

fn with(mut call: Value, name: &str, value: Value) -> Value {
    call[name] = value;
    call
}

fn json_of(house: &House, command: &str, call: &Value) -> Value {
    let file = house.folder().join("call.json");
    fs::write(&file, call.to_string()).unwrap();
    let ran = house.casemate(&["--format", "json", "policy", command, "--fresh", &file.display().to_string()]);
    serde_json::from_str(&ran.stdout).unwrap()
}

#[test]
fn an_allowed_and_a_denied_call_are_told_apart() {
    let house = house();
    let allowed = ask(&house, "check", &change("lab")).done();
    assert!(allowed.stdout.contains("allowed: under grant tester"), "{allowed:#?}");
    let denied = ask(&house, "check", &change("prod"));
    assert_eq!(denied.code, 2);
    assert!(denied.stdout.contains("(out-of-scope, by the layer scope)"), "{denied:#?}");
    assert!(denied.stdout.contains("operator  add it to `scope.group"), "{denied:#?}");
}

#[test]
fn every_layer_is_told_under_every_grant() {
    let house = house()
        .set("grants.second.principals", vec!["local"])
        .set("grants.second.tools", vec!["empty-answer_*"])
        .set("grants.second.max_effect", "read");
    let answer = json_of(&house, "explain", &change("prod"));
    let grants = answer["grants"].as_array().unwrap();
    assert_eq!(grants.len(), 2);
    for grant in grants {
        let layers: Vec<&str> =
            grant["layers"].as_array().unwrap().iter().map(|layer| layer["layer"].as_str().unwrap()).collect();
        let all = [
            "identity", "catalog", "enable", "effect", "input", "scope", "flow", "budget", "breaker", "cedar", "approval",
            "dry-run",
        ];
        assert_eq!(layers, all);
    }
    let objecting = |grant: &Value| -> Vec<String> {
        let layers = grant["layers"].as_array().unwrap().iter();
        layers.filter(|layer| layer["outcome"] != "pass").map(|layer| layer["layer"].as_str().unwrap().to_owned()).collect()
    };
    let of = |name: &str| grants.iter().find(|grant| grant["grant"] == name).map(objecting).unwrap();
    assert_eq!(of("tester"), ["scope"]);
    assert_eq!(of("second"), ["effect", "scope"]);
    assert_eq!(answer["decision"], "denied");
    let shown = ask(&house, "explain", &change("prod"));
    assert!(shown.stdout.contains("  DENY  scope     out-of-scope: group `prod` is outside the grant"), "{shown:#?}");
}

#[test]
fn what_is_supposed_counts() {
    let house = house();
    let decided = |call: Value| {
        let answer = json_of(&house, "check", &call);
        (answer["decision"].as_str().unwrap().to_owned(), answer["reason"].as_str().unwrap_or_default().to_owned())
    };
    let is = |decision: &str, reason: &str| (decision.to_owned(), reason.to_owned());
    assert_eq!(decided(change("lab")), is("allowed", ""));
    assert_eq!(decided(with(change("lab"), "labels", json!(["secret"]))), is("deferred", "flow-needs-approval"));
    assert_eq!(decided(with(change("lab"), "labels", json!(["untrusted"]))), is("allowed", ""));
    assert_eq!(decided(with(change("lab"), "tainted", json!(["/group"]))), is("deferred", "flow-needs-approval"));
    assert_eq!(decided(with(change("lab"), "paused", json!(true))), is("denied", "paused"));
    assert_eq!(decided(with(change("lab"), "principal", json!("token:nobody"))), is("denied", "no-grant"));
    assert_eq!(decided(with(change("lab"), "arguments", json!([]))), is("denied", "arguments-not-object"));
}

#[test]
fn a_call_that_would_be_asked_about_is_not_made() {
    let house = house();
    let before = house.audit().len();
    ask(&house, "explain", &change("lab")).done();
    assert!(house.received().is_empty());
    assert_eq!(house.audit().len(), before);
}

#[test]
fn a_call_file_that_is_no_call_is_refused_with_what_one_is() {
    let house = house();
    ask(&house, "check", &json!({ "tool": "x", "argumnets": {} })).faulty(&["unknown field `argumnets`", "help: a call is"]);
    ask(&house, "explain", &json!({ "tool": "x", "labels": ["Not A Label"] })).faulty(&["call.json"]);
    house.casemate(&["policy", "explain"]).faulty(&["<CALL.json>"]);
    house.casemate(&["policy", "check", "--fresh"]).faulty(&["<CALL.json>"]);
    house.casemate(&["policy", "check", "nowhere.json"]).faulty(&["nowhere.json", "cannot be read"]);
}

#[test]
fn a_table_of_calls_holds_or_says_where_it_does_not() {
    let house = house();
    let table = r#"
[[case]]
name = "the lab may be changed"
call = { tool = "empty-answer_change", arguments = { group = "lab" } }
expect = "allowed"

[[case]]
name = "production may not"
call = { tool = "empty-answer_change", arguments = { group = "prod" }, at = 2026-03-01T03:00:00Z }
expect = "denied"
layer = "scope"
reason = "out-of-scope"
"#;
    fs::create_dir(house.folder().join("policies")).unwrap();
    let file = house.folder().join("policies/tests.toml");
    fs::write(&file, table).unwrap();
    let ran = house.casemate(&["policy", "test"]).done();
    assert!(ran.stdout.contains("2 cases, 0 failed"), "{ran:#?}");

    fs::write(&file, table.replace("\"out-of-scope\"", "\"paused\"")).unwrap();
    let ran = house.casemate(&["policy", "test"]);
    assert_eq!(ran.code, 1);
    for part in [
        "FAIL  production may not",
        "tests.toml:7",
        "expected  denied scope paused",
        "got       denied scope out-of-scope",
        "1 failed",
    ] {
        assert!(ran.stdout.contains(part), "`{part}` is not in {ran:#?}");
    }

    fs::write(&file, "case = []").unwrap();
    house.casemate(&["policy", "test"]).faulty(&["has no case"]);
    fs::write(&file, table.replace("expect", "expects")).unwrap();
    house.casemate(&["policy", "test"]).faulty(&["tests.toml:", "unknown field `expects`", "did you mean `expect`?"]);
}

#[test]
fn a_policy_is_in_every_answer_and_a_misspelt_one_fails_the_check() {
    let house = house();
    fs::create_dir(house.folder().join("policies")).unwrap();
    let file = house.folder().join("policies/hours.cedar");
    fs::write(
        &file,
        "@id(\"no-changes-at-night\")\n@message(\"changes are made by day\")\nforbid(principal, action in Action::\"write\", resource) when { context.hour < 6 };",
    )
    .unwrap();
    let checked = house.casemate(&["policy", "check"]).done();
    assert!(checked.stdout.contains("no-changes-at-night"), "{checked:#?}");
    let night = json_of(&house, "check", &with(change("lab"), "at", json!("2026-03-01T03:00:00Z")));
    assert_eq!((night["decision"].as_str(), night["layer"].as_str()), (Some("denied"), Some("cedar")));
    let day = json_of(&house, "check", &with(change("lab"), "at", json!("2026-03-01T13:00:00Z")));
    assert_eq!(day["decision"], "allowed");
    let schema = house.casemate(&["policy", "schema"]).done();
    assert!(schema.stdout.contains("action \"empty-answer_change\" in [\"write\", \"empty-answer\"]"), "{schema:#?}");

    fs::write(&file, "forbid(principal, action == Action::\"empty-answer_chnage\", resource);").unwrap();
    let ran = house.casemate(&["policy", "check"]);
    assert_ne!(ran.code, 0);
    assert!(ran.stderr.contains("hours.cedar:1:") && ran.stderr.contains("did you mean `empty-answer_change`?"), "{ran:#?}");
}
