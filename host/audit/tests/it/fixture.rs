//! A folder with a log in it, and calls to write down.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use cap_std::{ambient_authority, fs::Dir};
use casemate_audit::{EventFacts, EventId, EventKind, HOST, Log, OpenError, Options, Outcome, Recovery, Report, Sync, verify};
use casemate_policy::Timestamp;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};

pub(crate) const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

pub(crate) fn key() -> SigningKey {
    SigningKey::from_bytes(&[42; 32])
}

/// Nothing happens by time alone: what a test sees is what it asked for.
pub(crate) fn quiet() -> Options {
    let never = Duration::from_secs(3600);
    Options { checkpoint_every: 100, checkpoint_after: never, first_checkpoint_after: never, ..Options::default() }
}

/// Small files, and a checkpoint after every record.
pub(crate) fn small() -> Options {
    Options { checkpoint_every: 1, segment_bytes: 4000, sync: Sync::Always, ..quiet() }
}

/// Run a future of the log.
pub(crate) fn wait<F: Future>(future: F) -> F::Output {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

pub(crate) struct Folder(tempfile::TempDir);

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// The same files, for one attack.
    pub(crate) fn copy(&self) -> Self {
        let copy = Self::new();
        copy_all(self.0.path(), copy.0.path());
        copy
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn dir(&self) -> Dir {
        Dir::open_ambient_dir(self.0.path(), ambient_authority()).unwrap()
    }

    pub(crate) fn open(&self, options: Options) -> Result<(Log, Recovery), OpenError> {
        Log::open(self.dir(), key(), options, NOW)
    }

    pub(crate) fn verify(&self) -> Result<Report, casemate_audit::Failure> {
        verify(&self.dir(), &key().verifying_key())
    }

    pub(crate) fn entries(&self) -> Vec<Value> {
        casemate_audit::read(&self.dir(), casemate_audit::Filter::default()).unwrap().map(|entry| entry.unwrap().raw).collect()
    }

    pub(crate) fn ids(&self) -> Vec<EventId> {
        self.entries().iter().map(|entry| entry["event_id"].as_str().unwrap().parse().unwrap()).collect()
    }

    /// The files with records in them, in order.
    pub(crate) fn segments(&self) -> Vec<String> {
        let names = fs::read_dir(self.0.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name.ends_with(".jsonl")).collect();
        names.sort();
        names
    }

    pub(crate) fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path(name)).unwrap()
    }

    pub(crate) fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path(name), bytes).unwrap();
    }

    /// The lines of the first file.
    pub(crate) fn lines(&self) -> Vec<String> {
        String::from_utf8(self.read(FIRST)).unwrap().lines().map(str::to_owned).collect()
    }

    pub(crate) fn write_lines(&self, lines: &[String]) {
        self.write(FIRST, lines.iter().map(|line| format!("{line}\n")).collect::<String>().as_bytes());
    }
}

fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (entry, to) = entry.map(|entry| (entry.path(), to.join(entry.file_name()))).unwrap();
        if entry.is_dir() {
            fs::create_dir(&to).unwrap();
            copy_all(&entry, &to);
        } else {
            fs::copy(&entry, &to).unwrap();
        }
    }
}

pub(crate) const FIRST: &str = "00000000000000000000.jsonl";

pub(crate) fn event(number: usize) -> EventFacts {
    EventFacts {
        kind: EventKind::ConfigLoaded,
        principal: HOST.to_owned(),
        outcome: Outcome::Allowed,
        fields: json!({"number": number, "é": "\u{e9}"}),
    }
}

/// A log of `records` records with a checkpoint after every hundred, and after the last.
pub(crate) fn filled(records: usize, options: Options) -> Folder {
    let folder = Folder::new();
    let mut number = 0;
    loop {
        let (log, recovery) = folder.open(options.clone()).unwrap();
        assert!(recovery.is_clean() && recovery.records == number as u64);
        for number in number..records.min(number + 100) {
            wait(log.event(event(number), NOW.plus_millis(number as u64))).unwrap();
        }
        log.close(NOW).unwrap();
        number = records.min(number + 100);
        if number == records {
            return folder;
        }
    }
}
