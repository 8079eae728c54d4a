//! How long things are kept: old files that are removed with their proofs kept, details beside the log, and the clock.

use std::fs;

use casemate_audit::{AnswerDetails, ExchangeDetails, Failure, OutcomeFacts, PruneError, Removal, Stays, prove, verify_proof};
use casemate_policy::Timestamp;
use casemate_signing::manifest::Effect;

use crate::{
    calls::{ended, facts, permit},
    fixture::{Folder, NOW, event, key, small, wait},
};

const DAY: i64 = 86_400_000;

/// Three records a day for thirty days.
fn month() -> Folder {
    let folder = Folder::new();
    let (log, _) = folder.open(small()).unwrap();
    for number in 0..90 {
        wait(log.event(event(number), day(number as i64 / 3))).unwrap();
    }
    log.close(day(29)).unwrap();
    folder
}

fn day(number: i64) -> Timestamp {
    Timestamp::from_millis(NOW.as_millis() + number * DAY)
}

fn prune(folder: &Folder, older_than: Timestamp) -> Result<Removal, PruneError> {
    let (log, _) = folder.open(small()).unwrap();
    let removal = wait(log.prune(older_than, "local", day(30)));
    log.close(day(30)).unwrap();
    removal
}

#[test]
fn old_files_go_and_the_rest_still_verifies_with_what_was_proved_before() {
    let folder = month();
    let (public, id) = (key().verifying_key(), folder.ids()[2]);
    let before = prove(&folder.dir(), &public, id).unwrap();
    let kept = folder.verify().unwrap().last_checkpoint.unwrap();

    let removal = prune(&folder, day(20)).unwrap();
    assert_eq!((removal.from, removal.stays), (0, Stays::Young));
    assert!(removal.before > 40 && removal.before <= 63, "{removal:?}");
    let report = folder.verify().unwrap();
    assert_eq!((report.removed, report.records, report.tiled), (removal.before, 91, 91));
    casemate_audit::holds(&folder.dir(), &public, &kept).unwrap();
    assert_eq!(verify_proof(&before, &public, &[]).unwrap().index, 2, "a proof outlives its record");
    assert!(prove(&folder.dir(), &public, id).is_err());
    verify_proof(&prove(&folder.dir(), &public, folder.ids()[5]).unwrap(), &public, &[]).unwrap();
    let written = folder.entries().pop().unwrap();
    assert_eq!((written["event_type"].as_str(), written["principal_id"].as_str()), (Some("audit.pruned"), Some("local")));
    assert_eq!(written["extensions"]["casemate"]["removed_before"], removal.before.to_string());

    // Again, and what was written down of the first goes on counting only by the second.
    let again = prune(&folder, day(25)).unwrap();
    assert_eq!(again.from, removal.before);
    assert_eq!(folder.verify().unwrap().removed, again.before);
    let (log, recovery) = folder.open(small()).unwrap();
    assert!(recovery.is_clean());
    wait(log.event(event(0), day(31))).unwrap();
    log.close(day(31)).unwrap();
    folder.verify().unwrap();
}

#[test]
fn what_was_not_removed_and_is_missing_is_missed() {
    let folder = month();
    let segments = folder.segments();
    let attack = folder.copy();
    fs::remove_file(attack.path(&segments[0])).unwrap();
    assert!(matches!(attack.verify(), Err(Failure::Gap { expected: 0, .. })), "nobody wrote that down");
    prune(&folder, day(20)).unwrap();
    let attack = folder.copy();
    fs::remove_file(attack.path(&attack.segments()[0])).unwrap();
    assert!(matches!(attack.verify(), Err(Failure::Gap { .. })), "nor that");
    let attack = folder.copy();
    fs::remove_file(attack.path(&attack.segments()[1])).unwrap();
    assert!(matches!(attack.verify(), Err(Failure::Gap { .. })), "nor one in between");

    // The hashes of what was removed are what the rest is held against.
    for tile in ["tlog/tile/entries/000.p/91", "tlog/tile/0/000.p/91", "tlog/checkpoint"] {
        let attack = folder.copy();
        let mut bytes = attack.read(tile);
        bytes[40] ^= 1;
        attack.write(tile, &bytes);
        assert!(attack.verify().is_err(), "{tile}");
        fs::remove_file(attack.path(tile)).unwrap();
        assert!(attack.verify().is_err(), "{tile}");
    }
    let attack = folder.copy();
    fs::remove_dir_all(attack.path("tlog")).unwrap();
    assert!(attack.open(small()).is_err(), "and cannot be made anew");
}

#[test]
fn young_open_and_uncovered_files_stay() {
    let folder = month();
    let refused = |result: Result<Removal, PruneError>| match result {
        Err(PruneError::Nothing { stays, .. }) => stays,
        other => panic!("{other:?}"),
    };
    assert_eq!(refused(prune(&folder, day(-1))), Stays::Young);
    let one = Folder::new();
    one.open(small()).unwrap().0.close(NOW).unwrap();
    assert_eq!(refused(prune(&one, day(30))), Stays::Newest);

    // A call that began in the first file and is still under way.
    let folder = Folder::new();
    let (log, _) = folder.open(small()).unwrap();
    let open = wait(log.begin(permit(Effect::Write), facts(), NOW)).unwrap();
    for number in 0..30 {
        wait(log.event(event(number), NOW)).unwrap();
    }
    wait(log.sign()).unwrap();
    assert_eq!(refused(wait(log.prune(day(5), "local", day(30)))), Stays::Open);
    wait(log.outcome(open.id(), ended(), NOW)).unwrap();
    assert!(wait(log.prune(day(5), "local", day(30))).is_ok());
    log.close(day(30)).unwrap();
    folder.verify().unwrap();

    // Nothing is published that covers the first file.
    let folder = month();
    fs::remove_dir_all(folder.path("tlog")).unwrap();
    let (log, _) = folder.open(small()).unwrap();
    fs::remove_dir_all(folder.path("tlog")).unwrap();
    assert_eq!(refused(wait(log.prune(day(20), "local", day(30)))), Stays::NotCovered);
}

#[test]
fn what_is_not_in_order_is_not_removed() {
    let folder = month();
    let (log, _) = folder.open(small()).unwrap();
    let lines = folder.lines();
    folder.write_lines(&[&[lines[0].replace("config.loaded", "config.refused")], &lines[1..]].concat());
    assert!(matches!(wait(log.prune(day(20), "local", day(30))), Err(PruneError::Broken(_))), "it is evidence");
    assert!(folder.path(crate::fixture::FIRST).exists());
}

fn exchange(body: &str) -> ExchangeDetails {
    ExchangeDetails {
        upstream: "lab".to_owned(),
        method: "POST".to_owned(),
        path: "/agents/7/run".to_owned(),
        headers: vec![("content-type".to_owned(), "application/json".to_owned())],
        body: body.as_bytes().to_vec(),
        answer: Some(AnswerDetails { status: 202, headers: Vec::new(), body: b"{}".to_vec() }),
    }
}

#[test]
fn details_are_kept_beside_the_log_checked_with_it_and_go_with_their_file() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = Folder::new();
    let (log, _) = folder.open(small()).unwrap();
    let mut files = Vec::new();
    for number in 0..12 {
        let recorded = wait(log.begin(permit(Effect::Execute), facts(), day(number))).unwrap();
        let kept = log.keep(recorded.id(), &[exchange(&format!("run {number}"))], 0).unwrap();
        wait(log.outcome(recorded.id(), OutcomeFacts { details: Some(kept), ..ended() }, day(number))).unwrap();
        assert!(log.keep(recorded.id(), &[], 0).is_err(), "not after its outcome");
        files.push(format!("details/{}.json", recorded.id()));
    }
    log.close(day(12)).unwrap();
    assert_eq!(folder.verify().unwrap().details, 12);
    assert_eq!(fs::metadata(folder.path(&files[0])).unwrap().permissions().mode() & 0o777, 0o600);
    let outcome = casemate_audit::read(&folder.dir(), casemate_audit::Filter::default()).unwrap().nth(1).unwrap().unwrap();
    let details = casemate_audit::details(&folder.dir(), &outcome).unwrap().unwrap();
    assert_eq!(details.pointer("/exchanges/0/request/body").unwrap(), "run 0");

    let attack = folder.copy();
    attack.write(&files[7], &[attack.read(&files[7]), b" ".to_vec()].concat());
    assert!(matches!(attack.verify(), Err(Failure::Details { cause: "were changed", place }) if place.record == 15));
    assert!(casemate_audit::details(&attack.dir(), &outcome).is_ok());
    fs::remove_file(attack.path(&files[0])).unwrap();
    attack.write(&files[7], &folder.read(&files[7]));
    assert!(matches!(attack.verify(), Err(Failure::Details { cause: "are missing", place }) if place.record == 1));
    assert!(casemate_audit::details(&attack.dir(), &outcome).is_err());

    let removal = prune(&folder, day(6)).unwrap();
    assert!(!removal.details.is_empty() && removal.details.len() < 12);
    let left = files.iter().filter(|file| folder.path(file).exists()).count();
    assert_eq!(left, 12 - removal.details.len());
    assert_eq!(folder.verify().unwrap().details, left as u64);
    fs::remove_file(folder.path(&files[11])).unwrap();
    assert!(matches!(folder.verify(), Err(Failure::Details { .. })), "a removal excuses no other");
}

/// The host stopped after the details and before the outcome: what it then says of the call names them.
#[test]
fn details_without_an_outcome_are_named_by_the_recovery() {
    let folder = Folder::new();
    let (log, _) = folder.open(small()).unwrap();
    let recorded = wait(log.begin(permit(Effect::Execute), facts(), NOW)).unwrap();
    log.keep(recorded.id(), &[exchange("run")], 0).unwrap();
    fs::write(folder.path(&format!("details/{}.json.new", recorded.id())), "half").unwrap();
    drop(log);
    folder.open(small()).unwrap().0.close(NOW).unwrap();
    assert_eq!(folder.verify().unwrap().details, 1);
    let outcome = folder.entries().pop().unwrap();
    assert_eq!(outcome["outcome"], "unknown");
    assert_eq!(fs::read_dir(folder.path("details")).unwrap().count(), 1);
}

#[test]
fn a_clock_that_goes_back_is_noted_and_ids_go_on() {
    let folder = Folder::new();
    let (log, _) = folder.open(small()).unwrap();
    for (number, at) in [(0, day(1)), (1, day(0)), (2, day(0).plus_millis(5)), (3, day(2))] {
        wait(log.event(event(number), at)).unwrap();
    }
    log.close(day(2)).unwrap();
    let (log, _) = folder.open(small()).unwrap();
    wait(log.event(event(4), day(1))).unwrap();
    log.close(day(1)).unwrap();
    folder.verify().unwrap();
    let told: Vec<(String, String)> = folder
        .entries()
        .iter()
        .map(|entry| (entry["event_type"].as_str().unwrap().to_owned(), entry["occurred_at"].as_str().unwrap().to_owned()))
        .collect();
    let kind = |place: usize| told[place].0.as_str();
    assert_eq!((kind(1), kind(5), told.len()), ("audit.clock-went-back", "audit.clock-went-back", 7));
    assert_eq!(told[2].1, day(0).to_string(), "what the clock said is what is written");
    assert_eq!(folder.entries()[1]["extensions"]["casemate"]["from"], day(1).to_string());
    let ids = folder.ids();
    assert!(ids.is_sorted());
}
