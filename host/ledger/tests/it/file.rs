//! The file: restarts, permissions, versions, damage.

use std::{fs, os::unix::fs::PermissionsExt as _};

use casemate_ledger::{Ledger, LedgerError};
use casemate_signing::manifest::Effect;

use crate::fixture::{MOST, NOW, at, exhausted, permit, spent};

#[test]
fn what_is_spent_stays_spent_over_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    for effect in [Effect::Read, Effect::Write] {
        let permit = permit("local", effect, &[(4, "1h")]);
        let _ = Ledger::open(&path).unwrap().charge(&permit, MOST, at(NOW)).unwrap();
        let _ = Ledger::open(&path).unwrap().charge(&permit, MOST, at(NOW)).unwrap();
    }
    let permit = permit("local", Effect::Read, &[(4, "1h")]);
    let ledger = Ledger::open(&path).unwrap();
    assert_eq!(spent(&ledger, &permit, NOW), [4]);
    let _ = exhausted(ledger.charge(&permit, MOST, at(NOW)));
}

#[test]
fn its_files_are_its_owners_alone_and_no_draft_stays() {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::open(&folder.path().join("ledger.db")).unwrap();
    let _ = ledger.charge(&permit("local", Effect::Write, &[(1, "1h")]), MOST, at(NOW)).unwrap();
    let mut names = Vec::new();
    for entry in fs::read_dir(folder.path()).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{:?}", entry.file_name());
        names.push(entry.file_name().into_string().unwrap());
    }
    names.sort();
    assert_eq!(names, ["ledger.db", "ledger.db-shm", "ledger.db-wal"]);
}

/// A ledger with something spent, after which `damage` happens to the file.
#[track_caller]
fn check_damaged(damage: impl Fn(&mut Vec<u8>)) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let permit = permit("local", Effect::Read, &[(500, "1h")]);
    let ledger = Ledger::open(&path).unwrap();
    for _ in 0..200 {
        let _ = ledger.charge(&permit, MOST, at(NOW)).unwrap();
    }
    drop(ledger);
    let mut bytes = fs::read(&path).unwrap();
    assert!(bytes.len() > 8192, "closing has moved the log into the file");
    damage(&mut bytes);
    fs::write(&path, &bytes).unwrap();
    let found = Ledger::open(&path);
    assert!(matches!(found, Err(LedgerError::Damaged { .. })), "{found:?}");
    assert!(fs::read(&path).unwrap() == bytes, "and it is not touched");
}

#[test]
fn a_damaged_file_is_an_error_and_not_begun_anew() {
    check_damaged(Vec::clear);
    check_damaged(|bytes| bytes.truncate(1000));
    check_damaged(|bytes| bytes.truncate(8192));
    check_damaged(|bytes| bytes.fill(0));
    check_damaged(|bytes| {
        *bytes = b"not a database, just a text that is somewhat longer than a header of one hundred bytes is, so that it is read"
            .to_vec()
    });
    check_damaged(|bytes| bytes[..16].copy_from_slice(b"SQLite format 4\0"));
    check_damaged(|bytes| bytes[4096..4200].fill(0xff));
    check_damaged(|bytes| {
        let end = bytes.len();
        bytes[end - 4096..].fill(0xa5);
    });
}

#[test]
fn another_programs_database_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    rusqlite::Connection::open(&path)
        .unwrap()
        .execute_batch("CREATE TABLE spends (id); CREATE TABLE schema (version); INSERT INTO schema VALUES (1)")
        .unwrap();
    assert!(matches!(Ledger::open(&path), Err(LedgerError::Damaged { .. })));
}

#[test]
fn a_newer_version_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    drop(Ledger::open(&path).unwrap());
    rusqlite::Connection::open(&path).unwrap().execute("UPDATE schema SET version = 1000", []).unwrap();
    let Err(error) = Ledger::open(&path) else { panic!() };
    assert!(matches!(error, LedgerError::Newer { found: 1000, .. }) && error.to_string().contains("help: "), "{error}");
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(Ledger::open(&folder.path().join("none/ledger.db")), Err(LedgerError::Io { .. })));
}

/// Written to while it is open: the next charge is refused, and nothing is granted on a guess.
#[test]
fn damage_under_way_refuses_and_does_not_grant() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    let ledger = Ledger::open(&path).unwrap();
    let permit = permit("local", Effect::Read, &[(5, "1h")]);
    let _ = ledger.charge(&permit, MOST, at(NOW)).unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("DROP TABLE spends").unwrap();
    assert!(ledger.charge(&permit, MOST, at(NOW)).is_err());
    assert!(ledger.spent(&permit.charges()[0], at(NOW)).is_err());
}
