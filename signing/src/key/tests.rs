//! Keys: what is read back, and what is refused.

use super::*;

/// RFC 8410, section 10.3: the private key, and (10.1) its public key.
const RFC8410_PRIVATE: &str =
    "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n-----END PRIVATE KEY-----\n";
const RFC8410_PUBLIC: &str =
    "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=\n-----END PUBLIC KEY-----\n";

fn key() -> PrivateKey {
    PrivateKey::from_seed(&[7; 32])
}

#[test]
fn the_keys_of_rfc_8410_are_read_and_written() {
    let private = PrivateKey::from_pem(RFC8410_PRIVATE, None).unwrap();
    assert_eq!(private.public_key().to_pem().unwrap(), RFC8410_PUBLIC);
    assert_eq!(private.danger_to_plain_pem().unwrap().as_str(), RFC8410_PRIVATE);
    assert_eq!(PublicKey::from_pem(RFC8410_PUBLIC).unwrap(), private.public_key());
}

#[test]
fn a_passphrase_protects_the_file() {
    let pem = key().to_encrypted_pem("correct horse").unwrap();
    assert!(PrivateKey::needs_passphrase(&pem) && !PrivateKey::needs_passphrase(RFC8410_PRIVATE));
    let back = PrivateKey::from_pem(&pem, Some("correct horse")).unwrap();
    assert_eq!(back.public_key(), key().public_key());
    assert_eq!(PrivateKey::from_pem(&pem, None).err(), Some(KeyError::PassphraseNeeded));
    assert_eq!(PrivateKey::from_pem(&pem, Some("wrong")).err(), Some(KeyError::WrongPassphrase));
    assert_eq!(key().to_encrypted_pem("").err(), Some(KeyError::EmptyPassphrase));
}

#[test]
fn other_files_are_refused() {
    let rsa_label = RFC8410_PUBLIC.replace("PUBLIC KEY", "RSA PUBLIC KEY");
    // The X25519 object identifier (1.3.101.110) in place of the Ed25519 one (1.3.101.112).
    let x25519 = RFC8410_PUBLIC.replace("MCowBQYDK2Vw", "MCowBQYDK2Vu");
    for pem in ["", "x", RFC8410_PRIVATE, &rsa_label, &x25519, &RFC8410_PUBLIC.replace("ZuE", "Zu")] {
        assert_eq!(PublicKey::from_pem(pem).err(), Some(KeyError::NotAPublicKey), "{pem}");
    }
    for pem in ["", RFC8410_PUBLIC, &RFC8410_PRIVATE.replace("MC4CAQAw", "MC4CAQEw")] {
        assert_eq!(PrivateKey::from_pem(pem, None).err(), Some(KeyError::NotAPrivateKey), "{pem}");
    }
    let long = " ".repeat(MAX_KEY_FILE + 1);
    assert_eq!(PublicKey::from_pem(&long).err(), Some(KeyError::TooLarge));
    assert_eq!(PrivateKey::from_pem(&long, None).err(), Some(KeyError::TooLarge));
}

#[test]
fn a_public_key_that_is_not_its_own_is_refused() {
    let other = PrivateKey::from_seed(&[8; 32]).public_key();
    let pair = KeypairBytes { secret_key: [7; 32], public_key: Some(PublicKeyBytes(*other.as_bytes())) };
    let pem = pair.to_pkcs8_pem(LineEnding::LF).unwrap();
    assert_eq!(PrivateKey::from_pem(&pem, None).err(), Some(KeyError::Mismatch));
    let pair = KeypairBytes { secret_key: [7; 32], public_key: Some(PublicKeyBytes(*key().public_key().as_bytes())) };
    assert!(PrivateKey::from_pem(&pair.to_pkcs8_pem(LineEnding::LF).unwrap(), None).is_ok());
}

fn bytes(hex: &str) -> [u8; 32] {
    *crate::Digest::from_hex(hex).unwrap().as_bytes()
}

#[test]
fn only_strict_public_keys_can_be_enrolled() {
    let cases = [
        // The neutral element, and points of order 2, 4 and 8 ("Taming the many EdDSAs", table 6).
        ("0100000000000000000000000000000000000000000000000000000000000000", KeyError::Weak),
        ("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", KeyError::Weak),
        ("0000000000000000000000000000000000000000000000000000000000000000", KeyError::Weak),
        ("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", KeyError::Weak),
        // y = p + 1, which is 1; and 1 with the sign of a zero x set.
        ("eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", KeyError::NotCanonical),
        ("0100000000000000000000000000000000000000000000000000000000000080", KeyError::NotCanonical),
        // A mixed-order point (speccheck, case 3).
        ("cdb267ce40c5cd45306fa5d2f29731459387dbf9eb933b7bd5aed9a765b88d4d", KeyError::Torsion),
        // No point has this y.
        ("0200000000000000000000000000000000000000000000000000000000000000", KeyError::NotAPoint),
    ];
    for (hex, expected) in cases {
        assert_eq!(PublicKey::from_bytes(&bytes(hex)).err(), Some(expected), "{hex}");
    }
    let generated = PrivateKey::generate().unwrap().public_key();
    assert_eq!(PublicKey::from_bytes(generated.as_bytes()), Ok(generated));
}

#[test]
fn signatures_verify_for_their_key_and_message_only() {
    let signature = key().sign(b"message");
    let public = key().public_key();
    assert_eq!(public.verify_strict(b"message", &signature), Ok(()));
    assert_eq!(public.verify_strict(b"massage", &signature), Err(InvalidSignature));
    assert_eq!(PrivateKey::from_seed(&[8; 32]).public_key().verify_strict(b"message", &signature), Err(InvalidSignature));
    for at in 0..SIGNATURE_BYTES {
        let mut changed = signature;
        if let Some(byte) = changed.get_mut(at) {
            *byte ^= 1;
        }
        assert_eq!(public.verify_strict(b"message", &changed), Err(InvalidSignature), "byte {at}");
    }
}

#[test]
fn fingerprints_are_read_back_and_have_one_spelling() {
    let fingerprint = key().public_key().fingerprint();
    let text = fingerprint.to_string();
    assert_eq!(text.parse(), Ok(fingerprint));
    assert_eq!(text.len(), "SHA256:".len() + 43);
    for other in [&text[7..], &format!("{text}="), &text.replace("SHA256", "sha256"), &text[..49], "SHA256:", "MD5:aa"] {
        assert_eq!(other.parse::<Fingerprint>(), Err(InvalidFingerprint), "{other}");
    }
    // The last of 43 characters holds two bits that mean nothing; they have to be zero.
    let last = text.chars().last().unwrap();
    let loose = char::from(u8::try_from(last).unwrap() + 1);
    assert_eq!(format!("{}{loose}", &text[..text.len() - 1]).parse::<Fingerprint>(), Err(InvalidFingerprint));
}
