//! Revocation payloads: one spelling and one order, whatever order a draft had, and nothing of another publisher's plugins.

#![no_main]

use casemate_signing::{
    key::PrivateKey,
    revocation::{self, Entry, RevocationDraft},
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    let Ok(draft) = RevocationDraft::from_payload(payload) else { return };
    assert_eq!(draft.to_payload().as_deref(), Ok(payload), "another spelling was read");
    let mut shuffled = draft.clone();
    shuffled.entries.reverse();
    assert_eq!(shuffled.to_payload().as_deref(), Ok(payload));
    for entry in &draft.entries {
        if let Entry::Release(release) = entry {
            assert_eq!(release.plugin.publisher, draft.publisher);
        }
    }
    let mut document = revocation::unsigned(payload.to_vec());
    document.add_signature(revocation::sign(payload, &PrivateKey::from_seed(&[0xA5; 32]))).expect("it is the first");
    assert_eq!(revocation::read(document.to_json().as_bytes()), Ok((draft, document)));
});
