//! The keys a log was written with, each handed over to the next by a note that both have signed.
//!
//! A log keeps the name that its first key gave it. Whoever has one of its keys, from any time, reaches the others: forwards,
//! because each key named its successor; backwards, because each successor signed that it was named.

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cap_std::fs::Dir;
use ed25519_dalek::{SigningKey, VerifyingKey};

use crate::{checkpoint::origin, file, note};

/// The file's name in the log's folder.
pub(crate) const FILE: &str = "keys";

/// More handovers than any log has had.
const MAX_FILE: u64 = 1 << 20;

/// The second line of a note, so that it is no checkpoint.
const KIND: &str = "handover";

/// A name that a log adds to its origin is no longer than this.
const MAX_NAME: usize = 64;

/// The keys of one log, from the first to the newest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys {
    first: VerifyingKey,
    handovers: Vec<Handover>,
}

/// One key took over from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// How many records were written under the keys before, the one about this included.
    pub size: u64,
    /// The new key.
    pub key: VerifyingKey,
}

/// Why the keys of a log cannot be followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeysDamage {
    /// A note is not written as one.
    #[error("the handover on line {0} is not written as one")]
    Shape(usize),
    /// A note is of another log, or does not follow the one before.
    #[error("the handover on line {0} does not follow from the one before it")]
    Order(usize),
    /// The old key, or the new one, has not signed it.
    #[error("the handover on line {0} is not signed by both keys")]
    Signature(usize),
    /// The key to check the log with is none of those that were handed over to.
    #[error(
        "this log was never handed over to the key it is checked with\nhelp: check that the public key is one that this log was written with"
    )]
    Stranger,
}

impl Keys {
    /// Of a log that has had one key.
    pub fn only(key: VerifyingKey) -> Self {
        Self { first: key, handovers: Vec::new() }
    }

    /// Follow the handovers in a log's folder, from whichever of its keys is trusted.
    pub(crate) fn read(dir: &Dir, trusted: &VerifyingKey) -> io::Result<Result<Self, KeysDamage>> {
        Ok(Self::follow(text(dir)?.as_str(), trusted))
    }

    /// Follow the handovers in a copy of a log's `keys`, from whichever of its keys is trusted.
    pub fn follow(text: &str, trusted: &VerifyingKey) -> Result<Self, KeysDamage> {
        let (notes, _) = note::split(text);
        let mut keys: Option<(String, Self)> = None;
        for note in notes {
            let found = read_note(note.text).ok_or(KeysDamage::Shape(note.line))?;
            let (log, known) = match &mut keys {
                None => {
                    let known = Self::only(found.old);
                    if !known.is_origin(&found.origin) {
                        return Err(KeysDamage::Order(note.line));
                    }
                    keys.insert((found.origin.clone(), known))
                }
                Some(known) => known,
            };
            let after = known.handovers.last().map_or(0, |last| last.size);
            if found.origin != *log || found.old != *known.newest() || found.size <= after {
                return Err(KeysDamage::Order(note.line));
            }
            if !found.signed {
                return Err(KeysDamage::Signature(note.line));
            }
            known.handovers.push(Handover { size: found.size, key: found.new });
        }
        let keys = keys.map_or_else(|| Self::only(*trusted), |(_, keys)| keys);
        if keys.all().all(|key| key != trusted) {
            return Err(KeysDamage::Stranger);
        }
        Ok(keys)
    }

    /// All of them, oldest first.
    pub fn all(&self) -> impl Iterator<Item = &VerifyingKey> {
        std::iter::once(&self.first).chain(self.handovers.iter().map(|handover| &handover.key))
    }

    /// The key that the log is written with now.
    pub fn newest(&self) -> &VerifyingKey {
        self.handovers.last().map_or(&self.first, |last| &last.key)
    }

    /// Every handover, oldest first.
    pub fn handovers(&self) -> &[Handover] {
        &self.handovers
    }

    /// The key that signs what covers so many records.
    pub(crate) fn at(&self, size: u64) -> &VerifyingKey {
        let before = self.handovers.iter().take_while(|handover| handover.size < size).last();
        before.map_or(&self.first, |handover| &handover.key)
    }

    /// Whether a log of this name began with the first of these keys.
    pub(crate) fn is_origin(&self, name: &str) -> bool {
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        match name.strip_prefix(&origin(&self.first)) {
            Some("") => true,
            Some(rest) => {
                rest.strip_prefix('/').is_some_and(|own| !own.is_empty() && own.len() <= MAX_NAME && own.bytes().all(plain))
            }
            None => false,
        }
    }
}

impl From<VerifyingKey> for Keys {
    fn from(key: VerifyingKey) -> Self {
        Self::only(key)
    }
}

/// The note by which `old` hands a log over to `new` after so many records.
pub(crate) fn handover(log: &str, size: u64, old: &SigningKey, new: &SigningKey) -> String {
    let key = |key: &SigningKey| STANDARD.encode(key.verifying_key().as_bytes());
    let text = format!("{log}\n{KIND}\n{size}\n{}\n{}\n", key(old), key(new));
    format!("{}{}", note::sign(&text, log, old), note::signature(&text, log, new))
}

/// The text of a log's handovers; none is empty.
pub(crate) fn text(dir: &Dir) -> io::Result<String> {
    // What is no note any more is missed when its signatures are.
    file::text(dir, FILE, MAX_FILE)
}

/// Bytes after the last handover that is whole.
pub(crate) fn torn(dir: &Dir) -> io::Result<u64> {
    let length = match dir.metadata(FILE) {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(0),
        Err(error) => return Err(error),
    };
    Ok(length.saturating_sub(note::split(&text(dir)?).1 as u64))
}

struct Found {
    origin: String,
    size: u64,
    old: VerifyingKey,
    new: VerifyingKey,
    signed: bool,
}

fn read_note(note: &str) -> Option<Found> {
    let (body, signatures) = note.split_once("\n\n")?;
    let lines: Vec<&str> = body.split('\n').collect();
    let [origin, KIND, size, old, new] = lines.as_slice() else { return None };
    let key = |text: &str| VerifyingKey::from_bytes(&STANDARD.decode(text).ok()?.try_into().ok()?).ok();
    let (number, old, new) = (size.parse::<u64>().ok()?, key(old)?, key(new)?);
    let text = format!("{body}\n");
    let signed = [&old, &new].into_iter().all(|key| note::is_signed(&text, signatures.lines(), origin, key));
    (number.to_string() == **size).then(|| Found { origin: (*origin).to_owned(), size: number, old, new, signed })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use ed25519_dalek::SigningKey;

    use super::{Keys, KeysDamage, handover, origin};

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    fn two() -> (String, String) {
        let log = format!("{}/chain-0", origin(&key(1).verifying_key()));
        (handover(&log, 3, &key(1), &key(2)), handover(&log, 7, &key(2), &key(3)))
    }

    #[test]
    fn every_key_leads_to_all_the_others() {
        let (first, second) = two();
        let text = format!("{first}{second}");
        for seed in 1..=3 {
            let keys = Keys::follow(&text, &key(seed).verifying_key()).unwrap();
            assert_eq!((keys.all().count(), *keys.newest()), (3, key(3).verifying_key()));
            for (size, seed) in [(0, 1), (3, 1), (4, 2), (7, 2), (8, 3)] {
                assert_eq!(*keys.at(size), key(seed).verifying_key(), "{size}");
            }
        }
        assert_eq!(Keys::follow(&text, &key(4).verifying_key()), Err(KeysDamage::Stranger));
        assert_eq!(Keys::follow("", &key(4).verifying_key()).unwrap(), Keys::only(key(4).verifying_key()));
    }

    #[test]
    fn a_handover_that_one_key_did_not_sign_is_none() {
        let (first, second) = two();
        let check = |text: &str, seed| Keys::follow(text, &key(seed).verifying_key());
        let one_signature = |note: &str, drop: usize| {
            note.lines()
                .enumerate()
                .filter(|(number, _)| *number != drop)
                .map(|(_, line)| format!("{line}\n"))
                .collect::<String>()
        };
        assert_eq!(check(&one_signature(&first, 6), 1), Err(KeysDamage::Signature(1)));
        assert_eq!(check(&one_signature(&first, 7), 1), Err(KeysDamage::Signature(1)));
        assert_eq!(check(&second, 3), Err(KeysDamage::Order(1)), "the log's name is its first key's");
        assert_eq!(check(&format!("{second}{first}"), 3), Err(KeysDamage::Order(1)));
        assert_eq!(check(&format!("{first}{first}"), 1), Err(KeysDamage::Order(9)));
        for place in 0..first.len() {
            let mut bytes = first.clone().into_bytes();
            bytes.get_mut(place).map(|byte| *byte ^= 1).unwrap();
            if let Ok(changed) = String::from_utf8(bytes) {
                let stays = check(&changed, 2).is_ok_and(|keys| keys.all().count() == 2);
                assert!(!stays || place + 1 == first.len(), "byte {place}");
            }
        }
    }
}
