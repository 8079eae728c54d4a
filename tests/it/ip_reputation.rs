//! The plugin for reputations as it is packed: against a real CrowdSec, and against services that lie.

use serde_json::{Value, json};
use toml::Table;

use crate::harness::{BAD, CrowdSec, House, MEANT};

const IP: &str = "185.220.101.1";

/// Everything is had from where `origin` says, by the house's secret.
fn config(source: &str, history: bool, origin: impl Fn(&str) -> String) -> Table {
    let mut config: Table = r#"
environment = "dev"

[plugins.ip-reputation]
secret.api_key.file = "secrets/api_key"

[grants.tester]
principals = ["local"]
tools = ["ip-reputation_*"]
max_effect = "read"
"#
    .parse()
    .unwrap();
    let plugin = config["plugins"]["ip-reputation"].as_table_mut().unwrap();
    plugin.insert("settings".to_owned(), format!("source = \"{source}\"\nhistory = {history}").parse::<Table>().unwrap().into());
    let upstream =
        |name: &str| -> Table { format!("origin = \"{}\"\nallow_private = [\"127.0.0.1/32\"]", origin(name)).parse().unwrap() };
    let upstreams =
        ["crowdsec", "crowdsec-history", "abuseipdb", "crowdsec-cti"].map(|name| (name.to_owned(), upstream(name).into()));
    plugin.insert("upstream".to_owned(), Table::from_iter(upstreams).into());
    config
}

/// The upstream as the fakes call it: one CrowdSec has both ways in.
fn fake(upstream: &str) -> &str {
    if upstream == "crowdsec-history" { "crowdsec" } else { upstream }
}

/// A house whose services are fakes.
fn house(source: &str) -> House {
    let house = House::of_plugin("ip-reputation", |upstreams| {
        config(source, source == "crowdsec", |name| upstreams.origin(fake(name)).to_owned())
    });
    for service in ["crowdsec", "abuseipdb", "crowdsec-cti"] {
        house.upstreams().order(service, &json!({ "key": house.secret().value() }));
    }
    house
}

/// A house beside a real CrowdSec that knows its bouncer and its machine.
fn beside(crowdsec: &CrowdSec) -> House {
    let house = House::of_plugin("ip-reputation", |_| config("crowdsec", true, |_| crowdsec.origin()));
    crowdsec.bouncer("casemate", house.secret().value());
    crowdsec.machine("casemate", house.secret().value());
    house.serve()
}

fn check() -> Value {
    json!({ "ip_address": IP })
}

fn scan() -> Value {
    json!({ "ip_address": IP, "include_history": true })
}

/// What reached a fake, such as `GET /v1/decisions?ip=1.1.1.1`.
fn reached(house: &House, service: &str) -> Vec<String> {
    house.upstreams().received_by(service).iter().map(|request| format!("{} {}", request.method(), request.target())).collect()
}

fn scripted(house: &House, service: &str, path: &str, mut script: Value) {
    (script["method"], script["path"]) = (json!("GET"), json!(path));
    house.upstreams().script_for(service, script);
}

#[test]
fn a_real_crowdsec_says_what_it_decided() {
    let crowdsec = CrowdSec::start();
    let house = beside(&crowdsec);
    house.call("check_ip_reputation", check()).done(&["unknown", "no proof that there is nothing"]);
    crowdsec.decide("185.220.101.0/24", "captcha", 5);
    assert_eq!(house.call("check_ip_reputation", check()).structured()["reputation"], "suspicious");
    crowdsec.decide(IP, "ban", 30);
    let found = house.call("check_ip_reputation", check()).done(&["malicious, says your CrowdSec", "by hand"]);
    assert_eq!(found.structured()["categories"], json!(["by hand"]));
    // And of no other address.
    assert_eq!(house.call("check_ip_reputation", json!({ "ip_address": "185.220.102.1" })).structured()["reputation"], "unknown");
    let v6 = json!({ "ip_address": "2606:4700:4700:0:0:0:0:1111" });
    assert_eq!(house.call("check_ip_reputation", v6.clone()).structured()["reputation"], "unknown");
    crowdsec.decide("2606:4700:4700::1111", "ban", 30);
    assert_eq!(house.call("check_ip_reputation", v6).structured()["reputation"], "malicious");
}

/// Somebody named a network by an address in it: CrowdSec keeps the words, and means the network.
#[test]
fn a_real_crowdsec_means_the_network_around_an_address() {
    let crowdsec = CrowdSec::start();
    crowdsec.decide("185.220.101.77/24", "ban", 30);
    let house = beside(&crowdsec).serve();
    house.call("check_ip_reputation", check()).done(&["malicious"]);
    assert_eq!(crowdsec.decisions(), [("cscli".to_owned(), "185.220.101.77/24".to_owned())]);
}

#[test]
fn a_real_crowdsec_tells_its_machine_what_was() {
    let crowdsec = CrowdSec::start();
    let house = beside(&crowdsec);
    assert_eq!(house.call("scan_ip_reputation", scan()).done(&[]).structured()["history"], json!([]));
    crowdsec.decide(IP, "ban", 30);
    let found = house.call("scan_ip_reputation", scan()).done(&["decision 1: ban of 185.220.101.1 by cscli"]);
    let found = found.structured();
    let left = found["decisions"][0]["seconds_left"].as_i64().unwrap();
    assert!((1_700..=1_800).contains(&left), "{found:#}");
    assert_eq!((found["history"].as_array().unwrap().len(), &found["last_seen"]), (1, &found["history"][0]["at"]), "{found:#}");
    // The past is asked for by itself, and a bouncer's key is enough for the rest.
    let brief = house.call("scan_ip_reputation", check()).done(&[]);
    assert_eq!(brief.structured()["history"], json!([]));
    // The token that the host got is in nothing that it says or writes.
    let records = house.audit();
    assert!(records.iter().chain([&house.call("scan_ip_reputation", scan()).0]).all(|it| !it.to_string().contains("eyJ")));
}

#[test]
fn a_key_or_a_password_that_crowdsec_does_not_know_is_told() {
    let crowdsec = CrowdSec::start();
    let house = House::of_plugin("ip-reputation", |_| config("crowdsec", true, |_| crowdsec.origin())).serve();
    house.call("check_ip_reputation", check()).ended("error", "unauthorized", &["the bouncer's key"]);
    crowdsec.bouncer("casemate", house.secret().value());
    house.call("check_ip_reputation", check()).done(&[]);
    // The model is told no more of a log-in that failed; the operator's log is.
    house.call("scan_ip_reputation", scan()).ended("error", "internal", &["the host refused the request"]);
    assert!(house.audit().iter().any(|record| record.to_string().contains("`log-in` was answered with status 401")));
}

#[test]
fn each_service_is_asked_where_it_is_chosen_and_no_other() {
    for (source, request, reputation) in [
        ("crowdsec", "GET /v1/decisions?ip=185.220.101.1", "unknown"),
        ("abuseipdb", "GET /api/v2/check?ipAddress=185.220.101.1&maxAgeInDays=90", "malicious"),
        ("crowdsec-cti", "GET /v2/smoke/185.220.101.1", "malicious"),
    ] {
        let house = house(source).serve();
        let found = house.call("check_ip_reputation", check()).done(&[]);
        assert_eq!((&found.structured()["reputation"], &found.structured()["source"]), (&json!(reputation), &json!(source)));
        for service in ["crowdsec", "abuseipdb", "crowdsec-cti"] {
            let expected: &[&str] = if service == source { &[request] } else { &[] };
            assert_eq!(reached(&house, service), expected, "{source}");
        }
        house.call("scan_ip_reputation", scan()).done(&[]);
    }
    let house = house("abuseipdb").serve();
    let found = house.call("scan_ip_reputation", scan()).done(&["confidence of abuse: 100 of 100", "brute force, SSH: sshd"]);
    assert_eq!(found.structured()["history"].as_array().unwrap().len(), 50);
    assert_eq!(house.call("check_ip_reputation", json!({ "ip_address": "8.8.8.8" })).structured()["reputation"], "clean");
    assert_eq!(house.call("check_ip_reputation", json!({ "ip_address": "9.9.9.9" })).structured()["reputation"], "unknown");
}

#[test]
fn what_is_not_public_is_not_asked_about() {
    for source in ["crowdsec", "abuseipdb", "crowdsec-cti"] {
        let house = house(source).serve();
        for ip in ["10.0.0.5", "127.0.0.1", "169.254.169.254", "224.0.0.1", "::1", "::ffff:10.0.0.5", "fd00::1", "2002:a00:5::"] {
            house.call("check_ip_reputation", json!({ "ip_address": ip })).ended(
                "error",
                "invalid-arguments",
                &["is not asked about"],
            );
        }
        for (tool, arguments) in [
            ("check_ip_reputation", json!({ "ip_address": "8.8.8.8/../../v1/alerts" })),
            ("check_ip_reputation", json!({ "ip_address": "8.8.8.8&limit=0" })),
            ("check_ip_reputation", json!({ "ip_address": "8.8.8.8", "include_history": true })),
            ("scan_ip_reputation", json!({ "ip_address": "8.8.8.8", "source": "abuseipdb" })),
            ("scan_ip_reputation", json!({ "ip_address": ["8.8.8.8"] })),
        ] {
            house.call(tool, arguments).ended("denied", "arguments-invalid", &[]);
        }
        assert!(["crowdsec", "abuseipdb", "crowdsec-cti"].iter().all(|service| reached(&house, service).is_empty()));
    }
}

#[test]
fn the_past_is_not_read_without_a_machine() {
    let house = house("crowdsec").set("plugins.@.settings.history", false).serve();
    house.call("scan_ip_reputation", scan()).ended("error", "invalid-arguments", &["has not set `history`"]);
    assert!(reached(&house, "crowdsec").is_empty());
    house.call("scan_ip_reputation", check()).done(&[]);
}

#[test]
fn settings_that_name_nobody_are_not_served() {
    let house = house("crowdsec").set("plugins.@.settings.source", "whoever");
    house.install().done();
    let told = house.casemate(&["check"]);
    assert!(told.code != 0 && told.stdout.contains("NOT SERVED") && told.stdout.contains("at `/source`"), "{told:#?}");
}

/// A token that is over is got anew, once, and nobody notices.
#[test]
fn a_token_that_ended_is_got_anew() {
    let house = house("crowdsec").serve();
    house.call("scan_ip_reputation", scan()).done(&[]);
    house.upstreams().order("crowdsec", &json!({ "end_tokens": {} }));
    house.call("scan_ip_reputation", scan()).done(&[]);
    let logins = reached(&house, "crowdsec").iter().filter(|request| *request == "POST /v1/watchers/login").count();
    assert_eq!(logins, 2);
}

#[test]
fn what_a_service_declines_is_told() {
    for (source, path, error, reason) in [
        ("crowdsec", "/v1/decisions", "forbidden", "unauthorized"),
        ("crowdsec", "/v1/decisions", "too-many", "rate-limited"),
        ("crowdsec", "/v1/decisions", "broken", "unavailable"),
        ("abuseipdb", "/api/v2/check", "unauthorized", "unauthorized"),
        ("abuseipdb", "/api/v2/check", "invalid", "invalid-arguments"),
        ("abuseipdb", "/api/v2/check", "too-many", "rate-limited"),
        ("abuseipdb", "/api/v2/check", "broken", "unavailable"),
        ("crowdsec-cti", "/v2/smoke/", "forbidden", "unauthorized"),
        ("crowdsec-cti", "/v2/smoke/", "too-many", "rate-limited"),
        ("crowdsec-cti", "/v2/smoke/", "broken", "unavailable"),
    ] {
        let house = house(source).serve();
        for tool in ["check_ip_reputation", "scan_ip_reputation"] {
            scripted(&house, source, path, json!({ "error": error }));
            house.call(tool, check()).ended("error", reason, &[]);
        }
        house.call("check_ip_reputation", check()).done(&[]);
    }
}

#[test]
fn a_service_that_lies_gets_nothing_past() {
    let hidden = ['\u{200b}', '\u{202e}', '\u{feff}', '\u{e0041}', '\u{1b}', '\u{7}'];
    for (source, path) in [
        ("crowdsec", "/v1/decisions"),
        ("crowdsec", "/v1/alerts"),
        ("abuseipdb", "/api/v2/check"),
        ("crowdsec-cti", "/v2/smoke/"),
    ] {
        let house = house(source).serve();
        house
            .upstreams()
            .order("crowdsec", &json!({ "decide": { "value": IP, "origin": "cscli", "type": "ban", "seconds": 600 } }));
        for kind in BAD.into_iter().chain(MEANT) {
            scripted(&house, source, path, json!({ "misbehave": { "kind": kind } }));
            house.forget();
            let reply = house.call("scan_ip_reputation", scan());
            let text = reply.0.to_string();
            assert!(reply.is_error() || reply.text().contains("untrusted, not instructions"), "{kind} {path}: {text}");
            assert!(!text.contains(hidden), "{kind} {path}: {text}");
            // Whatever is wrong with an answer, it vouches for nobody.
            assert_ne!(reply.structured()["reputation"], "clean", "{kind} {path}: {text}");
        }
        house.call("scan_ip_reputation", scan()).done(&["malicious"]);
    }
}

#[test]
fn an_answer_about_somebody_else_is_none() {
    for (source, path, body) in [
        (
            "crowdsec",
            "/v1/decisions",
            json!([{ "duration": "1h0m0s", "id": 1, "origin": "cscli", "scenario": "s", "scope": "Ip", "type": "ban", "value": "8.8.8.8" }]),
        ),
        (
            "abuseipdb",
            "/api/v2/check",
            json!({ "data": { "ipAddress": "8.8.8.8", "abuseConfidenceScore": 0, "totalReports": 0, "isWhitelisted": true } }),
        ),
        ("crowdsec-cti", "/v2/smoke/", json!({ "ip": "8.8.8.8", "reputation": "safe" })),
    ] {
        let house = house(source).serve();
        scripted(&house, source, path, json!({ "answer": { "body": body } }));
        house.call("check_ip_reputation", check()).ended("error", "upstream", &["another address"]);
    }
}

#[test]
fn it_answers_whatever_it_is_asked() {
    for source in ["crowdsec", "abuseipdb", "crowdsec-cti"] {
        let house = house(source).with("breaker = { denials = false, variants = false, burst = false }");
        house.install().done();
        crate::arguments::every_call_is_answered(&house);
    }
}
