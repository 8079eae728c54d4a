//! Budgets of different targets.

use std::sync::atomic::{AtomicU32, Ordering};

use casemate_ledger::{ChargeError, Ledger};
use casemate_policy::{Decision, Measure, Permit, Policy};
use casemate_signing::manifest::Effect;
use serde_json::json;

use crate::fixture::{HOUR, House, MINUTE, MOST, NOW, at, budget, charges, code, decision, exhausted, file, spent, unread};

fn policy(most: u32) -> Policy {
    let budgets = vec![budget(Measure::Distinct("group".parse().unwrap(), most), "1h")];
    House { budgets, scoped: true, ..House::of(Effect::Read) }.policy()
}

fn on(policy: &Policy, group: u32) -> Permit {
    unread(policy, "local", json!({ "group": format!("group-{group}") }))
}

fn on_all(policy: &Policy, groups: &[u32]) -> Permit {
    let groups: Vec<String> = groups.iter().map(|group| format!("group-{group}")).collect();
    unread(policy, "local", json!({ "group": groups }))
}

#[test]
fn two_hundred_racing_calls_reach_exactly_as_many_targets_as_are_allowed() {
    let (_folder, path) = file();
    let ledger = Ledger::open(&path).unwrap();
    let policy = policy(7);
    let permits: Vec<Permit> = (0..50).map(|group| on(&policy, group)).collect();
    let reached: Vec<AtomicU32> = (0..50).map(|_| AtomicU32::new(0)).collect();
    std::thread::scope(|scope| {
        for call in 0..200 {
            let (ledger, permits, reached) = (&ledger, &permits, &reached);
            scope.spawn(move || match ledger.charge(&permits[call % 50], MOST, at(NOW)) {
                Ok(_) => drop(reached[call % 50].fetch_add(1, Ordering::SeqCst)),
                Err(ChargeError::Exhausted { .. }) => {}
                Err(error) => panic!("{error}"),
            });
        }
    });
    let reached: Vec<u32> = reached.into_iter().map(AtomicU32::into_inner).collect();
    assert_eq!(reached.iter().filter(|calls| **calls > 0).count(), 7);
    assert!(reached.iter().all(|calls| [0, 1, 2, 3, 4].contains(calls)));
    assert_eq!(spent(&ledger, &permits[0], NOW), [7]);
    // Those that were reached may be reached again, as often as one likes, and no others.
    for (group, calls) in reached.iter().enumerate() {
        assert_eq!(ledger.charge(&permits[group], MOST, at(NOW + 1)).is_ok(), *calls > 0);
    }
}

#[test]
fn a_known_target_costs_nothing_more() {
    let ledger = Ledger::in_memory().unwrap();
    let policy = policy(2);
    for call in 0..20 {
        let _ = ledger.charge(&on(&policy, call % 2), MOST, at(NOW + i64::from(call))).unwrap();
    }
    assert_eq!(spent(&ledger, &on(&policy, 0), NOW + 20), [2]);
    let _ = exhausted(ledger.charge(&on(&policy, 2), MOST, at(NOW + 20)));
    let decided = |group: &str| code(&decision(&ledger, &policy, "local", json!({ "group": group }), NOW + 20));
    assert_eq!((decided("group-1"), decided("group-2")), (None, Some("budget-exhausted")));
    assert_eq!(decided("GROUP-1"), Some("out-of-scope"), "names are compared byte for byte");
}

#[test]
fn a_call_with_several_targets_is_charged_for_all_or_for_none() {
    let ledger = Ledger::in_memory().unwrap();
    let policy = policy(3);
    let _ = ledger.charge(&on_all(&policy, &[0, 1, 1, 0]), MOST, at(NOW)).unwrap();
    assert_eq!(spent(&ledger, &on(&policy, 0), NOW), [2], "a target that is named twice is one");
    let _ = exhausted(ledger.charge(&on_all(&policy, &[1, 2, 3]), MOST, at(NOW)));
    assert_eq!(spent(&ledger, &on(&policy, 0), NOW), [2]);
    let _ = ledger.charge(&on_all(&policy, &[1, 2]), MOST, at(NOW)).unwrap();
    assert_eq!(spent(&ledger, &on(&policy, 0), NOW), [3]);
}

#[test]
fn a_target_counts_until_its_last_use_does_not() {
    let ledger = Ledger::in_memory().unwrap();
    let policy = policy(2);
    let charge = |group: u32, now: i64| ledger.charge(&on(&policy, group), MOST, at(now));
    let _ = charge(0, NOW).unwrap();
    let _ = charge(1, NOW + 10 * MINUTE).unwrap();
    let _ = charge(0, NOW + 30 * MINUTE).unwrap();
    // The first use of group 0 is the oldest, and its second is what counts: group 1 is the first to go.
    let (_, retry) = exhausted(charge(2, NOW + 40 * MINUTE));
    assert_eq!(retry, Some(30 * MINUTE.unsigned_abs()));
    let Decision::Denied(denied) = decision(&ledger, &policy, "local", json!({ "group": "group-2" }), NOW + 40 * MINUTE) else {
        panic!()
    };
    assert_eq!(denied.retry_after_ms(), retry, "and the decision says the same");
    let _ = exhausted(charge(2, NOW + 70 * MINUTE - 1));
    let _ = charge(2, NOW + 70 * MINUTE).unwrap();
    assert_eq!(spent(&ledger, &on(&policy, 0), NOW + HOUR + 10 * MINUTE), [2]);
}

#[test]
fn more_targets_than_are_ever_allowed_are_not_waited_for() {
    let ledger = Ledger::in_memory().unwrap();
    let policy = policy(2);
    let three = charges(&policy, "local", json!({ "group": ["group-0", "group-1", "group-2"] }));
    assert_eq!(exhausted(ledger.charge_all(&three, None, MOST, at(NOW), false)).1, None);
    let _ = ledger.charge(&on(&policy, 0), MOST, at(NOW)).unwrap();
    let _ = ledger.charge(&on(&policy, 1), MOST, at(NOW + MINUTE)).unwrap();
    // Both have to go before two others fit.
    assert_eq!(exhausted(ledger.charge(&on_all(&policy, &[2, 3]), MOST, at(NOW + MINUTE))).1, Some(HOUR.unsigned_abs()));
}

#[test]
fn a_refund_takes_back_its_own_use_of_a_target_and_no_other() {
    let ledger = Ledger::in_memory().unwrap();
    let policy = policy(1);
    let first = ledger.charge(&on(&policy, 0), MOST, at(NOW)).unwrap();
    let second = ledger.charge(&on(&policy, 0), MOST, at(NOW)).unwrap();
    ledger.refund(first).unwrap();
    let _ = exhausted(ledger.charge(&on(&policy, 1), MOST, at(NOW)));
    ledger.refund(second).unwrap();
    let _ = ledger.charge(&on(&policy, 1), MOST, at(NOW)).unwrap();
}
