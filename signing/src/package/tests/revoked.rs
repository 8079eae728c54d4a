//! Revocation lists: what a publisher took back is not loaded, and a list that should be there is missed.

use super::{
    signers::{bound, draft, print, signed_by},
    *,
};
use crate::{
    keyset::KeysetDraft,
    revocation::{self, ComponentEntry, Entry, KeyEntry, ReleaseEntry, RevocationDraft},
};

const EXPIRES: Timestamp = Timestamp::from_millis(1_800_000_000_500);

fn list(version: u64, entries: Vec<Entry>, seed: u8) -> Vec<u8> {
    let draft = RevocationDraft {
        publisher: "acme".parse().unwrap(),
        version,
        issued: Timestamp::from_millis(0),
        expires: EXPIRES,
        entries,
    };
    let payload = draft.to_payload().unwrap();
    let mut document = revocation::unsigned(payload.clone());
    document.add_signature(revocation::sign(&payload, &key(seed))).unwrap();
    document.to_json().into_bytes()
}

/// The keyset's publisher with a list that key 4 signed.
fn with(version: u64, entries: Vec<Entry>) -> TrustStore {
    let mut trust = bound(&draft());
    trust.attach_revocations(&"acme".parse().unwrap(), &list(version, entries, 4)).unwrap();
    trust
}

fn verify(trust: &TrustStore, seeds: &[u8], now: Timestamp) -> Result<Verified, VerifyError> {
    let package = Untrusted::new(COMPONENT.to_vec(), signed_by(&manifest(&[]), seeds));
    package.verify(trust, Environment::Dev, now)
}

fn code(trust: &TrustStore, seeds: &[u8]) -> Option<&'static str> {
    verify(trust, seeds, NOW).err().map(|error| error.code())
}

fn revoked_key(seed: u8) -> Entry {
    Entry::Key(KeyEntry { key: print(seed), reason: "lost".to_owned() })
}

fn revoked_release(plugin: &str, release: u64) -> Entry {
    Entry::Release(ReleaseEntry { plugin: plugin.parse().unwrap(), release, reason: "leaks".to_owned() })
}

fn revoked_component(component: Digest) -> Entry {
    Entry::Component(ComponentEntry { component, reason: "leaks".to_owned() })
}

#[test]
fn what_is_listed_is_refused_and_nothing_else() {
    let mine = Digest::of(COMPONENT);
    for (entry, expected) in [
        (revoked_release("acme/emulator", 1), Some("revoked-release")),
        (revoked_release("acme/emulator", 2), None),
        (revoked_release("acme/other", 1), None),
        (revoked_component(mine), Some("revoked-component")),
        (revoked_component(Digest::of(b"other")), None),
        (revoked_key(1), Some("revoked-key")),
        (revoked_key(3), None),
    ] {
        assert_eq!(code(&with(1, vec![entry.clone()]), &[1, 2]), expected, "{entry:?}");
    }
    assert_eq!(code(&with(1, vec![]), &[1, 2]), None);
    // A reason is shown.
    let refused = verify(&with(1, vec![revoked_key(1)]), &[1, 2], NOW).unwrap_err();
    assert!(refused.to_string().ends_with(": lost"), "{refused}");
}

#[test]
fn a_revoked_key_counts_no_more_and_enough_others_do() {
    let trust = with(1, vec![revoked_key(1)]);
    let verified = verify(&trust, &[1, 2, 3], NOW).unwrap();
    assert_eq!(*verified.signers(), BTreeSet::from([print(2), print(3)]));
    // What was locked with all three still is what was locked.
    let all = verify(&bound(&draft()), &[1, 2, 3], NOW).unwrap();
    let (lock, state) = installed(&all);
    assert!(verified.approve(&lock, &state).is_ok());
}

#[test]
fn a_list_that_is_wanted_is_missed() {
    let acme: PublisherName = "acme".parse().unwrap();
    let mut trust = bound(&draft());
    assert_eq!(code(&trust, &[1, 2]), None);
    trust.want_revocations(&acme, Some("https://acme.example/revocations.json".to_owned())).unwrap();
    assert_eq!(code(&trust, &[1, 2]), Some("revocations-missing"));
    trust.attach_revocations(&acme, &list(1, vec![], 4)).unwrap();
    assert_eq!(code(&trust, &[1, 2]), None);
    trust.want_revocations(&acme, None).unwrap();
    let refused = verify(&trust, &[1, 2], EXPIRES);
    assert_eq!(refused.err().map(|error| error.code()), Some("revocations-expired"));
    // A refused list leaves the one that is attached.
    assert!(trust.attach_revocations(&acme, &list(2, vec![revoked_key(1)], 1)).is_err());
    assert_eq!(code(&trust, &[1, 2]), None);
}

#[test]
fn a_list_reaches_nobody_else() {
    // `acme` names the component and the release of a package of `bolt`.
    let bolt = manifest(&[("/plugin/publisher", json!("bolt"))]);
    let trust = with(1, vec![revoked_component(Digest::of(COMPONENT))]);
    let package = Untrusted::new(COMPONENT.to_vec(), signed(&bolt, &key(9)));
    assert!(package.verify(&trust, Environment::Dev, NOW).is_ok());
}

#[test]
fn the_component_is_compared_before_the_list() {
    let trust = with(1, vec![revoked_release("acme/emulator", 1)]);
    let package = Untrusted::new(b"other".to_vec(), signed_by(&manifest(&[]), &[1, 2]));
    let refused = package.verify(&trust, Environment::Dev, NOW);
    assert_eq!(refused.err().map(|error| error.code()), Some("component-size-differs"));
}

#[test]
fn a_publisher_without_a_keyset_revokes_with_an_enrolled_key() {
    let acme: PublisherName = "acme".parse().unwrap();
    let mut inline = trust();
    inline.attach_revocations(&acme, &list(1, vec![revoked_release("acme/emulator", 1)], 1)).unwrap();
    let package = Untrusted::new(COMPONENT.to_vec(), signed(&manifest(&[]), &key(1)));
    assert_eq!(package.verify(&inline, Environment::Dev, NOW).err().map(|error| error.code()), Some("revoked-release"));
    // Neither with a key that was revoked, nor with another publisher's.
    for seed in [2, 3] {
        assert!(trust().attach_revocations(&acme, &list(1, vec![], seed)).is_err());
    }
    // A key of the keyset without the role.
    assert!(bound(&draft()).attach_revocations(&acme, &list(1, vec![], 1)).is_err());
}

#[test]
fn older_documents_than_the_host_has_seen_are_refused() {
    let at = |version, reason: &str| {
        let entry = Entry::Release(ReleaseEntry { plugin: "acme/other".parse().unwrap(), release: 1, reason: reason.to_owned() });
        with(version, vec![entry])
    };
    let attached = |trust: &TrustStore| trust.publishers()[&"acme".parse().unwrap()].revocations().unwrap().clone();
    let (lock, mut state) = installed(&verify(&at(3, "a"), &[1, 2], NOW).unwrap());
    state.accept_revocations(&attached(&at(3, "a"))).unwrap();
    let approve = |trust: &TrustStore, state: &HighWater| {
        verify(trust, &[1, 2], NOW).unwrap().approve(&lock, state).err().map(|error| error.code())
    };
    assert_eq!(approve(&at(3, "a"), &state), None);
    assert_eq!(approve(&at(4, "a"), &state), None);
    assert_eq!(approve(&at(2, "a"), &state), Some("revocations-older"));
    assert_eq!(approve(&at(3, "b"), &state), Some("revocations-replaced"));
    assert!(state.accept_revocations(&attached(&at(2, "a"))).is_err());
    // And the same for the keyset, of a host that watches no list any more.
    state.let_list_go(&"acme".parse().unwrap());
    let next = |version| KeysetDraft { version, previous: Some(Digest::of(b"before")), ..draft() };
    let keyset = |trust: &TrustStore| trust.publishers()[&"acme".parse().unwrap()].keyset().unwrap().clone();
    state.accept_keyset(&keyset(&bound(&next(3)))).unwrap();
    assert_eq!(approve(&bound(&next(3)), &state), None);
    assert_eq!(approve(&bound(&next(4)), &state), None);
    assert_eq!(approve(&bound(&next(2)), &state), Some("keyset-older"));
    let other = KeysetDraft { expires: NOW.plus_millis(2000), ..next(3) };
    assert_eq!(approve(&bound(&other), &state), Some("keyset-replaced"));
}
