//! Manifests from registries: what of one is understood is written and read back alike, and is no larger than a component may be.

#![no_main]

use casemate_registry::fuzz::manifest;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Some(read) = manifest(bytes) else { return };
    let again = manifest(&read.written).expect("what was written is read");
    assert_eq!(again, read);
    assert!(read.component_size.is_none_or(|size| size <= casemate_signing::manifest::check::MAX_COMPONENT));
});
