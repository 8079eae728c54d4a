//! Budgets of bytes: reserved before a call, and settled after it.

use casemate_ledger::{ChargeError, Ledger};
use casemate_policy::{Measure, Permit};
use casemate_signing::manifest::Effect;
use serde_json::json;

use crate::fixture::{House, MINUTE, NOW, at, budget, charges, exhausted, file, spent, unread};

/// Under budgets of so many bytes, and so many calls, per window.
fn permit(bytes: &[(u64, &str)], calls: &[(u32, &str)]) -> Permit {
    let budgets = bytes.iter().map(|(bytes, per)| budget(Measure::Bytes(*bytes), per));
    let budgets = budgets.chain(calls.iter().map(|(calls, per)| budget(Measure::Calls(*calls), per))).collect();
    unread(&House { budgets, ..House::of(Effect::Read) }.policy(), "local", json!({}))
}

#[test]
fn what_is_reserved_is_settled_for_what_was_answered() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit(&[(1000, "1h")], &[]);
    let receipt = ledger.charge(&permit, 400, at(NOW)).unwrap();
    assert_eq!((receipt.bytes(), spent(&ledger, &permit, NOW)), (Some(400), vec![400]));
    ledger.settle(&receipt, 150).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW), [150]);
    // Settling never takes more than was reserved, and what was settled lower is not raised again.
    ledger.settle(&receipt, 5000).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW), [150]);
    let last = ledger.charge(&permit, 4000, at(NOW)).unwrap();
    assert_eq!(last.bytes(), Some(850), "no more than is left");
    ledger.settle(&last, u64::MAX).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW), [1000]);
    let _ = exhausted(ledger.charge(&permit, 1, at(NOW)));
    ledger.refund(last).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW), [150]);
}

#[test]
fn racing_calls_never_reserve_more_than_there_is() {
    let (_folder, path) = file();
    let ledger = Ledger::open(&path).unwrap();
    let permit = permit(&[(10_000, "1h")], &[]);
    let reserved: Vec<u64> = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..200)
            .map(|_| {
                scope.spawn(|| match ledger.charge(&permit, 300, at(NOW)) {
                    Ok(receipt) => {
                        let reserved = receipt.bytes().unwrap();
                        // Half of what was reserved is answered.
                        ledger.settle(&receipt, reserved / 2).unwrap();
                        reserved / 2
                    }
                    Err(ChargeError::Exhausted { .. }) => 0,
                    Err(error) => panic!("{error}"),
                })
            })
            .collect();
        calls.into_iter().map(|call| call.join().unwrap()).collect()
    });
    let answered: u64 = reserved.iter().sum();
    assert_eq!(spent(&ledger, &permit, NOW), [u32::try_from(answered).unwrap()]);
    assert!(answered <= 10_000 && reserved.iter().filter(|bytes| **bytes > 0).count() > 33, "{answered}");
}

#[test]
fn nothing_that_is_not_settled_is_given_back_by_a_crash() {
    let (_folder, path) = file();
    let permit = permit(&[(1000, "1h")], &[]);
    let ledger = Ledger::open(&path).unwrap();
    let _lost = ledger.charge(&permit, 600, at(NOW)).unwrap();
    drop(ledger);
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW), [600]);
    let receipt = ledger.charge(&permit, 600, at(NOW)).unwrap();
    assert_eq!(receipt.bytes(), Some(400));
}

#[test]
fn several_budgets_are_all_spent_or_none() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit(&[(1000, "1m"), (1500, "1h")], &[(3, "1h"), (2, "1m")]);
    let receipt = ledger.charge(&permit, 700, at(NOW)).unwrap();
    assert_eq!(receipt.bytes(), Some(700));
    let receipt = ledger.charge(&permit, 700, at(NOW)).unwrap();
    assert_eq!(receipt.bytes(), Some(300), "the tightest one counts");
    let before = spent(&ledger, &permit, NOW);
    assert_eq!(before.iter().sum::<u32>(), 1000 + 1400 + 2 + 2);
    let _ = exhausted(ledger.charge(&permit, 700, at(NOW)));
    assert_eq!(spent(&ledger, &permit, NOW), before, "a refusal spends none of them");
    // A minute later two of them are free again, and the hour's bytes are nearly gone.
    let receipt = ledger.charge(&permit, 700, at(NOW + MINUTE)).unwrap();
    assert_eq!(receipt.bytes(), Some(100));
    let _ = exhausted(ledger.charge(&permit, 700, at(NOW + 2 * MINUTE)));
    ledger.settle(&receipt, 30).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW + MINUTE).iter().sum::<u32>(), 30 + 1430 + 3 + 1);
}

#[test]
fn it_says_when_enough_bytes_are_free() {
    let ledger = Ledger::in_memory().unwrap();
    let before = permit(&[(1000, "1h")], &[]);
    for call in 0..5 {
        let _ = ledger.charge(&before, 200, at(NOW + call * MINUTE)).unwrap();
    }
    let hour = 60 * MINUTE;
    assert_eq!(exhausted(ledger.charge(&before, 1, at(NOW + 5 * MINUTE))).1, Some((hour - 5 * MINUTE).unsigned_abs()));
    // The operator lowers the limit: four of the five have to go before one byte is free.
    let after = permit(&[(300, "1h")], &[]);
    let wait = exhausted(ledger.charge(&after, 1, at(NOW + 5 * MINUTE))).1.unwrap();
    assert_eq!(wait, (hour - 2 * MINUTE).unsigned_abs());
    let then = NOW + 5 * MINUTE + wait.cast_signed();
    let _ = exhausted(ledger.charge(&after, 1, at(then - 1)));
    let _ = ledger.charge(&after, 1, at(then)).unwrap();
    let never = House { budgets: vec![budget(Measure::Bytes(0), "1h")], ..House::of(Effect::Read) }.policy();
    let never = charges(&never, "local", json!({}));
    assert_eq!(exhausted(ledger.charge_all(&never, None, 1, at(NOW), false)).1, None, "none are ever free");
}

/// Sums are 64-bit: the greatest limit is as good as any other.
#[test]
fn the_greatest_numbers_are_no_way_out() {
    let ledger = Ledger::in_memory().unwrap();
    let permit = permit(&[(u64::MAX, "1h")], &[]);
    for _ in 0..3 {
        let receipt = ledger.charge(&permit, u64::MAX, at(NOW)).unwrap();
        assert!(receipt.bytes().unwrap() <= i64::MAX.unsigned_abs());
    }
    assert_eq!(ledger.spent(&permit.charges()[0], at(NOW)).unwrap().spent, i64::MAX.unsigned_abs());
}
