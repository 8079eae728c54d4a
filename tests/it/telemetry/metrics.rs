//! What is counted of calls that were allowed, refused, failed, and waited for somebody.

use serde_json::json;
use toml::toml;

use super::Metrics;
use crate::{
    approvals::{WRITES, enrol, guarded, lab, made, say, waits},
    harness::{Guest, House},
};

#[test]
fn a_call_is_counted_by_how_it_ended() {
    let metrics = Metrics::somewhere();
    let house = metrics.of(House::new(&Guest::new("plain_request"))).serve();
    let (plugin, tool) = (("plugin", "plain-request"), house.served("run"));
    house.run("one").done(&["200"]);
    house.goes_on();
    house.goes_on();
    let reading = metrics.read();
    let run = [plugin, ("tool", tool.as_str()), ("effect", "read"), ("outcome", "returned")];
    reading.is("casemate_calls_total", &run, 1.0);
    reading.is("casemate_calls_total", &[plugin, ("outcome", "returned")], 3.0);
    reading.is("casemate_call_duration_seconds_count", &[plugin, ("tool", &tool)], 1.0);
    reading.is("casemate_upstream_duration_seconds_count", &[plugin, ("upstream", "echo"), ("status_class", "2xx")], 1.0);
    reading.has_more_than("casemate_fuel_total", &[plugin], 0.0);
    for stage in ["policy", "place", "ledger", "intent", "sandbox", "output", "outcome"] {
        reading.has_more_than("casemate_stage_duration_seconds_count", &[("stage", stage)], 2.0);
    }
    reading.is("casemate_plugins", &[("state", "loaded")], 1.0);
    reading.is("casemate_plugins", &[("state", "refused")], 0.0);
    reading.is("casemate_places_in_use", &[], 0.0);
    reading.has_more_than("casemate_audit_records_total", &[], 5.0);
    reading.is("casemate_telemetry_dropped_total", &[], 0.0);
    reading.is("casemate_build_info", &[], 1.0);
}

#[test]
fn a_refusal_is_counted_by_what_refused_it() {
    let metrics = Metrics::somewhere();
    // An honest write, from a tool that only reads.
    let house = metrics.of(House::new(&Guest::new(WRITES))).serve();
    house.call("target", json!({ "group": "elsewhere" })).ended("denied", "out-of-scope", &[]);
    house.run("lab").ended("denied", "egress-refused", &[]);
    let reading = metrics.read();
    reading.is("casemate_denials_total", &[("layer", "scope"), ("reason", "out-of-scope")], 1.0);
    reading.is("casemate_denials_total", &[("layer", "egress")], 1.0);
    reading.is("casemate_calls_total", &[("outcome", "denied"), ("effect", "read")], 1.0);
    reading.is("casemate_calls_total", &[("outcome", "egress-refused")], 1.0);
}

/// Whatever a caller asks for, there are no more series than there are tools.
#[test]
fn what_a_caller_makes_up_is_no_label() {
    let metrics = Metrics::somewhere();
    let house = metrics.of(House::new(&Guest::new("plain_request"))).serve();
    for name in 0..20 {
        let _ = house.try_call(&format!("made_up_{name}"), json!({}));
        house.call("target", json!({ "group": format!("canary-{name}") })).ended("denied", "out-of-scope", &[]);
    }
    let reading = metrics.read();
    let unknown = reading.sum("casemate_calls_total", &[("tool", "(unknown)"), ("plugin", "(unknown)")]);
    assert!((unknown - 20.0).abs() < f64::EPSILON, "{reading:?}");
    for word in ["made_up", "canary-", "local"] {
        assert!(!reading.1.contains(word), "`{word}` is in the metrics");
    }
    assert!(reading.0.keys().filter(|series| series.starts_with("casemate_calls_total")).count() <= 2);
}

#[test]
fn a_failure_is_told_from_a_result() {
    let metrics = Metrics::somewhere();
    let house = metrics.of(House::new(&Guest::new("failure_text"))).serve();
    assert!(house.run("one").is_error());
    house.upstreams().script(json!({ "answer": { "status": 503 } }));
    assert!(house.run("one").is_error());
    let reading = metrics.read();
    reading.is("casemate_calls_total", &[("outcome", "failed")], 2.0);
    reading.is("casemate_upstream_duration_seconds_count", &[("status_class", "5xx")], 1.0);
    reading.has_more_than("casemate_output_flags_total", &[("flag", "terminal-escapes")], 0.0);
}

#[test]
fn a_call_that_waits_and_one_that_is_agreed_to_are_counted_apart() {
    let metrics = Metrics::somewhere();
    let house = metrics.of(enrol(guarded(&Guest::new(WRITES), toml! { mode = "operator" }), "alice")).serve();
    metrics.read().is("casemate_approvals_waiting", &[], 0.0);
    let id = waits(house.call("change", lab()));
    let reading = metrics.read();
    reading.is("casemate_approvals_waiting", &[], 1.0);
    reading.is("casemate_calls_total", &[("effect", "write"), ("outcome", "deferred")], 1.0);
    say(&house, "approve", &id, "alice").done();
    made(&house);
    let reading = metrics.read();
    reading.is("casemate_approvals_waiting", &[], 0.0);
    reading.is("casemate_calls_total", &[("effect", "write"), ("outcome", "returned")], 1.0);
    // A write was on disk before it was sent.
    reading.has_more_than("casemate_stage_duration_seconds_count", &[("stage", "intent")], 1.0);
}

#[test]
fn a_caller_that_is_paused_is_counted_and_not_named() {
    let metrics = Metrics::somewhere();
    let house =
        metrics.of(House::new(&Guest::new("plain_request"))).with("[breaker]\ndenials = { count = 2, per = \"10m\" }").serve();
    for _ in 0..4 {
        assert!(house.call("target", json!({ "group": "elsewhere" })).is_error());
    }
    let reading = metrics.read();
    reading.is("casemate_breaker_paused", &[], 1.0);
    reading.has_more_than("casemate_denials_total", &[("layer", "breaker")], 0.0);
    house.casemate(&["breaker", "resume", "local"]).done();
    metrics.read().is("casemate_breaker_paused", &[], 0.0);
}
