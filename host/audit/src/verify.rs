//! Verification: what an outsider can say of a log with nothing but the folder and the public key.
//!
//! Every record is hashed, linked to the one before, and read again in its one canonical form; every checkpoint's signature
//! and root is checked. What remains possible to whoever can write to the folder: cutting off records that no checkpoint
//! covers yet, and taking away the newest checkpoints together with what they cover. A checkpoint kept elsewhere
//! ([`Report::last_checkpoint`], handed to [`verify_against`]) closes the second.

use cap_std::fs::Dir;
use ed25519_dalek::VerifyingKey;

use crate::{
    Checkpoint, EventId, Failure, OpenIntent, Torn,
    chain::Chain,
    scan::{self, Depth, Signed},
};

/// A log in which nothing is wrong.
#[derive(Debug, Clone)]
pub struct Report {
    /// How many records there are.
    pub records: u64,
    /// How many of them the last checkpoint covers.
    pub covered: u64,
    /// How many checkpoints there are.
    pub checkpoints: u64,
    /// The last of them.
    pub last_checkpoint: Option<Checkpoint>,
    /// Intents without an outcome: calls that are under way, or whose host stopped.
    pub unfinished: Vec<(EventId, OpenIntent)>,
    /// An unfinished end, as a crash leaves it; the next opening cuts it off and notes that.
    pub torn: Option<Torn>,
    /// Bytes of an unfinished checkpoint.
    pub torn_checkpoint: u64,
}

impl Report {
    /// Records after the last checkpoint: linked to the rest, and not yet covered by a signature.
    pub fn not_yet_covered(&self) -> u64 {
        self.records.saturating_sub(self.covered)
    }
}

/// Check a log from its first byte to its last.
pub fn verify(dir: &Dir, key: &VerifyingKey) -> Result<Report, Failure> {
    verify_against(dir, key, &[])
}

/// Whether a checkpoint kept elsewhere is still among the log's own. Reads no records, so it is quick; [`verify_against`] looks
/// whether the records fit it.
pub fn holds(dir: &Dir, key: &VerifyingKey, kept: &Checkpoint) -> Result<(), Failure> {
    // The one looked for is vouched for already, and no other is believed here.
    let found = scan::checkpoints(dir, key, u64::MAX)?.signed;
    if found.iter().any(|signed| signed.checkpoint == *kept) {
        return Ok(());
    }
    Err(Failure::Withdrawn { signed: kept.size, left: found.last().map_or(0, |signed| signed.checkpoint.size) })
}

/// Check a log as [`verify`] does, and that it still holds what checkpoints kept elsewhere say. Open them with [`Checkpoint::open`].
pub fn verify_against(dir: &Dir, key: &VerifyingKey, kept: &[Checkpoint]) -> Result<Report, Failure> {
    let found = scan::checkpoints(dir, key, 0)?;
    let mut signed = found.signed.clone();
    // Line 0 stands for a checkpoint that is not in the file.
    signed.extend(kept.iter().map(|checkpoint| Signed { line: 0, checkpoint: checkpoint.clone() }));
    signed.sort_by_key(|signed| signed.checkpoint.size);
    let scan = scan::scan(dir, Chain::new(), &signed, Depth::Canonical)?;
    let last_checkpoint = found.signed.last().map(|signed| signed.checkpoint.clone());
    Ok(Report {
        records: scan.chain.size(),
        covered: last_checkpoint.as_ref().map_or(0, |checkpoint| checkpoint.size),
        checkpoints: found.signed.len() as u64,
        last_checkpoint,
        unfinished: scan.chain.open.into_iter().collect(),
        torn: scan.torn,
        torn_checkpoint: found.torn,
    })
}
