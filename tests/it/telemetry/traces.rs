//! What a collector is sent of calls: spans of the client's trace, one beneath the other, and nothing of what the calls were about.

use serde_json::{Value, json};

use super::{attribute, called, collected, sent, sent_lines, sent_metrics, spans, spans_of, untold};
use crate::{
    approvals::WRITES,
    harness::{Guest, House, Http, until},
};

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

/// A call under this trace, as a client of either header or `_meta` makes it.
fn call_under(http: &Http, tool: &str, header: &str, mut meta: Value) {
    meta["io.modelcontextprotocol/protocolVersion"] = json!("2026-07-28");
    meta["io.modelcontextprotocol/clientCapabilities"] = json!({});
    meta["io.modelcontextprotocol/clientInfo"] = json!({ "name": "test", "version": "1" });
    let params = json!({ "name": tool, "arguments": { "case": "one" }, "_meta": meta });
    let message = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": params });
    let trace = if header.is_empty() { String::new() } else { format!("traceparent: {header}\r\n") };
    let lines = format!("{trace}mcp-protocol-version: 2026-07-28\r\nmcp-method: tools/call\r\nmcp-name: {tool}\r\n");
    let reply = http.send(&lines, &message).next();
    assert_eq!(reply["result"]["isError"], json!(false), "{reply:#}");
}

fn over_http(house: House) -> (House, Http) {
    let house = house.set("grants.tester.principals", vec!["local", "token:ann"]);
    house.install().done();
    let token = house.token("ann");
    let http = Http::start(&mut house.command(), &token);
    (house, http)
}

#[test]
fn a_call_is_a_span_of_its_clients_trace_with_a_span_beneath_it_for_each_stage_and_request() {
    let (house, http) = over_http(collected(House::new(&Guest::new("plain_request")), ""));
    let tool = house.served("run");
    call_under(&http, &tool, &format!("00-{TRACE}-{PARENT}-01"), json!({}));
    let spans = spans_of(&house, 1);
    let [call] = called(&spans)[..] else { panic!("one call: {spans:#?}") };
    assert_eq!((&call["traceId"], &call["parentSpanId"]), (&json!(TRACE), &json!(PARENT)));
    let record = house.records("intent").pop().unwrap();
    let facts = &record["extensions"]["casemate"];
    assert_eq!(facts["call_id"], call["spanId"], "the span is the call that is on record: {facts:#}");
    for (name, expected) in [
        ("casemate.call_id", call["spanId"].as_str().unwrap()),
        ("casemate.tool", tool.as_str()),
        ("casemate.plugin", "plain-request"),
        ("casemate.effect", "read"),
        ("casemate.decision", "permitted"),
        ("casemate.outcome", "returned"),
        ("casemate.via", "http"),
        ("casemate.principal", ""),
    ] {
        assert_eq!(attribute(call, name), expected, "{name}");
    }
    let beneath: Vec<_> = spans.iter().filter(|span| span["parentSpanId"] == call["spanId"]).collect();
    assert_eq!(beneath.len() + 1, spans.len(), "every other span is the call's: {spans:#?}");
    assert!(beneath.iter().all(|span| span["traceId"] == call["traceId"]));
    let names: Vec<&str> = beneath.iter().map(|span| span["name"].as_str().unwrap()).collect();
    for stage in ["policy", "place", "ledger", "intent", "sandbox", "output", "outcome", "GET echo"] {
        assert!(names.contains(&stage), "{stage} is not in {names:?}");
    }
    let nanos = |span: &Value, name: &str| span[name].as_str().unwrap().parse::<u64>().unwrap();
    for span in &beneath {
        let (began, ended) = (nanos(span, "startTimeUnixNano"), nanos(span, "endTimeUnixNano"));
        assert!(
            nanos(call, "startTimeUnixNano") <= began && began <= ended && ended <= nanos(call, "endTimeUnixNano"),
            "{span:#}"
        );
    }
    let request = beneath.iter().find(|span| span["name"] == "GET echo").unwrap();
    for (name, expected) in [
        ("http.request.method", "GET"),
        ("http.response.status_code", "200"),
        ("casemate.upstream", "echo"),
        ("casemate.contract", "read-item"),
    ] {
        assert_eq!(attribute(request, name), expected, "{name}");
    }
}

#[test]
fn a_trace_in_the_messages_own_metadata_counts_before_the_header() {
    let (house, http) = over_http(collected(House::new(&Guest::new("plain_request")), ""));
    let other = TRACE.replace('4', "5");
    call_under(
        &http,
        &house.served("run"),
        &format!("00-{other}-{PARENT}-01"),
        json!({ "traceparent": format!("00-{TRACE}-{PARENT}-01") }),
    );
    assert_eq!(called(&spans_of(&house, 1))[0]["traceId"], TRACE);
}

/// A client that does not record its trace has none recorded; one that says nothing, or nonsense, has one of its own.
#[test]
fn what_the_client_does_not_record_is_not_sent() {
    let (house, http) = over_http(collected(House::new(&Guest::new("plain_request")), ""));
    let tool = house.served("run");
    call_under(&http, &tool, &format!("00-{TRACE}-{PARENT}-00"), json!({}));
    call_under(&http, &tool, "00-not-a-trace-01", json!({}));
    call_under(&http, &tool, "", json!({}));
    let spans = spans_of(&house, 2);
    let calls = called(&spans);
    assert_eq!(calls.len(), 2, "{spans:#?}");
    for call in calls {
        let (trace, span) = (call["traceId"].as_str().unwrap(), call["spanId"].as_str().unwrap());
        assert!(trace != TRACE && call["parentSpanId"] == "", "{call:#?}");
        assert!(trace.ends_with(span), "its own trace ends in the call's id");
    }
}

#[test]
fn a_refusal_is_a_span_that_says_what_refused_it() {
    let house = collected(House::new(&Guest::new(WRITES)), "principals = true").serve();
    house.call("target", json!({ "group": "elsewhere" })).ended("denied", "out-of-scope", &[]);
    house.run("lab").ended("denied", "egress-refused", &[]);
    let spans = spans_of(&house, 2);
    let calls = called(&spans);
    let of = |layer: &str| *calls.iter().find(|call| attribute(call, "casemate.denied.layer") == layer).unwrap();
    let scope = of("scope");
    assert_eq!(attribute(scope, "casemate.decision"), "denied");
    assert_eq!(attribute(scope, "casemate.denied.reason"), "out-of-scope");
    assert_eq!(attribute(scope, "casemate.principal"), "local", "the operator wants it told");
    let beneath = spans.iter().filter(|span| span["parentSpanId"] == scope["spanId"]).map(|span| span["name"].as_str().unwrap());
    assert_eq!(beneath.collect::<Vec<_>>(), ["policy", "outcome"], "nothing ran");
    assert_eq!(attribute(of("egress"), "casemate.outcome"), "egress-refused");
}

#[test]
fn metrics_and_lines_are_sent_where_the_operator_wants_them() {
    let house = collected(House::new(&Guest::new("plain_request")), "traces = false\nlogs = true\ninterval = \"1s\"").serve();
    house.run("one").done(&["200"]);
    until("metrics are sent", || sent_metrics(&house).iter().any(|name| name == "casemate_calls_total"));
    until("lines are sent", || sent_lines(&house).iter().any(|(sentence, _)| sentence == "call"));
    assert!(spans(&house).is_empty());
    let lines = sent_lines(&house);
    let (_, line) = lines.iter().find(|(sentence, _)| sentence == "call").unwrap();
    assert_eq!(attribute(line, "tool"), house.served("run"));
    assert_eq!((attribute(line, "ended").as_str(), attribute(line, "principal").as_str()), ("returned", ""));
    assert!(!attribute(line, "audit_id").is_empty());
}

/// What is told at the end is told before the end.
#[test]
fn what_is_left_is_sent_when_the_server_stops() {
    let mut house = collected(House::new(&Guest::new("plain_request")), "interval = \"10m\"").serve();
    house.run("one").done(&["200"]);
    house.close();
    assert_eq!(called(&spans(&house)).len(), 1);
    // What is sent is what is counted, in the protocol's own form.
    let metrics = sent(&house, "/v1/metrics", ["resourceMetrics", "scopeMetrics", "metrics"]);
    let named =
        |name: &str| metrics.iter().find(|metric| metric["name"] == name).unwrap_or_else(|| panic!("no {name}: {metrics:#?}"));
    let calls = &named("casemate_calls_total")["sum"];
    assert_eq!((&calls["isMonotonic"], &calls["aggregationTemporality"]), (&json!(true), &json!(2)));
    let call = &calls["dataPoints"][0];
    assert_eq!((&call["asInt"], attribute(call, "outcome").as_str()), (&json!("1"), "returned"));
    let stages = &named("casemate_stage_duration_seconds")["histogram"]["dataPoints"];
    let policy = stages.as_array().unwrap().iter().find(|point| attribute(point, "stage") == "policy").unwrap();
    let counts = policy["bucketCounts"].as_array().unwrap();
    assert_eq!((counts.len(), &policy["count"]), (policy["explicitBounds"].as_array().unwrap().len() + 1, &json!("1")));
    assert!(named("casemate_audit_records_total")["sum"]["dataPoints"][0]["asInt"].is_string());
    assert_eq!(named("casemate_plugins")["gauge"]["dataPoints"].as_array().unwrap().len(), 2);
}

/// Arguments, targets, what was asked of upstreams, what they answered, what the plugin said, and the secret that was sent: none of it is
/// told, whatever came of the call.
#[test]
fn what_a_call_is_about_is_not_told() {
    let canary = "canary-of-the-arguments";
    for guest in ["plain_request", "failure_text", "talker", "wrong_path", WRITES, "panic", "header_smuggling"] {
        let metrics = super::Metrics::somewhere();
        let house =
            collected(metrics.of(House::new(&Guest::new(guest))), "logs = true\ninterval = \"1s\"\nprincipals = true").serve();
        let _ = house.run(canary);
        let _ = house.call("target", json!({ "group": canary }));
        let _ = house.call("target", json!({ "group": "lab", "case": canary }));
        let _ = house.try_call(&house.served("ping"), json!({ "made-up": canary }));
        spans_of(&house, 3);
        until("metrics are sent", || sent_metrics(&house).iter().any(|name| name == "casemate_calls_total"));
        until("lines are sent", || !sent_lines(&house).is_empty());
        untold(&house, Some(metrics), canary);
        untold(&house, Some(metrics), house.secret().value());
    }
}
