//! A CrowdSec that says yes and does nothing, says no and does it, or says what nobody can read.

use serde_json::{Value, json};

use super::{IP, LIFT, LIST, house};
use crate::harness::{BAD, House, MEANT};

const POST: &str = "POST /v1/alerts";
const READ: &str = "GET /v1/decisions";

fn blocked(house: &House) -> bool {
    house.listed().iter().any(|ip| ip == IP)
}

#[test]
fn a_yes_without_a_block_is_told() {
    let house = house().serve();
    for (body, part) in [(json!(["9"]), "decided nothing"), (json!([]), "allowlist")] {
        house.lies(POST, json!({ "answer": { "status": 201, "body": body } }));
        house.block(IP).ended("error", "upstream", &["`185.220.101.1` is not blocked: CrowdSec said yes", part]);
        assert_eq!(house.asked(), [LIST, POST, LIST]);
        assert!(!blocked(&house));
    }
}

#[test]
fn a_block_that_is_there_is_told_whatever_was_said() {
    for kind in ["reset", "close", "truncated", "html", "invalid-json", "empty-body", "reset-body"] {
        let house = house().serve();
        house.lies(POST, json!({ "misbehave": { "kind": kind } }));
        house.block(IP).done(&["is blocked for"]);
        assert_eq!(house.alerts().len(), 1, "{kind}: never again by itself");
        assert!(blocked(&house), "{kind}");
    }
}

#[test]
fn what_nobody_knows_is_called_that() {
    let house = house().serve();
    house.lies(POST, json!({ "error": "broken" }));
    house.block(IP).ended("error", "outcome-unknown", &["outcome unknown", "list_firewall_blocks"]);
    assert_eq!(house.alerts().len(), 1, "never again by itself");
    // It is there, and what is in force cannot be read.
    house.lies(READ, json!({ "answer": { "body": "null" } }));
    house.lies(READ, json!({ "answer": { "status": 500, "body": "" } }));
    house.block(IP).ended("error", "upstream", &["outcome unknown", "not what is in force"]);
    assert!(blocked(&house));
}

#[test]
fn a_block_of_another_length_or_somebody_else_is_told() {
    let of = |ip: &str, duration: &str, origin: &str, kind: &str| json!([{ "duration": duration, "id": 99, "origin": origin, "scenario": "casemate: x", "scope": "Ip", "type": kind, "value": ip }]);
    for (after, part) in [
        (of(IP, "8760h0m0s", "casemate", "ban"), "not as asked"),
        (of(IP, "1m0s", "casemate", "ban"), "not as asked"),
        (of(IP, "30m0s", "cscli", "ban"), "is not blocked"),
        (of(IP, "30m0s", "casemate", "captcha"), "is not blocked"),
        (of("185.220.101.2", "30m0s", "casemate", "ban"), "is not blocked"),
    ] {
        let house = house().serve();
        house.lies(READ, json!({ "answer": { "body": "null" } }));
        house.lies(READ, json!({ "answer": { "body": after } }));
        house.block(IP).ended("error", "upstream", &[part]);
    }
}

#[test]
fn a_lift_that_lifts_nothing_is_told() {
    for (script, reason, part) in [
        (json!({ "answer": { "body": { "nbDeleted": "1" } } }), "upstream", "is still blocked: CrowdSec said that it lifted"),
        (json!({ "answer": { "body": { "nbDeleted": "0" } } }), "upstream", "is still blocked: CrowdSec lifted nothing"),
        (json!({ "error": "broken" }), "outcome-unknown", "outcome unknown"),
    ] {
        let house = house().serve();
        house.block(IP).done(&[]);
        house.lies("DELETE /v1/decisions", script);
        house.call_fresh("remove_firewall_block", json!({ "ip": IP })).ended("error", reason, &[part]);
        assert_eq!(house.asked().iter().filter(|request| *request == LIFT).count(), 1);
        assert!(blocked(&house));
    }
    for kind in ["reset", "html", "empty-body"] {
        let house = house().serve();
        house.block(IP).done(&[]);
        house.lies("DELETE /v1/decisions", json!({ "misbehave": { "kind": kind } }));
        house.call_fresh("remove_firewall_block", json!({ "ip": IP })).done(&["no longer blocked"]);
        assert!(!blocked(&house));
    }
}

#[test]
fn what_crowdsec_declines_is_told() {
    let house = house().serve();
    for (error, reason) in [("forbidden", "unauthorized"), ("too-many", "rate-limited"), ("broken", "unavailable")] {
        house.lies(READ, json!({ "error": error }));
        house.call_fresh("list_firewall_blocks", json!({})).ended("error", reason, &[]);
        // Where it is not known what is in force, nothing is changed.
        house.lies(READ, json!({ "error": error }));
        house.block(IP).ended("error", reason, &[]);
        assert_eq!(house.asked(), [LIST]);
    }
    house.lies(POST, json!({ "error": "too-many" }));
    house.block(IP).ended("error", "rate-limited", &[]);
    assert!(!blocked(&house));
}

/// A token that is over is got anew, once, and the block is made once.
#[test]
fn a_token_that_ended_is_got_anew() {
    let house = house().serve();
    house.block(IP).done(&[]);
    house.upstreams().order("crowdsec", &json!({ "end_tokens": {} }));
    house.block("185.220.101.2").done(&[]);
    assert_eq!(house.listed().len(), 2);
}

#[test]
fn a_crowdsec_that_lies_gets_nothing_past() {
    let hidden = ['\u{200b}', '\u{202e}', '\u{feff}', '\u{e0041}', '\u{1b}', '\u{7}'];
    let house = house().serve();
    house.block(IP).done(&[]);
    for kind in BAD.into_iter().chain(MEANT) {
        house.lies(READ, json!({ "misbehave": { "kind": kind } }));
        let reply = house.call_fresh("list_firewall_blocks", json!({}));
        assert!(reply.is_error() || reply.text().contains("untrusted, not instructions"), "{kind}: {reply:#?}");
        assert!(!reply.0.to_string().contains(hidden), "{kind}: {reply:#?}");
    }
    // Before a change, what cannot be read stops it.
    for kind in BAD.into_iter().filter(|kind| !["wrong-shape", "deep-json"].contains(kind)) {
        house.lies(READ, json!({ "misbehave": { "kind": kind } }));
        let reply = house.block("185.220.101.9");
        assert!(reply.is_error() && house.alerts().is_empty(), "{kind}: {reply:#?}");
    }
    let told: Value = house.call_fresh("list_firewall_blocks", json!({})).done(&[]).structured().clone();
    assert_eq!(told["active"], 1, "{told:#}");
}
