//! Witnesses (C2SP tlog-cosignature, ed25519): somebody else's signed word that a log has only grown.
//!
//! A witness remembers the largest checkpoint of every log that it has cosigned. It cosigns another only with a proof that the
//! remembered one is its beginning, and remembers before it signs: no log can show two histories to those who ask for its word.

mod state;

use std::io;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use cap_std::fs::Dir;
use casemate_policy::Timestamp;
use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};

pub use state::{CosignError, Cosigner};

use crate::{
    Checkpoint, CheckpointDamage, Failure, Hash, Keys, checkpoint,
    disk::{Disk as _, Machine},
    file, note, scan,
};

/// The file of cosigned checkpoints in a log's folder.
pub(crate) const FILE: &str = "witnessed";

/// The signature type of timestamped ed25519 cosignatures.
const COSIGNATURE: u8 = 4;

/// Who cosigns, as those know it who believe it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witness {
    name: String,
    key: VerifyingKey,
}

/// A witness's word on a checkpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cosignature {
    /// Whose.
    pub witness: String,
    /// How many records it covers.
    pub size: u64,
    /// When, in seconds since 1970, by the witness's clock.
    pub time: u64,
}

impl Witness {
    /// Another casemate: its name follows from its key.
    pub fn of(key: VerifyingKey) -> Self {
        let digest = Hash::of(&[key.as_bytes()]).to_string();
        Self { name: format!("casemate.witness/{}", digest.split_at(32).0), key }
    }

    /// A witness by its verifier key (C2SP signed-note, "Verifier keys"): `name+id+key`.
    pub fn from_vkey(text: &str) -> Option<Self> {
        let (rest, key) = text.trim().rsplit_once('+').filter(|(_, key)| !key.is_empty())?;
        let (name, id) = rest.rsplit_once('+')?;
        let blob = STANDARD.decode(key).ok()?;
        let (kind, key) = blob.split_first()?;
        let key = VerifyingKey::from_bytes(key.try_into().ok()?).ok()?;
        let stated = u32::from_str_radix(id, 16).ok()?.to_be_bytes();
        let plain = !name.is_empty() && !name.contains(char::is_whitespace) && !name.contains('+');
        (*kind == COSIGNATURE && plain && stated == note::key_id(name, COSIGNATURE, &key))
            .then(|| Self { name: name.to_owned(), key })
    }

    /// Its name in signature lines.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its word on a signed note: none if it said nothing, an error if the line in its name is not its own.
    pub(crate) fn cosigned(&self, note: &str) -> Option<Result<Cosignature, ()>> {
        let (body, signatures) = note.split_once("\n\n")?;
        let id = note::key_id(&self.name, COSIGNATURE, &self.key);
        let blob = signatures.lines().find_map(|line| note::signature_of(line, &self.name, id))?;
        Some(self.check(body, &blob).ok_or(()))
    }

    fn check(&self, body: &str, blob: &[u8]) -> Option<Cosignature> {
        let (time, signature) = blob.split_first_chunk::<8>()?;
        let time = u64::from_be_bytes(*time);
        let signature = Signature::from_slice(signature).ok()?;
        self.key.verify_strict(message(time, body).as_bytes(), &signature).ok()?;
        let checkpoint = Checkpoint::read(body).ok()?;
        Some(Cosignature { witness: self.name.clone(), size: checkpoint.size, time })
    }
}

/// What a cosigner signs. `body` is the checkpoint's, without its last newline.
fn message(time: u64, body: &str) -> String {
    format!("cosignature/v1\ntime {time}\n{body}\n")
}

/// One cosignature line over a checkpoint.
fn cosign(body: &str, key: &SigningKey, now: Timestamp) -> String {
    let witness = Witness::of(key.verifying_key());
    let time = u64::try_from(now.as_millis() / 1000).unwrap_or_default();
    let signature = key.sign(message(time, body).as_bytes());
    let blob = [time.to_be_bytes().as_slice(), &signature.to_bytes()].concat();
    note::line(&witness.name, note::key_id(&witness.name, COSIGNATURE, &witness.key), &blob)
}

/// Keep a checkpoint that a witness has cosigned with the log. It must be one of the log's own, and the word that witness's.
pub fn add_cosigned(dir: &Dir, key: &VerifyingKey, witness: &Witness, note: &str) -> Result<Cosignature, Failure> {
    let keys = Keys::read(dir, key)?.map_err(Failure::Keys)?;
    let refused = |damage| Failure::Witnessed { line: 0, damage };
    let (notes, end) = note::split(note);
    if notes.len() != 1 || !note.get(end..).unwrap_or_default().trim().is_empty() {
        return Err(refused(WitnessedDamage::Checkpoint(CheckpointDamage::Shape)));
    }
    let note = note.split_at(end).0;
    let checkpoint = Checkpoint::open(note, &keys).map_err(|damage| refused(WitnessedDamage::Checkpoint(damage)))?;
    scan::holds(dir, &keys, &checkpoint)?;
    let cosignature = match witness.cosigned(note) {
        Some(Ok(cosignature)) => cosignature,
        Some(Err(())) => return Err(refused(WitnessedDamage::Cosignature(witness.name.clone()))),
        None => return Err(Failure::Unwitnessed(witness.name.clone())),
    };
    let disk = Machine;
    let file = disk.open_append(dir, FILE, false)?;
    rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive).map_err(io::Error::from)?;
    // What a crash left of one is cut off; the witness still has it.
    let whole = note::split(&text(dir)?).1 as u64;
    disk.cut(&file, whole)?;
    disk.append(&file, note.as_bytes())?;
    disk.sync(&file)?;
    disk.sync_dir(dir, ".")?;
    Ok(cosignature)
}

/// A published checkpoint's note with all the cosignatures that are kept of it.
pub(crate) fn with_cosignatures(dir: &Dir, checkpoint: &Checkpoint, note: String) -> io::Result<String> {
    let (file, mut whole) = (text(dir)?, note);
    let body = format!("{}\n", checkpoint.body());
    for kept in note::split(&file).0 {
        let Some(signatures) = kept.text.strip_prefix(&body) else { continue };
        for line in signatures.lines() {
            if !whole.lines().any(|known| known == line) {
                whole.push_str(line);
                whole.push('\n');
            }
        }
    }
    Ok(whole)
}

/// What is wrong with a cosigned checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WitnessedDamage {
    /// The checkpoint itself.
    #[error("{0}")]
    Checkpoint(CheckpointDamage),
    /// A line in a witness's name is not its own.
    #[error("the cosignature of `{0}` is not valid")]
    Cosignature(String),
}

/// The cosigned checkpoints that are kept with a log.
pub(crate) struct Kept {
    pub(crate) checkpoints: Vec<Checkpoint>,
    /// The largest that each witness has cosigned.
    pub(crate) newest: Vec<Cosignature>,
}

/// Read them, and check the words of these witnesses: each must have said one.
pub(crate) fn kept(dir: &Dir, keys: &Keys, witnesses: &[Witness]) -> Result<Kept, Failure> {
    let file = text(dir)?;
    let (mut checkpoints, mut newest) = (Vec::new(), Vec::<Cosignature>::new());
    for note in note::split(&file).0 {
        let refused = |damage| Failure::Witnessed { line: note.line, damage };
        checkpoints.push(Checkpoint::open(note.text, keys).map_err(|damage| refused(WitnessedDamage::Checkpoint(damage)))?);
        for witness in witnesses {
            let Some(cosigned) = witness.cosigned(note.text) else { continue };
            let cosigned = cosigned.map_err(|()| refused(WitnessedDamage::Cosignature(witness.name.clone())))?;
            match newest.iter_mut().find(|known| known.witness == cosigned.witness) {
                Some(known) if known.size < cosigned.size => *known = cosigned,
                Some(_) => {}
                None => newest.push(cosigned),
            }
        }
    }
    match witnesses.iter().find(|witness| newest.iter().all(|cosigned| cosigned.witness != witness.name)) {
        Some(silent) => Err(Failure::Unwitnessed(silent.name.clone())),
        None => Ok(Kept { checkpoints, newest }),
    }
}

fn text(dir: &Dir) -> io::Result<String> {
    file::text(dir, FILE, checkpoint::MAX_FILE)
}
