//! What a keyset document states, and the rules that hold within one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::{Deserialize, Serialize};

use super::KeysetError;
use crate::{
    digest::Digest,
    document::{self, moment},
    environment::Environment,
    key::{Fingerprint, PublicKey},
    manifest::PublisherName,
    time::Timestamp,
    trust::{MAX_KEYS, Namespace},
};

/// Keys a document can name as revoked. They add up over the years, and a publisher has [`MAX_KEYS`] at a time.
pub const MAX_REVOKED: usize = 1024;

/// The fields of a keyset document, in the order they are written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysetDraft {
    /// Whose keys these are.
    pub publisher: PublisherName,
    /// From 1, one higher each time.
    pub version: u64,
    /// From then on no package is loaded by it.
    #[serde(with = "moment")]
    pub expires: Timestamp,
    /// The digest of the payload before; none exactly in version 1.
    pub previous: Option<Digest>,
    /// What the publisher says it owns. A host takes what its operator bound as well, and nothing else.
    pub namespaces: BTreeSet<Namespace>,
    /// Every key, in the order of their fingerprints.
    pub keys: Vec<KeysetKey>,
    /// Who may do what.
    pub roles: Roles,
    /// Keys that count for nothing any more, listed above or not.
    pub revoked: BTreeSet<Fingerprint>,
}

/// A key and where it may be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeysetKey {
    /// The 32 raw bytes, in base64.
    #[serde(with = "raw_key")]
    pub key: PublicKey,
    /// Where packages it signed may be loaded.
    pub environments: BTreeSet<Environment>,
}

/// Each role, its keys and its threshold.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Roles {
    /// Signs the next keyset.
    pub keyset: RoleKeys,
    /// Signs packages.
    pub release: RoleKeys,
    /// Signs revocation lists.
    pub revoke: RoleKeys,
}

/// Who may act in a role, and how many of them it takes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RoleKeys {
    /// Distinct keys that have to sign.
    pub threshold: u64,
    /// Keys that may.
    pub keys: BTreeSet<Fingerprint>,
}

/// What a key may be for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Signs the next keyset.
    Keyset,
    /// Signs packages.
    Release,
    /// Signs revocation lists.
    Revoke,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 3] = [Self::Keyset, Self::Release, Self::Revoke];

    /// As documents write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Keyset => "keyset",
            Self::Release => "release",
            Self::Revoke => "revoke",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Roles {
    /// One role.
    pub fn of(&self, role: Role) -> &RoleKeys {
        match role {
            Role::Keyset => &self.keyset,
            Role::Release => &self.release,
            Role::Revoke => &self.revoke,
        }
    }
}

impl KeysetDraft {
    /// The bytes to sign, if the rules hold. The order of the keys does not matter here.
    pub fn to_payload(&self) -> Result<Vec<u8>, KeysetError> {
        let mut fields = self.clone();
        fields.keys.sort_by_key(|key| key.key.fingerprint());
        fields.check()?;
        Ok(document::to_payload(&fields))
    }

    /// Read a payload: its one spelling, and every rule.
    pub fn from_payload(payload: &[u8]) -> Result<Self, KeysetError> {
        let fields: Self = document::fields(payload)?;
        fields.check()?;
        Ok(fields)
    }

    fn check(&self) -> Result<(), KeysetError> {
        if self.version == 0 {
            return Err(KeysetError::VersionZero);
        }
        if self.previous.is_none() != (self.version == 1) {
            return Err(KeysetError::Previous { version: self.version });
        }
        if self.namespaces.is_empty() {
            return Err(KeysetError::NoNamespace);
        }
        if let Some(foreign) = self.namespaces.iter().find(|namespace| *namespace.publisher() != self.publisher) {
            return Err(KeysetError::ForeignNamespace(foreign.clone()));
        }
        let keys = self.check_keys()?;
        if self.revoked.len() > MAX_REVOKED {
            return Err(KeysetError::TooManyRevoked);
        }
        Role::ALL.iter().try_for_each(|role| self.check_role(*role, &keys))
    }

    fn check_keys(&self) -> Result<BTreeMap<Fingerprint, &PublicKey>, KeysetError> {
        if self.keys.len() > MAX_KEYS {
            return Err(KeysetError::TooManyKeys);
        }
        let mut keys = BTreeMap::new();
        for key in &self.keys {
            let fingerprint = key.key.fingerprint();
            if keys.insert(fingerprint, &key.key).is_some() {
                return Err(KeysetError::KeyTwice(fingerprint));
            }
            if key.environments.is_empty() {
                return Err(KeysetError::NoEnvironment(fingerprint));
            }
        }
        if !self.keys.is_sorted_by_key(|key| key.key.fingerprint()) {
            return Err(KeysetError::Order);
        }
        Ok(keys)
    }

    fn check_role(&self, role: Role, keys: &BTreeMap<Fingerprint, &PublicKey>) -> Result<(), KeysetError> {
        let RoleKeys { threshold, keys: members } = self.roles.of(role);
        if let Some(key) = members.iter().find(|key| self.revoked.contains(key)) {
            return Err(KeysetError::RevokedInRole { role, key: *key });
        }
        if let Some(key) = members.iter().find(|key| !keys.contains_key(key)) {
            return Err(KeysetError::UnknownInRole { role, key: *key });
        }
        if *threshold == 0 {
            return Err(KeysetError::ThresholdZero(role));
        }
        if *threshold > members.len() as u64 {
            return Err(KeysetError::ThresholdTooHigh { role, threshold: *threshold, keys: members.len() });
        }
        Ok(())
    }
}

/// A raw public key in base64, fit to be enrolled.
mod raw_key {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    use base64::{Engine as _, engine::general_purpose::STANDARD};

    use super::PublicKey;

    pub(super) fn serialize<S: Serializer>(key: &PublicKey, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(key.as_bytes()))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<PublicKey, D::Error> {
        PublicKey::from_base64(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}
