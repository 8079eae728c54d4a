//! Conduct: refusals, payloads and bursts; pauses that outlive the process, and that only a person ends.

use casemate_ledger::Ledger;
use casemate_policy::{
    Decision, Guards, Policy,
    breaker::{BreakerRules, Rate, Trip},
};
use casemate_signing::manifest::Effect;
use serde_json::{Value, json};

use crate::fixture::{HOUR, House, MINUTE, NOW, approvers, at, code, decision, file, who};

fn policy(effect: Effect) -> Policy {
    House { principals: vec!["local", "token:ci", "token:cd"], ..House::of(effect) }.policy()
}

fn watching(breaker: BreakerRules) -> Policy {
    let guards = Guards { breaker, approvers: approvers(), ..Guards::default() };
    House { guards, ..House::of(Effect::Write) }.policy()
}

fn rate(count: u32, per: &str) -> Option<Rate> {
    Some(Rate { count, per: per.parse().unwrap() })
}

/// A call as the host makes it: decided, then remembered; who trips the breaker is paused.
fn call(ledger: &Ledger, policy: &Policy, principal: &str, arguments: Value, now: i64) -> Option<&'static str> {
    let decision = decision(ledger, policy, principal, arguments, now);
    let principal = who(principal);
    match &decision {
        Decision::Permit(permit) => {
            if let Some(rate) = policy.guards().breaker.variants {
                assert!(ledger.note_variant(&principal, permit.served(), permit.arguments_digest(), rate, at(now)).unwrap());
            }
            ledger.count_call(&principal, policy.guards().breaker.burst, at(now));
        }
        Decision::Denied(denied) if code(&decision) == Some("breaker-opened") => {
            let rules = policy.guards().breaker;
            let trip = [rules.denials.map(Trip::Denials), rules.variants.map(Trip::Variants), rules.burst.map(Trip::Burst)];
            let trip = trip.into_iter().flatten().find(|trip| denied.message().contains(&trip.to_string())).unwrap();
            assert!(ledger.pause(&principal, trip, at(now)).unwrap());
        }
        _ => {}
    }
    code(&decision)
}

/// A published exploit run: one request, replayed with ever other payloads until one gets through.
#[test]
fn replays_with_ever_other_payloads_are_paused_before_the_twenty_first() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy(Effect::Write));
    let codes: Vec<_> = (0..47).map(|n| call(&ledger, &policy, "local", json!({ "payload": n }), NOW + 1000 * n)).collect();
    assert!(codes[..20].iter().all(Option::is_none));
    assert_eq!(codes[20], Some("breaker-opened"));
    assert!(codes[21..].iter().all(|code| *code == Some("paused")));
    assert_eq!(call(&ledger, &policy, "token:ci", json!({}), NOW + 47_000), None, "nobody else is paused");
    assert_eq!(ledger.paused().unwrap().len(), 1);
}

#[test]
fn one_payload_is_one_however_often_and_in_whatever_spelling() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy(Effect::Write));
    for n in 0..47 {
        let arguments = if n % 2 == 0 { json!({ "a": 1, "b": 2 }) } else { json!({ "b": 2.0, "a": 1 }) };
        assert_eq!(call(&ledger, &policy, "local", arguments, NOW + n), None);
    }
    // One of twenty payloads again is no other one, even when twenty are known.
    for n in 0..19 {
        assert_eq!(call(&ledger, &policy, "local", json!({ "n": n }), NOW + 100), None);
    }
    assert_eq!(call(&ledger, &policy, "local", json!({ "n": 3 }), NOW + 101), None);
    assert_eq!(call(&ledger, &policy, "local", json!({ "n": 99 }), NOW + 102), Some("breaker-opened"));
}

#[test]
fn payloads_count_for_ten_minutes_after_their_last_use() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy(Effect::Write));
    for n in 0..20 {
        assert_eq!(call(&ledger, &policy, "local", json!({ "n": n }), NOW), None);
    }
    assert_eq!(call(&ledger, &policy, "local", json!({ "n": 0 }), NOW + 5 * MINUTE), None);
    // The others have left the window; the one that was used again has not.
    for n in 20..39 {
        assert_eq!(call(&ledger, &policy, "local", json!({ "n": n }), NOW + 10 * MINUTE), None);
    }
    assert_eq!(call(&ledger, &policy, "local", json!({ "n": 40 }), NOW + 10 * MINUTE), Some("breaker-opened"));
}

#[test]
fn refusals_pause_and_what_is_refused_for_other_reasons_does_not() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy(Effect::Read));
    for n in 0..100 {
        assert_eq!(call(&ledger, &policy, "local", json!({}), NOW + n), None);
        ledger.note_denial(&who("local"), "anything \u{202e} at all", at(NOW + n)).unwrap();
    }
    assert_eq!(code(&decision(&ledger, &policy, "token:ci", json!({}), NOW + 100)), None);
    assert_eq!(call(&ledger, &policy, "local", json!({}), NOW + 100), Some("breaker-opened"));
    assert_eq!(code(&decision(&ledger, &policy, "local", json!({}), NOW + 100 * HOUR)), Some("paused"), "time ends no pause");
}

#[test]
fn refusals_that_are_old_are_forgotten() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy(Effect::Read));
    (0..99).for_each(|_| ledger.note_denial(&who("local"), "x", at(NOW)).unwrap());
    ledger.note_denial(&who("local"), "x", at(NOW + 1)).unwrap();
    let decided = |now| code(&decision(&ledger, &policy, "local", json!({}), now));
    assert_eq!(decided(NOW + 5 * MINUTE - 1), Some("breaker-opened"));
    assert_eq!(decided(NOW + 5 * MINUTE), None);
    // A clock that is set back finds them again.
    assert_eq!(decided(NOW - HOUR), Some("breaker-opened"));
}

/// As the host does it: what comes in is counted, and then decided on.
fn burst(ledger: &Ledger, policy: &Policy, principal: &str, calls: i64) {
    (0..calls).for_each(|n| ledger.count_call(&who(principal), policy.guards().breaker.burst, at(NOW + n)));
}

/// As many as there may be are made, and the one after them is not.
#[test]
fn a_burst_pauses() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy(Effect::Read));
    burst(&ledger, &policy, "local", 1201);
    burst(&ledger, &policy, "token:ci", 1200);
    let decided = |who: &str, now| code(&decision(&ledger, &policy, who, json!({}), now));
    assert_eq!((decided("local", NOW + 1200), decided("token:ci", NOW + 1200)), (Some("breaker-opened"), None));
    assert_eq!(decided("local", NOW + MINUTE), None, "the window slides");
}

/// The server counts, and a person resumes from a terminal of their own: the same burst does not pause twice.
#[test]
fn whoever_is_resumed_by_another_process_is_not_paused_again_for_the_same_burst() {
    let (_folder, path) = file();
    let (server, terminal) = (Ledger::open(&path).unwrap(), Ledger::open(&path).unwrap());
    let policy = watching(BreakerRules { burst: rate(10, "1d"), ..BreakerRules::OFF });
    burst(&server, &policy, "local", 11);
    assert_eq!(call(&server, &policy, "local", json!({}), NOW + 10), Some("breaker-opened"));
    assert!(terminal.resume(&who("local"), at(NOW + 10)).unwrap());
    assert_eq!(call(&server, &policy, "local", json!({}), NOW + 11), None);
}

/// The clock was an hour ahead when the caller was resumed: that does not give it an hour in which nothing is counted.
#[test]
fn a_resumption_of_the_future_switches_nothing_off() {
    let ledger = Ledger::in_memory().unwrap();
    let policy = watching(BreakerRules { burst: rate(10, "1d"), ..BreakerRules::OFF });
    ledger.resume(&who("local"), at(NOW + HOUR)).unwrap();
    burst(&ledger, &policy, "local", 11);
    assert_eq!(call(&ledger, &policy, "local", json!({}), NOW + 10), Some("breaker-opened"));
}

/// A call that began to be decided before the pause was on file does not see it: it is refused because the burst is still counted.
#[test]
fn a_call_that_is_decided_while_its_caller_is_paused_is_refused_too() {
    let (_folder, path) = file();
    let ledger = Ledger::open(&path).unwrap();
    let policy = watching(BreakerRules { burst: rate(10, "1d"), ..BreakerRules::OFF });
    burst(&ledger, &policy, "local", 11);
    assert!(ledger.pause(&who("local"), Trip::Burst(rate(10, "1d").unwrap()), at(NOW + 10)).unwrap());
    assert_eq!(call(&ledger, &policy, "local", json!({}), NOW + 10), Some("paused"));
    // What such a call reads: the file as it was before.
    rusqlite::Connection::open(&path).unwrap().execute("DELETE FROM pauses", []).unwrap();
    assert_eq!(call(&ledger, &policy, "local", json!({}), NOW + 10), Some("breaker-opened"));
}

#[test]
fn a_pause_survives_a_restart_and_is_seen_by_everyone_until_a_person_ends_it() {
    let (_folder, path) = file();
    let policy = policy(Effect::Write);
    let (one, other) = (Ledger::open(&path).unwrap(), Ledger::open(&path).unwrap());
    let trip = Trip::Denials(rate(100, "5m").unwrap());
    assert!(one.pause(&who("local"), trip, at(NOW)).unwrap());
    assert!(!other.pause(&who("local"), Trip::Burst(rate(1, "1m").unwrap()), at(NOW + 1)).unwrap(), "the first reason stays");
    drop(one);
    let one = Ledger::open(&path).unwrap();
    for ledger in [&one, &other] {
        let Decision::Denied(denied) = decision(ledger, &policy, "local", json!({}), NOW + 2) else { panic!() };
        assert_eq!(denied.reason().code(), "paused");
        assert!(denied.message().contains("100 refused calls within 5m"), "{}", denied.message());
        assert_eq!(code(&decision(ledger, &policy, "token:ci", json!({}), NOW + 2)), None);
    }
    let paused = other.paused().unwrap();
    assert_eq!((paused.len(), paused[0].principal.as_str(), paused[0].pause.since), (1, "local", at(NOW)));
    assert!(other.resume(&who("local"), at(NOW + 2)).unwrap());
    assert!(!other.resume(&who("local"), at(NOW + 2)).unwrap());
    for ledger in [&one, &other] {
        assert_eq!(code(&decision(ledger, &policy, "local", json!({}), NOW + 3)), None);
    }
}

#[test]
fn resuming_forgets_what_led_to_the_pause_and_nobody_elses() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy(Effect::Write));
    for principal in ["local", "token:ci"] {
        (0..100).for_each(|n| ledger.note_denial(&who(principal), "x", at(NOW + n)).unwrap());
        assert_eq!(call(&ledger, &policy, principal, json!({}), NOW + 100), Some("breaker-opened"));
    }
    assert!(ledger.resume(&who("local"), at(NOW + 100)).unwrap());
    assert_eq!(call(&ledger, &policy, "local", json!({}), NOW + 101), None);
    assert_eq!(call(&ledger, &policy, "token:ci", json!({}), NOW + 101), Some("paused"));
}

#[test]
fn what_is_switched_off_is_not_watched() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), watching(BreakerRules::OFF));
    for n in 0..50 {
        ledger.note_denial(&who("local"), "x", at(NOW)).unwrap();
        assert_eq!(call(&ledger, &policy, "local", json!({ "n": n }), NOW), None);
    }
    ledger.pause(&who("local"), Trip::Denials(rate(1, "1s").unwrap()), at(NOW)).unwrap();
    assert_eq!(call(&ledger, &policy, "local", json!({}), NOW), Some("paused"), "a pause is one all the same");
}

/// The longest window there may be is remembered to its end.
#[test]
fn a_week_is_remembered() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), watching(BreakerRules { denials: rate(2, "1w"), ..BreakerRules::OFF }));
    ledger.note_denial(&who("local"), "x", at(NOW)).unwrap();
    ledger.note_denial(&who("local"), "x", at(NOW + 168 * HOUR - 1)).unwrap();
    assert_eq!(call(&ledger, &policy, "local", json!({}), NOW + 168 * HOUR - 1), Some("breaker-opened"));
}

/// Two calls were decided before either was noted: only as many are made as there may be.
#[test]
fn calls_that_were_decided_side_by_side_are_noted_one_after_another() {
    let (_folder, path) = file();
    let (one, other) = (Ledger::open(&path).unwrap(), Ledger::open(&path).unwrap());
    let (policy, rate) = (policy(Effect::Write), rate(2, "10m").unwrap());
    let Decision::Permit(permit) = decision(&one, &policy, "local", json!({}), NOW) else { panic!() };
    let note =
        |ledger: &Ledger, payload: &str| ledger.note_variant(&who("local"), permit.served(), payload, rate, at(NOW)).unwrap();
    assert!(note(&one, "a") && note(&other, "b") && note(&one, "a"), "a payload again is no other one");
    assert!(!note(&one, "c") && !note(&other, "c"));
    assert!(note(&other, "b"), "what was refused is not among them");
}
