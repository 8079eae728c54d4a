use std::{fs, path::PathBuf};

use serde_json::{Value, json};

use super::{Chain, Why, Word, chain};
use crate::trail::{Look, svg, tree};

/// A state folder with one chain of these records. Reading believes them.
pub(in crate::trail) fn written(records: &[Value]) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("audit/chain-0");
    fs::create_dir_all(&folder).unwrap();
    let lines: String = records.iter().map(|record| format!("{record}\n")).collect();
    fs::write(folder.join("00000000000000000000.jsonl"), lines).unwrap();
    let state = dir.path().to_owned();
    (dir, state)
}

pub(in crate::trail) fn record(number: u32, event: &str, tool: &str, outcome: &str, facts: Value) -> Value {
    json!({
        "event_id": format!("e{number}"), "event_type": event, "occurred_at": format!("2026-11-22T10:00:{number:02}.000Z"), "outcome": outcome,
        "principal_id": "token:agent", "tool_name": tool, "extensions": { "casemate": facts },
    })
}

/// A lookup whose result names a host; a plan to block it that a person agrees to; the block.
fn story() -> Vec<Value> {
    vec![
        record(1, "intent", "vt_report", "allowed", json!({ "call_id": "c1", "effect": "read", "mode": "real" })),
        record(
            2,
            "outcome",
            "vt_report",
            "allowed",
            json!({ "call_id": "c1", "intent": "e1", "ending": "returned",
            "requests": [{ "method": "GET", "url": "https://vt/1", "status": "200" }] }),
        ),
        record(3, "intent", "other_thing", "allowed", json!({ "call_id": "c9", "effect": "read" })),
        record(
            4,
            "intent",
            "fw_block",
            "allowed",
            json!({ "call_id": "c2", "effect": "destructive", "mode": "dry-run",
            "targets": [{ "dimension": "host", "values": ["192.0.2.1"] }],
            "read": [{ "audit_id": "e1", "label": "untrusted", "tool": "vt_report" }],
            "carried": [{ "argument": "/ip", "audit_id": "e1", "label": "untrusted", "tool": "vt_report" }] }),
        ),
        record(5, "outcome", "fw_block", "allowed", json!({ "call_id": "c2", "intent": "e4", "ending": "planned" })),
        record(
            6,
            "deferred",
            "fw_block",
            "deferred",
            json!({ "call_id": "c2", "approval": "aaaa", "reason": "approval-required" }),
        ),
        record(
            7,
            "approval.voted",
            "",
            "allowed",
            json!({ "fields": { "approval": "aaaa", "approver": "alice", "said": "approve", "reason": "seen" } }),
        ),
        record(8, "deferred", "fw_block", "deferred", json!({ "call_id": "c3", "approval": "aaaa" })),
        record(
            9,
            "intent",
            "fw_block",
            "allowed",
            json!({ "call_id": "c4", "approval": "aaaa", "effect": "destructive", "mode": "real",
            "read": [{ "audit_id": "e1", "label": "untrusted", "tool": "vt_report" }], "carried": [] }),
        ),
        // Ended by the host that started again after a crash: it knows the intent and not the call.
        record(10, "outcome", "fw_block", "unknown", json!({ "intent": "e9", "ending": "interrupted" })),
        record(
            11,
            "intent",
            "late_call",
            "allowed",
            json!({ "call_id": "c5", "read": [{ "audit_id": "e9", "label": "untrusted", "tool": "fw_block" }] }),
        ),
    ]
}

fn ids(chain: &Chain) -> Vec<&str> {
    chain.steps.iter().map(|step| step.id.as_str()).collect()
}

#[test]
fn a_chain_goes_back_to_what_was_read_and_who_agreed() {
    let (_dir, state) = written(&story());
    let chain = chain(&state, "e9").unwrap();
    assert_eq!(ids(&chain), ["e1", "e4", "e7", "e9"]);
    assert_eq!(chain.steps[chain.root].outcome, "unknown");
    let links: Vec<(&str, &str, String)> =
        chain.links.iter().map(|link| (ids(&chain)[link.from], ids(&chain)[link.to], link.why.to_string())).collect();
    assert!(links.contains(&("e4", "e9", "asked for the approval".to_owned())), "{links:?}");
    assert!(links.contains(&("e7", "e9", "approved by alice".to_owned())), "{links:?}");
    assert!(links.contains(&("e1", "e4", "gave the value of /ip".to_owned())), "{links:?}");
    assert!(links.contains(&("e1", "e9", "was read (untrusted)".to_owned())), "{links:?}");
    assert!(!chain.cut && chain.links.iter().all(|link| link.from < link.to));
}

#[test]
fn a_chain_is_found_by_record_call_and_approval() {
    let (_dir, state) = written(&story());
    for id in ["e9", "e10", "c4", "aaaa"] {
        let chain = chain(&state, id).unwrap();
        assert_eq!(ids(&chain)[chain.root], "e9", "{id}");
    }
    assert_eq!(ids(&chain(&state, "c2").unwrap()), ["e1", "e4"]);
}

/// Before it is used, an approval leads to the last word on it, and that to who asked and what others said.
#[test]
fn a_word_is_led_to_by_what_was_asked_and_said_before_it() {
    let mut records = story();
    records.truncate(8);
    let (_dir, state) = written(&records);
    let one = chain(&state, "aaaa").unwrap();
    assert_eq!((ids(&one), ids(&one)[one.root]), (vec!["e1", "e4", "e7"], "e7"));
    let facts = json!({ "approval": "aaaa", "approver": "bob", "said": "deny", "reason": "too wide" });
    records.push(record(9, "approval.voted", "", "allowed", json!({ "fields": facts })));
    let (_dir, state) = written(&records);
    let two = chain(&state, "aaaa").unwrap();
    assert_eq!((ids(&two), ids(&two)[two.root]), (vec!["e1", "e4", "e7", "e9"], "e9"));
    assert!(two.links.iter().any(|link| link.why == Why::Said(Word::Approved, "alice".to_owned())));
    assert!(tree(&two).starts_with("2026-11-22T10:00:09.000Z  approval.voted by bob  denied: too wide\n"), "{}", tree(&two));
}

#[test]
fn what_is_not_on_record_is_said_so() {
    let (_dir, state) = written(&story());
    // A value that stands in a record is not what the record is known by.
    for id in ["nothing", "untrusted", "192.0.2.1", "alice", ""] {
        assert!(chain(&state, id).unwrap_err().message.contains("nothing is on record"), "{id}");
    }
}

#[test]
fn records_that_name_each_other_in_a_ring_end() {
    let read = |id: &str| json!([{ "audit_id": id, "label": "untrusted", "tool": "t" }]);
    let (_dir, state) = written(&[
        record(1, "intent", "a", "allowed", json!({ "call_id": "c1", "read": read("e2") })),
        record(2, "intent", "b", "allowed", json!({ "call_id": "c2", "read": read("e1") })),
    ]);
    let chain = chain(&state, "e2").unwrap();
    assert_eq!((chain.steps.len(), chain.links.len()), (2, 1));
}

#[test]
fn a_long_chain_is_cut_and_says_so() {
    let mut records = vec![record(0, "intent", "t", "allowed", json!({ "call_id": "c0" }))];
    let read: Vec<Value> = (1..1200).map(|n| json!({ "audit_id": format!("e{n}"), "label": "l", "tool": "t" })).collect();
    records.extend((1..1200).map(|n| record(n, "intent", "t", "allowed", json!({ "call_id": format!("c{n}") }))));
    for record in &mut records {
        record["occurred_at"] = "2026-11-22T10:00:00.000Z".into();
    }
    records.push(record(1200, "intent", "t", "allowed", json!({ "call_id": "last", "read": read })));
    records[1200]["occurred_at"] = "2026-11-22T11:00:00.000Z".into();
    let (_dir, state) = written(&records);
    let chain = chain(&state, "last").unwrap();
    assert!(chain.cut && chain.steps.len() == super::MAX_STEPS);
    assert!(tree(&chain).contains("There is more") && svg(&chain, Look::Alone).contains("There is more"));
}

#[test]
fn the_tree_reads_from_the_end_to_the_beginning() {
    let (_dir, state) = written(&story());
    let tree = tree(&chain(&state, "e9").unwrap());
    let expected = "\
2026-11-22T10:00:09.000Z  fw_block (destructive, real) by token:agent  unknown: interrupted
│  e9
├─ approved by alice
│  2026-11-22T10:00:07.000Z  approval.voted by alice  approved: seen
│     e7
├─ asked for the approval
│  2026-11-22T10:00:04.000Z  fw_block (destructive, dry-run) by token:agent  deferred: approval-required
│  │  host=192.0.2.1
│  │  e4
│  ├─ gave the value of /ip
│  │  2026-11-22T10:00:01.000Z  vt_report (read, real) by token:agent  allowed: returned
│  │     GET https://vt/1 → 200
│  │     e1
│  └─ was read (untrusted)
│     2026-11-22T10:00:01.000Z  vt_report (read, real) by token:agent  allowed: returned  (shown above)
└─ was read (untrusted)
   2026-11-22T10:00:01.000Z  vt_report (read, real) by token:agent  allowed: returned  (shown above)
";
    assert_eq!(tree, expected, "{tree}");
}

#[test]
fn nothing_in_a_record_becomes_markup() {
    let evil = "</text><script>alert(1)</script>\u{202e}\"'&";
    let mut records = story();
    records[8]["tool_name"] = evil.into();
    records[8]["principal_id"] = evil.into();
    records[8]["extensions"]["casemate"]["read"][0]["label"] = evil.into();
    records[8]["occurred_at"] = format!("2026-11-22T10:00:09{evil}").into();
    records[9]["outcome"] = evil.into();
    let (_dir, state) = written(&records);
    let chain = chain(&state, "c4").unwrap();
    for look in [Look::Alone, Look::Inside] {
        let picture = svg(&chain, look);
        assert!(!picture.contains("<script") && !picture.contains('\u{202e}'), "{picture}");
        assert!(!picture.contains("onload") && picture.matches("<svg").count() == 1);
    }
    assert!(!svg(&chain, Look::Inside).contains("<style"));
    assert!(!tree(&chain).contains('\u{202e}'));
    assert!(matches!(chain.links[0].why, Why::Asked | Why::Said(..) | Why::Read(_) | Why::Value(_)));
}
