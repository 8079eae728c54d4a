//! This host's own keys: made once, each in a file that only its owner may read.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use casemate_signing::{
    highwater::{HOST_KEY_BYTES, HostKey},
    key::{PrivateKey, PublicKey},
};
use ed25519_dalek::{SigningKey, pkcs8::DecodePrivateKey};
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::{nofollow, read, read_own, read_text, replace};
use crate::{
    approval::Seal,
    exit::Failure,
    folders::private,
    house::heads::{self, Heads, HeadsKey},
};

/// The key that a handover is under way to.
const NEXT: &str = "audit.next.pem";

/// A PKCS#8 key.
const MAX_KEY: usize = 16 << 10;

/// This host's own keys, made on first start, each in a file of mode 0600.
pub(crate) struct Keys {
    /// Authenticates the host's own state.
    pub(crate) host: HostKey,
    /// Authenticates compiled code.
    pub(crate) code: [u8; 32],
    /// Signs the audit log.
    pub(crate) audit: SigningKey,
    /// Authenticates what is known of the audit log.
    pub(crate) heads: HeadsKey,
    /// Authenticates what clients are given to bring back.
    pub(crate) notes: Seal,
}

/// Read the keys of an environment, or make them.
pub(crate) fn keys(state: &Path) -> Result<Keys, Failure> {
    private(state)?;
    let host = own(&state.join("host.key"), || {
        let mut bytes = Zeroizing::new(vec![0; HOST_KEY_BYTES]);
        getrandom::fill(&mut bytes).map_err(|error| Failure::failed(format!("the system has no random bytes: {error}")))?;
        Ok(bytes)
    })?;
    let host: &[u8; HOST_KEY_BYTES] = host.as_slice().try_into().map_err(|_| {
        Failure::denied(format!(
            "`{}` is not a host key\nhelp: it was changed; find out by whom before you remove it",
            state.join("host.key").display()
        ))
    })?;
    let seal = HeadsKey::of(host);
    let audit_path = state.join("audit.pem");
    first_or_whole(state, &audit_path, &seal)?;
    let pem = own(&audit_path, || Ok(Zeroizing::new(PrivateKey::generate()?.danger_to_plain_pem()?.as_bytes().to_vec())))?;
    let pem = std::str::from_utf8(&pem).map_err(|_| Failure::invalid(format!("`{}` is not PEM", audit_path.display())))?;
    let public = PrivateKey::from_pem(pem, None)?.public_key();
    if !is_public_half(state, &public)? {
        replace(&state.join("audit.pub"), public.to_pem()?.as_bytes())?;
    }
    let audit = signing(pem, &audit_path)?;
    Ok(Keys {
        host: HostKey::from_bytes(host),
        code: Sha256::new_with_prefix(b"casemate code cache key v1\0").chain_update(host).finalize().into(),
        audit,
        heads: seal,
        notes: Seal::of(host)?,
    })
}

/// The key that signs the audit log after the next handover, made where there is none: a stopped one goes on with it.
pub(crate) fn next_audit_key(state: &Path) -> Result<SigningKey, Failure> {
    made(&state.join(NEXT))
}

/// The next key takes the other's place. Before it does, there is no `audit.pub`: whatever stops this, the key that signs says which it is.
pub(crate) fn replace_audit_key(state: &Path) -> Result<(), Failure> {
    let public = state.join("audit.pub");
    match fs::remove_file(&public) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error.into()),
        _ => {}
    }
    fs::rename(state.join(NEXT), state.join("audit.pem"))?;
    File::open(state)?.sync_all()?;
    keys(state).map(drop)
}

/// The key that this host cosigns other logs with, made on first use, with its public half beside it for those who believe it.
pub(crate) fn witness_key(state: &Path) -> Result<SigningKey, Failure> {
    let key = made(&state.join("witness.pem"))?;
    let public = PublicKey::from_bytes(key.verifying_key().as_bytes())?;
    if read_text(&state.join("witness.pub"), MAX_KEY)?.is_none() {
        replace(&state.join("witness.pub"), public.to_pem()?.as_bytes())?;
    }
    Ok(key)
}

/// A signing key of our own, made where it is absent.
fn made(path: &Path) -> Result<SigningKey, Failure> {
    let pem = own(path, || Ok(Zeroizing::new(PrivateKey::generate()?.danger_to_plain_pem()?.as_bytes().to_vec())))?;
    let pem = std::str::from_utf8(&pem).map_err(|_| Failure::invalid(format!("`{}` is not PEM", path.display())))?;
    signing(pem, path)
}

fn signing(pem: &str, path: &Path) -> Result<SigningKey, Failure> {
    DecodePrivateKey::from_pkcs8_pem(pem).map_err(|error| Failure::invalid(format!("`{}`: {error}", path.display())))
}

/// Either nothing of an audit log is there yet, and it may begin, or its key and what is known of it are both there.
fn first_or_whole(state: &Path, audit_path: &Path, seal: &HeadsKey) -> Result<(), Failure> {
    let changing = heads::changing(state)?;
    let known = Heads::read(state, seal)?;
    let has_log = known.as_ref().is_some_and(|known| !known.is_empty()) || !crate::house::chains(state)?.0.is_empty();
    // Looked for last: whoever begins the log beside us makes the key first.
    let has_key = read(audit_path, MAX_KEY)?.is_some();
    match known {
        _ if !has_key && has_log => Err(Failure::denied(format!(
            "there is an audit log and no `{}` that signs it; a new key would begin another log in its place\n{}",
            audit_path.display(),
            heads::help(state)
        ))),
        None if has_key || has_log => Err(heads::missing(state)),
        // Before the key is: where there is a key and nothing known, something was taken away.
        None => Heads::default().write(state, seal, &changing),
        Some(_) => Ok(()),
    }
}

/// Whether `audit.pub` is this key. Another one there is refused: people hand it out to check the log with.
fn is_public_half(state: &Path, public: &PublicKey) -> Result<bool, Failure> {
    let path = state.join("audit.pub");
    match read_text(&path, MAX_KEY)? {
        None => Ok(false),
        Some(text) if PublicKey::from_pem(&text).is_ok_and(|other| other == *public) => Ok(true),
        Some(_) => Err(Failure::denied(format!(
            "`{}` is not the public half of `audit.pem`: one of them was replaced\nhelp: `casemate audit verify --key FILE`, with a copy you trust, says which; put the right one back",
            path.display()
        ))),
    }
}

/// The key that the audit log is checked with: from the private one where that can be read, else `audit.pub`.
pub(crate) fn audit_public(state: &Path) -> Result<PublicKey, Failure> {
    let Ok(Some(pem)) = read(&state.join("audit.pem"), MAX_KEY).map(|pem| pem.map(Zeroizing::new)) else {
        let path = state.join("audit.pub");
        let text = read_text(&path, MAX_KEY)?.ok_or_else(|| Failure::invalid(format!("there is no `{}`", path.display())))?;
        return Ok(PublicKey::from_pem(&text)?);
    };
    let pem = std::str::from_utf8(&pem).map_err(|_| Failure::invalid("`audit.pem` is not PEM"))?;
    let public = PrivateKey::from_pem(pem, None)?.public_key();
    is_public_half(state, &public)?;
    Ok(public)
}

/// What is known of every audit chain, where the host's key can be read; it is not made here.
pub(crate) fn known_heads(state: &Path) -> Result<Option<Heads>, Failure> {
    let Ok(Some(host)) = read(&state.join("host.key"), MAX_KEY).map(|host| host.map(Zeroizing::new)) else { return Ok(None) };
    let has_log = !crate::house::chains(state)?.0.is_empty();
    match Heads::read(state, &HeadsKey::of(&host))? {
        None if has_log => Err(heads::missing(state)),
        known => Ok(known),
    }
}

/// A file of our own that only we may read; made by `make` where it is absent. Two processes that start at once agree on one.
fn own(path: &Path, make: impl FnOnce() -> Result<Zeroizing<Vec<u8>>, Failure>) -> Result<Zeroizing<Vec<u8>>, Failure> {
    if read(path, MAX_KEY)?.is_none() {
        let bytes = make()?;
        let mut scratch = path.as_os_str().to_owned();
        scratch.push(format!(".{}", std::process::id()));
        let scratch = PathBuf::from(scratch);
        let mut file =
            OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).custom_flags(nofollow()).open(&scratch)?;
        file.write_all(&bytes)?;
        file.sync_all()?;
        // A link is made only where nothing is: whoever came first wins, and everyone reads theirs.
        let linked = fs::hard_link(&scratch, path);
        fs::remove_file(&scratch)?;
        if let Err(error) = linked
            && error.kind() != io::ErrorKind::AlreadyExists
        {
            return Err(error.into());
        }
    }
    let mode = fs::symlink_metadata(path)?.mode();
    if mode & 0o077 != 0 {
        return Err(Failure::denied(format!(
            "key-file-mode: others than its owner may read `{0}` (mode {1:o})\nhelp: chmod 600 `{0}`, and consider the key known to others",
            path.display(),
            mode & 0o777
        )));
    }
    let absent = || Failure::failed(format!("`{}` went away while it was read", path.display()));
    read_own(path, MAX_KEY)?.map(Zeroizing::new).ok_or_else(absent)
}
