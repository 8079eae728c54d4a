//! Sessions: labels that are held, and who is affected by them.

use casemate_ledger::Ledger;
use casemate_policy::{Policy, session::SessionRules};
use casemate_signing::manifest::Effect;
use rusqlite::Connection;
use serde_json::json;

use crate::fixture::{HOUR, House, NOW, Reading, at, code, decision, file, who};

/// A tool that runs something: forbidden after anything untrusted was read.
fn policy() -> Policy {
    House::of(Effect::Execute).policy()
}

fn decided(ledger: &Ledger, principal: &str, now: i64) -> Option<&'static str> {
    code(&decision(ledger, &policy(), principal, json!({}), now))
}

const HELD: Option<&str> = Some("flow-needs-approval");

fn labels(ledger: &Ledger, now: i64) -> Vec<(String, String, String)> {
    let sessions = ledger.sessions(SessionRules::default(), at(now)).unwrap();
    let label = |session: &casemate_ledger::Session| {
        session
            .labels
            .iter()
            .map(|held| (session.principal.clone(), session.grant.clone(), held.label.clone()))
            .collect::<Vec<_>>()
    };
    sessions.iter().flat_map(label).collect()
}

#[test]
fn neither_a_new_connection_nor_another_process_washes_a_label() {
    let (_folder, path) = file();
    let (one, other) = (Ledger::open(&path).unwrap(), Ledger::open(&path).unwrap());
    assert_eq!(decided(&one, "local", NOW), None);
    Reading::of(json!("hello")).at(&one, NOW);
    assert_eq!((decided(&one, "local", NOW + 1), decided(&other, "local", NOW + 1)), (HELD, HELD));
    drop((one, other));
    assert_eq!(decided(&Ledger::open(&path).unwrap(), "local", NOW + 2), HELD);
}

#[test]
fn other_principals_are_not_affected_and_other_grants_of_one_are() {
    let ledger = Ledger::in_memory().unwrap();
    Reading { grant: "other", ..Reading::of(json!("hello")) }.at(&ledger, NOW);
    assert_eq!((decided(&ledger, "local", NOW), decided(&ledger, "token:ci", NOW)), (HELD, None));
    Reading::of(json!("hello")).at(&ledger, NOW);
    let held = |grant: &str| ("local".to_owned(), grant.to_owned(), "untrusted".to_owned());
    assert_eq!(labels(&ledger, NOW), [held("lab"), held("other")], "a person sees under which");
}

#[test]
fn a_person_clears_one_session_and_no_other() {
    let ledger = Ledger::in_memory().unwrap();
    let read = || {
        for (principal, grant) in [("local", "lab"), ("local", "other"), ("token:ci", "lab")] {
            Reading { principal, grant, ..Reading::of(json!("evil.example")) }.at(&ledger, NOW);
        }
    };
    read();
    assert!(ledger.clear_session(&who("local"), Some(&"lab".parse().unwrap())).unwrap());
    assert!(!ledger.clear_session(&who("local"), Some(&"lab".parse().unwrap())).unwrap());
    assert_eq!((decided(&ledger, "local", NOW), decided(&ledger, "token:ci", NOW)), (HELD, HELD), "it was read under both");
    assert_eq!(labels(&ledger, NOW).len(), 2);
    assert!(ledger.clear_session(&who("local"), Some(&"other".parse().unwrap())).unwrap());
    assert_eq!((decided(&ledger, "local", NOW), decided(&ledger, "token:ci", NOW)), (None, HELD));
    read();
    assert!(ledger.clear_session(&who("local"), None).unwrap());
    assert_eq!((decided(&ledger, "local", NOW), labels(&ledger, NOW).len()), (None, 1));
}

#[test]
fn a_label_is_held_for_as_long_as_it_was_last_read() {
    let ledger = Ledger::in_memory().unwrap();
    Reading::of(json!("a")).at(&ledger, NOW);
    assert_eq!((decided(&ledger, "local", NOW + 24 * HOUR - 1), decided(&ledger, "local", NOW + 24 * HOUR)), (HELD, None));
    Reading::of(json!("b")).at(&ledger, NOW + 10 * HOUR);
    assert_eq!((decided(&ledger, "local", NOW + 34 * HOUR - 1), decided(&ledger, "local", NOW + 34 * HOUR)), (HELD, None));
    // A clock that was wrong for a moment takes nothing away.
    ledger.forget_sessions(SessionRules::default(), at(NOW + 34 * HOUR)).unwrap();
    assert_eq!(decided(&ledger, "local", NOW + 20 * HOUR), HELD);
    ledger.forget_sessions(SessionRules::default(), at(NOW + 58 * HOUR)).unwrap();
    assert_eq!((decided(&ledger, "local", NOW + 20 * HOUR), labels(&ledger, NOW + 20 * HOUR).len()), (None, 0));
}

#[test]
fn what_is_kept_for_ever_is() {
    let ledger = Ledger::in_memory().unwrap();
    let rules = SessionRules { keep: None };
    let house = House::of(Effect::Execute);
    let guards = casemate_policy::Guards { session: rules, ..house.guards.clone() };
    let policy = House { guards, ..house }.policy();
    Reading { rules, ..Reading::of(json!("a")) }.at(&ledger, NOW);
    ledger.forget_sessions(rules, at(i64::MAX)).unwrap();
    assert_eq!(code(&decision(&ledger, &policy, "local", json!({}), i64::MAX)), HELD);
}

/// A label that had run out is held anew: from now on, and not with what was known of the old one.
#[test]
fn a_label_that_is_read_again_after_it_ran_out_begins_anew() {
    let ledger = Ledger::in_memory().unwrap();
    Reading::of(json!("a")).at(&ledger, NOW);
    Reading::of(json!("b")).at(&ledger, NOW + 30 * HOUR);
    let sessions = ledger.sessions(SessionRules::default(), at(NOW + 30 * HOUR)).unwrap();
    assert_eq!(sessions[0].labels[0].first, at(NOW + 30 * HOUR));
    Reading::of(json!("b")).at(&ledger, NOW + 31 * HOUR);
    let sessions = ledger.sessions(SessionRules::default(), at(NOW + 31 * HOUR)).unwrap();
    assert_eq!((sessions[0].labels[0].first, sessions[0].labels[0].last), (at(NOW + 30 * HOUR), at(NOW + 31 * HOUR)));
}

#[test]
fn a_session_begins_once_and_again_after_it_was_cleared() {
    let (_folder, path) = file();
    let ledger = Ledger::open(&path).unwrap();
    let (local, lab) = (who("local"), "lab".parse().unwrap());
    let since =
        |ledger: &Ledger| ledger.sessions(SessionRules::default(), at(NOW)).unwrap().first().and_then(|session| session.since);
    std::thread::scope(|scope| {
        for n in 0..20 {
            let (ledger, local, lab) = (&ledger, &local, &lab);
            scope.spawn(move || ledger.begin_session(local, lab, at(NOW + n)).unwrap());
        }
    });
    let began = since(&ledger).unwrap();
    ledger.begin_session(&local, &lab, at(NOW + 100)).unwrap();
    drop(ledger);
    let ledger = Ledger::open(&path).unwrap();
    ledger.begin_session(&local, &lab, at(NOW + 200)).unwrap();
    assert_eq!(since(&ledger), Some(began));
    ledger.clear_session(&local, None).unwrap();
    assert_eq!(since(&ledger), None);
    ledger.begin_session(&local, &lab, at(NOW + 300)).unwrap();
    assert_eq!(since(&ledger), Some(at(NOW + 300)));
}

/// What cannot be read is not taken for nothing: a decision without it is not made.
#[test]
fn a_row_that_is_no_label_is_an_error_and_no_clean_session() {
    for sql in ["UPDATE labels SET label = 'No Label'", "UPDATE labels SET tool = '\u{202e}'", "UPDATE labels SET label = ''"] {
        let (_folder, path) = file();
        let ledger = Ledger::open(&path).unwrap();
        Reading::of(json!("a")).at(&ledger, NOW);
        assert_eq!(Connection::open(&path).unwrap().execute(sql, []).unwrap(), 1);
        let policy = policy();
        let principal = casemate_policy::Principal::new(who("local"));
        let needs = casemate_policy::needs(&policy, &principal, &casemate_policy::Call::new("eye_look", json!({})));
        assert!(ledger.readings(&needs, SessionRules::default(), at(NOW)).is_err(), "{sql}");
    }
}
