//! A file of version 1, as the build that wrote it left it.

use std::path::Path;

use casemate_ledger::{Ledger, LedgerError};
use casemate_policy::{ApprovalMode, Measure};
use casemate_signing::manifest::Effect;
use rusqlite::Connection;
use serde_json::json;

use crate::fixture::{
    House, MOST, NOW, Reading, approve, ask, at, budget, decision, exhausted, file, permit, permitted, spent, unread, who,
};

/// Version 1, word for word.
const FIRST: &str = "
    CREATE TABLE schema (version INTEGER NOT NULL);
    CREATE TABLE spends (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        budget TEXT NOT NULL,
        at_ms INTEGER NOT NULL,
        until_ms INTEGER NOT NULL
    ) STRICT;
    CREATE INDEX spends_by_budget ON spends (budget, at_ms);
    CREATE INDEX spends_by_end ON spends (until_ms);
    INSERT INTO schema VALUES (1);
";

/// With three calls spent in the last hour, and one before.
fn write(path: &Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.pragma_update(None, "application_id", 0x434d_4c47).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    connection.execute_batch(FIRST).unwrap();
    for ago in [1, 2, 3, 4_000_000] {
        connection
            .execute("INSERT INTO spends (budget, at_ms, until_ms) VALUES ('local lab * 1h', ?1, ?1 + 3600000)", [NOW - ago])
            .unwrap();
    }
    connection
}

#[test]
fn what_was_spent_before_still_counts() {
    let (_folder, path) = file();
    drop(write(&path));
    let ledger = Ledger::open(&path).unwrap();
    let permit = permit("local", Effect::Read, &[(4, "1h")]);
    assert_eq!(spent(&ledger, &permit, NOW), [3]);
    let _ = ledger.charge(&permit, MOST, at(NOW)).unwrap();
    let (_, retry) = exhausted(ledger.charge(&permit, MOST, at(NOW)));
    assert_eq!(retry, Some(3_600_000 - 3));
    drop(ledger);
    // And once more: there is nothing left to change.
    assert_eq!(spent(&Ledger::open(&path).unwrap(), &permit, NOW), [4]);
}

#[test]
fn everything_that_is_new_works_in_an_old_file() {
    let (_folder, path) = file();
    drop(write(&path));
    let ledger = Ledger::open(&path).unwrap();
    let policy = House::asking(ApprovalMode::Operator, 1, 100).policy();
    let (id, subject) = ask(&ledger, &policy, "local", json!({}), NOW);
    approve(&ledger, "alice", &id, &subject, NOW + 1);
    let _ = ledger.charge(&permitted(decision(&ledger, &policy, "local", json!({}), NOW + 2)), MOST, at(NOW + 2)).unwrap();
    Reading::of(json!({ "host": "evil.example" })).at(&ledger, NOW);
    assert_eq!(ledger.sessions(Default::default(), at(NOW)).unwrap()[0].values, 2);
    let bytes = House { budgets: vec![budget(Measure::Bytes(10), "1h")], ..House::of(Effect::Read) }.policy();
    assert_eq!(ledger.charge(&unread(&bytes, "local", json!({})), MOST, at(NOW)).unwrap().bytes(), Some(10));
}

/// What versions 4 and 5 added, taken back.
const BACK_TO_3: &str = "ALTER TABLE seen DROP COLUMN audit_id;
     ALTER TABLE votes DROP COLUMN delegation; ALTER TABLE votes DROP COLUMN delegation_signature;";

/// A vote of version 3 counts as it did.
#[test]
fn a_vote_of_version_3_still_counts() {
    let (_folder, path) = file();
    let policy = House::asking(ApprovalMode::Operator, 1, 100).policy();
    let ledger = Ledger::open(&path).unwrap();
    let (id, subject) = ask(&ledger, &policy, "local", json!({}), NOW);
    approve(&ledger, "alice", &id, &subject, NOW + 1);
    drop(ledger);
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(&format!("{BACK_TO_3} UPDATE schema SET version = 3")).unwrap();
    drop(old);
    let ledger = Ledger::open(&path).unwrap();
    let _ = permitted(decision(&ledger, &policy, "local", json!({}), NOW + 2));
}

/// Version 2 had everything but what version 3 added.
#[test]
fn a_file_of_version_2_gains_what_came_after_it() {
    let (_folder, path) = file();
    drop(Ledger::open(&path).unwrap());
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(&format!("DROP TABLE resumptions; DROP TABLE tasks; {BACK_TO_3} UPDATE schema SET version = 2")).unwrap();
    drop(old);
    let ledger = Ledger::open(&path).unwrap();
    assert!(!ledger.resume(&who("local"), at(NOW)).unwrap());
}

/// Several processes find the old file at once.
#[test]
fn many_that_migrate_at_once_migrate_once() {
    let (_folder, path) = file();
    drop(write(&path));
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let ledger = Ledger::open(&path).unwrap();
                assert_eq!(spent(&ledger, &permit("local", Effect::Read, &[(9, "1h")]), NOW), [3]);
            });
        }
    });
}

/// The build of version 1 still runs while this one has migrated the file: what it spends counts.
#[test]
fn an_old_process_that_goes_on_spends_what_counts() {
    let (_folder, path) = file();
    let old = write(&path);
    let ledger = Ledger::open(&path).unwrap();
    old.execute("INSERT INTO spends (budget, at_ms, until_ms) VALUES ('local lab * 1h', ?1, ?1 + 3600000)", [NOW]).unwrap();
    assert_eq!(spent(&ledger, &permit("local", Effect::Read, &[(9, "1h")]), NOW), [4]);
}

#[test]
fn what_only_says_that_it_is_version_1_is_damaged() {
    for sql in [
        "DROP TABLE spends",
        "ALTER TABLE spends DROP COLUMN at_ms",
        "CREATE TABLE votes (x)",
        "DELETE FROM schema",
        "UPDATE schema SET version = 0",
    ] {
        let (_folder, path) = file();
        let connection = write(&path);
        connection.execute_batch("DROP INDEX spends_by_budget").unwrap();
        connection.execute_batch(sql).unwrap();
        drop(connection);
        let before = std::fs::read(&path).unwrap();
        let found = Ledger::open(&path);
        assert!(matches!(found, Err(LedgerError::Damaged { .. })), "{sql}: {found:?}");
        assert!(std::fs::read(&path).unwrap() == before, "{sql}: and it is not touched");
    }
}
