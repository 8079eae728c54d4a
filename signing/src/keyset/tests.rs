//! Keysets: every rule has its refusal, and a chain cannot be cut, jumped or joined by another.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

use base64::{Engine as _, engine::general_purpose::STANDARD};
use serde_json::{Value, json};

use super::*;
use crate::{
    document::DocumentError,
    environment::Environment,
    strict_json::StrictJsonError,
    trust::{MAX_KEYS, Namespace},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);
const LATER: Timestamp = Timestamp::from_millis(1_900_000_000_000);

fn key(seed: u8) -> PrivateKey {
    PrivateKey::from_seed(&[seed; 32])
}

fn print(seed: u8) -> Fingerprint {
    key(seed).public_key().fingerprint()
}

fn role(threshold: u64, seeds: &[u8]) -> RoleKeys {
    RoleKeys { threshold, keys: seeds.iter().map(|seed| print(*seed)).collect() }
}

/// Two of keys 1, 2 and 3 sign keysets; key 4 signs packages, and key 5 revokes.
fn draft() -> KeysetDraft {
    let entry = |seed| KeysetKey { key: key(seed).public_key(), environments: [Environment::Prod].into() };
    KeysetDraft {
        publisher: "acme".parse().unwrap(),
        version: 1,
        expires: LATER,
        previous: None,
        namespaces: ["acme/*".parse::<Namespace>().unwrap()].into(),
        keys: (1..=5).map(entry).collect(),
        roles: Roles { keyset: role(2, &[1, 2, 3]), release: role(1, &[4]), revoke: role(1, &[5]) },
        revoked: BTreeSet::new(),
    }
}

fn signed(payload: &[u8], seeds: &[u8]) -> Vec<u8> {
    let mut document = unsigned(payload.to_vec());
    for seed in seeds {
        document.add_signature(sign(payload, &key(*seed))).unwrap();
    }
    document.to_json().into_bytes()
}

fn first() -> Keyset {
    let payload = draft().to_payload().unwrap();
    Keyset::first(&signed(&payload, &[1, 2]), &Fingerprint::of(&payload)).unwrap()
}

/// The draft that follows [`first`].
fn second() -> KeysetDraft {
    KeysetDraft { version: 2, previous: Some(first().digest()), ..draft() }
}

/// A payload as anybody could write it, past the rules of the draft.
fn payload(changes: &[(&str, Value)]) -> Vec<u8> {
    let mut json: Value = serde_json::from_slice(&draft().to_payload().unwrap()).unwrap();
    for (place, value) in changes {
        let (parent, name) = place.rsplit_once('/').unwrap();
        json.pointer_mut(parent).unwrap()[name] = value.clone();
    }
    json.to_string().into_bytes()
}

#[test]
fn a_first_document_is_the_one_whose_fingerprint_was_given() {
    let (payload, keyset) = (draft().to_payload().unwrap(), first());
    assert_eq!((keyset.version(), keyset.to_payload()), (1, payload.clone()));
    assert!(keyset.fingerprint().to_string().starts_with("SHA256:"));
    assert_eq!(Keyset::pinned(&signed(&payload, &[1, 3]), 1, &keyset.digest()), Ok(keyset.clone()));
    let refused = Keyset::first(&signed(&payload, &[1, 2]), &print(1));
    assert_eq!(refused, Err(KeysetError::Fingerprint { expected: print(1), actual: keyset.fingerprint() }));
    let other = Digest::of(b"other");
    let refused = Keyset::pinned(&signed(&payload, &[1, 2]), 1, &other);
    assert_eq!(refused, Err(KeysetError::NotPinned { expected: other, actual: keyset.digest() }));
    let refused = Keyset::pinned(&signed(&payload, &[1, 2]), 2, &keyset.digest());
    assert_eq!(refused, Err(KeysetError::Version { expected: 2, actual: 1 }));
}

#[test]
fn each_rule_has_its_own_code() {
    let check = |changes: &[(&str, Value)], expected: &str| {
        let payload = payload(changes);
        let refused = Keyset::first(&signed(&payload, &[1, 2]), &Fingerprint::of(&payload));
        assert_eq!(refused.err().map(|error| error.code()), Some(expected), "{changes:?}");
    };
    let prints = |seeds: &[u8]| json!(role(1, seeds).keys);
    let good: Value = serde_json::from_slice(&draft().to_payload().unwrap()).unwrap();
    let reversed: Vec<Value> = good["keys"].as_array().unwrap().iter().rev().cloned().collect();
    let twice: Vec<Value> = [&good["keys"][0], &good["keys"][0]].into_iter().cloned().collect();
    check(&[("/version", json!(0))], "keyset-version-zero");
    check(&[("/version", json!(2))], "keyset-previous");
    check(&[("/previous", json!(Digest::of(b"x")))], "keyset-previous");
    check(&[("/namespaces", json!([]))], "keyset-no-namespace");
    check(&[("/namespaces", json!(["bolt/*"]))], "keyset-foreign-namespace");
    check(&[("/keys", json!(reversed))], "keyset-spelling");
    check(&[("/keys", json!(twice))], "keyset-key-twice");
    check(&[("/keys/0/environments", json!([]))], "keyset-no-environment");
    check(&[("/revoked", prints(&[4]))], "keyset-revoked-in-role");
    check(&[("/roles/release/keys", prints(&[9]))], "keyset-unknown-in-role");
    check(&[("/roles/release/threshold", json!(0))], "keyset-threshold-zero");
    check(&[("/roles/keyset/threshold", json!(0))], "keyset-threshold-zero");
    check(&[("/roles/release/threshold", json!(2))], "keyset-threshold-too-high");
    check(&[("/roles/revoke/keys", json!([]))], "keyset-threshold-too-high");
    // Weak, not canonical, not 32 bytes, not base64.
    let zero = STANDARD.encode([0; 32]);
    for key in [zero.as_str(), "AA==", "?", "7v///////////////////////////////////////38="] {
        check(&[("/keys/0/key", json!(key))], "keyset-invalid");
    }
    for (place, value) in [
        ("/extra", json!(1)),
        ("/keys/0/extra", json!(1)),
        ("/roles/root", json!({ "threshold": 1, "keys": [] })),
        ("/version", json!("1")),
        ("/expires", json!("tomorrow")),
        ("/publisher", json!("ACME")),
        ("/keys/0/environments", json!(["everywhere"])),
    ] {
        check(&[(place, value)], "keyset-invalid");
    }
    // The same meaning, written in another way.
    check(&[("/expires", json!(LATER.to_string().replace(".000Z", "Z")))], "keyset-spelling");
    check(&[("/namespaces", json!(["acme/*", "acme/*"]))], "keyset-spelling");
    check(&[("/roles/release", json!([1, good["roles"]["release"]["keys"]]))], "keyset-spelling");
}

#[test]
fn a_draft_obeys_the_same_rules() {
    let many = (0..=u8::try_from(MAX_KEYS).unwrap())
        .map(|seed| KeysetKey { key: key(seed).public_key(), environments: [Environment::Dev].into() })
        .collect();
    assert_eq!(KeysetDraft { keys: many, ..draft() }.to_payload(), Err(KeysetError::TooManyKeys));
    let revoked = (0..=MAX_REVOKED).map(|at| Fingerprint::of(&at.to_le_bytes())).collect();
    assert_eq!(KeysetDraft { revoked, ..draft() }.to_payload(), Err(KeysetError::TooManyRevoked));
    assert_eq!(KeysetDraft { version: 0, ..draft() }.to_payload(), Err(KeysetError::VersionZero));
    // The order of the keys in a draft is nobody's business.
    let mut reversed = draft();
    reversed.keys.reverse();
    assert_eq!(reversed.to_payload(), draft().to_payload());
}

#[test]
fn distinct_keys_are_counted_and_hints_are_not_believed() {
    let payload = draft().to_payload().unwrap();
    let expected = Fingerprint::of(&payload);
    let counted = |file: &[u8]| match Keyset::first(file, &expected) {
        Ok(_) => 2,
        Err(KeysetError::Signatures { counted, threshold: 2, .. }) => counted,
        Err(error) => panic!("{error}"),
    };
    assert_eq!(counted(&signed(&payload, &[1, 2])), 2);
    assert_eq!(counted(&signed(&payload, &[1])), 1);
    // Keys that are there, but not in the role, and strangers.
    assert_eq!(counted(&signed(&payload, &[1, 4, 5, 9])), 1);
    // One key twice: the very signature, and under another name.
    let one = sign(&payload, &key(1));
    let mut document = unsigned(payload.clone());
    document.add_signature(one.clone()).unwrap();
    assert_eq!(document.add_signature(one.clone()), Err(DocumentError::AlreadySigned));
    let mut json: Value = serde_json::from_slice(&signed(&payload, &[1])).unwrap();
    let mut renamed = json["signatures"][0].clone();
    renamed["keyid"] = json!(print(2));
    json["signatures"].as_array_mut().unwrap().push(renamed);
    assert_eq!(counted(json.to_string().as_bytes()), 1);
    // Names that are wrong, or none: the signatures say who signed.
    let mut json: Value = serde_json::from_slice(&signed(&payload, &[1, 2])).unwrap();
    json["signatures"][0]["keyid"] = json!("somebody");
    json["signatures"][1].as_object_mut().unwrap().remove("keyid");
    assert_eq!(counted(json.to_string().as_bytes()), 2);
    let refused = Keyset::first(&signed(&payload, &[1]), &expected).unwrap_err();
    assert!(refused.to_string().contains(&print(2).to_string()), "{refused}");
}

#[test]
fn the_next_document_needs_the_thresholds_of_both() {
    let old = first();
    // Keys 1 and 2 leave, 6 and 7 come: only 3 stays.
    let mut draft = second();
    for seed in [6, 7] {
        draft.keys.push(KeysetKey { key: key(seed).public_key(), environments: [Environment::Prod].into() });
    }
    draft.roles.keyset = role(2, &[3, 6, 7]);
    draft.revoked = [print(1)].into();
    let payload = draft.to_payload().unwrap();
    let rotate = |seeds: &[u8]| old.rotate(&signed(&payload, seeds), &BTreeSet::new(), NOW);
    let next = rotate(&[1, 2, 6, 7]).unwrap();
    assert_eq!((next.version(), next.role(Role::Keyset).threshold), (2, 2));
    assert!(rotate(&[1, 3, 6]).is_ok(), "key 3 counts for both");
    let short = |seeds: &[u8], of: u64| {
        let refused = rotate(seeds);
        assert!(matches!(refused, Err(KeysetError::Signatures { version, .. }) if version == of), "{seeds:?}: {refused:?}");
    };
    short(&[6, 7, 3], 1);
    short(&[1, 6, 7], 1);
    short(&[1, 2, 3], 2);
    short(&[1, 2, 6], 2);
    short(&[1, 2, 4, 5], 2);
}

#[test]
fn keys_that_were_taken_back_lead_to_no_next_document() {
    let next = signed(&second().to_payload().unwrap(), &[1, 2]);
    assert!(first().rotate(&next, &[print(9)].into(), NOW).is_ok());
    for stolen in [1, 2] {
        let refused = first().rotate(&next, &[print(stolen)].into(), NOW);
        assert_eq!(refused.err().map(|error| error.code()), Some("keyset-signatures-missing"), "{stolen}");
    }
}

#[test]
fn the_chain_is_not_cut_jumped_or_joined() {
    let old = first();
    let check = |draft: KeysetDraft, expected: &str| {
        let refused = old.rotate(&signed(&draft.to_payload().unwrap(), &[1, 2]), &BTreeSet::new(), NOW);
        assert_eq!(refused.err().map(|error| error.code()), Some(expected));
    };
    check(draft(), "keyset-not-next");
    check(KeysetDraft { version: 3, ..second() }, "keyset-not-next");
    check(KeysetDraft { version: u64::MAX, ..second() }, "keyset-not-next");
    check(KeysetDraft { previous: Some(Digest::of(b"other")), ..second() }, "keyset-previous");
    check(KeysetDraft { expires: NOW, ..second() }, "keyset-expired");
    let bolt = KeysetDraft { publisher: "bolt".parse().unwrap(), namespaces: ["bolt/*".parse().unwrap()].into(), ..second() };
    check(bolt, "keyset-other-publisher");
    assert!(old.rotate(&signed(&second().to_payload().unwrap(), &[1, 2]), &BTreeSet::new(), NOW).is_ok());
}

#[test]
fn an_expired_document_can_be_rotated_away_from() {
    let expired = KeysetDraft { expires: Timestamp::from_millis(1), ..draft() }.to_payload().unwrap();
    let old = Keyset::first(&signed(&expired, &[1, 2]), &Fingerprint::of(&expired)).unwrap();
    assert!(old.is_expired(NOW) && old.is_expired(old.expires()));
    let next = KeysetDraft { previous: Some(old.digest()), ..second() }.to_payload().unwrap();
    assert!(old.rotate(&signed(&next, &[1, 2]), &BTreeSet::new(), NOW).is_ok());
}

#[test]
fn the_envelope_is_strict() {
    let payload = draft().to_payload().unwrap();
    let good = String::from_utf8(signed(&payload, &[1, 2])).unwrap();
    let check = |file: &str, expected: DocumentError| {
        assert_eq!(Keyset::first(file.as_bytes(), &Fingerprint::of(&payload)), Err(KeysetError::Document(expected)), "{file}");
    };
    let twice = good.replacen("{\"payload\"", "{\"payload\":\"\",\"payload\"", 1);
    assert!(matches!(
        Keyset::first(twice.as_bytes(), &Fingerprint::of(&payload)),
        Err(KeysetError::Document(DocumentError::Json(StrictJsonError::DuplicateKey { .. })))
    ));
    check(&good.replacen("{\"payload\"", "{\"extra\":1,\"payload\"", 1), DocumentError::Shape);
    check(&good.replacen("\"keyid\"", "\"alg\"", 1), DocumentError::Shape);
    check(&" ".repeat(document::MAX_DOCUMENT + 1), DocumentError::TooLarge);
    check(&good.replace(".keyset.v1+json", ".keyset.v2+json"), DocumentError::PayloadType(PAYLOAD_TYPE));
    assert!(Keyset::first(format!("{good}\n").as_bytes(), &Fingerprint::of(&payload)).is_ok());
    // A key twice in what was signed, with the fingerprint of just that.
    let doubled = String::from_utf8(payload).unwrap().replacen("{\"publisher\"", "{\"publisher\":\"bolt\",\"publisher\"", 1);
    let refused = Keyset::first(&signed(doubled.as_bytes(), &[1, 2]), &Fingerprint::of(doubled.as_bytes()));
    assert!(matches!(refused, Err(KeysetError::Document(DocumentError::Payload(StrictJsonError::DuplicateKey { .. })))));
}

#[test]
fn documents_of_another_kind_are_not_keysets() {
    let payload = draft().to_payload().unwrap();
    // The payload of a keyset, signed as something else, with the type corrected afterwards.
    for other in [crate::revocation::PAYLOAD_TYPE, crate::statement::PAYLOAD_TYPE, ""] {
        let mut document = unsigned(payload.clone());
        for seed in [1, 2] {
            document.add_signature(document::sign(other, &payload, &key(seed))).unwrap();
        }
        let refused = Keyset::first(document.to_json().as_bytes(), &Fingerprint::of(&payload));
        assert!(matches!(refused, Err(KeysetError::Signatures { counted: 0, .. })), "{other}");
        let text = document.to_json().replace(PAYLOAD_TYPE, other);
        let refused = Keyset::first(text.as_bytes(), &Fingerprint::of(&payload));
        assert_eq!(refused.err().map(|error| error.code()), Some("keyset-other-document"));
    }
}

#[test]
fn every_changed_byte_is_refused() {
    let payload = draft().to_payload().unwrap();
    let good = signed(&payload, &[1, 2]);
    for at in (0..good.len()).step_by(7) {
        let mut changed = good.clone();
        changed[at] ^= 1;
        let read = Keyset::first(&changed, &Fingerprint::of(&payload));
        // Key ids are hints: a changed one changes nothing.
        let hint = Keyset::first(&good, &Fingerprint::of(&payload));
        assert!(read.is_err() || read == hint, "byte {at}");
    }
}
