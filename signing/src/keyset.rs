//! Keyset documents: which keys speak for a publisher, in which role, and how many of them it takes.
//!
//! A chain of documents: the first is known by a fingerprint that the operator was given by another way, and each next one
//! is signed by the thresholds of the one before and of its own, as a root of The Update Framework is (TUF 1.0.33, 5.3.4).
//! So whoever steals fewer keys than a threshold changes nothing.

mod draft;
mod error;

use std::collections::BTreeSet;

pub use draft::{KeysetDraft, KeysetKey, MAX_REVOKED, Role, RoleKeys, Roles};
pub use error::KeysetError;
pub(crate) use error::unsigned_by;

use crate::{
    digest::Digest,
    document::{self, Document},
    dsse::Signature,
    key::{Fingerprint, PrivateKey, PublicKey},
    manifest::PublisherName,
    time::Timestamp,
};

/// What the envelope says its payload is.
pub const PAYLOAD_TYPE: &str = "application/vnd.casemate.keyset.v1+json";

/// A keyset whose own keys signed it. Where it comes from is [`Keyset::first`]'s and [`Keyset::rotate`]'s to establish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keyset {
    fields: KeysetDraft,
    digest: Digest,
}

impl Keyset {
    /// The document an operator begins with, whatever its version: the one whose fingerprint they were given.
    pub fn first(file: &[u8], expected: &Fingerprint) -> Result<Self, KeysetError> {
        let document = Document::parse(file, PAYLOAD_TYPE)?;
        let actual = Fingerprint::of(document.payload());
        if actual != *expected {
            return Err(KeysetError::Fingerprint { expected: *expected, actual });
        }
        Self::own(&document)
    }

    /// The document that a trust file pins.
    pub fn pinned(file: &[u8], version: u64, digest: &Digest) -> Result<Self, KeysetError> {
        let document = Document::parse(file, PAYLOAD_TYPE)?;
        let actual = Digest::of(document.payload());
        if actual != *digest {
            return Err(KeysetError::NotPinned { expected: *digest, actual });
        }
        let keyset = Self::own(&document)?;
        if keyset.version() != version {
            return Err(KeysetError::Version { expected: version, actual: keyset.version() });
        }
        Ok(keyset)
    }

    /// The next document. This one may have expired: a publisher that was late can still go on. Keys that were taken back otherwise,
    /// by the operator or by a list, count for neither.
    pub fn rotate(&self, file: &[u8], revoked: &BTreeSet<Fingerprint>, now: Timestamp) -> Result<Self, KeysetError> {
        let document = Document::parse(file, PAYLOAD_TYPE)?;
        // Only what this document's keys signed is parsed.
        self.signed_by_threshold(&document, revoked)?;
        let next = Self::own(&document)?;
        next.signed_by_threshold(&document, revoked)?;
        if next.publisher() != self.publisher() {
            return Err(KeysetError::Publisher { expected: self.publisher().clone(), actual: next.publisher().clone() });
        }
        if self.version().checked_add(1) != Some(next.version()) {
            return Err(KeysetError::NotNext { current: self.version(), version: next.version() });
        }
        if next.fields.previous != Some(self.digest) {
            return Err(KeysetError::Previous { version: next.version() });
        }
        if next.is_expired(now) {
            return Err(KeysetError::Expired { version: next.version(), expires: next.expires() });
        }
        Ok(next)
    }

    /// A document that obeys the rules and is signed by its own threshold.
    fn own(document: &Document) -> Result<Self, KeysetError> {
        let fields = KeysetDraft::from_payload(document.payload())?;
        let keyset = Self { fields, digest: Digest::of(document.payload()) };
        keyset.signed_by_threshold(document, &BTreeSet::new())?;
        Ok(keyset)
    }

    fn signed_by_threshold(&self, document: &Document, revoked: &BTreeSet<Fingerprint>) -> Result<(), KeysetError> {
        let role = self.role(Role::Keyset);
        let usable = self.role_keys(Role::Keyset).filter(|key| !revoked.contains(&key.fingerprint()));
        let counted = document.signers(usable);
        if (counted.len() as u64) < role.threshold {
            let missing = role.keys.difference(&counted).copied().collect();
            return Err(KeysetError::Signatures {
                version: self.version(),
                counted: counted.len(),
                threshold: role.threshold,
                missing,
            });
        }
        Ok(())
    }

    /// Everything it states.
    pub fn fields(&self) -> &KeysetDraft {
        &self.fields
    }

    /// Whose keys these are.
    pub fn publisher(&self) -> &PublisherName {
        &self.fields.publisher
    }

    /// From 1, one higher each time.
    pub fn version(&self) -> u64 {
        self.fields.version
    }

    /// From then on no package is loaded by it.
    pub fn expires(&self) -> Timestamp {
        self.fields.expires
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.fields.expires <= now
    }

    /// The digest of its payload, as trust files and the next document have it.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// What people compare: the same digest in the form of a key's fingerprint.
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint::from_digest(&self.digest)
    }

    /// Who may act in a role, and how many of them it takes.
    pub fn role(&self, role: Role) -> &RoleKeys {
        self.fields.roles.of(role)
    }

    /// The keys of a role.
    pub(crate) fn role_keys(&self, role: Role) -> impl Iterator<Item = &PublicKey> {
        let members: &BTreeSet<Fingerprint> = &self.role(role).keys;
        self.fields.keys.iter().map(|key| &key.key).filter(|key| members.contains(&key.fingerprint()))
    }

    /// The payload it was read from.
    pub fn to_payload(&self) -> Vec<u8> {
        document::to_payload(&self.fields)
    }
}

/// Sign a payload that [`KeysetDraft::to_payload`] wrote.
pub fn sign(payload: &[u8], key: &PrivateKey) -> Signature {
    document::sign(PAYLOAD_TYPE, payload, key)
}

/// A document around a payload, for [`Document::add_signature`].
pub fn unsigned(payload: Vec<u8>) -> Document {
    Document::unsigned(PAYLOAD_TYPE, payload)
}

/// A document that others have signed already, to be shown or signed again. Its signatures are not verified.
pub fn read(file: &[u8]) -> Result<(KeysetDraft, Document), KeysetError> {
    let document = Document::parse(file, PAYLOAD_TYPE)?;
    Ok((KeysetDraft::from_payload(document.payload())?, document))
}

#[cfg(test)]
mod tests;
