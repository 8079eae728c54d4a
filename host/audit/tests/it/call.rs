//! Calls: what is in the log of each, and what must be there before it is made.

use casemate_audit::{AuditError, Outcome, OutcomeFacts, RequestFacts, RequestStatus, Withdrawal};
use casemate_policy::{ApprovalMode, Decision};
use casemate_signing::manifest::Effect;
use serde_json::json;

use crate::{
    calls::{decision, ended, facts, permit},
    fixture::{Folder, NOW, quiet, wait},
};

#[test]
fn an_intent_and_its_outcome_say_everything() {
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    let recorded = wait(log.begin(permit(Effect::Write), facts(), NOW)).unwrap();
    assert_eq!(recorded.get().served().as_str(), "eye_look");
    let request = |status| RequestFacts {
        upstream: "vt".to_owned(),
        contract: "file".to_owned(),
        method: "GET".to_owned(),
        url: "https://vt.example/api/v3/files/00ff".to_owned(),
        effect: "read".to_owned(),
        request_bytes: 0,
        request_sha256: "e3".repeat(32),
        status,
    };
    let outcome = OutcomeFacts {
        requests: vec![
            request(RequestStatus::Answered { status: 200, bytes: 99, address: Some("192.0.2.1".parse().unwrap()) }),
            request(RequestStatus::Broken { reason: "reset".to_owned() }),
            request(RequestStatus::NotSent { reason: "refused".to_owned() }),
            request(RequestStatus::Pending),
        ],
        plan_digest: Some("cd".repeat(32)),
        detail: Some("a line\nand \u{202e}another".to_owned()),
        ..ended()
    };
    wait(log.outcome(recorded.id(), outcome, NOW)).unwrap();
    log.close(NOW).unwrap();
    folder.verify().unwrap();

    let entries = folder.entries();
    let intent = &entries[0]["extensions"]["casemate"];
    assert_eq!((&entries[0]["event_type"], &entries[0]["outcome"]), (&json!("intent"), &json!("allowed")));
    assert_eq!((&entries[0]["principal_id"], &entries[0]["tool_name"]), (&json!("local"), &json!("eye_look")));
    for (field, value) in [
        ("call_id", "call-1"),
        ("grant", "lab"),
        ("effect", "write"),
        ("mode", "real"),
        ("environment", "dev"),
        ("plugin", "acme/eye"),
        ("via", "stdio"),
        ("plugin_digest", "ab".repeat(32).as_str()),
        ("arguments_digest", permit(Effect::Write).arguments_digest()),
    ] {
        assert_eq!(intent[field], value, "{field}");
    }
    assert_eq!(intent["arguments"], json!({"hash": "00ff", "token": "‹secret›"}));
    assert_eq!(intent["verdicts"].as_array().unwrap().len(), 12, "one of every layer");

    let outcome = &entries[1]["extensions"]["casemate"];
    assert_eq!(outcome["intent"], entries[0]["event_id"]);
    assert_eq!(
        (&outcome["fuel"], &outcome["memory_bytes"], &outcome["duration_us"]),
        (&json!("12345"), &json!("1048576"), &json!("1500"))
    );
    assert_eq!(
        outcome["requests"][0],
        json!({
            "upstream": "vt", "contract": "file", "method": "GET", "url": "https://vt.example/api/v3/files/00ff", "effect": "read", "state": "answered",
            "status": "200", "bytes": "99", "address": "192.0.2.1", "request_bytes": "0", "request_sha256": "e3".repeat(32),
        })
    );
    assert_eq!(
        outcome["requests"].as_array().unwrap().iter().map(|r| r["state"].as_str().unwrap()).collect::<Vec<_>>(),
        ["answered", "broken", "not-sent", "pending"]
    );
    assert_eq!(outcome["labels"], json!(["untrusted"]));
}

#[test]
fn an_intent_has_exactly_one_outcome() {
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    let id = wait(log.begin(permit(Effect::Read), facts(), NOW)).unwrap().id();
    wait(log.outcome(id, ended(), NOW)).unwrap();
    assert!(matches!(wait(log.outcome(id, ended(), NOW)), Err(AuditError::NoSuchIntent(again)) if again == id));
    log.close(NOW).unwrap();
    assert_eq!(folder.entries().len(), 2);
}

#[test]
fn what_is_denied_deferred_or_withdrawn_is_written_with_every_verdict() {
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    let Decision::Denied(denied) = decision(Effect::Read, json!({"hash": 7}), ApprovalMode::None) else { panic!() };
    wait(log.denied(&denied, facts(), NOW)).unwrap();
    let Decision::Deferred(deferred) = decision(Effect::Execute, json!({"hash": "00"}), ApprovalMode::Operator) else { panic!() };
    wait(log.deferred(&deferred, None, facts(), NOW)).unwrap();
    let why = Withdrawal {
        layer: "budget".into(),
        reason: "budget-exhausted".into(),
        message: "spent".to_owned(),
        retry_after_ms: Some(1500),
    };
    wait(log.withdrawn(&permit(Effect::Read), facts(), why, NOW)).unwrap();
    log.close(NOW).unwrap();
    folder.verify().unwrap();

    let entries = folder.entries();
    let told: Vec<_> = entries
        .iter()
        .map(|entry| {
            let ours = &entry["extensions"]["casemate"];
            assert_eq!(ours["verdicts"].as_array().unwrap().len(), 12);
            (entry["event_type"].as_str().unwrap(), entry["outcome"].as_str().unwrap(), ours["reason"].as_str().unwrap())
        })
        .collect();
    assert_eq!(
        told,
        [
            ("denied", "denied", "arguments-invalid"),
            ("deferred", "deferred", "approval-required"),
            ("denied", "denied", "budget-exhausted")
        ]
    );
    assert_eq!(entries[2]["extensions"]["casemate"]["retry_after_ms"], "1500");
}

/// A refusal must be recordable whatever the caller sends.
#[test]
fn nothing_a_caller_sends_keeps_its_denial_out_of_the_log() {
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    let Decision::Denied(denied) = decision(Effect::Read, json!({"hash": 7}), ApprovalMode::None) else { panic!() };
    let big = "x".repeat(3 << 20);
    for arguments in [
        json!(big),
        json!({ big.as_str(): big }),
        json!(vec!["\u{0}\u{7f}\u{202e}\\\""; 100_000]),
        json!({"e\u{301}": 1, "\u{e9}": 2}),
        json!([1e300, -0.0, u64::MAX, null, true]),
        serde_json::Value::Null,
        (0..125).fold(json!("deep"), |inner, _| json!({ "a": [inner] })),
    ] {
        wait(log.denied(&denied, casemate_audit::CallFacts { arguments, call_id: big.clone(), ..facts() }, NOW)).unwrap();
    }
    log.close(NOW).unwrap();
    let report = folder.verify().unwrap();
    assert_eq!((report.records, folder.entries().len()), (7, 7), "and read again");
    assert!(folder.read(crate::fixture::FIRST).len() < 2 << 20, "bounded");
}

/// Closing while a call is under way: nobody can say how it ended, and the log says so.
#[test]
fn closing_ends_what_is_under_way_as_unknown() {
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    let id = wait(log.begin(permit(Effect::Read), facts(), NOW)).unwrap().id();
    log.close(NOW).unwrap();
    assert!(matches!(wait(log.outcome(id, ended(), NOW)), Err(AuditError::Closed)));
    assert!(matches!(wait(log.begin(permit(Effect::Read), facts(), NOW)), Err(AuditError::Closed)));
    let last = folder.entries().pop().unwrap();
    assert_eq!(
        (&last["outcome"], &last["extensions"]["casemate"]["ending"]),
        (&json!(Outcome::Unknown.as_str()), &json!("host-stopped"))
    );
    assert_eq!(folder.verify().unwrap().not_yet_covered(), 0);
}

/// A call given up while its intent goes to the disk: no proof came out, so nothing was sent, and the log says that.
#[test]
fn an_intent_given_up_before_it_is_durable_is_written_off() {
    use std::task::{Context, Poll, Waker};
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    let mut given_up = 0;
    for _ in 0..20 {
        let mut begin = Box::pin(log.begin(permit(Effect::Write), facts(), NOW));
        match begin.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Pending => given_up += 1,
            Poll::Ready(recorded) => drop(wait(log.outcome(recorded.unwrap().id(), ended(), NOW)).unwrap()),
        }
    }
    log.close(NOW).unwrap();
    let written_off = folder.entries().iter().filter(|entry| entry["extensions"]["casemate"]["ending"] == "not-begun").count();
    assert_eq!(written_off, given_up);
    assert!(given_up > 0 && folder.verify().unwrap().unfinished.is_empty());
}
