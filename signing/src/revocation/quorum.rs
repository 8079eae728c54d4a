//! Whose signatures a revocation list takes.

use std::collections::{BTreeMap, BTreeSet};

use super::RevocationError;
use crate::{environment::Environment, key::Fingerprint};

/// Who may sign a publisher's list, how many of them it takes, and for which environments one of them has to speak.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Quorum {
    /// Who may sign, and where each serves.
    pub(crate) keys: BTreeMap<Fingerprint, BTreeSet<Environment>>,
    /// How many of them it takes. Never 0: what nobody signed is nobody's.
    pub(crate) threshold: u64,
    /// Each is served by one of those who signed; none where only the threshold counts.
    pub(crate) environments: BTreeSet<Environment>,
}

impl Quorum {
    /// Whether these are enough. Who may not sign is not counted.
    pub(crate) fn is_met_by(&self, signers: &BTreeSet<Fingerprint>) -> Result<(), RevocationError> {
        let counted: BTreeMap<_, _> = self.keys.iter().filter(|(key, _)| signers.contains(*key)).collect();
        let others = || self.keys.iter().filter(|(key, _)| !signers.contains(*key));
        let (threshold, have) = (self.threshold, counted.len());
        if threshold == 0 || (have as u64) < threshold {
            let missing = others().map(|(key, _)| *key).collect();
            return Err(RevocationError::Signatures { counted: have, threshold, missing });
        }
        let served: BTreeSet<Environment> = counted.into_values().flatten().copied().collect();
        let environments: BTreeSet<Environment> = self.environments.difference(&served).copied().collect();
        if environments.is_empty() {
            return Ok(());
        }
        let missing = others().filter(|(_, serves)| !serves.is_disjoint(&environments)).map(|(key, _)| *key).collect();
        Err(RevocationError::Environments { environments, missing })
    }
}
