//! Several signatures: who is counted, and who is not.

use super::*;
use crate::{
    bundle::to_lines,
    keyset::{self, Keyset, KeysetDraft, KeysetKey, RoleKeys, Roles},
    trust::Binding,
};

pub(super) fn print(seed: u8) -> Fingerprint {
    key(seed).public_key().fingerprint()
}

fn role(threshold: u64, seeds: &[u8]) -> RoleKeys {
    RoleKeys { threshold, keys: seeds.iter().map(|seed| print(*seed)).collect() }
}

/// `acme` by a keyset: two of the keys 1, 2 and 3 sign packages, 3 in dev only; key 4 signs keysets and revokes. `bolt` by key 9.
pub(super) fn draft() -> KeysetDraft {
    let entry = |seed| KeysetKey {
        key: key(seed).public_key(),
        environments: if seed == 3 { [Environment::Dev].into() } else { [Environment::Dev, Environment::Prod].into() },
    };
    KeysetDraft {
        publisher: "acme".parse().unwrap(),
        version: 1,
        expires: NOW.plus_millis(1000),
        previous: None,
        namespaces: ["acme/*".parse::<Namespace>().unwrap()].into(),
        keys: (1..=4).map(entry).collect(),
        roles: Roles { keyset: role(1, &[4]), release: role(2, &[1, 2, 3]), revoke: role(1, &[4]) },
        revoked: BTreeSet::new(),
    }
}

pub(super) fn bound(draft: &KeysetDraft) -> TrustStore {
    let payload = draft.to_payload().unwrap();
    let mut document = keyset::unsigned(payload.clone());
    document.add_signature(keyset::sign(&payload, &key(4))).unwrap();
    let keyset = Keyset::first(document.to_json().as_bytes(), &Fingerprint::of(&payload)).unwrap();
    let mut trust = TrustStore::new();
    let namespaces = BTreeSet::from([Namespace::all("acme".parse().unwrap())]);
    let environments = BTreeSet::from([Environment::Dev, Environment::Prod]);
    trust.bind(Binding { keyset, namespaces, environments }, NOW).unwrap();
    let publisher: PublisherName = "bolt".parse().unwrap();
    let namespaces = BTreeSet::from([Namespace::all(publisher.clone())]);
    let environments = BTreeSet::from([Environment::Dev]);
    let key = key(9).public_key();
    trust.enrol(Enrolment { publisher, namespaces, fingerprint: key.fingerprint(), key, environments }).unwrap();
    trust
}

pub(super) fn signed_by(manifest: &Manifest, seeds: &[u8]) -> Vec<u8> {
    let payload = statement::to_bytes(manifest);
    let bundles: Vec<Bundle> = seeds.iter().map(|seed| Bundle::sign(payload.clone(), &key(*seed))).collect();
    to_lines(&bundles).into_bytes()
}

fn verify(seeds: &[u8], environment: Environment) -> Result<Verified, VerifyError> {
    let bundle = signed_by(&manifest(&[]), seeds);
    Untrusted::new(COMPONENT.to_vec(), bundle).verify(&bound(&draft()), environment, NOW)
}

#[test]
fn as_many_as_the_threshold_are_enough() {
    for (seeds, counted) in [(&[1, 2][..], &[1, 2][..]), (&[3, 1], &[1, 3]), (&[1, 2, 3], &[1, 2, 3])] {
        let expected: BTreeSet<Fingerprint> = counted.iter().map(|seed| print(*seed)).collect();
        let verified = verify(seeds, Environment::Dev).unwrap();
        assert_eq!((verified.signers(), &verified.locked(String::new()).signers), (&expected, &expected));
        assert_eq!(verified.keyset().map(|mark| mark.version), Some(1));
    }
}

#[test]
fn fewer_are_not_and_the_missing_are_named() {
    let short = |seeds: &[u8], environment: Environment, count: usize, others: &[u8]| {
        let Err(VerifyError::Threshold { counted, threshold: 2, mut missing }) = verify(seeds, environment) else {
            panic!("{seeds:?}");
        };
        let mut expected: Vec<Fingerprint> = others.iter().map(|seed| print(*seed)).collect();
        missing.sort();
        expected.sort();
        assert_eq!((counted, missing), (count, expected), "{seeds:?}");
    };
    short(&[1], Environment::Dev, 1, &[2, 3]);
    // One key twice.
    short(&[1, 1, 1], Environment::Dev, 1, &[2, 3]);
    // A stranger counts for nothing, and neither does a key of another role.
    short(&[1, 8], Environment::Dev, 1, &[2, 3]);
    short(&[1, 4], Environment::Dev, 1, &[2, 3]);
    // Key 3 does not serve prod, and could not help there.
    short(&[1, 3], Environment::Prod, 1, &[2]);
    assert!(verify(&[1], Environment::Dev).unwrap_err().to_string().contains("1 of the 2"));
}

#[test]
fn where_nobody_counts_the_reason_is_said() {
    let code = |seeds: &[u8], environment| verify(seeds, environment).err().map(|error| error.code());
    assert_eq!(code(&[8], Environment::Dev), Some("key-unknown"));
    assert_eq!(code(&[4], Environment::Dev), Some("key-not-for-releases"));
    assert_eq!(code(&[3], Environment::Prod), Some("environment-not-served"));
    assert_eq!(code(&[1, 2], Environment::Stage), Some("environment-not-served"));
    // The operator took a key back, whatever the keyset says.
    let mut trust = bound(&draft());
    trust.revoke(&print(1)).unwrap();
    let verify = |seeds: &[u8]| {
        let package = Untrusted::new(COMPONENT.to_vec(), signed_by(&manifest(&[]), seeds));
        package.verify(&trust, Environment::Dev, NOW)
    };
    assert_eq!(verify(&[1]).err().map(|error| error.code()), Some("key-revoked"));
    assert_eq!(verify(&[1, 2]).err().map(|error| error.code()), Some("threshold"));
    assert!(verify(&[1, 2, 3]).is_ok());
}

#[test]
fn two_publishers_do_not_add_up() {
    assert_eq!(verify(&[1, 9], Environment::Dev).err().map(|error| error.code()), Some("name-not-owned"));
    assert_eq!(verify(&[1, 2, 9], Environment::Dev).err().map(|error| error.code()), Some("name-not-owned"));
}

#[test]
fn one_bad_signature_refuses_the_package() {
    let bundles = String::from_utf8(signed_by(&manifest(&[]), &[1, 2, 8])).unwrap();
    // The stranger's signature under the name of key 3: enough others are whole.
    let claimed = bundles.replace(&print(8).to_string(), &print(3).to_string());
    let package = Untrusted::new(COMPONENT.to_vec(), claimed.into_bytes());
    assert_eq!(package.verify(&bound(&draft()), Environment::Dev, NOW).err(), Some(VerifyError::Signature(print(3))));
    // Under its own name it counts for nothing, and hurts nobody.
    let package = Untrusted::new(COMPONENT.to_vec(), bundles.into_bytes());
    assert!(package.verify(&bound(&draft()), Environment::Dev, NOW).is_ok());
}

#[test]
fn payloads_of_several_bundles_are_the_same_bytes() {
    let [one, other] = ["0.1.0", "0.2.0"].map(|version| manifest(&[("/plugin/version", json!(version))]));
    let mut file = signed_by(&one, &[1]);
    file.extend(signed_by(&other, &[2]));
    let package = Untrusted::new(COMPONENT.to_vec(), file);
    let refused = package.verify(&bound(&draft()), Environment::Dev, NOW);
    assert_eq!(refused.err(), Some(VerifyError::Bundle(crate::bundle::BundleError::Payloads)));
}

#[test]
fn an_expired_keyset_speaks_for_nobody() {
    let package = || Untrusted::new(COMPONENT.to_vec(), signed_by(&manifest(&[]), &[1, 2]));
    let trust = bound(&draft());
    assert!(package().verify(&trust, Environment::Dev, NOW.plus_millis(999)).is_ok());
    let refused = package().verify(&trust, Environment::Dev, NOW.plus_millis(1000));
    assert_eq!(refused.err().map(|error| error.code()), Some("keyset-expired"));
}

#[test]
fn a_key_nobody_locked_is_refused_and_one_that_no_longer_counts_is_not_missed() {
    let verify = |seeds: &[u8]| verify(seeds, Environment::Dev).unwrap();
    let (lock, state) = installed(&verify(&[1, 2]));
    assert!(verify(&[1, 2]).approve(&lock, &state).is_ok());
    let refused = verify(&[1, 2, 3]).approve(&lock, &state);
    assert_eq!(refused.err().map(|error| error.code()), Some("lock-differs"));
    let (lock, state) = installed(&verify(&[1, 2, 3]));
    assert!(verify(&[1, 2]).approve(&lock, &state).is_ok());
}

#[test]
fn documents_are_not_packages() {
    let payload = draft().to_payload().unwrap();
    let mut document = keyset::unsigned(payload.clone());
    document.add_signature(keyset::sign(&payload, &key(1))).unwrap();
    let code = |bundle: Vec<u8>| {
        Untrusted::new(COMPONENT.to_vec(), bundle).verify(&trust(), Environment::Dev, NOW).err().map(|error| error.code())
    };
    assert_eq!(code(document.to_json().into_bytes()), Some("bundle-invalid"));
    // Put into a bundle, the type is another one than was signed.
    let mut bundle: Value = serde_json::from_slice(&signed(&manifest(&[]), &key(1))).unwrap();
    let envelope: Value = serde_json::from_str(&document.to_json()).unwrap();
    bundle["dsseEnvelope"] = envelope;
    assert_eq!(code(bundle.to_string().into_bytes()), Some("bundle-invalid"));
    bundle["dsseEnvelope"]["payloadType"] = json!(statement::PAYLOAD_TYPE);
    assert_eq!(code(bundle.to_string().into_bytes()), Some("signature-invalid"));
}
