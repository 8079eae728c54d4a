//! What the host remembers of releases, keysets, revocation lists and approvals, under a MAC of the host's own key.
//!
//! The lock file is the operator's and can be restored from a backup; this cannot be written without the host's key,
//! so restoring an old lock file does not bring back an old release. Whoever can put back an old copy of this state
//! as well has the host user's rights and is outside what a MAC can tell.

use std::collections::BTreeMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    approval::Approval,
    diff::Renewal,
    digest::Digest,
    keyset::Keyset,
    manifest::{PluginId, PublisherName},
    package::Verified,
    revocation::RevocationList,
    strict_json::{self, StrictJsonError},
};

/// Bytes of the state. A plugin takes about one KiB.
pub const MAX_STATE: usize = 16 * 1024 * 1024;
/// Bytes of a host key.
pub const HOST_KEY_BYTES: usize = 32;

/// First line of the state, before the MAC; part of what is authenticated.
const HEADER: &[u8] = b"casemate-state-v1";
const HEX_MAC: usize = 64;

/// The host's own key. Wiped when dropped, never printed.
pub struct HostKey(Zeroizing<[u8; HOST_KEY_BYTES]>);

impl HostKey {
    /// From the bytes of the host's key file.
    pub fn from_bytes(bytes: &[u8; HOST_KEY_BYTES]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    fn mac(&self, state: &[u8]) -> Hmac<Sha256> {
        #[expect(clippy::expect_used, reason = "HMAC takes keys of any length (RFC 2104)")]
        let mut mac = Hmac::<Sha256>::new_from_slice(self.0.as_slice()).expect("HMAC key");
        mac.update(HEADER);
        mac.update(b"\n");
        mac.update(state);
        mac
    }
}

/// Why the state is not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StateError {
    /// More than [`MAX_STATE`] bytes.
    #[error("the host's state is larger than {MAX_STATE} bytes")]
    TooLarge,
    /// No header, or no MAC.
    #[error("the host's state is not authenticated")]
    NotAuthenticated,
    /// Somebody else wrote it, or changed it.
    #[error(
        "the host's state was changed by something other than this host\nhelp: find out by what; installing anew needs every approval again"
    )]
    Tampered,
    /// Not strict JSON.
    #[error("the host's state is not strict JSON: {0}")]
    Json(#[from] StrictJsonError),
    /// JSON of another shape.
    #[error("the host's state does not have the fields this program reads")]
    Shape,
}

/// A release lower than the host has seen, or another one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollbackError {
    /// An older release.
    #[error(
        "release {release} of `{plugin}` is older than release {mark}, which this host has seen\nhelp: publish a new release with a higher number"
    )]
    Older {
        /// Which plugin.
        plugin: PluginId,
        /// Its release.
        release: u64,
        /// The highest seen.
        mark: u64,
    },
    /// Two packages that claim to be one release.
    #[error(
        "release {release} of `{plugin}` is not the package this host knows as release {release}\nhelp: ask the publisher which one is theirs"
    )]
    Replaced {
        /// Which plugin.
        plugin: PluginId,
        /// The release both claim.
        release: u64,
    },
}

/// The highest release of a plugin that the host has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Its number.
    pub release: u64,
    /// The digest of its statement, so that a number is used once.
    pub statement: Digest,
}

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

/// A document that the host has seen a newer one of, or another one with the same number.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DocumentRollbackError {
    /// An older document.
    #[error(
        "version {version} of the {document} of `{publisher}` is older than version {mark}, which this host has seen\nhelp: fetch the newest one"
    )]
    Older {
        /// What it is.
        document: &'static str,
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
        document: &'static str,
        /// Whose.
        publisher: PublisherName,
        /// The version both claim.
        version: u64,
    },
}

/// Why an agreement does not carry over to a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenewError {
    /// An old release, or a second one with its number.
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    /// The comparison is of other packages than these.
    #[error("what was compared is not what was agreed to for `{0}`\nhelp: `casemate install` shows what it asks for")]
    OtherAgreement(PluginId),
}

/// Release and version marks, exceptions, and approvals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HighWater {
    marks: BTreeMap<PluginId, Mark>,
    approvals: BTreeMap<PluginId, Approval>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    exceptions: BTreeMap<PluginId, Mark>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    keysets: BTreeMap<PublisherName, DocumentMark>,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    revocations: BTreeMap<PublisherName, DocumentMark>,
}

impl HighWater {
    /// The state of a host that has accepted nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Read the state, if this host's key wrote it. Nothing is parsed before the MAC is checked.
    pub fn open(bytes: &[u8], key: &HostKey) -> Result<Self, StateError> {
        if bytes.len() > MAX_STATE {
            return Err(StateError::TooLarge);
        }
        let rest = bytes.strip_prefix(HEADER).and_then(|rest| rest.strip_prefix(b" ")).ok_or(StateError::NotAuthenticated)?;
        let (mac, rest) = rest.split_at_checked(HEX_MAC).ok_or(StateError::NotAuthenticated)?;
        let state = rest.strip_prefix(b"\n").ok_or(StateError::NotAuthenticated)?;
        let mac = std::str::from_utf8(mac).ok().and_then(|mac| Digest::from_hex(mac).ok()).ok_or(StateError::NotAuthenticated)?;
        key.mac(state).verify_slice(mac.as_bytes()).map_err(|_| StateError::Tampered)?;
        let value = strict_json::parse(state)?;
        serde_json::from_value(value).map_err(|_| StateError::Shape)
    }

    /// The state with its MAC, as [`HighWater::open`] reads it.
    pub fn seal(&self, key: &HostKey) -> Vec<u8> {
        let state = serde_json::json!(self).to_string();
        let mac = Digest::from_mac(key.mac(state.as_bytes()).finalize().into_bytes().into());
        [HEADER, b" ", mac.to_hex().as_bytes(), b"\n", state.as_bytes()].concat()
    }

    /// The highest release accepted of a plugin.
    pub fn mark(&self, plugin: &PluginId) -> Option<&Mark> {
        self.marks.get(plugin)
    }

    /// What was agreed to of a plugin.
    pub fn approval(&self, plugin: &PluginId) -> Option<&Approval> {
        self.approvals.get(plugin)
    }

    /// The one older package of a plugin that the operator allowed in spite of the mark.
    pub fn exception(&self, plugin: &PluginId) -> Option<&Mark> {
        self.exceptions.get(plugin)
    }

    /// Whether a release is at least the mark, and the same package where it is equal; or the one allowed in spite of it.
    pub fn admits(&self, plugin: &PluginId, release: u64, statement: &Digest) -> Result<(), RollbackError> {
        if self.exceptions.get(plugin).is_some_and(|allowed| allowed.release == release && allowed.statement == *statement) {
            return Ok(());
        }
        match self.marks.get(plugin) {
            Some(mark) if release < mark.release => {
                Err(RollbackError::Older { plugin: plugin.clone(), release, mark: mark.release })
            }
            Some(mark) if release == mark.release && *statement != mark.statement => {
                Err(RollbackError::Replaced { plugin: plugin.clone(), release })
            }
            _ => Ok(()),
        }
    }

    /// Remember that a person agreed to what this package may do, and that its release was accepted.
    pub fn accept(&mut self, package: &Verified) -> Result<(), RollbackError> {
        let plugin = package.id();
        let mark = mark_of(package);
        self.admits(plugin, mark.release, &mark.statement)?;
        if self.exceptions.get(plugin).is_some_and(|allowed| allowed.release < mark.release) {
            self.exceptions.remove(plugin);
        }
        // An exception is used without lowering the mark.
        if self.marks.get(plugin).is_none_or(|known| known.release < mark.release) {
            self.marks.insert(plugin.clone(), mark);
        }
        self.approvals.insert(plugin.clone(), package.approval().clone());
        Ok(())
    }

    /// Accept a newer release without asking anybody: the comparison proved that it asks for nothing that was not agreed to.
    pub fn renew(&mut self, package: &Verified, renewal: &Renewal) -> Result<(), RenewError> {
        let plugin = package.id();
        let agreed = self.approvals.get(plugin);
        if renewal.plugin() != plugin || agreed != Some(renewal.installed()) || package.approval() != renewal.candidate() {
            return Err(RenewError::OtherAgreement(plugin.clone()));
        }
        Ok(self.accept(package)?)
    }

    /// Allow exactly this package in spite of a newer release's mark, until a newer one is accepted. The operator's decision;
    /// what it asks for needs an agreement as ever.
    pub fn danger_allow_rollback(&mut self, package: &Verified) {
        self.exceptions.insert(package.id().clone(), mark_of(package));
    }

    /// The highest keyset accepted of a publisher.
    pub fn keyset(&self, publisher: &PublisherName) -> Option<&DocumentMark> {
        self.keysets.get(publisher)
    }

    /// Whether a keyset is at least the mark, and the same document where it is equal.
    pub fn admits_keyset(&self, publisher: &PublisherName, keyset: &DocumentMark) -> Result<(), DocumentRollbackError> {
        admits_document("keyset", publisher, self.keysets.get(publisher), keyset)
    }

    /// Remember a keyset that was bound or rotated to.
    pub fn accept_keyset(&mut self, keyset: &Keyset) -> Result<(), DocumentRollbackError> {
        let mark = DocumentMark::from(keyset);
        self.admits_keyset(keyset.publisher(), &mark)?;
        self.keysets.insert(keyset.publisher().clone(), mark);
        Ok(())
    }

    /// The highest revocation list accepted of a publisher.
    pub fn revocations(&self, publisher: &PublisherName) -> Option<&DocumentMark> {
        self.revocations.get(publisher)
    }

    /// Whether a revocation list is at least the mark, and the same document where it is equal.
    pub fn admits_revocations(&self, publisher: &PublisherName, list: &DocumentMark) -> Result<(), DocumentRollbackError> {
        admits_document("revocation list", publisher, self.revocations.get(publisher), list)
    }

    /// Remember a revocation list that was attached.
    pub fn accept_revocations(&mut self, list: &RevocationList) -> Result<(), DocumentRollbackError> {
        let mark = DocumentMark::from(list);
        let publisher = &list.fields().publisher;
        self.admits_revocations(publisher, &mark)?;
        self.revocations.insert(publisher.clone(), mark);
        Ok(())
    }

    /// Take an approval back, and with it an exception. The release mark stays: removing a plugin does not allow an old release of it.
    pub fn withdraw(&mut self, plugin: &PluginId) -> Option<Approval> {
        self.exceptions.remove(plugin);
        self.approvals.remove(plugin)
    }
}

fn mark_of(package: &Verified) -> Mark {
    Mark { release: package.manifest().plugin.release, statement: *package.statement_digest() }
}

fn admits_document(
    document: &'static str,
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

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    fn key() -> HostKey {
        HostKey::from_bytes(&[5; HOST_KEY_BYTES])
    }

    fn state() -> HighWater {
        let plugin: PluginId = "acme/emulator".parse().unwrap();
        let mark = Mark { release: 7, statement: Digest::of(b"seven") };
        let approval =
            Approval { capabilities: Digest::of(b"all"), tools: [("start".parse().unwrap(), Digest::of(b"text"))].into() };
        HighWater { marks: [(plugin.clone(), mark)].into(), approvals: [(plugin, approval)].into(), ..HighWater::new() }
    }

    #[test]
    fn what_is_sealed_is_opened_by_the_same_key_only() {
        let sealed = state().seal(&key());
        assert_eq!(HighWater::open(&sealed, &key()), Ok(state()));
        let other = HostKey::from_bytes(&[6; HOST_KEY_BYTES]);
        assert_eq!(HighWater::open(&sealed, &other), Err(StateError::Tampered));
    }

    #[test]
    fn any_changed_byte_is_noticed() {
        let sealed = state().seal(&key());
        for at in 0..sealed.len() {
            for bit in 0..8 {
                let mut changed = sealed.clone();
                if let Some(byte) = changed.get_mut(at) {
                    *byte ^= 1 << bit;
                }
                let opened = HighWater::open(&changed, &key());
                assert!(matches!(opened, Err(StateError::NotAuthenticated | StateError::Tampered)), "byte {at} bit {bit}");
            }
        }
        for length in 0..sealed.len() {
            assert!(HighWater::open(sealed.get(..length).unwrap(), &key()).is_err(), "{length} bytes");
        }
        assert_eq!(HighWater::open(&[&sealed[..], b" "].concat(), &key()), Err(StateError::Tampered));
    }

    #[test]
    fn a_state_without_a_mac_is_refused() {
        let state = serde_json::to_vec(&state()).unwrap();
        assert_eq!(HighWater::open(&state, &key()), Err(StateError::NotAuthenticated));
        assert_eq!(HighWater::open(b"", &key()), Err(StateError::NotAuthenticated));
        let zero = [HEADER, b" ", "0".repeat(HEX_MAC).as_bytes(), b"\n", &state].concat();
        assert_eq!(HighWater::open(&zero, &key()), Err(StateError::Tampered));
    }

    #[test]
    fn an_authentic_state_of_another_shape_is_refused() {
        let seal = |state: &str| {
            let mac = Digest::from_mac(key().mac(state.as_bytes()).finalize().into_bytes().into());
            [HEADER, b" ", mac.to_hex().as_bytes(), b"\n", state.as_bytes()].concat()
        };
        assert_eq!(HighWater::open(&seal("{}"), &key()), Err(StateError::Shape));
        assert_eq!(HighWater::open(&seal(r#"{"marks":{},"approvals":{},"extra":1}"#), &key()), Err(StateError::Shape));
        assert!(matches!(HighWater::open(&seal("{"), &key()), Err(StateError::Json(_))));
    }

    /// What hosts wrote before there were exceptions and marks of documents.
    #[test]
    fn a_state_without_the_newer_fields_is_opened() {
        let seal = |state: &str| {
            let mac = Digest::from_mac(key().mac(state.as_bytes()).finalize().into_bytes().into());
            [HEADER, b" ", mac.to_hex().as_bytes(), b"\n", state.as_bytes()].concat()
        };
        let old = seal(r#"{"marks":{},"approvals":{}}"#);
        assert_eq!(HighWater::open(&old, &key()), Ok(HighWater::new()));
        assert_eq!(HighWater::new().seal(&key()), old, "and is written as before while there is nothing new in it");
        let publisher: PublisherName = "acme".parse().unwrap();
        let mark = DocumentMark { version: 3, digest: Digest::of(b"three") };
        let new = HighWater {
            exceptions: [("acme/emulator".parse().unwrap(), Mark { release: 6, statement: Digest::of(b"six") })].into(),
            keysets: [(publisher.clone(), mark.clone())].into(),
            revocations: [(publisher.clone(), mark.clone())].into(),
            ..state()
        };
        assert_eq!(HighWater::open(&new.seal(&key()), &key()), Ok(new.clone()));
        assert_eq!((new.keyset(&publisher), new.revocations(&publisher)), (Some(&mark), Some(&mark)));
    }

    #[test]
    fn releases_only_rise() {
        let plugin: PluginId = "acme/emulator".parse().unwrap();
        let (seven, other) = (Digest::of(b"seven"), Digest::of(b"other"));
        let state = state();
        assert_eq!(state.admits(&plugin, 7, &seven), Ok(()));
        assert_eq!(state.admits(&plugin, 8, &other), Ok(()));
        assert_eq!(state.admits(&"acme/unseen".parse().unwrap(), 1, &other), Ok(()));
        assert!(matches!(state.admits(&plugin, 6, &seven), Err(RollbackError::Older { mark: 7, .. })));
        assert!(matches!(state.admits(&plugin, 7, &other), Err(RollbackError::Replaced { .. })));
    }

    #[test]
    fn withdrawing_an_approval_keeps_the_mark() {
        let plugin: PluginId = "acme/emulator".parse().unwrap();
        let mut state = state();
        assert!(state.withdraw(&plugin).is_some());
        assert!(state.approval(&plugin).is_none() && state.mark(&plugin).is_some());
    }
}
