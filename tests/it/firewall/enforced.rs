//! In a real firewall: a bouncer that asks a real CrowdSec, and the kernel's own list of rules, in a network namespace of their own.

use std::{
    process::Command,
    thread::sleep,
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{IP, beside};
use crate::harness::{CrowdSec, alone};

/// A bouncer asks every second; a block of a minute is over then.
const PATIENCE: Duration = Duration::from_secs(100);

/// Every address that a set of the firewall holds.
fn in_firewall() -> Vec<String> {
    let ran = Command::new("nft").args(["-j", "list", "ruleset"]).output();
    let ran = ran.unwrap_or_else(|error| {
        panic!("`nft` cannot be started: {error}\nhelp: make test, or tests/interop/debian.sh nft:nftables")
    });
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let rules: Value = serde_json::from_slice(&ran.stdout).unwrap();
    let sets = rules["nftables"].as_array().unwrap().iter().filter_map(|it| it["set"]["elem"].as_array());
    sets.flatten().filter_map(|element| element["elem"]["val"].as_str().or(element.as_str())).map(str::to_owned).collect()
}

#[track_caller]
fn until(what: &str, crowdsec: &CrowdSec, holds: impl Fn(&[String]) -> bool) {
    let began = Instant::now();
    while !holds(&in_firewall()) {
        assert!(began.elapsed() < PATIENCE, "{what}: {:?}\n{}", in_firewall(), crowdsec.log("bouncer.log"));
        sleep(Duration::from_millis(200));
    }
}

#[test]
fn what_is_blocked_is_in_the_firewall_until_it_is_lifted_or_over() {
    let name = "firewall::enforced::what_is_blocked_is_in_the_firewall_until_it_is_lifted_or_over";
    // The firewall is nobody else's there.
    alone(name, &["--net", "--map-root-user"], "ip link set lo up", enforced);
}

fn enforced() {
    let mut crowdsec = CrowdSec::start();
    crowdsec.enforce();
    let house = beside(&crowdsec).serve();
    let has = |ip: &'static str| move |blocked: &[String]| blocked.iter().any(|it| it == ip);
    let brief = "185.220.101.2";
    let v6 = "2a00:1450::1";
    assert!(!has(IP)(&in_firewall()));

    house.call_fresh("create_firewall_block", json!({ "ip": brief, "ttl_minutes": 1, "reason": "for a minute" })).done(&[]);
    house.block(IP).done(&[]);
    house.block(v6).done(&[]);
    for ip in [brief, IP, v6] {
        until(&format!("{ip} is blocked"), &crowdsec, has(ip));
    }
    house.call_fresh("remove_firewall_block", json!({ "ip": IP })).done(&[]);
    until("what is lifted is gone", &crowdsec, |blocked| !has(IP)(blocked));
    assert!(has(v6)(&in_firewall()));
    until("what is over is gone", &crowdsec, |blocked| !has(brief)(blocked));
    assert!(has(v6)(&in_firewall()));
    assert_eq!(house.listed(), [v6]);
}
