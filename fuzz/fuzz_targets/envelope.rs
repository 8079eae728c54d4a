//! Signed documents and what is signed of them: whole files, and the pre-authentication encoding.
//!
//! A file that is read is written and read back alike. What two pairs of type and payload are signed as is the same only where they
//! are the same: the encoding can be taken apart again, in one way.

#![no_main]

use casemate_signing::{dsse::pae, keyset, revocation};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Ok((draft, document)) = keyset::read(file) {
        let written = document.to_json();
        assert_eq!(keyset::read(written.as_bytes()), Ok((draft, document)));
        assert!(revocation::read(file).is_err(), "a document of two types");
    }
    if let Ok((draft, document)) = revocation::read(file) {
        let written = document.to_json();
        assert_eq!(revocation::read(written.as_bytes()), Ok((draft, document)));
    }
    let (payload_type, payload) = file.split_at(file.len() / 2);
    let Ok(payload_type) = std::str::from_utf8(payload_type) else { return };
    let encoded = pae(payload_type, payload);
    assert_eq!(apart(&encoded), Some((payload_type.as_bytes(), payload)));
});

/// The specification's reader: lengths first, then as many bytes.
fn apart(encoded: &[u8]) -> Option<(&[u8], &[u8])> {
    let (payload_type, rest) = counted(encoded.strip_prefix(b"DSSEv1 ")?)?;
    let (payload, rest) = counted(rest.strip_prefix(b" ")?)?;
    rest.is_empty().then_some((payload_type, payload))
}

fn counted(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let space = bytes.iter().position(|byte| *byte == b' ')?;
    let (digits, rest) = bytes.split_at(space);
    let length = std::str::from_utf8(digits).ok()?.parse().ok()?;
    rest.strip_prefix(b" ")?.split_at_checked(length)
}
