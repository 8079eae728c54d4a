//! What a crash leaves, and what the next opening makes of it.

use casemate_audit::{Failure, Log, OpenError, Options, Outcome};
use casemate_signing::manifest::Effect;

use crate::{
    calls::{facts, permit},
    fixture::{FIRST, Folder, NOW, event, filled, key, quiet, wait},
};

/// A log of ten records that was not closed.
fn dropped() -> Folder {
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    for number in 0..10 {
        wait(log.event(event(number), NOW)).unwrap();
    }
    drop(log);
    folder
}

#[test]
fn a_record_torn_at_any_byte_is_cut_off_and_noted() {
    let folder = dropped();
    let whole = folder.read(FIRST);
    let last = whole[..whole.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for cut in last..whole.len() {
        let crashed = folder.copy();
        crashed.write(FIRST, &whole[..cut]);
        let report = crashed.verify().unwrap();
        assert_eq!((report.records, report.torn.map(|torn| torn.bytes)), (9, (cut > last).then_some((cut - last) as u64)));

        let (log, recovery) = crashed.open(quiet()).unwrap();
        assert_eq!(recovery.records, 9);
        wait(log.event(event(10), NOW)).unwrap();
        log.close(NOW).unwrap();
        let entries = crashed.entries();
        if cut == last {
            assert!(recovery.is_clean() && entries.len() == 10);
        } else {
            let torn = recovery.torn.unwrap();
            assert_eq!((torn.offset, torn.bytes), (last as u64, (cut - last) as u64));
            assert_eq!(entries.len(), 11);
            assert_eq!(entries[9]["event_type"], "audit.recovered");
            assert_eq!(entries[9]["extensions"]["casemate"]["cut_bytes"], (cut - last).to_string());
        }
        assert_eq!(crashed.verify().unwrap().not_yet_covered(), 0);
    }
}

/// Some file systems show zeros where data had not reached the disk when the power went.
#[test]
fn zeros_at_the_end_are_cut_off() {
    let folder = dropped();
    let whole = folder.read(FIRST);
    for zeros in [1, 100, 70_000] {
        let crashed = folder.copy();
        let mut bytes = whole[..whole.len() - 50].to_vec();
        bytes.extend(vec![0; zeros]);
        bytes.extend_from_slice(&whole[whole.len() - 50..]);
        crashed.write(FIRST, &bytes);
        let (log, recovery) = crashed.open(quiet()).unwrap();
        assert_eq!(recovery.records, 9);
        drop(log);
        crashed.verify().unwrap();
    }
}

#[test]
fn a_damaged_middle_is_not_continued() {
    let folder = dropped();
    let mut lines = folder.lines();
    lines[4] = lines[4].replace("config.loaded", "config.refused");
    folder.write_lines(&lines);
    let before = folder.read(FIRST);
    let Err(OpenError::Broken(failure)) = folder.open(quiet()) else { panic!() };
    let Failure::Damaged { place, .. } = *failure else { panic!("{failure}") };
    assert_eq!(place.record, 4);
    assert_eq!(folder.read(FIRST), before, "and not touched");
}

#[test]
fn a_torn_checkpoint_is_cut_off_and_the_records_are_signed_for_again() {
    let folder = filled(150, quiet());
    let whole = folder.read("checkpoints");
    let text = String::from_utf8(whole.clone()).unwrap();
    let last = text.rfind("\ncasemate.audit/").unwrap() + 1;
    for cut in (last + 1..whole.len()).step_by(3) {
        let crashed = folder.copy();
        crashed.write("checkpoints", &whole[..cut]);
        // Tiles are published after their checkpoint is whole.
        std::fs::remove_dir_all(crashed.path("tlog")).unwrap();
        assert_eq!(crashed.verify().unwrap().torn_checkpoint, (cut - last) as u64);
        let (log, recovery) = crashed.open(quiet()).unwrap();
        assert_eq!(recovery.torn_checkpoint, (cut - last) as u64);
        log.close(NOW).unwrap();
        let report = crashed.verify().unwrap();
        assert_eq!((report.records, report.covered, report.torn_checkpoint), (151, 151, 0));
    }
}

#[test]
fn an_intent_without_an_outcome_is_told_and_ended_as_unknown() {
    let folder = Folder::new();
    let (log, _) = folder.open(quiet()).unwrap();
    let recorded = wait(log.begin(permit(Effect::Write), facts(), NOW)).unwrap();
    let id = recorded.id();
    drop(log);
    assert_eq!(folder.verify().unwrap().unfinished[0].0, id);

    let (log, recovery) = folder.open(quiet()).unwrap();
    assert_eq!(recovery.unfinished.len(), 1);
    assert_eq!((recovery.unfinished[0].0, recovery.unfinished[0].1.tool_name.as_str()), (id, "eye_look"));
    log.close(NOW).unwrap();
    let last = folder.entries().pop().unwrap();
    assert_eq!(last["event_type"], "outcome");
    assert_eq!(last["outcome"], Outcome::Unknown.as_str());
    assert_eq!(last["principal_id"], "local");
    assert_eq!(last["extensions"]["casemate"]["intent"], id.to_string());
    assert!(folder.open(quiet()).unwrap().1.is_clean(), "told once");
}

#[test]
fn an_unfinished_intent_in_an_earlier_file_is_found() {
    let folder = Folder::new();
    let options = || Options { segment_bytes: 4 << 10, ..quiet() };
    let (log, _) = folder.open(options()).unwrap();
    let id = wait(log.begin(permit(Effect::Read), facts(), NOW)).unwrap().id();
    for number in 0..300 {
        wait(log.event(event(number), NOW)).unwrap();
        if number % 20 == 0 {
            // What waits for the disk also lets the keeper begin a new file.
            let recorded = wait(log.begin(permit(Effect::Write), facts(), NOW)).unwrap();
            wait(log.outcome(recorded.id(), crate::calls::ended(), NOW)).unwrap();
        }
    }
    drop(log);
    assert!(folder.segments().len() > 2);
    let (log, recovery) = folder.open(options()).unwrap();
    assert_eq!(recovery.unfinished.iter().map(|(id, _)| *id).collect::<Vec<_>>(), [id]);
    log.close(NOW).unwrap();
    folder.verify().unwrap();

    // Without the shortcut, or with a forged one, all of it is read, to the same end.
    let last = folder.segments().pop().unwrap().replace(".jsonl", ".edge");
    let size = folder.verify().unwrap().records;
    for edge in
        [None, Some(folder.read(&last)), Some(folder.read(&last).iter().map(|byte| byte ^ u8::from(*byte == b'7')).collect())]
    {
        let again = folder.copy();
        match edge {
            None => std::fs::remove_file(again.path(&last)).unwrap(),
            Some(edge) => again.write(&last, &edge),
        }
        let (log, recovery) = again.open(options()).unwrap();
        assert_eq!((recovery.records, recovery.is_clean()), (size, true));
        wait(log.event(event(0), NOW)).unwrap();
        log.close(NOW).unwrap();
        again.verify().unwrap();
    }
}

#[test]
fn one_folder_has_one_writer() {
    let folder = Folder::new();
    let (first, _) = folder.open(quiet()).unwrap();
    let Err(error) = folder.open(quiet()) else { panic!() };
    assert!(matches!(error, OpenError::InUse) && error.to_string().contains("help: "), "{error}");
    drop(first);
    folder.open(quiet()).unwrap();
}

#[test]
fn many_openings_make_one_chain() {
    let folder = Folder::new();
    for number in 0..20 {
        let (log, recovery) = Log::open(folder.dir(), key(), quiet(), NOW).unwrap();
        assert!(recovery.is_clean() && recovery.records == number);
        wait(log.event(event(0), NOW)).unwrap();
        if number % 2 == 0 { log.close(NOW).unwrap() } else { drop(log) }
    }
    let report = folder.verify().unwrap();
    assert_eq!((report.records, report.covered, report.checkpoints), (20, 19, 10));
    assert_eq!(report.not_yet_covered(), 1);
}
