//! The trust store: what is enrolled, and what is refused.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "tests")]

mod keyset;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::*;
use crate::key::{KeyError, PrivateKey};

/// Of a file without keysets.
fn parse(text: &str) -> Result<TrustStore, TrustError> {
    TrustStore::parse(text, |_, _| None)
}

fn key(seed: u8) -> PublicKey {
    PrivateKey::from_seed(&[seed; 32]).public_key()
}

fn enrolment(publisher: &str, seed: u8) -> Enrolment {
    Enrolment {
        publisher: publisher.parse().unwrap(),
        namespaces: BTreeSet::from([format!("{publisher}/*").parse().unwrap()]),
        key: key(seed),
        fingerprint: key(seed).fingerprint(),
        environments: BTreeSet::from([Environment::Dev]),
    }
}

fn store() -> TrustStore {
    let mut store = TrustStore::new();
    store.enrol(enrolment("acme", 1)).unwrap();
    store
        .enrol(Enrolment { environments: BTreeSet::from([Environment::Prod, Environment::Stage]), ..enrolment("acme", 2) })
        .unwrap();
    let namespaces = BTreeSet::from(["bolt/emulator".parse().unwrap(), "bolt/scanner".parse().unwrap()]);
    store.enrol(Enrolment { namespaces, ..enrolment("bolt", 3) }).unwrap();
    store.revoke(&key(2).fingerprint()).unwrap();
    store
}

fn check(enrolment: Enrolment, expected: TrustError) {
    let mut store = store();
    assert_eq!(store.enrol(enrolment), Err(expected));
    assert_eq!(store, self::store(), "a refusal changes nothing");
}

#[test]
fn what_is_written_is_read_back() {
    let text = store().to_text();
    assert_eq!(parse(&text), Ok(store()));
    assert_eq!(parse(&text).unwrap().to_text(), text);
    assert_eq!(parse(&TrustStore::new().to_text()), Ok(TrustStore::new()));
}

#[test]
fn names_belong_to_their_publisher() {
    let store = store();
    let owns = |publisher: &str, id: &str| {
        store.publishers().get(&publisher.parse().unwrap()).is_some_and(|publisher| publisher.owns(&id.parse().unwrap()))
    };
    assert!(owns("acme", "acme/anything") && owns("bolt", "bolt/scanner"));
    assert!(!owns("acme", "bolt/scanner") && !owns("bolt", "bolt/other") && !owns("bolt", "acme/anything"));
    for text in ["*", "*/*", "acme", "acme/", "acme/*/*", "acme/a*", "/x", "ACME/*"] {
        assert!(text.parse::<Namespace>().is_err(), "{text}");
    }
}

#[test]
fn enrolment_is_strict() {
    let (one, nine) = (key(1).fingerprint(), key(9).fingerprint());
    let acme: PublisherName = "acme".parse().unwrap();
    let other: Namespace = "other/*".parse().unwrap();
    check(Enrolment { fingerprint: one, ..enrolment("acme", 9) }, TrustError::Fingerprint { expected: one, actual: nine });
    check(enrolment("acme", 1), TrustError::AlreadyEnrolled { key: one, publisher: acme.clone() });
    check(enrolment("other", 1), TrustError::AlreadyEnrolled { key: one, publisher: acme.clone() });
    check(Enrolment { environments: BTreeSet::new(), ..enrolment("acme", 9) }, TrustError::NoEnvironment(nine));
    check(
        Enrolment { namespaces: BTreeSet::from([other.clone()]), ..enrolment("acme", 9) },
        TrustError::ForeignNamespace { publisher: acme, namespace: other },
    );
    check(Enrolment { namespaces: BTreeSet::new(), ..enrolment("new", 9) }, TrustError::NoNamespace("new".parse().unwrap()));
    assert_eq!(store().revoke(&nine), Err(TrustError::NotEnrolled(nine)));
}

#[test]
fn a_publisher_has_a_bounded_number_of_keys() {
    let mut store = TrustStore::new();
    for seed in 0..64 {
        store.enrol(enrolment("acme", seed)).unwrap();
    }
    assert_eq!(store.enrol(enrolment("acme", 64)), Err(TrustError::TooManyKeys("acme".parse().unwrap())));
}

#[test]
fn a_changed_file_is_refused() {
    let text = store().to_text();
    let refused = |from: &str, to: &str| {
        assert!(text.contains(from), "{from}");
        parse(&text.replacen(from, to, 1)).unwrap_err()
    };
    let key_text = STANDARD.encode(key(1).as_bytes());
    let weak = STANDARD.encode([0; 32]);
    assert_eq!(refused("version = 1", "version = 2"), TrustError::Version(2));
    assert!(matches!(refused("version = 1", "version = 1\nextra = 1"), TrustError::Syntax(_)));
    assert!(matches!(refused("environments =", "extra = 1\nenvironments ="), TrustError::Syntax(_)));
    assert!(matches!(refused("\"dev\"", "\"everywhere\""), TrustError::Syntax(_)));
    assert!(matches!(refused("\"acme/*\"", "\"*\""), TrustError::Syntax(_)));
    assert!(matches!(refused("\"acme/*\"", "\"bolt/*\""), TrustError::ForeignNamespace { .. }));
    assert!(matches!(refused(&key_text, &STANDARD.encode(key(9).as_bytes())), TrustError::Fingerprint { .. }));
    assert!(matches!(refused(&key_text, &weak), TrustError::Key { error: KeyError::Weak, .. }));
    assert!(matches!(refused(&key_text, "AA=="), TrustError::Key { error: KeyError::NotAPublicKey, .. }));
    let keyless = "version = 1\n[publisher.acme]\nnames = [\"acme/*\"]\nkey = []\n";
    assert_eq!(parse(keyless), Err(TrustError::NoKeys("acme".parse().unwrap())));
    assert_eq!(parse(&" ".repeat(MAX_TRUST_FILE + 1)), Err(TrustError::TooLarge));
}
