//! Under which trace upstreams are told that they are asked: the one that the operator says, and no guest ever.

use serde_json::json;

use super::{called, collected, spans_of};
use crate::harness::{Guest, House};

/// What the upstream was told of the trace.
fn told(house: &House) -> Vec<String> {
    house.received().iter().flat_map(|request| request.headers("traceparent")).collect()
}

#[test]
fn an_upstream_is_told_nothing_unless_the_operator_says_so() {
    let house = collected(House::new(&Guest::new("plain_request")), "").serve();
    house.run("one").done(&["200"]);
    assert_eq!(told(&house), Vec::<String>::new());
}

#[test]
fn an_upstream_that_is_told_is_a_child_of_the_call() {
    let house = collected(House::new(&Guest::new("plain_request")), "").set("plugins.@.upstream.echo.trace", true).serve();
    house.run("one").done(&["200"]);
    let spans = spans_of(&house, 1);
    let call = called(&spans)[0];
    let id = |name: &str| call[name].as_str().unwrap();
    assert_eq!(told(&house), [format!("00-{}-{}-01", id("traceId"), id("spanId"))]);
}

/// Where nothing is exported, the trace is there all the same, and says that nobody records it.
#[test]
fn a_trace_is_passed_on_without_a_collector() {
    let house = House::new(&Guest::new("plain_request")).set("plugins.@.upstream.echo.trace", true).serve();
    house.run("one").done(&["200"]);
    let [told] = &told(&house)[..] else { panic!("one trace") };
    let call_id = &house.records("intent")[0]["extensions"]["casemate"]["call_id"];
    assert!(told.starts_with("00-") && told.ends_with(&format!("-{}-00", call_id.as_str().unwrap())), "{told} {call_id}");
}

/// A guest cannot say under which trace it asks, nor is it told.
#[test]
fn a_guest_neither_sets_nor_sees_it() {
    let house = House::new(&Guest::new("header_smuggling")).set("plugins.@.upstream.echo.trace", true).serve();
    for name in ["traceparent", "Traceparent", "tracestate"] {
        let case = json!([[name, "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"]]).to_string();
        house.refused("run", json!({ "case": case }), "header-forbidden");
    }
    // The upstream answers with what it was sent, and the guest with that.
    let reply = house.run("[]").done(&["200", "traceparent"]);
    let [told] = &told(&house)[..] else { panic!("one trace") };
    let ids: Vec<&str> = told.split('-').filter(|part| part.len() >= 16).collect();
    assert_eq!(ids.len(), 2);
    reply.silent(&ids);
    drop(house);

    let house = House::new(&Guest::new("response_headers")).set("plugins.@.upstream.echo.trace", true).serve();
    let headers = json!([
        ["traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"],
        ["traceresponse", "00-a"],
        ["x-other", "kept"]
    ]);
    house.upstreams().script(json!({ "answer": { "headers": headers } }));
    house.run("one").done(&["x-other"]).silent(&["traceparent", "traceresponse", "4bf92f35"]);
}
