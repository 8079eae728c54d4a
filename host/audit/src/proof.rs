//! Proofs for outsiders (C2SP tlog-proof): one record, its way to the root, and a checkpoint over it, in one text.
//!
//! Whoever has the text and one of the log's public keys needs nothing else: no folder, no network, no other record.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cap_std::fs::Dir;
use ed25519_dalek::VerifyingKey;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    Checkpoint, CheckpointDamage, Cosignature, Damage, EventId, Hash, Keys, KeysDamage, Witness, keys,
    merkle::{consistency, inclusion, leaf, root_of_inclusion},
    note, record,
    segment::{self, Found, Lines},
    tlog::{self, Published, Tiles},
    witness,
};

/// The first line.
const HEADER: &str = "c2sp.org/tlog-proof@v1";

/// What the format calls extra data, which nothing vouches for by itself: the record hashes to the leaf, the handovers are signed.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Extra {
    record: String,
    handovers: String,
}

/// What a proof proves.
#[derive(Debug, Clone)]
pub struct Proved {
    /// The record, as it stands in the log.
    pub record: Value,
    /// Its number in the log.
    pub index: u64,
    /// The checkpoint that covers it.
    pub checkpoint: Checkpoint,
    /// Which of the witnesses that were asked for have cosigned the checkpoint.
    pub cosigned: Vec<Cosignature>,
}

/// Why a proof cannot be made.
#[derive(Debug, thiserror::Error)]
pub enum ProveError {
    /// The log cannot be read.
    #[error("the audit log cannot be read: {0}")]
    Io(#[from] io::Error),
    /// There is no such record.
    #[error("there is no record `{0}`\nhelp: `casemate audit show` lists those that there are")]
    NoSuchRecord(EventId),
    /// Nothing signed covers it yet.
    #[error(
        "no published checkpoint covers record {record} yet: the last one covers {covered}\nhelp: try again in a minute; a checkpoint is signed at least that often"
    )]
    NotCovered {
        /// The record's number, or the size asked for.
        record: u64,
        /// How many records are covered.
        covered: u64,
    },
    /// What is in the folder does not lead to what was signed.
    #[error("the tiles do not lead to the signed root\nhelp: `casemate audit verify` says what is wrong")]
    Damaged,
    /// The keys of the log cannot be followed.
    #[error(transparent)]
    Keys(#[from] KeysDamage),
}

/// Why a proof proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProofDamage {
    /// It is not written as one.
    #[error("it is not written as a proof of a record")]
    Shape,
    /// The record is not one.
    #[error("its record is not one: {0}")]
    Record(Damage),
    /// Its keys do not lead from the one that is trusted.
    #[error(transparent)]
    Keys(#[from] KeysDamage),
    /// Its checkpoint does not count.
    #[error("its checkpoint is not valid: {0}")]
    Checkpoint(#[from] CheckpointDamage),
    /// The record does not lead to the checkpoint's root.
    #[error("the record is not at that place in the log that the checkpoint is over")]
    Path,
    /// A witness's signature is wrong.
    #[error("the cosignature of `{0}` is not valid")]
    Cosignature(String),
    /// A witness that was asked for has not cosigned.
    #[error("`{0}` has not cosigned the checkpoint")]
    Unwitnessed(String),
}

/// Prove that a record is in the log, under the newest published checkpoint.
pub fn prove(dir: &Dir, key: &VerifyingKey, id: EventId) -> Result<String, ProveError> {
    let keys = Keys::read(dir, key)??;
    let (checkpoint, note) = newest(dir, &keys)?;
    let (index, line, hash) = find(dir, id)?;
    let mut tiles = Tiles::new(dir, checkpoint.size);
    let path = inclusion(|level, number| tiles.node(level, number), index, checkpoint.size)?;
    let path = path.ok_or(ProveError::NotCovered { record: index, covered: checkpoint.size })?;
    if root_of_inclusion(leaf(&hash), index, checkpoint.size, &path) != Some(checkpoint.root) {
        return Err(ProveError::Damaged);
    }
    let extra = serde_json::to_string(&Extra { record: line, handovers: keys::text(dir)? }).map_err(io::Error::from)?;
    let note = witness::with_cosignatures(dir, &checkpoint, note)?;
    Ok(format!("{HEADER}\nextra {}\nindex {index}\n{}\n{note}", STANDARD.encode(extra), lines(&path)))
}

/// What a witness is asked with (the body of C2SP tlog-witness's `add-checkpoint`): the newest published checkpoint, and the
/// proof that the first `old` records are still its beginning. `old` is what the witness has seen last; 0 for a new one.
pub fn request(dir: &Dir, key: &VerifyingKey, old: u64) -> Result<String, ProveError> {
    let keys = Keys::read(dir, key)??;
    let (checkpoint, note) = newest(dir, &keys)?;
    let path = prove_consistency(dir, old, checkpoint.size)?;
    Ok(format!("old {old}\n{}\n{note}", lines(&path)))
}

/// The proof that the first `old` records are the beginning of the first `new`.
pub fn prove_consistency(dir: &Dir, old: u64, new: u64) -> Result<Vec<Hash>, ProveError> {
    let Published::Checkpoint(published) = tlog::published(dir)? else {
        return Err(ProveError::NotCovered { record: new, covered: 0 });
    };
    let mut tiles = Tiles::new(dir, published.size);
    let not_covered = ProveError::NotCovered { record: old.max(new), covered: published.size };
    if new > published.size {
        return Err(not_covered);
    }
    consistency(|level, number| tiles.node(level, number), old, new)?.ok_or(not_covered)
}

/// Check a proof with one of the log's public keys, from any time. Every witness named must have cosigned its checkpoint.
pub fn verify_proof(text: &str, key: &VerifyingKey, witnesses: &[Witness]) -> Result<Proved, ProofDamage> {
    let (head, note) = text.split_once("\n\n").ok_or(ProofDamage::Shape)?;
    let mut head = head.split('\n');
    if head.next() != Some(HEADER) {
        return Err(ProofDamage::Shape);
    }
    let extra = head.next().and_then(|line| line.strip_prefix("extra ")).and_then(|extra| STANDARD.decode(extra).ok());
    let extra: Extra = extra.and_then(|extra| serde_json::from_slice(&extra).ok()).ok_or(ProofDamage::Shape)?;
    let index = head.next().and_then(|line| line.strip_prefix("index ")).ok_or(ProofDamage::Shape)?;
    let number: u64 = index.parse().ok().filter(|number: &u64| number.to_string() == index).ok_or(ProofDamage::Shape)?;
    let path = hashes(head).ok_or(ProofDamage::Shape)?;

    let keys = Keys::follow(&extra.handovers, key)?;
    let checkpoint = Checkpoint::open(note, &keys)?;
    let line = extra.record.as_bytes();
    let checked = record::check(line).map_err(ProofDamage::Record)?;
    if !crate::canonical::is_canonical(line) {
        return Err(ProofDamage::Record(Damage::NotCanonical));
    }
    if root_of_inclusion(leaf(&checked.hash), number, checkpoint.size, &path) != Some(checkpoint.root) {
        return Err(ProofDamage::Path);
    }
    let mut cosigned = Vec::new();
    for witness in witnesses {
        match witness.cosigned(note) {
            Some(Ok(cosignature)) => cosigned.push(cosignature),
            Some(Err(())) => return Err(ProofDamage::Cosignature(witness.name().to_owned())),
            None => return Err(ProofDamage::Unwitnessed(witness.name().to_owned())),
        }
    }
    let record = serde_json::from_slice(line).map_err(|_| ProofDamage::Shape)?;
    Ok(Proved { record, index: number, checkpoint, cosigned })
}

/// One base64 line a hash.
pub(crate) fn hashes<'a>(lines: impl Iterator<Item = &'a str>) -> Option<Vec<Hash>> {
    lines.map(|line| Some(Hash::from_bytes(STANDARD.decode(line).ok()?.try_into().ok()?))).collect()
}

fn lines(path: &[Hash]) -> String {
    path.iter().map(|hash| format!("{}\n", STANDARD.encode(hash.as_bytes()))).collect()
}

/// The newest published checkpoint and its note, as the log signed it.
fn newest(dir: &Dir, keys: &Keys) -> Result<(Checkpoint, String), ProveError> {
    let note = match dir.read_to_string(tlog::CHECKPOINT) {
        Ok(note) => note,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Err(ProveError::NotCovered { record: 0, covered: 0 });
        }
        Err(error) => return Err(error.into()),
    };
    let checkpoint = Checkpoint::open(&note, keys).map_err(|_| ProveError::Damaged)?;
    // Only its own lines are passed on.
    let (notes, _) = note::split(&note);
    match notes.as_slice() {
        [only] => Ok((checkpoint, only.text.to_owned())),
        _ => Err(ProveError::Damaged),
    }
}

/// A record by its id: its number, its line and its hash.
fn find(dir: &Dir, id: EventId) -> Result<(u64, String, Hash), ProveError> {
    let mut lines = Lines::from(dir, segment::first(dir)?)?;
    let mut buffer = Vec::new();
    let wanted = format!("\"event_id\":\"{id}\"");
    while let Some(found) = lines.next(&mut buffer)? {
        let Found::Line(place) = found else { continue };
        if !record::begins_with(&buffer, wanted.as_bytes()) {
            continue;
        }
        let Ok(checked) = record::check(&buffer) else { return Err(ProveError::Damaged) };
        let hash = checked.hash;
        return Ok((place.record, String::from_utf8(buffer).map_err(|_| ProveError::Damaged)?, hash));
    }
    Err(ProveError::NoSuchRecord(id))
}
