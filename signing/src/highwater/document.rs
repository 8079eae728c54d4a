//! What the host remembers of keysets and revocation lists: the newest of each, and which keys lists took back.
//!
//! A trust file can be restored from a backup, and a list is whatever lies where it is kept. So a document is no older than the mark;
//! it is missed where there is a mark and none is named; and a list says of keys at least what the one before it said.

use std::{collections::BTreeSet, fmt};

use serde::{Deserialize, Serialize};

use super::HighWater;
use crate::{digest::Digest, key::Fingerprint, keyset::Keyset, manifest::PublisherName, revocation::RevocationList};

/// Versions that a list may be above the newest that this host has seen, or above none: a list a minute for nearly two years. A number
/// near the end of its range would keep every later list out.
pub const MAX_LIST_JUMP: u64 = 1_000_000;

/// The highest version of a publisher's keyset or revocation list that the host has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DocumentMark {
    /// Its number.
    pub version: u64,
    /// The digest of its payload, so that a number is used once.
    pub digest: Digest,
}

impl From<&Keyset> for DocumentMark {
    fn from(keyset: &Keyset) -> Self {
        Self { version: keyset.version(), digest: keyset.digest() }
    }
}

impl From<&RevocationList> for DocumentMark {
    fn from(list: &RevocationList) -> Self {
        Self { version: list.version(), digest: list.digest() }
    }
}

/// What a document is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DocumentKind {
    /// Says which keys speak for a publisher.
    Keyset,
    /// Says what a publisher takes back.
    Revocations,
}

impl fmt::Display for DocumentKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Keyset => "keyset",
            Self::Revocations => "revocation list",
        })
    }
}

/// A document that does not go on from what this host has seen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentRollbackError {
    /// An older document.
    #[error(
        "version {version} of the {document} of `{publisher}` is older than version {mark}, which this host has seen\nhelp: fetch the newest one"
    )]
    Older {
        /// What it is.
        document: DocumentKind,
        /// Whose.
        publisher: PublisherName,
        /// Its version.
        version: u64,
        /// The highest seen.
        mark: u64,
    },
    /// Two documents that claim to be one version.
    #[error(
        "version {version} of the {document} of `{publisher}` is not the one this host knows\nhelp: ask the publisher which one is theirs"
    )]
    Replaced {
        /// What it is.
        document: DocumentKind,
        /// Whose.
        publisher: PublisherName,
        /// The version both claim.
        version: u64,
    },
    /// There was one, and the trust file names none: perhaps it is from before.
    #[error(
        "the trust file names no {document} of `{publisher}`, and this host has seen version {mark}\nhelp: {}",
        let_go(*.document, .publisher)
    )]
    Dropped {
        /// What it is.
        document: DocumentKind,
        /// Whose.
        publisher: PublisherName,
        /// The highest seen.
        mark: u64,
    },
    /// A revocation list whose number leaves too few for later ones.
    #[error(
        "version {version} of the revocation list of `{publisher}` is more than {MAX_LIST_JUMP} above {mark}, the highest that this host has seen\nhelp: ask the publisher for a list whose version follows; one this high would keep every later list out"
    )]
    Jump {
        /// Whose.
        publisher: PublisherName,
        /// Its version.
        version: u64,
        /// The highest seen; 0 where none was.
        mark: u64,
    },
    /// A revocation list that leaves out what one before it said.
    #[error(
        "version {version} of the revocation list of `{publisher}` no longer names the key {key}, which the one before it took back\nhelp: ask the publisher for a list that names it as well; a key that was taken back stays so"
    )]
    KeyDropped {
        /// Whose.
        publisher: PublisherName,
        /// Its version.
        version: u64,
        /// The first key that is missing.
        key: Fingerprint,
    },
    /// A revocation list that stands on keys which one before it took back.
    #[error(
        "version {version} of the revocation list of `{publisher}` has too few signatures without those of keys that the one before it took back\nhelp: ask the publisher for a list that other keys signed"
    )]
    SignersRevoked {
        /// Whose.
        publisher: PublisherName,
        /// Its version.
        version: u64,
    },
}

/// Who can do what where a document is missed.
fn let_go(document: DocumentKind, publisher: &PublisherName) -> String {
    match document {
        DocumentKind::Keyset => format!(
            "put the newest trust file back; or `casemate trust remove {publisher}` lets the keyset go, on record, before `casemate trust add` trusts them anew"
        ),
        DocumentKind::Revocations => format!(
            "`casemate trust revocations {publisher} --from FILE` watches it again; `--none` in place of `--from` lets it go, on record"
        ),
    }
}

impl DocumentRollbackError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        use DocumentKind::{Keyset, Revocations};
        match self {
            Self::Older { document: Keyset, .. } => "keyset-older",
            Self::Older { document: Revocations, .. } => "revocations-older",
            Self::Replaced { document: Keyset, .. } => "keyset-replaced",
            Self::Replaced { document: Revocations, .. } => "revocations-replaced",
            Self::Dropped { document: Keyset, .. } => "keyset-dropped",
            Self::Dropped { document: Revocations, .. } => "revocations-dropped",
            Self::Jump { .. } => "revocations-jump",
            Self::KeyDropped { .. } => "revocations-key-dropped",
            Self::SignersRevoked { .. } => "revocations-signers-revoked",
        }
    }
}

impl HighWater {
    /// The highest keyset accepted of a publisher.
    pub fn keyset(&self, publisher: &PublisherName) -> Option<&DocumentMark> {
        self.keysets.get(publisher)
    }

    /// Whether a keyset is at least the mark, and the same document where it is equal. None is admitted where there was none, and
    /// where the operator let it go.
    pub fn admits_keyset(&self, publisher: &PublisherName, keyset: Option<&DocumentMark>) -> Result<(), DocumentRollbackError> {
        let mark = self.keysets.get(publisher);
        match (keyset, mark) {
            (Some(keyset), mark) => newest(DocumentKind::Keyset, publisher, mark, keyset),
            (None, Some(mark)) if !self.keysets_let_go.contains(publisher) => Err(dropped(DocumentKind::Keyset, publisher, mark)),
            (None, _) => Ok(()),
        }
    }

    /// Remember a keyset that was bound or rotated to. From now on there has to be one.
    pub fn accept_keyset(&mut self, keyset: &Keyset) -> Result<(), DocumentRollbackError> {
        let (publisher, mark) = (keyset.publisher(), DocumentMark::from(keyset));
        self.admits_keyset(publisher, Some(&mark))?;
        self.keysets.insert(publisher.clone(), mark);
        self.keysets_let_go.remove(publisher);
        Ok(())
    }

    /// The highest revocation list accepted of a publisher.
    pub fn revocations(&self, publisher: &PublisherName) -> Option<&DocumentMark> {
        self.revocations.get(publisher)
    }

    /// Whether a revocation list goes on from the newest that was accepted. It is that one; or it is newer, by a version within
    /// [`MAX_LIST_JUMP`], names every key that was named before, and has enough signatures without theirs. None is admitted where
    /// there was none, and where the operator let it go.
    pub fn admits_revocations(
        &self,
        publisher: &PublisherName,
        list: Option<&RevocationList>,
    ) -> Result<(), DocumentRollbackError> {
        let mark = self.revocations.get(publisher);
        match (list, mark) {
            (Some(list), mark) => self.goes_on(publisher, mark, list),
            (None, Some(mark)) if !self.revocations_let_go.contains(publisher) => {
                Err(dropped(DocumentKind::Revocations, publisher, mark))
            }
            (None, _) => Ok(()),
        }
    }

    fn goes_on(
        &self,
        publisher: &PublisherName,
        mark: Option<&DocumentMark>,
        list: &RevocationList,
    ) -> Result<(), DocumentRollbackError> {
        let offered = DocumentMark::from(list);
        newest(DocumentKind::Revocations, publisher, mark, &offered)?;
        // A list may take back the very key that signed it. What was accepted stays so, and the next one needs others.
        if mark == Some(&offered) {
            return Ok(());
        }
        let (publisher, version) = (publisher.clone(), offered.version);
        let mark = mark.map_or(0, |mark| mark.version);
        if version.saturating_sub(mark) > MAX_LIST_JUMP {
            return Err(DocumentRollbackError::Jump { publisher, version, mark });
        }
        let Some(taken_back) = self.revoked_keys.get(&publisher) else { return Ok(()) };
        if let Some(key) = taken_back.iter().find(|key| list.key(key).is_none()) {
            return Err(DocumentRollbackError::KeyDropped { publisher, version, key: *key });
        }
        if !list.stands_without(taken_back) {
            return Err(DocumentRollbackError::SignersRevoked { publisher, version });
        }
        Ok(())
    }

    /// Remember a revocation list that was attached, and every key that it takes back. From now on there has to be one.
    pub fn accept_revocations(&mut self, list: &RevocationList) -> Result<(), DocumentRollbackError> {
        let publisher = &list.fields().publisher;
        self.admits_revocations(publisher, Some(list))?;
        let taken_back = list.keys().copied().collect::<BTreeSet<_>>();
        if !taken_back.is_empty() {
            self.revoked_keys.insert(publisher.clone(), taken_back);
        }
        self.revocations.insert(publisher.clone(), DocumentMark::from(list));
        self.revocations_let_go.remove(publisher);
        Ok(())
    }

    /// Every key that the newest revocation list of a publisher took back.
    pub fn taken_back(&self, publisher: &PublisherName) -> impl Iterator<Item = &Fingerprint> {
        self.revoked_keys.get(publisher).into_iter().flatten()
    }

    /// Let a publisher's revocation list go: it is not missed any more, and what it said of keys is forgotten. The operator's decision.
    /// Its number stays known, so an older list is not taken afterwards.
    pub fn let_list_go(&mut self, publisher: &PublisherName) {
        self.revoked_keys.remove(publisher);
        if self.revocations.contains_key(publisher) {
            self.revocations_let_go.insert(publisher.clone());
        }
    }

    /// Let a publisher go that the operator trusts no more: neither its keyset nor its revocation list is missed. Their numbers stay
    /// known, so older ones are not taken if it is trusted again.
    pub fn let_publisher_go(&mut self, publisher: &PublisherName) {
        self.let_list_go(publisher);
        if self.keysets.contains_key(publisher) {
            self.keysets_let_go.insert(publisher.clone());
        }
    }
}

fn newest(
    document: DocumentKind,
    publisher: &PublisherName,
    mark: Option<&DocumentMark>,
    offered: &DocumentMark,
) -> Result<(), DocumentRollbackError> {
    let version = offered.version;
    match mark {
        Some(mark) if version < mark.version => {
            Err(DocumentRollbackError::Older { document, publisher: publisher.clone(), version, mark: mark.version })
        }
        Some(mark) if version == mark.version && offered.digest != mark.digest => {
            Err(DocumentRollbackError::Replaced { document, publisher: publisher.clone(), version })
        }
        _ => Ok(()),
    }
}

fn dropped(document: DocumentKind, publisher: &PublisherName, mark: &DocumentMark) -> DocumentRollbackError {
    DocumentRollbackError::Dropped { document, publisher: publisher.clone(), mark: mark.version }
}
