//! Many at once: threads, connections, processes, and one that is killed.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use casemate_ledger::{ChargeError, Ledger};
use casemate_policy::Permit;
use casemate_signing::manifest::Effect;

use crate::fixture::{MOST, NOW, at, permit, spent};

/// Where this is set, a test process is the child of another and does its part.
const PATH: &str = "CASEMATE_LEDGER_TEST_PATH";

fn budgeted(calls: u32) -> Permit {
    permit("local", Effect::Read, &[(calls, "1h"), (calls * 2, "1d")])
}

fn file() -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("ledger.db");
    (folder, path)
}

/// How many of so many charges went through; anything but `Exhausted` is a failure.
fn charge(ledger: &Ledger, permit: &Permit, attempts: u32) -> u32 {
    (0..attempts)
        .map(|_| match ledger.charge(permit, MOST, at(NOW)) {
            Ok(_) => 1,
            Err(ChargeError::Exhausted { .. }) => 0,
            Err(error) => panic!("{error}"),
        })
        .sum()
}

#[test]
fn two_hundred_threads_spend_exactly_the_budget() {
    let (_folder, path) = file();
    let (ledger, permit) = (Ledger::open(&path).unwrap(), budgeted(137));
    let passed = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..200 {
            scope.spawn(|| passed.fetch_add(charge(&ledger, &permit, 2), Ordering::SeqCst));
        }
    });
    assert_eq!(passed.into_inner(), 137);
    assert_eq!(spent(&ledger, &permit, NOW), [137, 137]);
}

#[test]
fn connections_to_one_file_spend_exactly_the_budget() {
    let (_folder, path) = file();
    let permit = budgeted(90);
    let passed = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for _ in 0..8 {
            // All of them begin the file, too.
            scope.spawn(|| passed.fetch_add(charge(&Ledger::open(&path).unwrap(), &permit, 20), Ordering::SeqCst));
        }
    });
    assert_eq!(passed.into_inner(), 90);
}

fn child(path: &Path, test: &str) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["--exact", test, "--ignored", "--nocapture", "--test-threads", "1"])
        .env(PATH, path)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}

fn path_from_parent() -> std::path::PathBuf {
    std::env::var_os(PATH).unwrap().into()
}

#[test]
fn processes_spend_exactly_the_budget() {
    let (_folder, path) = file();
    let children: Vec<Child> = (0..3).map(|_| child(&path, "race::child_charges")).collect();
    let mut passed = 0;
    for mut child in children {
        for line in BufReader::new(child.stdout.take().unwrap()).lines() {
            passed += line.unwrap().strip_prefix("passed ").map_or(0, |number| number.parse::<u32>().unwrap());
        }
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(passed, 100);
    assert_eq!(spent(&Ledger::open(&path).unwrap(), &budgeted(100), NOW), [100, 100]);
}

#[test]
#[ignore = "runs as the child of another test"]
fn child_charges() {
    let ledger = Ledger::open(&path_from_parent()).unwrap();
    println!("\npassed {}", charge(&ledger, &budgeted(100), 60));
}

/// Killed at any moment: whatever was granted is spent, no call is half charged, and the file is whole.
#[test]
fn what_was_spent_before_a_kill_stays_spent() {
    let (_folder, path) = file();
    let mut granted = 0_u32;
    for round in 1..=5 {
        let mut child = child(&path, "race::child_charges_for_ever");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut granted_now = 0;
        while granted_now < round * 7 {
            granted_now += u32::from(lines.next().unwrap().unwrap() == "granted");
        }
        child.kill().unwrap();
        child.wait().unwrap();
        granted += granted_now + u32::try_from(lines.map_while(Result::ok).filter(|line| line == "granted").count()).unwrap();

        let ledger = Ledger::open(&path).unwrap();
        let spent = spent(&ledger, &budgeted(1_000_000), NOW);
        // The last charge may have been committed without the child living to say so.
        assert!(spent.iter().all(|spent| (granted..=granted + round).contains(spent)), "{spent:?} of {granted}");
        assert!(spent.windows(2).all(|pair| pair.first() == pair.last()), "both budgets or neither: {spent:?}");
    }
}

#[test]
#[ignore = "runs as the child of another test"]
fn child_charges_for_ever() {
    let (ledger, permit) = (Ledger::open(&path_from_parent()).unwrap(), budgeted(1_000_000));
    let mut out = std::io::stdout();
    out.write_all(b"\n").unwrap();
    loop {
        let _ = ledger.charge(&permit, MOST, at(NOW)).unwrap();
        out.write_all(b"granted\n").unwrap();
    }
}
