//! The tools as they are called: collections that lie, rules that grow, and a repository that is never written but as it has to be.
#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::{fmt::Write as _, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use casemate_plugin::{
    Context, Failure, FailureKind, Outcome, SendError,
    testing::{Answer, Expected, Recorded, ScriptedSource, ScriptedUpstream, answer, check, fault, get, put},
};
use casemate_sigma::TOOLS;
use serde_json::{Value, json};

const RECORDED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recorded");
const ID: &str = "5c9b5f0e-8a0f-4a55-b3b6-6c6a0a6e2d11";
const RULE: &str = "\
title: Whoami
id: 5c9b5f0e-8a0f-4a55-b3b6-6c6a0a6e2d11
status: test
tags: [attack.discovery, attack.t1033.001]
logsource: {category: process_creation, product: windows}
detection:
  selection: {Image|endswith: '\\whoami.exe'}
  condition: selection
level: low
";
/// `git hash-object` of that.
const BLOB: &str = "b6f2b83ce6548e50c0bbaddd9c807defb7852a9c";
const COMMIT: &str = "7638417db6d59f3c431d3e1f261cc637155684cd";
const FILE: &str = "/repos/acme/detections/contents/rules/windows/x.yml";

fn structured(outcome: &Outcome) -> Value {
    serde_json::from_str(&outcome.structured).unwrap()
}

fn read(tool: &str, arguments: &Value) -> Result<Outcome, Failure> {
    casemate_plugin::testing::call(TOOLS, tool, arguments, &Context::scripted([]))
}

fn of(tool: &str, arguments: &Value, source: impl Into<ScriptedSource>) -> Result<Value, Failure> {
    let cx = Context::scripted([]).with_source("windows", source);
    casemate_plugin::testing::call(TOOLS, tool, arguments, &cx).map(|outcome| structured(&outcome))
}

fn with(mut arguments: Value, name: &str, value: Value) -> Value {
    arguments[name] = value;
    arguments
}

fn committing() -> Value {
    json!({ "owner": "acme", "repository": "detections", "branch": "casemate-rules", "folder": "rules", "path": "windows/x.yml",
        "rule": RULE, "message": "Detect whoami" })
}

fn commit(arguments: &Value, steps: Vec<(Expected, Answer)>) -> Result<Outcome, Failure> {
    let script = ScriptedUpstream::new("github");
    let upstream = steps.into_iter().fold(script, |script, (request, answer)| script.expect(request, answer));
    casemate_plugin::testing::call(TOOLS, "commit_rule", arguments, &Context::scripted([&upstream]))
}

fn repository() -> (Expected, Answer) {
    (get("/repos/acme/detections"), answer(200).json(&json!({ "default_branch": "main", "archived": false })))
}

fn pushed(sha: Option<&str>) -> (Expected, Answer) {
    let mut body = json!({ "message": "Detect whoami", "content": STANDARD.encode(RULE), "branch": "casemate-rules" });
    if let Some(sha) = sha {
        body["sha"] = json!(sha);
    }
    let made = json!({ "content": { "path": "rules/windows/x.yml", "sha": BLOB }, "commit": { "sha": COMMIT } });
    (put(FILE).json(body).timeout(Duration::from_secs(20)), answer(201).json(&made))
}

/// What GitHub has at the place, and its blob's id as `git hash-object` says it.
fn there(text: &str, sha: &str) -> (Expected, Answer) {
    let file = json!({ "type": "file", "path": "rules/windows/x.yml", "sha": sha, "size": text.len(), "encoding": "base64",
        "content": STANDARD.encode(text) });
    (get(FILE).query("ref", "casemate-rules"), answer(200).json(&file))
}

#[test]
fn packs() {
    assert_eq!(check(TOOLS), Vec::<String>::new());
    let described = casemate_plugin::describe(TOOLS);
    let effects: Vec<_> =
        described.as_array().unwrap().iter().map(|it| (it["name"].as_str().unwrap(), it["effect"].as_str().unwrap())).collect();
    assert_eq!(
        effects,
        [("validate", "read"), ("search", "read"), ("show", "read"), ("convert", "read"), ("commit_rule", "write")]
    );
}

#[test]
fn recorded_cases() {
    for case in Recorded::all(RECORDED).into_iter().filter(Recorded::plays_natively) {
        case.replay(TOOLS);
    }
}

#[test]
fn a_check_says_what_is_wrong_and_what_cannot_be_converted() {
    let outcome = read("validate", &json!({ "rule": RULE.replace("Image|endswith", "Image|cased") })).unwrap();
    let checked = structured(&outcome);
    assert_eq!((&checked["valid"], checked["unsupported"].as_array().unwrap().len()), (&json!(true), 2));
    assert!(outcome.text.contains("not for splunk: detection.selection.Image|cased: the modifier `cased`"), "{}", outcome.text);
    let checked = structured(&read("validate", &json!({ "rule": RULE.replace("level: low", "level: no") })).unwrap());
    assert_eq!((&checked["valid"], &checked["findings"][0]["place"]), (&json!(false), &json!("level")));
}

#[test]
fn a_rule_with_an_error_is_not_converted() {
    for (from, to, part) in [
        ("condition: selection", "condition: selektion", "no selection `selektion`"),
        ("title: Whoami", "title: &x Whoami", "an anchor"),
        ("level: low", "correlation: {}", "correlation"),
    ] {
        let failure = read("convert", &json!({ "rule": RULE.replace(from, to), "target": "splunk" })).unwrap_err();
        assert!(failure.kind() == FailureKind::InvalidArguments && failure.message().contains(part), "{failure}");
    }
    let kusto = json!({ "rule": RULE, "target": "kusto", "table": "DeviceProcessEvents" });
    assert_eq!(
        structured(&read("convert", &kusto).unwrap())["query"],
        "DeviceProcessEvents\n| where Image endswith \"\\\\whoami.exe\""
    );
    assert!(read("convert", &with(kusto, "target", json!("splunk"))).unwrap_err().message().contains("no tables"));
}

/// What is in a rule stays in its quotes, whatever it is.
#[test]
fn a_rule_cannot_write_its_own_query() {
    let rule = |field: &str, value: &str, rest: &str| {
        format!("title: x\nlogsource: {{product: x}}\ndetection:\n  s: {{'{field}': {value}}}\n  condition: s\n{rest}")
    };
    let attack = json!("\" | delete \\");
    for (target, expected) in [("splunk", "A=\"\\\" | delete \\\\\""), ("kusto", "A =~ \"\\\" | delete \\\\\"")] {
        let converted = read("convert", &json!({ "rule": rule("A", &attack.to_string(), ""), "target": target })).unwrap();
        assert_eq!(structured(&converted)["query"], expected);
    }
    for (field, value, rest) in [
        ("A=1 | delete", "x", ""),
        ("A\"", "x", ""),
        ("A]", "x", ""),
        ("A", "\"x\\ny\"", ""),
        ("A|re", "\"x\\ny\"", ""),
        ("A | delete|re", "x", ""),
        ("A", "x", "fields: ['a | delete']\n"),
    ] {
        let splunk = read("convert", &json!({ "rule": rule(field, value, rest), "target": "splunk" }));
        assert!(splunk.is_err(), "{field} {value} {rest}");
        if rest.is_empty() {
            assert!(read("convert", &json!({ "rule": rule(field, value, rest), "target": "kusto" })).is_err(), "{field} {value}");
        }
    }
}

#[test]
fn a_collection_is_searched_to_a_bound() {
    let mut many = String::new();
    for at in 0..120 {
        let _ = write!(many, "---\n{}", RULE.replace("Whoami", &format!("Whoami {at}")));
    }
    let found = of("search", &json!({ "rules": "windows", "technique": "T1033" }), &many).unwrap();
    assert_eq!((found["rules"].as_array().unwrap().len(), &found["next"]), (50, &json!(50)));
    let found = of("search", &json!({ "rules": "windows", "next": 100 }), &many).unwrap();
    assert_eq!((found["rules"].as_array().unwrap().len(), &found["next"]), (20, &json!(null)));
    assert_eq!(found["rules"][0]["title"], "Whoami 100");
    for (name, value, count) in [
        ("technique", "T1033.001", 1),
        ("technique", "T1033.002", 0),
        ("technique", "T103", 9),
        ("product", "Windows", 1),
        ("product", "window", 0),
        ("category", "process_creation", 1),
        ("service", "windows", 0),
        ("text", "WHOAMI.EXE", 1),
        ("text", "mimikatz", 0),
    ] {
        match of("search", &json!({ "rules": "windows", name: value }), RULE) {
            Ok(found) => assert_eq!(found["rules"].as_array().unwrap().len(), count, "{name} {value}"),
            Err(failure) => assert_eq!((failure.kind(), count), (FailureKind::InvalidArguments, 9), "{name} {value}"),
        }
    }
}

#[test]
fn a_collection_that_is_none_is_no_rule() {
    let broken = "---\na: &a [x]\n---\n- list\n---\n{[\n---\n\u{202e}\n";
    let found = of("search", &json!({ "rules": "windows" }), format!("{broken}---\n{RULE}")).unwrap();
    assert_eq!((found["rules"].as_array().unwrap().len(), &found["unread"]), (1, &json!(4)));
    let failure = of("search", &json!({ "rules": "windows" }), [0xff, 0xfe]).unwrap_err();
    assert!(failure.message().contains("not text"), "{failure}");
    let failure = of("search", &json!({ "rules": "windows" }), " ".repeat((8 << 20) + 1)).unwrap_err();
    assert!(failure.message().contains("at most 8388608"), "{failure}");
    let failure = of("search", &json!({ "rules": "linux" }), RULE).unwrap_err();
    assert!(failure.kind() == FailureKind::NotFound && failure.message().contains("bound: windows"), "{failure}");
    let hidden = of("search", &json!({ "rules": "windows" }), RULE.replace("Whoami", "Who\u{202e}ami")).unwrap();
    assert_eq!(hidden["rules"][0]["title"], "Who\u{fffd}ami");
}

#[test]
fn a_rule_is_shown_by_its_id_alone() {
    let arguments = json!({ "rules": "windows", "id": ID });
    assert_eq!(of("show", &arguments, RULE).unwrap()["rule"], RULE.trim_end());
    for (text, kind, part) in [
        (RULE.replace("5c9b5f0e", "6c9b5f0e"), FailureKind::NotFound, "no rule with this id"),
        (RULE.replace(&format!("id: {ID}"), &format!("description: {ID}")), FailureKind::NotFound, "no rule with this id"),
        (format!("{RULE}---\n{RULE}"), FailureKind::InvalidArguments, "several rules"),
    ] {
        let failure = of("show", &arguments, text).unwrap_err();
        assert!(failure.kind() == kind && failure.message().contains(part), "{failure}");
    }
}

#[test]
fn a_commit_is_one_file_with_the_rule() {
    let outcome = commit(&committing(), vec![repository(), pushed(None)]).unwrap();
    assert_eq!(structured(&outcome)["commit"], COMMIT);
    // The last line ends, whether it was written so or not.
    commit(&with(committing(), "rule", json!(RULE.trim_end())), vec![repository(), pushed(None)]).unwrap();
}

#[test]
fn only_a_rule_for_people_to_review_is_committed() {
    for (from, to, part) in [
        ("status: test", "status: stable", "its status is `stable`"),
        ("status: test", "status: deprecated", "its status is `deprecated`"),
        ("status: test\n", "", "it has no status"),
        ("id: 5c9b5f0e-8a0f-4a55-b3b6-6c6a0a6e2d11\n", "", "it has no id"),
        ("id: 5c9b5f0e", "id: five", "it is no UUID"),
        ("condition: selection", "condition: all", "no selection `all`"),
        ("title: Whoami", "title: *x", "yaml"),
    ] {
        let failure = commit(&with(committing(), "rule", json!(RULE.replace(from, to))), Vec::new()).unwrap_err();
        assert!(failure.message().starts_with("nothing was committed: ") && failure.message().contains(part), "{to}: {failure}");
    }
    for path in ["windows/x.yaml", "windows/x.yml.txt", "yml", ".github/x.yml", "../x.yml", "a/b/c/d/e.yml"] {
        let failure = commit(&with(committing(), "path", json!(path)), Vec::new()).unwrap_err();
        assert_eq!(failure.kind(), FailureKind::InvalidArguments, "{path}");
    }
    let key = format!("ghp_{}", "A1b2".repeat(9));
    let leaking = with(committing(), "rule", json!(RULE.replace("title: Whoami", &format!("title: {key}"))));
    let failure = commit(&leaking, Vec::new()).unwrap_err();
    assert!(failure.message().contains("a GitHub token") && !failure.message().contains(&key), "{failure}");
}

#[test]
fn only_the_same_rule_is_replaced() {
    let replacing = with(committing(), "replaces", json!(BLOB));
    commit(&replacing, vec![there(RULE, BLOB), repository(), pushed(Some(BLOB))]).unwrap();

    let other = "title: something else\n";
    for (text, sha, part) in [
        (RULE, "79290171047199d875c64f6654bce526e398af58", "not that of the blob"),
        (other, "d3ee11be6d49ddbcebadba08b795f1852bfcfcff", "the blob `d3ee11be6d49ddbcebadba08b795f1852bfcfcff` by now"),
    ] {
        let failure = commit(&replacing, vec![there(text, sha)]).unwrap_err();
        assert!(failure.message().contains(part), "{failure}");
    }
    let failure = commit(
        &with(committing(), "replaces", json!("d3ee11be6d49ddbcebadba08b795f1852bfcfcff")),
        vec![there(other, "d3ee11be6d49ddbcebadba08b795f1852bfcfcff")],
    )
    .unwrap_err();
    assert!(failure.message().contains("another rule"), "{failure}");
    let stable = RULE.replace("status: test", "status: stable");
    let failure = commit(
        &with(committing(), "replaces", json!("79290171047199d875c64f6654bce526e398af58")),
        vec![there(&stable, "79290171047199d875c64f6654bce526e398af58")],
    )
    .unwrap_err();
    assert!(failure.message().contains("the rule there is `stable`"), "{failure}");
}

#[test]
fn a_commit_without_an_answer_is_not_tried_again() {
    for reply in
        [answer(500), answer(201).json(&json!({})), fault(SendError::TimedOut("github")), fault(SendError::Broken("github"))]
    {
        let failure = commit(&committing(), vec![repository(), (pushed(None).0, reply)]).unwrap_err();
        assert_eq!((failure.kind(), failure.code()), (FailureKind::Upstream, Some("outcome-unknown")));
        assert!(failure.message().contains("look at it on GitHub"), "{failure}");
    }
    let main = answer(200).json(&json!({ "default_branch": "casemate-rules" }));
    let failure = commit(&committing(), vec![(get("/repos/acme/detections"), main)]).unwrap_err();
    assert!(failure.message().contains("default branch"), "{failure}");
}
