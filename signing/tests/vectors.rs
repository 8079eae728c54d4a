//! Test vectors that nobody here wrote: what they say is valid is accepted, and nothing else.
//!
//! Wycheproof alone cannot tell a lax verifier from a strict one; speccheck and CCTV can. Those two are read from
//! `../shared/vectors` beside the project, or from `$CASEMATE_VECTORS`; where they are absent the tests say so and pass.

#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "tests")]

use std::path::PathBuf;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use casemate_signing::{
    dsse::pae,
    key::{PrivateKey, PublicKey, SIGNATURE_BYTES},
};
use serde::{Deserialize, de::DeserializeOwned};
use wycheproof::{TestResult, eddsa};

/// Enrol the key and verify, as a package's signature is.
fn accepts(key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let (Ok(key), Ok(signature)) = (<&[u8; 32]>::try_from(key), <&[u8; SIGNATURE_BYTES]>::try_from(signature)) else {
        return false;
    };
    PublicKey::from_bytes(key).is_ok_and(|key| key.verify_strict(message, signature).is_ok())
}

fn hex(text: &str) -> Vec<u8> {
    assert_eq!(text.len() % 2, 0, "{text}");
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(text.get(at..at + 2).unwrap(), 16).unwrap()).collect()
}

fn shared<T: DeserializeOwned>(name: &str) -> Option<Vec<T>> {
    let beside = || PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors"));
    let path = std::env::var_os("CASEMATE_VECTORS").map_or_else(beside, PathBuf::from).join(name);
    let Ok(text) = std::fs::read(&path) else {
        println!("skipped: {} is absent", path.display());
        return None;
    };
    Some(serde_json::from_slice(&text).unwrap())
}

#[test]
fn wycheproof() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let mut seen = 0;
    for group in set.test_groups {
        for test in group.tests {
            let valid = match test.result {
                TestResult::Valid => true,
                TestResult::Invalid => false,
                TestResult::Acceptable => continue,
            };
            assert_eq!(accepts(&group.key.pk, &test.msg, &test.sig), valid, "case {}: {}", test.tc_id, test.comment);
            seen += 1;
        }
    }
    assert!(seen > 100, "{seen} cases");
}

/// <https://github.com/novifinancial/ed25519-speccheck>: a strict verifier accepts none.
#[test]
fn speccheck() {
    #[derive(Deserialize)]
    struct Case {
        message: String,
        pub_key: String,
        signature: String,
    }
    let Some(cases) = shared::<Case>("ed25519-speccheck.json") else { return };
    assert_eq!(cases.len(), 12);
    for (number, case) in cases.iter().enumerate() {
        assert!(!accepts(&hex(&case.pub_key), &hex(&case.message), &hex(&case.signature)), "case {number}");
    }
}

/// <https://github.com/C2SP/CCTV/tree/main/ed25519>: a strict verifier accepts what has no flags.
#[test]
fn cctv() {
    #[derive(Deserialize)]
    struct Case {
        number: u32,
        key: String,
        sig: String,
        msg: String,
        flags: Option<Vec<String>>,
    }
    let Some(cases) = shared::<Case>("ed25519-cctv.json") else { return };
    assert_eq!(cases.len(), 914);
    let mut accepted = 0;
    for case in cases {
        let plain = case.flags.is_none_or(|flags| flags.is_empty());
        assert_eq!(accepts(&hex(&case.key), case.msg.as_bytes(), &hex(&case.sig)), plain, "case {}", case.number);
        accepted += u32::from(plain);
    }
    assert_eq!(accepted, 1);
}

/// Made by go-securesystemslib 0.11.1, taken from the crate `dsse` 0.1.6 (Apache-2.0).
#[test]
fn dsse() {
    #[derive(Deserialize)]
    struct File {
        test_seed_hex: String,
        public_key_pem: String,
        fixtures: Vec<Fixture>,
    }
    #[derive(Deserialize)]
    struct Fixture {
        name: String,
        payload_type: String,
        canonical_b64: String,
        pae_b64: String,
        signature_b64: String,
    }
    let file: File = serde_json::from_str(include_str!("data/dsse-cross-language.json")).unwrap();
    let private = PrivateKey::from_seed(&hex(&file.test_seed_hex).try_into().unwrap());
    let public = PublicKey::from_pem(&file.public_key_pem).unwrap();
    assert_eq!(private.public_key(), public);
    assert!(file.fixtures.len() > 10);
    for fixture in file.fixtures {
        let [payload, expected, signature] =
            [&fixture.canonical_b64, &fixture.pae_b64, &fixture.signature_b64].map(|text| STANDARD.decode(text).unwrap());
        let signed = pae(&fixture.payload_type, &payload);
        assert_eq!(signed, expected, "{}", fixture.name);
        assert_eq!(private.sign(&signed).as_slice(), signature, "{}", fixture.name);
        assert!(public.verify_strict(&signed, &signature.try_into().unwrap()).is_ok(), "{}", fixture.name);
        // The payload's type is part of what is signed.
        assert_ne!(pae("application/json", &payload), expected, "{}", fixture.name);
    }
}
