//! Verification, step by step: each check in its own function, in the order that `Untrusted::verify` takes them.

use std::{collections::BTreeSet, sync::Arc};

use super::error::VerifyError;
use crate::{
    bundle::{self, Bundle},
    digest::Digest,
    environment::Environment,
    key::Fingerprint,
    manifest::{
        Manifest, PublisherName,
        check::{self, MAX_COMPONENT},
    },
    revocation::RevocationList,
    statement,
    time::Timestamp,
    trust::{EnrolledKey, Publisher, TrustStore},
};

/// A bundle whose key is enrolled, and whose key it is.
pub(super) struct Enrolled<'t> {
    pub(super) key: Fingerprint,
    bundle: Bundle,
    publisher: &'t PublisherName,
    owner: &'t Publisher,
    enrolled: &'t EnrolledKey,
}

/// Who signed: keys whose signatures were verified, all of one publisher once [`owner`] has passed.
pub(super) struct Signer<'t> {
    key: Fingerprint,
    publisher: &'t PublisherName,
    owner: &'t Publisher,
    enrolled: &'t EnrolledKey,
}

pub(super) fn size(component: &[u8]) -> Result<u64, VerifyError> {
    u64::try_from(component.len())
        .ok()
        .filter(|size| *size <= MAX_COMPONENT)
        .ok_or(VerifyError::ComponentTooLarge { size: component.len() })
}

/// Hints select keys and decide nothing: a bundle counts by the key that verifies it.
pub(super) fn enrolled<'t>(bundles: Vec<Bundle>, trust: &'t TrustStore) -> Result<Vec<Enrolled<'t>>, VerifyError> {
    let first = bundles.first().map(|bundle| *bundle.hint());
    let known: Vec<Enrolled<'t>> = bundles
        .into_iter()
        .filter_map(|bundle| {
            let key = *bundle.hint();
            let (publisher, owner, enrolled) = trust.find(&key)?;
            Some(Enrolled { key, bundle, publisher, owner, enrolled })
        })
        .collect();
    match first {
        Some(first) if known.is_empty() => Err(VerifyError::UnknownKey(first)),
        _ => Ok(known),
    }
}

/// Every one of them, so that a broken signature is noticed even where enough others are whole.
pub(super) fn signatures<'t>(known: Vec<Enrolled<'t>>) -> Result<(Vec<Signer<'t>>, Vec<u8>), VerifyError> {
    let mut signers: Vec<Signer<'t>> = Vec::with_capacity(known.len());
    let mut payload = Vec::new();
    for Enrolled { key, bundle, publisher, owner, enrolled } in known {
        let verified = enrolled.key().verify_strict(&bundle.signed_bytes(), bundle.signature());
        verified.map_err(|_| VerifyError::Signature(key))?;
        signers.push(Signer { key, publisher, owner, enrolled });
        // All payloads are the same bytes; from here on there is no envelope, only the bytes its signature was over.
        payload = bundle.into_payload();
    }
    Ok((signers, payload))
}

pub(super) fn bundles(file: &[u8]) -> Result<Vec<Bundle>, VerifyError> {
    Ok(bundle::parse_all(file)?)
}

pub(super) fn statement(payload: &[u8]) -> Result<Manifest, VerifyError> {
    Ok(statement::parse(payload)?)
}

pub(super) fn rules(manifest: &Manifest) -> Result<(), VerifyError> {
    check::check(manifest).map_err(VerifyError::Rules)
}

/// Every signer is of the publisher that owns the name: the signatures of two publishers do not add up.
pub(super) fn owner<'t>(signers: &[Signer<'t>], manifest: &Manifest) -> Result<(&'t PublisherName, &'t Publisher), VerifyError> {
    let plugin = manifest.id();
    if let Some(foreign) = signers.iter().find(|signer| !signer.owner.owns(&plugin)) {
        return Err(VerifyError::NameNotOwned { publisher: foreign.publisher.clone(), plugin });
    }
    // Names are owned under the publisher's own name, so those who own this one are one.
    let first = signers.first().map(|signer| (signer.publisher, signer.owner));
    first.ok_or(VerifyError::NameNotOwned { publisher: plugin.publisher.clone(), plugin })
}

/// Distinct keys that may sign packages, here and now, against the owner's threshold.
pub(super) fn threshold(
    signers: &[Signer<'_>],
    (publisher, owner): (&PublisherName, &Publisher),
    environment: Environment,
    now: Timestamp,
) -> Result<BTreeSet<Fingerprint>, VerifyError> {
    if let Some(keyset) = owner.keyset().filter(|keyset| keyset.is_expired(now)) {
        let (publisher, expires) = (publisher.clone(), keyset.expires());
        return Err(VerifyError::KeysetExpired { publisher, version: keyset.version(), expires });
    }
    let mut counted = BTreeSet::new();
    let mut why_not = None;
    for signer in signers {
        match fitness(signer, environment) {
            // Fingerprints are digests of the raw keys, so a key counts once.
            Ok(()) => drop(counted.insert(signer.key)),
            Err(error) => why_not = why_not.or(Some(error)),
        }
    }
    match why_not {
        Some(error) if counted.is_empty() => Err(error),
        _ => enough(counted, owner, environment),
    }
}

/// Whether one signature counts.
fn fitness(signer: &Signer<'_>, environment: Environment) -> Result<(), VerifyError> {
    if signer.enrolled.is_revoked() {
        return Err(VerifyError::KeyRevoked(signer.key));
    }
    if !signer.enrolled.releases() {
        return Err(VerifyError::KeyRole(signer.key));
    }
    if !signer.enrolled.environments().contains(&environment) {
        return Err(VerifyError::Environment { key: signer.key, environment });
    }
    Ok(())
}

fn enough(
    counted: BTreeSet<Fingerprint>,
    owner: &Publisher,
    environment: Environment,
) -> Result<BTreeSet<Fingerprint>, VerifyError> {
    let threshold = owner.threshold();
    if counted.len() as u64 >= threshold && !counted.is_empty() {
        return Ok(counted);
    }
    let could = |key: &EnrolledKey| !key.is_revoked() && key.releases() && key.environments().contains(&environment);
    let others = owner.keys().iter().filter(|(key, enrolled)| could(enrolled) && !counted.contains(*key));
    let missing = others.map(|(key, _)| *key).collect();
    Err(VerifyError::Threshold { counted: counted.len(), threshold, missing })
}

pub(super) fn component(bytes: &[u8], size: u64, manifest: &Manifest) -> Result<Digest, VerifyError> {
    if size != manifest.component.size {
        return Err(VerifyError::ComponentSize { actual: size, signed: manifest.component.size });
    }
    let digest = Digest::of(bytes);
    if digest.to_hex() != manifest.component.sha256 {
        return Err(VerifyError::ComponentDigest);
    }
    Ok(digest)
}

/// What is left of the signers after the owner's revocation list, and which list that was.
pub(super) fn revocations(
    counted: BTreeSet<Fingerprint>,
    (publisher, owner): (&PublisherName, &Publisher),
    manifest: &Manifest,
    component: &Digest,
    environment: Environment,
    now: Timestamp,
) -> Result<(BTreeSet<Fingerprint>, Option<Arc<RevocationList>>), VerifyError> {
    let Some(list) = owner.attached() else {
        return match owner.revocation_source() {
            Some(_) => Err(VerifyError::RevocationsMissing(publisher.clone())),
            None => Ok((counted, None)),
        };
    };
    if list.is_expired(now) {
        let (publisher, expires) = (publisher.clone(), list.expires());
        return Err(VerifyError::RevocationsExpired { publisher, version: list.version(), expires });
    }
    let (revoked, left): (BTreeSet<_>, BTreeSet<_>) = counted.into_iter().partition(|key| list.key(key).is_some());
    let left = match revoked.first().and_then(|key| Some((*key, list.key(key)?))) {
        Some((key, reason)) => {
            enough(left, owner, environment).map_err(|_| VerifyError::RevokedKey { key, reason: reason.to_owned() })?
        }
        None => left,
    };
    let (plugin, release) = (manifest.id(), manifest.plugin.release);
    if let Some(reason) = list.release(&plugin, release) {
        return Err(VerifyError::RevokedRelease { plugin, release, reason: reason.to_owned() });
    }
    if let Some(reason) = list.component(component) {
        return Err(VerifyError::RevokedComponent { component: *component, reason: reason.to_owned() });
    }
    Ok((left, Some(Arc::clone(list))))
}
