//! Whose word counts: how many people, which, and what they signed.

use std::fs;

use serde_json::json;
use toml::toml;

use super::{WRITES, asked, by_operator, enrol, guarded, key, made, say, shown, waiting_house, waits};
use crate::harness::{Guest, House};

/// Change rows of the ledger as whoever has its file can.
fn tamper(house: &House, sql: &str) {
    let ledger = rusqlite::Connection::open(house.folder().join("state/dev/ledger.db")).unwrap();
    ledger.execute_batch(sql).unwrap();
}

#[test]
fn a_quorum_is_of_different_people() {
    let house = waiting_house(toml! {
        mode = "operator"
        quorum = 2
    });
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    assert_eq!(asked(&house), id, "one of two");
    say(&house, "approve", &id, "alice").refused(&["has agreed to"]);
    assert_eq!(asked(&house), id, "one person twice");
    say(&house, "approve", &id, "bob").done();
    made(&house);
    asked(&house);
}

#[test]
fn one_key_is_one_person_under_any_name() {
    let house = waiting_house(toml! {
        mode = "operator"
        quorum = 2
    });
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    let (file, whose) = (key(&house, "alice").display().to_string(), "bob");
    house.casemate(&["approvals", "approve", &id, "--key", &file, "--as", whose, "--yes"]).refused(&["not by the key of"]);
    assert_eq!(shown(&house, &id)["agreed"].as_array().unwrap().len(), 1);
    asked(&house);
}

#[test]
fn nobody_approves_a_call_of_their_own() {
    let house = guarded(&Guest::new(WRITES), by_operator());
    let house = enrol(enrol(house, "alice"), "bob").set("approvers.alice.principals", vec!["local"]).serve();
    let id = asked(&house);
    say(&house, "approve", &id, "alice").refused(&["nobody approves a call of their own"]);
    assert_eq!(asked(&house), id);
    say(&house, "approve", &id, "bob").done();
    made(&house);
}

#[test]
fn a_stranger_and_an_approver_without_the_role_agree_to_nothing() {
    let house = waiting_house(toml! {
        mode = "operator"
        roles = ["commander"]
    });
    let id = asked(&house);
    say(&house, "approve", &id, "alice").refused(&["has none of the roles"]);
    let stranger = key(&house, "mallory").display().to_string();
    house.casemate(&["approver", "new", "mallory", "--key", &stranger, "--no-passphrase"]).done();
    say(&house, "approve", &id, "mallory").refused(&["this key belongs to no approver"]);
    house
        .casemate(&["approvals", "approve", &id, "--key", &stranger, "--as", "mallory", "--yes"])
        .refused(&["is not an approver"]);
    assert_eq!(asked(&house), id);
}

#[test]
fn an_approver_who_was_removed_no_longer_counts() {
    let mut house = waiting_house(by_operator());
    let id = asked(&house);
    say(&house, "approve", &id, "alice").done();
    house.close();
    // Under her name stands another key now.
    for file in ["alice.key", "alice.key.pub"] {
        fs::rename(house.folder().join(file), house.folder().join(format!("before-{file}"))).unwrap();
    }
    let house = enrol(house, "alice").open();
    assert_eq!(asked(&house), id, "signed by a key that is nobody's now");
    say(&house, "approve", &id, "bob").done();
    made(&house);
}

#[test]
fn a_vote_about_another_call_or_made_up_in_the_ledger_counts_for_nothing() {
    let house = guarded(&Guest::new("changing_plan"), by_operator());
    let house = enrol(enrol(house, "alice"), "bob").serve();
    let (id, other) = (asked(&house), waits(house.call("change", json!({ "group": "lab" }))));
    say(&house, "approve", &other, "alice").done();
    let moved = format!(
        "INSERT INTO votes (approval, approver, payload, signature, at_ms) SELECT '{id}', approver, payload, signature, at_ms FROM votes WHERE approval = '{other}'"
    );
    tamper(&house, &moved);
    assert_eq!(asked(&house), id, "a signature over another call");
    tamper(&house, &format!("UPDATE votes SET signature = zeroblob(64) WHERE approval = '{other}'"));
    assert_eq!(waits(house.call("change", json!({ "group": "lab" }))), other, "a signature that is none");
    tamper(&house, &format!("UPDATE approvals SET in_band = 1 WHERE id = '{id}'"));
    assert_eq!(asked(&house), id, "the person at the client is not asked where an operator is");
    assert_eq!(shown(&house, &id)["agreed"].as_array().unwrap().len(), 0);
    say(&house, "approve", &id, "bob").done();
    made(&house);
}
