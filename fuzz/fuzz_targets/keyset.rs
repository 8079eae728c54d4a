//! Keyset payloads: one spelling, and every rule holds of what is read.

#![no_main]

use casemate_signing::{
    Digest,
    key::PrivateKey,
    keyset::{self, Keyset, KeysetDraft, Role},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    let Ok(draft) = KeysetDraft::from_payload(payload) else { return };
    assert_eq!(draft.to_payload().as_deref(), Ok(payload), "another spelling was read");
    for role in Role::ALL {
        let keys = draft.roles.of(role);
        assert!((1..=keys.keys.len() as u64).contains(&keys.threshold), "{role} takes {} of {}", keys.threshold, keys.keys.len());
    }
    // Signed by somebody it does not list, it is read but never trusted.
    let mut document = keyset::unsigned(payload.to_vec());
    document.add_signature(keyset::sign(payload, &PrivateKey::from_seed(&[0xA5; 32]))).expect("it is the first");
    let file = document.to_json();
    assert_eq!(keyset::read(file.as_bytes()), Ok((draft.clone(), document)));
    assert!(Keyset::pinned(file.as_bytes(), draft.version, &Digest::of(payload)).is_err(), "a stranger's signature was counted");
});
