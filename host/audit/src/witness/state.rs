//! What a witness remembers of every log, and the one way to its signature.

use std::{collections::BTreeMap, io};

use cap_std::fs::{Dir, OpenOptions, OpenOptionsExt as _};
use casemate_policy::Timestamp;
use ed25519_dalek::SigningKey;
use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::cosign;
use crate::{
    Checkpoint, CheckpointDamage, Hash, Keys,
    disk::{Disk, Machine},
    merkle::is_consistent,
    note, proof,
};

/// What it remembers.
const FILE: &str = "witness.json";
const LOCK: &str = "witness.lock";

/// A witness: its key and its memory, in a folder of its own.
pub struct Cosigner {
    dir: Dir,
    key: SigningKey,
    disk: Box<dyn Disk>,
}

/// Why a witness does not cosign.
#[derive(Debug, thiserror::Error)]
pub enum CosignError {
    /// Its memory cannot be read or written.
    #[error("what this witness remembers cannot be used: {0}")]
    Io(#[from] io::Error),
    /// The request is not written as one.
    #[error("the request is not written as one\nhelp: `casemate audit witness request` writes it")]
    Shape,
    /// The checkpoint is not the log's.
    #[error("the checkpoint is not valid: {0}")]
    Checkpoint(#[from] CheckpointDamage),
    /// The request begins elsewhere than where this witness is.
    #[error(
        "this witness has cosigned {known} records of this log, and the request begins at {old}\nhelp: `casemate audit witness request --old {known}`"
    )]
    Old {
        /// What it remembers.
        known: u64,
        /// What the request says.
        old: u64,
    },
    /// The log has become shorter.
    #[error(
        "log-rolled-back: the log became shorter: this witness has cosigned {known} records of it, and it says it has {size}"
    )]
    Rollback {
        /// What it remembers.
        known: u64,
        /// What the checkpoint says.
        size: u64,
    },
    /// The log has another history than the one that was cosigned.
    #[error("log-forked: the log has another history: its first {known} records are not those that this witness has cosigned")]
    Fork {
        /// What it remembers.
        known: u64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    size: u64,
    root: String,
}

impl Cosigner {
    /// In its folder, which nobody else writes to.
    pub fn open(dir: Dir, key: SigningKey) -> Self {
        Self::open_on(Box::new(Machine), dir, key)
    }

    pub(crate) fn open_on(disk: Box<dyn Disk>, dir: Dir, key: SigningKey) -> Self {
        Self { dir, key, disk }
    }

    /// How many records of a log it has cosigned.
    pub fn known(&self, origin: &str) -> Result<u64, CosignError> {
        Ok(self.heads()?.get(origin).map_or(0, |head| head.size))
    }

    /// Cosign what a request (C2SP tlog-witness, `add-checkpoint`) asks for. Gives the checkpoint with the cosignature added.
    pub fn cosign(&self, request: &str, log: &Keys, now: Timestamp) -> Result<(Checkpoint, String), CosignError> {
        let (head, note) = request.split_once("\n\n").ok_or(CosignError::Shape)?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old ")).and_then(|old| old.parse().ok());
        let (old, path) = (old.ok_or(CosignError::Shape)?, proof::hashes(lines).ok_or(CosignError::Shape)?);
        let checkpoint = Checkpoint::open(note, log)?;
        let (notes, end) = note::split(note);
        if notes.len() != 1 || end != note.len() {
            return Err(CosignError::Shape);
        }

        // Two requests at once must not both find the same memory.
        let lock = self.dir.open_with(LOCK, OpenOptions::new().write(true).create(true).mode(0o600))?.into_std();
        flock(&lock, FlockOperation::LockExclusive).map_err(io::Error::from)?;
        let mut heads = self.heads()?;
        let (known, root) = match heads.get(&checkpoint.origin) {
            Some(head) => (head.size, Hash::from_hex(head.root.as_bytes()).ok_or_else(|| io::Error::other("a root is none"))?),
            None => (0, Hash::of(&[])),
        };
        if checkpoint.size < known {
            return Err(CosignError::Rollback { known, size: checkpoint.size });
        }
        if checkpoint.size == known && checkpoint.root != root {
            return Err(CosignError::Fork { known });
        }
        if old != known {
            return Err(CosignError::Old { known, old });
        }
        if !is_consistent((known, &root), (checkpoint.size, &checkpoint.root), &path) {
            return Err(CosignError::Fork { known });
        }
        heads.insert(checkpoint.origin.clone(), Head { size: checkpoint.size, root: checkpoint.root.to_string() });
        let text = serde_json::to_string(&heads).map_err(io::Error::from)?;
        self.disk.replace(&self.dir, FILE, text.as_bytes())?;
        self.disk.sync_dir(&self.dir, ".")?;
        let body = note.split_once("\n\n").map_or("", |(body, _)| body);
        Ok((checkpoint, format!("{note}{}", cosign(body, &self.key, now))))
    }

    fn heads(&self) -> Result<BTreeMap<String, Head>, CosignError> {
        match self.dir.read_to_string(FILE) {
            Ok(text) => Ok(serde_json::from_str(&text).map_err(io::Error::from)?),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(BTreeMap::new()),
            Err(error) => Err(error.into()),
        }
    }
}
