//! Approvals: many at once, two processes, rows that somebody wrote by hand, and what goes with a budget.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::Child,
    sync::Barrier,
};

use casemate_ledger::{ApprovalError, ChargeError, Closed, Ledger, MAX_OPEN, Receipt, State};
use casemate_policy::{
    ApprovalMode, Call, Decision, Permit, Policy, Principal,
    approval::{Agreed, ApprovalId, Said, Subject, Vote},
    needs,
};
use rusqlite::{Connection, params};
use serde_json::json;

use crate::{
    fixture::{
        HOUR, House, MOST, NOW, approve, ask, at, charges, code, decision, deferred, exhausted, file, permitted, says, signed_by,
        spent, spent_of, subject, who,
    },
    race::{child, path_from_parent},
};

fn policy() -> Policy {
    House::asking(ApprovalMode::Operator, 1, 1000).policy()
}

fn forever() -> Policy {
    House::asking(ApprovalMode::Operator, 1, 1_000_000).policy()
}

fn asked(ledger: &Ledger, policy: &Policy, number: u32) -> (ApprovalId, Subject) {
    ask(ledger, policy, "local", json!({ "n": number }), NOW)
}

/// A call that Alice agreed to, permitted and not charged yet.
fn agreed(ledger: &Ledger, policy: &Policy, number: u32) -> (ApprovalId, Subject, Permit) {
    let (id, subject) = asked(ledger, policy, number);
    approve(ledger, "alice", &id, &subject, NOW + 1);
    let permit = permitted(decision(ledger, policy, "local", json!({ "n": number }), NOW + 2));
    (id, subject, permit)
}

#[track_caller]
fn closed(result: Result<Receipt, ChargeError>) -> Closed {
    match result {
        Err(ChargeError::Approval { fault, .. }) => fault,
        other => panic!("{other:?}"),
    }
}

fn state(ledger: &Ledger, id: &ApprovalId) -> State {
    ledger.approval(id, at(NOW + 5)).unwrap().unwrap().state
}

#[test]
fn two_hundred_threads_use_one_approval_once() {
    let (_folder, path) = file();
    let (ledger, policy) = (Ledger::open(&path).unwrap(), policy());
    let (id, _, permit) = agreed(&ledger, &policy, 1);
    let all = Barrier::new(200);
    let used: usize = std::thread::scope(|scope| {
        let calls: Vec<_> = (0..200)
            .map(|_| {
                scope.spawn(|| {
                    all.wait();
                    ledger.charge(&permit, MOST, at(NOW + 3))
                })
            })
            .collect();
        calls
            .into_iter()
            .map(|call| match call.join().unwrap() {
                Ok(_) => 1,
                result @ Err(_) => {
                    assert_eq!(closed(result), Closed::Taken);
                    0
                }
            })
            .sum()
    });
    assert_eq!((used, state(&ledger, &id)), (1, State::Closed(Closed::Taken)));
    assert_eq!(spent(&ledger, &permit, NOW + 3), [1], "planned and made, paid once");
}

/// A no and a use race: one of them is first, and the other is told so.
#[test]
fn a_denial_and_a_call_do_not_both_happen() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy());
    for number in 0..100 {
        let (id, subject, permit) = agreed(&ledger, &policy, number);
        let (statement, vote) = says("bob", Said::Deny, &subject, at(NOW + 2));
        let both = Barrier::new(2);
        let (denied, used) = std::thread::scope(|scope| {
            let no = scope.spawn(|| {
                both.wait();
                ledger.vote(&id, &statement, &vote, at(NOW + 3))
            });
            both.wait();
            let used = ledger.charge(&permit, MOST, at(NOW + 3));
            (no.join().unwrap(), used)
        });
        match (denied, used) {
            (Ok(()), used) => assert_eq!((closed(used), state(&ledger, &id)), (Closed::Denied, State::Closed(Closed::Denied))),
            (Err(ApprovalError::Closed { fault: Closed::Taken, .. }), Ok(_)) => {
                assert_eq!(state(&ledger, &id), State::Closed(Closed::Taken));
            }
            other => panic!("{other:?}"),
        }
    }
}

/// The last vote that is needed races with the call: it is permitted or it waits, and never charged without the vote.
#[test]
fn an_agreement_and_a_call_race() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), House::asking(ApprovalMode::Operator, 2, 1000).policy());
    for number in 0..50 {
        let (id, subject) = asked(&ledger, &policy, number);
        approve(&ledger, "alice", &id, &subject, NOW + 1);
        let both = Barrier::new(2);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                both.wait();
                approve(&ledger, "bob", &id, &subject, NOW + 1);
            });
            both.wait();
            if let Decision::Permit(permit) = decision(&ledger, &policy, "local", json!({ "n": number }), NOW + 2) {
                let _ = ledger.charge(&permit, MOST, at(NOW + 2)).unwrap();
                assert_eq!(ledger.approval(&id, at(NOW + 2)).unwrap().unwrap().open.votes.len(), 2);
            }
        });
    }
}

#[test]
fn one_principals_requests_have_a_limit_however_many_race() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy());
    let asked = |principal: &str, number: u32, now: i64| {
        let deferred = deferred(decision(&ledger, &policy, principal, json!({ "n": number }), now));
        let receipt = ledger.charge(deferred.permit(), MOST, at(now)).unwrap();
        ledger.request(&subject(&deferred, now), receipt)
    };
    let asked = &asked;
    let asked_for: u32 = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|thread| scope.spawn(move || (0..10).filter(|n| asked("local", thread * 10 + n, NOW).is_ok()).count()))
            .collect();
        threads.into_iter().map(|thread| u32::try_from(thread.join().unwrap()).unwrap()).sum()
    });
    assert_eq!(asked_for, MAX_OPEN);
    assert!(matches!(asked("local", 100, NOW), Err(ApprovalError::TooMany { .. })));
    let _ = asked("token:ci", 100, NOW).unwrap();
    let _ = asked("local", 100, NOW + HOUR).unwrap();
}

#[test]
fn processes_use_each_approval_once() {
    let (_folder, path) = file();
    let (ledger, policy) = (Ledger::open(&path).unwrap(), policy());
    for number in 0..20 {
        let (id, subject) = asked(&ledger, &policy, number);
        approve(&ledger, "alice", &id, &subject, NOW + 1);
    }
    let children: Vec<Child> = (0..3).map(|_| child(&path, "votes::child_uses_approvals")).collect();
    let mut used = Vec::new();
    for mut child in children {
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        used.extend(lines.filter_map(|line| line.unwrap().strip_prefix("used ").map(str::to_owned)));
        assert!(child.wait().unwrap().success());
    }
    used.sort();
    used.dedup();
    assert_eq!(used.len(), 20, "each of them, and none twice");
    assert!(ledger.approvals(false, at(NOW + 3)).unwrap().is_empty());
}

#[test]
#[ignore = "runs as the child of another test"]
fn child_uses_approvals() {
    let (ledger, policy) = (Ledger::open(&path_from_parent()).unwrap(), policy());
    println!();
    for number in 0..20 {
        if let Decision::Permit(permit) = decision(&ledger, &policy, "local", json!({ "n": number }), NOW + 2)
            && let Ok(_) = ledger.charge(&permit, MOST, at(NOW + 2))
        {
            println!("used {number}");
        }
    }
}

/// Killed at any moment: an approval that was said to be used is used, and its budget is spent exactly once.
#[test]
fn what_was_used_before_a_kill_stays_used() {
    let (_folder, path) = file();
    let policy = forever();
    for round in 0..3 {
        let mut child = child(&path, "votes::child_uses_approvals_for_ever");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut used = Vec::new();
        while used.len() < 3 + round * 4 {
            used.extend(lines.next().unwrap().unwrap().strip_prefix("used ").map(str::to_owned));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        used.extend(lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("used ").map(str::to_owned)));

        let ledger = Ledger::open(&path).unwrap();
        for id in &used {
            assert_eq!(state(&ledger, &id.parse().unwrap()), State::Closed(Closed::Taken));
        }
        // Planned or made, each is paid once; and the last of each round may have been planned and not asked for yet.
        let approvals = ledger.approvals(true, at(NOW + 5)).unwrap().len();
        let spent = spent_of(&ledger, &charges(&policy, "local", json!({}))[0], NOW + 5) as usize;
        assert!((approvals..=approvals + round + 1).contains(&spent), "{spent} for {approvals}");
    }
}

#[test]
#[ignore = "runs as the child of another test"]
fn child_uses_approvals_for_ever() {
    let ledger = Ledger::open(&path_from_parent()).unwrap();
    let policy = forever();
    let mut out = std::io::stdout();
    out.write_all(b"\n").unwrap();
    let begun = u32::try_from(ledger.approvals(true, at(NOW)).unwrap().len()).unwrap();
    for number in begun * 1000 + 1.. {
        let (id, _, permit) = agreed(&ledger, &policy, number);
        let _ = ledger.charge(&permit, MOST, at(NOW + 3)).unwrap();
        out.write_all(format!("used {id}\n").as_bytes()).unwrap();
    }
}

#[test]
fn a_call_is_not_refused_for_its_own_plan() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), House::asking(ApprovalMode::Operator, 1, 1).policy());
    let (_, _, permit) = agreed(&ledger, &policy, 1);
    let _ = ledger.charge(&permit, MOST, at(NOW + 3)).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW + 3), [1]);
    // And for another call nothing is left, however well it is agreed to.
    assert_eq!(code(&decision(&ledger, &policy, "local", json!({ "n": 2 }), NOW + 4)), Some("budget-exhausted"));
}

#[test]
fn an_agreed_call_is_refused_for_what_others_spent() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), House::asking(ApprovalMode::Operator, 1, 2).policy());
    let (_, _, first) = agreed(&ledger, &policy, 1);
    let (_, _, second) = agreed(&ledger, &policy, 2);
    let _ = ledger.charge(&first, MOST, at(NOW + 3)).unwrap();
    let _ = ledger.charge(&second, MOST, at(NOW + 3)).unwrap();
    // Lowered to one: two are spent, of which one is the plan of this call, and one too many is not.
    let (ledger, lower) = (Ledger::in_memory().unwrap(), House::asking(ApprovalMode::Operator, 1, 1).policy());
    let (_, _, permit) = agreed(&ledger, &policy, 1);
    let _ = agreed(&ledger, &policy, 2);
    assert_eq!(code(&decision(&ledger, &lower, "local", json!({ "n": 1 }), NOW + 3)), Some("budget-exhausted"));
    // A permit of the old limit is charged by the old limit.
    let _ = ledger.charge(&permit, MOST, at(NOW + 3)).unwrap();
}

/// The charge of an approved call fails for its budget: the approval is still there for the next attempt.
#[test]
fn a_charge_that_fails_uses_no_approval() {
    let ledger = Ledger::in_memory().unwrap();
    let (two, one) = (House::asking(ApprovalMode::Operator, 1, 2).policy(), House::asking(ApprovalMode::Operator, 1, 1).policy());
    let (id, _, _) = agreed(&ledger, &two, 1);
    let permit = permitted(decision(&ledger, &one, "local", json!({ "n": 1 }), NOW + 2));
    let (_, _, other) = agreed(&ledger, &two, 2);
    let _ = exhausted(ledger.charge(&permit, MOST, at(NOW + 3)));
    assert_eq!((state(&ledger, &id), spent(&ledger, &permit, NOW + 3)), (State::Open, vec![2]));
    let _ = ledger.charge(&other, MOST, at(NOW + 4)).unwrap();
    let _ = exhausted(ledger.charge(&permit, MOST, at(NOW + 3)));
}

#[test]
fn a_refund_gives_back_the_budget_and_not_the_approval() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy());
    let (id, _, permit) = agreed(&ledger, &policy, 1);
    let receipt = ledger.charge(&permit, MOST, at(NOW + 3)).unwrap();
    ledger.refund(receipt).unwrap();
    assert_eq!((spent(&ledger, &permit, NOW + 3), state(&ledger, &id)), (vec![0], State::Closed(Closed::Taken)));
    assert_eq!(closed(ledger.charge(&permit, MOST, at(NOW + 3))), Closed::Taken);
}

#[test]
fn a_vote_is_written_only_under_its_own_subject() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy());
    let ((one, _), (other, subject)) = (asked(&ledger, &policy, 1), asked(&ledger, &policy, 2));
    for said in [Said::Approve, Said::Deny] {
        let (statement, vote) = says("alice", said, &subject, at(NOW + 1));
        let moved = ledger.vote(&one, &statement, &vote, at(NOW + 1));
        assert!(matches!(moved, Err(ApprovalError::Closed { fault: Closed::Changed, .. })), "{moved:?}");
        assert_eq!((state(&ledger, &one), state(&ledger, &other)), (State::Open, State::Open));
    }
    approve(&ledger, "alice", &other, &subject, NOW + 1);
    let (statement, vote) = says("alice", Said::Approve, &subject, at(NOW + 2));
    assert!(matches!(ledger.vote(&other, &statement, &vote, at(NOW + 2)), Err(ApprovalError::Twice { .. })));
}

#[test]
fn what_is_closed_is_not_asked_for_again() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy());
    let waiting = deferred(decision(&ledger, &policy, "local", json!({}), NOW));
    let subject = subject(&waiting, NOW);
    let charged = || ledger.charge(waiting.permit(), MOST, at(NOW)).unwrap();
    let id = ledger.request(&subject, charged()).unwrap();
    assert_eq!(ledger.request(&subject, charged()).unwrap(), id, "the same in the same millisecond");
    ledger.withdraw(&id, "operator", at(NOW + 1)).unwrap();
    let again = ledger.request(&subject, charged());
    assert!(matches!(again, Err(ApprovalError::Closed { fault: Closed::Withdrawn, .. })), "{again:?}");
    assert_eq!(state(&ledger, &id), State::Closed(Closed::Withdrawn));
}

/// Another call is charged when its time is over: then it is over, whatever the clock says later.
#[test]
fn what_has_expired_does_not_come_back_when_the_clock_is_set_back() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy());
    let (id, _, permit) = agreed(&ledger, &policy, 1);
    let (_, _, other) = agreed(&ledger, &policy, 2);
    drop(ledger.charge(&other, MOST, at(NOW + HOUR)));
    asked(&ledger, &policy, 3);
    let (late, _) = ask(&ledger, &policy, "token:ci", json!({ "n": 4 }), NOW + HOUR);
    assert_eq!(state(&ledger, &late), State::Open);
    assert_eq!(state(&ledger, &id), State::Expired);
    assert_eq!(closed(ledger.charge(&permit, MOST, at(NOW + 1))), Closed::Expired);
}

#[test]
fn nothing_can_be_said_of_what_is_over() {
    let (ledger, policy) = (Ledger::in_memory().unwrap(), policy());
    let check = |id: &ApprovalId, subject: &Subject, now: i64, expected: Closed| {
        let (statement, vote) = says("bob", Said::Deny, subject, at(NOW + 1));
        let faults = [
            ledger.vote(id, &statement, &vote, at(now)),
            ledger.agree_in_band(id, &subject.digest().unwrap(), at(now)),
            ledger.withdraw(id, "operator", at(now)),
        ];
        for fault in faults {
            assert!(matches!(&fault, Err(ApprovalError::Closed { fault, .. }) if *fault == expected), "{fault:?}");
        }
    };
    let (id, subject, permit) = agreed(&ledger, &policy, 1);
    check(&id, &subject, NOW + HOUR, Closed::Expired);
    assert_eq!(closed(ledger.charge(&permit, MOST, at(NOW + HOUR))), Closed::Expired);
    let _ = ledger.charge(&permit, MOST, at(NOW + HOUR - 1)).unwrap();
    check(&id, &subject, NOW + 5, Closed::Taken);
    let none: ApprovalId = "00000000000000000000".parse().unwrap();
    check(&none, &subject, NOW + 5, Closed::Unknown);
    let forged = Agreed { id: none, digest: "0".repeat(64), plan: subject.into(), by: Vec::new() };
    assert_eq!(closed(ledger.charge_all(&[], Some(&forged), 0, at(NOW + 5), true)), Closed::Unknown);
}

/// Alice agreed, and then somebody writes to the file: the call is not permitted.
#[track_caller]
fn check_forged(forge: impl FnOnce(&Connection, &ApprovalId, &Subject)) {
    check_after(ApprovalMode::Operator, true, forge, false);
}

#[track_caller]
fn check_after(mode: ApprovalMode, given: bool, forge: impl FnOnce(&Connection, &ApprovalId, &Subject), expected: bool) {
    let (_folder, path) = file();
    let (ledger, policy) = (Ledger::open(&path).unwrap(), House::asking(mode, 1, 1000).policy());
    let (id, subject) = asked(&ledger, &policy, 1);
    if given {
        approve(&ledger, "alice", &id, &subject, NOW + 1);
        let before = decision(&ledger, &policy, "local", json!({ "n": 1 }), NOW + 2);
        assert!(matches!(before, Decision::Permit(_)), "{before:?}");
    }
    let connection = Connection::open(&path).unwrap();
    connection.pragma_update(None, "foreign_keys", false).unwrap();
    forge(&connection, &id, &subject);
    for arguments in [json!({ "n": 1 }), json!({ "n": 2 })] {
        for principal in ["local", "token:ci"] {
            let after = decision(&ledger, &policy, principal, arguments.clone(), NOW + 2);
            let own = principal == "local" && arguments == json!({ "n": 1 });
            assert_eq!(matches!(after, Decision::Permit(_)), expected && own, "{principal} {arguments}: {after:?}");
        }
    }
}

/// Write a subject where another was, with everything that belongs to it, under the id that it has then.
fn replace(connection: &Connection, id: &ApprovalId, subject: &Subject) {
    let new = subject.id().unwrap();
    let changed = connection
        .execute(
            "UPDATE approvals SET id = ?2, subject = ?3, digest = ?4, principal = ?5, expires_ms = ?6 WHERE id = ?1",
            params![
                id.as_str(),
                new.as_str(),
                subject.to_json().to_string().as_bytes(),
                subject.digest().unwrap(),
                subject.principal.as_str(),
                subject.expires.as_millis()
            ],
        )
        .unwrap();
    assert_eq!(changed, 1);
    connection.execute("UPDATE votes SET approval = ?2 WHERE approval = ?1", params![id.as_str(), new.as_str()]).unwrap();
}

/// Put the row where a call with the other arguments finds it.
fn move_to_other_arguments(connection: &Connection) {
    let needs = needs(&policy(), &Principal::new(who("local")), &Call::new("eye_look", json!({ "n": 2 })));
    assert_eq!(connection.execute("UPDATE approvals SET arguments = ?1", [needs.arguments_digest.unwrap()]).unwrap(), 1);
}

#[test]
fn rows_that_were_edited_are_no_approvals() {
    let sql = |sql: &'static str| {
        move |connection: &Connection, _: &ApprovalId, _: &Subject| {
            assert!(connection.execute(sql, []).unwrap() > 0, "{sql}");
        }
    };
    check_forged(sql("UPDATE approvals SET digest = replace(digest, substr(digest, 1, 1), 'x')"));
    check_forged(sql("UPDATE approvals SET expires_ms = expires_ms + 1"));
    check_forged(sql("UPDATE approvals SET principal = 'token:ci'"));
    check_forged(sql("UPDATE approvals SET tool = 'eye_other'"));
    check_forged(sql("UPDATE approvals SET id = '00000000000000000000'"));
    check_forged(sql("UPDATE approvals SET subject = CAST(replace(CAST(subject AS TEXT), '\"n\":1', '\"n\":2') AS BLOB)"));
    check_forged(sql("UPDATE approvals SET subject = x'ff'"));
    check_forged(sql("UPDATE votes SET payload = CAST(CAST(payload AS TEXT) || ' ' AS BLOB)"));
    check_forged(sql("UPDATE votes SET signature = zeroblob(64)"));
    check_forged(sql("UPDATE votes SET signature = zeroblob(63)"));
    check_forged(sql("DELETE FROM votes"));
    check_forged(|connection, _, _| move_to_other_arguments(connection));
}

#[test]
fn a_whole_row_for_another_call_is_not_agreed_to() {
    check_forged(|connection, id, subject| {
        replace(connection, id, &Subject { arguments: json!({ "n": 2 }), arguments_digest: "ee".repeat(32), ..subject.clone() });
        move_to_other_arguments(connection);
    });
    check_forged(|connection, id, subject| {
        replace(connection, id, &Subject { principal: "token:ci".parse().unwrap(), ..subject.clone() });
    });
    check_forged(|connection, id, subject| {
        replace(connection, id, &Subject { expires: at(NOW + 1000 * HOUR), ..subject.clone() });
    });
    check_forged(|connection, id, subject| {
        replace(connection, id, &Subject { plan: json!({ "requests": [{}] }), ..subject.clone() });
    });
    check_forged(|connection, id, subject| replace(connection, id, &Subject { quorum: 0, ..subject.clone() }));
}

#[test]
fn votes_that_were_copied_or_made_up_do_not_count() {
    let insert = |connection: &Connection, id: &ApprovalId, name: &str, vote: &Vote| {
        connection
            .execute(
                "INSERT INTO votes (approval, approver, payload, signature, at_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![id.as_str(), name, vote.payload, vote.signature.as_slice(), NOW],
            )
            .unwrap();
    };
    let (_folder, path) = file();
    let (ledger, policy) = (Ledger::open(&path).unwrap(), House::asking(ApprovalMode::Operator, 2, 1000).policy());
    let (one, first) = asked(&ledger, &policy, 1);
    let (other, second) = asked(&ledger, &policy, 2);
    approve(&ledger, "alice", &one, &first, NOW + 1);
    approve(&ledger, "bob", &other, &second, NOW + 1);
    let connection = Connection::open(&path).unwrap();
    let waits = || {
        for number in [1, 2] {
            let decision = decision(&ledger, &policy, "local", json!({ "n": number }), NOW + 2);
            assert_eq!(code(&decision), Some("approval-required"));
        }
    };
    waits();
    // Alice's word under other names, Bob's from another approval, a key that is nobody's, Carol's about herself.
    let (_, again) = says("alice", Said::Approve, &first, at(NOW + 2));
    insert(&connection, &one, "alice2", &again);
    insert(&connection, &one, "bob", &says("bob", Said::Approve, &second, at(NOW + 1)).1);
    waits();
    insert(&connection, &one, "bob2", &signed_by("mallory", "bob", Said::Approve, &first, at(NOW + 1)).1);
    insert(&connection, &one, "mallory", &signed_by("mallory", "mallory", Said::Approve, &first, at(NOW + 1)).1);
    insert(&connection, &one, "carol", &says("carol", Said::Approve, &first, at(NOW + 1)).1);
    insert(&connection, &one, "late", &says("bob", Said::Approve, &first, at(NOW + HOUR)).1);
    insert(&connection, &one, "early", &says("bob", Said::Approve, &first, at(NOW - 1)).1);
    waits();
    insert(&connection, &one, "bob3", &says("bob", Said::Approve, &first, at(NOW + 1)).1);
    let permit = permitted(decision(&ledger, &policy, "local", json!({ "n": 1 }), NOW + 2));
    assert_eq!(permit.agreed().unwrap().by, ["alice", "bob"], "Bob's own word does, wherever it is kept");
}

/// What a hand that writes the file can do, and what it cannot: see the module's documentation.
#[test]
fn only_the_files_permissions_keep_a_used_approval_used() {
    let flip = |sql: &'static str| {
        move |connection: &Connection, _: &ApprovalId, _: &Subject| {
            connection.execute_batch(sql).unwrap();
        }
    };
    let reopen = "UPDATE approvals SET state = 'taken'; UPDATE approvals SET state = 'open', closed_ms = NULL, closed_by = NULL";
    check_after(ApprovalMode::Operator, true, flip("UPDATE approvals SET state = 'taken'"), false);
    check_after(ApprovalMode::Operator, true, flip(reopen), true);
    // Nobody agreed: opening it, or saying that the client did, is not enough where an operator must.
    check_after(ApprovalMode::Operator, false, flip(reopen), false);
    check_after(ApprovalMode::Operator, false, flip("UPDATE approvals SET in_band = 1"), false);
    check_after(ApprovalMode::InBand, false, flip("UPDATE approvals SET in_band = 1"), true);
    // A denial that is opened again still has the no, and whoever takes the no away takes nothing else with it.
    let (_folder, path) = file();
    let (ledger, policy) = (Ledger::open(&path).unwrap(), House::asking(ApprovalMode::Operator, 1, 1000).policy());
    let (id, subject) = asked(&ledger, &policy, 1);
    approve(&ledger, "alice", &id, &subject, NOW + 1);
    let (statement, vote) = says("bob", Said::Deny, &subject, at(NOW + 1));
    ledger.vote(&id, &statement, &vote, at(NOW + 1)).unwrap();
    Connection::open(&path).unwrap().execute_batch(reopen).unwrap();
    assert_eq!(code(&decision(&ledger, &policy, "local", json!({ "n": 1 }), NOW + 2)), Some("approval-required"));
}

/// The file is closed at a moment when the writer is in the middle: nothing of that is there.
#[test]
fn a_transaction_that_was_cut_off_left_nothing() {
    let (_folder, path) = file();
    let (ledger, policy) = (Ledger::open(&path).unwrap(), policy());
    let (id, _, permit) = agreed(&ledger, &policy, 1);
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE; UPDATE approvals SET state = 'taken'; DELETE FROM spends").unwrap();
    assert_eq!((state(&ledger, &id), spent(&ledger, &permit, NOW + 3)), (State::Open, vec![1]));
    drop(other);
    let _ = ledger.charge(&permit, MOST, at(NOW + 3)).unwrap();
}
