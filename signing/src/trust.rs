//! The trust store: whose keys may sign which plugins, and for which environments.
//!
//! Nothing is trusted on first use: a key enters with the fingerprint that the operator was given by another way. A
//! publisher owns names under its own name only, and a key belongs to one publisher, so no two can claim a plugin.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::{self, Write as _},
    str::FromStr,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use crate::{
    environment::Environment,
    key::{Fingerprint, KeyError, PublicKey},
    manifest::{InvalidName, PluginId, PluginName, PublisherName},
};

/// Keys of one publisher.
pub const MAX_KEYS: usize = 64;
/// Bytes of a trust file.
pub const MAX_TRUST_FILE: usize = 1024 * 1024;

const VERSION: u64 = 1;

/// Why a key is not enrolled, or a trust file not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// More than [`MAX_TRUST_FILE`] bytes.
    #[error("the trust file is larger than {MAX_TRUST_FILE} bytes")]
    TooLarge,
    /// Not the TOML of a trust file.
    #[error("the trust file cannot be read: {0}")]
    Syntax(String),
    /// Written by another version.
    #[error("the trust file has version {0}, and this program reads version {VERSION}")]
    Version(u64),
    /// The key is not the one the operator was told of.
    #[error("the key's fingerprint is {actual}, not {expected}\nhelp: ask the publisher again, by another way than the key came")]
    Fingerprint {
        /// What the operator gave.
        expected: Fingerprint,
        /// What the key has.
        actual: Fingerprint,
    },
    /// Not a key that may be enrolled.
    #[error("the key {fingerprint} is refused: {error}")]
    Key {
        /// As the file states it.
        fingerprint: Fingerprint,
        /// What is wrong with it.
        error: KeyError,
    },
    /// A key belongs to one publisher, and is listed once.
    #[error("the key {key} is already enrolled for `{publisher}`")]
    AlreadyEnrolled {
        /// Which key.
        key: Fingerprint,
        /// Whose it is.
        publisher: PublisherName,
    },
    /// No such key.
    #[error("the key {0} is not enrolled")]
    NotEnrolled(Fingerprint),
    /// The store must not grow without end.
    #[error("`{0}` has {MAX_KEYS} keys, and no more are allowed")]
    TooManyKeys(PublisherName),
    /// A name under another publisher's.
    #[error("`{publisher}` cannot own `{namespace}`\nhelp: a publisher owns `{publisher}/*`, or names under `{publisher}/`")]
    ForeignNamespace {
        /// Who would own it.
        publisher: PublisherName,
        /// What.
        namespace: Namespace,
    },
    /// A publisher that may publish nothing.
    #[error("`{0}` owns no names")]
    NoNamespace(PublisherName),
    /// A publisher without keys.
    #[error("`{0}` has no keys")]
    NoKeys(PublisherName),
    /// A key that serves nowhere.
    #[error("the key {0} serves no environment\nhelp: name at least one of `dev`, `stage` and `prod`")]
    NoEnvironment(Fingerprint),
}

/// Names that a publisher owns: `acme/*`, or one plugin, `acme/scanner`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct Namespace {
    publisher: PublisherName,
    /// `None` for all.
    name: Option<PluginName>,
}

impl Namespace {
    /// `publisher/*`.
    pub fn all(publisher: PublisherName) -> Self {
        Self { publisher, name: None }
    }

    /// Whether it holds a plugin.
    pub fn holds(&self, plugin: &PluginId) -> bool {
        self.publisher == plugin.publisher && self.name.as_ref().is_none_or(|name| *name == plugin.name)
    }
}

impl FromStr for Namespace {
    type Err = InvalidName;
    fn from_str(text: &str) -> Result<Self, InvalidName> {
        match text.strip_suffix("/*") {
            Some(publisher) => publisher.parse().map(Self::all),
            None => text.parse::<PluginId>().map(|id| Self { publisher: id.publisher, name: Some(id.name) }),
        }
    }
}

impl TryFrom<String> for Namespace {
    type Error = InvalidName;
    fn try_from(text: String) -> Result<Self, InvalidName> {
        text.parse()
    }
}

impl fmt::Display for Namespace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.publisher, self.name.as_ref().map_or("*", PluginName::as_str))
    }
}

/// A publisher the operator trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    namespaces: BTreeSet<Namespace>,
    keys: BTreeMap<Fingerprint, EnrolledKey>,
}

impl Publisher {
    /// What it owns.
    pub fn namespaces(&self) -> &BTreeSet<Namespace> {
        &self.namespaces
    }

    /// Its keys.
    pub fn keys(&self) -> &BTreeMap<Fingerprint, EnrolledKey> {
        &self.keys
    }

    /// Whether it owns a plugin's name.
    pub fn owns(&self, plugin: &PluginId) -> bool {
        self.namespaces.iter().any(|namespace| namespace.holds(plugin))
    }
}

/// A key the operator enrolled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledKey {
    key: PublicKey,
    environments: BTreeSet<Environment>,
    revoked: bool,
}

impl EnrolledKey {
    /// The key.
    pub fn key(&self) -> &PublicKey {
        &self.key
    }

    /// Where it may be used.
    pub fn environments(&self) -> &BTreeSet<Environment> {
        &self.environments
    }

    /// Whether the operator took it back.
    pub fn is_revoked(&self) -> bool {
        self.revoked
    }
}

/// A key to be enrolled.
#[derive(Debug, Clone)]
pub struct Enrolment {
    /// Whose key it is.
    pub publisher: PublisherName,
    /// What the publisher owns from now on, besides what it already owned.
    pub namespaces: BTreeSet<Namespace>,
    /// The key.
    pub key: PublicKey,
    /// What the operator was told the key's fingerprint is.
    pub fingerprint: Fingerprint,
    /// Where the key may be used.
    pub environments: BTreeSet<Environment>,
}

/// Every publisher the operator trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustStore {
    publishers: BTreeMap<PublisherName, Publisher>,
}

impl TrustStore {
    /// A store that trusts nobody.
    pub fn new() -> Self {
        Self::default()
    }

    /// Every publisher, by name.
    pub fn publishers(&self) -> &BTreeMap<PublisherName, Publisher> {
        &self.publishers
    }

    /// The key with this fingerprint, and whose it is.
    pub fn find(&self, key: &Fingerprint) -> Option<(&PublisherName, &Publisher, &EnrolledKey)> {
        self.publishers.iter().find_map(|(name, publisher)| Some((name, publisher, publisher.keys.get(key)?)))
    }

    /// Enrol a key, if it is the one the operator was told of.
    pub fn enrol(&mut self, enrolment: Enrolment) -> Result<(), TrustError> {
        let Enrolment { publisher, namespaces, key, fingerprint: expected, environments } = enrolment;
        let actual = key.fingerprint();
        if actual != expected {
            return Err(TrustError::Fingerprint { expected, actual });
        }
        if let Some((owner, ..)) = self.find(&actual) {
            return Err(TrustError::AlreadyEnrolled { key: actual, publisher: owner.clone() });
        }
        if environments.is_empty() {
            return Err(TrustError::NoEnvironment(actual));
        }
        if let Some(namespace) = namespaces.iter().find(|namespace| namespace.publisher != publisher) {
            return Err(TrustError::ForeignNamespace { publisher, namespace: namespace.clone() });
        }
        let known = self.publishers.get(&publisher);
        if namespaces.is_empty() && known.is_none() {
            return Err(TrustError::NoNamespace(publisher));
        }
        if known.is_some_and(|known| known.keys.len() >= MAX_KEYS) {
            return Err(TrustError::TooManyKeys(publisher));
        }
        let empty = || Publisher { namespaces: BTreeSet::new(), keys: BTreeMap::new() };
        let entry = self.publishers.entry(publisher).or_insert_with(empty);
        entry.namespaces.extend(namespaces);
        entry.keys.insert(actual, EnrolledKey { key, environments, revoked: false });
        Ok(())
    }

    /// Take a key back. It stays listed, so that what it signed is refused by name.
    pub fn revoke(&mut self, key: &Fingerprint) -> Result<(), TrustError> {
        let enrolled = self.publishers.values_mut().find_map(|publisher| publisher.keys.get_mut(key));
        enrolled.ok_or(TrustError::NotEnrolled(*key))?.revoked = true;
        Ok(())
    }

    /// Read a trust file.
    pub fn parse(text: &str) -> Result<Self, TrustError> {
        if text.len() > MAX_TRUST_FILE {
            return Err(TrustError::TooLarge);
        }
        let file: File = toml::from_str(text).map_err(|error| TrustError::Syntax(error.to_string().trim_end().to_owned()))?;
        if file.version != VERSION {
            return Err(TrustError::Version(file.version));
        }
        let mut store = Self::new();
        for (publisher, entry) in file.publisher {
            if entry.key.is_empty() {
                return Err(TrustError::NoKeys(publisher));
            }
            for key in entry.key {
                let fingerprint = key.fingerprint;
                let public = decode(&key.public_key).map_err(|error| TrustError::Key { fingerprint, error })?;
                store.enrol(Enrolment {
                    publisher: publisher.clone(),
                    namespaces: entry.names.clone(),
                    key: public,
                    fingerprint,
                    environments: key.environments,
                })?;
                if key.revoked {
                    store.revoke(&fingerprint)?;
                }
            }
        }
        Ok(store)
    }

    /// As a trust file, in a stable order.
    pub fn to_text(&self) -> String {
        let mut text = format!("# Whose keys may sign which plugins. Changed by `casemate trust`.\nversion = {VERSION}\n");
        for (name, publisher) in &self.publishers {
            let names: Vec<String> = publisher.namespaces.iter().map(|namespace| format!("\"{namespace}\"")).collect();
            // Writing to a `String` cannot fail. No value here needs escaping: all are checked names and base64.
            let _ = write!(text, "\n[publisher.{name}]\nnames = [{}]\n", names.join(", "));
            for (fingerprint, enrolled) in &publisher.keys {
                let environments: Vec<String> = enrolled.environments.iter().map(|word| format!("\"{word}\"")).collect();
                let _ = write!(
                    text,
                    "\n[[publisher.{name}.key]]\nfingerprint = \"{fingerprint}\"\npublic_key = \"{}\"\nenvironments = [{}]\n",
                    STANDARD.encode(enrolled.key.as_bytes()),
                    environments.join(", ")
                );
                if enrolled.revoked {
                    text.push_str("revoked = true\n");
                }
            }
        }
        text
    }
}

/// A raw public key in base64.
fn decode(text: &str) -> Result<PublicKey, KeyError> {
    let bytes = STANDARD.decode(text).map_err(|_| KeyError::NotAPublicKey)?;
    PublicKey::from_bytes(&bytes.try_into().map_err(|_| KeyError::NotAPublicKey)?)
}

/// The trust file as TOML has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    version: u64,
    #[serde(default)]
    publisher: BTreeMap<PublisherName, PublisherEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PublisherEntry {
    names: BTreeSet<Namespace>,
    key: Vec<KeyEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyEntry {
    fingerprint: Fingerprint,
    /// The 32 raw bytes in base64.
    public_key: String,
    environments: BTreeSet<Environment>,
    #[serde(default)]
    revoked: bool,
}

#[cfg(test)]
mod tests;
