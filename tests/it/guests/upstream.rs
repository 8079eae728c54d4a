//! An honest guest whose upstream is not: it misbehaves, is too large, too slow, or where nothing may be.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::harness::{Guest, House};

#[test]
pub(super) fn plain_request() {
    let house = House::serving(&Guest::new("plain_request"));
    house.run("one").done(&["200", "untrusted"]);
    let received = house.received();
    let [request] = received.as_slice() else { panic!("{received:?}") };
    assert_eq!((request.method(), request.target()), ("GET", "/items/one"));
    assert_eq!(request.headers("x-api-key"), [house.secret().value()]);
    assert_eq!(request.headers("host"), [house.upstreams().origin("echo").trim_start_matches("http://")]);
    assert_eq!(
        request.header_names(),
        ["accept", "accept-encoding", "host", "user-agent", "x-api-key"],
        "nothing that nobody asked for"
    );
    house.goes_on();
}

#[test]
fn an_upstream_that_misbehaves_disturbs_nobody_else() {
    let house = House::serving(
        &Guest::new("plain_request").limit("deadline_ms", 2000).limit("response_kib", 256).limit("memory_mib", 16),
    );
    let kinds = [
        "slow-body",
        "stalled-body",
        "drip-headers",
        "endless-body",
        "endless-headers",
        "huge-body",
        "gzip-bomb",
        "redirect-loop",
        "html",
        "truncated",
        "truncated-chunks",
        "invalid-json",
        "invalid-utf8",
        "deep-json",
        "empty-body",
        "hostile-text",
        "huge-header",
        "many-headers",
        "informational",
        "switching-protocols",
        "reset",
        "reset-body",
        "close",
        "chunk-garbage",
        "chunk-overflow",
        "set-cookie",
        "two-lengths",
        "length-and-chunked",
        "extra-response",
        "odd-headers",
        "not-http",
        "status",
    ];
    for kind in kinds {
        house.upstreams().forget();
        house.upstreams().script(json!({ "misbehave": { "kind": kind } }));
        let started = Instant::now();
        let reply = house.run("one");
        assert!(started.elapsed() < Duration::from_secs(5), "{kind}: {:?}", started.elapsed());
        let decision = if reply.is_error() { "error" } else { "" };
        assert_eq!(reply.decision(), decision, "{kind}: {reply:?}");
        assert!(!reply.text().contains(['\u{1b}', '\u{202e}', '\0']), "{kind}: {reply:?}");
        house.upstreams().forget();
        house.run("two").done(&["200", "/items/two"]);
    }
}

#[test]
fn limits_of_an_answer_are_named() {
    let house = House::serving(&Guest::new("plain_request").limit("deadline_ms", 1500).limit("response_kib", 64));
    for (kind, limit, value) in [
        ("slow-headers", "deadline_ms", "1500 ms"),
        ("stalled-body", "deadline_ms", "1500 ms"),
        ("huge-body", "response_kib", "64 KiB"),
        ("endless-body", "response_kib", "64 KiB"),
        ("gzip-bomb", "response_kib", "64 KiB"),
    ] {
        house.upstreams().forget();
        house.upstreams().script(json!({ "misbehave": { "kind": kind } }));
        house.run("one").limited(limit, value);
        house.upstreams().forget();
        house.goes_on();
    }
}

#[test]
fn an_upstream_at_an_internal_address_needs_the_operators_word() {
    let house = House::new(&Guest::new("plain_request"))
        .set("plugins.@.upstream.echo.allow_private", toml::Value::Array(Vec::new()))
        .serve();
    house.run("one").ended("error", "address-refused", &[]).silent(&["127.0.0.1"]);
    assert_eq!(house.upstreams().connections(), 0);
    house.goes_on();
}

#[test]
fn no_internal_address_is_connected_to() {
    let mut house =
        House::new(&Guest::new("plain_request")).set("plugins.@.upstream.echo.allow_private", toml::Value::Array(Vec::new()));
    house.install().done();
    for origin in [
        "http://169.254.169.254",
        "http://10.0.0.1",
        "http://192.168.0.1:8080",
        "http://172.16.0.1",
        "http://100.64.0.1",
        "http://0.0.0.0",
        "http://[::1]:8080",
        "http://[fd00:ec2::254]",
        "http://[fe80::1]",
        "http://[64:ff9b::7f00:1]",
        "http://[2002:7f00:1::]",
        "http://224.0.0.1",
        "http://localhost:9",
    ] {
        house = house.set("plugins.@.upstream.echo.origin", origin).open();
        let reply = house.run("one");
        assert_eq!(reply.reason(), "address-refused", "{origin}: {reply:?}");
        house.goes_on();
        house.close();
    }
}
