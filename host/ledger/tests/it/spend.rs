//! Charging, reading, giving back.

use casemate_ledger::Ledger;
use casemate_signing::manifest::Effect;

use crate::fixture::{MINUTE, MOST, NOW, at, exhausted, permit, spent};

#[test]
fn a_budget_is_spent_to_its_limit_and_says_when_to_retry() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit("local", Effect::Read, &[(4, "1m")]);
    for call in 0..4 {
        let _ = ledger.charge(&permit, MOST, at(NOW + call * 1000)).unwrap();
    }
    let (key, retry) = exhausted(ledger.charge(&permit, MOST, at(NOW + 10_000)));
    assert_eq!((key.as_str(), retry), ("local lab * 1m", Some(50_000)));
    assert_eq!(spent(&ledger, &permit, NOW + 10_000), [4], "a refusal spends nothing");

    let (_, retry) = exhausted(ledger.charge(&permit, MOST, at(NOW + MINUTE - 1)));
    assert_eq!(retry, Some(1));
    let _ = ledger.charge(&permit, MOST, at(NOW + MINUTE)).unwrap();
    let (_, retry) = exhausted(ledger.charge(&permit, MOST, at(NOW + MINUTE)));
    assert_eq!(retry, Some(1000), "the window slides: the next one frees a second later");
}

#[test]
fn readings_say_how_many_and_since_when() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit("local", Effect::Read, &[(9, "1m")]);
    for call in 0..3 {
        let _ = ledger.charge(&permit, MOST, at(NOW + call * 1000)).unwrap();
    }
    let reading = |now| ledger.spent(&permit.charges()[0], at(now)).unwrap();
    assert_eq!((reading(NOW + 5000).spent, reading(NOW + 5000).oldest), (3, Some(at(NOW))));
    assert_eq!((reading(NOW + MINUTE).spent, reading(NOW + MINUTE).oldest), (2, Some(at(NOW + 1000))));
    assert_eq!((reading(NOW + 2 * MINUTE).spent, reading(NOW + 2 * MINUTE).oldest), (0, None));
}

#[test]
fn all_of_a_calls_budgets_are_spent_or_none() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit("local", Effect::Read, &[(10, "1h"), (2, "1m"), (10, "1d")]);
    for _ in 0..2 {
        let _ = ledger.charge(&permit, MOST, at(NOW)).unwrap();
    }
    let (key, _) = exhausted(ledger.charge(&permit, MOST, at(NOW)));
    assert!(key.ends_with("1m"), "{key}");
    let mut all = spent(&ledger, &permit, NOW);
    all.sort_unstable();
    assert_eq!(all, [2, 2, 2], "the others were not charged for the refused call");
}

#[test]
fn principals_do_not_share_a_budget() {
    let ledger = Ledger::in_memory().unwrap();
    let (one, other) = (permit("local", Effect::Read, &[(1, "1m")]), permit("token:ci", Effect::Read, &[(1, "1m")]));
    let _ = ledger.charge(&one, MOST, at(NOW)).unwrap();
    let _ = exhausted(ledger.charge(&one, MOST, at(NOW)));
    let _ = ledger.charge(&other, MOST, at(NOW)).unwrap();
}

#[test]
fn a_refund_gives_back_its_own_spends_and_no_others() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit("local", Effect::Read, &[(3, "1m"), (9, "1h")]);
    let first = ledger.charge(&permit, MOST, at(NOW)).unwrap();
    let second = ledger.charge(&permit, MOST, at(NOW + 1)).unwrap();
    let _ = ledger.charge(&permit, MOST, at(NOW + 2)).unwrap();
    let _ = exhausted(ledger.charge(&permit, MOST, at(NOW + 3)));
    ledger.refund(second).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW + 3), [2, 2]);
    ledger.refund(first).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW + 3), [1, 1]);
    let oldest = ledger.spent(&permit.charges()[0], at(NOW + 3)).unwrap().oldest;
    assert_eq!(oldest, Some(at(NOW + 2)), "the third is the one that stays");
    // Ids are not used again, so a receipt that outlives a purge takes nobody else's spends.
    let stale = ledger.charge(&permit, MOST, at(NOW + 4)).unwrap();
    let later = NOW + 3 * 86_400_000;
    assert_eq!(ledger.purge(at(later)).unwrap(), 4);
    let _ = ledger.charge(&permit, MOST, at(later)).unwrap();
    ledger.refund(stale).unwrap();
    assert_eq!(spent(&ledger, &permit, later), [1, 1]);
}

/// The operator lowers the limit below what is spent: the wait is for as many as are too many.
#[test]
fn a_lowered_limit_counts_what_is_spent() {
    let ledger = Ledger::in_memory().unwrap();
    let before = permit("local", Effect::Read, &[(5, "1m")]);
    for call in 0..5 {
        let _ = ledger.charge(&before, MOST, at(NOW + call * 1000)).unwrap();
    }
    let after = permit("local", Effect::Read, &[(2, "1m")]);
    assert_eq!(exhausted(ledger.charge(&after, MOST, at(NOW + 5000))).1, Some(58_000));
}

#[test]
fn a_call_without_budgets_spends_nothing() {
    let ledger = Ledger::in_memory().unwrap();
    let receipt = ledger.charge(&permit("local", Effect::Write, &[]), MOST, at(NOW)).unwrap();
    ledger.refund(receipt).unwrap();
}
