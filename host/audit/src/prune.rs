//! Retention: old records are removed by whole files, and what proves that they were there stays.
//!
//! The hashes stay in the tiles, so every checkpoint and every proof ever given still holds. What is removed, and by whom, is
//! written down and signed for before anything is. Removed is only what is under a checkpoint, whose calls have all ended, and
//! which was found to be in order.

use cap_std::fs::Dir;
use casemate_policy::Timestamp;

use crate::{
    AuditError, EventId, Failure, Hash, Keys, details,
    disk::Disk,
    edge,
    scan::{self, Depth},
    segment,
    start::start,
    tlog::{self, Published},
};

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The first record that was there.
    pub from: u64,
    /// The first record that stays.
    pub before: u64,
    /// The files, by the number of their first records.
    pub segments: Vec<u64>,
    /// Bytes of them.
    pub bytes: u64,
    /// Calls whose details went with them.
    pub details: Vec<EventId>,
    /// The hash of the last record that is removed.
    pub last_hash: Hash,
    /// Records as old as this, or older.
    pub older_than: Timestamp,
    /// Why the next file stays.
    pub stays: Stays,
}

/// Why a file is not removed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Stays {
    /// It is the one that is written to.
    #[error("it is the newest file, which is written to")]
    Newest,
    /// Something in it is not old enough.
    #[error("a record in it is not old enough")]
    Young,
    /// No checkpoint covers it whole.
    #[error("no published checkpoint covers all of it")]
    NotCovered,
    /// A call that began in it has not ended.
    #[error("a call that began in it has no outcome yet")]
    Open,
}

/// Records that are not removed.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// There is no file that may be removed.
    #[error("nothing was removed: the oldest file is `{segment}`, and {stays}")]
    Nothing {
        /// The oldest file.
        segment: String,
        /// Why it stays.
        stays: Stays,
    },
    /// What was to be removed is not in order: it stays, as evidence.
    #[error("nothing was removed, because something is wrong with the log: {0}")]
    Broken(Box<Failure>),
    /// The removal could not be written down.
    #[error(transparent)]
    Write(#[from] AuditError),
    /// It was written down, and could not be finished. The next one goes on with it.
    #[error("not everything could be removed: {0}\nhelp: see to the disk, then remove again")]
    Io(#[from] std::io::Error),
}

impl From<Failure> for PruneError {
    fn from(failure: Failure) -> Self {
        Self::Broken(Box::new(failure))
    }
}

/// What may be removed of a log with these keys: files with nothing in them younger than `older_than`.
pub(crate) fn plan(dir: &Dir, keys: &Keys, open: &[EventId], older_than: Timestamp) -> Result<Removal, PruneError> {
    let segments = segment::list(dir).map_err(Failure::Io)?;
    // What is published was signed before.
    let published = tlog::published(dir).map_err(Failure::Io)?;
    let signed = &scan::checkpoints(dir, keys, 0)?.signed;
    let published = match published {
        Published::Checkpoint(published) if signed.iter().any(|signed| signed.checkpoint == published) => published.size,
        _ => 0,
    };
    let mut chain = start(dir, signed, &mut |_| Ok(()))?;
    let mut removal = Removal {
        from: chain.size(),
        before: chain.size(),
        segments: Vec::new(),
        bytes: 0,
        details: Vec::new(),
        last_hash: chain.last,
        older_than,
        stays: Stays::Newest,
    };
    for pair in segments.windows(2) {
        let [first, next] = pair else { break };
        if *next > published {
            removal.stays = Stays::NotCovered;
            break;
        }
        let (mut newest, mut begun, mut with_details) = (0, false, Vec::new());
        let scan = scan::scan(dir, chain, signed, (Depth::Canonical, Some(*next)), &mut |_, record| {
            newest = newest.max(record.id.millis());
            begun |= open.contains(&record.id);
            with_details.extend(record.ends.filter(|_| record.details.is_some()));
            Ok(())
        })?;
        chain = scan.chain;
        // An id's moment is the record's, or where the clock went back, a later one.
        if i64::try_from(newest).is_ok_and(|newest| Timestamp::from_millis(newest) > older_than) {
            removal.stays = Stays::Young;
            break;
        }
        if begun {
            removal.stays = Stays::Open;
            break;
        }
        removal.bytes += dir.metadata(segment::name(*first))?.len();
        removal.segments.push(*first);
        removal.details.extend(with_details);
        (removal.before, removal.last_hash) = (*next, chain.last);
    }
    if removal.segments.is_empty() {
        let segment = segment::name(segments.first().copied().unwrap_or(0));
        return Err(PruneError::Nothing { segment, stays: removal.stays });
    }
    Ok(removal)
}

/// Remove what was planned and is written down. What stays after any crash is the end of the log, without a gap.
pub(crate) fn remove(disk: &dyn Disk, dir: &Dir, removal: &Removal) -> std::io::Result<()> {
    for intent in &removal.details {
        disk.remove(dir, &details::path(*intent))?;
    }
    if dir.is_dir(details::FOLDER) {
        disk.sync_dir(dir, details::FOLDER)?;
    }
    for first in &removal.segments {
        disk.remove(dir, &segment::name(*first))?;
        // So that no later file is durably gone before this one is.
        disk.sync_dir(dir, ".")?;
        disk.remove(dir, &edge::name(*first))?;
    }
    disk.sync_dir(dir, ".")
}
