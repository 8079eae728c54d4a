//! Publishers bound to a keyset: what counts is what both the keyset and the operator say.

use super::*;
use crate::{
    digest::Digest,
    keyset::{self, KeysetDraft, KeysetError, KeysetKey, RoleKeys, Roles},
};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_000);

fn acme() -> PublisherName {
    "acme".parse().unwrap()
}

fn role(threshold: u64, seeds: &[u8]) -> RoleKeys {
    RoleKeys { threshold, keys: seeds.iter().map(|seed| key(*seed).fingerprint()).collect() }
}

/// Keys 1 and 2 sign packages in dev and prod, key 3 signs the rest in dev; key 4 is revoked.
fn draft() -> KeysetDraft {
    let entry = |seed: u8, environments: &[Environment]| KeysetKey {
        key: key(seed),
        environments: environments.iter().copied().collect(),
    };
    let both = [Environment::Dev, Environment::Prod];
    KeysetDraft {
        publisher: acme(),
        version: 1,
        expires: NOW.plus_millis(1),
        previous: None,
        namespaces: ["acme/scanner", "acme/emulator"].map(|name| name.parse().unwrap()).into(),
        keys: vec![entry(1, &both), entry(2, &both), entry(3, &[Environment::Dev]), entry(4, &both)],
        roles: Roles { keyset: role(1, &[3]), release: role(2, &[1, 2]), revoke: role(1, &[3]) },
        revoked: [key(4).fingerprint()].into(),
    }
}

fn file(draft: &KeysetDraft) -> Vec<u8> {
    let payload = draft.to_payload().unwrap();
    let mut document = keyset::unsigned(payload.clone());
    document.add_signature(keyset::sign(&payload, &PrivateKey::from_seed(&[3; 32]))).unwrap();
    document.to_json().into_bytes()
}

fn first(draft: &KeysetDraft) -> Keyset {
    Keyset::first(&file(draft), &Fingerprint::of(&draft.to_payload().unwrap())).unwrap()
}

fn binding(names: &[&str], environments: &[Environment]) -> Binding {
    Binding {
        keyset: first(&draft()),
        namespaces: names.iter().map(|name| name.parse().unwrap()).collect(),
        environments: environments.iter().copied().collect(),
    }
}

fn bound() -> TrustStore {
    let mut store = TrustStore::new();
    store.bind(binding(&["acme/*"], &[Environment::Prod]), NOW).unwrap();
    store
}

fn publisher(store: &TrustStore) -> &Publisher {
    store.publishers().get(&acme()).unwrap()
}

#[test]
fn what_counts_is_what_both_say() {
    let store = bound();
    let known = publisher(&store);
    let owns = |name: &str| known.owns(&name.parse().unwrap());
    assert!(owns("acme/scanner") && owns("acme/emulator") && !owns("acme/other"));
    assert_eq!((known.threshold(), known.keys().len()), (2, 4));
    let (_, _, one) = store.find(&key(1).fingerprint()).unwrap();
    assert!(one.releases() && !one.is_revoked());
    assert_eq!(*one.environments(), BTreeSet::from([Environment::Prod]), "the operator did not bind dev");
    let (_, _, three) = store.find(&key(3).fingerprint()).unwrap();
    assert!(!three.releases() && three.environments().is_empty());
    assert!(store.find(&key(4).fingerprint()).unwrap().2.is_revoked());
    let mut narrow = TrustStore::new();
    narrow.bind(binding(&["acme/scanner", "acme/other"], &[Environment::Dev]), NOW).unwrap();
    assert_eq!(*publisher(&narrow).namespaces(), BTreeSet::from(["acme/scanner".parse().unwrap()]));
}

#[test]
fn a_binding_is_refused_with_its_own_error() {
    let check = |mut store: TrustStore, binding: Binding, now: Timestamp, expected: &dyn Fn(&TrustError) -> bool| {
        let before = store.clone();
        let refused = store.bind(binding, now).unwrap_err();
        assert!(expected(&refused), "{refused}");
        assert_eq!(store, before, "a refusal changes nothing");
    };
    let prod = [Environment::Prod];
    let good = || binding(&["acme/*"], &prod);
    check(TrustStore::new(), binding(&["acme/*"], &[]), NOW, &|error| matches!(error, TrustError::ServesNowhere(_)));
    check(TrustStore::new(), binding(&["acme/other"], &prod), NOW, &|error| matches!(error, TrustError::NothingInCommon(_)));
    check(TrustStore::new(), binding(&[], &prod), NOW, &|error| matches!(error, TrustError::NothingInCommon(_)));
    check(TrustStore::new(), binding(&["acme/*", "bolt/*"], &prod), NOW, &|error| {
        matches!(error, TrustError::ForeignNamespace { .. })
    });
    check(bound(), good(), NOW, &|error| matches!(error, TrustError::AlreadyTrusted(_)));
    check(
        TrustStore::new(),
        good(),
        NOW.plus_millis(1),
        &|error| matches!(error, TrustError::Keyset { error, .. } if matches!(**error, KeysetError::Expired { .. })),
    );
    // A key of somebody else's.
    let mut taken = TrustStore::new();
    taken.enrol(enrolment("bolt", 2)).unwrap();
    check(taken, good(), NOW, &|error| matches!(error, TrustError::AlreadyEnrolled { .. }));
    // And the other way round: keys of a keyset are nobody else's, and no keys are added beside it.
    assert!(matches!(bound().enrol(enrolment("bolt", 1)), Err(TrustError::AlreadyEnrolled { .. })));
    assert_eq!(bound().enrol(enrolment("acme", 9)), Err(TrustError::BoundToKeyset(acme())));
}

#[test]
fn the_next_keyset_keeps_what_the_operator_said() {
    let mut store = bound();
    store.want_revocations(&acme(), Some("lists/acme.json".to_owned())).unwrap();
    store.revoke(&key(1).fingerprint()).unwrap();
    let mut draft = KeysetDraft { version: 2, previous: Some(first(&draft()).digest()), ..draft() };
    draft.roles.release = role(1, &[1, 2]);
    let nothing = BTreeSet::new();
    let next = store.rotate(&acme(), &file(&draft), &nothing, NOW).unwrap();
    assert_eq!(next.version(), 2);
    let known = publisher(&store);
    assert_eq!((known.threshold(), known.revocation_source()), (1, Some("lists/acme.json")));
    assert!(store.find(&key(1).fingerprint()).unwrap().2.is_revoked());
    let before = store.clone();
    assert!(matches!(store.rotate(&acme(), &file(&draft), &nothing, NOW), Err(TrustError::Keyset { .. })), "once");
    assert_eq!(store.rotate(&"bolt".parse().unwrap(), b"", &nothing, NOW), Err(TrustError::NotTrusted("bolt".parse().unwrap())));
    assert_eq!(store, before);
    let mut inline = super::store();
    assert_eq!(inline.rotate(&acme(), &file(&draft), &nothing, NOW), Err(TrustError::NoKeyset(acme())));
}

#[test]
fn a_key_that_the_host_remembers_as_taken_back_leads_to_no_next_keyset() {
    // No list is attached: key 3, which alone signs keysets, was taken back by one that is not there any more.
    let next = file(&KeysetDraft { version: 2, previous: Some(first(&draft()).digest()), ..draft() });
    let refused = bound().rotate(&acme(), &next, &[key(3).fingerprint()].into(), NOW).cloned();
    assert!(
        matches!(&refused, Err(TrustError::Keyset { error, .. }) if error.code() == "keyset-signatures-missing"),
        "{refused:?}"
    );
    assert!(bound().rotate(&acme(), &next, &[key(1).fingerprint()].into(), NOW).is_ok());
}

#[test]
fn a_removed_publisher_is_forgotten() {
    let mut store = bound();
    assert!(store.remove(&acme()).is_ok());
    assert_eq!((store.clone(), store.remove(&acme())), (TrustStore::new(), Err(TrustError::NotTrusted(acme()))));
}

#[test]
fn what_is_written_is_read_back_with_its_document() {
    let mut store = bound();
    store.enrol(enrolment("bolt", 9)).unwrap();
    store.revoke(&key(2).fingerprint()).unwrap();
    store.want_revocations(&acme(), Some("https://acme.example/\"list\"".to_owned())).unwrap();
    let text = store.to_text();
    let document = |name: &PublisherName, version: u64| (*name == acme() && version == 1).then(|| file(&draft()));
    assert_eq!(TrustStore::parse(&text, document), Ok(store.clone()), "{text}");
    assert_eq!(TrustStore::parse(&text, document).unwrap().to_text(), text);
    let refused = TrustStore::parse(&text, |_, _| None);
    assert_eq!(refused, Err(TrustError::NoDocument { publisher: acme(), version: 1 }));
}

#[test]
fn only_the_pinned_document_is_taken() {
    let text = bound().to_text();
    let code = |text: &str, document: Vec<u8>| match TrustStore::parse(text, |_, _| Some(document.clone())) {
        Err(TrustError::Keyset { error, .. }) => error.code(),
        other => panic!("{other:?}"),
    };
    let other = KeysetDraft { expires: NOW.plus_millis(2), ..draft() };
    assert_eq!(code(&text, file(&other)), "keyset-not-pinned");
    assert_eq!(code(&text, b"{}".to_vec()), "keyset-invalid");
    assert_eq!(code(&text.replace("version = 1,", "version = 2,"), file(&draft())), "keyset-version-differs");
    let renamed = text.replace("acme", "bolt");
    assert_eq!(code(&renamed, file(&draft())), "keyset-other-publisher");
    let mut unsigned: serde_json::Value = serde_json::from_slice(&file(&draft())).unwrap();
    unsigned["signatures"][0]["sig"] = STANDARD.encode([0; 64]).into();
    assert_eq!(code(&text, unsigned.to_string().into_bytes()), "keyset-signatures-missing");
}

#[test]
fn an_entry_has_keys_or_a_keyset() {
    let digest = Digest::of(b"x");
    let fingerprint = key(1).fingerprint();
    let key = format!("key = [{{ fingerprint = \"{fingerprint}\", public_key = \"\", environments = [\"dev\"] }}]");
    let keyset = format!("keyset = {{ version = 1, digest = \"{digest}\" }}");
    let environments = "environments = [\"dev\"]".to_owned();
    let revoked = format!("revoked = [\"{fingerprint}\"]");
    let mixed = TrustError::Mixed(acme());
    for (lines, expected) in [
        (vec![&key, &keyset], &mixed),
        (vec![&key, &keyset, &environments], &mixed),
        (vec![&key, &environments], &mixed),
        (vec![&key, &revoked], &mixed),
        (vec![&keyset], &mixed),
        (vec![&environments], &mixed),
        (vec![], &TrustError::NoKeys(acme())),
    ] {
        let lines: Vec<&str> = lines.into_iter().map(String::as_str).collect();
        let text = format!("version = 1\n[publisher.acme]\nnames = [\"acme/*\"]\n{}\n", lines.join("\n"));
        assert_eq!(parse(&text).as_ref(), Err(expected), "{text}");
    }
}

#[test]
fn a_list_comes_from_a_place() {
    let mut store = bound();
    for place in
        ["https://acme.example/list.json", "lists/acme.json", "/srv/list.json", "http://127.0.0.1:8080/list", "http://[::1]/l"]
    {
        assert_eq!(store.want_revocations(&acme(), Some(place.to_owned())), Ok(()), "{place}");
    }
    let long = "x".repeat(MAX_SOURCE + 1);
    for place in [
        "",
        "http://acme.example/",
        "ftp://acme.example/",
        "https://user:secret@acme.example/",
        "https://",
        "a\nb",
        "file:///etc/x",
        &long,
    ] {
        let refused = store.want_revocations(&acme(), Some(place.to_owned()));
        assert!(matches!(refused, Err(TrustError::RevocationSource(_))), "{place}");
    }
    let refused = store.want_revocations(&"bolt".parse().unwrap(), None);
    assert_eq!(refused, Err(TrustError::NotTrusted("bolt".parse().unwrap())));
}
