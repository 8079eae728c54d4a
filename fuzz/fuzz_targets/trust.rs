//! Trust files: what is read is written in one way, and read back alike; every key in it has the fingerprint it is listed under.

#![no_main]

use casemate_signing::TrustStore;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let Ok(trust) = TrustStore::parse(text, |_, _| None) else { return };
    for (name, publisher) in trust.publishers() {
        assert!(publisher.keyset().is_none(), "there was no document");
        assert!(publisher.namespaces().iter().all(|namespace| namespace.publisher() == name));
        for (fingerprint, key) in publisher.keys() {
            assert_eq!(key.key().fingerprint(), *fingerprint);
            assert_eq!(trust.find(fingerprint).map(|(owner, ..)| owner), Some(name));
        }
    }
    let written = trust.to_text();
    let again = TrustStore::parse(&written, |_, _| None).unwrap_or_else(|error| panic!("{error} in\n{written}"));
    assert_eq!(again, trust);
    assert_eq!(again.to_text(), written);
});
