//! A disk that fills up or fails: nothing goes on, and what was written stays good.

use std::{
    fs::File,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use cap_std::{ambient_authority, fs::Dir};
use casemate_policy::Timestamp;
use ed25519_dalek::SigningKey;
use serde_json::json;

use crate::{
    AuditError, EventFacts, EventKind, HOST, Log, Options, Outcome, Sync,
    disk::{Disk, Machine},
    verify,
};

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

/// So many bytes of room, and so many syncs that succeed.
#[derive(Clone)]
struct Failing {
    room: Arc<AtomicU64>,
    syncs: Arc<AtomicU64>,
}

impl Failing {
    fn new(room: u64, syncs: u64) -> Self {
        Self { room: Arc::new(room.into()), syncs: Arc::new(syncs.into()) }
    }
}

impl Disk for Failing {
    fn append(&self, file: &File, bytes: &[u8]) -> io::Result<()> {
        let room = self.room.load(Ordering::SeqCst);
        let fits = usize::try_from(room).unwrap().min(bytes.len());
        Machine.append(file, bytes.split_at(fits).0)?;
        self.room.store(room - fits as u64, Ordering::SeqCst);
        if fits < bytes.len() { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) }
    }

    fn sync(&self, file: &File) -> io::Result<()> {
        match self.syncs.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1)) {
            Ok(_) => Machine.sync(file),
            Err(_) => Err(io::Error::from_raw_os_error(5)),
        }
    }
}

fn dir(folder: &tempfile::TempDir) -> Dir {
    Dir::open_ambient_dir(folder.path(), ambient_authority()).unwrap()
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[3; 32])
}

fn options(sync: Sync) -> Options {
    let never = Duration::from_secs(3600);
    Options { sync, checkpoint_after: never, first_checkpoint_after: never, ..Options::default() }
}

fn write(log: &Log) -> Result<crate::EventId, AuditError> {
    let facts =
        EventFacts { kind: EventKind::AuthRefused, principal: HOST.to_owned(), outcome: Outcome::Denied, fields: json!({}) };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(log.event(facts, NOW))
}

/// However much of a record still fits: refused, refused from then on even with room again, and recovered at the next opening.
#[test]
fn a_full_disk_ends_the_log_and_the_next_opening_goes_on() {
    for room in (0..1200).step_by(31) {
        let folder = tempfile::tempdir().unwrap();
        let disk = Failing::new(room, 1000);
        let (log, _) = Log::open_on(Box::new(disk.clone()), dir(&folder), key(), options(Sync::Group), NOW).unwrap();
        let written = (0..10).take_while(|_| write(&log).is_ok()).count() as u64;
        assert!(written < 10);
        disk.room.store(1 << 20, Ordering::SeqCst);
        let Err(AuditError::Failed { cause }) = write(&log) else { panic!("room again does not bring it back") };
        assert_eq!(log.failure(), Some(cause));
        assert!(log.close(NOW).is_err(), "and closing does not hide it");
        drop(log);

        let report = verify(&dir(&folder), &key().verifying_key()).unwrap();
        assert_eq!(report.records, written);
        let (log, recovery) = Log::open(dir(&folder), key(), options(Sync::Group), NOW).unwrap();
        assert_eq!((recovery.records, recovery.torn.is_some()), (written, report.torn.is_some()));
        write(&log).unwrap();
        log.close(NOW).unwrap();
        verify(&dir(&folder), &key().verifying_key()).unwrap();
    }
}

/// What waits for the disk is told; nobody gets a proof of what is not durable.
#[test]
fn a_failed_sync_is_told_to_whoever_waits_and_ends_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Failing::new(u64::MAX, 4);
    let (log, _) = Log::open_on(Box::new(disk.clone()), dir(&folder), key(), options(Sync::Always), NOW).unwrap();
    for _ in 0..3 {
        write(&log).unwrap();
    }
    let Err(AuditError::Failed { cause }) = write(&log) else { panic!() };
    assert!(cause.contains("nput/output"), "{cause}");
    disk.syncs.store(100, Ordering::SeqCst);
    assert!(
        matches!(write(&log), Err(AuditError::Failed { .. })),
        "a later sync that succeeds proves nothing of the earlier one"
    );
}

/// A `read` does not wait for the disk, and its failure is still not passed over.
#[test]
fn a_failed_sync_in_the_background_ends_the_log() {
    let folder = tempfile::tempdir().unwrap();
    let (log, _) = Log::open_on(Box::new(Failing::new(u64::MAX, 1)), dir(&folder), key(), options(Sync::Group), NOW).unwrap();
    write(&log).unwrap();
    let failed = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(5));
        log.failure().is_some()
    });
    assert!(failed && write(&log).is_err());
}

#[test]
fn a_checkpoint_that_cannot_be_written_is_told_at_closing() {
    let folder = tempfile::tempdir().unwrap();
    let disk = Failing::new(u64::MAX, 1000);
    let (log, _) = Log::open_on(Box::new(disk.clone()), dir(&folder), key(), options(Sync::Group), NOW).unwrap();
    write(&log).unwrap();
    disk.room.store(10, Ordering::SeqCst);
    assert!(matches!(log.close(NOW), Err(AuditError::Failed { .. })));
    drop(log);
    let report = verify(&dir(&folder), &key().verifying_key()).unwrap();
    assert_eq!((report.records, report.covered, report.torn_checkpoint), (1, 0, 10));
}
