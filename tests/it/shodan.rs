//! Shodan's plugin as it is packed: it tells what is known, of public hosts only, and its key is nowhere.

use serde_json::{Value, json};

use crate::harness::House;

const CONFIG: &str = r#"
environment = "dev"

[plugins.@]
secret.api_key.file = "secrets/api_key"

[grants.tester]
principals = ["local"]
tools = ["@_*"]
max_effect = "read"
"#;

fn house() -> House {
    House::beside("shodan", CONFIG)
}

/// Every tool, with good arguments and the request that it makes.
fn calls() -> [(&'static str, Value, &'static str); 6] {
    [
        ("host", json!({ "ip": "8.8.8.8" }), "GET /shodan/host/8.8.8.8"),
        ("search", json!({ "query": "product:nginx country:DE" }), "GET /shodan/host/search"),
        ("count", json!({ "query": "port:443", "facets": ["country", "port"] }), "GET /shodan/host/count"),
        ("dns_resolve", json!({ "hostnames": ["dns.google", "nowhere.google.com"] }), "GET /dns/resolve"),
        ("dns_reverse", json!({ "ips": ["8.8.8.8", "9.9.9.9"] }), "GET /dns/reverse"),
        ("account", json!({}), "GET /api-info"),
    ]
}

#[test]
fn every_question_is_answered() {
    let house = house().serve();
    let parts: [&[&str]; 6] = [
        &["organisation: Google LLC", "names: dns.google", "- 53/udp dns-udp Google Public DNS", "CVE-2021-23017"],
        &["1 matches", "185.220.101.1 80/tcp http nginx"],
        &["2 matches", "country: US (1), DE (1)", "port: 443 (2)"],
        &["dns.google: 8.8.8.8", "nowhere.google.com: no address"],
        &["8.8.8.8: dns.google", "9.9.9.9: no name"],
        &["plan dev, 99 query credits left"],
    ];
    for ((tool, arguments, _), parts) in calls().into_iter().zip(parts) {
        house.call(tool, arguments).done(parts);
    }
    house.call("host", json!({ "ip": "9.9.9.9" })).ended("error", "not-found", &["knows nothing of this address"]);
}

/// Asking about one's own addresses tells an outsider how the organisation is built.
#[test]
fn what_is_not_public_is_not_asked_about() {
    let house = house().serve();
    for ip in ["10.0.0.5", "127.0.0.1", "169.254.169.254", "192.168.1.1", "::1", "::ffff:10.0.0.5", "fd00::1", "2002:a00:5::"] {
        house.call("host", json!({ "ip": ip })).ended("error", "invalid-arguments", &["is not sent to Shodan"]);
        house.call("dns_reverse", json!({ "ips": ["8.8.8.8", ip] })).ended(
            "error",
            "invalid-arguments",
            &["is not sent to Shodan"],
        );
    }
    for name in ["vault.corp", "localhost", "db.internal", "router.lan"] {
        house.call("dns_resolve", json!({ "hostnames": ["dns.google", name] })).ended(
            "error",
            "invalid-arguments",
            &["is not sent to Shodan"],
        );
    }
    for (tool, arguments) in [
        ("host", json!({ "ip": "0x7f000001" })),
        ("host", json!({ "ip": "8.8.8.8/../../scan" })),
        ("search", json!({ "query": "x".repeat(513) })),
        ("search", json!({ "query": "x\nkey: y" })),
        ("count", json!({ "query": "x", "facets": ["ssl.cert.serial"] })),
        ("host", json!({ "ip": "8.8.8.8", "key": "mine" })),
    ] {
        house.call(tool, arguments.clone()).ended("denied", "arguments-invalid", &[]);
    }
    assert!(house.reached().is_empty(), "{:?}", house.reached());
}

/// The key is in the query, where it is easily shown. The house looks for it everywhere as it goes.
#[test]
fn the_key_is_sent_and_shown_nowhere() {
    let house = house().serve();
    for (tool, arguments, request) in calls() {
        for kind in ["echo-key", "redirect", "reset", "status"] {
            house.scripted(request, json!({ "misbehave": { "kind": kind } }));
            let reply = house.call(tool, arguments.clone());
            house.secret().assert_not_in(&format!("{kind} {tool}"), reply.0.to_string().as_bytes());
        }
    }
    let key = format!("key={}", house.secret().value());
    assert!(house.reached().iter().all(|target| target.contains(&key)), "{:?}", house.reached());
}

#[test]
fn what_shodan_declines_is_told() {
    let house = house().serve();
    for (error, reason) in [
        ("unauthorized", "unauthorized"),
        ("forbidden", "unauthorized"),
        ("invalid", "invalid-arguments"),
        ("too-many", "rate-limited"),
        ("broken", "unavailable"),
    ] {
        for (tool, arguments, request) in calls() {
            house.scripted(request, json!({ "error": error }));
            house.call(tool, arguments).ended("error", reason, &[]);
        }
    }
    house.answers("GET /shodan/host/8.8.8.8", &json!({ "body": { "ip_str": "1.1.1.1", "ports": [] } }));
    house.call("host", json!({ "ip": "8.8.8.8" })).ended("error", "upstream", &["another address"]);
}

#[test]
fn a_shodan_that_lies_gets_nothing_past() {
    let house = house().serve();
    for (tool, arguments, request) in calls() {
        house.bears(tool, &arguments, request);
    }
}

#[test]
fn shodan_answers_whatever_it_is_asked() {
    let house = house().with("breaker = { denials = false, variants = false, burst = false }");
    house.install().done();
    crate::arguments::every_call_is_answered(&house);
}
