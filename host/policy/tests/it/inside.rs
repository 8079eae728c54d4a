//! Targets inside of a text: each one that a pattern finds is held against the grant, as if it stood alone.

use std::sync::Arc;

use casemate_policy::egress::{Conduct, Outgoing, RefusalReason, Verdict};
use casemate_signing::manifest::{Manifest, check};
use serde_json::{Value, json};

use crate::fixture::{form_body, gate_of, json_body, manifest, real_permit, reason, request, sent};

/// The manifest of these tests, in which a search is a text: `in ("web-1", "web-2"): anything`.
fn with(place: &str, requirement: &Value) -> Manifest {
    let mut json = serde_json::to_value(manifest()).unwrap();
    let contracts = json["upstream"]["api"]["request"].as_array_mut().unwrap();
    let search = contracts.iter_mut().find(|contract| contract["name"] == "search").unwrap();
    *search = match place {
        "query" => json!({"name": "search", "method": "GET", "path": "/api/text", "require": {"query": {"q": requirement}}}),
        place => json!({"name": "search", "method": "POST", "path": "/api/text", "effect": "read", "reason": "a search is long",
            "content_type": if place == "form" { "application/x-www-form-urlencoded" } else { "application/json" }, "closed": true,
            "require": {"body": {(if place == "form" { "q" } else { "/q" }): requirement}}}),
    };
    serde_json::from_value(json).unwrap()
}

fn listed() -> Value {
    json!({"pattern": r#"^in \((?<targets>[^()]+)\): .*$"#, "targets": {"scope": "index", "between": " or "}})
}

fn ask(manifest: &Manifest, asked: Outgoing) -> Verdict {
    Conduct::new(Arc::new(gate_of(manifest).unwrap()), real_permit("lab_search"), None).check(asked)
}

/// A request with this text, at each of the places.
fn asked(place: &str, text: &str) -> Outgoing {
    let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
    match place {
        "query" => request("GET", &format!("/api/text?q={encoded}")),
        "form" => form_body("/api/text", &format!("q={encoded}")),
        _ => json_body("/api/text", &json!({"q": text}).to_string()),
    }
}

#[test]
fn every_target_of_a_list_is_granted_or_nothing_is_sent() {
    for place in ["query", "form", "json"] {
        let manifest = with(place, &listed());
        let unloadable = check::check(&manifest).err().unwrap_or_default();
        assert!(unloadable.iter().all(|finding| !finding.at.contains("search.require")), "{place}: {unloadable:?}");
        for text in ["in (web-1): x", "in (web-1 or web-2 or web-1): or (hr)", "in (web-1): in (hr): x"] {
            sent(ask(&manifest, asked(place, text)));
        }
        for (text, expected) in [
            ("in (hr): x", RefusalReason::OutOfScope),
            ("in (web-1 or hr): x", RefusalReason::OutOfScope),
            ("in (hr or web-1): x", RefusalReason::OutOfScope),
            ("in (web-1 or web-2 or hr): x", RefusalReason::OutOfScope),
            // What the pattern lets through is not what the plugin said is between two of them.
            ("in (web-1  or web-2): x", RefusalReason::ScopeMalformed),
            ("in (web-1 OR web-2): x", RefusalReason::ScopeMalformed),
            ("in (web-1 or ): x", RefusalReason::ScopeMalformed),
            ("in ( or web-1): x", RefusalReason::ScopeMalformed),
            ("in (wеb-1): x", RefusalReason::ScopeMalformed),
            ("in (): x", RefusalReason::NoContract),
            ("x in (web-1): x", RefusalReason::NoContract),
            ("in (web-1): x\n", RefusalReason::NoContract),
        ] {
            assert_eq!(reason(ask(&manifest, asked(place, text))), expected, "{place}: {text}");
        }
    }
    let manifest = with("json", &listed());
    for body in [r#"{"q":["in (web-1): x"]}"#, r#"{"q":null}"#, "{}"] {
        assert_eq!(reason(ask(&manifest, json_body("/api/text", body))), RefusalReason::NoContract, "{body}");
    }
}

#[test]
fn a_group_that_holds_nothing_is_a_missing_target() {
    let optional = json!({"pattern": "^(?:in (?<targets>[a-z0-9-]+): )?[a-z]*$", "targets": {"scope": "index"}});
    let manifest = with("form", &optional);
    sent(ask(&manifest, asked("form", "in web-1: x")));
    assert_eq!(reason(ask(&manifest, asked("form", "in hr: x"))), RefusalReason::OutOfScope);
    assert_eq!(reason(ask(&manifest, asked("form", "x"))), RefusalReason::ScopeMissing);
}

#[test]
fn a_tool_that_uses_it_takes_the_dimension() {
    let manifest = with("form", &listed());
    let mut json = serde_json::to_value(&manifest).unwrap();
    json["tool"]["search"]["scope"] = json!({});
    let manifest: Manifest = serde_json::from_value(json).unwrap();
    let findings = check::check(&manifest).unwrap_err();
    assert!(findings.iter().any(|finding| finding.at == "tool.search.scope"), "{findings:?}");
}
