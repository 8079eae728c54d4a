//! The loader and the gate agree: what the loader takes for two contracts, the gate never takes for one.

use std::sync::Arc;

use casemate_policy::egress::{Conduct, Outgoing, RefusalReason, Verdict};
use casemate_signing::manifest::{
    Manifest,
    check::{self, Rule},
};
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::fixture::{gate_of, json_body, manifest, real_permit, request};

/// The manifest of these tests with three contracts: one that establishes something, `one` and `two`.
fn with(one: &Value, two: &Value) -> Manifest {
    let mut json = serde_json::to_value(manifest()).unwrap();
    json["upstream"]["api"]["request"].as_array_mut().unwrap().retain(|contract| contract["name"] == "get-agent");
    for (name, more) in [("one", one), ("two", two)] {
        let mut contract = json!({"name": name, "method": "POST", "path": "/twins/{id}", "parameters": {"id": "^[a-z]{1,9}$"},
            "effect": "read", "reason": "a search whose terms are in the body", "content_type": "application/json"});
        contract.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json["upstream"]["api"]["request"].as_array_mut().unwrap().push(contract);
    }
    serde_json::from_value(json).unwrap()
}

fn loads(manifest: &Manifest) -> bool {
    let findings = check::check(manifest).err().unwrap_or_default();
    !findings.iter().any(|finding| matches!(finding.rule, Rule::Overlap(_)))
}

/// Whether the gate takes a request for both.
fn is_both(manifest: &Manifest, asked: Outgoing) -> bool {
    let verdict = Conduct::new(Arc::new(gate_of(manifest).unwrap()), real_permit("lab_read_file"), None).check(asked);
    matches!(verdict, Verdict::Refuse(refusal) if refusal.reason() == RefusalReason::ContractAmbiguous)
}

#[track_caller]
fn check(one: Value, two: Value, asked: Outgoing, apart: bool) {
    let manifest = with(&one, &two);
    assert_eq!(loads(&manifest), apart, "the loader, {one} {two}");
    assert_eq!(is_both(&manifest, asked), !apart, "the gate, {one} {two}");
}

#[test]
fn the_fixture_tells_its_own_contracts_apart() {
    assert!(loads(&manifest()));
}

#[test]
fn what_is_undeclared_forbidden_or_closed_tells_nothing_apart() {
    let body = |text: &str| json_body("/twins/a", text);
    let op = |value: Value| json!({"require": {"body": {"/op": value}}});
    // Once the loader took each of these for two contracts, and the gate for one.
    check(op(json!("a")), json!({"forbid": {"body": ["/op"]}}), body(r#"{"op":"a"}"#), false);
    check(op(json!("a")), json!({"closed": true, "allow": {"body": ["/other"]}}), body(r#"{"op":"a"}"#), false);
    check(json!({"require": {"query": {"q": "a"}}}), json!({}), json_body("/twins/a?q=a", "{}"), false);
    check(json!({"query": {"q": "^a$"}}), json!({"query": {"r": "^a$"}}), json_body("/twins/a?q=a", "{}"), false);
    check(json!({"headers": {"x-a": "^a$"}}), json!({}), body("{}"), false);
}

#[test]
fn what_is_required_tells_apart() {
    let body = |text: &str| json_body("/twins/a", text);
    let op = |value: Value| json!({"require": {"body": {"/op": value}}});
    check(op(json!("a")), op(json!("b")), body(r#"{"op":"a"}"#), true);
    check(op(json!("1")), op(json!(1)), body(r#"{"op":1}"#), true);
    check(op(json!(true)), op(json!(false)), body(r#"{"op":true}"#), true);
    check(op(json!("A")), op(json!({"pattern": "^[a-z]$"})), body(r#"{"op":"A"}"#), true);
    check(
        json!({"require": {"query": {"q": "a"}}}),
        json!({"require": {"query": {"q": "b"}}}),
        json_body("/twins/a?q=b", "{}"),
        true,
    );
    check(json!({}), json!({"method": "PUT"}), body("{}"), true);
    check(json!({}), json!({"content_type": "application/x-www-form-urlencoded"}), body("{}"), true);
    check(json!({}), json!({"path": "/twins/A", "parameters": {}}), body("{}"), true);
    // And where it does not, neither says so.
    check(op(json!("a")), op(json!({"pattern": "^[a-z]$"})), body(r#"{"op":"a"}"#), false);
    check(op(json!("a")), json!({}), body(r#"{"op":"a"}"#), false);
    check(json!({}), json!({"path": "/twins/a", "parameters": {}}), body("{}"), false);
    let established = json!({"from": "get-agent", "key": {"paw": {"body": "/paw"}}, "value": "/group"});
    check(op(established), op(json!("a")), body(r#"{"op":"a","paw":"p"}"#), false);
    check(op(json!({"scope": "group"})), op(json!("a")), body(r#"{"op":"a"}"#), false);
}

fn requirement() -> impl Strategy<Value = Value> {
    prop_oneof![
        prop::sample::select(vec![json!("a"), json!("b"), json!(1), json!(true)]),
        prop::sample::select(vec!["^a$", "^[ab]$", "^[^a]$", "^.{0,3}$"]).prop_map(|pattern| json!({"pattern": pattern})),
        Just(json!({"scope": "group"})),
        // printf a | sha256sum
        Just(json!({"sha256": "ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb"})),
    ]
}

fn contract() -> impl Strategy<Value = Value> {
    let requirements = prop::collection::btree_map(prop::sample::select(vec!["/op", "/x", "/x/y"]), requirement(), 0..3);
    let queries = prop::collection::btree_map(prop::sample::select(vec!["q", "r"]), requirement(), 0..2);
    let path = prop::sample::select(vec![
        json!({}),
        json!({"path": "/twins/a", "parameters": {}}),
        json!({"parameters": {"id": "^[a-b]{1,2}$"}}),
        json!({"method": "PUT"}),
        json!({"content_type": "application/x-www-form-urlencoded"}),
    ]);
    let more = prop::sample::select(vec![
        json!({}),
        json!({"closed": true, "allow": {"body": ["/op"]}}),
        json!({"forbid": {"body": ["/op"]}}),
        json!({"query": {"q": "^.$"}}),
    ]);
    (requirements, queries, path, more).prop_map(|(body, query, path, more)| {
        let mut contract = json!({"require": {"body": body, "query": query}});
        for part in [path, more] {
            contract.as_object_mut().unwrap().extend(part.as_object().unwrap().clone());
        }
        // A form's fields have names.
        if contract["content_type"] == "application/x-www-form-urlencoded" {
            contract["require"].as_object_mut().unwrap().remove("body");
            contract.as_object_mut().unwrap().retain(|name, _| name != "closed" && name != "allow" && name != "forbid");
        }
        contract
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn no_request_is_two_contracts_of_a_plugin_that_loads(
        one in contract(),
        two in contract(),
        op in prop::sample::select(vec![json!("a"), json!("b"), json!(1), json!(true), json!(null)]),
        query in prop::sample::select(vec!["", "?q=a", "?q=b&r=a", "?r=1"]),
        method in prop::sample::select(vec!["POST", "PUT"]),
    ) {
        let manifest = with(&one, &two);
        prop_assume!(loads(&manifest));
        for body in [json!({"op": op}), json!({"op": op, "x": {"y": op}}), json!({"x": op}), json!({})] {
            let asked = Outgoing { method: method.to_owned(), ..json_body(&format!("/twins/a{query}"), &body.to_string()) };
            prop_assert!(!is_both(&manifest, asked), "{} {} {}", one, two, body);
        }
        prop_assert!(!is_both(&manifest, request(method, "/twins/a")));
    }
}
