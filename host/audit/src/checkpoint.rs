//! Checkpoints (C2SP tlog-checkpoint): the log's size and Merkle root, signed, one after the other in one file.
//!
//! A chain alone cannot show that its end is missing or that all of it was written anew. A checkpoint can.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use ed25519_dalek::{SigningKey, VerifyingKey};

use crate::{Hash, Keys, merkle::Tree, note};

/// The file's name in the log's folder.
pub(crate) const FILE: &str = "checkpoints";

/// Two years of one a minute.
pub(crate) const MAX_FILE: u64 = 256 << 20;

/// The name of a log that began with this key; several that did add a name of their own, after a slash.
pub fn origin(key: &VerifyingKey) -> String {
    let digest = Hash::of(&[key.as_bytes()]).to_string();
    format!("casemate.audit/{}", digest.split_at(32).0)
}

/// A signed statement: the first `size` records of the log have this Merkle root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log it is about.
    pub origin: String,
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
    #[error(
        "it belongs to another log\nhelp: check that the public key is one that this log was written with, and that `keys` is there if it was handed over"
    )]
    Origin,
    /// No signature on it is by the log's key.
    #[error("it is not signed by the key that this log had then")]
    Signature,
    /// It covers no more than the one before.
    #[error("it does not cover more than the one before it")]
    Order,
}

impl Checkpoint {
    pub(crate) fn of(origin: &str, tree: &Tree) -> Self {
        Self { origin: origin.to_owned(), size: tree.size(), root: tree.root() }
    }

    /// What is signed.
    pub(crate) fn body(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, STANDARD.encode(self.root.as_bytes()))
    }

    /// The signed note.
    pub(crate) fn sign(&self, key: &SigningKey) -> String {
        note::sign(&self.body(), &self.origin, key)
    }

    /// Read and check one signed note, of a log that was written with these keys.
    pub fn open(text: &str, keys: &Keys) -> Result<Self, CheckpointDamage> {
        Self::open_after(text, keys, 0)
    }

    /// Read and check a file of signed notes, such as a copy of a log's `checkpoints`. At least one, and nothing after the last.
    pub fn open_all(text: &str, keys: &Keys) -> Result<Vec<Self>, CheckpointDamage> {
        let (notes, end) = note::split(text);
        if notes.is_empty() || text.get(end..).is_none_or(|rest| !rest.trim().is_empty()) {
            return Err(CheckpointDamage::Shape);
        }
        notes.iter().map(|note| Self::open(note.text, keys)).collect()
    }

    /// Read one, but what covers no more than `vouched` records is read and its signature is not checked again.
    pub(crate) fn open_after(text: &str, keys: &Keys, vouched: u64) -> Result<Self, CheckpointDamage> {
        let (body, signatures) = text.split_once("\n\n").ok_or(CheckpointDamage::Shape)?;
        let checkpoint = Self::read(body)?;
        if !keys.is_origin(&checkpoint.origin) {
            return Err(CheckpointDamage::Origin);
        }
        let signed = || note::is_signed(&format!("{body}\n"), signatures.lines(), &checkpoint.origin, keys.at(checkpoint.size));
        if checkpoint.size > vouched && !signed() {
            return Err(CheckpointDamage::Signature);
        }
        Ok(checkpoint)
    }

    /// Read what a note says, whoever signed it.
    pub(crate) fn read(body: &str) -> Result<Self, CheckpointDamage> {
        let mut lines = body.split('\n');
        let (Some(origin), Some(size), Some(root), None) = (lines.next(), lines.next(), lines.next(), lines.next()) else {
            return Err(CheckpointDamage::Shape);
        };
        let number: u64 = size.parse().map_err(|_| CheckpointDamage::Shape)?;
        let root: [u8; 32] = STANDARD.decode(root).ok().and_then(|root| root.try_into().ok()).ok_or(CheckpointDamage::Shape)?;
        if number.to_string() != size {
            return Err(CheckpointDamage::Shape);
        }
        Ok(Self { origin: origin.to_owned(), size: number, root: Hash::from_bytes(root) })
    }
}

#[cfg(test)]
#[expect(clippy::indexing_slicing, clippy::unwrap_used, reason = "tests")]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::{Checkpoint, CheckpointDamage, origin};
    use crate::{Hash, Keys, note, note::split};

    fn key() -> SigningKey {
        SigningKey::from_bytes(&[7; 32])
    }

    fn keys() -> Keys {
        Keys::only(key().verifying_key())
    }

    fn checkpoint(size: u64) -> Checkpoint {
        Checkpoint { origin: origin(&key().verifying_key()), size, root: Hash::of(&[&size.to_be_bytes()]) }
    }

    fn signed(size: u64) -> String {
        checkpoint(size).sign(&key())
    }

    #[test]
    fn a_signed_checkpoint_is_read_back() {
        let note = signed(12);
        assert_eq!(Checkpoint::open(&note, &keys()).unwrap(), checkpoint(12));
        assert!(note.starts_with("casemate.audit/") && note.lines().count() == 5, "{note}");
    }

    #[test]
    fn any_change_is_refused() {
        let note = signed(12);
        for place in 0..note.len() {
            let mut bytes = note.clone().into_bytes();
            bytes[place] ^= 1;
            if let Ok(changed) = String::from_utf8(bytes) {
                assert!(Checkpoint::open(&changed, &keys()).is_err() || place + 1 == note.len(), "byte {place}");
            }
        }
        let another = SigningKey::from_bytes(&[8; 32]);
        assert_eq!(Checkpoint::open(&note, &Keys::only(another.verifying_key())), Err(CheckpointDamage::Origin));
        let name = origin(&key().verifying_key());
        let body = note.split_once("\n\n").unwrap().0;
        let forged = note::sign(&format!("{body}\n"), &name, &another);
        assert_eq!(Checkpoint::open(&forged, &keys()), Err(CheckpointDamage::Signature));
    }

    #[test]
    fn a_size_has_one_spelling() {
        let name = origin(&key().verifying_key());
        let root = signed(12).lines().nth(2).unwrap().to_owned();
        for size in ["012", "+12", " 12", "", "-1", "1e3"] {
            let note = note::sign(&format!("{name}\n{size}\n{root}\n"), &name, &key());
            assert_eq!(Checkpoint::open(&note, &keys()), Err(CheckpointDamage::Shape), "{size}");
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
