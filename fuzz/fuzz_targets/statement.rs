//! Statements, which hold the manifest: what is verified and parsed before a package may be looked at.
//!
//! A statement has one spelling, and a manifest that keeps the rules says the same of itself when it is written and read again.

#![no_main]

use casemate_signing::{approval::Approval, manifest::check::check, statement};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|payload: &[u8]| {
    let Ok(manifest) = statement::parse(payload) else { return };
    assert_eq!(statement::to_bytes(&manifest), payload, "another spelling was read");
    if check(&manifest).is_ok() {
        let again = statement::parse(&statement::to_bytes(&manifest)).expect("what was written is read");
        assert_eq!(check(&again), Ok(()));
        assert_eq!(Approval::of(&again).digest(), Approval::of(&manifest).digest());
    }
});
