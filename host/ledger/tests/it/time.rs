//! Clocks that go back, and jump.

use casemate_ledger::Ledger;
use casemate_signing::manifest::Effect;

use crate::fixture::{MINUTE, MOST, NOW, at, exhausted, permit, spent};

#[test]
fn a_clock_set_back_frees_nothing() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit("local", Effect::Read, &[(2, "1m")]);
    for _ in 0..2 {
        let _ = ledger.charge(&permit, MOST, at(NOW)).unwrap();
    }
    for back in [1, MINUTE, 60 * MINUTE, NOW] {
        let (_, retry) = exhausted(ledger.charge(&permit, MOST, at(NOW - back)));
        assert_eq!(retry, Some((MINUTE + back).unsigned_abs()));
        assert_eq!(spent(&ledger, &permit, NOW - back), [2]);
    }
    let _ = ledger.charge(&permit, MOST, at(NOW + MINUTE)).unwrap();
}

/// Spent while the clock was behind, and set right at once: it counts from when it was spent, not from what the clock said.
#[test]
fn a_spend_under_a_slow_clock_does_not_age_early() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit("local", Effect::Read, &[(2, "1m")]);
    let _ = ledger.charge(&permit, MOST, at(NOW)).unwrap();
    let _ = ledger.charge(&permit, MOST, at(NOW - MINUTE / 2)).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW + MINUTE - 1), [2]);
    assert_eq!(spent(&ledger, &permit, NOW + MINUTE), [0]);
}

#[test]
fn a_purge_under_a_fast_clock_forgets_nothing_of_the_last_day() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit("local", Effect::Read, &[(1, "1h")]);
    let _ = ledger.charge(&permit, MOST, at(NOW)).unwrap();
    assert_eq!(ledger.purge(at(NOW + 24 * 60 * MINUTE)).unwrap(), 0);
    let _ = exhausted(ledger.charge(&permit, MOST, at(NOW + 1)));
    assert_eq!(ledger.purge(at(NOW + 25 * 60 * MINUTE)).unwrap(), 1);
}

#[test]
fn the_ends_of_time_are_no_way_out() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit("local", Effect::Read, &[(1, "1w")]);
    let _ = ledger.charge(&permit, MOST, at(i64::MAX)).unwrap();
    for now in [i64::MIN, 0, NOW, i64::MAX] {
        let _ = exhausted(ledger.charge(&permit, MOST, at(now)));
    }
}
