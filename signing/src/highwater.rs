//! What the host remembers of releases and approvals, under a MAC of the host's own key.
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
    digest::Digest,
    manifest::PluginId,
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

/// The highest release of a plugin that the host has accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mark {
    /// Its number.
    pub release: u64,
    /// The digest of its statement, so that a number is used once.
    pub statement: Digest,
}

/// Release marks and approvals.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HighWater {
    marks: BTreeMap<PluginId, Mark>,
    approvals: BTreeMap<PluginId, Approval>,
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

    /// Whether a release is at least the mark, and the same package where it is equal.
    pub fn admits(&self, plugin: &PluginId, release: u64, statement: &Digest) -> Result<(), RollbackError> {
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
        let mark = Mark { release: package.manifest().plugin.release, statement: *package.statement_digest() };
        self.admits(plugin, mark.release, &mark.statement)?;
        self.marks.insert(plugin.clone(), mark);
        self.approvals.insert(plugin.clone(), package.approval().clone());
        Ok(())
    }

    /// Take an approval back. The release mark stays: removing a plugin does not allow an old release of it.
    pub fn withdraw(&mut self, plugin: &PluginId) -> Option<Approval> {
        self.approvals.remove(plugin)
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
        HighWater { marks: [(plugin.clone(), mark)].into(), approvals: [(plugin, approval)].into() }
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
