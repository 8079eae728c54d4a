//! Opening a log: the lock on its folder, the check of what is there, and what a crash left to be put right.

use std::{fs::File, io, sync::Arc};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use casemate_policy::Timestamp;
use ed25519_dalek::SigningKey;
use rustix::fs::{FlockOperation, flock};

use crate::{
    Checkpoint, EventId, Failure, Hash, Keys, Log, OpenIntent, Options, Outcome, Torn, checkpoint, details,
    disk::{Disk, Machine},
    edge, facts, keys,
    log::{Shared, State},
    record,
    scan::{self, Depth, Signed},
    segment::{self, Found, Lines},
    start::start,
    tlog::{self, Frontier, Published, Tiles, Tlog},
};

const LOCK: &str = "lock";

/// What was found, and put right, when a log was opened.
#[derive(Debug, Clone, Default)]
pub struct Recovery {
    /// How many records there were.
    pub records: u64,
    /// A record that a crash had left unfinished; it was cut off.
    pub torn: Option<Torn>,
    /// Bytes of a checkpoint that a crash had left unfinished; they were cut off.
    pub torn_checkpoint: u64,
    /// Bytes of a handover to another key that a crash had left unfinished; they were cut off, and it did not happen.
    pub torn_keys: u64,
    /// Calls that had begun and whose end nobody wrote down: what they did is not known. Each now has an outcome `unknown`.
    pub unfinished: Vec<(EventId, OpenIntent)>,
}

impl Recovery {
    /// Whether there was nothing to put right.
    pub fn is_clean(&self) -> bool {
        self.torn.is_none() && self.torn_checkpoint == 0 && self.torn_keys == 0 && self.unfinished.is_empty()
    }
}

/// A log that cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process, or another part of this one, writes to it.
    #[error("another casemate is writing to this audit log\nhelp: stop it first, or give each its own state folder")]
    InUse,
    /// Something is wrong with what is there. It is not continued, so that nothing covers it up.
    #[error("{0}\nhelp: `casemate audit verify` checks the whole log; keep the folder as evidence and begin a new one")]
    Broken(Box<Failure>),
    /// The log was handed over to another key.
    #[error(
        "this audit log was handed over to another key, and is not written with this one any more\nhelp: use the newest key; `casemate audit rotate-key` finishes a rotation that was stopped"
    )]
    Retired,
    /// The folder cannot be used.
    #[error("the audit folder cannot be used: {0}")]
    Io(#[from] io::Error),
    /// A record about the recovery could not be written.
    #[error(transparent)]
    Write(#[from] crate::AuditError),
}

impl Log {
    /// Open the log in `dir`, or begin one. `dir` is the log's own folder, and `key` its own key.
    ///
    /// Reads the newest file and what is signed about it; [`crate::verify`] reads everything. Waits for the disk.
    pub fn open(dir: Dir, key: SigningKey, options: Options, now: Timestamp) -> Result<(Self, Recovery), OpenError> {
        Self::open_on(Box::new(Machine), dir, key, options, now)
    }

    pub(crate) fn open_on(
        disk: Box<dyn Disk>,
        dir: Dir,
        key: SigningKey,
        options: Options,
        now: Timestamp,
    ) -> Result<(Self, Recovery), OpenError> {
        let lock = lock(&dir)?;
        let keys = Keys::read(&dir, &key.verifying_key())?.map_err(|damage| broken(Failure::Keys(damage)))?;
        if *keys.newest() != key.verifying_key() {
            return Err(OpenError::Retired);
        }
        let start = edge::last(&dir, &keys);
        let vouched = start.as_ref().map_or(0, |chain| chain.size());
        let checkpoints = scan::checkpoints(&dir, &keys, vouched).map_err(broken)?;
        let start = match start {
            Some(chain) => chain,
            None => self::start(&dir, &checkpoints.signed, &mut |_| Ok(())).map_err(broken)?,
        };
        let scan = scan::scan(&dir, start, &checkpoints.signed, (Depth::Chain, None), &mut |_, _| Ok(())).map_err(broken)?;
        // Who keeps the newest checkpoint elsewhere holds the log to it from then on: it must not get lost here.
        disk.cut(&disk.open_append(&dir, checkpoint::FILE, false)?, checkpoints.whole)?;
        let torn_keys = cut_keys(&*disk, &dir)?;
        details::clean(&*disk, &dir)?;
        let segment = segment::name(segment::list(&dir)?.last().copied().unwrap_or(0));
        let file = disk.open_append(&dir, &segment, false)?;
        disk.sync_dir(&dir, ".")?;
        if let Some(torn) = &scan.torn {
            disk.cut(&file, torn.offset)?;
        }
        // What a crashed host had written may not be durable yet, and is about to be built upon.
        disk.sync(&file)?;

        let recovery = Recovery {
            records: scan.chain.size(),
            torn: scan.torn,
            torn_checkpoint: checkpoints.torn,
            torn_keys,
            unfinished: scan.chain.open.clone().into_iter().collect(),
        };
        let newest = checkpoints.signed.last().map(|signed| signed.checkpoint.clone()).zip(checkpoints.newest);
        let (tlog, untiled) = tiles(&*disk, &dir, &keys, (&checkpoints.signed, newest.as_ref()), scan.chain.size())?;
        let tag = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let length = file.metadata()?.len();
        let origin = newest.as_ref().map_or_else(|| options.origin(&keys), |(newest, _)| newest.origin.clone());
        let state = State::new(lock, scan.chain, tag, (file, length), (newest, untiled));
        let log = Self::start(Arc::new(Shared::new(state, disk, dir, (key, origin), options)), tlog)?;
        log.note(&recovery, now)?;
        Ok((log, recovery))
    }

    /// Write down what was put right.
    fn note(&self, recovery: &Recovery, now: Timestamp) -> Result<(), crate::AuditError> {
        if recovery.is_clean() {
            return Ok(());
        }
        self.write_now(&facts::recovered(recovery, now))?;
        for (id, intent) in &recovery.unfinished {
            let left = details::left_behind(self.dir(), *id).map_err(|error| self.failed(&error))?;
            self.end(*id, &facts::unfinished(*id, intent, (Outcome::Unknown, "interrupted"), left.as_ref(), now))?;
        }
        Ok(())
    }
}

fn broken(failure: Failure) -> OpenError {
    match failure {
        Failure::Io(error) => OpenError::Io(error),
        failure => OpenError::Broken(Box::new(failure)),
    }
}

fn lock(dir: &Dir) -> Result<File, OpenError> {
    let file = dir.open_with(LOCK, OpenOptions::new().write(true).create(true).mode(0o600))?.into_std();
    match flock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(file),
        Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse),
        Err(error) => Err(OpenError::Io(error.into())),
    }
}

/// Cut off what a crash left of a handover; gives its bytes.
fn cut_keys(disk: &dyn Disk, dir: &Dir) -> io::Result<u64> {
    let torn = keys::torn(dir)?;
    if torn > 0 {
        let file = disk.open_append(dir, keys::FILE, false)?;
        disk.cut(&file, file.metadata()?.len().saturating_sub(torn))?;
    }
    Ok(torn)
}

/// The tiles up to the newest checkpoint, made where they are not there, and the hashes after it.
fn tiles(
    disk: &dyn Disk,
    dir: &Dir,
    keys: &Keys,
    (signed, newest): (&[Signed], Option<&(Checkpoint, String)>),
    records: u64,
) -> Result<(Tlog, Vec<Hash>), OpenError> {
    let mut tlog = Tlog::after(frontier(dir, keys, signed)?);
    let mut hashes = hashes(dir, tlog.size(), records)?;
    let Some((newest, note)) = newest else { return Ok((tlog, hashes)) };
    let covered = usize::try_from(newest.size.saturating_sub(tlog.size())).unwrap_or(usize::MAX).min(hashes.len());
    let after = hashes.split_off(covered);
    if !hashes.is_empty() {
        tlog.extend(disk, dir, &hashes)?;
        // As it was signed: maybe by a key that the log no longer has.
        tlog.publish(disk, dir, newest, note)?;
    }
    Ok((tlog, after))
}

/// Where the tiles end that are in order: at the published checkpoint, or else at nothing.
fn frontier(dir: &Dir, keys: &Keys, signed: &[Signed]) -> Result<Frontier, OpenError> {
    if let Published::Checkpoint(published) = tlog::published(dir)? {
        if signed.iter().any(|signed| signed.checkpoint == published) {
            let mut tiles = Tiles::new(dir, published.size);
            let whole = |frontier: &Frontier| frontier.tree().is_some_and(|tree| tree.root() == published.root);
            if let Some(frontier) = tiles.frontier().ok().filter(whole) {
                return Ok(frontier);
            }
        } else if dir.read_to_string(tlog::CHECKPOINT).is_ok_and(|note| Checkpoint::open(&note, keys).is_ok()) {
            let left = signed.last().map_or(0, |signed| signed.checkpoint.size);
            return Err(broken(Failure::Withdrawn { signed: published.size, left }));
        }
    }
    let mut frontier = Frontier::default();
    self::start(dir, signed, &mut |hash| {
        frontier.pass(&[*hash]);
        Ok(())
    })
    .map_err(broken)?;
    Ok(frontier)
}

/// The hashes of the records from one on.
fn hashes(dir: &Dir, from: u64, records: u64) -> Result<Vec<Hash>, OpenError> {
    let mut hashes = Vec::new();
    if from == records {
        return Ok(hashes);
    }
    let segment = segment::list(dir)?.into_iter().take_while(|first| *first <= from).last().unwrap_or(0);
    let mut lines = Lines::from(dir, segment)?;
    let mut buffer = Vec::new();
    while let Some(found) = lines.next(&mut buffer)? {
        let place = match found {
            Found::Line(place) => place,
            Found::Torn(_) => break,
            Found::Broken(place, damage) => return Err(broken(Failure::Damaged { place, damage })),
            Found::Gap { expected, found } => return Err(broken(Failure::Gap { expected, found })),
        };
        if place.record >= from {
            let checked = record::check(&buffer).map(|record| record.hash);
            hashes.push(checked.map_err(|damage| broken(Failure::Damaged { place, damage }))?);
        }
    }
    Ok(hashes)
}
