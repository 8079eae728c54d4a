//! Revocation lists over time: who speaks for every environment, how far a version may go, and what is never taken out again.

use super::{
    signers::{bound, draft, print},
    *,
};
use crate::{
    highwater::{DocumentRollbackError, MAX_LIST_JUMP},
    revocation::{self, Entry, KeyEntry, RevocationDraft, RevocationError, RevocationList},
};

const EVERYWHERE: [Environment; 3] = [Environment::Dev, Environment::Stage, Environment::Prod];

fn acme() -> PublisherName {
    "acme".parse().unwrap()
}

/// `acme` with keys that the operator enrolled one by one.
fn inline(keys: &[(u8, &[Environment])]) -> TrustStore {
    let mut trust = TrustStore::new();
    for (seed, environments) in keys {
        let (key, namespaces) = (key(*seed).public_key(), BTreeSet::from([Namespace::all(acme())]));
        let environments = environments.iter().copied().collect();
        trust.enrol(Enrolment { publisher: acme(), namespaces, fingerprint: key.fingerprint(), key, environments }).unwrap();
    }
    trust
}

/// The keys 1, 2 and 3, each for everything.
fn three() -> TrustStore {
    inline(&[(1, &EVERYWHERE), (2, &EVERYWHERE), (3, &EVERYWHERE)])
}

/// A list of `acme` that takes these keys back, with these signatures.
fn list(version: u64, revoked: &[u8], signers: &[u8]) -> Vec<u8> {
    let entry = |seed: &u8| Entry::Key(KeyEntry { key: print(*seed), reason: "lost".to_owned() });
    let payload = RevocationDraft {
        publisher: acme(),
        version,
        issued: Timestamp::from_millis(0),
        expires: NOW.plus_millis(1),
        entries: revoked.iter().map(entry).collect(),
    }
    .to_payload()
    .unwrap();
    let mut document = revocation::unsigned(payload.clone());
    for seed in signers {
        document.add_signature(revocation::sign(&payload, &key(*seed))).unwrap();
    }
    document.to_json().into_bytes()
}

fn attach(trust: &TrustStore, file: &[u8]) -> Result<RevocationList, RevocationError> {
    trust.clone().attach_revocations(&acme(), file).cloned()
}

/// The state of a host that took this list.
fn taken(trust: &TrustStore, file: &[u8]) -> HighWater {
    let mut state = HighWater::new();
    state.accept_revocations(&attach(trust, file).unwrap()).unwrap();
    state
}

/// What taking one more list is refused for, whether it is taken or only held against.
#[track_caller]
fn refused(state: &HighWater, trust: &TrustStore, file: &[u8]) -> Option<&'static str> {
    let list = attach(trust, file).unwrap();
    let mut after = state.clone();
    let taken = after.accept_revocations(&list).err();
    assert_eq!(state.admits_revocations(&acme(), Some(&list)).err(), taken);
    assert!(taken.is_none() || after == *state, "a refusal changes nothing");
    taken.map(|error| error.code())
}

/// What a package that key 1 signed is refused for, in `environment`, of a host that has seen what is in `state`.
fn approved(trust: &TrustStore, environment: Environment, state: &HighWater) -> Option<&'static str> {
    let package = |trust: &TrustStore| {
        Untrusted::new(COMPONENT.to_vec(), signed(&manifest(&[]), &key(1))).verify(trust, environment, NOW).unwrap()
    };
    let mut lock = LockFile::new();
    let (package, mut state) = (package(trust), state.clone());
    lock.insert(package.id().clone(), package.locked(String::new()));
    state.accept(&package).unwrap();
    package.approve(&lock, &state).err().map(|error| error.code())
}

#[test]
fn a_development_key_signs_no_list_that_reaches_production() {
    let trust = inline(&[(1, &[Environment::Dev]), (2, &[Environment::Stage, Environment::Prod]), (3, &EVERYWHERE)]);
    let check = |signers: &[u8], without: &[Environment], missing: &[u8]| {
        let refused = attach(&trust, &list(1, &[], signers));
        let Err(RevocationError::Environments { environments, missing: could }) = &refused else {
            panic!("{signers:?}: {refused:?}");
        };
        assert_eq!(*environments, without.iter().copied().collect(), "{signers:?}");
        assert_eq!(
            could.iter().collect::<BTreeSet<_>>(),
            missing.iter().map(|seed| print(*seed)).collect::<Vec<_>>().iter().collect()
        );
    };
    check(&[1], &[Environment::Stage, Environment::Prod], &[2, 3]);
    // Neither does one of production speak for development.
    check(&[2], &[Environment::Dev], &[1, 3]);
    // Strangers are no help, and neither is the same key again.
    check(&[1, 9], &[Environment::Stage, Environment::Prod], &[2, 3]);
    assert!(attach(&trust, &list(1, &[], &[3])).is_ok(), "one for all");
    assert!(attach(&trust, &list(1, &[], &[1, 2])).is_ok(), "all together");
}

#[test]
fn taking_a_key_back_gives_no_other_key_more_to_say() {
    let mut trust = inline(&[(1, &[Environment::Dev]), (2, &[Environment::Prod])]);
    assert!(attach(&trust, &list(1, &[], &[1, 2])).is_ok());
    trust.revoke(&print(2)).unwrap();
    // Were `prod` forgotten with the key that served it, what key 1 signs would raise the mark of `prod`.
    for signers in [&[1][..], &[1, 2]] {
        let refused = attach(&trust, &list(1, &[], signers));
        assert_eq!(refused.err().map(|error| error.code()), Some("revocations-environments"), "{signers:?}");
    }
}

#[test]
fn the_keys_of_a_keyset_sign_lists_by_their_role_wherever_they_serve() {
    let mut keyset = draft();
    keyset.keys.iter_mut().filter(|key| key.key.fingerprint() == print(4)).for_each(|key| {
        key.environments = [Environment::Dev].into();
    });
    assert!(attach(&bound(&keyset), &list(1, &[], &[4])).is_ok());
    // And by nothing else: key 1 serves everything.
    let refused = attach(&bound(&keyset), &list(1, &[], &[1]));
    assert_eq!(refused.err().map(|error| error.code()), Some("revocations-signatures-missing"));
}

#[test]
fn a_version_does_not_jump_out_of_reach_of_every_later_one() {
    for (trust, signer) in [(three(), 3), (bound(&draft()), 4)] {
        let check = |state: &HighWater, version: u64, expected: Option<&str>| {
            assert_eq!(refused(state, &trust, &list(version, &[], &[signer])), expected, "{version}");
        };
        let jump = Some("revocations-jump");
        // A host that knows none counts from nothing: whoever is first is no better believed.
        check(&HighWater::new(), MAX_LIST_JUMP, None);
        check(&HighWater::new(), MAX_LIST_JUMP + 1, jump);
        check(&HighWater::new(), u64::MAX, jump);
        let state = taken(&trust, &list(7, &[], &[signer]));
        check(&state, 7, None);
        check(&state, MAX_LIST_JUMP + 7, None);
        check(&state, MAX_LIST_JUMP + 8, jump);
        check(&state, u64::MAX, jump);
    }
}

#[test]
fn a_list_put_where_the_newest_is_kept_does_not_jump_either() {
    let mut trust = three();
    let state = taken(&trust, &list(1, &[], &[3]));
    trust.attach_revocations(&acme(), &list(2, &[], &[3])).unwrap();
    assert_eq!(approved(&trust, Environment::Dev, &state), None);
    trust.attach_revocations(&acme(), &list(u64::MAX, &[], &[3])).unwrap();
    assert_eq!(approved(&trust, Environment::Dev, &state), Some("revocations-jump"));
}

#[test]
fn a_key_that_a_list_took_back_is_in_every_list_after_it() {
    for (trust, signer) in [(three(), 3), (bound(&draft()), 4)] {
        let state = taken(&trust, &list(1, &[1, 7], &[signer]));
        let check = |revoked: &[u8], expected: Option<&str>| {
            assert_eq!(refused(&state, &trust, &list(2, revoked, &[signer])), expected, "{revoked:?}");
        };
        check(&[1, 7], None);
        check(&[1, 7, 2], None);
        let dropped = Some("revocations-key-dropped");
        check(&[], dropped);
        check(&[1], dropped);
        // A key that nobody enrolled here may be enrolled by the next keyset.
        check(&[7], dropped);
        check(&[2, 8], dropped);
        // Nor by two steps: what the second list names as well is remembered with it.
        let mut later = state.clone();
        later.accept_revocations(&attach(&trust, &list(2, &[1, 2, 7], &[signer])).unwrap()).unwrap();
        assert_eq!(refused(&later, &trust, &list(3, &[1, 7], &[signer])), dropped);
        assert_eq!(refused(&later, &trust, &list(3, &[1, 2, 7], &[signer])), None);
    }
}

#[test]
fn a_package_is_not_brought_back_by_a_list_that_forgot_its_key() {
    let mut trust = three();
    let state = taken(&trust, &list(1, &[1], &[3]));
    trust.attach_revocations(&acme(), &list(2, &[], &[3])).unwrap();
    assert_eq!(approved(&trust, Environment::Dev, &state), Some("revocations-key-dropped"));
}

#[test]
fn a_key_that_was_taken_back_signs_no_list_where_none_is_attached() {
    // As after a start, or a rotation: what took the key back is not there to be asked, and the host remembers.
    let trust = three();
    let state = taken(&trust, &list(1, &[1], &[3]));
    assert_eq!(refused(&state, &trust, &list(2, &[1], &[1])), Some("revocations-signers-revoked"));
    assert_eq!(refused(&state, &trust, &list(2, &[1], &[1, 2])), None, "enough others signed");
    // One that takes itself back counts: it is the newest that was taken, before and after.
    let own = list(1, &[1], &[1]);
    let state = taken(&trust, &own);
    assert_eq!(refused(&state, &trust, &own), None);
    assert_eq!(refused(&state, &trust, &list(2, &[1], &[1])), Some("revocations-signers-revoked"));
    // What is left serves every environment, or it is not enough.
    let two = inline(&[(1, &EVERYWHERE), (2, &[Environment::Dev])]);
    let state = taken(&two, &list(1, &[1], &[1]));
    assert_eq!(refused(&state, &two, &list(2, &[1], &[1, 2])), Some("revocations-signers-revoked"));
}

#[test]
fn a_trust_file_from_before_the_keyset_brings_no_single_keys_back() {
    let keyset = bound(&draft());
    let mut state = HighWater::new();
    state.accept_keyset(keyset.publishers()[&acme()].keyset().unwrap()).unwrap();
    let before = inline(&[(1, &EVERYWHERE)]);
    assert_eq!(approved(&before, Environment::Dev, &HighWater::new()), None);
    assert_eq!(approved(&before, Environment::Dev, &state), Some("keyset-dropped"));
    // Once the operator let it go, on record, one by one is fine. Its number is not forgotten.
    state.let_publisher_go(&acme());
    assert_eq!(approved(&before, Environment::Dev, &state), None);
    let older = crate::highwater::DocumentMark { version: 0, digest: Digest::of(b"older") };
    let refused = state.admits_keyset(&acme(), Some(&older));
    assert!(matches!(refused, Err(DocumentRollbackError::Older { mark: 1, .. })), "{refused:?}");
    // Bound again, it is missed again.
    state.accept_keyset(keyset.publishers()[&acme()].keyset().unwrap()).unwrap();
    assert_eq!(approved(&before, Environment::Dev, &state), Some("keyset-dropped"));
}

#[test]
fn a_trust_file_from_before_the_list_was_watched_is_not_enough() {
    let unwatched = three();
    let mut state = taken(&unwatched, &list(4, &[2], &[3]));
    assert_eq!(approved(&unwatched, Environment::Dev, &state), Some("revocations-dropped"));
    // Another publisher's are not asked for.
    let mut other = HighWater::new();
    other.accept_keyset(bound(&draft()).publishers()[&acme()].keyset().unwrap()).unwrap();
    assert_eq!(other.admits_keyset(&"bolt".parse().unwrap(), None), Ok(()));
    assert_eq!(state.admits_revocations(&"bolt".parse().unwrap(), None), Ok(()));
    state.let_list_go(&acme());
    assert_eq!(approved(&unwatched, Environment::Dev, &state), None);
    // An old list is not taken for the first one.
    assert_eq!(refused(&state, &unwatched, &list(3, &[], &[3])), Some("revocations-older"));
    state.accept_revocations(&attach(&unwatched, &list(5, &[], &[3])).unwrap()).unwrap();
    assert_eq!(approved(&unwatched, Environment::Dev, &state), Some("revocations-dropped"));
}

#[test]
fn letting_a_list_go_leaves_the_keyset_in_force() {
    let keyset = bound(&draft());
    let mut state = taken(&keyset, &list(1, &[], &[4]));
    state.accept_keyset(keyset.publishers()[&acme()].keyset().unwrap()).unwrap();
    state.let_list_go(&acme());
    assert_eq!(approved(&inline(&[(1, &EVERYWHERE)]), Environment::Dev, &state), Some("keyset-dropped"));
    // A publisher goes with its list, and with what the list took back.
    let mut state = taken(&keyset, &list(1, &[1], &[4]));
    assert_eq!(state.taken_back(&acme()).copied().collect::<Vec<_>>(), [print(1)]);
    state.let_publisher_go(&acme());
    assert_eq!(approved(&inline(&[(1, &EVERYWHERE)]), Environment::Dev, &state), None);
    assert_eq!(state.taken_back(&acme()).count(), 0);
    // Nothing is let go that was never there: the state is as it was.
    let mut nobody = HighWater::new();
    nobody.let_publisher_go(&acme());
    nobody.let_list_go(&acme());
    assert_eq!(nobody, HighWater::new());
}

#[test]
fn what_is_remembered_of_lists_is_read_back() {
    let host = crate::highwater::HostKey::from_bytes(&[5; crate::highwater::HOST_KEY_BYTES]);
    let mut state = taken(&three(), &list(1, &[1], &[3]));
    assert_eq!(HighWater::open(&state.seal(&host), &host), Ok(state.clone()));
    state.let_list_go(&acme());
    assert_eq!(HighWater::open(&state.seal(&host), &host), Ok(state));
}
