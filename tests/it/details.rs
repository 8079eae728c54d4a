//! What a call that executes has sent and got: kept in full for the operator, without secrets, checked with the log, and removed with it.

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    thread::sleep,
    time::Duration,
};

use serde_json::{Value, json};

use crate::harness::{Guest, House, said};

const RUNS: &str = "
    without_flows = ['untrusted-then-execute', 'untrusted-value-into-write']
    [audit]
    keep = '1s'
    [plugins.@.tools]
    start = { enabled = true, dry_run = false, approval = 'none' }
    [grants.tester]
    max_effect = 'execute'";

fn house() -> House {
    House::new(&Guest::new("errands")).with(RUNS).serve()
}

/// Run something; the upstream says the key that it was sent. Gives the call's audit id.
fn run(house: &House, note: &str) -> String {
    house.upstreams().script(json!({ "misbehave": { "kind": "echo-key", "form": "plain" } }));
    house.call("start", json!({ "group": "lab", "note": note })).done(&["200"]).audit_id().to_owned()
}

fn file(house: &House, id: &str) -> PathBuf {
    house.folder().join("state/dev/audit/chain-0/details").join(format!("{id}.json"))
}

#[test]
fn what_was_sent_and_got_is_kept_for_its_owner_alone_and_without_secrets() {
    let house = house();
    let id = run(&house, "what is run");
    let path = file(&house, &id);
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    let text = fs::read_to_string(&path).unwrap();
    house.secret().assert_not_in("the details", text.as_bytes());
    let kept: Value = serde_json::from_str(&text).unwrap();
    let exchange = &kept["exchanges"][0];
    assert_eq!((&exchange["request"]["method"], &exchange["request"]["path"]), (&json!("POST"), &json!("/runs")), "{kept:#}");
    let body = |of: &str| exchange[of]["body"].as_str().unwrap().to_owned();
    let sent: Value = serde_json::from_str(&body("request")).unwrap();
    assert_eq!(sent, json!({ "group": "lab", "note": "what is run" }));
    assert!(exchange["answer"]["status"] == "200" && body("answer").contains("‹secret api_key›"), "{kept:#}");
    // The outcome names it, and both are shown.
    let outcome = house.records("outcome").pop().unwrap();
    assert!(said(&outcome, "details")["sha256"].is_string(), "{outcome:#}");
    let shown: Value = serde_json::from_str(&house.casemate(&["audit", "show", "--details", &id]).done().stdout).unwrap();
    assert_eq!(shown, kept);
    let whole = house.casemate(&["audit", "show", &id]).done();
    assert!(whole.stdout.contains("\"details\""), "{whole:#?}");
    assert!(whole.stderr.contains(&format!("casemate audit show --details {id}")), "{whole:#?}");
    // Of a call that only reads nothing is kept.
    let read = house.call("hosts", json!({})).done(&["200"]);
    house.casemate(&["audit", "show", "--details", read.audit_id()]).faulty(&["they are of calls that execute or destroy"]);
    let folder = file(&house, &id);
    assert_eq!(fs::read_dir(folder.parent().unwrap()).unwrap().count(), 1);
}

#[test]
fn details_that_were_changed_removed_or_swapped_are_noticed() {
    let mut house = house();
    let (one, other) = (run(&house, "one"), run(&house, "other"));
    house.close();
    let (one, other) = (file(&house, &one), file(&house, &other));
    let (first, second) = (fs::read(&one).unwrap(), fs::read(&other).unwrap());
    let put = |path: &Path, bytes: &[u8]| fs::write(path, bytes).unwrap();
    let report = house.casemate(&["audit", "verify", "--format", "json"]).done().stdout;
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!(report["chains"][0]["details"], 2, "{report:#}");

    put(&one, &String::from_utf8(first.clone()).unwrap().replace("\"200\"", "\"201\"").into_bytes());
    house.casemate(&["audit", "verify"]).refused(&["were changed"]);
    house.casemate(&["audit", "show", "--details", one.file_stem().unwrap().to_str().unwrap()]).refused(&["detail"]);
    fs::remove_file(&one).unwrap();
    house.casemate(&["audit", "verify"]).refused(&["are missing"]);
    put(&one, &second);
    put(&other, &first);
    house.casemate(&["audit", "verify"]).refused(&["were changed"]);
    put(&one, &first);
    put(&other, &second);
    house.casemate(&["audit", "verify"]).done();
}

/// Calls that are refused, with arguments that fill a file of records.
fn fill(house: &House) {
    let targets = vec!["x".repeat(4000); 62];
    let chain = house.folder().join("state/dev/audit/chain-0");
    let files = || {
        let names = fs::read_dir(&chain).unwrap().map(|entry| entry.unwrap().path());
        names.filter(|path| path.extension().is_some_and(|extension| extension == "jsonl")).count()
    };
    while files() < 2 {
        let reply = house.call("start", json!({ "group": "lab", "details": { "targets": targets } }));
        assert!(reply.is_error(), "{reply:?}");
    }
}

#[test]
fn details_go_with_the_records_that_name_them_and_no_sooner() {
    let mut house = house();
    let old = run(&house, "old");
    fill(&house);
    let new = run(&house, "new");
    house.close();
    sleep(Duration::from_millis(1100));
    house.casemate(&["audit", "prune", "--before", "2001-01-01T00:00:00Z"]).done();
    assert!(file(&house, &old).exists(), "nothing was old enough");
    let pruned = house.casemate(&["audit", "prune", "--keep", "1s"]).done().stdout;
    assert!(pruned.contains("with the details of 1 call"), "{pruned}");
    assert!(!file(&house, &old).exists() && file(&house, &new).exists());
    house.casemate(&["audit", "show", "--details", &old]).faulty(&["no exchanges are kept"]);
    house.casemate(&["audit", "show", "--details", &new]).done();
    house.casemate(&["audit", "verify"]).done();
}
