//! Whoever can write to the folder and has not the key: every change to what is covered shows, and where.

use std::fs;

use casemate_audit::{Break, Checkpoint, CheckpointDamage, Failure, Keys, Log, Options, Sync, Trust, holds, verify, verify_with};
use ed25519_dalek::SigningKey;

use crate::fixture::{FIRST, Folder, NOW, event, filled, key, quiet, wait};

const RECORDS: usize = 250;

fn log() -> Folder {
    filled(RECORDS, quiet())
}

#[test]
fn an_untouched_log_verifies() {
    let report = log().verify().unwrap();
    assert_eq!((report.records, report.covered, report.not_yet_covered()), (250, 250, 0));
    assert!(
        report.checkpoints == 3 && report.torn.is_none() && report.torn_checkpoint == 0 && report.unfinished.is_empty(),
        "{report:?}"
    );
}

#[test]
fn a_change_of_any_record_is_named() {
    let folder = log();
    let lines = folder.lines();
    let mut offset = 0;
    for record in 0..RECORDS {
        let mut changed = lines.clone();
        changed[record] = changed[record].replace("\"config.loaded\"", "\"config.refused\"");
        folder.write_lines(&changed);
        let Err(Failure::Damaged { place, .. }) = folder.verify() else { panic!("record {record}") };
        assert_eq!((place.record, place.line, place.offset), (record as u64, record as u64 + 1, offset));
        assert_eq!(place.segment, FIRST);
        assert!(folder.open(quiet()).is_err(), "and it is not continued");
        offset += lines[record].len() as u64 + 1;
    }
}

#[test]
fn every_single_byte_counts() {
    let folder = filled(4, quiet());
    let whole = folder.read(FIRST);
    for place in 0..whole.len() {
        for flip in [0x01, 0x20, 0x80] {
            let mut bytes = whole.clone();
            bytes[place] ^= flip;
            folder.write(FIRST, &bytes);
            assert!(folder.verify().is_err(), "byte {place} ^ {flip}");
        }
    }
}

/// With the record's own hash made right again: the next record, or the checkpoint, gives it away.
#[test]
fn a_change_with_the_hash_made_right_is_found() {
    let folder = log();
    let lines = folder.lines();
    for record in 0..RECORDS {
        let mut changed = lines.clone();
        changed[record] = rehashed(&lines[record].replace("\"config.loaded\"", "\"config.refused\""));
        folder.write_lines(&changed);
        match folder.verify() {
            Err(Failure::Broken { place, .. }) => assert_eq!(place.record, record as u64 + 1),
            Err(Failure::Rewritten { after, size, .. }) => assert!((after..size).contains(&(record as u64)), "{after} {size}"),
            other => panic!("record {record}: {other:?}"),
        }
    }
}

/// The same line with the hash of what it now says.
fn rehashed(line: &str) -> String {
    use sha2::{Digest as _, Sha256};
    let body = line.split_at(r#"{"event_hash":"","#.len() + 64).1;
    let hash = Sha256::digest(format!("{{{body}")).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    format!("{{\"event_hash\":\"{hash}\",{body}")
}

#[test]
fn a_deletion_anywhere_is_named() {
    let folder = log();
    let lines = folder.lines();
    for record in 0..RECORDS - 1 {
        let mut changed = lines.clone();
        changed.remove(record);
        folder.write_lines(&changed);
        let Err(Failure::Broken { place, cause }) = folder.verify() else { panic!("record {record}") };
        assert_eq!((place.record, cause), (record as u64, Break::Deleted));
        assert!(folder.open(quiet()).is_err(), "and it is not continued");
    }
}

#[test]
fn an_insertion_anywhere_is_named() {
    let folder = log();
    let lines = folder.lines();
    for record in 1..RECORDS {
        // A record of the same log, undamaged, once more.
        let mut changed = lines.clone();
        changed.insert(record, lines[record - 1].clone());
        folder.write_lines(&changed);
        let Err(Failure::Broken { place, .. }) = folder.verify() else { panic!("record {record}") };
        assert_eq!(place.record, record as u64);

        // A new one that follows its predecessor perfectly.
        let mut changed = lines.clone();
        let forged = rehashed(&lines[record].replace("\"config.loaded\"", "\"config.forged\""));
        changed.insert(record, forged);
        folder.write_lines(&changed);
        match folder.verify() {
            Err(Failure::Broken { place, cause }) => {
                assert_eq!(
                    (place.record, cause),
                    (record as u64 + 1, Break::Inserted { first: record as u64, last: record as u64 })
                );
            }
            // The last one that a checkpoint covers.
            Err(Failure::Rewritten { size, .. }) => {
                assert!(size == record as u64 + 1 && matches!(record, 99 | 199 | 249), "{record} {size}")
            }
            other => panic!("record {record}: {other:?}"),
        }
    }
}

#[test]
fn any_two_swapped_records_are_named() {
    let folder = log();
    let lines = folder.lines();
    for record in 0..RECORDS - 1 {
        for distance in [1, 17] {
            let other = record + distance;
            if other >= RECORDS {
                continue;
            }
            let mut changed = lines.clone();
            changed.swap(record, other);
            folder.write_lines(&changed);
            let Err(Failure::Broken { place, cause }) = folder.verify() else { panic!("record {record}") };
            assert_eq!(place.record, record as u64);
            assert!(matches!(cause, Break::Moved { .. }), "{cause}");
        }
    }
}

#[test]
fn a_log_cut_anywhere_is_named() {
    let folder = log();
    let lines = folder.lines();
    for records in 0..RECORDS {
        folder.write_lines(&lines[..records]);
        let Err(Failure::Truncated { records: found, signed: 250, torn: None, .. }) = folder.verify() else {
            panic!("{records}")
        };
        assert_eq!(found, records as u64);
        assert!(folder.open(quiet()).is_err(), "and it is not continued");
    }
    std::fs::remove_file(folder.path(FIRST)).unwrap();
    assert!(matches!(folder.verify(), Err(Failure::Truncated { records: 0, signed: 250, .. })));
}

#[test]
fn a_log_cut_in_the_middle_of_a_record_is_named() {
    let folder = log();
    let whole = folder.read(FIRST);
    for cut in [whole.len() - 1, whole.len() - 200, whole.len() / 2, 1] {
        folder.write(FIRST, &whole[..cut]);
        let Err(Failure::Truncated { torn: Some(torn), .. }) = folder.verify() else { panic!("{cut}") };
        assert!(torn.offset + torn.bytes == cut as u64);
    }
}

/// A perfect log, by the log's own code, with another key: what an intruder without the key can make.
#[test]
fn a_log_written_anew_shows_by_its_checkpoints() {
    let (genuine, forged) = (log(), Folder::new());
    let (log, _) = Log::open(forged.dir(), SigningKey::from_bytes(&[66; 32]), quiet(), NOW).unwrap();
    for number in 0..RECORDS {
        wait(log.event(event(number + 1), NOW)).unwrap();
    }
    log.close(NOW).unwrap();

    assert!(matches!(forged.verify(), Err(Failure::Checkpoint { line: 1, damage: CheckpointDamage::Origin })));
    let attack = genuine.copy();
    attack.write(FIRST, &forged.read(FIRST));
    assert!(matches!(attack.verify(), Err(Failure::Rewritten { after: 0, size: 100, line: 1 })));
    assert!(attack.open(quiet()).is_err(), "and it is not continued");

    // Only the end, from after the first checkpoint: everything links, and the second does not agree.
    let lines = genuine.lines();
    let mut changed = lines[..100].to_vec();
    let mut previous = hash_of(&lines[99]);
    for line in &lines[100..] {
        let of = line.find("\"previous_hash\":\"").unwrap() + 17;
        let relinked =
            format!("{}{previous}{}", &line[..of], &line[of + 64..]).replace("\"config.loaded\"", "\"config.refused\"");
        changed.push(rehashed(&relinked));
        previous = hash_of(changed.last().unwrap());
    }
    attack.write_lines(&changed);
    assert!(matches!(attack.verify(), Err(Failure::Rewritten { after: 100, size: 200, line: 6 })));
}

fn hash_of(line: &str) -> String {
    line[15..79].to_owned()
}

/// What the folder alone cannot show: its newest checkpoints taken away with what they cover. A kept one does.
#[test]
fn a_kept_checkpoint_shows_a_rollback() {
    let folder = log();
    let last = folder.verify().unwrap().last_checkpoint.unwrap();
    let text = String::from_utf8(folder.read("checkpoints")).unwrap();
    let end = text.match_indices('\n').nth(4).unwrap().0 + 1;
    folder.write("checkpoints", &text.as_bytes()[..end]);
    folder.write_lines(&folder.lines()[..200]);
    let tiles = folder.verify();
    assert!(matches!(&tiles, Err(Failure::Withdrawn { signed: 250, left: 100 })), "it has to go as well: {tiles:?}");
    assert!(folder.open(quiet()).is_err(), "and it is not continued");
    fs::remove_dir_all(folder.path("tlog")).unwrap();
    folder.verify().unwrap();
    let found = holds(&folder.dir(), &key().verifying_key(), &last);
    assert!(matches!(found, Err(Failure::Withdrawn { signed: 250, left: 100 })), "{found:?}");
    let found = verify_with(&folder.dir(), Trust { key: &key().verifying_key(), kept: &[last], witnesses: &[] });
    assert!(matches!(found, Err(Failure::Truncated { records: 200, signed: 250, line: 0, .. })), "{found:?}");
    assert!(found.unwrap_err().to_string().ends_with("a checkpoint that was kept elsewhere covers 250"));
}

/// What is handed out to be kept is what the log wrote, whatever is done to the folder meanwhile.
#[test]
fn an_open_log_knows_its_newest_checkpoint() {
    let folder = log();
    let (log, _) = folder.open(Options { sync: Sync::Always, ..quiet() }).unwrap();
    let public = key().verifying_key();
    let newest = || Checkpoint::open(&log.checkpoint().unwrap(), &Keys::only(public)).unwrap();
    assert_eq!(newest().size, 250);
    wait(log.event(event(250), NOW)).unwrap();
    fs::remove_file(folder.path("checkpoints")).unwrap();
    log.close(NOW).unwrap();
    assert_eq!(newest().size, 251);
    assert!(matches!(holds(&folder.dir(), &public, &newest()), Err(Failure::Withdrawn { signed: 251, left: 0 })));
    let (fresh, _) = Folder::new().open(quiet()).unwrap();
    assert_eq!(fresh.checkpoint(), None);
}

#[test]
fn a_copy_of_the_checkpoints_is_read_whole_or_not_at_all() {
    let folder = log();
    let text = String::from_utf8(folder.read("checkpoints")).unwrap();
    let keys = Keys::only(key().verifying_key());
    let sizes = |text: &str| Checkpoint::open_all(text, &keys).map(|all| all.iter().map(|one| one.size).collect::<Vec<_>>());
    assert_eq!(sizes(&text), Ok(vec![100, 200, 250]));
    assert_eq!(sizes(&format!("{text}\n")), Ok(vec![100, 200, 250]));
    for wrong in ["", "\n", "nothing", &text[..text.len() - 1], &format!("{text}casemate.audit/")] {
        assert_eq!(sizes(wrong), Err(CheckpointDamage::Shape), "{wrong}");
    }
}

#[test]
fn no_byte_of_a_checkpoint_can_change() {
    let folder = filled(103, quiet());
    let whole = folder.read("checkpoints");
    let last = String::from_utf8(whole.clone()).unwrap().rfind("casemate.audit/").unwrap();
    let last_note = String::from_utf8(whole.clone()).unwrap()[..last].rfind("\ncasemate.audit/").unwrap() + 1;
    for place in 0..whole.len() {
        let mut bytes = whole.clone();
        bytes[place] ^= 1;
        folder.write("checkpoints", &bytes);
        match folder.verify() {
            Err(_) => {}
            // The end of the file can look like a write that a crash cut short; then it vouches for nothing.
            Ok(report) => {
                assert!(place >= last_note && report.torn_checkpoint > 0 && report.covered == 100, "byte {place}: {report:?}")
            }
        }
    }
}

#[test]
fn checkpoints_are_neither_swapped_nor_repeated_nor_dropped_from_the_middle_unseen() {
    let folder = filled(350, quiet());
    let text = String::from_utf8(folder.read("checkpoints")).unwrap();
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let notes: Vec<String> = lines.chunks(5).map(|note| note.concat()).collect();
    assert_eq!(notes.len(), 4);
    for (order, line) in [(vec![1, 0, 2], 6), (vec![0, 0, 1], 6)] {
        folder.write("checkpoints", order.iter().map(|note: &usize| notes[*note].as_str()).collect::<String>().as_bytes());
        let Err(Failure::Checkpoint { line: found, damage: CheckpointDamage::Order }) = folder.verify() else { panic!() };
        assert_eq!(found, line);
    }
    // The rest of the log is still held to those that remain.
    folder.write("checkpoints", [notes[0].as_str(), notes[2].as_str()].concat().as_bytes());
    let mut lines = folder.lines();
    lines[120] = lines[120].replace("config.loaded", "config.refused");
    folder.write_lines(&lines);
    assert!(matches!(folder.verify(), Err(Failure::Damaged { place, .. }) if place.record == 120));
}

#[test]
fn another_key_does_not_verify() {
    let folder = log();
    let other = SigningKey::from_bytes(&[1; 32]).verifying_key();
    assert!(matches!(verify(&folder.dir(), &other), Err(Failure::Checkpoint { line: 1, damage: CheckpointDamage::Origin })));
    assert!(Log::open(folder.dir(), SigningKey::from_bytes(&[1; 32]), quiet(), NOW).is_err(), "and cannot continue it");
}

/// The same hash and another reading: what a lenient reader would take differently is not canonical.
#[test]
fn a_record_is_written_one_way_only() {
    let folder = filled(1, casemate_audit::Options { checkpoint_every: 1000, ..quiet() });
    let line = folder.lines().remove(0);
    std::fs::remove_file(folder.path("checkpoints")).unwrap();
    std::fs::remove_dir_all(folder.path("tlog")).unwrap();
    for (from, to) in [
        (r#""outcome":"allowed","#, r#""outcome":"allowed" ,"#),
        (r#""outcome":"allowed","#, r#""outcome":"\u0061llowed","#),
        (r#""number":"0""#, r#""number":0"#),
        (r#""fields":{"#, r#""fields":{"a":"x","a":"y","#),
        (r#""fields":{"#, r#""zz":"","fields":{"#),
        ("\u{e9}", "e\u{301}"),
    ] {
        let changed = rehashed(&line.replace(from, to));
        assert_ne!(changed, line, "{from}");
        folder.write_lines(&[changed]);
        let found = folder.verify();
        assert!(matches!(found, Err(Failure::Damaged { damage: casemate_audit::Damage::NotCanonical, .. })), "{to}: {found:?}");
    }
    let changed = rehashed(&line.replace(r#""outcome":"allowed","#, r#""tool_name":"","outcome":"allowed","#));
    folder.write_lines(&[changed]);
    assert!(matches!(folder.verify(), Err(Failure::Damaged { .. })), "a core field twice");
}

#[test]
fn a_missing_or_changed_file_among_many_is_named() {
    let folder = filled(20, casemate_audit::Options { segment_bytes: 1500, sync: casemate_audit::Sync::Always, ..quiet() });
    let segments = folder.segments();
    assert!(segments.len() > 4, "{segments:?}");
    folder.verify().unwrap();
    for (number, segment) in segments.iter().enumerate() {
        if folder.read(segment).is_empty() {
            // Begun and never written to: nothing is lost with it.
            assert_eq!(number + 1, segments.len());
            continue;
        }
        let attack = folder.copy();
        std::fs::remove_file(attack.path(segment)).unwrap();
        let found = attack.verify();
        match found {
            Err(Failure::Gap { found, .. }) => assert_eq!(found, segments[number + 1]),
            Err(Failure::Truncated { .. }) => assert!(number + 1 == segments.len()),
            other => panic!("{segment}: {other:?}"),
        }
        // A cut at the end of any file but the last.
        let attack = folder.copy();
        let whole = attack.read(segment);
        attack.write(segment, &whole[..whole.len() - 1]);
        assert!(attack.verify().is_err(), "{segment}");
    }
}
