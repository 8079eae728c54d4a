//! Bundle files: one bundle, or several over the same payload.
//!
//! A bundle that is read is written and read back alike, and means the same alone and in a file of many; all of a file are over the
//! same bytes.

#![no_main]

use casemate_signing::bundle::{Bundle, parse_all, to_lines};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    if let Ok(bundle) = Bundle::parse(file) {
        let written = bundle.to_json();
        let again = Bundle::parse(written.as_bytes());
        assert_eq!(again.as_ref(), Ok(&bundle));
        assert_eq!(written, bundle.to_json());
        assert_eq!(parse_all(written.as_bytes()), Ok(vec![bundle]));
    }
    if let Ok(bundles) = parse_all(file) {
        assert!(!bundles.is_empty());
        assert_eq!(parse_all(to_lines(&bundles).as_bytes()).as_ref(), Ok(&bundles));
        let first = bundles[0].signed_bytes();
        assert!(bundles.iter().all(|bundle| bundle.signed_bytes() == first), "bundles over different payloads");
    }
});
