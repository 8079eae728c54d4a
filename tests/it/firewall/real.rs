//! Against a real CrowdSec.

use serde_json::{Value, json};

use super::{IP, beside};
use crate::{
    approvals::{enrol, say},
    harness::CrowdSec,
};

fn own(ip: &str) -> (String, String) {
    ("casemate".to_owned(), ip.to_owned())
}

#[test]
fn a_block_is_made_listed_and_lifted() {
    let crowdsec = CrowdSec::start();
    let house = beside(&crowdsec).serve();
    assert_eq!(house.listed(), Vec::<String>::new());
    let made = house.block(IP).done(&["185.220.101.1 is blocked for"]);
    let left = made.structured()["seconds_left"].as_i64().unwrap();
    assert!((1_740..=1_800).contains(&left), "{made:#?}");
    assert_eq!(crowdsec.decisions(), [own(IP)]);
    house.block("2A00:1450:0:0:0:0:0:1").done(&["2a00:1450::1 is blocked"]);

    let listed = house.call("list_firewall_blocks", json!({})).done(&["2 of at most 3", "SSH brute force, case 4711"]);
    assert!(
        listed.structured()["blocks"].as_array().unwrap().iter().any(|it| it["decision_id"] == made.structured()["decision_id"])
    );
    house.call_fresh("remove_firewall_block", json!({ "ip": IP })).done(&["no longer blocked from here"]);
    assert_eq!(crowdsec.decisions(), [own("2a00:1450::1")]);
    house.call_fresh("remove_firewall_block", json!({ "ip": IP })).ended("error", "not-found", &["no block of `185.220.101.1`"]);
    house.call_fresh("remove_firewall_block", json!({ "ip": "2a00:1450::1" })).done(&[]);
    assert_eq!(crowdsec.decisions(), []);
    // The token that the host got is in nothing that it says or writes.
    assert!(house.audit().iter().all(|record| !record.to_string().contains("eyJ")));
}

#[test]
fn what_others_decided_stays_and_is_not_shown() {
    let crowdsec = CrowdSec::start();
    let house = beside(&crowdsec).serve();
    crowdsec.decide(IP, "ban", 120);
    crowdsec.decide("185.220.101.0/24", "ban", 120);
    assert_eq!(house.listed(), Vec::<String>::new());
    house.call_fresh("remove_firewall_block", json!({ "ip": IP })).ended("error", "not-found", &["blocks of others"]);
    // One of one's own beside theirs.
    house.block(IP).done(&[]);
    assert_eq!(house.listed(), [IP]);
    house.call_fresh("remove_firewall_block", json!({ "ip": IP })).done(&["Others may block it, too"]);
    let mut left = crowdsec.decisions();
    left.sort();
    assert_eq!(left, ["185.220.101.0/24", IP].map(|ip| ("cscli".to_owned(), ip.to_owned())));
}

#[test]
fn there_are_only_so_many_and_a_longer_one_takes_the_place_of_a_shorter() {
    let crowdsec = CrowdSec::start();
    let house = beside(&crowdsec).serve();
    house.block(IP).done(&[]);
    house.block(IP).ended("error", "invalid-arguments", &["is blocked already"]);
    let longer = json!({ "ip": IP, "ttl_minutes": 240, "reason": "still there" });
    let made = house.call_fresh("create_firewall_block", longer).done(&[]);
    assert!(made.structured()["seconds_left"].as_i64().unwrap() > 14_000, "{made:#?}");
    house.block("1.1.1.1").ended("denied", "out-of-scope", &[]);
    house.block("8.8.8.8").done(&[]);
    house.block("8.8.8.9").ended("error", "invalid-arguments", &["3 blocks are in force", "max_active"]);
    assert_eq!(house.listed().len(), 3);
    // Both of one address are lifted together.
    let lifted = house.call_fresh("remove_firewall_block", json!({ "ip": IP })).done(&[]);
    assert_eq!(lifted.structured()["lifted"], 2);
    house.block("8.8.8.9").done(&[]);
}

#[test]
fn networks_are_blocked_where_the_operator_says_that_bouncers_know_them() {
    let crowdsec = CrowdSec::start();
    let network = "185.220.101.0/24";
    let house = beside(&crowdsec).serve();
    house.block(network).ended("error", "invalid-arguments", &["take its first address for the whole", "`ranges`"]);
    assert_eq!(crowdsec.decisions(), []);
    drop(house);
    let crowdsec = CrowdSec::start();
    let house = beside(&crowdsec).set("plugins.@.settings.ranges", true).serve();
    house.block(network).done(&["185.220.101.0/24 is blocked"]);
    assert_eq!(crowdsec.decisions(), [own(network)]);
    for (larger, part) in
        [("185.220.100.0/23", "larger network than a /24"), ("185.220.103.0/24", "never_block has 185.220.103.7")]
    {
        house.block(larger).ended("error", "invalid-arguments", &[part]);
    }
    house.call_fresh("remove_firewall_block", json!({ "ip": IP })).ended("error", "not-found", &[]);
    house.call_fresh("remove_firewall_block", json!({ "ip": network })).done(&[]);
    assert_eq!(crowdsec.decisions(), []);
}

/// What a person agrees to is what is sent, minutes later; and there is no time in it that could have made it another.
#[test]
fn a_block_waits_for_a_person_and_is_made_as_it_was_shown() {
    let crowdsec = CrowdSec::start();
    let house = beside(&crowdsec).without("plugins.@.tools.create_firewall_block.approval");
    let house = enrol(house, "alice").serve();
    let waits = house.block(IP).ended("deferred", "approval-required", &[]);
    let id = waits.structured()["approval_id"].as_str().unwrap().to_owned();
    assert_eq!(crowdsec.decisions(), []);
    let shown = house.casemate(&["approvals", "show", &id]).done().stdout;
    for part in ["firewall_create_firewall_block", IP, "30m", "SSH brute force, case 4711", "POST", "/v1/alerts", "ban"] {
        assert!(shown.contains(part), "`{part}` is not in {shown}");
    }
    say(&house, "approve", &id, "alice").done();
    house.block(IP).done(&["185.220.101.1 is blocked for"]);
    assert_eq!(crowdsec.decisions(), [own(IP)]);
    // It was good for one call.
    let other = json!({ "ip": "185.220.101.2", "ttl_minutes": 30, "reason": "SSH brute force, case 4711" });
    house.call_fresh("create_firewall_block", other).ended("deferred", "approval-required", &[]);
}

#[test]
fn a_machine_that_crowdsec_does_not_know_changes_nothing() {
    let crowdsec = CrowdSec::start();
    let house = beside(&crowdsec).set("plugins.@.settings.machine_id", "somebody-else").serve();
    // The model is told no more of a log-in that failed; the operator's log is.
    house.block(IP).ended("error", "internal", &["the host refused the request"]);
    assert!(house.audit().iter().any(|record| record.to_string().contains("`log-in` was answered with status 401")));
    assert_eq!(crowdsec.decisions(), []);
    assert_eq!(house.call_fresh("list_firewall_blocks", json!({})).done(&[]).structured()["blocks"], json!([]));
}

/// What CrowdSec demands of an alert, and what it makes of a time that is none: the contract rests on both.
#[test]
fn the_server_counts_the_minutes() {
    let crowdsec = CrowdSec::start();
    let house = beside(&crowdsec).serve();
    let made: Value = house
        .call_fresh("create_firewall_block", json!({ "ip": IP, "ttl_minutes": 1, "reason": "x" }))
        .done(&[])
        .structured()
        .clone();
    assert!((30..=60).contains(&made["seconds_left"].as_i64().unwrap()), "{made:#}");
    assert!(crowdsec.log("crowdsec.log").contains("defaulting to now"));
}
