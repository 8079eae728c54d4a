//! Checkpoints (C2SP tlog-checkpoint): the log's size and Merkle root, signed, one after the other in one file.
//!
//! A chain alone cannot show that its end is missing or that all of it was written anew. A checkpoint can.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{SigningKey, VerifyingKey};

use crate::{Hash, merkle::Tree, note};

/// The file's name in the log's folder.
pub(crate) const FILE: &str = "checkpoints";

/// The log's name, also as the signer's: one key, one log.
pub fn origin(key: &VerifyingKey) -> String {
    let digest = Hash::of(&[key.as_bytes()]).to_string();
    format!("casemate.audit/{}", digest.split_at(32).0)
}

/// A signed statement: the first `size` records of the log have this Merkle root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// How many records it covers.
    pub size: u64,
    /// The RFC 6962 root over their event hashes.
    pub root: Hash,
}

/// What is wrong with one checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointDamage {
    /// It is not written as one.
    #[error("it is not written as a checkpoint")]
    Shape,
    /// It is another log's.
    #[error("it belongs to another log\nhelp: check that the public key is the one this log was written with")]
    Origin,
    /// No signature on it is by the log's key.
    #[error("it is not signed by this log's key")]
    Signature,
    /// It covers no more than the one before.
    #[error("it does not cover more than the one before it")]
    Order,
}

impl Checkpoint {
    pub(crate) fn of(tree: &Tree) -> Self {
        Self { size: tree.size(), root: tree.root() }
    }

    /// The signed note.
    pub(crate) fn sign(&self, key: &SigningKey) -> String {
        let origin = origin(&key.verifying_key());
        note::sign(&format!("{origin}\n{}\n{}\n", self.size, STANDARD.encode(self.root.as_bytes())), &origin, key)
    }

    /// Read and check one signed note.
    pub fn open(text: &str, key: &VerifyingKey) -> Result<Self, CheckpointDamage> {
        Self::open_after(text, key, 0)
    }

    /// Read and check a file of signed notes, such as a copy of a log's `checkpoints`. At least one, and nothing after the last.
    pub fn open_all(text: &str, key: &VerifyingKey) -> Result<Vec<Self>, CheckpointDamage> {
        let (notes, end) = split(text);
        if notes.is_empty() || text.get(end..).is_none_or(|rest| !rest.trim().is_empty()) {
            return Err(CheckpointDamage::Shape);
        }
        notes.iter().map(|note| Self::open(note.text, key)).collect()
    }

    /// Read one, but what covers no more than `vouched` records is read and its signature is not checked again.
    pub(crate) fn open_after(text: &str, key: &VerifyingKey, vouched: u64) -> Result<Self, CheckpointDamage> {
        let origin = origin(key);
        let (body, signatures) = text.split_once("\n\n").ok_or(CheckpointDamage::Shape)?;
        let checkpoint = Self::read(body, &origin)?;
        if checkpoint.size > vouched && !note::is_signed(&format!("{body}\n"), signatures.lines(), &origin, key) {
            return Err(CheckpointDamage::Signature);
        }
        Ok(checkpoint)
    }

    fn read(body: &str, origin: &str) -> Result<Self, CheckpointDamage> {
        let mut lines = body.split('\n');
        let (Some(name), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointDamage::Shape);
        };
        if name != origin {
            return Err(CheckpointDamage::Origin);
        }
        let number: u64 = size.parse().map_err(|_| CheckpointDamage::Shape)?;
        let root: [u8; 32] = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or(CheckpointDamage::Shape)?;
        if number.to_string() != size {
            return Err(CheckpointDamage::Shape);
        }
        Ok(Self { size: number, root: Hash::from_bytes(root) })
    }
}

/// One note in the checkpoints file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Note<'a> {
    /// The line it begins on, from 1.
    pub(crate) line: usize,
    pub(crate) text: &'a str,
}

/// The notes of a file, and how many of its bytes they are: a crash can leave a part of one more at the end.
pub(crate) fn split(file: &str) -> (Vec<Note<'_>>, usize) {
    let mut notes = Vec::new();
    let (mut start, mut end, mut first, mut in_signatures) = (0, 0, 1, false);
    for (number, line) in (1..).zip(file.split_inclusive('\n')) {
        let signature = line.starts_with(note::SIGNATURE) && line.ends_with('\n');
        if in_signatures && !signature {
            notes.extend(file.get(start..end).map(|text| Note { line: first, text }));
            (start, first, in_signatures) = (end, number, false);
        }
        in_signatures |= signature;
        end += line.len();
    }
    if in_signatures {
        notes.extend(file.get(start..end).map(|text| Note { line: first, text }));
        start = end;
    }
    (notes, start)
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::{Checkpoint, CheckpointDamage, origin, split};
    use crate::{Hash, note};

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn signed(size: u64) -> String {
        Checkpoint { size, root: Hash::of(&[&size.to_be_bytes()]) }.sign(&key())
    }

    #[test]
    fn a_signed_checkpoint_is_read_back() {
        let note = signed(12);
        assert_eq!(
            Checkpoint::open(&note, &key().verifying_key()).unwrap(),
            Checkpoint { size: 12, root: Hash::of(&[&12_u64.to_be_bytes()]) }
        );
        assert!(note.starts_with("casemate.audit/") && note.lines().count() == 5, "{note}");
    }

    #[test]
    fn any_change_is_refused() {
        let note = signed(12);
        for place in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(Checkpoint::open(&changed, &key().verifying_key()).is_err() || place + 1 == note.len(), "byte {place}");
            }
        }
        let another = SigningKey::from_bytes(&[8; 32]);
        assert_eq!(Checkpoint::open(&note, &another.verifying_key()), Err(CheckpointDamage::Origin));
        let name = origin(&key().verifying_key());
        let body = note.split_once("\n\n").unwrap().0;
        let forged = note::sign(&format!("{body}\n"), &name, &another);
        assert_eq!(Checkpoint::open(&forged, &key().verifying_key()), Err(CheckpointDamage::Signature));
    }

    #[test]
    fn a_size_has_one_spelling() {
        let name = origin(&key().verifying_key());
        let root = signed(12).lines().nth(2).unwrap().to_owned();
        for size in ["012", "+12", " 12", "", "-1", "1e3"] {
            let note = note::sign(&format!("{name}\n{size}\n{root}\n"), &name, &key());
            assert_eq!(Checkpoint::open(&note, &key().verifying_key()), Err(CheckpointDamage::Shape), "{size}");
        }
    }

    #[test]
    fn a_file_is_split_into_notes_and_a_torn_rest() {
        let file = format!("{}{}\u{2014} witness AAAA\n{}", signed(1), signed(2), signed(3));
        let (notes, end) = split(&file);
        assert_eq!(notes.iter().map(|note| note.line).collect::<Vec<_>>(), [1, 6, 12]);
        assert_eq!((notes.len(), end), (3, file.len()));
        let last = file.len() - signed(3).len();
        for cut in last..file.len() {
            let Some(torn) = file.get(..cut) else { continue };
            let (notes, end) = split(torn);
            assert_eq!((notes.len(), end), (2, last), "cut at {cut}");
        }
    }
}
