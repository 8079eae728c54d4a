//! Who may sign a publisher's revocation list.

use std::collections::BTreeSet;

use super::{EnrolledKey, Publisher};
use crate::{
    environment::Environment,
    key::{Fingerprint, PublicKey},
    keyset::Role,
    revocation::Quorum,
};

impl Publisher {
    /// Every key that was taken back: by the operator, by the keyset, or by the list that is attached.
    pub(super) fn taken_back(&self) -> BTreeSet<Fingerprint> {
        let listed = |key: &Fingerprint| self.list.as_ref().is_some_and(|list| list.key(key).is_some());
        let keys = self.keys.iter().filter(|(fingerprint, key)| key.revoked || listed(fingerprint));
        keys.map(|(fingerprint, _)| *fingerprint).collect()
    }

    /// The keys that may sign its revocation list, and how many of them it takes, as [`crate::revocation::RevocationList`] has it. A key
    /// that a list took back signs no list after it.
    pub(super) fn revokers(&self) -> (Vec<&PublicKey>, Quorum) {
        let taken_back = self.taken_back();
        let role = self.keyset().map(|keyset| keyset.role(Role::Revoke));
        let may = |key: &Fingerprint| !taken_back.contains(key) && role.is_none_or(|role| role.keys.contains(key));
        let keys = || self.keys.iter().filter(|(fingerprint, _)| may(fingerprint));
        let environments = match role {
            // A threshold of a role is what the publisher itself asks for.
            Some(_) => BTreeSet::new(),
            None => self.environments(),
        };
        let quorum = Quorum {
            keys: keys().map(|(fingerprint, key)| (*fingerprint, key.environments.clone())).collect(),
            threshold: role.map_or(1, |role| role.threshold),
            environments,
        };
        (keys().map(|(_, key)| key.key()).collect(), quorum)
    }

    /// Where it is trusted. A key that was taken back still says so.
    fn environments(&self) -> BTreeSet<Environment> {
        self.keys.values().flat_map(EnrolledKey::environments).copied().collect()
    }
}
