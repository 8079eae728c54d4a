//! Revocation lists: every rule has its refusal, and a list reaches nobody else.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests")]

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::*;
use crate::{
    environment::Environment,
    trust::{Enrolment, Namespace, TrustStore},
};

const ISSUED: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32])
}

fn print(seed: u8) -> Fingerprint {
    key(seed).public_key().fingerprint()
}

fn acme() -> PublisherName {
    "acme".parse().unwrap()
}

/// `acme` has the keys 1 and 2, of which 2 is revoked; `bolt` has the key 3.
fn trust() -> TrustStore {
    let mut trust = TrustStore::new();
    for (publisher, seed) in [("acme", 1), ("acme", 2), ("bolt", 3)] {
        let publisher: PublisherName = publisher.parse().unwrap();
        let namespaces = BTreeSet::from([Namespace::all(publisher.clone())]);
        let environments = BTreeSet::from([Environment::Dev]);
        let key = key(seed).public_key();
        trust.enrol(Enrolment { publisher, namespaces, fingerprint: key.fingerprint(), key, environments }).unwrap();
    }
    trust.revoke(&print(2)).unwrap();
    trust
}

fn draft() -> RevocationDraft {
    let reason = "the key was in a backup that was lost".to_owned();
    RevocationDraft {
        publisher: acme(),
        version: 3,
        issued: ISSUED,
        expires: ISSUED.plus_millis(86_400_000),
        entries: vec![
            Entry::Key(KeyEntry { key: print(7), reason: reason.clone() }),
            Entry::Release(ReleaseEntry { plugin: "acme/scanner".parse().unwrap(), release: 4, reason: reason.clone() }),
            Entry::Component(ComponentEntry { component: Digest::of(b"x"), reason }),
        ],
    }
}

fn signed(payload: &[u8], seeds: &[u8]) -> Vec<u8> {
    let mut document = unsigned(payload.to_vec());
    for seed in seeds {
        document.add_signature(sign(payload, &key(*seed))).unwrap();
    }
    document.to_json().into_bytes()
}

fn attach(file: &[u8]) -> Result<RevocationList, RevocationError> {
    trust().attach_revocations(&acme(), file).cloned()
}

#[test]
fn what_is_written_is_read_back() {
    let payload = draft().to_payload().unwrap();
    let list = attach(&signed(&payload, &[1])).unwrap();
    assert_eq!((list.fields(), list.version(), list.digest()), (&draft(), 3, Digest::of(&payload)));
    assert!(list.key(&print(7)).is_some() && list.key(&print(1)).is_none());
    assert!(list.release(&"acme/scanner".parse().unwrap(), 4).is_some());
    assert!(list.release(&"acme/scanner".parse().unwrap(), 5).is_none());
    assert!(list.release(&"acme/other".parse().unwrap(), 4).is_none());
    assert!(list.component(&Digest::of(b"x")).is_some() && list.component(&Digest::of(b"y")).is_none());
    assert!(list.is_expired(list.expires()) && !list.is_expired(ISSUED));
    let mut reversed = draft();
    reversed.entries.reverse();
    assert_eq!(reversed.to_payload().unwrap(), payload, "the order of a draft is nobody's business");
    let nothing = RevocationDraft { entries: vec![], ..draft() }.to_payload().unwrap();
    assert!(attach(&signed(&nothing, &[1])).is_ok());
    assert_eq!(read(&signed(&payload, &[9])).unwrap().0, draft());
}

#[test]
fn only_those_who_may_revoke_are_heard() {
    let payload = draft().to_payload().unwrap();
    assert!(attach(&signed(&payload, &[9, 3, 1])).is_ok());
    // A revoked key, a stranger, another publisher.
    for seeds in [&[2][..], &[9], &[3], &[2, 3, 9]] {
        let refused = attach(&signed(&payload, seeds));
        assert!(matches!(refused, Err(RevocationError::Signatures { counted: 0, threshold: 1, .. })), "{seeds:?}");
    }
    let stranger: PublisherName = "nobody".parse().unwrap();
    let refused = trust().attach_revocations(&stranger, &signed(&payload, &[1])).cloned();
    assert_eq!(refused, Err(RevocationError::UnknownPublisher(stranger)));
}

#[test]
fn a_key_that_a_list_took_back_signs_no_list_after_it() {
    let mut trust = TrustStore::new();
    for seed in [1, 2] {
        let namespaces = BTreeSet::from([Namespace::all(acme())]);
        let (key, environments) = (key(seed).public_key(), BTreeSet::from([Environment::Dev]));
        trust.enrol(Enrolment { publisher: acme(), namespaces, fingerprint: key.fingerprint(), key, environments }).unwrap();
    }
    let entries = vec![Entry::Key(KeyEntry { key: print(1), reason: "stolen".to_owned() })];
    let list = RevocationDraft { entries, ..draft() }.to_payload().unwrap();
    trust.attach_revocations(&acme(), &signed(&list, &[2])).unwrap();
    let next = RevocationDraft { version: 4, entries: vec![], ..draft() }.to_payload().unwrap();
    let refused = trust.attach_revocations(&acme(), &signed(&next, &[1])).cloned();
    assert!(matches!(refused, Err(RevocationError::Signatures { counted: 0, .. })), "{refused:?}");
    assert!(trust.attach_revocations(&acme(), &signed(&next, &[2])).is_ok());
}

#[test]
fn each_rule_has_its_own_code() {
    let check = |changes: &[(&str, Value)], expected: &str| {
        let mut json: Value = serde_json::from_slice(&draft().to_payload().unwrap()).unwrap();
        for (place, value) in changes {
            let (parent, name) = place.rsplit_once('/').unwrap();
            match json.pointer_mut(parent).unwrap() {
                Value::Array(items) => items[name.parse::<usize>().unwrap()] = value.clone(),
                object => object[name] = value.clone(),
            }
        }
        let refused = attach(&signed(json.to_string().as_bytes(), &[1]));
        assert_eq!(refused.err().map(|error| error.code()), Some(expected), "{changes:?}");
    };
    let entry = |key: u8, reason: &str| json!({ "key": print(key), "reason": reason });
    let two = || if print(1) < print(2) { [entry(1, "a"), entry(2, "a")] } else { [entry(2, "a"), entry(1, "a")] };
    let [first, second] = two();
    check(&[("/publisher", json!("bolt")), ("/entries", json!([]))], "revocations-other-publisher");
    check(&[("/publisher", json!("bolt"))], "revocations-foreign-plugin");
    check(&[("/version", json!(0))], "revocations-version-zero");
    check(&[("/expires", json!(ISSUED.to_string()))], "revocations-dates");
    check(&[("/entries", json!(vec![entry(1, "a"); MAX_ENTRIES + 1]))], "revocations-too-many");
    check(&[("/entries", json!([entry(1, "")]))], "revocations-reason");
    check(&[("/entries", json!([entry(1, &"x".repeat(MAX_REASON + 1))]))], "revocations-reason");
    check(&[("/entries", json!([entry(1, "two\nlines")]))], "revocations-reason");
    check(&[("/entries", json!([entry(1, "\u{202e}hidden")]))], "revocations-reason");
    check(&[("/entries/1/plugin", json!("bolt/scanner"))], "revocations-foreign-plugin");
    check(&[("/entries", json!([entry(3, "not theirs")]))], "revocations-foreign-key");
    check(&[("/entries", json!([second, first]))], "revocations-spelling");
    check(&[("/entries", json!([entry(1, "a"), entry(1, "a")]))], "revocations-spelling");
    check(&[("/entries", json!([entry(1, "a"), entry(1, "b")]))], "revocations-spelling");
    check(&[("/issued", json!("2026-12-31T00:00:00Z"))], "revocations-spelling");
    check(&[("/entries", json!([{ "reason": "a", "key": print(1) }]))], "revocations-spelling");
    for (place, value) in [
        ("/extra", json!(1)),
        ("/entries/0/extra", json!(1)),
        ("/entries/0/component", json!(Digest::of(b"x"))),
        ("/entries/1/release", json!("4")),
        ("/entries/2/component", json!("x")),
        ("/entries", json!([{ "reason": "nothing" }])),
    ] {
        check(&[(place, value)], "revocations-invalid");
    }
}

#[test]
fn documents_of_another_kind_are_not_lists() {
    let payload = draft().to_payload().unwrap();
    for other in [crate::keyset::PAYLOAD_TYPE, crate::statement::PAYLOAD_TYPE] {
        let mut document = unsigned(payload.clone());
        document.add_signature(document::sign(other, &payload, &key(1))).unwrap();
        assert!(matches!(attach(document.to_json().as_bytes()), Err(RevocationError::Signatures { counted: 0, .. })));
        let text = document.to_json().replace(PAYLOAD_TYPE, other);
        assert_eq!(attach(text.as_bytes()).err().map(|error| error.code()), Some("revocations-other-document"));
    }
}
