//! The newest checkpoint known of every audit chain, kept outside the audit folder and sealed with the host's key.
//!
//! A chain cannot show that its newest records are gone together with the checkpoints over them, nor that all of it is. What
//! is kept here can: it only ever rises, and a chain that no longer has what it says is refused.

use std::{
    collections::BTreeMap,
    fs::{File, OpenOptions},
    io,
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

use cap_std::fs::Dir;
use casemate_audit::{AuditError, Checkpoint, CheckpointDamage, KeysDamage, Log, holds, keys};
use ed25519_dalek::VerifyingKey;
use hmac::{Hmac, KeyInit as _, Mac as _};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest, Sha256};

use super::store;
use crate::exit::Failure;

/// The file in an environment's state folder.
pub(crate) const FILE: &str = "audit.heads";
/// A chain takes about 250 bytes.
const MAX_HEADS: usize = 1 << 20;
/// First line of the file, before the MAC; part of what is authenticated.
const HEADER: &str = "casemate-audit-heads-v1";

/// Authenticates the file.
#[derive(Clone)]
pub(crate) struct HeadsKey([u8; 32]);

impl HeadsKey {
    /// From the host's key.
    pub(crate) fn of(host: &[u8]) -> Self {
        Self(Sha256::new_with_prefix(b"casemate audit heads key v1\0").chain_update(host).finalize().into())
    }

    fn mac(&self, body: &str) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
        let mut mac = Hmac::<Sha256>::new_from_slice(&self.0).expect("HMAC key");
        mac.update(HEADER.as_bytes());
        mac.update(b"\n");
        mac.update(body.as_bytes());
        mac
    }
}

/// By chain name: its newest signed checkpoint, or nothing while it has none.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Heads(BTreeMap<String, Option<String>>);

/// Held while the heads are read and written: several processes keep theirs in one file.
pub(crate) struct Changing(#[expect(dead_code, reason = "the lock lives as long as the file")] File);

/// Wait for other processes, and keep them out.
pub(crate) fn changing(state: &Path) -> Result<Changing, Failure> {
    let path = state.join("audit.heads.lock");
    let file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path)?;
    flock(&file, FlockOperation::LockExclusive).map_err(io::Error::from)?;
    Ok(Changing(file))
}

/// What to do about a log that is not what it was. `state` is where it lies.
pub(crate) fn help(state: &Path) -> String {
    format!(
        "help: put back what was taken away if you know why; otherwise keep `{}` as evidence. A new log begins once `audit`, `audit.pem`, `audit.pub` and `{FILE}` are moved out of it together",
        state.display()
    )
}

impl Heads {
    /// Read them, if this host wrote them. Nothing is parsed before the MAC is checked. No file is `None`.
    pub(crate) fn read(state: &Path, key: &HeadsKey) -> Result<Option<Self>, Failure> {
        let path = state.join(FILE);
        let Some(text) = store::read_text(&path, MAX_HEADS)? else { return Ok(None) };
        let refused = || {
            Failure::denied(format!(
                "`{}` was not written with this host's `host.key`: one of them was changed\n{}",
                path.display(),
                help(state)
            ))
        };
        let (first, body) = text.split_once('\n').ok_or_else(refused)?;
        let mac = first.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix(' ')).and_then(unhex).ok_or_else(refused)?;
        key.mac(body).verify_slice(&mac).map_err(|_| refused())?;
        Ok(Some(Self(serde_json::from_str(body)?)))
    }

    /// Write them, under the lock.
    pub(crate) fn write(&self, state: &Path, key: &HeadsKey, _changing: &Changing) -> Result<(), Failure> {
        let body = serde_json::to_string(&self.0)?;
        let mac: [u8; 32] = key.mac(&body).finalize().into_bytes().into();
        let mac: String = mac.iter().map(|byte| format!("{byte:02x}")).collect();
        store::replace(&state.join(FILE), format!("{HEADER} {mac}\n{body}").as_bytes())
    }

    /// Whether no chain was ever begun.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every chain that was ever begun must be there.
    pub(crate) fn all_present(&self, state: &Path) -> Result<(), Failure> {
        for (chain, note) in &self.0 {
            if !state.join("audit").join(chain).is_dir() {
                // Unread: the key may be gone as well, and the seal vouches for it.
                let size = note.as_ref().and_then(|note| note.lines().nth(1)).unwrap_or("0");
                return Err(Failure::denied(format!(
                    "audit/{chain} is gone: this host wrote it, and signed for {size} records in it\n{}",
                    help(state)
                )));
            }
        }
        Ok(())
    }

    /// The newest checkpoint known of a chain, if it has one.
    pub(crate) fn checkpoint(&self, state: &Path, chain: &str, key: &VerifyingKey) -> Result<Option<Checkpoint>, Failure> {
        let Some(note) = self.0.get(chain).and_then(Option::as_ref) else { return Ok(None) };
        let replaced = || {
            Failure::denied(format!(
                "the audit key was replaced: audit/{chain} was begun and signed with another one\n{}",
                help(state)
            ))
        };
        let keys = keys(&dir(state, chain)?, key).map_err(|failure| match failure {
            casemate_audit::Failure::Keys(KeysDamage::Stranger) => replaced(),
            failure => Failure::denied(format!("audit/{chain}: {failure}\n{}", help(state))),
        })?;
        Checkpoint::open(note, &keys).map(Some).map_err(|damage| match damage {
            CheckpointDamage::Origin => replaced(),
            damage => Failure::denied(format!("the checkpoint that `{FILE}` has of audit/{chain} is not valid: {damage}")),
        })
    }

    /// Hold every chain against what is known of it, without reading its records.
    pub(crate) fn hold(&self, state: &Path, key: &VerifyingKey) -> Result<(), Failure> {
        self.all_present(state)?;
        for chain in self.0.keys() {
            let Some(known) = self.checkpoint(state, chain, key)? else { continue };
            holds(&dir(state, chain)?, key, &known)
                .map_err(|failure| Failure::denied(format!("audit/{chain}: {failure}\n{}", help(state))))?;
        }
        Ok(())
    }
}

fn dir(state: &Path, chain: &str) -> io::Result<Dir> {
    Dir::open_ambient_dir(state.join("audit").join(chain), cap_std::ambient_authority())
}

fn unhex(text: &str) -> Option<Vec<u8>> {
    let digits = text.as_bytes();
    if digits.len() != 64 || !digits.iter().all(u8::is_ascii_hexdigit) {
        return None;
    }
    digits.chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()).collect()
}

/// Keeps the newest checkpoint of the chain that this process writes.
pub(crate) struct Keeper {
    pub(crate) state: PathBuf,
    pub(crate) seal: HeadsKey,
    pub(crate) chain: String,
    pub(crate) key: VerifyingKey,
}

impl Keeper {
    /// Keep what the log has signed by now. Never less than what is kept already.
    pub(crate) fn keep(&self, log: &Log) -> Result<(), Failure> {
        let note = log.checkpoint();
        let changing = changing(&self.state)?;
        let mut heads = Heads::read(&self.state, &self.seal)?.ok_or_else(|| missing(&self.state))?;
        let keys = keys(&dir(&self.state, &self.chain)?, &self.key).map_err(Failure::denied)?;
        let size = |note: Option<&String>| match note {
            Some(note) => Checkpoint::open(note, &keys).map(|checkpoint| checkpoint.size),
            None => Ok(0),
        };
        let new = !heads.0.contains_key(&self.chain);
        if !new {
            let known = heads.checkpoint(&self.state, &self.chain, &self.key)?.map_or(0, |known| known.size);
            if size(note.as_ref())? <= known {
                return Ok(());
            }
        } else {
            // The chain's folder must not be forgotten in a power cut that this remembers.
            for folder in [self.state.join("audit"), self.state.clone()] {
                File::open(folder)?.sync_all()?;
            }
        }
        heads.0.insert(self.chain.clone(), note);
        heads.write(&self.state, &self.seal, &changing)
    }
}

/// There is a log, and nothing is known of it.
pub(crate) fn missing(state: &Path) -> Failure {
    Failure::denied(format!(
        "`{}` is gone: it says how far every audit chain had come\n{}",
        state.join(FILE).display(),
        help(state)
    ))
}

/// What went wrong when the log was closed.
#[derive(Debug, thiserror::Error)]
pub enum CloseError {
    /// The log itself.
    #[error(transparent)]
    Log(#[from] AuditError),
    /// The log is closed, and its last checkpoint could not be kept.
    #[error("the audit log's last checkpoint could not be kept: {0}")]
    Head(String),
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use std::fs;

    use casemate_audit::{EventKind, verify};
    use casemate_signing::key::PrivateKey;
    use serde_json::json;

    use super::*;
    use crate::house::{chains, write_down};

    /// A state folder whose one chain has three records, each under a checkpoint of its own.
    fn written() -> tempfile::TempDir {
        let state = tempfile::tempdir().unwrap();
        for _ in 0..3 {
            write(state.path()).unwrap();
        }
        state
    }

    fn write(state: &Path) -> Result<(), Failure> {
        write_down(state, EventKind::TrustChanged, json!({}))
    }

    fn chain(state: &Path) -> PathBuf {
        state.join("audit/chain-0")
    }

    fn records(state: &Path) -> PathBuf {
        chain(state).join("00000000000000000000.jsonl")
    }

    /// The first `lines` lines of a file.
    fn cut(path: &Path, lines: usize) {
        let text = fs::read_to_string(path).unwrap();
        fs::write(path, text.split_inclusive('\n').take(lines).collect::<String>()).unwrap();
    }

    #[track_caller]
    fn refused(state: &Path, what: &str) {
        let failure = write(state).unwrap_err();
        assert!(failure.message.contains(what), "{}", failure.message);
        assert!(failure.message.contains("help: "), "{}", failure.message);
        assert_eq!(failure.exit, crate::exit::Exit::Denied);
    }

    fn seal(state: &Path) -> HeadsKey {
        store::keys(state).unwrap().heads
    }

    #[test]
    fn a_head_follows_its_chain() {
        let state = written();
        let keys = store::keys(state.path()).unwrap();
        let heads = Heads::read(state.path(), &keys.heads).unwrap().unwrap();
        let public = keys.audit.verifying_key();
        assert_eq!(heads.checkpoint(state.path(), "chain-0", &public).unwrap().unwrap().size, 3);
        heads.hold(state.path(), &public).unwrap();
    }

    #[test]
    fn a_chain_cut_back_to_an_older_checkpoint_is_refused() {
        let state = written();
        cut(&records(state.path()), 2);
        cut(&chain(state.path()).join("checkpoints"), 10);
        fs::remove_dir_all(chain(state.path()).join("tlog")).unwrap();
        let public = store::keys(state.path()).unwrap().audit.verifying_key();
        let report = verify(&chains(state.path()).unwrap().0.first().unwrap().1, &public).unwrap();
        assert_eq!((report.records, report.covered), (2, 2), "by itself the chain is in order");
        refused(
            state.path(),
            "a checkpoint over 3 records was signed, it is gone from `checkpoints`, and the last one there covers 2",
        );
    }

    #[test]
    fn an_emptied_chain_is_refused() {
        let state = written();
        fs::write(records(state.path()), "").unwrap();
        fs::write(chain(state.path()).join("checkpoints"), "").unwrap();
        refused(state.path(), "the last one there covers 0");
    }

    #[test]
    fn deleted_checkpoints_are_missed_with_and_without_their_records() {
        let state = written();
        fs::remove_file(chain(state.path()).join("checkpoints")).unwrap();
        refused(state.path(), "it is gone from `checkpoints`");
        fs::remove_file(records(state.path())).unwrap();
        refused(state.path(), "it is gone from `checkpoints`");
    }

    #[test]
    fn a_deleted_chain_is_refused() {
        let state = written();
        fs::remove_dir_all(chain(state.path())).unwrap();
        refused(state.path(), "audit/chain-0 is gone: this host wrote it, and signed for 3 records in it");
        fs::remove_dir_all(state.path().join("audit")).unwrap();
        refused(state.path(), "audit/chain-0 is gone");
        assert!(!state.path().join("audit").exists(), "and it is not begun anew");
    }

    #[test]
    fn a_deleted_key_is_not_made_anew() {
        let state = written();
        fs::remove_file(state.path().join("audit.pem")).unwrap();
        refused(state.path(), "audit.pem");
        fs::remove_dir_all(state.path().join("audit")).unwrap();
        refused(state.path(), "audit.pem");
        fs::remove_file(state.path().join("audit.pub")).unwrap();
        refused(state.path(), "audit.pem");
        assert!(!state.path().join("audit.pem").exists());
    }

    #[test]
    fn deleted_heads_are_not_made_anew() {
        let state = written();
        fs::remove_file(state.path().join(FILE)).unwrap();
        refused(state.path(), "audit.heads` is gone");
        fs::remove_file(state.path().join("audit.pem")).unwrap();
        refused(state.path(), "audit.pem");
    }

    #[test]
    fn a_replaced_key_is_refused() {
        let state = written();
        let pem = fs::read(state.path().join("audit.pem")).unwrap();
        let other = PrivateKey::generate().unwrap();
        fs::write(state.path().join("audit.pem"), other.danger_to_plain_pem().unwrap().as_bytes()).unwrap();
        refused(state.path(), "audit.pub");
        assert!(store::audit_public(state.path()).is_err(), "and the log is not checked with either");
        fs::write(state.path().join("audit.pub"), other.public_key().to_pem().unwrap()).unwrap();
        refused(state.path(), "the audit key was replaced");
        fs::write(state.path().join("audit.pem"), pem).unwrap();
        refused(state.path(), "audit.pub");
        assert_eq!(fs::read_to_string(state.path().join("audit.pub")).unwrap(), other.public_key().to_pem().unwrap());
    }

    /// The keys change, the log stays one; a handover that was stopped half way is finished by the next.
    #[test]
    fn a_handover_is_followed_and_a_stopped_one_is_finished() {
        let state = written();
        let first = store::keys(state.path()).unwrap().audit.verifying_key();
        let (old, new) = crate::house::rotate_audit_key(state.path()).unwrap();
        assert_ne!(old, new);
        write(state.path()).unwrap();
        let second = store::keys(state.path()).unwrap().audit.verifying_key();
        for key in [&first, &second] {
            assert_eq!(verify(&chains(state.path()).unwrap().0.first().unwrap().1, key).unwrap().records, 5);
        }
        // Stopped between the chain and the key.
        let pem = fs::read(state.path().join("audit.pem")).unwrap();
        crate::house::rotate_audit_key(state.path()).unwrap();
        let third = fs::read(state.path().join("audit.pem")).unwrap();
        fs::write(state.path().join("audit.pem"), pem).unwrap();
        fs::remove_file(state.path().join("audit.pub")).unwrap();
        store::replace(&state.path().join("audit.next.pem"), &third).unwrap();
        assert!(write(state.path()).unwrap_err().message.contains("`casemate audit rotate-key` finishes"));
        crate::house::rotate_audit_key(state.path()).unwrap();
        write(state.path()).unwrap();
        assert_eq!(fs::read(state.path().join("audit.pem")).unwrap(), third);
    }

    #[test]
    fn no_byte_of_the_heads_can_change() {
        let state = written();
        let (path, seal) = (state.path().join(FILE), seal(state.path()));
        let sealed = fs::read(&path).unwrap();
        for place in 0..sealed.len() {
            let mut changed = sealed.clone();
            *changed.get_mut(place).unwrap() ^= 1;
            fs::write(&path, &changed).unwrap();
            assert!(Heads::read(state.path(), &seal).is_err(), "byte {place}");
        }
        fs::write(&path, &sealed).unwrap();
        assert!(Heads::read(state.path(), &HeadsKey::of(b"another")).is_err());
    }

    /// A process that was slow to keep its checkpoint does not take back what a later one kept.
    #[test]
    fn a_head_never_goes_back() {
        let (state, older) = (written(), tempfile::tempdir().unwrap());
        let keys = store::keys(state.path()).unwrap();
        cut(&records(state.path()), 1);
        cut(&chain(state.path()).join("checkpoints"), 5);
        fs::remove_dir_all(chain(state.path()).join("tlog")).unwrap();
        for entry in fs::read_dir(chain(state.path())).unwrap() {
            let entry = entry.unwrap();
            fs::copy(entry.path(), older.path().join(entry.file_name())).unwrap();
        }
        let dir = crate::folders::private(older.path()).unwrap();
        let (log, _) = Log::open(dir, keys.audit.clone(), casemate_audit::Options::default(), crate::clock::now()).unwrap();
        let before = fs::read(state.path().join(FILE)).unwrap();
        let keeper = Keeper {
            state: state.path().to_owned(),
            seal: keys.heads,
            chain: "chain-0".to_owned(),
            key: keys.audit.verifying_key(),
        };
        keeper.keep(&log).unwrap();
        assert_eq!(fs::read(state.path().join(FILE)).unwrap(), before);
    }

    #[test]
    fn what_security_md_leaves_open_is_open() {
        // Whoever puts back both an old file of heads and the old chain is not seen here; a checkpoint kept elsewhere shows it.
        let state = written();
        let (heads, old_records) = (fs::read(state.path().join(FILE)).unwrap(), fs::read(records(state.path())).unwrap());
        let old_checkpoints = fs::read(chain(state.path()).join("checkpoints")).unwrap();
        write(state.path()).unwrap();
        fs::write(state.path().join(FILE), heads).unwrap();
        fs::write(records(state.path()), old_records).unwrap();
        fs::write(chain(state.path()).join("checkpoints"), old_checkpoints).unwrap();
        fs::remove_dir_all(chain(state.path()).join("tlog")).unwrap();
        write(state.path()).unwrap();
    }
}
