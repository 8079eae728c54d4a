//! What the host remembers of releases, keysets, revocation lists and approvals, under a MAC of the host's own key.
//!
//! The lock file is the operator's and can be restored from a backup; this cannot be written without the host's key,
//! so restoring an old lock file does not bring back an old release. Whoever can put back an old copy of this state
//! as well has the host user's rights and is outside what a MAC can tell.

mod document;

use std::collections::{BTreeMap, BTreeSet};

pub use document::{DocumentKind, DocumentMark, DocumentRollbackError, MAX_LIST_JUMP};
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::{
    approval::Approval,
    diff::Renewal,
    digest::Digest,
    key::Fingerprint,
    lock::LockFile,
    manifest::{PluginId, PublisherName},
    package::Verified,
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

impl RollbackError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Older { .. } => "release-older",
            Self::Replaced { .. } => "release-replaced",
        }
    }
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

/// Why an agreement does not carry over to a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenewError {
    /// An old release, or a second one with its number.
    #[error(transparent)]
    Rollback(#[from] RollbackError),
    /// The comparison is of other packages than the one that is installed and the one that comes.
    #[error(
        "what was compared is not what is installed of `{0}` and what would replace it\nhelp: `casemate update` compares again"
    )]
    OtherPackages(PluginId),
    /// What is installed is not what was agreed to here.
    #[error("what was compared is not what was agreed to for `{0}`\nhelp: `casemate install` shows what it asks for")]
    OtherAgreement(PluginId),
}

impl RenewError {
    /// A stable word for logs and scripts.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Rollback(error) => error.code(),
            Self::OtherPackages(_) => "renewal-other-packages",
            Self::OtherAgreement(_) => "renewal-other-agreement",
        }
    }
}

/// Release and version marks, keys that lists took back, exceptions, and approvals.
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
    /// What the newest list took back, so that no later one leaves it out.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    revoked_keys: BTreeMap<PublisherName, BTreeSet<Fingerprint>>,
    /// Whose keyset the operator let go: its mark stays, and it is not missed.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    keysets_let_go: BTreeSet<PublisherName>,
    /// Whose list the operator let go.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    revocations_let_go: BTreeSet<PublisherName>,
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

    /// Accept a newer release without asking anybody: the comparison proved that it asks for nothing that was not agreed to. It counts
    /// for the two packages that were compared and for no others: the one that `lock` names, before it names the new one, and this.
    pub fn renew(&mut self, package: &Verified, lock: &LockFile, renewal: &Renewal) -> Result<(), RenewError> {
        let plugin = package.id();
        let installed = lock.plugin(plugin).map(|locked| &locked.statement);
        if installed != Some(renewal.installed()) || package.statement_digest() != renewal.candidate() {
            return Err(RenewError::OtherPackages(plugin.clone()));
        }
        if self.approvals.get(plugin) != Some(renewal.agreed()) {
            return Err(RenewError::OtherAgreement(plugin.clone()));
        }
        Ok(self.accept(package)?)
    }

    /// Allow exactly this package in spite of a newer release's mark, until a newer one is accepted. The operator's decision;
    /// what it asks for needs an agreement as ever.
    pub fn danger_allow_rollback(&mut self, package: &Verified) {
        self.exceptions.insert(package.id().clone(), mark_of(package));
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

#[cfg(test)]
mod tests;
