//! Many writers at once, files that end, checkpoints that come by number and by time.

use std::{os::unix::fs::PermissionsExt as _, sync::Arc, time::Duration};

use casemate_audit::{Options, Sync};
use casemate_signing::manifest::Effect;

use crate::{
    calls::{ended, facts, permit},
    fixture::{Folder, NOW, event, filled, quiet, wait},
};

#[test]
fn many_threads_write_one_chain() {
    let folder = Folder::new();
    let (log, _) = folder.open(Options { segment_bytes: 64 << 10, ..quiet() }).unwrap();
    let log = Arc::new(log);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..100 {
                    let effect = if number % 10 == 0 { Effect::Write } else { Effect::Read };
                    let id = wait(log.begin(permit(effect), facts(), NOW)).unwrap().id();
                    wait(log.outcome(id, ended(), NOW.plus_millis(thread))).unwrap();
                }
            });
        }
    });
    log.close(NOW).unwrap();
    let report = folder.verify().unwrap();
    assert_eq!((report.records, report.covered), (1600, 1600));
    assert!(report.unfinished.is_empty() && folder.segments().len() > 2, "{:?}", folder.segments());
    let ids: Vec<String> = folder.entries().iter().map(|entry| entry["event_id"].to_string()).collect();
    assert!(ids.is_sorted() && ids.windows(2).all(|pair| pair[0] != pair[1]));
}

#[test]
fn checkpoints_come_by_number() {
    let folder = Folder::new();
    let (log, _) = folder.open(Options { checkpoint_every: 10, sync: Sync::Always, ..quiet() }).unwrap();
    for number in 0..100 {
        wait(log.event(event(number), NOW)).unwrap();
    }
    drop(log);
    let report = folder.verify().unwrap();
    assert!(report.not_yet_covered() < 10 && report.checkpoints == 10, "{report:?}");
}

#[test]
fn checkpoints_come_by_time() {
    let folder = Folder::new();
    let soon = Duration::from_millis(20);
    let (log, _) = folder.open(Options { checkpoint_after: soon, first_checkpoint_after: soon, ..quiet() }).unwrap();
    // The first, and those behind it.
    for number in 0..2 {
        wait(log.event(event(number), NOW)).unwrap();
        let covered = || folder.verify().unwrap().covered == number as u64 + 1;
        assert!((0..500).any(|_| covered() || {
            std::thread::sleep(Duration::from_millis(10));
            false
        }));
    }
    drop(log);
}

#[test]
fn checkpoints_come_when_asked_for() {
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    wait(log.sign()).unwrap();
    assert!(log.checkpoint().is_none(), "there is nothing to sign");
    for number in 0..3 {
        wait(log.event(event(number), NOW)).unwrap();
        wait(log.sign()).unwrap();
        wait(log.sign()).unwrap();
        let report = folder.verify().unwrap();
        assert_eq!((report.covered, report.checkpoints), (number as u64 + 1, number as u64 + 1));
    }
    log.close(NOW).unwrap();
    assert!(wait(log.sign()).is_err(), "it is closed");
}

/// Who asks while a checkpoint is being signed is answered too, whoever's it is.
#[test]
fn many_who_ask_at_once_are_all_answered() {
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let log = &log;
            scope.spawn(move || {
                for number in 0..20 {
                    wait(log.event(event(thread * 100 + number), NOW)).unwrap();
                    wait(log.sign()).unwrap();
                }
            });
        }
    });
    assert_eq!(folder.verify().unwrap().not_yet_covered(), 0);
}

#[test]
fn an_empty_log_is_closed_without_a_word() {
    let report = filled(0, quiet()).verify().unwrap();
    assert_eq!((report.records, report.checkpoints), (0, 0));
}

#[test]
fn its_files_are_its_owners_alone() {
    let folder = filled(10, Options { segment_bytes: 1, sync: Sync::Always, ..quiet() });
    let mut folders = vec![folder.path("")];
    while let Some(path) = folders.pop() {
        for entry in std::fs::read_dir(path).unwrap() {
            let (path, kind) = entry.map(|entry| (entry.path(), entry.file_type().unwrap())).unwrap();
            let expected = if kind.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, expected, "{path:?}");
            folders.extend(kind.is_dir().then_some(path));
        }
    }
}
