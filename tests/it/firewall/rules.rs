//! Who may block what: every rule, and that nothing is sent before it holds.

use serde_json::{Value, json};
use toml::Value as Toml;

use super::{FAKE, IP, LIFT, LIST, block, house};
use crate::harness::House;

#[test]
fn one_alert_with_one_decision_is_sent_by_the_machine() {
    let house = house().serve();
    house.block(IP).done(&["185.220.101.1 is blocked"]);
    let why = "casemate: SSH brute force, case 4711";
    let decision = json!({ "duration": "30m", "origin": "casemate", "scenario": why, "scope": "Ip", "type": "ban", "value": IP });
    let alert = json!([{ "capacity": 0, "decisions": [decision], "events": [], "events_count": 1, "leakspeed": "0", "message": why,
        "scenario": why, "scenario_hash": "", "scenario_version": "", "simulated": false, "source": { "scope": "Ip", "value": IP },
        "start_at": "now", "stop_at": "now" }]);
    assert_eq!(house.alerts(), [alert]);
    assert_eq!(house.asked(), [LIST, "POST /v1/alerts", LIST]);
    for request in house.upstreams().received_by(FAKE) {
        let (bouncer, machine) = (request.headers("x-api-key"), request.headers("authorization"));
        match request.method() {
            "GET" => assert_eq!((bouncer, machine), (vec![house.secret().value().to_owned()], vec![])),
            _ if request.target() == "/v1/watchers/login" => assert_eq!((bouncer, machine), (vec![], vec![])),
            _ => assert_eq!((bouncer, machine), (vec![], vec!["Bearer token-of-the-fake-machine-1".to_owned()])),
        }
    }
    house.call_fresh("remove_firewall_block", json!({ "ip": "185.220.101.1/32" })).done(&[]);
    assert_eq!(house.asked(), [LIST, LIFT, LIST]);
}

#[test]
fn only_who_commands_blocks() {
    let without = house().set("grants.tester.roles", Toml::Array(vec!["analyst".into()])).serve();
    without.block(IP).ended("denied", "role-missing", &["incident_commander"]);
    without.call_fresh("list_firewall_blocks", json!({})).done(&[]);
    assert_eq!(without.asked(), [LIST]);
    let low = house().set("grants.tester.max_effect", "write").serve();
    low.block(IP).ended("denied", "effect-above-grant", &[]);
    assert!(low.asked().is_empty());
}

#[test]
fn blocking_is_off_dry_and_waits_until_somebody_says_otherwise() {
    let off = house().without("plugins.@.tools.create_firewall_block").without("plugins.@.tools.remove_firewall_block").serve();
    off.block(IP).ended("denied", "disabled", &[]);
    off.call_fresh("remove_firewall_block", json!({ "ip": IP })).ended("denied", "disabled", &[]);
    assert!(off.asked().is_empty());
    let dry =
        house().without("plugins.@.tools.create_firewall_block.dry_run").without("plugins.@.tools.remove_firewall_block.dry_run");
    let dry = dry.serve();
    let planned = dry.block(IP).done(&["/v1/alerts"]);
    assert_eq!(planned.decision(), "planned");
    assert_eq!(planned.structured()["plan"]["requests"][0]["targets"], json!({ "network": [IP] }));
    dry.upstreams().order(FAKE, &json!({ "decide": { "value": IP, "origin": "casemate", "type": "ban", "seconds": 600 } }));
    assert_eq!(dry.call_fresh("remove_firewall_block", json!({ "ip": IP })).done(&["/v1/decisions"]).decision(), "planned");
    assert_eq!(dry.asked(), [LIST]);
    let waits = house().without("plugins.@.tools.create_firewall_block.approval").serve();
    let reply = waits.block(IP);
    assert_eq!((reply.is_error(), waits.asked().contains(&"POST /v1/alerts".to_owned())), (true, false), "{reply:#?}");
    assert_ne!(reply.decision(), "planned");
}

/// An address that was read in a log is an attacker's choice, until a person has looked at it.
#[test]
fn what_was_read_elsewhere_is_not_blocked_without_a_person() {
    let house = house().serve();
    house.call("list_firewall_blocks", json!({})).done(&[]);
    let reply = house.call("create_firewall_block", block(IP));
    assert_eq!(reply.decision(), "deferred", "{reply:#?}");
    assert!(house.alerts().is_empty());
}

#[test]
fn what_is_outside_the_grant_is_not_blocked() {
    let house = house().serve();
    for ip in ["1.1.1.1", "185.221.0.1", "2620:fe::fe", "0.0.0.0/0", "::/0", "185.0.0.0/8"] {
        house.block(ip).ended("denied", "out-of-scope", &[]);
        house.call_fresh("remove_firewall_block", json!({ "ip": ip })).ended("denied", "out-of-scope", &[]);
        assert!(house.asked().is_empty(), "{ip}");
    }
}

#[test]
fn what_must_stay_reachable_is_not_blocked_by_anybody() {
    let house = house().set("grants.tester.scope.network", Toml::Array(vec!["0.0.0.0/0".into(), "::/0".into()])).serve();
    for (ip, part) in [
        ("10.0.0.5", "a private address"),
        ("192.168.1.1", "a private address"),
        ("127.0.0.1", "a loopback address"),
        ("0.0.0.0", "an address of this network"),
        ("169.254.169.254", "a link-local address"),
        ("224.0.0.1", "a multicast address"),
        ("255.255.255.255", "a reserved address"),
        ("::1", "a loopback address"),
        ("::", "the unspecified address"),
        ("fe80::1", "a link-local address"),
        ("ff02::1", "a multicast address"),
        ("::ffff:8.8.8.8", "an IPv4 address in IPv6 form"),
        ("9.9.9.9", "never_block has 9.9.9.0/24"),
        ("185.220.103.7", "never_block has 185.220.103.7"),
        ("2606:4700:4700::1111", "never_block has 2606:4700::/32"),
        ("0.0.0.0/0", "a larger network than a /24"),
        ("8.8.0.0/16", "a larger network than a /24"),
        ("::/0", "a larger network than a /48"),
        ("8.8.8.0/24", "it is a network"),
    ] {
        house.block(ip).ended("error", "invalid-arguments", &["is not blocked", part]);
        assert!(house.asked().is_empty(), "{ip}");
    }
}

#[test]
fn arguments_that_say_more_are_refused() {
    let house = house().serve();
    let long = "x".repeat(201);
    for wrong in [
        json!({ "ttl_minutes": 0 }),
        json!({ "ttl_minutes": 241 }),
        json!({ "ttl_minutes": -30 }),
        json!({ "ttl_minutes": 1.5 }),
        json!({ "reason": "" }),
        json!({ "reason": long }),
        json!({ "reason": "a\nb" }),
        json!({ "ip": "evil.example" }),
        json!({ "ip": "185.220.101.1,185.220.101.2" }),
        json!({ "ip": ["185.220.101.1"] }),
        json!({ "origin": "cscli" }),
        json!({ "type": "captcha" }),
    ] {
        let mut arguments = block(IP);
        arguments.as_object_mut().unwrap().extend(wrong.as_object().unwrap().clone());
        let reply = house.call_fresh("create_firewall_block", arguments);
        assert_eq!(reply.decision(), "denied", "{wrong}: {reply:#?}");
        assert!(house.asked().is_empty(), "{wrong}");
    }
    for wrong in [json!({ "id": 1 }), json!({}), json!({ "ip": IP, "origin": "cscli" }), json!({ "ip": "*" })] {
        assert_eq!(house.call_fresh("remove_firewall_block", wrong.clone()).decision(), "denied", "{wrong}");
        assert!(house.asked().is_empty(), "{wrong}");
    }
    let key = format!("AKIA{}", "A1B2C3D4".repeat(2));
    let leaky = json!({ "ip": IP, "ttl_minutes": 5, "reason": format!("it used {key}") });
    house
        .call_fresh("create_firewall_block", leaky)
        .ended("error", "invalid-arguments", &["nothing was blocked"])
        .silent(&[&key]);
    assert!(house.asked().is_empty());
}

/// The operator is told that the plugin is not served, and which setting is why.
#[track_caller]
fn not_served(house: &House, setting: &str) {
    house.install().done();
    let told = house.casemate(&["check"]);
    assert!(told.code != 0 && told.stdout.contains("NOT SERVED") && told.stdout.contains(setting), "{told:#?}");
}

#[test]
fn settings_that_protect_nothing_are_not_served() {
    for (setting, value) in [
        ("never_block", Toml::Array(vec![])),
        ("never_block", Toml::Array(vec!["everything".into()])),
        ("max_active", 0.into()),
        ("max_active", 201.into()),
        ("machine_id", "".into()),
    ] {
        not_served(&house().set(&format!("plugins.@.settings.{setting}"), value), setting);
    }
    not_served(&house().without("plugins.@.settings.never_block"), "never_block");
    // What has the form of a network and is none lets nothing be blocked.
    let house = house().set("plugins.@.settings.never_block", Toml::Array(vec!["300.1.1.1".into()])).serve();
    house.block(IP).ended("error", "internal", &["never_block"]);
    assert!(house.asked().is_empty());
}

#[test]
fn it_answers_whatever_it_is_asked() {
    let house = house().with("breaker = { denials = false, variants = false, burst = false }");
    house.install().done();
    crate::arguments::every_call_is_answered(&house);
}

/// What is blocked counts against the most that may be, and what others blocked does not.
#[test]
fn others_blocks_do_not_count() {
    let house = house().serve();
    let decide = |value: &str, origin: &str| {
        let order: Value = json!({ "decide": { "value": value, "origin": origin, "type": "ban", "seconds": 600 } });
        house.upstreams().order(FAKE, &order);
    };
    (0..20).for_each(|at| decide(&format!("8.8.4.{at}"), "CAPI"));
    (0..2).for_each(|at| decide(&format!("8.8.5.{at}"), "casemate"));
    house.block(IP).done(&[]);
    house.block("185.220.101.2").ended("error", "invalid-arguments", &["3 blocks are in force"]);
    assert_eq!(house.asked(), [LIST]);
}
