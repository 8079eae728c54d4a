//! `[audit.forward.NAME]`: every record reaches the collector, in order and once, whatever stops in between; its credential reaches
//! nobody else.

use std::{fs, os::unix::fs::PermissionsExt as _};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::harness::{Collector, Guest, House, secret::Secret, until};

fn house(collector: &Collector, more: &str) -> House {
    let house = House::new(&Guest::new("parrot"));
    fs::write(house.folder().join("ca.pem"), &collector.certificate).unwrap();
    house.with(&format!("[audit.forward.siem]\nto = '{}'\n{more}", collector.address()))
}

/// A credential in a file that is no part of the house.
pub(crate) struct Credential {
    folder: TempDir,
    value: String,
}

impl Credential {
    pub(crate) fn new() -> Self {
        let credential = Self { folder: tempfile::tempdir().unwrap(), value: Secret::new().value().to_owned() };
        let path = credential.folder.path().join("token");
        fs::write(&path, credential.value()).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        credential
    }

    /// As a collector that asks for `Bearer` has it configured.
    pub(crate) fn auth(&self) -> String {
        format!("auth = {{ scheme = 'Bearer', secret = {{ file = '{}' }} }}", self.folder.path().join("token").display())
    }

    /// What the collector then gets in its header.
    pub(crate) fn sent(&self) -> String {
        format!("Bearer {}", self.value)
    }

    pub(crate) fn value(&self) -> &str {
        &self.value
    }
}

/// The ids of every record there is, in order.
fn written(house: &House) -> Vec<String> {
    let mut ids: Vec<String> = house.written().iter().map(|record| record["event_id"].as_str().unwrap().to_owned()).collect();
    ids.sort();
    ids
}

#[track_caller]
fn all_arrived(house: &House, collector: &Collector) {
    until("every record arrives", || collector.ids().len() >= written(house).len());
    assert_eq!(collector.ids(), written(house), "in order, and each once");
}

/// Through a restart, and while the collector is away.
fn exactly_once(mut house: House, mut collector: Collector) -> (House, Collector) {
    house.install().done();
    house = house.open();
    for _ in 0..3 {
        house.run("say hello").done(&[]);
    }
    all_arrived(&house, &collector);
    house.close();
    house = house.open();
    house.run("say hello again").done(&[]);
    all_arrived(&house, &collector);
    let before = collector.ids().len();
    collector.go_away();
    for _ in 0..3 {
        house.run("say hello to nobody").done(&[]);
    }
    assert_eq!(collector.ids().len(), before);
    collector.come_back();
    all_arrived(&house, &collector);
    assert!(collector.ids().len() >= before + 6);
    (house, collector)
}

#[test]
fn syslog_over_tls_gets_every_record_once_through_restarts_and_absences() {
    let collector = Collector::syslog();
    exactly_once(house(&collector, "ca = 'ca.pem'"), collector);
}

#[test]
fn otlp_gets_every_record_once_through_restarts_and_absences() {
    let credential = Credential::new();
    let collector = Collector::otlp(&credential.sent());
    let mut house = house(&collector, &credential.auth());
    house.keeps(credential.value());
    let (house, collector) = exactly_once(house, collector);
    Secret::of(credential.value()).assert_not_in("what is forwarded", &collector.bytes());
    house.secret().assert_not_in("what is forwarded", &collector.bytes());
}

/// The forwarding's line of `casemate doctor`.
fn doctor(house: &House) -> (String, String) {
    let ran = house.casemate(&["doctor", "--format", "json"]);
    let shown: Value = serde_json::from_str(&ran.stdout).unwrap();
    let found = shown["findings"].as_array().or(shown.as_array()).unwrap();
    let line = found.iter().find(|finding| finding["about"] == "forward").unwrap_or_else(|| panic!("{shown:#}"));
    let text = |name: &str| line[name].as_str().unwrap().to_owned();
    (text("standing"), text("said"))
}

#[test]
fn a_collector_that_refuses_the_credential_is_told_of_and_shown_nothing() {
    let credential = Credential::new();
    let collector = Collector::otlp("Bearer another-credential");
    let mut house = house(&collector, &credential.auth());
    house.keeps(credential.value());
    house = house.serve();
    house.run("say hello").done(&[]);
    until("it is refused", || collector.refused() > 0);
    let (standing, said) = doctor(&house);
    assert_eq!(standing, "doubtful", "{said}");
    for part in [
        "siem: OTLP http://127.0.0.1:",
        "known by its authorization: file ",
        "401",
        "not sent yet",
        "check the forwarding's `auth`",
    ] {
        assert!(said.contains(part), "`{part}` is not in {said}");
    }
    assert!(collector.ids().is_empty());
    // What it learns it takes, and all of it.
    collector.expect(&credential.sent());
    all_arrived(&house, &collector);
    let (standing, said) = doctor(&house);
    assert_eq!(standing, "ok", "{said}");
    house.close();
}

#[test]
fn what_is_forwarded_and_how_far_behind_is_shown() {
    let mut collector = Collector::syslog();
    let house = house(&collector, "ca = 'ca.pem'");
    house.install().done();
    collector.go_away();
    let check = house.casemate(&["check"]).done().stdout;
    assert!(check.contains("forwarded") && check.contains("siem") && check.contains(" over TLS"), "{check}");
    assert!(check.contains("not sent yet"), "{check}");
    let shown: Value = serde_json::from_str(&house.casemate(&["check", "--format", "json"]).done().stdout).unwrap();
    assert_eq!(shown["forwarded"][0]["forward"], "siem");
    assert!(shown["forwarded"][0]["behind"].as_u64().unwrap() > 0, "{shown:#}");
    let (standing, said) = doctor(&house);
    assert!(standing == "doubtful" && said.contains("takes nothing: ") && said.contains("nothing is lost"), "{said}");
    collector.come_back();
    let (standing, said) = doctor(&house);
    assert!(standing == "ok" && said.contains("not sent yet"), "{said}");
}

#[test]
fn a_credential_is_sent_where_it_can_be_and_nowhere_else() {
    let collector = Collector::otlp("");
    for (more, why) in [
        ("auth = { header = 'host', secret = { env = 'X' } }", "no credential can be sent in this header"),
        ("auth = { header = 'a b', secret = { env = 'X' } }", "no credential can be sent in this header"),
        ("auth = { scheme = 'Bearer x', secret = { env = 'X' } }", "a scheme is one word"),
        ("auth = { scheme = 'Bearer' }", "missing field `secret`"),
        ("auth = { secret = {} }", "a secret has one provider"),
        ("auth = { token = 'in-clear', secret = { env = 'X' } }", "token"),
    ] {
        house(&collector, more).casemate(&["check"]).refused(&[why]);
    }
    let syslog = Collector::syslog();
    house(&syslog, "auth = { secret = { env = 'X' } }")
        .casemate(&["check"])
        .refused(&["`auth` and `allow_private` are about OTLP"]);
    // One that is not there is told of, and stops nothing.
    let house = house(&collector, "auth = { secret = { env = 'CASEMATE_TEST_UNSET' } }").serve();
    let (standing, said) = doctor(&house);
    assert!(standing == "doubtful" && said.contains("`CASEMATE_TEST_UNSET` is not set"), "{said}");
    house.goes_on();
}

#[test]
fn a_log_that_stays_and_a_collector_that_knows_nobody_are_findings() {
    let house = House::new(&Guest::new("parrot"));
    house.install().done();
    let codes = |house: &House| {
        let shown: Value = serde_json::from_str(&house.casemate(&["check", "--format", "json"]).stdout).unwrap();
        shown["posture"].as_array().unwrap().iter().map(|finding| finding["code"].clone()).collect::<Vec<_>>()
    };
    let known = |codes: &[Value], code: &str| codes.contains(&json!(code));
    assert!(!known(&codes(&house), "audit-stays-here"), "in dev it may");
    let house = house.with("[audit.forward.siem]\nto = 'https://otel.example/v1/logs'");
    assert!(known(&codes(&house), "collector-without-credential"));
    let house = house.with("[audit.forward.siem]\nauth = { secret = { env = 'X' } }");
    assert!(!known(&codes(&house), "collector-without-credential"));
    let house = house.without("audit.forward").set_environment("prod");
    house.trust_in("prod");
    assert!(known(&codes(&house), "audit-stays-here"));
}
