//! The trust file: TOML that people can review, read strictly and written in a stable order.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde::Deserialize;

use super::{Bound, Enrolment, MAX_TRUST_FILE, Namespace, Publisher, TrustError, TrustStore, VERSION};
use crate::{
    digest::Digest,
    environment::Environment,
    key::{Fingerprint, PublicKey},
    keyset::Keyset,
    manifest::PublisherName,
};

impl TrustStore {
    /// Read a trust file. `document` gives the file of a publisher's keyset version, where there is one; it counts only if it
    /// is the one that the trust file pins.
    pub fn parse(text: &str, mut document: impl FnMut(&PublisherName, u64) -> Option<Vec<u8>>) -> Result<Self, TrustError> {
        if text.len() > MAX_TRUST_FILE {
            return Err(TrustError::TooLarge);
        }
        let file: File = toml::from_str(text).map_err(|error| TrustError::Syntax(error.to_string().trim_end().to_owned()))?;
        if file.version != VERSION {
            return Err(TrustError::Version(file.version));
        }
        let mut store = Self::new();
        for (publisher, entry) in file.publisher {
            let PublisherEntry { names, key, keyset, environments, revoked, revocations } = entry;
            match (keyset, environments, key) {
                (None, None, Some(keys)) if revoked.is_empty() => store.enrol_all(&publisher, &names, keys)?,
                (Some(pin), Some(environments), None) => {
                    let version = pin.version;
                    let missing = || TrustError::NoDocument { publisher: publisher.clone(), version };
                    let file = document(&publisher, version).ok_or_else(missing)?;
                    let keyset = pinned(&publisher, &file, &pin)?;
                    store.insert(Bound { keyset, namespaces: names, environments, revoked })?;
                }
                (None, None, None) => return Err(TrustError::NoKeys(publisher)),
                _ => return Err(TrustError::Mixed(publisher)),
            }
            store.want_revocations(&publisher, revocations)?;
        }
        Ok(store)
    }

    fn enrol_all(
        &mut self,
        publisher: &PublisherName,
        names: &BTreeSet<Namespace>,
        keys: Vec<KeyEntry>,
    ) -> Result<(), TrustError> {
        if keys.is_empty() {
            return Err(TrustError::NoKeys(publisher.clone()));
        }
        for entry in keys {
            let fingerprint = entry.fingerprint;
            let refused = |error| TrustError::Key { fingerprint, error };
            self.enrol(Enrolment {
                publisher: publisher.clone(),
                namespaces: names.clone(),
                key: PublicKey::from_base64(&entry.public_key).map_err(refused)?,
                fingerprint,
                environments: entry.environments,
            })?;
            if entry.revoked {
                self.revoke(&fingerprint)?;
            }
        }
        Ok(())
    }

    /// As a trust file, in a stable order.
    pub fn to_text(&self) -> String {
        let mut text = format!("# Whose keys may sign which plugins. Changed by `casemate trust`.\nversion = {VERSION}\n");
        for (name, publisher) in &self.publishers {
            // Writing to a `String` cannot fail. Only the place of a revocation list needs escaping, and toml writes it: all
            // else are checked names, digests and base64.
            let names = publisher.bound.as_ref().map_or(&publisher.namespaces, |bound| &bound.namespaces);
            let _ = write!(text, "\n[publisher.{name}]\nnames = {}\n", list(names));
            if let Some(source) = &publisher.source {
                let _ = writeln!(text, "revocations = {}", toml::Value::from(source.as_str()));
            }
            match &publisher.bound {
                Some(bound) => write_bound(&mut text, bound),
                None => write_keys(&mut text, name, publisher),
            }
        }
        text
    }
}

fn pinned(publisher: &PublisherName, file: &[u8], pin: &Pin) -> Result<Keyset, TrustError> {
    let refused = |error| TrustError::Keyset { publisher: publisher.clone(), error: Box::new(error) };
    let keyset = Keyset::pinned(file, pin.version, &pin.digest).map_err(refused)?;
    if keyset.publisher() != publisher {
        let (expected, actual) = (publisher.clone(), keyset.publisher().clone());
        return Err(refused(crate::keyset::KeysetError::Publisher { expected, actual }));
    }
    Ok(keyset)
}

fn write_bound(text: &mut String, bound: &Bound) {
    let (version, digest) = (bound.keyset.version(), bound.keyset.digest());
    let _ = writeln!(text, "environments = {}", list(&bound.environments));
    let _ = writeln!(text, "keyset = {{ version = {version}, digest = \"{digest}\" }}");
    if !bound.revoked.is_empty() {
        let _ = writeln!(text, "revoked = {}", list(&bound.revoked));
    }
}

fn write_keys(text: &mut String, name: &PublisherName, publisher: &Publisher) {
    for (fingerprint, enrolled) in &publisher.keys {
        let _ = write!(
            text,
            "\n[[publisher.{name}.key]]\nfingerprint = \"{fingerprint}\"\npublic_key = \"{}\"\nenvironments = {}\n",
            STANDARD.encode(enrolled.key.as_bytes()),
            list(&enrolled.environments)
        );
        if enrolled.revoked {
            text.push_str("revoked = true\n");
        }
    }
}

fn list<T: std::fmt::Display>(items: &BTreeSet<T>) -> String {
    let quoted: Vec<String> = items.iter().map(|item| format!("\"{item}\"")).collect();
    format!("[{}]", quoted.join(", "))
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
    key: Option<Vec<KeyEntry>>,
    keyset: Option<Pin>,
    environments: Option<BTreeSet<Environment>>,
    #[serde(default)]
    revoked: BTreeSet<Fingerprint>,
    revocations: Option<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Pin {
    version: u64,
    digest: Digest,
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
