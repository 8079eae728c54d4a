//! Who signs: a private key in a file, or one that an ssh agent keeps.

use std::{collections::BTreeSet, env, path::PathBuf};

use casemate_signing::{
    document::Document,
    dsse::{self, Signature},
    key::{Fingerprint, PrivateKey, PublicKey, SIGNATURE_BYTES},
};

use super::key::{Passphrase, private_key, public_key};
use crate::{
    exit::Failure,
    ssh::{Agent, AgentError, Identity},
};

/// Keys of an agent that are named in an error: enough to find the one that was meant.
const SHOWN: usize = 8;

/// The key to sign with.
#[derive(Debug, clap::Args)]
pub struct SigningKey {
    /// The private key.
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
    /// An Ed25519 key that the ssh agent keeps (SSH_AUTH_SOCK): its fingerprint, its comment, or the file of its public half, which
    /// ends in .pub.
    #[arg(long, value_name = "SHA256:…|COMMENT|FILE.pub", conflicts_with_all = ["key", "passphrase_file"])]
    agent: Option<String>,
    #[command(flatten)]
    passphrase: Passphrase,
}

impl SigningKey {
    /// Open the file, or ask the agent for the key.
    pub(crate) fn open(&self) -> Result<Signer, Failure> {
        match (&self.key, &self.agent) {
            (Some(path), _) => Ok(Signer(Kept::File(private_key(path, &self.passphrase)?))),
            (None, Some(wanted)) => {
                let path = env::var_os("SSH_AUTH_SOCK").filter(|path| !path.is_empty()).ok_or_else(|| {
                    Failure::invalid(
                        "SSH_AUTH_SOCK is not set\nhelp: eval \"$(ssh-agent)\" starts an agent, ssh-add gives it a key",
                    )
                })?;
                let mut agent = Agent::connect(path.as_ref())?;
                let key = choose(wanted, &agent.identities()?)?;
                Ok(Signer(Kept::Agent(agent, Box::new(key))))
            }
            (None, None) => Err(Failure::invalid("there is no key to sign with\nhelp: --key FILE, or --agent")),
        }
    }
}

/// A key that signs. What it signed is verified before anyone sees it.
pub(crate) struct Signer(Kept);

enum Kept {
    File(PrivateKey),
    Agent(Agent, Box<PublicKey>),
}

impl Signer {
    /// Its public half.
    pub(crate) fn public_key(&self) -> PublicKey {
        match &self.0 {
            Kept::File(key) => key.public_key(),
            Kept::Agent(_, key) => PublicKey::clone(key),
        }
    }

    /// Sign a payload as what its type says.
    pub(crate) fn sign(&mut self, payload_type: &str, payload: &[u8]) -> Result<Signature, Failure> {
        let bytes = self.signature(&dsse::pae(payload_type, payload))?;
        Ok(Signature { key_id: Some(self.public_key().fingerprint().to_string()), bytes })
    }

    /// Add a signature to those of a document. One key signs once, whatever the signatures there are said to be by.
    pub(crate) fn add_to(&mut self, document: &mut Document, payload_type: &str) -> Result<(), Failure> {
        let key = self.public_key();
        if !document.signers([&key]).is_empty() {
            return Err(Failure::denied(format!("{} has signed it already", key.fingerprint())));
        }
        let signature = self.sign(payload_type, document.payload())?;
        Ok(document.add_signature(signature)?)
    }

    fn signature(&mut self, message: &[u8]) -> Result<[u8; SIGNATURE_BYTES], Failure> {
        match &mut self.0 {
            Kept::File(key) => Ok(key.sign(message)),
            Kept::Agent(agent, key) => agent.sign(key, message).map_err(|error| match error {
                AgentError::Refused(_) | AgentError::Lied(_) => Failure::denied(error),
                _ => Failure::failed(error),
            }),
        }
    }
}

/// The one key that was meant: two under one comment are told apart by their fingerprints.
fn choose(wanted: &str, identities: &[Identity]) -> Result<PublicKey, Failure> {
    // Our fingerprint, and the one that ssh-add prints: both are digests of the same key.
    let by_fingerprint =
        |identity: &&Identity| identity.key.fingerprint().to_string() == wanted || identity.ssh_fingerprint() == wanted;
    let mut found: Vec<&PublicKey> = if wanted.starts_with("SHA256:") {
        identities.iter().filter(by_fingerprint).map(|identity| &identity.key).collect()
    } else if wanted.ends_with(".pub") {
        let key = public_key(wanted.as_ref())?;
        identities.iter().map(|identity| &identity.key).filter(|other| **other == key).collect()
    } else {
        identities.iter().filter(|identity| identity.comment == wanted).map(|identity| &identity.key).collect()
    };
    // Some agents list a key once for each way in which it was added.
    let mut seen = BTreeSet::new();
    found.retain(|key| seen.insert(key.fingerprint()));
    match found.as_slice() {
        [key] => Ok((*key).clone()),
        [] => Err(Failure::invalid(format!("the ssh agent keeps no Ed25519 key `{wanted}`\nhelp: {}", kept(identities)))),
        several => {
            let fingerprints: Vec<Fingerprint> = several.iter().map(|key| key.fingerprint()).collect();
            Err(Failure::invalid(format!(
                "the ssh agent keeps {} keys with the comment `{wanted}`\nhelp: name one by its fingerprint: {}",
                several.len(),
                join(fingerprints.iter())
            )))
        }
    }
}

fn kept(identities: &[Identity]) -> String {
    match identities.len() {
        0 => "ssh-add FILE gives it one; only `ssh-ed25519` keys sign here".to_owned(),
        _ => format!(
            "it keeps {}",
            join(identities.iter().map(|identity| format!("{} ({})", identity.key.fingerprint(), identity.comment)))
        ),
    }
}

fn join(items: impl Iterator<Item = impl ToString>) -> String {
    items.take(SHOWN).map(|item| item.to_string()).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
#[expect(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    fn identity(seed: u8, comment: &str) -> Identity {
        Identity { key: PrivateKey::from_seed(&[seed; 32]).public_key(), comment: comment.to_owned() }
    }

    fn check(wanted: &str, expected: Result<u8, &str>) {
        let kept = [identity(1, "dana"), identity(2, "dana"), identity(3, "kim"), identity(3, "kim")];
        match (choose(wanted, &kept), expected) {
            (Ok(key), Ok(seed)) => assert_eq!(key, identity(seed, "").key, "{wanted}"),
            (Err(failure), Err(words)) => assert!(failure.message.contains(words), "{wanted}: {}", failure.message),
            (chosen, expected) => panic!("{wanted}: {chosen:?} and not {expected:?}"),
        }
    }

    #[test]
    fn a_key_is_chosen_by_fingerprint_comment_or_public_half() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("two.pub");
        std::fs::write(&path, identity(2, "").key.to_pem().unwrap()).unwrap();
        check(&identity(1, "").key.fingerprint().to_string(), Ok(1));
        check(&identity(2, "").ssh_fingerprint(), Ok(2));
        check(path.to_str().unwrap(), Ok(2));
        // Listed twice, and still one key.
        check("kim", Ok(3));
    }

    #[test]
    fn a_name_for_none_or_several_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("nine.pub");
        std::fs::write(&path, identity(9, "").key.to_pem().unwrap()).unwrap();
        check("dana", Err("2 keys with the comment"));
        check("dan", Err("keeps no Ed25519 key `dan`"));
        check("", Err("keeps no Ed25519 key ``"));
        check(&identity(9, "").key.fingerprint().to_string(), Err("keeps no Ed25519 key"));
        check(path.to_str().unwrap(), Err("keeps no Ed25519 key"));
        check("nowhere.pub", Err("`nowhere.pub` cannot be read"));
    }
}
