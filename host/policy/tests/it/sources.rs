//! Reads of log sources: decided by the layers that decide calls, and by no tool's name.

use std::collections::BTreeSet;

use casemate_policy::{
    Asks, Call, Decision, Grant, GrantName, Guards, Policy, Readings, SourceRule, breaker::BreakerReading, decide, needs, paused,
    visible, visible_sources,
};
use casemate_signing::{Environment, manifest::Effect};
use serde_json::json;

use crate::fixture::{NOW, code, grant, principal, rules};

fn source(name: &str, grants: &[&str]) -> SourceRule {
    let grants: BTreeSet<GrantName> = grants.iter().map(|name| name.parse().unwrap()).collect();
    let asks = Asks { parts: true, values: &BTreeSet::new() };
    SourceRule::new(&name.parse().unwrap(), "a log", &BTreeSet::from(["logins".parse().unwrap()]), "00".to_owned(), grants, asks)
        .unwrap()
}

fn policy(change: impl FnOnce(&mut Grant)) -> Policy {
    let mut lab = grant("lab");
    change(&mut lab);
    let guards = Guards { sources: vec![source("auth", &["lab"]), source("other", &[])], ..Guards::default() };
    Policy::new(Environment::Dev, vec![lab], rules(), guards).unwrap()
}

fn ask(policy: &Policy, who: &str, call: &Call) -> Decision {
    let who = principal(who);
    decide(policy, &who, call, &Readings::fresh(&needs(policy, &who, call)), NOW)
}

fn read(name: &str) -> Call {
    Call::of_source(&name.parse().unwrap(), json!({}))
}

#[test]
fn a_source_is_read_where_a_grant_names_it_and_nowhere_else() {
    let policy = policy(|_| {});
    let holder = grant("lab").principals.first().unwrap().to_string();
    let Decision::Permit(permit) = ask(&policy, &holder, &read("auth")) else { panic!("it is granted") };
    assert_eq!((permit.effect(), permit.served().as_str(), permit.grant().as_str()), (Effect::Read, "_source_auth", "lab"));
    assert_eq!(code(&ask(&policy, &holder, &read("other"))), Some("unknown-tool"));
    assert_eq!(code(&ask(&policy, &holder, &read("none"))), Some("unknown-tool"));
    assert_eq!(code(&ask(&policy, "token:nobody", &read("auth"))), Some("no-grant"));
    let shown =
        |who: &str| visible_sources(&policy, &principal(who), NOW).iter().map(|rule| rule.name().to_string()).collect::<Vec<_>>();
    assert_eq!((shown(&holder), shown("token:nobody")), (vec!["auth".to_owned()], vec![]));
}

#[test]
fn no_name_of_a_tool_is_a_source_and_no_pattern_covers_one() {
    let policy = policy(|grant| grant.tools = vec!["*".parse().unwrap()]);
    let holder = grant("lab").principals.first().unwrap().to_string();
    for name in ["_source_auth", "_source_other", "auth"] {
        assert_eq!(code(&ask(&policy, &holder, &Call::new(name, json!({})))), Some("unknown-tool"), "{name}");
    }
    assert_eq!(code(&ask(&policy, &holder, &read("other"))), Some("unknown-tool"));
    assert!(visible(&policy, &principal(&holder), NOW).iter().all(|rule| !rule.served.as_str().starts_with('_')));
}

#[test]
fn a_grant_that_ended_reads_nothing() {
    let policy = policy(|grant| grant.expires = Some(NOW));
    let holder = grant("lab").principals.first().unwrap().to_string();
    assert_eq!(code(&ask(&policy, &holder, &read("auth"))), Some("grant-expired"));
    assert!(visible_sources(&policy, &principal(&holder), NOW).is_empty());
}

#[test]
fn what_a_read_asks_for_fits_its_schema() {
    let policy = policy(|_| {});
    let holder = grant("lab").principals.first().unwrap().to_string();
    for arguments in [json!({ "offset": -1 }), json!({ "lines": "9" }), json!({ "path": "/etc/passwd" })] {
        let call = Call::of_source(&"auth".parse().unwrap(), arguments.clone());
        assert_eq!(code(&ask(&policy, &holder, &call)), Some("arguments-invalid"), "{arguments}");
    }
}

#[test]
fn who_is_paused_or_not_known_not_to_be_is_told_so() {
    let policy = policy(|_| {});
    let mut readings = Readings::none();
    assert!(paused(&policy, &readings).is_some(), "what is not known counts against the caller");
    readings.breaker(BreakerReading::default());
    assert_eq!(paused(&policy, &readings), None);
    readings.breaker(BreakerReading { calls: u32::MAX, ..BreakerReading::default() });
    assert!(paused(&policy, &readings).is_some());
}
