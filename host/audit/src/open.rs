//! Opening a log: the lock on its folder, the check of what is there, and what a crash left to be put right.

use std::{fs::File, io, sync::Arc};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use casemate_policy::Timestamp;
use ed25519_dalek::SigningKey;
use rustix::fs::{FlockOperation, flock};

use crate::{
    EventId, Failure, Log, OpenIntent, Options, Outcome, Torn,
    chain::Chain,
    checkpoint,
    disk::{Disk, Machine},
    edge, facts,
    log::{Shared, State},
    scan::{self, Depth},
    segment,
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
    /// Calls that had begun and whose end nobody wrote down: what they did is not known. Each now has an outcome `unknown`.
    pub unfinished: Vec<(EventId, OpenIntent)>,
}

impl Recovery {
    /// Whether there was nothing to put right.
    pub fn is_clean(&self) -> bool {
        self.torn.is_none() && self.torn_checkpoint == 0 && self.unfinished.is_empty()
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
        let start = edge::last(&dir, &key.verifying_key()).unwrap_or_else(Chain::new);
        let checkpoints = scan::checkpoints(&dir, &key.verifying_key(), start.size()).map_err(broken)?;
        let scan = scan::scan(&dir, start, &checkpoints.signed, Depth::Chain).map_err(broken)?;
        // Who keeps the newest checkpoint elsewhere holds the log to it from then on: it must not get lost here.
        let signed = segment::open_append(&dir, checkpoint::FILE, false)?;
        cut(&signed, checkpoints.whole)?;
        let segment = segment::name(segment::list(&dir)?.last().copied().unwrap_or(0));
        let file = segment::open_append(&dir, &segment, false)?;
        segment::sync_dir(&dir)?;
        if let Some(torn) = &scan.torn {
            cut(&file, torn.offset)?;
        }
        // What a crashed host had written may not be durable yet, and is about to be built upon.
        file.sync_all()?;

        let recovery = Recovery {
            records: scan.chain.size(),
            torn: scan.torn,
            torn_checkpoint: checkpoints.torn,
            unfinished: scan.chain.open.clone().into_iter().collect(),
        };
        let newest = checkpoints.signed.last().map(|signed| signed.checkpoint.clone());
        let tag = getrandom::u64().map_err(|error| io::Error::other(error.to_string()))?;
        let length = file.metadata()?.len();
        let state = State::new(lock, scan.chain, tag, file, length, newest);
        let log = Self::start(Arc::new(Shared::new(state, disk, dir, key, options)))?;
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
            self.end(*id, &facts::unfinished(*id, intent, Outcome::Unknown, "interrupted", now))?;
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

fn cut(file: &File, length: u64) -> io::Result<()> {
    file.set_len(length)?;
    file.sync_all()
}
