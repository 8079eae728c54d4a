//! Revocation lists: what a publisher takes back of what it signed, and why.
//!
//! A list is its publisher's own and reaches nobody else's packages. Lists are numbered, and they expire: a host that is
//! kept from fetching the newest one notices. What a list says of a key stays said: the lists after it name that key too, or are
//! refused ([`crate::highwater::HighWater::admits_revocations`]).

mod error;
mod quorum;

use std::collections::BTreeSet;

pub use error::RevocationError;
pub(crate) use quorum::Quorum;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    document::{self, Document, moment},
    dsse::Signature,
    key::{Fingerprint, PrivateKey, PublicKey},
    manifest::{PluginId, PublisherName, text},
    time::Timestamp,
};

/// What the envelope says its payload is.
pub const PAYLOAD_TYPE: &str = "application/vnd.casemate.revocations.v1+json";
/// Entries of a list; as many as a payload holds.
pub const MAX_ENTRIES: usize = 1000;
/// Characters of a reason.
pub const MAX_REASON: usize = 200;

/// The fields of a revocation list, in the order they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RevocationDraft {
    /// Whose list it is.
    pub publisher: PublisherName,
    /// From 1, higher each time.
    pub version: u64,
    /// When it was made, for people.
    #[serde(with = "moment")]
    pub issued: Timestamp,
    /// From then on the publisher's packages are refused until there is a newer list.
    #[serde(with = "moment")]
    pub expires: Timestamp,
    /// What is taken back: keys, then releases, then components.
    pub entries: Vec<Entry>,
}

/// One thing taken back.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Entry {
    /// Everything a key signed.
    Key(KeyEntry),
    /// One release of one plugin.
    Release(ReleaseEntry),
    /// One component, in whatever release.
    Component(ComponentEntry),
}

/// `{"key":"SHA256:…","reason":"…"}`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeyEntry {
    /// Which key.
    pub key: Fingerprint,
    /// Why, in one line of plain text.
    pub reason: String,
}

/// `{"plugin":"acme/scanner","release":3,"reason":"…"}`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReleaseEntry {
    /// Which plugin.
    pub plugin: PluginId,
    /// Which release.
    pub release: u64,
    /// Why, in one line of plain text.
    pub reason: String,
}

/// `{"component":"sha256:…","reason":"…"}`
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ComponentEntry {
    /// Which bytes.
    pub component: Digest,
    /// Why, in one line of plain text.
    pub reason: String,
}

impl Entry {
    fn reason(&self) -> &str {
        match self {
            Self::Key(KeyEntry { reason, .. })
            | Self::Release(ReleaseEntry { reason, .. })
            | Self::Component(ComponentEntry { reason, .. }) => reason,
        }
    }

    /// Whether both take the same thing back.
    fn is_about_the_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Key(one), Self::Key(two)) => one.key == two.key,
            (Self::Release(one), Self::Release(two)) => (&one.plugin, one.release) == (&two.plugin, two.release),
            (Self::Component(one), Self::Component(two)) => one.component == two.component,
            _ => false,
        }
    }
}

impl RevocationDraft {
    /// The bytes to sign, if the rules hold. The order of the entries does not matter here.
    pub fn to_payload(&self) -> Result<Vec<u8>, RevocationError> {
        let mut fields = self.clone();
        fields.entries.sort();
        fields.check()?;
        Ok(document::to_payload(&fields))
    }

    /// Read a payload: its one spelling, and every rule.
    pub fn from_payload(payload: &[u8]) -> Result<Self, RevocationError> {
        let fields: Self = document::fields(payload)?;
        fields.check()?;
        Ok(fields)
    }

    fn check(&self) -> Result<(), RevocationError> {
        if self.version == 0 {
            return Err(RevocationError::VersionZero);
        }
        if self.expires <= self.issued {
            return Err(RevocationError::Dates { issued: self.issued, expires: self.expires });
        }
        if self.entries.len() > MAX_ENTRIES {
            return Err(RevocationError::TooManyEntries);
        }
        for entry in &self.entries {
            text::line(entry.reason(), MAX_REASON)?;
            if let Entry::Release(ReleaseEntry { plugin, .. }) = entry
                && plugin.publisher != self.publisher
            {
                return Err(RevocationError::ForeignPlugin { publisher: self.publisher.clone(), plugin: plugin.clone() });
            }
        }
        let pairs = self.entries.iter().zip(self.entries.iter().skip(1));
        let ordered = pairs.into_iter().all(|(one, two)| one < two && !one.is_about_the_same(two));
        if ordered { Ok(()) } else { Err(RevocationError::Order) }
    }
}

/// A list that enough of those who may revoke have signed.
///
/// Of a publisher with a keyset these are as many keys of its role `revoke` as that role's threshold.
///
/// Of a publisher whose keys the operator enrolled one by one they are any of those keys, as long as **every environment that the
/// publisher is trusted in is served by one of the keys that signed**: a list counts everywhere at once, so a key that serves `dev`
/// alone says nothing of `prod`. One key that serves all of them is enough, and so are several that do so together.
///
/// A key that was taken back signs nothing. It still says where the publisher is trusted: taking a key back gives no other key more
/// to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationList {
    fields: RevocationDraft,
    digest: Digest,
    signers: BTreeSet<Fingerprint>,
    quorum: Quorum,
}

impl RevocationList {
    /// Read a list that enough of `keys` signed. Nothing of the payload is parsed before.
    pub(crate) fn open<'k>(
        file: &[u8],
        publisher: &PublisherName,
        keys: impl IntoIterator<Item = &'k PublicKey>,
        quorum: Quorum,
    ) -> Result<Self, RevocationError> {
        let document = Document::parse(file, PAYLOAD_TYPE)?;
        let signers = document.signers(keys);
        quorum.is_met_by(&signers)?;
        let fields = RevocationDraft::from_payload(document.payload())?;
        if fields.publisher != *publisher {
            return Err(RevocationError::Publisher { expected: publisher.clone(), actual: fields.publisher });
        }
        Ok(Self { fields, digest: Digest::of(document.payload()), signers, quorum })
    }

    /// Whether enough signed it if what these keys signed does not count.
    pub(crate) fn stands_without(&self, taken_back: &BTreeSet<Fingerprint>) -> bool {
        self.quorum.is_met_by(&self.signers.difference(taken_back).copied().collect()).is_ok()
    }

    /// Everything it states.
    pub fn fields(&self) -> &RevocationDraft {
        &self.fields
    }

    /// From 1, higher each time.
    pub fn version(&self) -> u64 {
        self.fields.version
    }

    /// The digest of its payload.
    pub fn digest(&self) -> Digest {
        self.digest
    }

    /// From then on it says nothing about what is still good.
    pub fn expires(&self) -> Timestamp {
        self.fields.expires
    }

    /// Whether it has expired.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.fields.expires <= now
    }

    /// Every key that it takes back.
    pub fn keys(&self) -> impl Iterator<Item = &Fingerprint> {
        self.fields.entries.iter().filter_map(|entry| match entry {
            Entry::Key(entry) => Some(&entry.key),
            _ => None,
        })
    }

    /// Why a key was taken back, if it was.
    pub fn key(&self, key: &Fingerprint) -> Option<&str> {
        self.fields.entries.iter().find_map(|entry| match entry {
            Entry::Key(entry) if entry.key == *key => Some(entry.reason.as_str()),
            _ => None,
        })
    }

    /// Why a release was taken back, if it was.
    pub fn release(&self, plugin: &PluginId, release: u64) -> Option<&str> {
        self.fields.entries.iter().find_map(|entry| match entry {
            Entry::Release(entry) if entry.plugin == *plugin && entry.release == release => Some(entry.reason.as_str()),
            _ => None,
        })
    }

    /// Why a component was taken back, if it was.
    pub fn component(&self, component: &Digest) -> Option<&str> {
        self.fields.entries.iter().find_map(|entry| match entry {
            Entry::Component(entry) if entry.component == *component => Some(entry.reason.as_str()),
            _ => None,
        })
    }
}

/// Sign a payload that [`RevocationDraft::to_payload`] wrote.
pub fn sign(payload: &[u8], key: &PrivateKey) -> Signature {
    document::sign(PAYLOAD_TYPE, payload, key)
}

/// A document around a payload, for [`Document::add_signature`].
pub fn unsigned(payload: Vec<u8>) -> Document {
    Document::unsigned(PAYLOAD_TYPE, payload)
}

/// A list that others have signed already, to be shown or signed again. Its signatures are not verified.
pub fn read(file: &[u8]) -> Result<(RevocationDraft, Document), RevocationError> {
    let document = Document::parse(file, PAYLOAD_TYPE)?;
    Ok((RevocationDraft::from_payload(document.payload())?, document))
}

#[cfg(test)]
mod tests;
