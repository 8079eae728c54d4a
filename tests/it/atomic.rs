//! Atomic Red Team's plugin as it is packed: tests of granted techniques on a granted machine, and nobody else's words in what is run.

use std::fs;

use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use crate::{
    approvals::{enrol, say, shown, waits},
    harness::House,
};

const CATALOGUE: &str = include_str!("../../plugins/atomic/tests/catalogue.yaml");
const TEST: &str = "66703791-c902-4560-8770-42b8a91f7667";
/// A test that the fake never ends.
const ENDLESS: &str = "99999999-0000-4000-8000-000000000000";
const WSMAN: &str = "POST /wsman";

/// One machine and one technique; everything is on and for real, and nobody is asked.
const CONFIG: &str = r#"
environment = "dev"

[plugins.@]
secret.username.file = "secrets/username"
secret.password.file = "secrets/api_key"
source.windows.file = "atomics.yaml"
settings = { computer = "lab-win-1" }

[plugins.@.tools.check_prerequisites]
enabled = true
dry_run = false
approval = "none"

[plugins.@.tools.invoke_test]
enabled = true
dry_run = false
approval = "none"

[plugins.@.tools.cleanup_test]
enabled = true
dry_run = false
approval = "none"

[grants.tester]
principals = ["local"]
tools = ["@_*"]
max_effect = "destructive"
scope.host = ["lab-win-1"]
scope.technique = ["T1082"]
"#;

fn house() -> House {
    let house = House::beside("atomic", CONFIG);
    let user = house.folder().join("secrets/username");
    fs::copy(house.folder().join("secrets/api_key"), &user).unwrap();
    fs::write(&user, "tester").unwrap();
    let endless = CATALOGUE.replace("77777777-c902-4560-8770-42b8a91f7667", ENDLESS);
    fs::write(house.folder().join("atomics.yaml"), endless).unwrap();
    house
}

fn target() -> Value {
    json!({ "host": "LAB-WIN-1", "technique": "T1082", "test": TEST })
}

fn with(mut arguments: Value, name: &str, value: Value) -> Value {
    arguments[name] = value;
    arguments
}

/// The steps that reached the machine.
fn steps(house: &House) -> Vec<String> {
    house.reached().iter().map(|it| it.split("step=").nth(1).unwrap().split('&').next().unwrap().to_owned()).collect()
}

/// The script in a command's envelope.
fn script(envelope: &str) -> String {
    let encoded = envelope.split("-EncodedCommand ").nth(1).unwrap().split('<').next().unwrap();
    let bytes = STANDARD.decode(encoded).unwrap();
    String::from_utf16(&bytes.chunks(2).map(|pair| u16::from_le_bytes([pair[0], pair[1]])).collect::<Vec<_>>()).unwrap()
}

#[test]
fn the_catalogue_is_searched_and_shown_without_a_machine() {
    let house = house().serve();
    house
        .call("search_tests", json!({ "technique": "T1082", "platform": "windows" }))
        .done(&[TEST, "System Information Discovery"]);
    house.call("show_test", json!({ "technique": "T1082", "test": TEST })).done(&["systeminfo", "nothing to take back"]);
    house.call("show_test", json!({ "technique": "T1083", "test": TEST })).ended("error", "not-found", &["no technique"]);
    assert!(house.reached().is_empty());
}

#[test]
fn a_test_is_checked_run_and_taken_back() {
    let house = house().serve();
    for (tool, step, part) in [
        ("check_prerequisites", "check", "Prerequisites met: T1082"),
        ("invoke_test", "invoke", "Host Name: LAB-WIN-1"),
        ("cleanup_test", "cleanup", "Done executing cleanup for test: T1082"),
    ] {
        house.call_fresh(tool, target()).done(&[part, "ended with exit code 0"]);
        let steps = steps(&house);
        assert_eq!(
            (steps[0].as_str(), steps[1].as_str(), &steps[steps.len() - 2..]),
            ("create", step, &["signal".to_owned(), "delete".to_owned()][..])
        );
        // The header that people read says what is run.
        let received = house.upstreams().received_by("atomic");
        let command = received.iter().find(|request| request.target().contains(&format!("step={step}&"))).unwrap();
        let body = STANDARD.decode(command.0["body_base64"].as_str().unwrap()).unwrap();
        assert_eq!(command.headers("x-casemate-script"), [script(std::str::from_utf8(&body).unwrap()).as_str()]);
        let basic = format!("Basic {}", STANDARD.encode(format!("tester:{}", house.secret().value())));
        assert!(received.iter().all(|request| request.headers("authorization") == [basic.as_str()]));
    }
}

/// Twice as much as the project has, up to the last technique, within what a call may take.
#[test]
fn a_large_catalogue_is_searched_to_its_end() {
    let house = house();
    let other = CATALOGUE.replace("T1082", "T1083").replace("System Information", "Folder");
    let mut catalogue = format!("{other}\n---\n").repeat((6 << 20) / other.len());
    catalogue.push_str(CATALOGUE);
    fs::write(house.folder().join("atomics.yaml"), catalogue).unwrap();
    let house = house.serve();
    house.call("search_tests", json!({ "text": "System Information Discovery" })).done(&["1 tests", TEST]);
    let shown = house.call("search_tests", json!({ "platform": "linux" })).done(&["60 tests", "offset = 60"]);
    assert_eq!(shown.structured()["unread"], Value::Null);
}

#[test]
fn what_is_outside_the_grant_reaches_nobody() {
    let house = house().serve();
    for tool in ["check_prerequisites", "invoke_test", "cleanup_test"] {
        for (name, value, reason) in [
            ("host", json!("PROD-1"), "out-of-scope"),
            ("technique", json!("T1059.001"), "out-of-scope"),
            ("host", json!("LAB-WIN-1'; calc; '"), "arguments-invalid"),
            ("technique", json!("T1082 -InputArgs @{}"), "arguments-invalid"),
            ("test", json!("66703791-c902-4560-8770-42b8a91f7667;calc"), "arguments-invalid"),
            ("input_args", json!({ "command": "calc" }), "arguments-invalid"),
            ("command", json!("calc"), "arguments-invalid"),
        ] {
            house.call_fresh(tool, with(target(), name, value.clone())).ended("denied", reason, &[]);
            assert!(house.reached().is_empty(), "{tool} {name} {value}");
        }
        let unknown = with(target(), "test", json!("66703791-c902-4560-8770-42b8a91f7668"));
        house.call_fresh(tool, unknown).ended("error", "not-found", &["has no test"]);
        assert!(house.reached().is_empty());
    }
}

/// The grant names a machine that the upstream is not: nothing runs there.
#[test]
fn another_machine_than_the_one_that_is_bound_runs_nothing() {
    let house = house().set("grants.tester.scope.host", vec!["lab-win-1", "lab-win-2"]).serve();
    let other = with(target(), "host", json!("LAB-WIN-2"));
    house.call_fresh("invoke_test", other.clone()).ended("error", "invalid-arguments", &["the operator has bound `LAB-WIN-1`"]);
    assert!(house.reached().is_empty());
    let table: toml::Table = "computer = \"lab-win-2\"".parse().unwrap();
    let house = self::house().set("grants.tester.scope.host", vec!["lab-win-2"]).set("plugins.@.settings", table).serve();
    house.call_fresh("invoke_test", other).ended("error", "upstream", &["the machine there is another"]);
}

#[test]
fn running_is_off_and_dry_until_somebody_says_otherwise() {
    let off = house().set("plugins.@.tools.invoke_test.enabled", false).serve();
    off.call("invoke_test", target()).ended("denied", "disabled", &[]);
    let low = house().set("grants.tester.max_effect", "execute").serve();
    low.call("invoke_test", target()).ended("denied", "effect-above-grant", &[]);
    let dry = house().without("plugins.@.tools.invoke_test.dry_run").serve();
    let planned = dry
        .call("invoke_test", target())
        .done(&["Invoke-AtomicTest T1082 -TestGuids 66703791-c902-4560-8770-42b8a91f7667 -TimeoutSeconds 30"]);
    assert_eq!(planned.decision(), "planned");
    let requests = planned.structured()["plan"]["requests"].as_array().unwrap().clone();
    let contracts: Vec<_> = requests.iter().map(|request| request["contract"].as_str().unwrap()).collect();
    assert_eq!(contracts, ["create-shell", "run-test", "signal", "delete-shell"]);
    assert_eq!(requests[1]["targets"], json!({ "host": ["lab-win-1"], "technique": ["T1082"] }));
    assert_eq!(requests[1]["headers"]["x-casemate-script"], script(requests[1]["body"]["text"].as_str().unwrap()));
    assert!(off.reached().is_empty() && low.reached().is_empty() && dry.reached().is_empty());
}

#[test]
fn a_person_sees_the_command_and_it_runs_once() {
    let house = enrol(house().set("plugins.@.tools.invoke_test.approval", "operator"), "alice").serve();
    let id = waits(house.call_fresh("invoke_test", target()));
    assert!(house.reached().is_empty());
    let seen = shown(&house, &id).to_string();
    for part in ["Invoke-AtomicTest T1082 -TestGuids 66703791-c902-4560-8770-42b8a91f7667", "LAB-WIN-1"] {
        assert!(seen.contains(part), "`{part}` is not in {seen}");
    }
    say(&house, "approve", &id, "alice").done();
    house.call("invoke_test", target()).done(&["Host Name: LAB-WIN-1"]);
    assert_eq!(steps(&house).iter().filter(|step| *step == "invoke").count(), 1);
}

#[test]
fn a_test_that_does_not_end_is_ended() {
    let house = house().serve();
    let reply = house.call_fresh("invoke_test", with(target(), "test", json!(ENDLESS))).done(&["was ended before it was done"]);
    assert_eq!(reply.structured()["finished"], false);
    assert_eq!(steps(&house).last().map(String::as_str), Some("delete"));
}

#[test]
fn what_the_machine_declines_is_told() {
    let house = house().serve();
    // The host calls whatever has status 500 and above not known; what the plugin knows is in its words.
    for (error, reason, part) in [
        ("unauthorized", "unauthorized", "credentials"),
        ("forbidden", "unauthorized", "does not let"),
        ("denied", "outcome-unknown", "denies access"),
        ("quota", "outcome-unknown", "the fault 2150859174"),
        ("broken", "outcome-unknown", "nothing was run"),
    ] {
        house.scripted(WSMAN, json!({ "error": error }));
        house.call_fresh("invoke_test", target()).ended("error", reason, &[part]);
        assert_eq!(steps(&house), ["create"], "{error}");
    }
}

#[test]
fn a_machine_that_lies_gets_nothing_past() {
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
        "hostile-text",
    ] {
        house.scripted(WSMAN, json!({ "misbehave": { "kind": kind } }));
        let reply = house.call_fresh("invoke_test", target());
        assert!(reply.is_error(), "{kind}: {reply:#?}");
        assert_eq!(steps(&house), ["create"], "{kind}");
        assert!(!reply.0.to_string().contains(['\u{200b}', '\u{202e}', '\u{feff}', '\u{1b}']), "{kind}: {reply:#?}");
    }
    let bomb = "<!DOCTYPE a [<!ENTITY x \"x\">]><s:Envelope>&x;</s:Envelope>";
    house.answers(WSMAN, &json!({ "status": 200, "body": bomb }));
    house.call_fresh("invoke_test", target()).ended("error", "upstream", &["nothing was run"]);
    house.call_fresh("invoke_test", target()).done(&["Host Name"]);
}
