//! A collector that is away, slow, or lies: calls go on, and what is lost is counted.

use std::time::Instant;

use serde_json::json;

use super::{Metrics, called, collected, spans, spans_of};
use crate::harness::{Guest, House, until};

/// A house that sends spans, and metrics that can be read besides.
fn watched() -> (Metrics, House) {
    let metrics = Metrics::somewhere();
    (metrics, collected(metrics.of(House::new(&Guest::new("plain_request"))), "metrics = false"))
}

fn lost(metrics: Metrics) -> f64 {
    metrics.read().sum("casemate_telemetry_dropped_total", &[("signal", "traces")])
}

#[test]
fn one_that_is_away_loses_what_it_was_not_there_for_and_no_call() {
    let metrics = Metrics::somewhere();
    // Nobody listens there.
    let away = Metrics::somewhere().address();
    let house = metrics.of(House::new(&Guest::new("plain_request")));
    let mut house = house.with(&format!("[telemetry.otlp]\nendpoint = \"http://{away}\"\nmetrics = false")).serve();
    let began = Instant::now();
    for _ in 0..20 {
        house.goes_on();
    }
    assert!(began.elapsed().as_secs() < 20, "calls wait for the collector: {:?}", began.elapsed());
    until("the loss is counted", || lost(metrics) > 0.0);
    house.close();
}

#[test]
fn one_that_lies_is_believed_nothing() {
    for script in [
        json!({ "misbehave": { "kind": "redirect", "to": "http://127.0.0.1:1/" } }),
        json!({ "misbehave": { "kind": "redirect-metadata" } }),
        json!({ "misbehave": { "kind": "huge-body" } }),
        json!({ "misbehave": { "kind": "gzip-bomb" } }),
        json!({ "misbehave": { "kind": "endless-headers" } }),
        json!({ "answer": { "status": 500, "body": "terminal\u{1b}[2J escapes" } }),
        json!({ "answer": { "status": 400 } }),
    ] {
        let (metrics, house) = watched();
        house.upstreams().script_for("collector", script.clone());
        let house = house.serve();
        house.goes_on();
        until(&format!("the loss is counted: {script}"), || lost(metrics) > 0.0);
        // The next one is honest.
        house.run("one").done(&["200"]);
        until("the next call arrives", || !called(&spans(&house)).is_empty());
        assert_eq!(house.upstreams().received_by("oauth").len(), 0);
    }
}

#[test]
fn one_that_is_slow_holds_up_no_call_and_no_end() {
    let (_, house) = watched();
    let script = json!({ "misbehave": { "kind": "slow-headers", "ms": 60_000 }, "times": 100 });
    house.upstreams().script_for("collector", script);
    let mut house = house.serve();
    let began = Instant::now();
    for _ in 0..20 {
        house.goes_on();
    }
    assert!(began.elapsed().as_secs() < 20, "{:?}", began.elapsed());
    // The harness gives a server ten seconds to end.
    house.close();
}

#[test]
fn what_it_says_it_did_not_take_is_counted_as_lost() {
    let (metrics, house) = watched();
    house.upstreams().order("collector", &json!({ "rejects": 2 }));
    let house = house.serve();
    house.goes_on();
    until("the loss is counted", || (lost(metrics) - 2.0).abs() < f64::EPSILON);
}

#[test]
fn a_collector_that_is_busy_is_asked_again() {
    let (metrics, house) = watched();
    house.upstreams().script_for("collector", json!({ "answer": { "status": 503 } }));
    let house = house.serve();
    house.goes_on();
    spans_of(&house, 1);
    until("it is asked again", || house.upstreams().received_by("collector").len() == 2);
    assert!(lost(metrics).abs() < f64::EPSILON, "it arrived the second time");
}

/// The token goes to the collector alone, in the header that the operator says, and is read anew when it is not taken.
#[test]
fn who_sends_is_proved_by_a_token_from_a_provider() {
    let (_, house) = watched();
    let token = house.folder().join("collector-token");
    let write = |value: &str| {
        std::fs::write(&token, value).unwrap();
        std::fs::set_permissions(&token, std::os::unix::fs::PermissionsExt::from_mode(0o600)).unwrap();
    };
    write("first-token-of-the-test");
    house.upstreams().order("collector", &json!({ "header": ["authorization", "Bearer first-token-of-the-test"] }));
    let house = house.set("telemetry.otlp.token.file", "collector-token").serve();
    house.goes_on();
    spans_of(&house, 1);
    write("second-token-of-the-test");
    house.upstreams().order("collector", &json!({ "header": ["authorization", "Bearer second-token-of-the-test"] }));
    house.goes_on();
    until("the new token is sent", || {
        let received = house.upstreams().received_by("collector");
        received.iter().any(|request| request.headers("authorization") == ["Bearer second-token-of-the-test"])
    });
}

/// `casemate doctor` asks it, with nothing, and calls a collector that is away no fault of the setup.
#[test]
fn the_doctor_asks_whether_it_takes_what_it_would_be_sent() {
    let (_, house) = watched();
    house.install().done();
    let asked = house.casemate(&["doctor"]);
    assert!(asked.stdout.contains("takes traces") && asked.stdout.contains("metrics are read at"), "{asked:?}");
    assert!(house.upstreams().received_by("collector").iter().all(|request| request.body_bytes() == 2));
    house.upstreams().script_for("collector", json!({ "answer": { "status": 404 } }));
    let asked = house.casemate(&["doctor"]);
    assert!(asked.stdout.contains("does not take what it is sent: traces: the collector answered 404"), "{asked:?}");
}

#[test]
fn a_token_that_cannot_be_read_is_said_at_the_start() {
    let (_, house) = watched();
    house.install().done();
    let house = house.set("telemetry.otlp.token.env", "A_VARIABLE_THAT_IS_NOT_SET");
    house.casemate(&["serve"]).faulty(&["the token of `[telemetry.otlp]`", "A_VARIABLE_THAT_IS_NOT_SET"]);
}
