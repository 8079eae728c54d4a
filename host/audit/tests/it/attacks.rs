//! A log of ten thousand records in many files, and whoever can write to its folder: what was done is named, every time.

use std::{fs, os::unix::fs::symlink, sync::LazyLock};

use casemate_audit::{ExchangeDetails, Failure, Log, Options, OutcomeFacts, verify};
use casemate_signing::manifest::Effect;
use ed25519_dalek::SigningKey;

use crate::{
    calls::{ended, facts, permit},
    fixture::{Folder, NOW, event, key, quiet},
};

const RECORDS: usize = 10_000;

/// Written once; every attack has a copy of its own.
static LOG: LazyLock<Long> = LazyLock::new(|| Long::written(&key()));

struct Long {
    folder: Folder,
    lines: Vec<String>,
    /// The first record of each file.
    firsts: Vec<usize>,
}

impl Long {
    fn written(key: &SigningKey) -> Self {
        let folder = Folder::new();
        let options = Options { checkpoint_every: 1024, segment_bytes: 256 << 10, ..quiet() };
        let (log, _) = Log::open(folder.dir(), key.clone(), options, NOW).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let exchange = ExchangeDetails {
            upstream: "lab".to_owned(),
            method: "POST".to_owned(),
            path: "/run".to_owned(),
            headers: Vec::new(),
            body: b"run".to_vec(),
            answer: None,
        };
        for number in 0..RECORDS - 20 {
            runtime.block_on(log.event(event(number), NOW)).unwrap();
            if number % 512 == 0 {
                // Who signs also begins new files.
                runtime.block_on(log.sign()).unwrap();
            }
            if number % 1000 == 500 {
                let recorded = runtime.block_on(log.begin(permit(Effect::Execute), facts(), NOW)).unwrap();
                let kept = log.keep(recorded.id(), std::slice::from_ref(&exchange), 0).unwrap();
                runtime.block_on(log.outcome(recorded.id(), OutcomeFacts { details: Some(kept), ..ended() }, NOW)).unwrap();
            }
        }
        log.close(NOW).unwrap();
        drop(log);
        let report = verify(&folder.dir(), &key.verifying_key()).unwrap();
        assert_eq!((report.records, report.covered, report.details), (RECORDS as u64, RECORDS as u64, 10));
        let segments = folder.segments();
        let firsts = segments.iter().map(|name| name.split('.').next().unwrap().parse().unwrap()).collect();
        let text = |name: &String| String::from_utf8(folder.read(name)).unwrap();
        let lines = segments.iter().flat_map(|name| text(name).lines().map(str::to_owned).collect::<Vec<_>>()).collect();
        Self { folder, lines, firsts }
    }

    /// A copy in whose files these lines stand, by the record that each of them had or has the place of.
    fn with(&self, lines: &[(usize, &str)]) -> Folder {
        let attack = self.folder.copy();
        for (number, first) in self.firsts.iter().enumerate() {
            let end = self.firsts.get(number + 1).copied().unwrap_or(usize::MAX);
            let of_file = lines.iter().filter(|(record, _)| (*first..end).contains(record));
            let text: String = of_file.map(|(_, line)| format!("{line}\n")).collect();
            attack.write(&format!("{first:020}.jsonl"), text.as_bytes());
        }
        attack
    }

    fn numbered(&self) -> Vec<(usize, &str)> {
        self.lines.iter().map(String::as_str).enumerate().collect()
    }
}

/// The record at which a failure says it is.
#[track_caller]
fn named(attack: &Folder, what: &str) -> u64 {
    match attack.verify() {
        Err(Failure::Damaged { place, .. } | Failure::Broken { place, .. }) => place.record,
        Err(Failure::Truncated { records: missing, .. } | Failure::Gap { expected: missing, .. }) => missing,
        other => panic!("{what}: {other:?}"),
    }
}

/// Numbers that look random and come again (xorshift64).
struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % most as u64).unwrap()
    }
}

/// First and last, both sides of every tenth border between files, both sides of checkpoints, and others at random.
fn places() -> Vec<usize> {
    let mut places = vec![0, 1, RECORDS - 2, RECORDS - 1, 1023, 1024, 1025];
    let borders: Vec<usize> = LOG.firsts.iter().copied().filter(|first| *first > 0 && *first < RECORDS).collect();
    assert!(borders.len() > 8, "{borders:?}");
    for border in borders.iter().step_by(borders.len() / 4) {
        places.extend([border - 1, *border]);
    }
    let mut random = Random(0x9e37_79b9_7f4a_7c15);
    places.extend(std::iter::repeat_with(|| random.below(RECORDS)).take(6));
    places
}

#[test]
fn any_record_that_is_changed_is_named() {
    let mut random = Random(7);
    for at in places() {
        let mut bytes = LOG.lines[at].clone().into_bytes();
        let place = random.below(bytes.len());
        bytes[place] ^= 1;
        let Ok(changed) = String::from_utf8(bytes) else { continue };
        let mut lines = LOG.numbered();
        lines[at].1 = &changed;
        assert_eq!(named(&LOG.with(&lines), "changed"), at as u64, "byte {place}");
    }
}

#[test]
fn any_record_that_is_deleted_is_missed() {
    for at in places() {
        let mut lines = LOG.numbered();
        lines.remove(at);
        assert_eq!(named(&LOG.with(&lines), "deleted"), at as u64, "{at}");
    }
}

#[test]
fn any_record_that_is_put_in_is_named() {
    let mut random = Random(11);
    for at in places() {
        let other = random.below(RECORDS);
        let mut lines = LOG.numbered();
        lines.insert(at, (at, &LOG.lines[other]));
        let named = named(&LOG.with(&lines), "put in");
        // Its own copy follows as well as it does: the second of both is one too many.
        assert!(named == at as u64 || (other == at && named == at as u64 + 1), "{other} at {at}: {named}");
    }
}

#[test]
fn any_two_records_that_change_places_are_named() {
    let mut random = Random(13);
    for at in places() {
        let other = random.below(RECORDS);
        if at == other {
            continue;
        }
        let mut lines = LOG.numbered();
        (lines[at].1, lines[other].1) = (&LOG.lines[other], &LOG.lines[at]);
        assert_eq!(named(&LOG.with(&lines), "swapped"), at.min(other) as u64, "{at} and {other}");
    }
}

#[test]
fn a_log_that_ends_anywhere_else_is_too_short() {
    for at in places() {
        let attack = LOG.with(&LOG.numbered()[..at]);
        let is_empty = |first: &usize| *first > at;
        LOG.firsts.iter().filter(|first| is_empty(first)).for_each(|first| {
            fs::remove_file(attack.path(&format!("{first:020}.jsonl"))).unwrap();
        });
        assert_eq!(named(&attack, "cut"), at as u64);
        // And in the middle of a line.
        let half = &LOG.lines[at][..LOG.lines[at].len() / 2];
        let file = LOG.firsts.iter().rev().find(|first| **first <= at).unwrap();
        let name = format!("{file:020}.jsonl");
        attack.write(&name, &[attack.read(&name), half.as_bytes().to_vec()].concat());
        assert_eq!(named(&attack, "cut in a line"), at as u64);
    }
}

#[test]
fn whole_files_that_are_gone_doubled_or_swapped_are_named() {
    let name = |number: usize| format!("{:020}.jsonl", LOG.firsts[number]);
    let last = LOG.firsts.iter().rposition(|first| *first < RECORDS).unwrap();
    for number in [0, 1, last / 2, last] {
        let attack = LOG.folder.copy();
        fs::remove_file(attack.path(&name(number))).unwrap();
        assert_eq!(named(&attack, "gone"), LOG.firsts[number] as u64);

        let attack = LOG.folder.copy();
        attack.write(&name(number), b"");
        assert_eq!(named(&attack, "emptied"), LOG.firsts[number] as u64);
    }
    let attack = LOG.folder.copy();
    attack.write(&name(2), &[LOG.folder.read(&name(2)), LOG.folder.read(&name(2))].concat());
    assert_eq!(named(&attack, "doubled within"), LOG.firsts[3] as u64);
    attack.write(&name(2), &LOG.folder.read(&name(1)));
    assert_eq!(named(&attack, "doubled"), LOG.firsts[2] as u64);
    attack.write(&name(1), &LOG.folder.read(&name(2)));
    assert_eq!(named(&attack, "swapped"), LOG.firsts[1] as u64);
    let attack = LOG.folder.copy();
    attack.write(&format!("{:020}.jsonl", LOG.firsts[2] + 1), &LOG.folder.read(&name(2)));
    assert_eq!(named(&attack, "one too many"), LOG.firsts[3] as u64, "before it comes what belongs there");
}

/// A log in perfect order, by the log's own code, but with another key: whole, or in part.
#[test]
fn what_is_written_without_the_key_is_found_whatever_is_left_of_the_old() {
    let forged = Long::written(&SigningKey::from_bytes(&[66; 32]));
    assert!(forged.folder.verify().unwrap_err().to_string().contains("it belongs to another log"));
    // The old log's name over it, which the forger's key has not signed for.
    let text = |folder: &Folder| String::from_utf8(folder.read("checkpoints")).unwrap();
    let names = |folder: &Folder| text(folder).lines().next().unwrap().to_owned();
    let renamed = forged.folder.copy();
    renamed.write("checkpoints", text(&forged.folder).replace(&names(&forged.folder), &names(&LOG.folder)).as_bytes());
    let told = renamed.verify().unwrap_err().to_string();
    assert!(told.contains("the checkpoint on line 1 of `checkpoints` is not valid: it is not signed by the key"), "{told}");
    // The old log's checkpoints and tiles beside it.
    for keep in [&["checkpoints"][..], &["checkpoints", "tlog"]] {
        let attack = forged.folder.copy();
        for name in keep {
            let _ = fs::remove_dir_all(attack.path(name)).or_else(|_| fs::remove_file(attack.path(name)));
            copy(&LOG.folder.path(name), &attack.path(name));
        }
        assert!(matches!(attack.verify(), Err(Failure::Rewritten { after: 0, line: 1, .. })), "{keep:?}");
    }
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    if from.is_dir() {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            copy(&entry.path(), &to.join(entry.file_name()));
        }
    } else {
        fs::copy(from, to).unwrap();
    }
}

/// Each tile, each detail file, and what is published over them.
#[test]
fn tiles_and_details_that_were_changed_cut_or_taken_away_are_named() {
    let mut files = Vec::new();
    for folder in ["tlog", "details"] {
        below(&LOG.folder, folder, &mut files);
    }
    assert!(files.len() > 80, "{}", files.len());
    let mut random = Random(17);
    let picked: Vec<&String> = std::iter::repeat_with(|| &files[random.below(files.len())]).take(8).collect();
    let published = "tlog/checkpoint".to_owned();
    for file in picked.into_iter().chain([&published]) {
        let whole = LOG.folder.read(file);
        let mut flipped = whole.clone();
        let place = random.below(whole.len() - 1);
        flipped[place] ^= 1;
        let (cut, longer) = (whole[..whole.len() - 1].to_vec(), [whole, vec![b'x']].concat());
        // Others may add their signatures to a checkpoint, and its last line break is no part of it.
        let ways = [("changed", flipped), ("cut", cut), ("longer", longer)];
        for (what, bytes) in ways.into_iter().take(if *file == published { 1 } else { 3 }) {
            let attack = LOG.folder.copy();
            attack.write(file, &bytes);
            let told = attack.verify().unwrap_err().to_string();
            assert!(
                told.contains(file.as_str()) || told.starts_with("audit-details: the details of the call that record "),
                "{what} {file}: {told}"
            );
        }
        let attack = LOG.folder.copy();
        fs::remove_file(attack.path(file)).unwrap();
        match attack.verify() {
            Err(failure) => assert!(failure.to_string().starts_with("audit-"), "{file}: {failure}"),
            // What is published can be made anew from the records, which are all there; and nobody must keep what a tile once was.
            Ok(report) => assert!((*file == published && report.tiled == 0) || file.contains(".p/"), "{file}"),
        }
    }
}

fn below(folder: &Folder, name: &str, files: &mut Vec<String>) {
    for entry in fs::read_dir(folder.path(name)).unwrap().map(Result::unwrap) {
        let name = format!("{name}/{}", entry.file_name().to_str().unwrap());
        if entry.path().is_dir() { below(folder, &name, files) } else { files.push(name) }
    }
}

/// Nothing is waited for, nothing is read without end, and what it was is said.
#[test]
fn what_is_no_file_is_named() {
    let first = crate::fixture::FIRST;
    let last = LOG.folder.segments().pop().unwrap();
    for name in [first, &last, "checkpoints", "keys", "witnessed", "tlog/checkpoint", "tlog/tile/0/000"] {
        for kind in ["pipe", "folder", "link to a device", "endless"] {
            let attack = LOG.folder.copy();
            let path = attack.path(name);
            let _ = fs::remove_file(&path);
            match kind {
                "pipe" => rustix::fs::mknodat(rustix::fs::CWD, &path, rustix::fs::FileType::Fifo, 0o600.into(), 0).unwrap(),
                "folder" => fs::create_dir(&path).unwrap(),
                "link to a device" => symlink("/dev/zero", &path).unwrap(),
                // A terabyte of nothing, in a file that takes no room.
                _ => fs::File::create(&path).unwrap().set_len(1 << 40).unwrap(),
            }
            let told = attack.verify().unwrap_err().to_string();
            assert!(told.contains(&format!("`{name}`")), "{kind} {name}: {told}");
        }
    }
}
