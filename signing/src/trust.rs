//! The trust store: whose keys may sign which plugins, and for which environments.
//!
//! Nothing is trusted on first use: a key or a keyset enters with the fingerprint that the operator was given by another way.
//! A publisher owns names under its own name only, and a key belongs to one publisher, so no two can claim a plugin. A
//! publisher has keys that the operator enrolled one by one, or a keyset that it keeps itself; of a keyset there counts what the
//! operator bound as well, and nothing else.

mod error;
mod file;
mod namespace;
mod revokers;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

pub use error::TrustError;
pub use namespace::Namespace;
use url::{Host, Url};

use crate::{
    environment::Environment,
    key::{Fingerprint, PublicKey},
    keyset::{Keyset, Role},
    manifest::{PluginId, PublisherName, text},
    revocation::{Entry, RevocationError, RevocationList},
    time::Timestamp,
};

/// Keys of one publisher.
pub const MAX_KEYS: usize = 64;
/// Bytes of a trust file.
pub const MAX_TRUST_FILE: usize = 1024 * 1024;
/// Characters of the place of a revocation list.
const MAX_SOURCE: usize = 1024;

const VERSION: u64 = 1;

/// A publisher the operator trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Publisher {
    namespaces: BTreeSet<Namespace>,
    keys: BTreeMap<Fingerprint, EnrolledKey>,
    bound: Option<Bound>,
    source: Option<String>,
    list: Option<Arc<RevocationList>>,
}

/// A keyset, and what the operator bound it to.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Bound {
    keyset: Keyset,
    namespaces: BTreeSet<Namespace>,
    environments: BTreeSet<Environment>,
    /// Taken back by the operator, whatever the keyset says.
    revoked: BTreeSet<Fingerprint>,
}

impl Publisher {
    /// What it owns here.
    pub fn namespaces(&self) -> &BTreeSet<Namespace> {
        &self.namespaces
    }

    /// Its keys, as they count here.
    pub fn keys(&self) -> &BTreeMap<Fingerprint, EnrolledKey> {
        &self.keys
    }

    /// Its keyset, if that is where its keys come from.
    pub fn keyset(&self) -> Option<&Keyset> {
        self.bound.as_ref().map(|bound| &bound.keyset)
    }

    /// How many distinct keys have to sign a package.
    pub fn threshold(&self) -> u64 {
        self.keyset().map_or(1, |keyset| keyset.role(Role::Release).threshold)
    }

    /// Where its revocation list is to be had, if the operator wants one.
    pub fn revocation_source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// Its revocation list, once attached.
    pub fn revocations(&self) -> Option<&RevocationList> {
        self.list.as_deref()
    }

    /// The same, for what was held against it and remembers it.
    pub(crate) fn attached(&self) -> Option<&Arc<RevocationList>> {
        self.list.as_ref()
    }

    /// Whether it owns a plugin's name.
    pub fn owns(&self, plugin: &PluginId) -> bool {
        self.namespaces.iter().any(|namespace| namespace.holds(plugin))
    }

    /// The publisher of a keyset: what the keyset states and the operator bound.
    fn of(bound: Bound) -> Result<Self, TrustError> {
        let fields = bound.keyset.fields();
        let publisher = &fields.publisher;
        if bound.environments.is_empty() {
            return Err(TrustError::ServesNowhere(publisher.clone()));
        }
        if let Some(namespace) = bound.namespaces.iter().find(|namespace| namespace.publisher() != publisher) {
            return Err(TrustError::ForeignNamespace { publisher: publisher.clone(), namespace: namespace.clone() });
        }
        let common = |one: &Namespace| fields.namespaces.iter().filter_map(|two| one.both(two)).collect::<Vec<_>>();
        let namespaces: BTreeSet<Namespace> = bound.namespaces.iter().flat_map(common).collect();
        if namespaces.is_empty() {
            return Err(TrustError::NothingInCommon(publisher.clone()));
        }
        let release = &bound.keyset.role(Role::Release).keys;
        let enrolled = |entry: &crate::keyset::KeysetKey| {
            let fingerprint = entry.key.fingerprint();
            let key = EnrolledKey {
                key: entry.key.clone(),
                environments: entry.environments.intersection(&bound.environments).copied().collect(),
                revoked: fields.revoked.contains(&fingerprint) || bound.revoked.contains(&fingerprint),
                releases: release.contains(&fingerprint),
            };
            (fingerprint, key)
        };
        let keys = fields.keys.iter().map(enrolled).collect();
        Ok(Self { namespaces, keys, bound: Some(bound), source: None, list: None })
    }
}

/// A key the operator enrolled, or a keyset did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnrolledKey {
    key: PublicKey,
    environments: BTreeSet<Environment>,
    revoked: bool,
    releases: bool,
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

    /// Whether the operator or the keyset took it back.
    pub fn is_revoked(&self) -> bool {
        self.revoked
    }

    /// Whether it may sign packages. A key the operator enrolled by itself may.
    pub fn releases(&self) -> bool {
        self.releases
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

/// A keyset to be bound: [`Keyset::first`] compared its fingerprint.
#[derive(Debug, Clone)]
pub struct Binding {
    /// The document.
    pub keyset: Keyset,
    /// What of its names counts here.
    pub namespaces: BTreeSet<Namespace>,
    /// Where its keys count here.
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
        if let Some(namespace) = namespaces.iter().find(|namespace| *namespace.publisher() != publisher) {
            return Err(TrustError::ForeignNamespace { publisher, namespace: namespace.clone() });
        }
        let known = self.publishers.get(&publisher);
        if namespaces.is_empty() && known.is_none() {
            return Err(TrustError::NoNamespace(publisher));
        }
        if known.is_some_and(|known| known.bound.is_some()) {
            return Err(TrustError::BoundToKeyset(publisher));
        }
        if known.is_some_and(|known| known.keys.len() >= MAX_KEYS) {
            return Err(TrustError::TooManyKeys(publisher));
        }
        let empty = || Publisher { namespaces: BTreeSet::new(), keys: BTreeMap::new(), bound: None, source: None, list: None };
        let entry = self.publishers.entry(publisher).or_insert_with(empty);
        entry.namespaces.extend(namespaces);
        entry.keys.insert(actual, EnrolledKey { key, environments, revoked: false, releases: true });
        Ok(())
    }

    /// Trust a publisher by its keyset.
    pub fn bind(&mut self, binding: Binding, now: Timestamp) -> Result<(), TrustError> {
        let Binding { keyset, namespaces, environments } = binding;
        if keyset.is_expired(now) {
            let error = crate::keyset::KeysetError::Expired { version: keyset.version(), expires: keyset.expires() };
            return Err(TrustError::Keyset { publisher: keyset.publisher().clone(), error: Box::new(error) });
        }
        self.insert(Bound { keyset, namespaces, environments, revoked: BTreeSet::new() })
    }

    fn insert(&mut self, bound: Bound) -> Result<(), TrustError> {
        let name = bound.keyset.publisher().clone();
        if self.publishers.contains_key(&name) {
            return Err(TrustError::AlreadyTrusted(name));
        }
        let publisher = Publisher::of(bound)?;
        self.belongs_to_nobody_else(&name, &publisher)?;
        self.publishers.insert(name, publisher);
        Ok(())
    }

    /// A key belongs to one publisher.
    fn belongs_to_nobody_else(&self, name: &PublisherName, publisher: &Publisher) -> Result<(), TrustError> {
        let owner = |key: &Fingerprint| self.find(key).map(|(owner, ..)| owner).filter(|owner| *owner != name);
        match publisher.keys.keys().find_map(|key| Some((*key, owner(key)?.clone()))) {
            Some((key, publisher)) => Err(TrustError::AlreadyEnrolled { key, publisher }),
            None => Ok(()),
        }
    }

    /// Take a publisher's next keyset. What the operator bound and took back stays; its revocation list is attached anew. Keys that a
    /// list took back count for nothing in it: those of the list that is attached, and those that this host remembers of others
    /// ([`crate::highwater::HighWater::taken_back`]).
    pub fn rotate(
        &mut self,
        publisher: &PublisherName,
        file: &[u8],
        remembered: &BTreeSet<Fingerprint>,
        now: Timestamp,
    ) -> Result<&Keyset, TrustError> {
        let known = self.publishers.get(publisher).ok_or_else(|| TrustError::NotTrusted(publisher.clone()))?;
        let bound = known.bound.as_ref().ok_or_else(|| TrustError::NoKeyset(publisher.clone()))?;
        let refused = |error| TrustError::Keyset { publisher: publisher.clone(), error: Box::new(error) };
        let taken_back = known.taken_back().union(remembered).copied().collect();
        let keyset = bound.keyset.rotate(file, &taken_back, now).map_err(refused)?;
        let mut next = Publisher::of(Bound { keyset, ..bound.clone() })?;
        next.source.clone_from(&known.source);
        self.belongs_to_nobody_else(publisher, &next)?;
        let entry = self.publishers.entry(publisher.clone()).insert_entry(next);
        entry.into_mut().keyset().ok_or_else(|| TrustError::NoKeyset(publisher.clone()))
    }

    /// Take a key back. It stays listed, so that what it signed is refused by name.
    pub fn revoke(&mut self, key: &Fingerprint) -> Result<(), TrustError> {
        let publisher = self.publishers.values_mut().find(|publisher| publisher.keys.contains_key(key));
        let publisher = publisher.ok_or(TrustError::NotEnrolled(*key))?;
        if let Some(enrolled) = publisher.keys.get_mut(key) {
            enrolled.revoked = true;
        }
        if let Some(bound) = &mut publisher.bound {
            bound.revoked.insert(*key);
        }
        Ok(())
    }

    /// Forget a publisher: nothing of theirs is loaded any more.
    pub fn remove(&mut self, publisher: &PublisherName) -> Result<Publisher, TrustError> {
        self.publishers.remove(publisher).ok_or_else(|| TrustError::NotTrusted(publisher.clone()))
    }

    /// Where a publisher's revocation list is to be had. Once there is a place, there has to be a list.
    pub fn want_revocations(&mut self, publisher: &PublisherName, source: Option<String>) -> Result<(), TrustError> {
        if let Some(source) = &source {
            check_source(source)?;
        }
        let known = self.publishers.get_mut(publisher).ok_or_else(|| TrustError::NotTrusted(publisher.clone()))?;
        known.source = source;
        Ok(())
    }

    /// Attach a publisher's revocation list, in place of one attached before. An expired one is attached as well, and then its
    /// publisher's packages are refused for that.
    pub fn attach_revocations(&mut self, publisher: &PublisherName, file: &[u8]) -> Result<&RevocationList, RevocationError> {
        let known = self.publishers.get(publisher).ok_or_else(|| RevocationError::UnknownPublisher(publisher.clone()))?;
        let (keys, quorum) = known.revokers();
        let list = RevocationList::open(file, publisher, keys, quorum)?;
        for entry in &list.fields().entries {
            if let Entry::Key(entry) = entry
                && let Some((owner, ..)) = self.find(&entry.key)
                && owner != publisher
            {
                let (publisher, owner) = (publisher.clone(), owner.clone());
                return Err(RevocationError::ForeignKey { publisher, key: entry.key, owner });
            }
        }
        let known = self.publishers.get_mut(publisher).ok_or_else(|| RevocationError::UnknownPublisher(publisher.clone()))?;
        Ok(known.list.insert(Arc::new(list)))
    }
}

/// An https URL, an http URL of this machine, or a path.
fn check_source(source: &str) -> Result<(), TrustError> {
    // Whatever stands before an `@` may be a password, and errors are logged.
    let shown = source.rsplit_once('@').map_or(source, |(_, rest)| rest);
    let refused = || TrustError::RevocationSource(shown.chars().filter(|c| !text::is_hidden(*c)).take(80).collect());
    text::line(source, MAX_SOURCE).map_err(|_| refused())?;
    if !source.contains("://") {
        return Ok(());
    }
    let url = Url::parse(source).map_err(|_| refused())?;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(refused()),
    };
    let plain = url.username().is_empty() && url.password().is_none();
    match url.scheme() {
        "https" if plain => Ok(()),
        "http" if plain && local => Ok(()),
        _ => Err(refused()),
    }
}

#[cfg(test)]
mod tests;
